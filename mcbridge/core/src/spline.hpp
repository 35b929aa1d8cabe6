// Rational-quadratic splines (Durkan et al., arXiv:1906.04032; physics.md section 4) and their gradient, one vector of
// points at a time. Raw parameters are feature-major: row r of a tile holds LANES numbers at r * LANES.
#pragma once

#include "lanes.hpp"

namespace MCB_NAMESPACE {

template <class T>
struct SplineShape {
    int bins;
    T min_bin, min_derivative;
    bool periodic;
};

// The bin in which each point lies, with everything its formula needs.
template <class T>
struct Bin {
    V<T> left, bottom, width, height, raw0, raw1, d0, d1;
    M<T> index;
};

// Replace `bins` rows of raw parameters by their exp (shifted by their maximum); returns the sum.
template <class T>
inline V<T> exponentials(T* raw, int bins) {
    V<T> top = get(raw);
    for (int k = 1; k < bins; ++k) top = larger(top, get(raw + k * LANES));
    top = scaled_top(top);
    V<T> sum{};
    for (int k = 0; k < bins; ++k) {
        const V<T> x = exponential_below(get(raw + k * LANES), top);
        put(raw + k * LANES, x);
        sum += x;
    }
    return sum;
}

template <class T>
inline V<T> sum_of(const T* e, int bins) {
    V<T> sum{};
    for (int k = 0; k < bins; ++k) sum += get(e + k * LANES);
    return sum;
}

// Scale of the widths and of the heights: 1/sum, with one division.
template <class T>
struct Scales {
    V<T> widths, heights;
    Scales(V<T> sum_w, V<T> sum_h) {
        const V<T> inverse = T(1) / (sum_w * sum_h);
        widths = sum_h * inverse;
        heights = sum_w * inverse;
    }
};

// Find the bin of `at` along the widths (density direction) or along the heights (sampling direction). `own`: rows of
// the exponentials of widths and heights, then the raw slopes.
template <class T, bool ALONG_HEIGHTS>
inline Bin<T> find_bin(const SplineShape<T>& shape, const T* own, const Scales<T>& scales, V<T> at) {
    const int K = shape.bins;
    const T m = shape.min_bin, c = T(1) - m * T(K);
    const T* ew = own;
    const T* eh = own + K * LANES;
    const T* rd = own + 2 * K * LANES;
    const V<T> sw = scales.widths * c, sh = scales.heights * c;
    V<T> w = m + get(ew) * sw, h = m + get(eh) * sh, x{}, y{};
    Bin<T> bin;
    bin.left = bin.bottom = V<T>{};
    bin.index = M<T>{};
    bin.width = w;
    bin.height = h;
    bin.raw0 = get(rd);
    bin.raw1 = get(shape.periodic && K == 1 ? rd : rd + LANES);
    for (int k = 1; k < K; ++k) {
        x += w;
        y += h;
        w = m + get(ew + k * LANES) * sw;
        h = m + get(eh + k * LANES) * sh;
        const M<T> inside = at >= (ALONG_HEIGHTS ? y : x);
        bin.left = inside ? x : bin.left;
        bin.bottom = inside ? y : bin.bottom;
        bin.width = inside ? w : bin.width;
        bin.height = inside ? h : bin.height;
        bin.raw0 = inside ? get(rd + k * LANES) : bin.raw0;
        bin.raw1 = inside ? get(shape.periodic && k == K - 1 ? rd : rd + (k + 1) * LANES) : bin.raw1;
        bin.index -= inside;  // true is -1
    }
    const T md = shape.min_derivative, cd = (T(1) - md) * T(1.442695040888963407);
    bin.d0 = md + cd * softplus(bin.raw0);
    bin.d1 = md + cd * softplus(bin.raw1);
    return bin;
}

// log dy/dx at the position xi of a bin of slope s, and 1/denominator of the spline there.
template <class T>
inline V<T> log_slope(V<T> s, V<T> d0, V<T> d1, V<T> xi, V<T>& inverse) {
    const V<T> t = T(1) - xi, om = xi * t;
    inverse = T(1) / (s + (d0 + d1 - T(2) * s) * om);
    const V<T> num = d1 * xi * xi + T(2) * s * om + d0 * t * t;
    const V<T> ratio = s * inverse;
    return logarithm(ratio * ratio * num);
}

// Density direction: x -> y; the log slope is added to log_q.
template <class T>
inline V<T> spline_forward(const Bin<T>& bin, V<T> x, V<T>& log_q) {
    const V<T> iw = T(1) / bin.width, s = bin.height * iw;
    const V<T> xi = clamp01((x - bin.left) * iw);
    V<T> inverse;
    log_q += log_slope<T>(s, bin.d0, bin.d1, xi, inverse);
    return clamp01(bin.bottom + bin.height * (s * xi * xi + bin.d0 * (xi * (T(1) - xi))) * inverse);
}

// Sampling direction: y -> x; the log slope dy/dx (of the density direction) is added to log_q.
template <class T>
inline V<T> spline_inverse(const Bin<T>& bin, V<T> y, V<T>& log_q) {
    const V<T> one = T(1) / (bin.width * bin.height), d0 = bin.d0;
    const V<T> s = bin.height * bin.height * one;
    const V<T> dy = clamp01((y - bin.bottom) * (bin.width * one));
    const V<T> s2 = d0 + bin.d1 - T(2) * s;
    const V<T> a = (s - d0) + dy * s2, b = d0 - dy * s2, c = -s * dy;
    V<T> below = -b - root(at_least(b * b - T(4) * a * c, 0));
    below = at_most(below, T(-1e-30));
    const V<T> xi = clamp01(T(2) * c / below);
    V<T> inverse;
    log_q += log_slope<T>(s, d0, bin.d1, xi, inverse);
    return clamp01(bin.left + xi * bin.width);
}

// Backward of spline_forward: g_y is dL/dy, upstream dL/dlog_q; returns dL/dx and writes the gradient with respect to
// the raw parameters to the 3K+1 rows of g_raw.
template <class T>
inline V<T> spline_backward(const SplineShape<T>& shape, const Bin<T>& bin, const T* own, const Scales<T>& scales,
                            V<T> x, V<T> upstream, V<T> g_y, T* g_raw) {
    const int K = shape.bins;
    const T* ew = own;
    const T* eh = own + K * LANES;
    const V<T> sw = scales.widths, sh = scales.heights;
    const T cd = (T(1) - shape.min_derivative) * T(1.442695040888963407), c = T(1) - shape.min_bin * T(K);
    const V<T> h = bin.height, d0 = bin.d0, d1 = bin.d1, iw = T(1) / bin.width;
    const V<T> s = h * iw, xi = clamp01((x - bin.left) * iw), t = T(1) - xi, om = xi * t, q = T(1) - T(2) * xi;
    const V<T> sum = d0 + d1 - T(2) * s;
    const V<T> A = s * xi * xi + d0 * om, den = s + sum * om, N = d1 * xi * xi + T(2) * s * om + d0 * t * t;
    const V<T> iD = T(1) / den;
    const V<T> gA = g_y * h * iD;
    const V<T> gD = -gA * A * iD - T(2) * upstream * iD;
    const V<T> gN = upstream / N;
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
