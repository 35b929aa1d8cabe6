// One process of Sherpa: its random numbers as a point of the unit cube, where the points come from and where they go.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "choice.hpp"
#include "leaves.hpp"
#include "mcbridge.h"
#include "settings.hpp"

namespace PHASIC {
class ISR_Channels;
class Phase_Space_Handler;
class Process_Base;
class Single_Channel;
}  // namespace PHASIC

namespace binnis {

// Coordinates of a point: the channel of Comix; with structure functions the channel of the initial state and, where
// beams can be swapped, the swap; then the continuous ones: two of the initial state, 3 n_out - 4 of the final state.
struct Layout {
    bool isr = false, swap = false;
    std::size_t final_state = 0;  // continuous numbers of Comix
    std::size_t choices = 0;      // numbers of Comix that choose vertices

    std::size_t discrete() const { return 1u + (isr ? 1u : 0u) + (swap ? 1u : 0u); }
    std::size_t first_fsr() const { return discrete() + (isr ? 2u : 0u); }
    std::size_t dim() const { return first_fsr() + final_state; }
};

class Sampling {
  public:
    Sampling(PHASIC::Process_Base* process, PHASIC::Phase_Space_Handler* handler, PHASIC::Single_Channel* comix,
             Layout layout);
    ~Sampling();
    Sampling(const Sampling&) = delete;
    Sampling& operator=(const Sampling&) = delete;

    const std::string& name() const { return name_; }
    const Layout& layout() const { return layout_; }
    std::size_t dim() const { return layout_.dim(); }

    // Whether Sherpa's map stays as it was restored; otherwise the plug-in only looks on.
    bool frozen() const { return frozen_; }
    bool restoring() const { return restoring_; }

    void prepare();   // the cuts are known: restore the map, check the sampler, serve
    void finished();  // Sherpa has ended its optimisation
    void draw();      // the next point
    double density() const { return density_; }

    std::size_t isr_option() const { return isr_choice_(u_[1]); }
    const double* isr_numbers() const { return u_.data() + layout_.discrete(); }
    bool swap() const { return u_[2] >= 0.5; }
    double* comix_numbers();

    // Looking on while Sherpa draws: what became of its numbers, and the value of the point (0 if never called).
    bool recording() const;
    void saw_isr(std::size_t option, const double* numbers);
    void saw_fsr(const double* numbers, bool swapped);
    void saw_value(double value);

    // Sherpa's results are written and read: only results of the same sampler may be continued.
    void write_mark(const std::string& path) const;
    void check_mark(const std::string& path) const;

    void evaluate(std::size_t n, const double* u, double* weight);        // the integrand [pb]
    void amplitude(std::size_t n, const double* momenta, double* value);  // |M|^2, averaged and summed
    std::string describe() const;                                         // JSON
    std::size_t particles() const;

  private:
    void open_sampler();
    void open_recorders();
    void fall_back(const std::string& reason);
    void restore();
    void learn_choices();
    std::vector<double> fingerprint();
    void check_fingerprint();
    void flush();
    void fill();
    std::string mark() const;
    bool colours_sampled() const;

    PHASIC::Process_Base* process_;
    PHASIC::Phase_Space_Handler* handler_;
    PHASIC::Single_Channel* comix_;
    std::string name_;
    Layout layout_;
    const Settings& settings_;
    bool frozen_, restoring_ = false, prepared_ = false, finished_ = false;

    Choice leaf_choice_, isr_choice_;
    std::vector<Leaf> leaves_;

    mcb_sampler* sampler_ = nullptr;
    int channel_ = -1;
    std::string made_for_, checksum_;
    std::vector<double> expected_, found_;

    std::vector<double> u_, comix_numbers_;
    double density_ = 1;
    const double* forced_ = nullptr;
    std::vector<double> batch_u_, batch_density_, uniforms_;
    std::size_t next_ = 0, in_batch_ = 0, drawn_ = 0, used_ = 0;
    std::array<double, 2> key_{{-1, -1}};

    mcb_recorder *recorder_ = nullptr, *accepted_ = nullptr;
    bool pending_ = false, seen_ = false;
    double value_ = 0;
};

}  // namespace binnis
