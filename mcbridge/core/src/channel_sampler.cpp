#include "channel_sampler.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "batch.hpp"

namespace mcbridge {

namespace {

constexpr std::ptrdiff_t PIECE = 4096;

[[noreturn]] void refuse(const std::string& sentence) { throw std::invalid_argument(sentence); }

std::vector<double> cumulative(const std::vector<double>& p, const char* name) {
    double sum = 0;
    for (double x : p) {
        if (!(x >= 0) || !std::isfinite(x))
            refuse(std::string(name) + " of the cells has an entry that is no probability");
        sum += x;
    }
    if (!(sum > 0.999 && sum < 1.001)) refuse(std::string(name) + " of the cells does not sum to 1");
    std::vector<double> result;
    double below = 0;
    for (double x : p) result.push_back(below += x / sum);
    result.back() = 1.0;
    return result;
}

std::size_t pick(const std::vector<double>& table, const std::vector<double>& p, double r) {
    std::size_t cell = static_cast<std::size_t>(std::upper_bound(table.begin(), table.end(), r) - table.begin());
    cell = std::min(cell, table.size() - 1);
    while (cell > 0 && p[cell] == 0.0) --cell;  // r = 1 could point behind the last live cell
    return cell;
}

}  // namespace

double Cells::volume(std::size_t cell) const {
    double v = 1;
    for (std::size_t d = 0; d < dims.size(); ++d) {
        const double* box = boxes.data() + (cell * dims.size() + d) * 2;
        v *= box[1] - box[0];
    }
    return v;
}

std::ptrdiff_t Cells::find(const double* u) const {
    for (std::size_t cell = 0; cell < count(); ++cell) {
        bool inside = true;
        for (std::size_t d = 0; d < dims.size() && inside; ++d) {
            const double* box = boxes.data() + (cell * dims.size() + d) * 2;
            const double x = u[dims[d]];
            inside = x >= box[0] && (x < box[1] || (x == 1.0 && box[1] == 1.0));
        }
        if (inside) return static_cast<std::ptrdiff_t>(cell);
    }
    return -1;
}

ChannelSampler::ChannelSampler(int dim, std::vector<std::vector<double>> grid, std::shared_ptr<const Cells> cells,
                               std::shared_ptr<const Architecture> flow, Parameters params, double eps)
    : dim_(dim),
      grid_(std::move(grid)),
      cells_(std::move(cells)),
      flow_(std::move(flow)),
      params_(std::move(params)),
      eps_(eps) {
    if (dim_ < 1 || dim_ > 4096) refuse("dim of a channel must be from 1 to 4096");
    std::vector<char> discrete(static_cast<std::size_t>(dim_), 0);
    if (cells_) {
        const Cells& c = *cells_;
        if (c.dims.empty() || c.count() == 0) refuse("cells need at least one coordinate and one cell");
        for (int d : c.dims) {
            if (d < 0 || d >= dim_ || discrete[static_cast<std::size_t>(d)])
                refuse("a discrete coordinate of the cells does not exist or is named twice");
            discrete[static_cast<std::size_t>(d)] = 1;
        }
        if (c.boxes.size() != c.count() * c.dims.size() * 2 || c.p_flow.size() != c.count() ||
            c.context.size() != c.count() * static_cast<std::size_t>(c.columns))
            refuse("the tables of the cells have different lengths");
        double total = 0;
        for (std::size_t cell = 0; cell < c.count(); ++cell) {
            for (std::size_t d = 0; d < c.dims.size(); ++d) {
                const double* box = c.boxes.data() + (cell * c.dims.size() + d) * 2;
                if (!(box[0] >= 0 && box[0] < box[1] && box[1] <= 1))
                    refuse("a box of the cells is empty or outside the unit cube");
            }
            total += c.volume(cell);
        }
        if (std::fabs(total - 1) > 1e-6) refuse("the boxes of the cells do not fill the unit cube");
        cumulative_vegas_ = cumulative(c.p_vegas, "p_vegas");
        cumulative_flow_ = cumulative(c.p_flow, "p_flow");
    }
    for (int d = 0; d < dim_; ++d)
        if (!discrete[static_cast<std::size_t>(d)]) continuous_.push_back(d);
    if (!grid_.empty() && grid_.size() != continuous_.size())
        refuse("grid needs one list of knots for each of the " + std::to_string(continuous_.size()) +
               " continuous coordinates");
    for (const auto& knots : grid_) {
        if (knots.size() < 2 || knots.front() != 0.0 || knots.back() != 1.0)
            refuse("the knots of a grid must run from 0 to 1");
        for (std::size_t i = 1; i < knots.size(); ++i)
            if (!(knots[i] > knots[i - 1])) refuse("the knots of a grid must increase");
    }
    if (flow_) {
        if (flow_->dim != static_cast<int>(continuous_.size()))
            refuse("the flow has another dimension than the channel has continuous coordinates");
        if (flow_->context != (cells_ ? cells_->columns : 0))
            refuse("the context of the flow differs from that of the cells");
        if (params_.size != flow_->parameters)
            refuse("params of the flow must have " + std::to_string(flow_->parameters) + " numbers, not " +
                   std::to_string(params_.size));
        for (std::size_t i = 0; i < params_.size; ++i)
            if (!std::isfinite(params_.data[i])) refuse("params of the flow hold a number that is not finite");
        if (!(eps_ > 0 && eps_ <= 1))
            refuse("eps must be above 0 and at most 1: a flow without admixture can starve regions");
    } else {
        eps_ = 1.0;
    }
}

double ChannelSampler::map(std::size_t axis, double y, double& v) const {
    if (grid_.empty()) return y;
    const auto& knots = grid_[axis];
    const std::size_t bins = knots.size() - 1;
    const double position = y * static_cast<double>(bins);
    const std::size_t i = std::min(static_cast<std::size_t>(position), bins - 1);
    const double width = knots[i + 1] - knots[i];
    v /= width * static_cast<double>(bins);
    return std::min(knots[i] + (position - static_cast<double>(i)) * width, knots[i + 1]);
}

double ChannelSampler::unmap(std::size_t axis, double x, double& v) const {
    if (grid_.empty()) return x;
    const auto& knots = grid_[axis];
    const std::size_t bins = knots.size() - 1;
    std::size_t i = static_cast<std::size_t>(std::upper_bound(knots.begin(), knots.end(), x) - knots.begin());
    i = std::min(std::max<std::size_t>(i, 1), bins) - 1;
    const double width = knots[i + 1] - knots[i];
    v /= width * static_cast<double>(bins);
    return (static_cast<double>(i) + (x - knots[i]) / width) / static_cast<double>(bins);
}

void ChannelSampler::forward_grid(const double* y, std::ptrdiff_t n, double* u, double* v) const {
    const std::size_t d = continuous_.size();
    for (std::ptrdiff_t k = 0; k < n; ++k) {
        v[k] = 1;
        for (std::size_t a = 0; a < d; ++a)
            u[static_cast<std::size_t>(k) * d + a] = map(a, y[static_cast<std::size_t>(k) * d + a], v[k]);
    }
}

void ChannelSampler::inverse_grid(const double* u, std::ptrdiff_t n, double* y, double* v) const {
    const std::size_t d = continuous_.size();
    for (std::ptrdiff_t k = 0; k < n; ++k) {
        v[k] = 1;
        for (std::size_t a = 0; a < d; ++a)
            y[static_cast<std::size_t>(k) * d + a] = unmap(a, u[k * dim_ + continuous_[a]], v[k]);
    }
}

void ChannelSampler::sample_piece(const double* r, std::ptrdiff_t n, double* u, double* g) const {
    const std::size_t d = continuous_.size(), N = static_cast<std::size_t>(n);
    const std::size_t columns = cells_ ? static_cast<std::size_t>(cells_->columns) : 0;
    std::vector<std::size_t> cell(N, 0), order;  // points of the flow first, then those of VEGAS
    order.reserve(N);
    const auto from_vegas = [&](std::size_t k) {
        return !flow_ || r[k * static_cast<std::size_t>(dim_ + 2) + static_cast<std::size_t>(dim_)] < eps_;
    };
    for (std::size_t k = 0; k < N; ++k)
        if (!from_vegas(k)) order.push_back(k);
    const std::size_t flowing = order.size();
    for (std::size_t k = 0; k < N; ++k)
        if (from_vegas(k)) order.push_back(k);
    if (cells_)
        for (std::size_t k = 0; k < N; ++k) {
            const bool vegas = from_vegas(k);
            const double draw = r[k * static_cast<std::size_t>(dim_ + 2) + static_cast<std::size_t>(dim_) + 1];
            cell[k] =
                vegas ? pick(cumulative_vegas_, cells_->p_vegas, draw) : pick(cumulative_flow_, cells_->p_flow, draw);
        }
    std::vector<float> y(N * d), z(N * d), log_q(N, 0.0f), context(N * columns);
    for (std::size_t j = 0; j < N; ++j) {
        const double* own = r + order[j] * static_cast<std::size_t>(dim_ + 2);
        for (std::size_t a = 0; a < d; ++a) z[j * d + a] = static_cast<float>(own[continuous_[a]]);
        if (columns)
            std::copy_n(cells_->context.data() + cell[order[j]] * columns, columns, context.data() + j * columns);
    }
    if (flow_ && d) {
        const float* c = columns ? context.data() : nullptr;
        evaluate<float>(*flow_, params_.data, 1, z.data(), c, nullptr, static_cast<std::ptrdiff_t>(flowing),
                        Direction::sample, y.data(), log_q.data(), 1, "");
        std::vector<float> unused((N - flowing) * d);
        evaluate<float>(*flow_, params_.data, 1, z.data() + flowing * d, c ? c + flowing * columns : nullptr, nullptr,
                        static_cast<std::ptrdiff_t>(N - flowing), Direction::density, unused.data(),
                        log_q.data() + flowing, 1, "");
        std::copy(z.begin() + static_cast<std::ptrdiff_t>(flowing * d), z.end(),
                  y.begin() + static_cast<std::ptrdiff_t>(flowing * d));
    } else {
        y = z;
    }
    for (std::size_t j = 0; j < N; ++j) {
        const std::size_t k = order[j];
        double v = 1;
        for (std::size_t a = 0; a < d; ++a)
            u[k * static_cast<std::size_t>(dim_) + static_cast<std::size_t>(continuous_[a])] =
                map(a, static_cast<double>(y[j * d + a]), v);
        double share_vegas = 1, share_flow = 1;
        if (cells_) {
            const std::size_t own = cell[k];
            const double volume = cells_->volume(own);
            share_vegas = cells_->p_vegas[own] / volume;
            share_flow = cells_->p_flow[own] / volume;
            for (std::size_t i = 0; i < cells_->dims.size(); ++i) {
                const double* box = cells_->boxes.data() + (own * cells_->dims.size() + i) * 2;
                const std::size_t axis = static_cast<std::size_t>(cells_->dims[i]);
                const double x = box[0] + r[k * static_cast<std::size_t>(dim_ + 2) + axis] * (box[1] - box[0]);
                u[k * static_cast<std::size_t>(dim_) + axis] =
                    box[1] == 1.0 ? x : std::min(x, std::nextafter(box[1], 0.0));
            }
        }
        const double flow_density = flow_ ? share_flow * std::exp(static_cast<double>(log_q[j])) : 0.0;
        g[k] = ((1 - eps_) * flow_density + eps_ * share_vegas) * v;
    }
}

void ChannelSampler::sample(const double* r, std::ptrdiff_t n, double* u, double* g, int threads) const {
    in_parallel((n + PIECE - 1) / PIECE, threads, [&](std::ptrdiff_t k) {
        const std::ptrdiff_t begin = k * PIECE;
        sample_piece(r + begin * (dim_ + 2), std::min(PIECE, n - begin), u + begin * dim_, g + begin);
    });
}

void ChannelSampler::densities_piece(const double* u, std::ptrdiff_t n, double* vegas, double* flow) const {
    const std::size_t d = continuous_.size(), N = static_cast<std::size_t>(n);
    const std::size_t columns = cells_ ? static_cast<std::size_t>(cells_->columns) : 0;
    std::vector<float> y(N * d), z(N * d), log_q(N, 0.0f), context(N * columns);
    std::vector<double> v(N, 1.0), share_vegas(N, 1.0), share_flow(N, 1.0);
    for (std::size_t k = 0; k < N; ++k) {
        const double* own = u + k * static_cast<std::size_t>(dim_);
        bool inside = true;
        for (int a = 0; a < dim_; ++a) inside = inside && own[a] >= 0 && own[a] <= 1;  // false for nan
        std::ptrdiff_t cell = 0;
        if (inside && cells_) inside = (cell = cells_->find(own)) >= 0;
        if (!inside) {
            v[k] = 0;
            for (std::size_t a = 0; a < d; ++a) y[k * d + a] = 0.5f;
            continue;
        }
        for (std::size_t a = 0; a < d; ++a) y[k * d + a] = static_cast<float>(unmap(a, own[continuous_[a]], v[k]));
        if (cells_) {
            const std::size_t c = static_cast<std::size_t>(cell);
            const double volume = cells_->volume(c);
            share_vegas[k] = cells_->p_vegas[c] / volume;
            share_flow[k] = cells_->p_flow[c] / volume;
            std::copy_n(cells_->context.data() + c * columns, columns, context.data() + k * columns);
        }
    }
    if (flow && flow_ && d)
        evaluate<float>(*flow_, params_.data, 1, y.data(), columns ? context.data() : nullptr, nullptr, n,
                        Direction::density, z.data(), log_q.data(), 1, "");
    for (std::size_t k = 0; k < N; ++k) {
        if (vegas) vegas[k] = share_vegas[k] * v[k];
        if (flow)
            flow[k] = flow_ ? share_flow[k] * std::exp(static_cast<double>(log_q[k])) * v[k] : share_vegas[k] * v[k];
    }
}

void ChannelSampler::densities(const double* u, std::ptrdiff_t n, double* vegas, double* flow, int threads) const {
    in_parallel((n + PIECE - 1) / PIECE, threads, [&](std::ptrdiff_t k) {
        const std::ptrdiff_t begin = k * PIECE;
        densities_piece(u + begin * dim_, std::min(PIECE, n - begin), vegas ? vegas + begin : nullptr,
                        flow ? flow + begin : nullptr);
    });
}

void ChannelSampler::density(const double* u, std::ptrdiff_t n, double* g, int threads) const {
    if (!flow_) return densities(u, n, g, nullptr, threads);
    std::vector<double> vegas(static_cast<std::size_t>(n));
    densities(u, n, vegas.data(), g, threads);
    for (std::ptrdiff_t k = 0; k < n; ++k) g[k] = (1 - eps_) * g[k] + eps_ * vegas[static_cast<std::size_t>(k)];
}

}  // namespace mcbridge
