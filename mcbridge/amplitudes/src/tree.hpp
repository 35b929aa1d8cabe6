// Squared tree amplitudes of 4, 5 and 6 gluons for a block of points, one a lane.
//
// Up to five gluons every amplitude is MHV: Parke and Taylor, Phys. Rev. Lett. 56 (1986) 2459. With six, the amplitudes
// with three negative helicities are the gluon components of the R-invariants: Drummond, Henn, Plefka, Schuster,
// arXiv:1010.3991, section 4. Colour: Del Duca, Dixon, Maltoni, hep-ph/9910563, eq. (10).
//
// No function of the standard library is used here: its inline copies would be compiled for this instruction set.
#include "lanes.hpp"

// Spinor products of all pairs of legs, all momenta outgoing: angle[i][j] square[j][i] = s_ij.
struct Brackets {
    Complex angle[6][6], square[6][6];
    Real invariant[6][6];
};

template <int legs>
GLUONS_INLINE void brackets(const double* momenta, Brackets& out) {
    Complex one[legs], two[legs];
    for (int leg = 0; leg < legs; ++leg) {
        Real p[4];
        for (int part = 0; part < 4; ++part)
            for (int lane = 0; lane < GLUONS_WIDTH; ++lane)
                p[part][lane] = momenta[(leg * 4 + part) * GLUONS_WIDTH + lane];
        // The axis is x, across the beam; of the two forms of the spinor (they differ by a phase) the one
        // without cancellation is taken.
        const Real zero = p[0] * 0.0;
        const Real large = root(p[0] + (p[1] > 0.0 ? p[1] : -p[1]));
        const Real re = p[2] / large, im = p[3] / large;
        one[leg].re = p[1] > 0.0 ? large : re;
        one[leg].im = p[1] > 0.0 ? zero : -im;
        two[leg].re = p[1] > 0.0 ? re : large;
        two[leg].im = p[1] > 0.0 ? im : zero;
    }
    for (int i = 0; i < legs; ++i) {
        for (int j = i + 1; j < legs; ++j) {
            const Complex angle = one[i] * two[j] - two[i] * one[j];
            // The two incoming gluons have reversed momenta; the sign goes into the conjugate spinor.
            const double sign = (i < 2) != (j < 2) ? -1.0 : 1.0;
            const Real scale = angle.re * 0.0 + sign;
            out.angle[i][j] = angle;
            out.angle[j][i] = -angle;
            out.square[j][i] = conjugate(angle) * scale;
            out.square[i][j] = -out.square[j][i];
            out.invariant[i][j] = out.invariant[j][i] = norm(angle) * sign;
        }
    }
}

// Sum over pairs of s_ij^4: the helicities of MHV amplitudes.
template <int legs>
GLUONS_INLINE Real fourth_powers(const Brackets& b) {
    Real sum = b.invariant[0][1] * 0.0;
    for (int i = 0; i < legs; ++i)
        for (int j = i + 1; j < legs; ++j) {
            const Real s = b.invariant[i][j] * b.invariant[i][j];
            sum += s * s;
        }
    return sum;
}

// 1 / (s_12 s_23 ... s_n1) for one cyclic order.
template <int legs>
GLUONS_INLINE Real antenna(const Brackets& b, const int* order) {
    Real product = b.invariant[order[legs - 1]][order[0]];
    for (int i = 0; i + 1 < legs; ++i) product *= b.invariant[order[i]][order[i + 1]];
    return 1.0 / product;
}

// Helicity sum of the squares of the partial amplitudes of 4 or 5 gluons, one per order.
template <int legs>
static void ordered_mhv(const double* momenta, const int* orders, int count, double* out) {
    Brackets b;
    brackets<legs>(momenta, b);
    const Real helicities = fourth_powers<legs>(b) * (legs == 4 ? 1.0 : 2.0);
    for (int k = 0; k < count; ++k) {
        Real value = helicities * antenna<legs>(b, orders + k * legs);
        value = value > 0.0 ? value : -value;
        for (int lane = 0; lane < GLUONS_WIDTH; ++lane) out[k * GLUONS_WIDTH + lane] = value[lane];
    }
}

// The ten pairs of the first five legs.
static const int PAIR[5][5] = {{-1, 0, 1, 2, 3}, {0, -1, 4, 5, 6}, {1, 4, -1, 7, 8}, {2, 5, 7, -1, 9}, {3, 6, 8, 9, -1}};

enum { HELICITIES = 10, AMPLITUDES = HELICITIES + 1 };

