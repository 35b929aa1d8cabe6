// The coupling flow on tiles of LANES points: sampling, density, gradient. Included once per instruction set, with
// MCB_NAMESPACE set to a name of its own, so that no code compiled for one set is ever linked into another.
#pragma once

#include <algorithm>
#include <vector>

#include "affine.hpp"
#include "kernel_table.hpp"
#include "workspace.hpp"

namespace MCB_NAMESPACE {

// Rows of what the conditioner sees.
template <class T>
inline void gather_inputs(const Architecture& a, const Block& block, const T* __restrict y, const T* __restrict context,
                          T* __restrict in) {
    int row = 0;
    for (int c : block.conditioning) {
        const T* __restrict from = y + c * LANES;
        if (a.periodic[static_cast<std::size_t>(c)]) {
            T* __restrict cosine = in + row * LANES;
            T* __restrict sine = in + (row + 1) * LANES;
            for (int l = 0; l < LANES; l += WIDTH<T>) {
                V<T> x, y;
                turn(get(from + l), x, y);
                put(cosine + l, x);
                put(sine + l, y);
            }
            row += 2;
        } else {
            T* __restrict to = in + row * LANES;
            for (int l = 0; l < LANES; l += WIDTH<T>) put(to + l, T(2) * get(from + l) - T(1));
            row += 1;
        }
    }
    for (int k = 0; k < a.context * LANES; ++k) in[row * LANES + k] = context[k];
}

// The hidden layers of the conditioner; returns the rows of the last one, in one of the two buffers.
template <class T>
inline T* hidden_layers(const Block& block, const T* __restrict params, T* a, T* b) {
    T* in = a;
    T* out = b;
    for (std::size_t i = 0; i + 1 < block.layers.size(); ++i) {
        const Layer& layer = block.layers[i];
        dense<T, true>(params + layer.weight, params + layer.bias, in, out, layer.in, layer.out);
        std::swap(in, out);
    }
    return in;
}

template <class T>
inline V<T> half_turn(V<T> y) {  // frac(y + 1/2)
    const V<T> x = y + T(0.5);
    return x - floor_of(x);
}

template <class T>
inline SplineShape<T> shape_of(const Architecture& a, int coordinate) {
    return {a.bins, T(a.min_bin), T(a.min_derivative), a.periodic[static_cast<std::size_t>(coordinate)] != 0};
}

// The first stage of a block's transformed coordinate c: its rows of the conditioner's output (weight, bias) on the
// last hidden layer (n_in rows) go to `own`. Affine couplings are done with it, splines have found their bins
// (VECTORS).
template <class T, bool SAMPLE>
inline void start_coordinate(const Architecture& a, const Block& block, int c, const T* weight, const T* bias,
                             const T* hidden, int n_in, T* __restrict own, T* __restrict y, T* __restrict log_q,
                             Bin<T>* bins) {
    y += c * LANES;
    if (a.kind == Kind::affine) {
        dense<T, false>(weight, bias, hidden, own, n_in, 2);
        for (int l = 0; l < LANES; l += WIDTH<T>) {
            V<T> sum = get(log_q + l);
            const V<T> first = get(own + l), second = get(own + LANES + l), at = get(y + l);
            put(y + l, SAMPLE ? affine_inverse<T>(first, second, at, sum) : affine_forward<T>(first, second, at, sum));
            put(log_q + l, sum);
        }
        return;
    }
    const int K = a.bins;
    alignas(LINE) T sum_w[LANES], sum_h[LANES];
    exponential_rows(weight, bias, hidden, own, n_in, K, sum_w);
    exponential_rows(weight + K * n_in, bias + K, hidden, own + K * LANES, n_in, K, sum_h);
    dense<T, false>(weight + 2 * K * n_in, bias + 2 * K, hidden, own + 2 * K * LANES, n_in, K + 1);
    const SplineShape<T> shape = shape_of<T>(a, c);
    const bool turned = shape.periodic && block.half_turn;
    for (int v = 0; v < VECTORS<T>; ++v) {
        const int l = v * WIDTH<T>;
        const V<T> at = get(y + l);
        find_bin<T, SAMPLE>(shape, own + l, get(sum_w + l), get(sum_h + l), turned ? half_turn<T>(at) : at, bins[v]);
    }
}

// The other stages, for all splines of a block.
template <class T, bool SAMPLE>
inline void finish_block(const Architecture& a, const Block& block, Bin<T>* bins, T* __restrict y,
                         T* __restrict log_q) {
    if (a.kind == Kind::affine) return;
    const SplineShape<T> any = shape_of<T>(a, 0);
    const std::size_t count = block.transformed.size() * VECTORS<T>;
    for (std::size_t i = 0; i < count; ++i) set_slopes(any, bins[i]);
    Bin<T>* bin = bins;
    for (int c : block.transformed) {
        const bool turned = block.half_turn && a.periodic[static_cast<std::size_t>(c)];
        for (int v = 0; v < VECTORS<T>; ++v, ++bin) {
            const V<T> found = SAMPLE ? spline_inverse<T>(*bin) : spline_forward<T>(*bin);
            put(y + c * LANES + v * WIDTH<T>, turned ? half_turn<T>(found) : found);
        }
    }
    for (int v = 0; v < VECTORS<T>; ++v) {
        V<T> sum = get(log_q + v * WIDTH<T>);
        std::size_t i = static_cast<std::size_t>(v);
        for (; i + VECTORS<T> < count; i += 2 * VECTORS<T>)  // one logarithm for two
            sum += logarithm(bins[i].slope * bins[i + VECTORS<T>].slope);
        if (i < count) sum += logarithm(bins[i].slope);
        put(log_q + v * WIDTH<T>, sum);
    }
}

// Backward of a block: g_y (dim rows) holds dL/d(coordinates after it) and gets dL/d(transformed coordinates before);
// `raw` and `bins` are what the forward pass left of the conditioner's output and of the splines, `before` its input.
template <class T>
inline void transform_backward(const Architecture& a, const Block& block, const T* __restrict raw, const Bin<T>* bin,
                               const T* __restrict before, const T* __restrict upstream, T* __restrict g_y,
                               T* __restrict g_raw) {
    const int P = a.outputs_per_coordinate();
    for (int c : block.transformed) {
        const SplineShape<T> shape = shape_of<T>(a, c);
        for (int l = 0; l < LANES; l += WIDTH<T>) {
            const T* own = raw + l;
            T* g_own = g_raw + l;
            const V<T> up = get(upstream + l), g = get(g_y + c * LANES + l);
            V<T> result;
            if (a.kind == Kind::affine) {
                V<T> g_a, g_shift;
                const V<T> x = get(before + c * LANES + l);
                result = affine_backward<T>(get(own), get(own + LANES), x, up, g, g_a, g_shift);
                put(g_own, g_a);
                put(g_own + LANES, g_shift);
            } else {
                result = spline_backward<T>(shape, *bin++, own, up, g, g_own);
            }
            put(g_y + c * LANES + l, result);
        }
        raw += P * LANES;
        g_raw += P * LANES;
    }
}

// Start of the log densities: 0, or no number where a coordinate is none, whatever comparisons make of it later.
template <class T>
inline void start_log_q(const T* y, int dim, T* log_q) {
    for (int l = 0; l < LANES; l += WIDTH<T>) {
        V<T> sum{};
        for (int c = 0; c < dim; ++c) {
            const V<T> x = get(y + c * LANES + l);
            sum += x - x;
        }
        put(log_q + l, sum);
    }
}

template <class T>
void load(const T* from, int columns, std::ptrdiff_t n, T* rows) {  // (n, columns) -> feature-major, padded
    for (int c = 0; c < columns; ++c)
        for (int l = 0; l < LANES; ++l) rows[c * LANES + l] = l < n ? from[l * columns + c] : T(0.5);
}

template <class T>
void unload(const T* rows, int columns, std::ptrdiff_t n, T* to) {
    for (int l = 0; l < n; ++l)
        for (int c = 0; c < columns; ++c) to[l * columns + c] = rows[c * LANES + l];
}

// n <= LANES points of one channel, in either direction.
template <class T, bool SAMPLE>
void tile(const Architecture& a, const T* params, const T* in, const T* context, std::ptrdiff_t n, T* out, T* log_q,
          Workspace<T>& w, T* context_rows) {
    T* y = w.coordinates.data();
    load(in, a.dim, n, y);
    load(context, a.context, n, context_rows);
    alignas(LINE) T sum[LANES];
    start_log_q(y, a.dim, sum);
    const int count = static_cast<int>(a.blocks.size()), P = a.outputs_per_coordinate();
    for (int i = 0; i < count; ++i) {
        const Block& block = a.blocks[static_cast<std::size_t>(SAMPLE ? count - 1 - i : i)];
        gather_inputs(a, block, y, context_rows, w.rows_a.data());
        T* hidden = hidden_layers(block, params, w.rows_a.data(), w.rows_b.data());
        // the output layer coordinate by coordinate: its rows stay in the nearest cache
        const Layer& last = block.layers.back();
        const T* weight = params + last.weight;
        const T* bias = params + last.bias;
        Bin<T>* bin = w.bins[0].data();
        for (int c : block.transformed) {
            start_coordinate<T, SAMPLE>(a, block, c, weight, bias, hidden, last.in, w.raw.data(), y, sum, bin);
            weight += static_cast<std::ptrdiff_t>(P) * last.in;
            bias += P;
            bin += VECTORS<T>;
        }
        finish_block<T, SAMPLE>(a, block, w.bins[0].data(), y, sum);
    }
    unload(y, a.dim, n, out);
    for (std::ptrdiff_t l = 0; l < n; ++l) log_q[l] = sum[l];
}

// Adds the gradient of sum_l upstream_l log q(y_l) of n <= LANES points to `grad`.
template <class T>
void gradient_tile(const Architecture& a, const T* params, const T* in, const T* context,
                   const T* upstream_in, std::ptrdiff_t n, T* log_q, T* grad, T* grad_context, Workspace<T>& w,
                   T* context_rows) {
    T* y = w.coordinates.data();
    load(in, a.dim, n, y);
    load(context, a.context, n, context_rows);
    alignas(LINE) T sum[LANES], upstream[LANES];
    start_log_q(y, a.dim, sum);
    for (int l = 0; l < LANES; ++l) upstream[l] = l < n ? upstream_in[l] : T(0);
    const std::size_t count = a.blocks.size();
    const std::ptrdiff_t P = a.outputs_per_coordinate();
    for (std::size_t b = 0; b < count; ++b) {
        const Block& block = a.blocks[b];
        auto& kept = w.activations[b];
        std::copy(y, y + a.dim * LANES, w.before[b].begin());
        gather_inputs(a, block, y, context_rows, kept[0].data());
        const std::size_t depth = block.layers.size();
        for (std::size_t i = 0; i + 1 < depth; ++i) {
            const Layer& layer = block.layers[i];
            dense<T, true>(params + layer.weight, params + layer.bias, kept[i].data(), kept[i + 1].data(), layer.in,
                           layer.out);
        }
        const Layer& last = block.layers.back();
        const T* weight = params + last.weight;
        const T* bias = params + last.bias;
        T* own = kept[depth].data();
        Bin<T>* bin = w.bins[b].data();
        for (int c : block.transformed) {
            start_coordinate<T, false>(a, block, c, weight, bias, kept[depth - 1].data(), last.in, own, y, sum, bin);
            weight += P * last.in;
            bias += P;
            own += P * LANES;
            bin += VECTORS<T>;
        }
        finish_block<T, false>(a, block, w.bins[b].data(), y, sum);
    }
    for (std::ptrdiff_t l = 0; l < n; ++l) log_q[l] = sum[l];

    T* g_y = w.g_coordinates.data();
    std::fill(w.g_coordinates.begin(), w.g_coordinates.end(), T(0));
    for (std::size_t b = count; b-- > 0;) {
        const Block& block = a.blocks[b];
        auto& kept = w.activations[b];
        const T* raw = kept.back().data();
        T* g_raw = w.g_rows_a.data();
        transform_backward(a, block, raw, w.bins[b].data(), w.before[b].data(), upstream, g_y, g_raw);
        T* g_out = g_raw;
        T* g_in = w.g_rows_b.data();
        for (std::size_t i = block.layers.size(); i-- > 0;) {
            const Layer& layer = block.layers[i];
            dense_backward_weight(kept[i].data(), g_out, grad + layer.weight, grad + layer.bias, layer.in, layer.out,
                                  w.turned.data());
            if (layer.in == 0) break;
            dense_backward_input<T>(params + layer.weight, g_out, i > 0 ? kept[i].data() : nullptr, g_in, layer.in,
                                    layer.out);
            std::swap(g_out, g_in);
        }
        if (block.inputs == 0) continue;
        // g_out now holds the gradient with respect to the rows of gather_inputs
        int row = 0;
        const T tau = T(6.283185307179586476925);
        for (int c : block.conditioning) {
            T* g = g_y + c * LANES;
            if (a.periodic[static_cast<std::size_t>(c)]) {
                const T* cosine = kept[0].data() + row * LANES;
                const T* sine = kept[0].data() + (row + 1) * LANES;
                for (int l = 0; l < LANES; ++l)
                    g[l] += tau * (g_out[(row + 1) * LANES + l] * cosine[l] - g_out[row * LANES + l] * sine[l]);
                row += 2;
            } else {
                for (int l = 0; l < LANES; ++l) g[l] += T(2) * g_out[row * LANES + l];
                row += 1;
            }
        }
        if (grad_context)
            for (std::ptrdiff_t l = 0; l < n; ++l)
                for (int k = 0; k < a.context; ++k) grad_context[l * a.context + k] += g_out[(row + k) * LANES + l];
    }
}

template <class T, bool SAMPLE>
void run(const Architecture& a, const T* params, const T* in, const T* context, std::ptrdiff_t n, T* out, T* log_q) {
    Workspace<T>& w = borrow<T, false>(a);
    for (std::ptrdiff_t i = 0; i < n; i += LANES)
        tile<T, SAMPLE>(a, params, in + i * a.dim, context ? context + i * a.context : nullptr,
                        std::min<std::ptrdiff_t>(LANES, n - i), out + i * a.dim, log_q + i, w, w.context_rows.data());
}

template <class T>
void run_gradient(const Architecture& a, const T* params, const T* in, const T* context,
                  const T* upstream, std::ptrdiff_t n, T* log_q, T* grad, T* grad_context) {
    Workspace<T>& w = borrow<T, true>(a);
    for (std::ptrdiff_t i = 0; i < n; i += LANES)
        gradient_tile<T>(a, params, in + i * a.dim, context ? context + i * a.context : nullptr,
                         upstream + i, std::min<std::ptrdiff_t>(LANES, n - i), log_q + i, grad,
                         grad_context ? grad_context + i * a.context : nullptr, w, w.context_rows.data());
}

template <class T>
double multiply_add(long rounds, T factor, T* sink) {
    constexpr int CHAINS = 12;  // enough to hide the latency, few enough for 16 registers
    V<T> sum[CHAINS];
    const V<T> x = all(factor), y = all(T(1) - factor);
#pragma GCC unroll 16
    for (int k = 0; k < CHAINS; ++k) sum[k] = all(T(k));
    for (long round = 0; round < rounds; ++round) {
#pragma GCC unroll 16
        for (int k = 0; k < CHAINS; ++k) sum[k] = sum[k] * x + y;
    }
    for (int k = 0; k < CHAINS; ++k) *sink += sum[k][0];
    return static_cast<double>(rounds) * CHAINS * WIDTH<T>;
}

template <class T>
mcbridge::KernelTable<T> table() {
    return {run<T, true>, run<T, false>, run_gradient<T>, multiply_add<T>};
}

}  // namespace MCB_NAMESPACE
