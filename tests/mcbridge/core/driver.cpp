// Sampling, density, gradient and sampler files of every kind, for the sanitizers: nothing here may touch memory that
// is not its own or do what the language leaves undefined. Argument: a folder to write into.
#include <cmath>
#include <cstdio>
#include <fstream>
#include <random>

#include "batch.hpp"
#include "mcbridge.h"
#include "sampler_file.hpp"

using namespace mcbridge;

namespace {

int failures = 0;

void check(bool good, const std::string& what) {
    if (good) return;
    std::fprintf(stderr, "failed: %s\n", what.c_str());
    ++failures;
}

std::vector<std::vector<char>> masks(int dim, int blocks) {
    std::vector<std::vector<char>> found(static_cast<std::size_t>(blocks));
    for (int b = 0; b < blocks; ++b)
        for (int c = 0; c < dim; ++c) found[static_cast<std::size_t>(b)].push_back(dim == 1 || (c + b) % 2 == 0);
    return found;
}

template <class T>
std::vector<T> random(std::size_t n, double low, double high, unsigned seed) {
    std::mt19937 source(seed);
    std::uniform_real_distribution<double> draw(low, high);
    std::vector<T> x(n);
    for (T& value : x) value = static_cast<T>(draw(source));
    return x;
}

// Both directions and the gradient, in single and double precision, for sizes around the edges of tiles and pieces.
template <class T>
void flow(const Architecture& a, std::ptrdiff_t channels, std::ptrdiff_t n) {
    const std::size_t N = static_cast<std::size_t>(n), d = static_cast<std::size_t>(a.dim);
    auto params = random<T>(a.parameters * static_cast<std::size_t>(channels), -0.5, 0.5, 1);
    auto points = random<T>(N * d, 0, 1, 2);
    for (std::size_t i = 0; i < points.size(); i += 7) points[i] = T(i % 2);
    const auto context = random<T>(N * static_cast<std::size_t>(a.context), -1, 1, 3);
    const auto upstream = random<T>(N, -1, 1, 4);
    std::vector<std::int64_t> channel(N);
    for (std::size_t k = 0; k < N; ++k) channel[k] = static_cast<std::int64_t>(k * 7) % channels;
    std::vector<T> y(N * d), z(N * d), log_q(N), back(N), grad(params.size());
    std::vector<T> grad_context(N * static_cast<std::size_t>(a.context));
    for (const std::string& isa : instruction_sets()) {
        for (int threads : {1, 3}) {
            evaluate<T>(a, params.data(), channels, points.data(), context.data(), channel.data(), n, Direction::sample,
                        y.data(), log_q.data(), threads, isa);
            evaluate<T>(a, params.data(), channels, y.data(), context.data(), channel.data(), n, Direction::density,
                        z.data(), back.data(), threads, isa);
            gradient<T>(a, params.data(), channels, y.data(), context.data(), channel.data(), upstream.data(), n,
                        log_q.data(), grad.data(), a.context ? grad_context.data() : nullptr, threads, isa);
        }
        for (T x : log_q) check(std::isfinite(x), "log density");
        for (T x : grad) check(std::isfinite(x), "gradient");
        for (T x : y) check(x >= 0 && x <= 1, "point");
    }
    // numbers that are none must not lead anywhere either
    if (n > 3) points[1] = std::numeric_limits<T>::quiet_NaN(), points[2 * d] = std::numeric_limits<T>::infinity();
    params[0] = std::numeric_limits<T>::quiet_NaN();
    gradient<T>(a, params.data(), channels, points.data(), context.data(), channel.data(), upstream.data(), n,
                log_q.data(), grad.data(), nullptr, 1, "");
    bool told = false;
    try {
        if (n > 0) {
            channel[0] = channels;
            evaluate<T>(a, params.data(), channels, points.data(), context.data(), channel.data(), n, Direction::sample,
                        y.data(), log_q.data(), 1, "");
        }
    } catch (const std::invalid_argument&) {
        told = true;
    }
    check(told || n == 0, "a channel out of range");
}

ChannelSampler sampler(int dim, bool with_cells, Kind kind) {
    std::vector<std::vector<double>> grid(static_cast<std::size_t>(with_cells ? dim - 1 : dim), {0.0, 0.1, 0.5, 1.0});
    std::shared_ptr<Cells> cells;
    if (with_cells) {
        cells = std::make_shared<Cells>();
        cells->dims = {1};
        cells->boxes = {0.0, 0.3, 0.3, 1.0};
        cells->p_vegas = {0.5, 0.5};
        cells->p_flow = {1.0, 0.0};
        cells->context = {1.0f, 0.0f, 0.0f, 1.0f};
        cells->columns = 2;
    }
    const int d = static_cast<int>(grid.size());
    const auto a = std::make_shared<Architecture>(d, with_cells ? 2 : 0, 5, 3, 4, kind, std::vector<int>{}, 1e-3, 1e-3,
                                                  masks(d, 3));
    const auto own = std::make_shared<std::vector<float>>(random<float>(a->parameters, -0.5, 0.5, 9));
    return ChannelSampler(dim, grid, cells, a, Parameters{own, own->data(), own->size()}, 0.1);
}

void points_of(const ChannelSampler& s) {
    for (std::ptrdiff_t n : {0, 1, 33, 5000}) {
        const std::size_t N = static_cast<std::size_t>(n);
        auto r = random<double>(N * static_cast<std::size_t>(s.uniforms()), 0, 1, 5);
        for (std::size_t i = 0; i < r.size(); i += 5) r[i] = static_cast<double>(i % 2);
        std::vector<double> u(N * static_cast<std::size_t>(s.dim())), g(N), again(N);
        s.sample(r.data(), n, u.data(), g.data(), 2);
        s.density(u.data(), n, again.data(), 2);
        for (double x : again) check(x > 0, "density of a sampled point");
        if (n) u[0] = std::nan(""), s.density(u.data(), n, again.data(), 1), check(again[0] == 0, "density of nan");
    }
}

std::string slurp(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(in), {});
}

