// The amplitudes for AVX512; empty on other machines.
#include "kernel.hpp"

#if GLUONS_X86
#pragma GCC target("avx512f,avx512dq,avx512vl,avx2,fma,prefer-vector-width=512")

#define GLUONS_NAME "avx512"
#define GLUONS_WIDTH 8

namespace gluons {
namespace avx512 {
#include "tree.hpp"
}
}  // namespace gluons
#endif
