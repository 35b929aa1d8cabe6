// Bindings of the channel sampler and the sampler file. Python's wrappers are in sampler.py.
#include "bindings.hpp"
#include "sampler_file.hpp"

namespace mcbridge {

namespace {

using Doubles = py::array_t<double, py::array::c_style | py::array::forcecast>;
using Floats = py::array_t<float, py::array::c_style | py::array::forcecast>;

const double* points(const Doubles& u, int columns, const char* name) {
    if (u.ndim() != 2 || u.shape(1) != columns)
        throw std::invalid_argument(std::string(name) + " must have the shape (n, " + std::to_string(columns) + ")");
    return u.data();
}

template <class T>
py::array_t<T> copy(const std::vector<T>& from, std::vector<py::ssize_t> shape) {
    return py::array_t<T>(shape, from.data());
}

std::shared_ptr<Cells> make_cells(const std::vector<int>& dims, const Doubles& boxes, const Doubles& p_vegas,
                                  const Doubles& p_flow, const Floats& context) {
    const auto n = p_vegas.size(), d = static_cast<py::ssize_t>(dims.size());
    if (boxes.ndim() != 3 || boxes.shape(0) != n || boxes.shape(1) != d || boxes.shape(2) != 2)
        throw std::invalid_argument("boxes must have the shape (" + std::to_string(n) + ", " + std::to_string(d) +
                                    ", 2)");
    if (p_vegas.ndim() != 1 || p_flow.ndim() != 1 || p_flow.size() != n)
        throw std::invalid_argument("p_vegas and p_flow must have one entry a cell");
    if (context.ndim() != 2 || context.shape(0) != n)
        throw std::invalid_argument("context must have the shape (" + std::to_string(n) + ", columns)");
    auto cells = std::make_shared<Cells>();
    cells->dims = dims;
    cells->boxes.assign(boxes.data(), boxes.data() + boxes.size());
    cells->p_vegas.assign(p_vegas.data(), p_vegas.data() + n);
    cells->p_flow.assign(p_flow.data(), p_flow.data() + n);
    cells->context.assign(context.data(), context.data() + context.size());
    cells->columns = static_cast<int>(context.shape(1));
    return cells;
}

}  // namespace

void bind_sampler(py::module_& m) {
    py::register_exception<FileError>(m, "FileError", PyExc_ValueError);

    py::class_<Cells, std::shared_ptr<Cells>>(m, "Cells")
        .def(py::init(&make_cells))
        .def_property_readonly("dims", [](const Cells& c) { return py::tuple(py::cast(c.dims)); })
        .def_property_readonly(
            "boxes",
            [](const Cells& c) {
                return copy(c.boxes, {static_cast<py::ssize_t>(c.count()), static_cast<py::ssize_t>(c.dims.size()), 2});
            })
        .def_property_readonly("p_vegas",
                               [](const Cells& c) { return copy(c.p_vegas, {static_cast<py::ssize_t>(c.count())}); })
        .def_property_readonly("p_flow",
                               [](const Cells& c) { return copy(c.p_flow, {static_cast<py::ssize_t>(c.count())}); })
        .def_property_readonly("context", [](const Cells& c) {
            return copy(c.context, {static_cast<py::ssize_t>(c.count()), static_cast<py::ssize_t>(c.columns)});
        });

    py::class_<ChannelSampler>(m, "ChannelSampler")
        .def(py::init([](int dim, const std::vector<std::vector<double>>& grid, std::shared_ptr<Cells> cells,
                         const py::object& spec, const py::object& params, double eps) {
            std::shared_ptr<const Architecture> flow;
            Parameters numbers;
            if (!spec.is_none()) {
                flow = architecture_from(spec);
                const auto given = params.cast<Floats>();
                auto own = std::make_shared<std::vector<float>>(given.data(), given.data() + given.size());
                numbers = {own, own->data(), own->size()};
            }
            return ChannelSampler(dim, grid, cells, flow, numbers, eps);
        }))
        .def("with_eps",
             [](const ChannelSampler& s, double eps) {
                 return ChannelSampler(s.dim(), s.grid(), s.cells(), s.flow(), s.params(), eps);
             })
        .def_property_readonly("dim", &ChannelSampler::dim)
        .def_property_readonly("uniforms", &ChannelSampler::uniforms)
        .def_property_readonly("eps", &ChannelSampler::eps)
        .def_property_readonly("continuous",
                               [](const ChannelSampler& s) { return py::tuple(py::cast(s.continuous())); })
        .def_property_readonly("grid",
                               [](const ChannelSampler& s) {
                                   py::list knots;
                                   for (const auto& axis : s.grid())
                                       knots.append(copy(axis, {static_cast<py::ssize_t>(axis.size())}));
                                   return knots;
                               })
        .def_property_readonly("cells",
                               [](const ChannelSampler& s) { return std::const_pointer_cast<Cells>(s.cells()); })
        .def_property_readonly("params",
                               [](const ChannelSampler& s) -> py::object {
                                   if (!s.flow()) return py::none();
                                   return Floats(static_cast<py::ssize_t>(s.params().size), s.params().data);
                               })
        .def_property_readonly("flow",
                               [](const ChannelSampler& s) -> py::object {
                                   if (!s.flow()) return py::none();
                                   const Architecture& a = *s.flow();
                                   py::dict d;
                                   d["dim"] = a.dim;
                                   d["context"] = a.context;
                                   d["blocks"] = a.blocks.size();
                                   d["hidden"] = a.hidden;
                                   d["layers"] = a.blocks[0].layers.size();
                                   d["bins"] = a.bins;
                                   d["kind"] = a.kind == Kind::rqs ? "rqs" : "affine";
                                   py::list periodic;
                                   for (int c = 0; c < a.dim; ++c)
                                       if (a.periodic[static_cast<std::size_t>(c)]) periodic.append(c);
                                   d["periodic"] = py::tuple(periodic);
                                   d["min_bin"] = a.min_bin;
                                   d["min_derivative"] = a.min_derivative;
                                   return std::move(d);
                               })
        .def(
            "sample",
            [](const ChannelSampler& s, const Doubles& r, int threads) {
                const double* from = points(r, s.uniforms(), "r");
                for (py::ssize_t i = 0; i < r.size(); ++i)
                    if (!(from[i] >= 0 && from[i] <= 1)) throw std::invalid_argument("r holds a number outside [0, 1]");
                const auto n = r.shape(0);
                Doubles u({n, static_cast<py::ssize_t>(s.dim())}), g(n);
                double *to = u.mutable_data(), *density = g.mutable_data();
                {
                    const py::gil_scoped_release release;
                    s.sample(from, n, to, density, threads);
                }
                return py::make_tuple(u, g);
            },
            py::arg("r"), py::arg("threads") = 1)
        .def(
            "density",
            [](const ChannelSampler& s, const Doubles& u, int threads) {
                const double* from = points(u, s.dim(), "u");
                Doubles g(u.shape(0));
                double* density = g.mutable_data();
                const auto n = u.shape(0);
                {
                    const py::gil_scoped_release release;
                    s.density(from, n, density, threads);
                }
                return g;
            },
            py::arg("u"), py::arg("threads") = 1)
        .def(
            "densities",
            [](const ChannelSampler& s, const Doubles& u, int threads) {
                const double* from = points(u, s.dim(), "u");
                Doubles vegas(u.shape(0)), flow(u.shape(0));
                double *v = vegas.mutable_data(), *f = flow.mutable_data();
                const auto n = u.shape(0);
                {
                    const py::gil_scoped_release release;
                    s.densities(from, n, v, f, threads);
                }
                return py::make_tuple(vegas, flow);
            },
            py::arg("u"), py::arg("threads") = 1)
        .def(
            "inverse_grid",
            [](const ChannelSampler& s, const Doubles& u) {
                const double* from = points(u, s.dim(), "u");
                Doubles y({u.shape(0), static_cast<py::ssize_t>(s.continuous().size())}), v(u.shape(0));
                s.inverse_grid(from, u.shape(0), y.mutable_data(), v.mutable_data());
                return py::make_tuple(y, v);
            },
            py::arg("u"))
        .def(
            "forward_grid",
            [](const ChannelSampler& s, const Doubles& y) {
                const int d = static_cast<int>(s.continuous().size());
                const double* from = points(y, d, "y");
                for (py::ssize_t i = 0; i < y.size(); ++i)
                    if (!(from[i] >= 0 && from[i] <= 1)) throw std::invalid_argument("y holds a number outside [0, 1]");
                Doubles u({y.shape(0), static_cast<py::ssize_t>(d)}), v(y.shape(0));
                s.forward_grid(from, y.shape(0), u.mutable_data(), v.mutable_data());
                return py::make_tuple(u, v);
            },
            py::arg("y"))
        .def(
            "cell",
            [](const ChannelSampler& s, const Doubles& u) {
                const double* from = points(u, s.dim(), "u");
                py::array_t<std::int64_t> index(u.shape(0));
                std::int64_t* to = index.mutable_data();
                for (py::ssize_t k = 0; k < u.shape(0); ++k)
                    to[k] = s.cells() ? s.cells()->find(from + k * s.dim()) : 0;
                return index;
            },
            py::arg("u"));

    m.def("write_sampler_file", [](const std::string& path, const std::vector<ChannelSampler>& channels,
                                   const std::string& metadata, const py::dict& arrays) {
        SamplerFile content{channels, metadata, {}};
        for (const auto& item : arrays) {
            const py::array array = py::array::ensure(item.second, py::array::c_style);
            if (!array) throw std::invalid_argument("arrays holds something that is no array");
            NamedArray named;
            named.single = py::isinstance<py::array_t<float>>(array);
            if (!named.single && !py::isinstance<py::array_t<double>>(array))
                throw std::invalid_argument("arrays must be float32 or float64");
            named.shape.assign(array.shape(), array.shape() + array.ndim());
            named.bytes.assign(static_cast<const char*>(array.data()), static_cast<std::size_t>(array.nbytes()));
            content.arrays[item.first.cast<std::string>()] = std::move(named);
        }
        write_sampler_file(path, content);
    });
    m.def("read_sampler_file", [](const std::string& path) {
        const SamplerFile content = read_sampler_file(path);
        py::dict arrays;
        for (const auto& [name, named] : content.arrays) {
            const std::vector<py::ssize_t> shape(named.shape.begin(), named.shape.end());
            if (named.single)
                arrays[py::str(name)] = py::array_t<float>(shape, reinterpret_cast<const float*>(named.bytes.data()));
            else
                arrays[py::str(name)] = py::array_t<double>(shape, reinterpret_cast<const double*>(named.bytes.data()));
        }
        return py::make_tuple(content.channels, py::bytes(content.metadata), arrays);
    });
}

}  // namespace mcbridge

PYBIND11_MODULE(_core, m) {
    m.doc() = "Flow kernel, samplers and sampler files of mcbridge.";
    mcbridge::bind_flow(m);
    mcbridge::bind_sampler(m);
}
