// A discrete choice made by one coordinate of the unit cube.
#pragma once

#include <algorithm>
#include <vector>

namespace binnis {

// Options of probability zero have no interval; option k of the others has the interval [edge k, edge k + 1).
class Choice {
  public:
    Choice() : option_{0}, edges_{0.0, 1.0} {}

    explicit Choice(const std::vector<double>& weights) {
        double sum = 0, below = 0;
        for (double w : weights) sum += w;
        edges_.push_back(0.0);
        for (std::size_t i = 0; i < weights.size(); ++i) {
            const double edge = (below += weights[i]) / sum;
            if (!(edge > edges_.back())) continue;
            option_.push_back(i);
            edges_.push_back(edge);
        }
        edges_.back() = 1.0;
    }

    std::size_t operator()(double u) const {
        const auto above = std::upper_bound(edges_.begin() + 1, edges_.end() - 1, u);
        return option_[static_cast<std::size_t>(above - edges_.begin()) - 1];
    }

    // A coordinate that makes this choice; `inside` in [0, 1] says where in the interval.
    double coordinate(std::size_t option, double inside) const {
        const auto found = std::lower_bound(option_.begin(), option_.end(), option);
        const auto k = static_cast<std::size_t>(found - option_.begin());
        if (found == option_.end() || *found != option) return 0.0;  // an option that is never chosen
        return std::min(edges_[k] + inside * (edges_[k + 1] - edges_[k]), edges_[k + 1]);
    }

    const std::vector<double>& edges() const { return edges_; }

  private:
    std::vector<std::size_t> option_;  // increasing
    std::vector<double> edges_;
};

}  // namespace binnis
