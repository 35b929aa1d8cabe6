// Bindings of the flow kernel.
#include "batch.hpp"
#include "bindings.hpp"

namespace mcbridge {

std::shared_ptr<Architecture> architecture_from(const py::object& spec) {
    std::vector<std::vector<char>> masks;
    for (const auto& mask : spec.attr("masks")) {
        std::vector<char> row;
        for (const auto& moved : mask) row.push_back(moved.cast<bool>() ? 1 : 0);
        masks.push_back(std::move(row));
    }
    const Kind kind = spec.attr("kind").cast<std::string>() == "rqs" ? Kind::rqs : Kind::affine;
    return std::make_shared<Architecture>(
        spec.attr("dim").cast<int>(), spec.attr("context").cast<int>(), spec.attr("hidden").cast<int>(),
        spec.attr("layers").cast<int>(), spec.attr("bins").cast<int>(), kind,
        spec.attr("periodic").cast<std::vector<int>>(), spec.attr("min_bin").cast<double>(),
        spec.attr("min_derivative").cast<double>(), masks);
}

namespace {

template <class T>
using Numbers = py::array_t<T, py::array::c_style | py::array::forcecast>;
using Channels = std::optional<py::array_t<std::int64_t, py::array::c_style | py::array::forcecast>>;

// Shapes of one call, checked.
template <class T>
struct Call {
    std::ptrdiff_t channels, n;
    const T* context = nullptr;
    const std::int64_t* channel = nullptr;

