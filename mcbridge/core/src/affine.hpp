// Affine coupling of logits, in both directions, and its gradient.
#pragma once

#include "lanes.hpp"

namespace MCB_NAMESPACE {

constexpr double AFFINE_EDGE = 1e-6;

template <class T>
inline V<T> inside_edges(V<T> x) {
    return at_most(at_least(x, T(AFFINE_EDGE)), T(1) - T(AFFINE_EDGE));
}

// log scale s = 3 tanh(a / 3) of an affine coupling; th is the tanh
template <class T>
inline V<T> log_scale(V<T> a, V<T>& th) {
    th = T(1) - T(2) / (exponential(T(2.0 / 3.0) * a) + T(1));
    return T(3) * th;
}

// Affine coupling of logits, density direction.
template <class T>
inline V<T> affine_forward(V<T> a, V<T> shift, V<T> y, V<T>& log_q) {
    V<T> th;
    const V<T> s = log_scale<T>(a, th);
    const V<T> x = inside_edges<T>(y);
    const V<T> lower = logarithm(x), upper = logarithm(T(1) - x);
    const V<T> v = exponential(s) * (lower - upper) + shift;
    // log z(1-z) = -softplus(v) - softplus(-v)
    log_q += s - softplus(v) - softplus(-v) - lower - upper;
    return sigmoid(v);
}

template <class T>
inline V<T> affine_inverse(V<T> a, V<T> shift, V<T> z, V<T>& log_q) {
    V<T> th;
    const V<T> s = log_scale<T>(a, th);
    const V<T> x = inside_edges<T>(z);
    const V<T> v = logarithm(x) - logarithm(T(1) - x);
    const V<T> y = inside_edges<T>(sigmoid((v - shift) * exponential(-s)));
    log_q += s - softplus(v) - softplus(-v) - logarithm(y) - logarithm(T(1) - y);
    return y;
}

// Backward of affine_forward: y is the coordinate before the block; returns dL/dy.
template <class T>
inline V<T> affine_backward(V<T> a, V<T> shift, V<T> y, V<T> upstream, V<T> g_z, V<T>& g_a, V<T>& g_shift) {
    V<T> th;
    const V<T> s = log_scale<T>(a, th), scale = exponential(s);
    const V<T> x = inside_edges<T>(y);
    const V<T> logit = logarithm(x) - logarithm(T(1) - x);
    const V<T> z = sigmoid(scale * logit + shift);
    const V<T> g_v = g_z * z * (T(1) - z) + upstream * (T(1) - T(2) * z);
    g_a = (g_v * scale * logit + upstream) * (T(1) - th * th);
    g_shift = g_v;
    const V<T> g_x = (g_v * scale - upstream * (T(1) - T(2) * x)) / (x * (T(1) - x));
    return x == y ? g_x : V<T>{};
}

}  // namespace MCB_NAMESPACE
