// The shape of a coupling flow and where its numbers stand in the flat parameter vector.
#pragma once

#include <cstddef>
#include <vector>

namespace mcbridge {

enum class Kind { rqs = 0, affine = 1 };

// One linear layer: weight (out, in) row-major at `weight`, bias (out) at `bias`.
struct Layer {
    int in, out;
    std::size_t weight, bias;
};

struct Block {
    std::vector<int> transformed;   // coordinates that the block transforms, increasing
    std::vector<int> conditioning;  // the others, increasing
    int inputs;                     // numbers that the conditioner sees, context included
    bool half_turn;                 // periodic coordinates are shifted by one half
    std::vector<Layer> layers;
};

struct Architecture {
    int dim = 0, context = 0, hidden = 0, bins = 0;
    Kind kind = Kind::rqs;
    double min_bin = 0, min_derivative = 0;
    std::vector<char> periodic;  // by coordinate
    std::vector<Block> blocks;
    std::size_t parameters = 0;  // of one channel
    int widest = 0;              // largest number of rows of any activation

    // masks: for each block, for each coordinate, whether it is transformed.
    Architecture(int dim, int context, int hidden, int layers, int bins, Kind kind,
                 const std::vector<int>& periodic_coordinates, double min_bin, double min_derivative,
                 const std::vector<std::vector<char>>& masks);

    int outputs_per_coordinate() const { return kind == Kind::rqs ? 3 * bins + 1 : 2; }
};

}  // namespace mcbridge
