// Batches of points of one or many channels, in pieces that threads share.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "kernel_table.hpp"

namespace mcbridge {

// Call work(i) for i in [0, count) on up to `threads` threads; which thread does what never changes a result.
void in_parallel(std::ptrdiff_t count, int threads, const std::function<void(std::ptrdiff_t)>& work);

enum class Direction { sample, density };

// params (channels, parameters); in (n, dim); context (n, context) or null; channel (n) or null for channel 0.
// Throws std::invalid_argument where a channel index is out of range.
template <class T>
void evaluate(const Architecture& a, const T* params, std::ptrdiff_t channels, const T* in, const T* context,
              const std::int64_t* channel, std::ptrdiff_t n, Direction direction, T* out, T* log_q, int threads,
              const std::string& isa);

// grad (channels, parameters) and grad_context (n, context; may be null) are overwritten.
template <class T>
void gradient(const Architecture& a, const T* params, std::ptrdiff_t channels, const T* y, const T* context,
              const std::int64_t* channel, const T* upstream, std::ptrdiff_t n, T* log_q, T* grad, T* grad_context,
              int threads, const std::string& isa);

}  // namespace mcbridge