// The reader gets good files, cut files and files with random damage.
void files(const std::string& folder) {
    const std::string good = folder + "/good.mcb", bad = folder + "/bad.mcb";
    SamplerFile content{{sampler(3, true, Kind::rqs), sampler(2, false, Kind::affine)}, "{}", {}};
    content.arrays["numbers"] = {{2, 1}, false, std::string(16, '\0')};
    write_sampler_file(good, content);
    for (bool map : {true, false})
        for (const ChannelSampler& s : read_sampler_file(good, map).channels) points_of(s);
    const std::string bytes = slurp(good);
    std::mt19937 source(1);
    for (int trial = 0; trial < 1500; ++trial) {
        std::string damaged = bytes;
        if (trial % 3 == 0) damaged.resize(source() % bytes.size());
        for (int flips = 0; trial % 3 && flips < 3; ++flips)
            damaged[source() % damaged.size()] = static_cast<char>(source());
        std::ofstream(bad, std::ios::binary) << damaged;
        mcb_sampler* opened = nullptr;
        char message[200];
        const int code = mcb_open(bad.c_str(), &opened, message, sizeof message);
        check(code == MCB_OK || (!opened && std::string(message).find("bad.mcb") != std::string::npos),
              "an error's text");
        mcb_close(opened);
        try {
            read_sampler_file(bad, false);
        } catch (const FileError&) {
        }
    }
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2) return 2;
    for (std::ptrdiff_t n : {0, 1, 31, 33, 257}) {
        for (std::ptrdiff_t channels : {1, 5}) {
            for (Kind kind : {Kind::rqs, Kind::affine}) {
                const std::vector<int> circle = kind == Kind::rqs ? std::vector<int>{0} : std::vector<int>{};
                flow<float>({1, 0, 3, 2, 1, kind, circle, 1e-3, 1e-3, masks(1, 1)}, channels, n);
                flow<float>({3, 2, 7, 3, 5, kind, circle, 1e-3, 1e-3, masks(3, 4)}, channels, n);
                flow<double>({4, 1, 6, 1, 4, kind, circle, 1e-3, 1e-3, masks(4, 3)}, channels, n);
            }
        }
    }
    files(argv[1]);
    return failures ? 1 : 0;
}