    Call(const Architecture& a, const Numbers<T>& params, const Numbers<T>& points,
         const std::optional<Numbers<T>>& conditions, const Channels& index) {
        const auto P = static_cast<py::ssize_t>(a.parameters);
        if (!((params.ndim() == 1 && params.shape(0) == P) || (params.ndim() == 2 && params.shape(1) == P)))
            throw std::invalid_argument("params must have the shape (" + std::to_string(P) + ",) or (channels, " +
                                        std::to_string(P) + ")");
        channels = params.ndim() == 1 ? 1 : params.shape(0);
        if (points.ndim() != 2 || points.shape(1) != a.dim)
            throw std::invalid_argument("points must have the shape (n, " + std::to_string(a.dim) + ")");
        n = points.shape(0);
        if (a.context > 0) {
            if (!conditions || conditions->ndim() != 2 || conditions->shape(0) != n ||
                conditions->shape(1) != a.context)
                throw std::invalid_argument("context must have the shape (" + std::to_string(n) + ", " +
                                            std::to_string(a.context) + ")");
            context = conditions->data();
        }
        if (index) {
            if (index->ndim() != 1 || index->shape(0) != n)
                throw std::invalid_argument("channel must have the shape (" + std::to_string(n) + ",)");
            channel = index->data();
        } else if (channels > 1) {
            throw std::invalid_argument("channel is needed: params hold " + std::to_string(channels) + " channels");
        }
    }
};

template <class T>
py::tuple evaluate_points(const py::object& spec, const Numbers<T>& params, const Numbers<T>& points,
                          const std::optional<Numbers<T>>& context, const Channels& channel, Direction direction,
                          int threads, const std::string& isa) {
    const auto a = architecture_from(spec);
    const Call<T> call(*a, params, points, context, channel);
    Numbers<T> out({call.n, static_cast<std::ptrdiff_t>(a->dim)});
    Numbers<T> log_q(call.n);
    T* to = out.mutable_data();
    T* logs = log_q.mutable_data();
    const T* p = params.data();
    const T* from = points.data();
    {
        const py::gil_scoped_release release;
        evaluate<T>(*a, p, call.channels, from, call.context, call.channel, call.n, direction, to, logs, threads, isa);
    }
    return py::make_tuple(out, log_q);
}

template <class T>
py::object gradient_at(const py::object& spec, const Numbers<T>& params, const Numbers<T>& points,
                       const Numbers<T>& upstream, const std::optional<Numbers<T>>& context, const Channels& channel,
                       int threads, const std::string& isa, bool context_gradient) {
    const auto a = architecture_from(spec);
    const Call<T> call(*a, params, points, context, channel);
    if (upstream.ndim() != 1 || upstream.shape(0) != call.n)
        throw std::invalid_argument("upstream must have the shape (" + std::to_string(call.n) + ",)");
    std::vector<py::ssize_t> shape(params.shape(), params.shape() + params.ndim());
    Numbers<T> grad(shape);
    Numbers<T> log_q(call.n);
    Numbers<T> grad_context({call.n, static_cast<std::ptrdiff_t>(context_gradient ? a->context : 0)});
    T* g = grad.mutable_data();
    T* logs = log_q.mutable_data();
    T* gc = context_gradient && a->context ? grad_context.mutable_data() : nullptr;
    const T* p = params.data();
    const T* from = points.data();
    const T* weights = upstream.data();
    {
        const py::gil_scoped_release release;
        gradient<T>(*a, p, call.channels, from, call.context, call.channel, weights, call.n, logs, g, gc, threads, isa);
    }
    if (context_gradient) return py::make_tuple(grad, log_q, grad_context);
    return py::make_tuple(grad, log_q);
}

// float64 parameters choose the float64 kernel, everything else float32.
template <class F32, class F64>
py::object by_type(const py::array& params, F32 single, F64 twofold) {
    if (py::isinstance<py::array_t<double>>(params)) return twofold();
    return single();
}

template <class T>
std::optional<Numbers<T>> optional_numbers(const py::object& x) {
    if (x.is_none()) return std::nullopt;
    return x.cast<Numbers<T>>();
}

}  // namespace

void bind_flow(py::module_& m) {
    const auto directed = [&m](const char* name, Direction direction) {
        m.def(
            name,
            [direction](const py::object& spec, const py::array& params, const py::array& points,
                        const py::object& context, const Channels& channel, int threads,
                        const std::optional<std::string>& isa) -> py::object {
                const std::string set = isa.value_or("");
                return by_type(
                    params,
                    [&]() -> py::object {
                        return evaluate_points<float>(spec, params.cast<Numbers<float>>(),
                                                      points.cast<Numbers<float>>(), optional_numbers<float>(context),
                                                      channel, direction, threads, set);
                    },
                    [&]() -> py::object {
                        return evaluate_points<double>(
                            spec, params.cast<Numbers<double>>(), points.cast<Numbers<double>>(),
                            optional_numbers<double>(context), channel, direction, threads, set);
                    });
            },
            py::arg("spec"), py::arg("params"), py::arg("points"), py::arg("context") = py::none(),
            py::arg("channel") = py::none(), py::arg("threads") = 1, py::arg("isa") = py::none());
    };
    directed("sample", Direction::sample);
    directed("log_density", Direction::density);
    m.def(
        "gradient",
        [](const py::object& spec, const py::array& params, const py::array& points, const py::array& upstream,
           const py::object& context, const Channels& channel, int threads, const std::optional<std::string>& isa,
           bool context_gradient) -> py::object {
            const std::string set = isa.value_or("");
            return by_type(
                params,
                [&] {
                    return gradient_at<float>(spec, params.cast<Numbers<float>>(), points.cast<Numbers<float>>(),
                                              upstream.cast<Numbers<float>>(), optional_numbers<float>(context),
                                              channel, threads, set, context_gradient);
                },
                [&] {
                    return gradient_at<double>(spec, params.cast<Numbers<double>>(), points.cast<Numbers<double>>(),
                                               upstream.cast<Numbers<double>>(), optional_numbers<double>(context),
                                               channel, threads, set, context_gradient);
                });
        },
        py::arg("spec"), py::arg("params"), py::arg("points"), py::arg("upstream"), py::arg("context") = py::none(),
        py::arg("channel") = py::none(), py::arg("threads") = 1, py::arg("isa") = py::none(),
        py::arg("context_gradient") = false);
    m.def("instruction_sets", [] { return py::tuple(py::cast(instruction_sets())); });
    m.def("instruction_set", &instruction_set);
    m.def(
        "fma_peak", [](const std::optional<std::string>& isa) { return fma_peak(isa.value_or("")); },
        py::arg("isa") = py::none());
}

}  // namespace mcbridge
