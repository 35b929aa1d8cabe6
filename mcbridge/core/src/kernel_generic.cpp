// The flow kernel compiled for the instruction set generic (flags in setup.py).
#define MCB_NAMESPACE kernel_generic
#include "kernel.hpp"

namespace mcbridge {
extern const KernelTable<float> generic_float;
extern const KernelTable<double> generic_double;
const KernelTable<float> generic_float = kernel_generic::table<float>();
const KernelTable<double> generic_double = kernel_generic::table<double>();
}  // namespace mcbridge
