#include "architecture.hpp"

#include <algorithm>
#include <stdexcept>

namespace mcbridge {

Architecture::Architecture(int dim_, int context_, int hidden_, int layers, int bins_, Kind kind_,
                           const std::vector<int>& periodic_coordinates, double min_bin_, double min_derivative_,
                           const std::vector<std::vector<char>>& masks)
    : dim(dim_),
      context(context_),
      hidden(hidden_),
      bins(bins_),
      kind(kind_),
      min_bin(min_bin_),
      min_derivative(min_derivative_),
      periodic(static_cast<std::size_t>(std::max(dim_, 0)), 0) {
    if (dim < 1 || dim > 4096 || context < 0 || context > 65536 || hidden < 1 || hidden > 4096 || layers < 1 ||
        layers > 64 || bins < 1 || bins > 512 || masks.empty() || masks.size() > 4096)
        throw std::invalid_argument("the architecture of the flow is out of range");
    if (!(min_bin >= 0) || !(min_bin * bins < 1) || !(min_derivative >= 0) || !(min_derivative < 1))
        throw std::invalid_argument("min_bin or min_derivative of the flow is out of range");
    for (int coordinate : periodic_coordinates) {
        if (coordinate < 0 || coordinate >= dim) throw std::invalid_argument("a periodic coordinate does not exist");
        periodic[static_cast<std::size_t>(coordinate)] = 1;
    }
    for (std::size_t b = 0; b < masks.size(); ++b) {
        if (static_cast<int>(masks[b].size()) != dim) throw std::invalid_argument("a mask has the wrong length");
        Block block;
        block.inputs = context;
        block.half_turn = (b / 2) % 2 == 1;
        for (int c = 0; c < dim; ++c) {
            if (masks[b][static_cast<std::size_t>(c)]) {
                block.transformed.push_back(c);
            } else {
                block.conditioning.push_back(c);
                block.inputs += periodic[static_cast<std::size_t>(c)] ? 2 : 1;
            }
        }
        const int outputs = static_cast<int>(block.transformed.size()) * outputs_per_coordinate();
        for (int l = 0; l < layers; ++l) {
            Layer layer;
            layer.in = l == 0 ? block.inputs : hidden;
            layer.out = l == layers - 1 ? outputs : hidden;
            layer.weight = parameters;
            parameters += static_cast<std::size_t>(layer.in) * static_cast<std::size_t>(layer.out);
            layer.bias = parameters;
            parameters += static_cast<std::size_t>(layer.out);
            widest = std::max({widest, layer.in, layer.out});
            block.layers.push_back(layer);
        }
        blocks.push_back(std::move(block));
    }
}

}  // namespace mcbridge
