// Room for one tile of points.
#pragma once

#include <algorithm>
#include <memory>
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

// Everything that sizes in a workspace follow from.
inline std::vector<int> shape_of_workspace(const Architecture& a) {
    std::vector<int> shape{a.dim, a.context, a.widest, a.outputs_per_coordinate()};
    for (const Block& block : a.blocks) {
        shape.push_back(static_cast<int>(block.transformed.size()));
        for (const Layer& layer : block.layers) shape.push_back(layer.in);
        shape.push_back(block.layers.back().out);
    }
    return shape;
}

// Made once per thread and architecture (see borrow).
template <class T>
struct Workspace {
    std::vector<int> shape;  // of the architecture it was made for
    int dim, widest, blocks;
    Rows<T> context_rows;
    Rows<T> coordinates;             // dim rows
    Rows<T> rows_a, rows_b;          // activations
    Rows<T> raw;                     // the conditioner's output for one coordinate
    std::vector<Rows<Bin<T>>> bins;  // of the splines, by block; of the current one where no gradient is wanted
    // kept for the backward pass, by block
    std::vector<Rows<T>> before;                    // coordinates before the block
    std::vector<std::vector<Rows<T>>> activations;  // inputs of every layer, and the outputs
    Rows<T> g_coordinates, g_rows_a, g_rows_b, turned;

    Workspace(const Architecture& a, bool gradient)
        : shape(shape_of_workspace(a)), dim(a.dim), widest(a.widest), blocks(static_cast<int>(a.blocks.size())) {
        const std::size_t L = LANES;
        context_rows.assign(static_cast<std::size_t>(a.context + 1) * L, T(0));
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

// The workspace of this thread, made anew where the last one had another shape: batches are often shorter than what it
// takes to fill this room with zeros. Nothing in it outlives a tile.
template <class T, bool GRADIENT>
Workspace<T>& borrow(const Architecture& a) {
    static thread_local std::unique_ptr<Workspace<T>> kept;
    if (!kept || kept->shape != shape_of_workspace(a)) kept = std::make_unique<Workspace<T>>(a, GRADIENT);
    return *kept;
}

}  // namespace MCB_NAMESPACE
