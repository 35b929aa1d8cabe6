// Elementary functions on tiles of LANES points, written so that the compiler turns each loop into vector code.
// float32 versions are polynomials good to about one unit in the last place; float64 is the reference and uses libm.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

namespace MCB_NAMESPACE {

constexpr int LANES = 32;

inline float exponential(float x) {
    x = x < -87.0f ? -87.0f : x;
    x = x > 88.0f ? 88.0f : x;
    const float n = __builtin_rintf(x * 1.44269504088896341f);
    const float r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1.0f;
    const std::int32_t bits = (static_cast<std::int32_t>(n) + 127) << 23;
    float scale;
    std::memcpy(&scale, &bits, sizeof scale);
    return p * scale;
}

inline float logarithm(float x) {  // x > 0 and normal
    std::int32_t bits;
    std::memcpy(&bits, &x, sizeof bits);
    std::int32_t e = (bits >> 23) - 127;
    const std::int32_t mantissa = (bits & 0x007fffff) | 0x3f800000;
    float m;
    std::memcpy(&m, &mantissa, sizeof m);
    const bool upper = m > 1.41421356f;
    m = upper ? m * 0.5f : m;
    e = upper ? e + 1 : e;
    const float f = m - 1.0f;
    float p = 7.0376836292e-2f;
    p = p * f - 1.1514610310e-1f;
    p = p * f + 1.1676998740e-1f;
    p = p * f - 1.2420140846e-1f;
    p = p * f + 1.4249322787e-1f;
    p = p * f - 1.6668057665e-1f;
    p = p * f + 2.0000714765e-1f;
    p = p * f - 2.4999993993e-1f;
    p = p * f + 3.3333331174e-1f;
    const float z = f * f;
    const float k = static_cast<float>(e);
    float y = p * f * z - 2.12194440e-4f * k - 0.5f * z;
    return f + y + 0.693359375f * k;
}

inline double exponential(double x) { return std::exp(x); }
inline double logarithm(double x) { return std::log(x); }

inline float root(float x) { return __builtin_sqrtf(x); }
inline double root(double x) { return __builtin_sqrt(x); }
inline float floor_of(float x) { return __builtin_floorf(x); }
inline double floor_of(double x) { return __builtin_floor(x); }

// log(1 + e^x) without overflow; where e^-|x| is small the series keeps the relative precision.
inline float softplus(float x) {
    const float e = exponential(x < 0.0f ? x : -x);
    const float small = e - e * e * 0.5f + e * e * e * (1.0f / 3.0f);
    const float large = logarithm(1.0f + e);
    return (x > 0.0f ? x : 0.0f) + (e < 5e-3f ? small : large);
}
inline double softplus(double x) { return (x > 0.0 ? x : 0.0) + std::log1p(std::exp(x < 0.0 ? x : -x)); }

template <class T>
inline T sigmoid(T x) {
    return T(1) / (T(1) + exponential(-x));
}

// cos and sin of 2 pi x for any x of order one, by reduction to [-1/8, 1/8] and polynomials in t = 2 pi r.
inline void turn(float x, float& c, float& s) {
    const float q = __builtin_rintf(x * 4.0f);
    const float t = (x - q * 0.25f) * 6.28318530717958648f;
    const float z = t * t;
    const float sine = t + t * z * (-1.6666654611e-1f + z * (8.3321608736e-3f - z * 1.9515295891e-4f));
    const float cosine = 1.0f - 0.5f * z + z * z * (4.166664568298827e-2f + z * (-1.388731625493765e-3f + z * 2.443315711809948e-5f));
    const std::int32_t k = static_cast<std::int32_t>(q) & 3;
    const bool swap = (k & 1) != 0;
    const float a = swap ? sine : cosine, b = swap ? cosine : sine;
    c = (k == 1 || k == 2) ? -a : a;
    s = (k >= 2) ? -b : b;
}
inline void turn(double x, double& c, double& s) {
    c = std::cos(6.283185307179586476925 * x);
    s = std::sin(6.283185307179586476925 * x);
}

}  // namespace MCB_NAMESPACE
