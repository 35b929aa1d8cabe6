// The amplitudes for any machine.
#include "kernel.hpp"

#define GLUONS_NAME "generic"
#define GLUONS_WIDTH 2

namespace gluons {
namespace generic {
#include "tree.hpp"
}
}  // namespace gluons
