// What every instruction set offers, and which one this machine uses.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "architecture.hpp"

namespace mcbridge {

constexpr int LANES = 32;  // points of a tile, whatever the instruction set

// Points of one channel; arrays are (n, dim), (n, context), (n,), row-major and contiguous.
template <class T>
struct KernelTable {
    void (*sample)(const Architecture&, const T* params, const T* z, const T* context, std::ptrdiff_t n, T* y,
                   T* log_q);
    void (*density)(const Architecture&, const T* params, const T* y, const T* context, std::ptrdiff_t n, T* z,
                    T* log_q);
    void (*gradient)(const Architecture&, const T* params, const T* y, const T* context, const T* upstream,
                     std::ptrdiff_t n, T* log_q, T* grad, T* grad_context);
    // `rounds` rounds of independent multiply-adds on registers; returns how many numbers were multiplied.
    double (*multiply_add)(long rounds, T factor, T* sink);
};

// Instruction sets this machine can run, the plainest first.
std::vector<std::string> instruction_sets();
// The best of them, or the one that the environment variable BINNIS_ISA names.
std::string instruction_set();

// float32 multiply-adds a second of one core: the best of many short bursts.
double fma_peak(const std::string& isa);

template <class T>
const KernelTable<T>& kernel(const std::string& isa);  // empty name: instruction_set()

}  // namespace mcbridge
