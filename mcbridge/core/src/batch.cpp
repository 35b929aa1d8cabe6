#include "batch.hpp"

#include <algorithm>
#include <atomic>
#include <exception>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <vector>

namespace mcbridge {

namespace {

constexpr std::ptrdiff_t PIECE = 1024;          // points of one piece of sampling or density
constexpr std::ptrdiff_t GRADIENT_PIECE = 256;  // smallest piece of a gradient
constexpr std::ptrdiff_t GRADIENT_PIECES = 8;   // largest number of partial sums of one channel

// Points sorted by channel: channel c owns positions [begin[c], begin[c + 1]).
struct Groups {
    std::vector<std::ptrdiff_t> begin, order;  // order: position -> point; empty where points are in order already
};

Groups group(const std::int64_t* channel, std::ptrdiff_t n, std::ptrdiff_t channels) {
    Groups g;
    g.begin.assign(static_cast<std::size_t>(channels) + 1, 0);
    if (!channel) {
        for (std::size_t c = 1; c < g.begin.size(); ++c) g.begin[c] = n;
        return g;
    }
    bool sorted = true;
    for (std::ptrdiff_t i = 0; i < n; ++i) {
        if (channel[i] < 0 || channel[i] >= channels) throw std::invalid_argument("a channel index is out of range");
        ++g.begin[static_cast<std::size_t>(channel[i]) + 1];
        sorted = sorted && (i == 0 || channel[i - 1] <= channel[i]);
    }
    for (std::size_t c = 1; c < g.begin.size(); ++c) g.begin[c] += g.begin[c - 1];
    if (sorted) return g;
    g.order.resize(static_cast<std::size_t>(n));
    std::vector<std::ptrdiff_t> next(g.begin.begin(), g.begin.end() - 1);
    for (std::ptrdiff_t i = 0; i < n; ++i)
        g.order[static_cast<std::size_t>(next[static_cast<std::size_t>(channel[i])]++)] = i;
    return g;
}

template <class T>
void gather(const T* from, std::ptrdiff_t columns, const std::vector<std::ptrdiff_t>& order, std::vector<T>& to) {
    to.resize(order.size() * static_cast<std::size_t>(columns));
    for (std::size_t i = 0; i < order.size(); ++i)
        std::copy_n(from + order[i] * columns, columns, to.data() + static_cast<std::ptrdiff_t>(i) * columns);
}

template <class T>
void scatter(const std::vector<T>& from, std::ptrdiff_t columns, const std::vector<std::ptrdiff_t>& order, T* to) {
    for (std::size_t i = 0; i < order.size(); ++i)
        std::copy_n(from.data() + static_cast<std::ptrdiff_t>(i) * columns, columns, to + order[i] * columns);
}

struct Piece {
    std::ptrdiff_t channel, begin, end;
};

}  // namespace

void in_parallel(std::ptrdiff_t count, int threads, const std::function<void(std::ptrdiff_t)>& work) {
    const std::ptrdiff_t used = std::min<std::ptrdiff_t>(std::max(threads, 1), count);
    if (used <= 1) {
        for (std::ptrdiff_t i = 0; i < count; ++i) work(i);
        return;
    }
    std::atomic<std::ptrdiff_t> next{0};
    std::exception_ptr failure;
    std::mutex lock;
    const auto loop = [&] {
        try {
            for (std::ptrdiff_t i = next++; i < count; i = next++) work(i);
        } catch (...) {
            const std::lock_guard<std::mutex> guard(lock);
            if (!failure) failure = std::current_exception();
        }
    };
    std::vector<std::thread> pool;
    for (std::ptrdiff_t t = 1; t < used; ++t) pool.emplace_back(loop);
    loop();
    for (std::thread& thread : pool) thread.join();
    if (failure) std::rethrow_exception(failure);
}

template <class T>
void evaluate(const Architecture& a, const T* params, std::ptrdiff_t channels, const T* in, const T* context,
              const std::int64_t* channel, std::ptrdiff_t n, Direction direction, T* out, T* log_q, int threads,
              const std::string& isa) {
    const KernelTable<T>& table = kernel<T>(isa);
    const auto run = direction == Direction::sample ? table.sample : table.density;
    const Groups g = group(channel, n, channels);
    std::vector<T> in_sorted, context_sorted, out_sorted, log_q_sorted;
    const bool shuffled = !g.order.empty();
    if (shuffled) {
        gather(in, a.dim, g.order, in_sorted);
        if (a.context) gather(context, a.context, g.order, context_sorted);
        out_sorted.resize(in_sorted.size());
        log_q_sorted.resize(g.order.size());
    }
    const T* from = shuffled ? in_sorted.data() : in;
    const T* conditions = a.context ? (shuffled ? context_sorted.data() : context) : nullptr;
    T* to = shuffled ? out_sorted.data() : out;
    T* logs = shuffled ? log_q_sorted.data() : log_q;
    std::vector<Piece> pieces;
    for (std::ptrdiff_t c = 0; c < channels; ++c)
        for (std::ptrdiff_t i = g.begin[static_cast<std::size_t>(c)]; i < g.begin[static_cast<std::size_t>(c) + 1];
             i += PIECE)
            pieces.push_back({c, i, std::min(i + PIECE, g.begin[static_cast<std::size_t>(c) + 1])});
    in_parallel(static_cast<std::ptrdiff_t>(pieces.size()), threads, [&](std::ptrdiff_t k) {
        const Piece& p = pieces[static_cast<std::size_t>(k)];
        run(a, params + p.channel * static_cast<std::ptrdiff_t>(a.parameters), from + p.begin * a.dim,
            conditions ? conditions + p.begin * a.context : nullptr, p.end - p.begin, to + p.begin * a.dim,
            logs + p.begin);
    });
    if (shuffled) {
        scatter(out_sorted, a.dim, g.order, out);
        scatter(log_q_sorted, 1, g.order, log_q);
    }
}

template <class T>
void gradient(const Architecture& a, const T* params, std::ptrdiff_t channels, const T* y, const T* context,
              const std::int64_t* channel, const T* upstream, std::ptrdiff_t n, T* log_q, T* grad, T* grad_context,
              int threads, const std::string& isa) {
    const KernelTable<T>& table = kernel<T>(isa);
    const Groups g = group(channel, n, channels);
    const bool shuffled = !g.order.empty();
    std::vector<T> y_sorted, context_sorted, upstream_sorted, log_q_sorted, grad_context_sorted;
    if (shuffled) {
        gather(y, a.dim, g.order, y_sorted);
        if (a.context) gather(context, a.context, g.order, context_sorted);
        gather(upstream, 1, g.order, upstream_sorted);
        log_q_sorted.resize(g.order.size());
        if (grad_context) grad_context_sorted.assign(g.order.size() * static_cast<std::size_t>(a.context), T(0));
    } else if (grad_context) {
        std::fill_n(grad_context, n * a.context, T(0));
    }
    const T* from = shuffled ? y_sorted.data() : y;
    const T* conditions = a.context ? (shuffled ? context_sorted.data() : context) : nullptr;
    const T* weights = shuffled ? upstream_sorted.data() : upstream;
    T* logs = shuffled ? log_q_sorted.data() : log_q;
    T* g_context = grad_context ? (shuffled ? grad_context_sorted.data() : grad_context) : nullptr;

    const std::ptrdiff_t P = static_cast<std::ptrdiff_t>(a.parameters);
    // Every channel is cut into a number of pieces that depends on its points only, and their sums are added in order:
    // the result is the same for any number of threads.
    std::vector<Piece> pieces;
    for (std::ptrdiff_t c = 0; c < channels; ++c) {
        const std::ptrdiff_t begin = g.begin[static_cast<std::size_t>(c)],
                             end = g.begin[static_cast<std::size_t>(c) + 1];
        if (begin == end) {
            std::fill_n(grad + c * P, P, T(0));
            continue;
        }
        const std::ptrdiff_t parts = std::clamp<std::ptrdiff_t>((end - begin) / GRADIENT_PIECE, 1, GRADIENT_PIECES);
        const auto cut = [&](std::ptrdiff_t k) {  // between full tiles
            return k == parts ? end : begin + (end - begin) * k / parts / LANES * LANES;
        };
        for (std::ptrdiff_t k = 0; k < parts; ++k) pieces.push_back({c, cut(k), cut(k + 1)});
    }
    const auto starts_channel = [&](std::size_t k) { return k == 0 || pieces[k - 1].channel != pieces[k].channel; };
    const auto run = [&](std::size_t k, T* target) {
        const Piece& p = pieces[k];
        std::fill_n(target, P, T(0));  // here, so that it is still in the cache
        table.gradient(a, params + p.channel * P, from + p.begin * a.dim,
                       conditions ? conditions + p.begin * a.context : nullptr, weights + p.begin, p.end - p.begin,
                       logs + p.begin, target, g_context ? g_context + p.begin * a.context : nullptr);
    };
    const auto add = [&](std::size_t k, const std::vector<T>& part) {
        T* target = grad + pieces[k].channel * P;
        for (std::ptrdiff_t i = 0; i < P; ++i) target[i] += part[static_cast<std::size_t>(i)];
    };
    if (threads <= 1) {  // the same sums in the same order, with room for one of them
        std::vector<T> part(static_cast<std::size_t>(P));
        for (std::size_t k = 0; k < pieces.size(); ++k) {
            if (starts_channel(k)) {
                run(k, grad + pieces[k].channel * P);
                continue;
            }
            run(k, part.data());
            add(k, part);
        }
    } else {
        std::vector<std::vector<T>> partial(pieces.size());
        in_parallel(static_cast<std::ptrdiff_t>(pieces.size()), threads, [&](std::ptrdiff_t i) {
            const std::size_t k = static_cast<std::size_t>(i);
            if (!starts_channel(k)) partial[k].resize(static_cast<std::size_t>(P));
            run(k, starts_channel(k) ? grad + pieces[k].channel * P : partial[k].data());
        });
        for (std::size_t k = 0; k < pieces.size(); ++k)
            if (!starts_channel(k)) add(k, partial[k]);
    }
    if (shuffled) {
        scatter(log_q_sorted, 1, g.order, log_q);
        if (grad_context) scatter(grad_context_sorted, a.context, g.order, grad_context);
    }
}

#define MCB_INSTANTIATE(T)                                                                                            \
    template void evaluate<T>(const Architecture&, const T*, std::ptrdiff_t, const T*, const T*, const std::int64_t*, \
                              std::ptrdiff_t, Direction, T*, T*, int, const std::string&);                            \
    template void gradient<T>(const Architecture&, const T*, std::ptrdiff_t, const T*, const T*, const std::int64_t*, \
                              const T*, std::ptrdiff_t, T*, T*, T*, int, const std::string&);
MCB_INSTANTIATE(float)
MCB_INSTANTIATE(double)

}  // namespace mcbridge
