// Vectors of the instruction set and elementary functions on them. float32 versions are polynomials good to about one
// unit in the last place; float64 is the reference and uses libm lane by lane.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <new>
#include <utility>
#include <vector>

#include "kernel_table.hpp"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#ifndef MCB_VECTOR_BYTES
#define MCB_VECTOR_BYTES 16
#endif

namespace MCB_NAMESPACE {

using mcbridge::LANES;

// V: numbers, M: integers of the same width, as comparisons give them. Unaligned, since tiles start anywhere.
template <class T>
struct Vector;
template <>
struct Vector<float> {
    typedef float V __attribute__((vector_size(MCB_VECTOR_BYTES), aligned(4), may_alias));
    typedef std::int32_t M __attribute__((vector_size(MCB_VECTOR_BYTES), aligned(4), may_alias));
};
template <>
struct Vector<double> {
    typedef double V __attribute__((vector_size(MCB_VECTOR_BYTES), aligned(8), may_alias));
    typedef std::int64_t M __attribute__((vector_size(MCB_VECTOR_BYTES), aligned(8), may_alias));
};
template <class T>
using V = typename Vector<T>::V;
template <class T>
using M = typename Vector<T>::M;
template <class T>
constexpr int WIDTH = MCB_VECTOR_BYTES / static_cast<int>(sizeof(T));

template <class T>
inline V<T> all(T x) {
    return x - V<T>{};  // x - 0 is x, also for -0, so that this is a broadcast and no arithmetic
}
template <class T>
inline V<T> get(const T* from) {
    return *reinterpret_cast<const V<T>*>(from);
}
template <class T>
inline void put(T* to, V<T> x) {
    *reinterpret_cast<V<T>*>(to) = x;
}

// Numbers at the start of a cache line: a vector that crosses one costs two loads.
constexpr std::size_t LINE = 64;
template <class T>
struct OnLine {
    using value_type = T;
    OnLine() = default;
    template <class U>
    OnLine(const OnLine<U>&) {}
    T* allocate(std::size_t n) { return static_cast<T*>(::operator new(n * sizeof(T), std::align_val_t(LINE))); }
    void deallocate(T* p, std::size_t) { ::operator delete(p, std::align_val_t(LINE)); }
    friend bool operator==(const OnLine&, const OnLine&) { return true; }
    friend bool operator!=(const OnLine&, const OnLine&) { return false; }
};
template <class T>
using Rows = std::vector<T, OnLine<T>>;

using F = V<float>;
using D = V<double>;
using MF = M<float>;
using MD = M<double>;

// The larger and the smaller of two; a number that is none stays one if it is x.
inline F larger(F x, F y) {
#if defined(__x86_64__) && MCB_VECTOR_BYTES == 64
    return reinterpret_cast<F>(_mm512_max_ps(reinterpret_cast<__m512>(y), reinterpret_cast<__m512>(x)));
#elif defined(__x86_64__) && MCB_VECTOR_BYTES == 32
    return reinterpret_cast<F>(_mm256_max_ps(reinterpret_cast<__m256>(y), reinterpret_cast<__m256>(x)));
#elif defined(__x86_64__) && MCB_VECTOR_BYTES == 16
    return reinterpret_cast<F>(_mm_max_ps(reinterpret_cast<__m128>(y), reinterpret_cast<__m128>(x)));
#else
    return x < y ? y : x;
#endif
}
inline F smaller(F x, F y) {
#if defined(__x86_64__) && MCB_VECTOR_BYTES == 64
    return reinterpret_cast<F>(_mm512_min_ps(reinterpret_cast<__m512>(y), reinterpret_cast<__m512>(x)));
#elif defined(__x86_64__) && MCB_VECTOR_BYTES == 32
    return reinterpret_cast<F>(_mm256_min_ps(reinterpret_cast<__m256>(y), reinterpret_cast<__m256>(x)));
#elif defined(__x86_64__) && MCB_VECTOR_BYTES == 16
    return reinterpret_cast<F>(_mm_min_ps(reinterpret_cast<__m128>(y), reinterpret_cast<__m128>(x)));
#else
    return x > y ? y : x;
#endif
}
inline D larger(D x, D y) { return x < y ? y : x; }

inline F at_least(F x, float low) { return larger(x, all(low)); }
inline F at_most(F x, float high) { return smaller(x, all(high)); }
inline D at_least(D x, double low) { return x < low ? all(low) : x; }
inline D at_most(D x, double high) { return x > high ? all(high) : x; }
template <class X>
inline X clamp01(X x) {
    return at_most(at_least(x, 0), 1);
}

inline F rounded(F x) { return (x + 12582912.0f) - 12582912.0f; }  // |x| < 2^22

// 2^x for x <= 0, as a softmax needs it; exactly 1 at 0.
inline F power_of_two(F x) {
#if defined(__x86_64__) && MCB_VECTOR_BYTES == 64
    const F r =
        reinterpret_cast<F>(_mm512_reduce_ps(reinterpret_cast<__m512>(x), _MM_FROUND_TO_NEG_INF));  // from 0 to 1
    F p = all(1.867130076e-3f);
    p = p * r + 9.017030305e-3f;
    p = p * r + 5.579991312e-2f;
    p = p * r + 2.401644501e-1f;
    p = p * r + 6.931513118e-1f;
    p = p * r + 1.0f;
    return reinterpret_cast<F>(_mm512_scalef_ps(reinterpret_cast<__m512>(p), reinterpret_cast<__m512>(x)));
#else
    // the exponent is added to the bits of the polynomial; none of the bits of a nan that arithmetic makes is lost
    x = at_least(x, -124.0f);
    const F shifted = x + 12582912.0f;  // the last bits of the sum are the nearest integer
    const F r = x - (shifted - 12582912.0f);
    F p = all(1.3333538e-3f);
    p = p * r + 9.6662454e-3f;
    p = p * r + 5.5505004e-2f;
    p = p * r + 2.4022351e-1f;
    p = p * r + 6.9314712e-1f;
    p = p * r + 1.0f;
    return reinterpret_cast<F>(reinterpret_cast<MF>(p) + (reinterpret_cast<MF>(shifted) << 23));
#endif
}

inline F exponential(F x) {
    x = at_most(at_least(x, -87.0f), 88.0f);
    const F n = rounded(x * 1.44269504088896341f);
    const F r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
    F p = all(1.9875691500e-4f);
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1.0f;
    const MF bits = (__builtin_convertvector(n, MF) + 127) << 23;
    return p * reinterpret_cast<F>(bits);
}

// x > 0 and normal; what is no finite number gives none.
inline F logarithm(F x) {
    const MF bits = reinterpret_cast<MF>(x);
    MF e = (bits >> 23) - 127;
    F m = reinterpret_cast<F>((bits & 0x007fffff) | 0x3f800000);
    const MF upper = m > 1.41421356f;
    m = upper ? m * 0.5f : m;
    e = e - upper;  // true is -1
    const F f = m - 1.0f;
    F p = all(7.0376836292e-2f);
    p = p * f - 1.1514610310e-1f;
    p = p * f + 1.1676998740e-1f;
    p = p * f - 1.2420140846e-1f;
    p = p * f + 1.4249322787e-1f;
    p = p * f - 1.6668057665e-1f;
    p = p * f + 2.0000714765e-1f;
    p = p * f - 2.4999993993e-1f;
    p = p * f + 3.3333331174e-1f;
    const F z = f * f;
    const F k = __builtin_convertvector(e, F);
    const F y = p * f * z - 2.12194440e-4f * k - 0.5f * z;
    return f + y + 0.693359375f * k + (x - x);
}

inline F root(F x) {
#if defined(__x86_64__) && MCB_VECTOR_BYTES == 64
    return reinterpret_cast<F>(_mm512_sqrt_ps(reinterpret_cast<__m512>(x)));
#elif defined(__x86_64__) && MCB_VECTOR_BYTES == 32
    return reinterpret_cast<F>(_mm256_sqrt_ps(reinterpret_cast<__m256>(x)));
#elif defined(__x86_64__) && MCB_VECTOR_BYTES == 16
    return reinterpret_cast<F>(_mm_sqrt_ps(reinterpret_cast<__m128>(x)));
#else
    for (int l = 0; l < WIDTH<float>; ++l) x[l] = __builtin_sqrtf(x[l]);
    return x;
#endif
}

template <class Function>
inline D lane_by_lane(D x, Function f) {
    for (int l = 0; l < WIDTH<double>; ++l) x[l] = f(x[l]);
    return x;
}
inline D exponential(D x) {
    return lane_by_lane(x, [](double a) { return std::exp(a); });
}
inline D logarithm(D x) {
    return lane_by_lane(x, [](double a) { return std::log(a); });
}
// 1/x, x normal: an estimate of 14 bits and a step of Newton's where that is cheaper than the division.
inline F reciprocal(F x) {
#if defined(__x86_64__) && MCB_VECTOR_BYTES == 64
    const F y = reinterpret_cast<F>(_mm512_rcp14_ps(reinterpret_cast<__m512>(x)));
    return y + y * (1.0f - x * y);
#else
    return 1.0f / x;
#endif
}
inline D reciprocal(D x) { return 1.0 / x; }

// e^(x - top) with top >= x, for both precisions; `scaled` is scaled_top(top).
inline F scaled_top(F top) { return top * 1.44269504088896341f; }
inline D scaled_top(D top) { return top; }
inline F exponential_below(F x, F scaled) { return power_of_two(x * 1.44269504088896341f - scaled); }
inline D exponential_below(D x, D scaled) { return exponential(x - scaled); }
inline D root(D x) {
    return lane_by_lane(x, [](double a) { return std::sqrt(a); });
}

inline F floor_of(F x) {  // of numbers of order one
    const F t = __builtin_convertvector(__builtin_convertvector(x, MF), F);
    return t > x ? t - 1.0f : t;
}
inline D floor_of(D x) {
    return lane_by_lane(x, [](double a) { return std::floor(a); });
}

// log(1 + e^x) without overflow: max(x, 0) + log(1 + e^-|x|), the logarithm by a polynomial without a constant term,
// which keeps the relative precision of small numbers.
inline F softplus(F x) {
    const F e = power_of_two(smaller(x, -x) * 1.44269504088896341f);
    F p = all(5.232691453e-3f);
    p = p * e - 2.950522751e-2f;
    p = p * e + 7.822592353e-2f;
    p = p * e - 1.366324424e-1f;
    p = p * e + 1.910600603e-1f;
    p = p * e - 2.484298203e-1f;
    p = p * e + 3.331909678e-1f;
    p = p * e - 4.999949314e-1f;
    p = p * e + 9.999999699e-1f;
    return at_least(x, 0.0f) + p * e;
}
inline D softplus(D x) {
    return lane_by_lane(x, [](double a) { return (a > 0.0 ? a : 0.0) + std::log1p(std::exp(a < 0.0 ? a : -a)); });
}

template <class X>
inline X sigmoid(X x) {
    return 1 / (1 + exponential(-x));
}

// cos and sin of 2 pi x, x of order one: reduction to an eighth of a turn and polynomials.
inline void turn(F x, F& c, F& s) {
    const F q = rounded(x * 4.0f);
    const F t = (x - q * 0.25f) * 6.28318530717958648f;
    const F z = t * t;
    const F sine = t + t * z * (-1.6666654611e-1f + z * (8.3321608736e-3f - z * 1.9515295891e-4f));
    const F cosine =
        1.0f - 0.5f * z + z * z * (4.166664568298827e-2f + z * (-1.388731625493765e-3f + z * 2.443315711809948e-5f));
    const MF k = __builtin_convertvector(q, MF) & 3;
    const MF swap = (k & 1) != 0;
    const F a = swap ? sine : cosine, b = swap ? cosine : sine;
    c = ((k == 1) | (k == 2)) ? -a : a;
    s = k >= 2 ? -b : b;
}
inline void turn(D x, D& c, D& s) {
    c = lane_by_lane(x, [](double a) { return std::cos(6.283185307179586476925 * a); });
    s = lane_by_lane(x, [](double a) { return std::sin(6.283185307179586476925 * a); });
}

// Transpose a square of WIDTH vectors: exchange blocks of B across the diagonal, B = WIDTH/2, ..., 1.
template <class T, int B, int... J>
inline void exchange(V<T>& low, V<T>& high, std::integer_sequence<int, J...>) {
    constexpr int W = WIDTH<T>;
    const V<T> a = low, b = high;
    low = __builtin_shufflevector(a, b, ((J & B) ? W + J - B : J)...);
    high = __builtin_shufflevector(a, b, ((J & B) ? W + J : J + B)...);
}
template <class T, int B = WIDTH<T> / 2>
inline void transpose(V<T>* rows) {
#pragma GCC unroll 16
    for (int r = 0; r < WIDTH<T>; ++r)
        if (!(r & B)) exchange<T, B>(rows[r], rows[r + B], std::make_integer_sequence<int, WIDTH<T>>());
    if constexpr (B > 1) transpose<T, B / 2>(rows);
}

}  // namespace MCB_NAMESPACE