// Partial amplitudes of six gluons for one order that ends with leg 5, whose helicity is negative: [pair] is the
// amplitude in which the legs of the pair are negative too, [HELICITIES] the common factor 1/(<12>...<61>) of MHV.
// `largest` keeps the largest square of a single term: what cancels against the others costs precision.
GLUONS_INLINE void ordered_six(const Brackets& b, const int* order, Complex* out, Real& largest) {
#define ANGLE(i, j) b.angle[order[i - 1]][order[j - 1]]
#define SQUARE(i, j) b.square[order[i - 1]][order[j - 1]]
#define INVARIANT(i, j) b.invariant[order[i - 1]][order[j - 1]]
    const Complex mhv =
        inverse(ANGLE(1, 2) * ANGLE(2, 3) * ANGLE(3, 4) * (ANGLE(4, 5) * ANGLE(5, 6) * ANGLE(6, 1)));
    // Grassmann coefficients xi_k and prefactors R of the three terms (s, t) = (2, 4), (2, 5), (3, 5).
    Complex xi[3][5], factor[3];
    const Complex zero = mhv - mhv;
    {
        const Complex c2 = ANGLE(6, 1) * SQUARE(1, 2), c3 = ANGLE(6, 1) * SQUARE(1, 3);
        const Complex d2 = ANGLE(6, 4) * SQUARE(4, 2) + ANGLE(6, 5) * SQUARE(5, 2);
        const Complex d3 = ANGLE(6, 4) * SQUARE(4, 3) + ANGLE(6, 5) * SQUARE(5, 3);
        const Real x = INVARIANT(2, 3);
        const Complex upper = (c2 * ANGLE(2, 4) + c3 * ANGLE(3, 4)) * (c2 * ANGLE(2, 3));
        xi[0][0] = zero;
        xi[0][1] = d3 * ANGLE(3, 2);
        xi[0][2] = d2 * ANGLE(2, 3);
        xi[0][3] = -(ANGLE(6, 4) * x);
        xi[0][4] = -(ANGLE(6, 5) * x);
        const Complex lower = xi[0][1] * (d2 * ANGLE(2, 1) + d3 * ANGLE(3, 1));
        factor[0] = mhv * ANGLE(2, 1) * ANGLE(4, 3) * inverse(upper * lower * x);
    }
    {
        const Complex c2 = ANGLE(6, 1) * SQUARE(1, 2), c3 = ANGLE(6, 1) * SQUARE(1, 3), c4 = ANGLE(6, 1) * SQUARE(1, 4);
        const Complex d2 = ANGLE(6, 5) * SQUARE(5, 2), d3 = ANGLE(6, 5) * SQUARE(5, 3), d4 = ANGLE(6, 5) * SQUARE(5, 4);
        const Real x = INVARIANT(2, 3) + INVARIANT(3, 4) + INVARIANT(2, 4);
        const Complex upper =
            (c2 * ANGLE(2, 5) + c3 * ANGLE(3, 5) + c4 * ANGLE(4, 5)) * (c2 * ANGLE(2, 4) + c3 * ANGLE(3, 4));
        xi[1][0] = zero;
        xi[1][1] = d3 * ANGLE(3, 2) + d4 * ANGLE(4, 2);
        xi[1][2] = d2 * ANGLE(2, 3) + d4 * ANGLE(4, 3);
        xi[1][3] = d2 * ANGLE(2, 4) + d3 * ANGLE(3, 4);
        xi[1][4] = -(ANGLE(6, 5) * x);
        const Complex lower = xi[1][1] * (d2 * ANGLE(2, 1) + d3 * ANGLE(3, 1) + d4 * ANGLE(4, 1));
        factor[1] = mhv * ANGLE(2, 1) * ANGLE(5, 4) * inverse(upper * lower * x);
    }
    {
        const Complex c3 = ANGLE(6, 1) * SQUARE(1, 3) + ANGLE(6, 2) * SQUARE(2, 3);
        const Complex c4 = ANGLE(6, 1) * SQUARE(1, 4) + ANGLE(6, 2) * SQUARE(2, 4);
        const Complex d3 = ANGLE(6, 5) * SQUARE(5, 3), d4 = ANGLE(6, 5) * SQUARE(5, 4);
        const Real x = INVARIANT(3, 4);
        const Complex upper = (c3 * ANGLE(3, 5) + c4 * ANGLE(4, 5)) * (c3 * ANGLE(3, 4));
        xi[2][0] = zero;
        xi[2][1] = zero;
        xi[2][2] = d4 * ANGLE(4, 3);
        xi[2][3] = d3 * ANGLE(3, 4);
        xi[2][4] = -(ANGLE(6, 5) * x);
        const Complex lower = xi[2][2] * (d3 * ANGLE(3, 2) + d4 * ANGLE(4, 2));
        factor[2] = mhv * ANGLE(3, 2) * ANGLE(5, 4) * inverse(upper * lower * x);
    }
    for (int i = 0; i < 5; ++i) {
        for (int j = i + 1; j < 5; ++j) {
            Complex sum = zero;
            for (int term = 0; term < 3; ++term) {
                const Complex numerator = ANGLE(6, i + 1) * xi[term][j] - ANGLE(6, j + 1) * xi[term][i];
                const Complex part = factor[term] * square(square(numerator));
                largest = larger(largest, norm(part));
                sum = sum + part;
            }
            out[PAIR[order[i]][order[j]]] = sum;
        }
    }
    out[HELICITIES] = mhv;
#undef ANGLE
#undef SQUARE
#undef INVARIANT
}

