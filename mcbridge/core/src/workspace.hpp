// Room for one tile of points.
#pragma once

#include <algorithm>
#include <vector>

#include "architecture.hpp"
#include "spline.hpp"

namespace MCB_NAMESPACE {

using mcbridge::Architecture;
using mcbridge::Block;
using mcbridge::Kind;
using mcbridge::Layer;

template <class T>
constexpr int VECTORS = LANES / WIDTH<T>;  // of a row of a tile

// Made once per call and thread.
template <class T>
struct Workspace {
    int dim, widest, blocks;
    Rows<T> coordinates;             // dim rows
    Rows<T> rows_a, rows_b;          // activations
    Rows<T> raw;                     // the conditioner's output for one coordinate
    std::vector<Rows<Bin<T>>> bins;  // of the splines, by block; of the current one where no gradient is wanted
    // kept for the backward pass, by block
    std::vector<Rows<T>> before;                    // coordinates before the block
    std::vector<std::vector<Rows<T>>> activations;  // inputs of every layer, and the outputs
    Rows<T> g_coordinates, g_rows_a, g_rows_b, turned, zeros;

    Workspace(const Architecture& a, bool gradient)
        : dim(a.dim), widest(a.widest), blocks(static_cast<int>(a.blocks.size())) {
        const std::size_t L = LANES;
        coordinates.assign(static_cast<std::size_t>(dim) * L, T(0));
        rows_a.assign(static_cast<std::size_t>(widest + 1) * L, T(0));
        rows_b.assign(static_cast<std::size_t>(widest + 1) * L, T(0));
        raw.assign(static_cast<std::size_t>(a.outputs_per_coordinate()) * L, T(0));
        std::size_t most = 0;
        for (const Block& block : a.blocks) most = std::max(most, block.transformed.size());
        bins.resize(gradient ? a.blocks.size() : 1);
        for (auto& own : bins) own.resize(most * VECTORS<T>);
        if (!gradient) return;
        g_coordinates = coordinates;
        g_rows_a = rows_a;
        g_rows_b = rows_b;
        zeros.assign(static_cast<std::size_t>(widest) + 1, T(0));
        turned.assign((static_cast<std::size_t>(widest) + 64) * L, T(0));
        before.assign(static_cast<std::size_t>(blocks), coordinates);
        activations.resize(static_cast<std::size_t>(blocks));
        for (int b = 0; b < blocks; ++b) {
            const Block& block = a.blocks[static_cast<std::size_t>(b)];
            auto& kept = activations[static_cast<std::size_t>(b)];
            for (const Layer& layer : block.layers) kept.emplace_back(static_cast<std::size_t>(layer.in + 1) * L);
            kept.emplace_back(static_cast<std::size_t>(block.layers.back().out + 1) * L);
        }
    }
};

}  // namespace MCB_NAMESPACE
