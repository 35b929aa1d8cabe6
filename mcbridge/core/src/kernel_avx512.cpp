// The flow kernel compiled for the instruction set avx512 (flags in setup.py).
#define MCB_NAMESPACE kernel_avx512
#define MCB_VECTOR_BYTES 64
#define MCB_ROWS 8
#define MCB_COLUMNS 2
#define MCB_FUSED_BINS 10
#include "kernel.hpp"

namespace mcbridge {
extern const KernelTable<float> avx512_float;
extern const KernelTable<double> avx512_double;
const KernelTable<float> avx512_float = kernel_avx512::table<float>();
const KernelTable<double> avx512_double = kernel_avx512::table<double>();
}  // namespace mcbridge