// Sum over colours and helicities of |M|^2 of six gluons, without the coupling.
//
// orders: [24][6], the orders (0, permutation of 1 to 4, 5); colour: [24][24], symmetric.
// cancelled: the largest square of one term over the mean square of the amplitudes.
static void squared_six(const double* momenta, const int* orders, const double* colour, double* out,
                        double* cancelled) {
    enum { ORDERS = 24 };
    Brackets b;
    brackets<6>(momenta, b);
    Complex amplitude[AMPLITUDES][ORDERS];
    Real largest = b.invariant[0][1] * 0.0;
    for (int k = 0; k < ORDERS; ++k) {
        Complex column[AMPLITUDES];
        ordered_six(b, orders + 6 * k, column, largest);
        for (int h = 0; h < AMPLITUDES; ++h) amplitude[h][k] = column[h];
    }
    Real total = b.invariant[0][1] * 0.0, squares = total;
    for (int h = 0; h < AMPLITUDES; ++h) {
        Real sum = b.invariant[0][1] * 0.0;
        for (int k = 0; k < ORDERS; ++k) {
            // The colour matrix is symmetric: the diagonal once, what is above it twice.
            const double* row = colour + k * ORDERS;
            Real re = amplitude[h][k].re * (0.5 * row[k]), im = amplitude[h][k].im * (0.5 * row[k]);
            for (int l = k + 1; l < ORDERS; ++l) {
                re += amplitude[h][l].re * row[l];
                im += amplitude[h][l].im * row[l];
            }
            sum += re * amplitude[h][k].re + im * amplitude[h][k].im;
            if (h < HELICITIES) squares += norm(amplitude[h][k]);
        }
        total += h < HELICITIES ? sum : sum * fourth_powers<6>(b);
    }
    // A factor 2 for the half of the colour matrix, a factor 2 for the opposite helicities.
    total *= 4.0;
    const Real loss = largest / squares;
    for (int lane = 0; lane < GLUONS_WIDTH; ++lane) {
        out[lane] = total[lane];
        cancelled[lane] = loss[lane];
    }
}

// Helicity sum of the squares of the partial amplitudes of six gluons, one per order (which must end with leg 5).
static void ordered_squares_six(const double* momenta, const int* orders, int count, double* out) {
    Brackets b;
    brackets<6>(momenta, b);
    Real unused = b.invariant[0][1] * 0.0;
    const Real helicities = fourth_powers<6>(b);
    for (int k = 0; k < count; ++k) {
        Complex column[AMPLITUDES];
        ordered_six(b, orders + 6 * k, column, unused);
        Real sum = helicities * norm(column[HELICITIES]);
        for (int h = 0; h < HELICITIES; ++h) sum += norm(column[h]);
        for (int lane = 0; lane < GLUONS_WIDTH; ++lane) out[k * GLUONS_WIDTH + lane] = 2.0 * sum[lane];
    }
}

static void ordered(int legs, const double* momenta, const int* orders, int count, double* out) {
    if (legs == 4) ordered_mhv<4>(momenta, orders, count, out);
    if (legs == 5) ordered_mhv<5>(momenta, orders, count, out);
    if (legs == 6) ordered_squares_six(momenta, orders, count, out);
}


const Kernel kernel = {GLUONS_NAME, GLUONS_WIDTH, squared_six, ordered};
