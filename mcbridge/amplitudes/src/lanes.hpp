// Vectors of W doubles, and complex numbers made of two of them: one lane is one phase-space point.
//
// Included once per instruction set, inside a namespace of its own, so that no copy can replace another at link time.
template <int W>
struct Lanes {
    typedef double Vector __attribute__((vector_size(W * sizeof(double))));
};

typedef Lanes<GLUONS_WIDTH>::Vector Real;

struct Complex {
    Real re, im;
};

#define GLUONS_INLINE static inline __attribute__((always_inline))

GLUONS_INLINE Complex operator+(const Complex& x, const Complex& y) { return {x.re + y.re, x.im + y.im}; }
GLUONS_INLINE Complex operator-(const Complex& x, const Complex& y) { return {x.re - y.re, x.im - y.im}; }
GLUONS_INLINE Complex operator-(const Complex& x) { return {-x.re, -x.im}; }
GLUONS_INLINE Complex operator*(const Complex& x, const Complex& y) {
    return {x.re * y.re - x.im * y.im, x.re * y.im + x.im * y.re};
}
GLUONS_INLINE Complex operator*(const Complex& x, const Real& y) { return {x.re * y, x.im * y}; }
GLUONS_INLINE Complex square(const Complex& x) { return {x.re * x.re - x.im * x.im, 2.0 * x.re * x.im}; }
GLUONS_INLINE Complex conjugate(const Complex& x) { return {x.re, -x.im}; }
GLUONS_INLINE Real norm(const Complex& x) { return x.re * x.re + x.im * x.im; }
GLUONS_INLINE Complex inverse(const Complex& x) {
    const Real scale = 1.0 / norm(x);
    return {x.re * scale, -x.im * scale};
}
GLUONS_INLINE Real root(const Real& x) {
    Real result;
    for (int lane = 0; lane < GLUONS_WIDTH; ++lane) result[lane] = __builtin_sqrt(x[lane]);
    return result;
}
GLUONS_INLINE Real larger(const Real& x, const Real& y) { return x > y ? x : y; }
