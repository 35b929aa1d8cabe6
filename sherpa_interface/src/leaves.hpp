// The channels of Comix: all ways through its recursive tree of vertices.
#pragma once

#include <utility>
#include <vector>

namespace PHASIC {
class Process_Base;
}

namespace binnis {

// One channel: for each of its choices the interval of Comix' random number that makes it.
struct Leaf {
    std::vector<std::pair<double, double>> intervals;
    double probability = 1;

    bool holds(const double* numbers) const;
};

// The channels of a process with their present probabilities, in the order of the tree. Throws a sentence
// (std::runtime_error) where there are too many.
std::vector<Leaf> leaves(PHASIC::Process_Base* process);

}  // namespace binnis
