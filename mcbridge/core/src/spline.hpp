// Rational-quadratic splines (Durkan et al., arXiv:1906.04032; physics.md section 4) and their gradient, one vector of
// points at a time. Raw parameters are feature-major: row r of a tile holds LANES numbers at r * LANES.
#pragma once

#include "dense.hpp"

namespace MCB_NAMESPACE {

template <class T>
struct SplineShape {
    int bins;
    T min_bin, min_derivative;
    bool periodic;
};

// The bin in which each point lies, with everything its formula needs. The work on it is done in stages, each for all
// coordinates of a block: one stage is a long chain of dependent steps, and only many of them fill the pipelines.
template <class T>
struct Bin {
    V<T> at;                                       // the point
    V<T> left, bottom, width, height, raw0, raw1;  // by find_bin
    V<T> d0, d1;                                   // by set_slopes
    V<T> slope;                                    // dy/dx there, by spline_forward or spline_inverse
    V<T> scale_widths, scale_heights;              // 1/sum of the exponentials
    M<T> index;
};

#ifndef MCB_FUSED_BINS
#define MCB_FUSED_BINS 0  // number of bins whose output rows fit into the registers at once; 0: none
#endif

// Exponentials of numbers less their maximum, by column of a patch in registers or in memory.
template <class T, int ROWS>
struct ExponentialEpilogue {
    T* sums;
    void operator()(V<T> (&x)[ROWS][MCB_COLUMNS], T* out, int l) const {
#pragma GCC unroll 16
        for (int c = 0; c < MCB_COLUMNS; ++c) {
            V<T> top = x[0][c];
#pragma GCC unroll 16
            for (int r = 1; r < ROWS; ++r) top = larger(top, x[r][c]);
            top = scaled_top(top);
            V<T> sum{};
#pragma GCC unroll 16
            for (int r = 0; r < ROWS; ++r) {
                const V<T> e = exponential_below(x[r][c], top);
                put(out + r * LANES + c * WIDTH<T>, e);
                sum += e;
            }
            put(sums + l + c * WIDTH<T>, sum);
        }
    }
};

// n_out rows of a linear layer, replaced by their exponentials (less their maximum), and their sums (LANES).
template <class T>
inline void exponential_rows(const T* weight, const T* bias, const T* in, T* out, int n_in, int n_out, T* sums) {
    if constexpr (MCB_FUSED_BINS > 0) {
        if (n_out == MCB_FUSED_BINS)
            return dense_patch<T, MCB_FUSED_BINS>(weight, n_in, bias, in, out, n_in,
                                                  ExponentialEpilogue<T, MCB_FUSED_BINS>{sums});
    }
    dense<T, false>(weight, bias, in, out, n_in, n_out);
    for (int l = 0; l < LANES; l += WIDTH<T>) {
        V<T> top = get(out + l);
        for (int r = 1; r < n_out; ++r) top = larger(top, get(out + r * LANES + l));
        top = scaled_top(top);
        V<T> sum{};
        for (int r = 0; r < n_out; ++r) {
            const V<T> e = exponential_below(get(out + r * LANES + l), top);
            put(out + r * LANES + l, e);
            sum += e;
        }
        put(sums + l, sum);
    }
}

// Find the bin of `at` along the widths (density direction) or along the heights (sampling direction). `own`: rows of
// the exponentials of widths and heights with the sums sum_w and sum_h, and of raw slopes.
template <class T, bool ALONG_HEIGHTS>
inline void find_bin(const SplineShape<T>& shape, const T* own, V<T> sum_w, V<T> sum_h, V<T> at, Bin<T>& bin) {
    const int K = shape.bins;
    const T* ew = own;
    const T* eh = own + K * LANES;
    const V<T> inverse = reciprocal(sum_w * sum_h);
    bin.scale_widths = sum_h * inverse;
    bin.scale_heights = sum_w * inverse;
    const T m = shape.min_bin, c = T(1) - m * T(K);
    const T* rd = own + 2 * K * LANES;
    const V<T> sw = bin.scale_widths * c, sh = bin.scale_heights * c;
    V<T> w = m + get(ew) * sw, h = m + get(eh) * sh, x{}, y{};
    V<T> left{}, bottom{}, width = w, height = h, raw0 = get(rd);
    V<T> raw1 = get(shape.periodic && K == 1 ? rd : rd + LANES);
    M<T> index{};
    for (int k = 1; k < K; ++k) {
        x += w;
        y += h;
        w = m + get(ew + k * LANES) * sw;
        h = m + get(eh + k * LANES) * sh;
        const M<T> inside = at >= (ALONG_HEIGHTS ? y : x);
        left = inside ? x : left;
        bottom = inside ? y : bottom;
        width = inside ? w : width;
        height = inside ? h : height;
        raw0 = inside ? get(rd + k * LANES) : raw0;
        raw1 = inside ? get(shape.periodic && k == K - 1 ? rd : rd + (k + 1) * LANES) : raw1;
        index -= inside;  // true is -1
    }
    bin.at = at;
    bin.left = left;
    bin.bottom = bottom;
    bin.width = width;
    bin.height = height;
    bin.raw0 = raw0;
    bin.raw1 = raw1;
    bin.index = index;
}

template <class T>
inline void set_slopes(const SplineShape<T>& shape, Bin<T>& bin) {
    const T md = shape.min_derivative, cd = (T(1) - md) * T(1.442695040888963407);
    bin.d0 = md + cd * softplus(bin.raw0);
    bin.d1 = md + cd * softplus(bin.raw1);
}

// dy/dx at the position xi of a bin of mean slope s, and 1/denominator of the spline there.
template <class T>
inline V<T> slope_at(V<T> s, V<T> d0, V<T> d1, V<T> xi, V<T>& inverse) {
    const V<T> t = T(1) - xi, om = xi * t;
    inverse = reciprocal(s + (d0 + d1 - T(2) * s) * om);
    const V<T> num = d1 * xi * xi + T(2) * s * om + d0 * t * t;
    const V<T> ratio = s * inverse;
    return ratio * ratio * num;
}

// Density direction: the image of bin.at.
template <class T>
inline V<T> spline_forward(Bin<T>& bin) {
    const V<T> iw = reciprocal(bin.width), s = bin.height * iw;
    const V<T> xi = clamp01((bin.at - bin.left) * iw);
    V<T> inverse;
    bin.slope = slope_at<T>(s, bin.d0, bin.d1, xi, inverse);
    return clamp01(bin.bottom + bin.height * (s * xi * xi + bin.d0 * (xi * (T(1) - xi))) * inverse);
}

// Sampling direction: the point whose image is bin.at; the slope is that of the density direction there.
template <class T>
inline V<T> spline_inverse(Bin<T>& bin) {
    const V<T> one = reciprocal(bin.width * bin.height), d0 = bin.d0;
    const V<T> s = bin.height * bin.height * one;
    const V<T> dy = clamp01((bin.at - bin.bottom) * (bin.width * one));
    const V<T> s2 = d0 + bin.d1 - T(2) * s;
    const V<T> a = (s - d0) + dy * s2, b = d0 - dy * s2, c = -s * dy;
    V<T> below = -b - root(at_least(b * b - T(4) * a * c, 0));
    below = at_most(below, T(-1e-30));
    const V<T> xi = clamp01(T(2) * c * reciprocal(below));
    V<T> inverse;
    bin.slope = slope_at<T>(s, d0, bin.d1, xi, inverse);
    return clamp01(bin.left + xi * bin.width);
}

// Backward of spline_forward: g_y is dL/dy, upstream dL/dlog_q; returns dL/dx and writes the gradient with respect to
// the raw parameters to the 3K+1 rows of g_raw.
template <class T>
inline V<T> spline_backward(const SplineShape<T>& shape, const Bin<T>& bin, const T* own, V<T> upstream, V<T> g_y,
                            T* g_raw) {
    const int K = shape.bins;
    const T* ew = own;
    const T* eh = own + K * LANES;
    const V<T> sw = bin.scale_widths, sh = bin.scale_heights;
    const T cd = (T(1) - shape.min_derivative) * T(1.442695040888963407), c = T(1) - shape.min_bin * T(K);
    const V<T> h = bin.height, d0 = bin.d0, d1 = bin.d1, iw = reciprocal(bin.width);
    const V<T> s = h * iw, xi = clamp01((bin.at - bin.left) * iw), t = T(1) - xi, om = xi * t, q = T(1) - T(2) * xi;
    const V<T> sum = d0 + d1 - T(2) * s;
    const V<T> A = s * xi * xi + d0 * om, den = s + sum * om, N = d1 * xi * xi + T(2) * s * om + d0 * t * t;
    const V<T> iD = reciprocal(den);
    const V<T> gA = g_y * h * iD;
    const V<T> gD = -gA * A * iD - T(2) * upstream * iD;
    const V<T> gN = upstream * reciprocal(N);
    const V<T> gs = T(2) * upstream / s + gA * xi * xi + gD * (T(1) - T(2) * om) + gN * T(2) * om;
    const V<T> gxi = gA * (T(2) * s * xi + d0 * q) + gD * sum * q + gN * T(2) * (d1 * xi + s * q - d0 * t);
    const V<T> gx = gxi * iw;
    const V<T> g_height = g_y * A * iD + gs * iw, g_width = -gx * xi - gs * s * iw;
    const V<T> g_r0 = ((gA + gD) * om + gN * t * t) * cd * sigmoid(bin.raw0);
    const V<T> g_r1 = (gD * om + gN * xi * xi) * cd * sigmoid(bin.raw1);

    // a bin left of the point's moves its left edge, the bin itself is stretched
    T* g_w = g_raw;
    T* g_h = g_raw + K * LANES;
    T* g_d = g_raw + 2 * K * LANES;
    V<T> dot_w{}, dot_h{}, carried{};
    M<T> k_all{};
    for (int k = 0; k < K; ++k, k_all += 1) {
        const M<T> before = k_all < bin.index, here = k_all == bin.index;
        const V<T> pw = get(ew + k * LANES) * sw * c, ph = get(eh + k * LANES) * sh * c;
        const V<T> gw = pw * (before ? -gx : (here ? g_width : V<T>{}));
        const V<T> gh = ph * (before ? g_y : (here ? g_height : V<T>{}));
        put(g_w + k * LANES, gw);
        put(g_h + k * LANES, gh);
        dot_w += gw;
        dot_h += gh;
        put(g_d + k * LANES, (here ? g_r0 : V<T>{}) + carried);
        carried = here ? g_r1 : V<T>{};
    }
    dot_w *= sw;
    dot_h *= sh;
    for (int k = 0; k < K; ++k) {
        put(g_w + k * LANES, get(g_w + k * LANES) - dot_w * get(ew + k * LANES));
        put(g_h + k * LANES, get(g_h + k * LANES) - dot_h * get(eh + k * LANES));
    }
    put(g_d + K * LANES, shape.periodic ? V<T>{} : carried);
    if (shape.periodic) put(g_d, get(g_d) + carried);
    return gx;
}

}  // namespace MCB_NAMESPACE
