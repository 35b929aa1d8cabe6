// The amplitudes for AVX2; empty on other machines.
#include "kernel.hpp"

#if GLUONS_X86
#pragma GCC target("avx2,fma")

#define GLUONS_NAME "avx2"
#define GLUONS_WIDTH 4

namespace gluons {
namespace avx2 {
#include "tree.hpp"
}
}  // namespace gluons
#endif
