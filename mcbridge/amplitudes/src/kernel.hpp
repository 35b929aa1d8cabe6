// One set of amplitude functions per instruction set, chosen at run time.
#pragma once

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define GLUONS_X86 1
#else
#define GLUONS_X86 0
#endif

namespace gluons {

// Functions on blocks of `width` points; momenta are [leg][component][lane], physical, the two incoming gluons first.
struct Kernel {
    const char* name;
    int width;
    void (*squared_six)(const double* momenta, const int* orders, const double* colour, double* out, double* cancelled);
    void (*ordered)(int legs, const double* momenta, const int* orders, int count, double* out);
};

namespace generic {
extern const Kernel kernel;
}
#if GLUONS_X86
namespace avx2 {
extern const Kernel kernel;
}
namespace avx512 {
extern const Kernel kernel;
}
#endif

}  // namespace gluons
