// What the binding files share.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <memory>

#include "architecture.hpp"

namespace mcbridge {

namespace py = pybind11;

std::shared_ptr<Architecture> architecture_from(const py::object& spec);
void bind_flow(py::module_& m);
void bind_sampler(py::module_& m);

}  // namespace mcbridge
