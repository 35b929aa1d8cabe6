// The flow kernel compiled for the instruction set avx2 (flags in setup.py).
#define MCB_NAMESPACE kernel_avx2
#define MCB_VECTOR_BYTES 32
#define MCB_ROWS 6
#define MCB_COLUMNS 2
#include "kernel.hpp"

namespace mcbridge {
extern const KernelTable<float> avx2_float;
extern const KernelTable<double> avx2_double;
const KernelTable<float> avx2_float = kernel_avx2::table<float>();
const KernelTable<double> avx2_double = kernel_avx2::table<double>();
}  // namespace mcbridge
