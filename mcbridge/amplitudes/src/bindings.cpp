// Python bindings of the gluon amplitudes: arrays of momenta in, squares out.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <algorithm>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <vector>

#include "kernel.hpp"

namespace py = pybind11;

namespace {

using Doubles = py::array_t<double, py::array::c_style | py::array::forcecast>;
using Integers = py::array_t<int, py::array::c_style | py::array::forcecast>;

std::vector<const gluons::Kernel*> available() {
    std::vector<const gluons::Kernel*> found{&gluons::generic::kernel};
#if GLUONS_X86
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
        found.push_back(&gluons::avx2::kernel);
        if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
            __builtin_cpu_supports("avx512vl"))
            found.push_back(&gluons::avx512::kernel);
    }
#endif
    return found;
}

// The kernel of a name; without one that of BINNIS_ISA, or the widest. A name this machine does not have: the widest.
const gluons::Kernel& choose(const std::string& name) {
    const char* wish = std::getenv("BINNIS_ISA");
    const std::string wanted = !name.empty() ? name : wish ? wish : "";
    const auto kernels = available();
    for (const auto* kernel : kernels)
        if (wanted == kernel->name) return *kernel;
    return *kernels.back();
}

py::ssize_t legs_of(const Doubles& momenta) {
    if (momenta.ndim() != 3 || momenta.shape(2) != 4 || momenta.shape(1) < 4 || momenta.shape(1) > 6)
        throw std::invalid_argument("momenta must have the shape (n, 4 to 6, 4)");
    return momenta.shape(1);
}

void check_orders(const Integers& orders, py::ssize_t legs) {
    if (orders.ndim() != 2 || orders.shape(1) != legs) throw std::invalid_argument("orders must have the shape (k, legs)");
    for (py::ssize_t k = 0; k < orders.shape(0); ++k) {
        std::vector<bool> seen(legs, false);
        for (py::ssize_t i = 0; i < legs; ++i) {
            const int leg = orders.at(k, i);
            if (leg < 0 || leg >= legs || seen[leg]) throw std::invalid_argument("every order must be a permutation");
            seen[leg] = true;
        }
        if (legs == 6 && orders.at(k, 5) != 5) throw std::invalid_argument("orders of six gluons must end with leg 5");
    }
}

// Calls body(block of momenta [leg][component][lane], first point, number of points) for every block. The last block
// is filled up with its last point.
template <class Body>
void for_blocks(const double* momenta, py::ssize_t points, py::ssize_t values, int width, Body body) {
    std::vector<double> block(values * width);
    for (py::ssize_t first = 0; first < points; first += width) {
        const py::ssize_t count = std::min<py::ssize_t>(width, points - first);
        for (int lane = 0; lane < width; ++lane) {
            const double* point = momenta + (first + std::min<py::ssize_t>(lane, count - 1)) * values;
            for (py::ssize_t i = 0; i < values; ++i) block[i * width + lane] = point[i];
        }
        body(block.data(), first, count);
    }
}

py::tuple squared_six(const Doubles& momenta, const Integers& orders, const Doubles& colour, const std::string& isa) {
    const py::ssize_t legs = legs_of(momenta), points = momenta.shape(0);
    if (legs != 6) throw std::invalid_argument("momenta must have the shape (n, 6, 4)");
    check_orders(orders, 6);
    if (orders.shape(0) != 24 || colour.ndim() != 2 || colour.shape(0) != 24 || colour.shape(1) != 24)
        throw std::invalid_argument("six gluons need 24 orders and a colour matrix of shape (24, 24)");
    const gluons::Kernel& kernel = choose(isa);
    Doubles out(points), cancelled(points);
    const double* in = momenta.data();
    const int* order = orders.data();
    const double* matrix = colour.data();
    double *result = out.mutable_data(), *loss = cancelled.mutable_data();
    {
        py::gil_scoped_release release;
        std::vector<double> value(kernel.width), lost(kernel.width);
        for_blocks(in, points, 24, kernel.width, [&](const double* block, py::ssize_t first, py::ssize_t count) {
            kernel.squared_six(block, order, matrix, value.data(), lost.data());
            std::copy_n(value.begin(), count, result + first);
            std::copy_n(lost.begin(), count, loss + first);
        });
    }
    return py::make_tuple(out, cancelled);
}

Doubles ordered(const Doubles& momenta, const Integers& orders, const std::string& isa) {
    const py::ssize_t legs = legs_of(momenta), points = momenta.shape(0), number = orders.shape(0);
    check_orders(orders, legs);
    const gluons::Kernel& kernel = choose(isa);
    Doubles out({points, number});
    const double* in = momenta.data();
    const int* order = orders.data();
    double* result = out.mutable_data();
    {
        py::gil_scoped_release release;
        std::vector<double> values(number * kernel.width);
        for_blocks(in, points, legs * 4, kernel.width, [&](const double* block, py::ssize_t first, py::ssize_t count) {
            kernel.ordered(static_cast<int>(legs), block, order, static_cast<int>(number), values.data());
            for (py::ssize_t lane = 0; lane < count; ++lane)
                for (py::ssize_t k = 0; k < number; ++k)
                    result[(first + lane) * number + k] = values[k * kernel.width + lane];
        });
    }
    return out;
}

}  // namespace

PYBIND11_MODULE(_gluons, module) {
    module.doc() = "Squared tree amplitudes of 4 to 6 gluons in batches.";
    module.def("squared_six", &squared_six, py::arg("momenta"), py::arg("orders"), py::arg("colour"),
               py::arg("isa") = "",
               "Colour and helicity sum of six gluons without the coupling (n,), and the cancellation between terms (n,).");
    module.def("ordered", &ordered, py::arg("momenta"), py::arg("orders"), py::arg("isa") = "",
               "Helicity sums of squared partial amplitudes (n, orders).");
    module.def("instruction_sets", [] {
        py::list names;
        for (const auto* kernel : available()) names.append(kernel->name);
        return py::tuple(names);
    });
}
