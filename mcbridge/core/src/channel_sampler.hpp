// One channel of a sampler: defensive mixture of a VEGAS grid and a flow on top of it, with discrete cells.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "architecture.hpp"

namespace mcbridge {

// Discrete coordinates: cells are boxes that partition the unit cube of the coordinates `dims`.
struct Cells {
    std::vector<int> dims;
    std::vector<double> boxes;  // (cells, dims, 2): lower and upper edge
    std::vector<double> p_vegas, p_flow;
    std::vector<float> context;  // (cells, columns)
    int columns = 0;

    std::size_t count() const { return p_vegas.size(); }
    double volume(std::size_t cell) const;
    std::ptrdiff_t find(const double* u) const;  // -1 where no cell holds the point
};

// Flow parameters may live in a mapped file; `owner` keeps them alive.
struct Parameters {
    std::shared_ptr<const void> owner;
    const float* data = nullptr;
    std::size_t size = 0;
};

class ChannelSampler {
  public:
    // grid: knots for every continuous coordinate, or empty for the identity. Throws std::invalid_argument.
    ChannelSampler(int dim, std::vector<std::vector<double>> grid, std::shared_ptr<const Cells> cells,
                   std::shared_ptr<const Architecture> flow, Parameters params, double eps);

    int dim() const { return dim_; }
    int uniforms() const { return dim_ + 2; }
    const std::vector<int>& continuous() const { return continuous_; }
    const std::vector<std::vector<double>>& grid() const { return grid_; }
    const std::shared_ptr<const Cells>& cells() const { return cells_; }
    const std::shared_ptr<const Architecture>& flow() const { return flow_; }
    const Parameters& params() const { return params_; }
    double eps() const { return eps_; }

    // r (n, dim + 2) -> u (n, dim), g (n): density of the mixture at u.
    void sample(const double* r, std::ptrdiff_t n, double* u, double* g, int threads) const;
    // Densities of the two parts; 0 outside the cube and where u is not a number. Either may be null.
    void densities(const double* u, std::ptrdiff_t n, double* vegas, double* flow, int threads) const;
    void density(const double* u, std::ptrdiff_t n, double* g, int threads) const;
    // Continuous coordinates: y (n, continuous) -> u (n, continuous) and the VEGAS density v (n).
    void forward_grid(const double* y, std::ptrdiff_t n, double* u, double* v) const;
    // u (n, dim) -> y (n, continuous), v (n).
    void inverse_grid(const double* u, std::ptrdiff_t n, double* y, double* v) const;

  private:
    void sample_piece(const double* r, std::ptrdiff_t n, double* u, double* g) const;
    void densities_piece(const double* u, std::ptrdiff_t n, double* vegas, double* flow) const;
    double map(std::size_t axis, double y, double& v) const;
    double unmap(std::size_t axis, double x, double& v) const;

    int dim_;
    std::vector<std::vector<double>> grid_;
    std::shared_ptr<const Cells> cells_;
    std::shared_ptr<const Architecture> flow_;
    Parameters params_;
    double eps_;
    std::vector<int> continuous_;
    std::vector<double> cumulative_vegas_, cumulative_flow_;
};

}  // namespace mcbridge
