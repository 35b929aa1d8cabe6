// Rational-quadratic splines on a tile of points (Durkan et al., arXiv:1906.04032; physics.md section 4) and their
// gradient. Everything is feature-major: row r of an array holds LANES numbers at r * LANES.
#pragma once

#include "lanes.hpp"

namespace MCB_NAMESPACE {

template <class T>
using Row = T[LANES];

// The bin in which each point of a tile lies, with everything its formula needs.
template <class T>
struct Bin {
    Row<T> left, bottom, width, height, raw0, raw1, d0, d1;
    alignas(64) int index[LANES];
};

template <class T>
struct SplineShape {
    int bins;
    T min_bin, min_derivative;
    bool periodic;
};

// max and 1/sum of exp for the softmax of `bins` rows; the exponentials go to `e`.
template <class T>
inline void softmax(const T* __restrict raw, int bins, T* __restrict e, T* __restrict scale) {
    Row<T> top, sum;
    for (int l = 0; l < LANES; ++l) top[l] = raw[l];
    for (int k = 1; k < bins; ++k)
        for (int l = 0; l < LANES; ++l) top[l] = raw[k * LANES + l] > top[l] ? raw[k * LANES + l] : top[l];
    for (int l = 0; l < LANES; ++l) sum[l] = T(0);
    for (int k = 0; k < bins; ++k)
        for (int l = 0; l < LANES; ++l) {
            const T x = exponential(raw[k * LANES + l] - top[l]);
            e[k * LANES + l] = x;
            sum[l] += x;
        }
    for (int l = 0; l < LANES; ++l) scale[l] = T(1) / sum[l];
}

// Find the bin of `x` along the widths (density direction) or of `y` along the heights (sampling direction).
// ew, eh: rows of softmax exponentials; sw, sh: 1/sum.
template <class T, bool ALONG_HEIGHTS>
inline void find_bin(const SplineShape<T>& shape, const T* __restrict raw, const T* __restrict ew,
                     const T* __restrict eh, const T* __restrict sw, const T* __restrict sh, const T* __restrict at,
                     Bin<T>& bin) {
    const int K = shape.bins;
    const T m = shape.min_bin, c = T(1) - m * T(K);
    Row<T> x, y;
    for (int l = 0; l < LANES; ++l) {
        x[l] = y[l] = T(0);
        bin.index[l] = 0;
    }
    const T* __restrict rd = raw + 2 * K * LANES;
    for (int k = 0; k < K; ++k) {
        const T* __restrict next = (shape.periodic && k == K - 1) ? rd : rd + (k + 1) * LANES;
        for (int l = 0; l < LANES; ++l) {
            const T w = m + c * ew[k * LANES + l] * sw[l];
            const T h = m + c * eh[k * LANES + l] * sh[l];
            const bool inside = k == 0 || at[l] >= (ALONG_HEIGHTS ? y[l] : x[l]);
            bin.left[l] = inside ? x[l] : bin.left[l];
            bin.bottom[l] = inside ? y[l] : bin.bottom[l];
            bin.width[l] = inside ? w : bin.width[l];
            bin.height[l] = inside ? h : bin.height[l];
            bin.raw0[l] = inside ? rd[k * LANES + l] : bin.raw0[l];
            bin.raw1[l] = inside ? next[l] : bin.raw1[l];
            bin.index[l] = inside ? k : bin.index[l];
            x[l] += w;
            y[l] += h;
        }
    }
    const T md = shape.min_derivative, cd = (T(1) - md) * T(1.442695040888963407);
    for (int l = 0; l < LANES; ++l) {
        bin.d0[l] = md + cd * softplus(bin.raw0[l]);
        bin.d1[l] = md + cd * softplus(bin.raw1[l]);
    }
}

template <class T>
inline T clamp01(T x) {
    x = x < T(0) ? T(0) : x;
    return x > T(1) ? T(1) : x;
}

// log dy/dx at the position xi of the bin.
template <class T>
inline T log_slope(T s, T d0, T d1, T xi) {
    const T t = T(1) - xi, om = xi * t;
    const T den = s + (d0 + d1 - T(2) * s) * om;
    const T num = d1 * xi * xi + T(2) * s * om + d0 * t * t;
    const T ratio = s / den;
    return logarithm(ratio * ratio * num);
}

// Density direction: x -> y in place, log slope added to log_q.
template <class T>
inline void spline_forward(const Bin<T>& bin, T* __restrict x, T* __restrict log_q) {
    for (int l = 0; l < LANES; ++l) {
        const T s = bin.height[l] / bin.width[l];
        const T xi = clamp01((x[l] - bin.left[l]) / bin.width[l]);
        const T om = xi * (T(1) - xi);
        const T den = s + (bin.d0[l] + bin.d1[l] - T(2) * s) * om;
        const T y = bin.bottom[l] + bin.height[l] * (s * xi * xi + bin.d0[l] * om) / den;
        log_q[l] += log_slope(s, bin.d0[l], bin.d1[l], xi);
        x[l] = clamp01(y);
    }
}

// Sampling direction: y -> x in place; log slope dy/dx (of the density direction) added to log_q.
template <class T>
inline void spline_inverse(const Bin<T>& bin, T* __restrict y, T* __restrict log_q) {
    for (int l = 0; l < LANES; ++l) {
        const T s = bin.height[l] / bin.width[l], d0 = bin.d0[l], d1 = bin.d1[l];
        const T dy = clamp01((y[l] - bin.bottom[l]) / bin.height[l]);
        const T s2 = d0 + d1 - T(2) * s;
        const T a = (s - d0) + dy * s2, b = d0 - dy * s2, c = -s * dy;
        T disc = b * b - T(4) * a * c;
        disc = disc > T(0) ? disc : T(0);
        const T below = -b - root(disc);
        const T xi = clamp01(T(2) * c / (below < T(-1e-30) ? below : T(-1e-30)));
        log_q[l] += log_slope(s, d0, d1, xi);
        y[l] = clamp01(bin.left[l] + xi * bin.width[l]);
    }
}

// Backward of spline_forward. On entry g_y holds dL/dy and upstream dL/dlog_q; on exit g_y holds dL/dx, and g_raw
// (3K+1 rows) the gradient with respect to the raw parameters.
template <class T>
inline void spline_backward(const SplineShape<T>& shape, const Bin<T>& bin, const T* __restrict ew,
                            const T* __restrict eh, const T* __restrict sw, const T* __restrict sh,
                            const T* __restrict x, const T* __restrict upstream, T* __restrict g_y,
                            T* __restrict g_raw) {
    const int K = shape.bins;
    Row<T> g_left, g_width, g_height, g_bottom, g_r0, g_r1;
    const T cd = (T(1) - shape.min_derivative) * T(1.442695040888963407);
    for (int l = 0; l < LANES; ++l) {
        const T w = bin.width[l], h = bin.height[l], d0 = bin.d0[l], d1 = bin.d1[l];
        const T iw = T(1) / w;
        const T s = h * iw, xi = clamp01((x[l] - bin.left[l]) * iw), t = T(1) - xi, om = xi * t;
        const T q = T(1) - T(2) * xi;
        const T sum = d0 + d1 - T(2) * s;
        const T A = s * xi * xi + d0 * om, D = s + sum * om, N = d1 * xi * xi + T(2) * s * om + d0 * t * t;
        const T gy = g_y[l], gl = upstream[l], iD = T(1) / D;
        const T gA = gy * h * iD;
        const T gD = -gA * A * iD - T(2) * gl * iD;
        const T gN = gl / N;
        T gs = T(2) * gl / s + gA * xi * xi + gD * (T(1) - T(2) * om) + gN * T(2) * om;
        const T gd0 = (gA + gD) * om + gN * t * t;
        const T gd1 = gD * om + gN * xi * xi;
        const T gxi = gA * (T(2) * s * xi + d0 * q) + gD * sum * q + gN * (T(2) * d1 * xi + T(2) * s * q - T(2) * d0 * t);
        const T gx = gxi * iw;
        g_height[l] = gy * A * iD + gs * iw;
        g_width[l] = -gx * xi - gs * s * iw;
        g_left[l] = -gx;
        g_bottom[l] = gy;
        g_r0[l] = gd0 * cd * sigmoid(bin.raw0[l]);
        g_r1[l] = gd1 * cd * sigmoid(bin.raw1[l]);
        g_y[l] = gx;
    }
    // widths: a knot left of the bin gets the gradient of its left edge, the bin itself that of its width
    const T c = T(1) - shape.min_bin * T(K);
    Row<T> dot_w, dot_h;
    for (int l = 0; l < LANES; ++l) dot_w[l] = dot_h[l] = T(0);
    T* __restrict g_w = g_raw;
    T* __restrict g_h = g_raw + K * LANES;
    T* __restrict g_d = g_raw + 2 * K * LANES;
    for (int k = 0; k < K; ++k)
        for (int l = 0; l < LANES; ++l) {
            const bool before = k < bin.index[l], here = k == bin.index[l];
            const T pw = ew[k * LANES + l] * sw[l], ph = eh[k * LANES + l] * sh[l];
            const T gw = c * (before ? g_left[l] : (here ? g_width[l] : T(0)));
            const T gh = c * (before ? g_bottom[l] : (here ? g_height[l] : T(0)));
            g_w[k * LANES + l] = gw * pw;
            g_h[k * LANES + l] = gh * ph;
            dot_w[l] += gw * pw;
            dot_h[l] += gh * ph;
            g_d[k * LANES + l] = (here ? g_r0[l] : T(0)) + (k == bin.index[l] + 1 ? g_r1[l] : T(0));
        }
    for (int k = 0; k < K; ++k)
        for (int l = 0; l < LANES; ++l) {
            g_w[k * LANES + l] -= dot_w[l] * ew[k * LANES + l] * sw[l];
            g_h[k * LANES + l] -= dot_h[l] * eh[k * LANES + l] * sh[l];
        }
    for (int l = 0; l < LANES; ++l) {
        const T last = bin.index[l] == K - 1 ? g_r1[l] : T(0);
        g_d[K * LANES + l] = shape.periodic ? T(0) : last;
        if (shape.periodic) g_d[l] += last;
    }
}

}  // namespace MCB_NAMESPACE
