#include "leaves.hpp"

#include <stdexcept>

#include "COMIX/Main/Process_Base.H"
#include "COMIX/Phasespace/PS_Generator.H"
#include "COMIX/Phasespace/PS_Vertex.H"
#include "PHASIC++/Process/Process_Base.H"

namespace binnis {

namespace {

constexpr std::size_t most = 4096;

// COMIX::PS_Channel::GenerateChannel chooses a vertex of a current by one random number, then descends into the
// first current of the vertex and after it into the second, until n - 2 vertices are chosen.
void descend(std::vector<METOOLS::Current*> open, const Leaf& so_far, std::size_t vertices, std::vector<Leaf>& found) {
    while (!open.empty() && open.back()->NIn() == 0) open.pop_back();
    if (open.empty() || so_far.intervals.size() == vertices) {
        if (found.size() == most) throw std::runtime_error("Comix has more than 4096 channels for it");
        found.push_back(so_far);
        return;
    }
    METOOLS::Current* current = open.back();
    open.pop_back();
    double sum = 0, below = 0;
    for (METOOLS::Vertex* v : current->In()) sum += static_cast<COMIX::PS_Vertex*>(v)->Alpha();
    for (METOOLS::Vertex* v : current->In()) {
        const double share = static_cast<COMIX::PS_Vertex*>(v)->Alpha() / sum;
        if (share > 0) {
            Leaf next = so_far;
            next.intervals.emplace_back(below, below + share);
            next.probability *= share;
            std::vector<METOOLS::Current*> rest = open;
            rest.push_back(v->J(1));
            rest.push_back(v->J(0));
            descend(std::move(rest), next, vertices, found);
        }
        below += share;
    }
}

}  // namespace

bool Leaf::holds(const double* numbers) const {
    for (std::size_t k = 0; k < intervals.size(); ++k)
        if (!(numbers[k] > intervals[k].first || (numbers[k] == 0.0 && intervals[k].first == 0.0)) ||
            !(numbers[k] <= intervals[k].second || intervals[k].second > 1 - 1e-12))
            return false;
    return true;
}

std::vector<Leaf> leaves(PHASIC::Process_Base* process) {
    auto generator = process->Get<COMIX::Process_Base>()->PSGenerator();
    if (!generator) generator = (*process)[0]->Get<COMIX::Process_Base>()->PSGenerator();
    const std::size_t n = process->NIn() + process->NOut();
    std::vector<Leaf> found;
    descend({generator->Graphs()[n - 1].back()}, Leaf(), n - 2, found);
    return found;
}

}  // namespace binnis
