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

// ROWS output rows, COLUMNS vectors of lanes at once: their sums stay in registers. Weight rows are `stride` apart.
template <class T, bool RELU, int ROWS, int COLUMNS>
inline void dense_patch(const T* __restrict weight, int stride, const T* __restrict bias, const T* __restrict in,
                        T* __restrict out, int n_in) {
    constexpr int W = WIDTH<T>;
    V<T> sum[ROWS][COLUMNS];
#pragma GCC unroll 8
    for (int r = 0; r < ROWS; ++r)
#pragma GCC unroll 8
        for (int c = 0; c < COLUMNS; ++c) sum[r][c] = all(bias[r]);
    for (int i = 0; i < n_in; ++i) {
        V<T> x[COLUMNS];
#pragma GCC unroll 8
        for (int c = 0; c < COLUMNS; ++c) x[c] = get(in + i * LANES + c * W);
#pragma GCC unroll 8
        for (int r = 0; r < ROWS; ++r) {
            const V<T> w = all(weight[r * stride + i]);
#pragma GCC unroll 8
            for (int c = 0; c < COLUMNS; ++c) sum[r][c] += w * x[c];
        }
    }
#pragma GCC unroll 8
    for (int r = 0; r < ROWS; ++r)
#pragma GCC unroll 8
        for (int c = 0; c < COLUMNS; ++c) {
            V<T> y = sum[r][c];
            if (RELU) y = y > T(0) ? y : y * T(LEAK);
            put(out + r * LANES + c * W, y);
        }
}

template <class T, bool RELU, int ROWS>
inline void dense_rows(const T* __restrict weight, int stride, const T* __restrict bias, const T* __restrict in,
                       T* __restrict out, int n_in) {
    constexpr int W = WIDTH<T>;
    static_assert(LANES % (W * MCB_COLUMNS) == 0, "a tile is a whole number of patches");
    for (int l = 0; l < LANES; l += W * MCB_COLUMNS)
        dense_patch<T, RELU, ROWS, MCB_COLUMNS>(weight, stride, bias, in + l, out + l, n_in);
}

// out (n_out rows) = weight (n_out, n_in) in (n_in rows) + bias, then leaky ReLU if RELU.
template <class T, bool RELU>
inline void dense(const T* __restrict weight, const T* __restrict bias, const T* __restrict in, T* __restrict out,
                  int n_in, int n_out) {
    int o = 0;
    for (; o + MCB_ROWS <= n_out; o += MCB_ROWS)
        dense_rows<T, RELU, MCB_ROWS>(weight + o * n_in, n_in, bias + o, in, out + o * LANES, n_in);
    for (; o < n_out; ++o) dense_rows<T, RELU, 1>(weight + o * n_in, n_in, bias + o, in, out + o * LANES, n_in);
}

// g_in (n_in rows) = transposed weight times g_out; `transposed` is (n_in, n_out) row-major.
template <class T>
inline void dense_backward_input(const T* __restrict transposed, const T* __restrict zeros, const T* __restrict g_out,
                                 T* __restrict g_in, int n_in, int n_out) {
    dense<T, false>(transposed, zeros, g_out, g_in, n_out, n_in);
}

// g_weight (n_out, n_in) += g_out in^T and g_bias += sum over lanes; `turned` is room for LANES * padded n_in.
template <class T>
inline void dense_backward_weight(const T* __restrict in, const T* __restrict g_out, T* __restrict g_weight,
                                  T* __restrict g_bias, int n_in, int n_out, T* __restrict turned) {
    constexpr int WIDE = WIDTH<T>;
    const int padded = (n_in + WIDE - 1) / WIDE * WIDE;
    for (int l = 0; l < LANES; ++l) {
        for (int i = 0; i < n_in; ++i) turned[l * padded + i] = in[i * LANES + l];
        for (int i = n_in; i < padded; ++i) turned[l * padded + i] = T(0);
    }
    int o = 0;
    for (; o + 4 <= n_out; o += 4) {
        const T* __restrict g = g_out + o * LANES;
        for (int i = 0; i < padded; i += WIDE) {
            V<T> s0{}, s1{}, s2{}, s3{};
            for (int l = 0; l < LANES; ++l) {
                const V<T> x = get(turned + l * padded + i);
                s0 += g[l] * x;
                s1 += g[LANES + l] * x;
                s2 += g[2 * LANES + l] * x;
                s3 += g[3 * LANES + l] * x;
            }
            const V<T>* sums[4] = {&s0, &s1, &s2, &s3};
            for (int r = 0; r < 4; ++r) {
                T* __restrict target = g_weight + (o + r) * n_in + i;
                const int left = n_in - i < WIDE ? n_in - i : WIDE;
                for (int j = 0; j < left; ++j) target[j] += (*sums[r])[j];
            }
        }
    }
    for (; o < n_out; ++o)
        for (int l = 0; l < LANES; ++l) {
            const T g = g_out[o * LANES + l];
            for (int i = 0; i < n_in; ++i) g_weight[o * n_in + i] += g * turned[l * padded + i];
        }
    for (o = 0; o < n_out; ++o) {
        T sum = T(0);
        for (int l = 0; l < LANES; ++l) sum += g_out[o * LANES + l];
        g_bias[o] += sum;
    }
}

}  // namespace MCB_NAMESPACE
