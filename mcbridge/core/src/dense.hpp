// Linear layers on tiles: weights are broadcast, several output rows stay in registers.
#pragma once

#include "lanes.hpp"

namespace MCB_NAMESPACE {

#ifndef MCB_ROWS
#define MCB_ROWS 4
#endif
#ifndef MCB_COLUMNS
#define MCB_COLUMNS 2
#endif

constexpr float LEAK = 0.01f;

// What becomes of the sums of a patch.
template <class T, bool RELU, int ROWS>
struct PlainEpilogue {
    void operator()(V<T> (&x)[ROWS][MCB_COLUMNS], T* out, int) const {
#pragma GCC unroll 16
        for (int r = 0; r < ROWS; ++r)
#pragma GCC unroll 16
            for (int c = 0; c < MCB_COLUMNS; ++c)
                put(out + r * LANES + c * WIDTH<T>, RELU ? larger(x[r][c], x[r][c] * T(LEAK)) : x[r][c]);
    }
};

// ROWS output rows, MCB_COLUMNS vectors of lanes at once: their sums stay in registers. Weight rows are `stride` apart.
template <class T, int ROWS, class Epilogue>
__attribute__((noinline)) void dense_patch(const T* __restrict weight, int stride, const T* __restrict bias,
                                           const T* __restrict in, T* __restrict out, int n_in, Epilogue finish) {
    constexpr int W = WIDTH<T>, COLUMNS = MCB_COLUMNS;
    static_assert(LANES % (W * COLUMNS) == 0, "a tile is a whole number of patches");
    const T* __restrict row[ROWS];  // one index for all: arithmetic on addresses would take ports from the products
#pragma GCC unroll 16
    for (int r = 0; r < ROWS; ++r) row[r] = weight + static_cast<std::ptrdiff_t>(r) * stride;
    for (int l = 0; l < LANES; l += W * COLUMNS) {
        V<T> sum[ROWS][COLUMNS];
#pragma GCC unroll 16
        for (int r = 0; r < ROWS; ++r)
#pragma GCC unroll 16
            for (int c = 0; c < COLUMNS; ++c) sum[r][c] = all(bias[r]);
        const T* __restrict from = in + l;
        for (std::ptrdiff_t i = 0; i < n_in; ++i, from += LANES) {
            V<T> x[COLUMNS];
#pragma GCC unroll 16
            for (int c = 0; c < COLUMNS; ++c) x[c] = get(from + c * W);
#pragma GCC unroll 16
            for (int r = 0; r < ROWS; ++r) {
                const V<T> w = all(row[r][i]);
#pragma GCC unroll 16
                for (int c = 0; c < COLUMNS; ++c) sum[r][c] += w * x[c];
            }
        }
        finish(sum, out + l, l);
    }
}

template <class T, bool RELU, int ROWS = MCB_ROWS>
inline void dense_rows(int rows, const T* weight, int stride, const T* bias, const T* in, T* out, int n_in) {
    if constexpr (ROWS > 1)
        if (rows < ROWS) return dense_rows<T, RELU, ROWS - 1>(rows, weight, stride, bias, in, out, n_in);
    dense_patch<T, ROWS>(weight, stride, bias, in, out, n_in, PlainEpilogue<T, RELU, ROWS>());
}

// out (n_out rows) = weight (n_out, n_in) in (n_in rows) + bias, then leaky ReLU if RELU.
template <class T, bool RELU>
inline void dense(const T* __restrict weight, const T* __restrict bias, const T* __restrict in, T* __restrict out,
                  int n_in, int n_out) {
    // patches of nearly equal size: a small rest would wait for its sums
    const int patches = (n_out + MCB_ROWS - 1) / MCB_ROWS;
    for (int k = 0, o = 0; k < patches; ++k) {
        const int rows = (n_out - o + patches - k - 1) / (patches - k);
        dense_rows<T, RELU>(rows, weight + o * n_in, n_in, bias + o, in, out + o * LANES, n_in);
        o += rows;
    }
}

// ROWS rows of g_in: columns of the weight times g_out; `weight` points at the first of the columns, which stand side by
// side. Where there are activations of a leaky ReLU, its slope is multiplied on.
template <class T, int ROWS>
__attribute__((noinline)) void back_patch(const T* __restrict weight, int n_in, const T* __restrict g_out,
                                          const T* __restrict activation, T* __restrict g_in, int n_out) {
    constexpr int W = WIDTH<T>, COLUMNS = MCB_COLUMNS;
    for (int l = 0; l < LANES; l += W * COLUMNS) {
        V<T> sum[ROWS][COLUMNS] = {};
        const T* __restrict from = g_out + l;
        const T* __restrict column = weight;
        for (int o = 0; o < n_out; ++o, from += LANES, column += n_in) {
            V<T> x[COLUMNS];
#pragma GCC unroll 16
            for (int c = 0; c < COLUMNS; ++c) x[c] = get(from + c * W);
#pragma GCC unroll 16
            for (int r = 0; r < ROWS; ++r) {
                const V<T> w = all(column[r]);
#pragma GCC unroll 16
                for (int c = 0; c < COLUMNS; ++c) sum[r][c] += w * x[c];
            }
        }
#pragma GCC unroll 16
        for (int r = 0; r < ROWS; ++r)
#pragma GCC unroll 16
            for (int c = 0; c < COLUMNS; ++c) {
                const int at = r * LANES + l + c * W;
                V<T> g = sum[r][c];
                if (activation) g = get(activation + at) > T(0) ? g : g * T(LEAK);
                put(g_in + at, g);
            }
    }
}

template <class T, int ROWS = MCB_ROWS>
inline void back_rows(int rows, const T* weight, int n_in, const T* g_out, const T* activation, T* g_in, int n_out) {
    if constexpr (ROWS > 1)
        if (rows < ROWS) return back_rows<T, ROWS - 1>(rows, weight, n_in, g_out, activation, g_in, n_out);
    back_patch<T, ROWS>(weight, n_in, g_out, activation, g_in, n_out);
}

// g_in (n_in rows) = transposed weight times g_out, for the weight (n_out, n_in) of a layer whose inputs are the
// leaky ReLU `activation`, or null.
template <class T>
inline void dense_backward_input(const T* __restrict weight, const T* __restrict g_out, const T* __restrict activation,
                                 T* __restrict g_in, int n_in, int n_out) {
    const int patches = (n_in + MCB_ROWS - 1) / MCB_ROWS;
    for (int k = 0, i = 0; k < patches; ++k) {
        const int rows = (n_in - i + patches - k - 1) / (patches - k);
        back_rows<T>(rows, weight + i, n_in, g_out, activation ? activation + i * LANES : nullptr, g_in + i * LANES,
                     n_out);
        i += rows;
    }
}

// Columns (n rows of a tile) to rows: `turned` holds LANES rows of `padded` numbers, zero behind the n-th.
template <class T>
inline void turn_tile(const T* __restrict in, int n, int padded, T* __restrict turned) {
    constexpr int W = WIDTH<T>;
    for (int i = 0; i < padded; i += W)
        for (int l = 0; l < LANES; l += W) {
            V<T> square[W];
#pragma GCC unroll 16
            for (int r = 0; r < W; ++r) square[r] = i + r < n ? get(in + (i + r) * LANES + l) : V<T>{};
            transpose<T>(square);
#pragma GCC unroll 16
            for (int r = 0; r < W; ++r) put(turned + (l + r) * padded + i, square[r]);
        }
}

// ROWS rows (of g_out) times COLUMNS vectors (of turned inputs), summed over the lanes, added to the first n numbers of
// rows of g_weight that are n_in apart.
template <class T, int ROWS, int COLUMNS>
__attribute__((noinline)) void outer_patch(const T* __restrict turned, int padded, const T* __restrict g_out,
                                           T* __restrict g_weight, int n_in, int n) {
    constexpr int W = WIDTH<T>;
    V<T> sum[ROWS][COLUMNS] = {};
    for (int l = 0; l < LANES; ++l) {
        V<T> x[COLUMNS];
#pragma GCC unroll 16
        for (int c = 0; c < COLUMNS; ++c) x[c] = get(turned + l * padded + c * W);
#pragma GCC unroll 16
        for (int r = 0; r < ROWS; ++r) {
            const V<T> g = all(g_out[r * LANES + l]);
#pragma GCC unroll 16
            for (int c = 0; c < COLUMNS; ++c) sum[r][c] += g * x[c];
        }
    }
#pragma GCC unroll 16
    for (int r = 0; r < ROWS; ++r) {
        T* __restrict target = g_weight + r * n_in;
#pragma GCC unroll 16
        for (int c = 0; c < COLUMNS; ++c) {
            if (n >= (c + 1) * W)
                put(target + c * W, get(target + c * W) + sum[r][c]);
            else
                for (int j = c * W; j < n; ++j) target[j] += sum[r][c][j - c * W];
        }
    }
}

template <class T, int COLUMNS, int ROWS = MCB_ROWS>
inline void outer_rows(int rows, const T* turned, int padded, const T* g_out, T* g_weight, int n_in, int n) {
    if constexpr (ROWS > 1)
        if (rows < ROWS) return outer_rows<T, COLUMNS, ROWS - 1>(rows, turned, padded, g_out, g_weight, n_in, n);
    outer_patch<T, ROWS, COLUMNS>(turned, padded, g_out, g_weight, n_in, n);
}

// g_weight (n_out, n_in) += g_out in^T and g_bias += sum over lanes; `turned` is room for LANES * padded n_in.
template <class T>
inline void dense_backward_weight(const T* __restrict in, const T* __restrict g_out, T* __restrict g_weight,
                                  T* __restrict g_bias, int n_in, int n_out, T* __restrict turned) {
    constexpr int W = WIDTH<T>;
    const int padded = (n_in + W - 1) / W * W, patches = (n_out + MCB_ROWS - 1) / MCB_ROWS;
    turn_tile(in, n_in, padded, turned);
    for (int k = 0, o = 0; k < patches; ++k) {
        const int rows = (n_out - o + patches - k - 1) / (patches - k);
        const T* g = g_out + o * LANES;
        T* target = g_weight + static_cast<std::ptrdiff_t>(o) * n_in;
        int i = 0;
        for (; i + MCB_COLUMNS * W <= padded; i += MCB_COLUMNS * W)
            outer_rows<T, MCB_COLUMNS>(rows, turned + i, padded, g, target + i, n_in, n_in - i);
        for (; i < padded; i += W) outer_rows<T, 1>(rows, turned + i, padded, g, target + i, n_in, n_in - i);
        o += rows;
    }
    for (int o = 0; o < n_out; o += W) {  // W sums over the lanes at once
        const int rows = n_out - o < W ? n_out - o : W;
        V<T> square[W];
#pragma GCC unroll 16
        for (int r = 0; r < W; ++r) {
            square[r] = V<T>{};
            if (r < rows)
                for (int l = 0; l < LANES; l += W) square[r] += get(g_out + (o + r) * LANES + l);
        }
        transpose<T>(square);
        V<T> sum{};
#pragma GCC unroll 16
        for (int r = 0; r < W; ++r) sum += square[r];
        if (rows == W)
            put(g_bias + o, get(g_bias + o) + sum);
        else
            for (int r = 0; r < rows; ++r) g_bias[o + r] += sum[r];
    }
}

}  // namespace MCB_NAMESPACE
