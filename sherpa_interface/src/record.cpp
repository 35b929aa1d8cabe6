// Points that Sherpa drew by itself, points of accepted events, and the mark of the sampler in Sherpa's results.
#include <algorithm>

#include "ATOOLS/Org/Exception.H"
#include "ATOOLS/Org/Message.H"
#include "ATOOLS/Org/My_File.H"
#include "ATOOLS/Org/Run_Parameter.H"
#include "sampling.hpp"

namespace binnis {

void Sampling::open_recorders() {
    const auto open = [&](const std::string& prefix, mcb_recorder** recorder) {
        if (prefix.empty()) return;
        char message[512] = "";
        const std::string path = prefix + "." + name_ + ".points";
        if (mcb_record_open(path.c_str(), static_cast<int>(dim()), recorder, message, sizeof message))
            THROW(fatal_error, std::string("Binnis: ") + message);
    };
    if (!frozen_) open(settings_.record, &recorder_);
    if (sampler_) open(settings_.accepted, &accepted_);
}

// Sherpa counts trials from the first event on; points of the events have no value that is told to a channel.
bool Sampling::recording() const { return recorder_ != nullptr && finished_ && ATOOLS::rpa->gen.NumberOfTrials() == 0; }

void Sampling::saw_isr(std::size_t option, const double* numbers) {
    if (!recording()) return;
    flush();
    u_[1] = isr_choice_.coordinate(option, 0.5);
    std::copy(numbers, numbers + 2, u_.begin() + static_cast<std::ptrdiff_t>(layout_.discrete()));
    pending_ = true;
    seen_ = false;
}

void Sampling::saw_fsr(const double* numbers, bool swapped) {
    if (!recording()) return;
    if (!layout_.isr) flush();
    if (layout_.swap) u_[2] = swapped ? 0.75 : 0.25;
    std::copy(numbers, numbers + layout_.final_state, u_.begin() + static_cast<std::ptrdiff_t>(layout_.first_fsr()));
    const double* choices = numbers + layout_.final_state;
    std::size_t leaf = 0;
    while (leaf < leaves_.size() && !leaves_[leaf].holds(choices)) ++leaf;
    pending_ = leaf < leaves_.size();
    if (pending_) u_[0] = leaf_choice_.coordinate(leaf, 0.5);
    seen_ = true;
}

void Sampling::saw_value(double value) { value_ = value; }

void Sampling::flush() {
    if (!pending_) return;
    pending_ = false;
    const double weight = seen_ ? value_ * ATOOLS::rpa->Picobarn() : 0.0, density = 1;
    value_ = 0;
    // A point that failed before the final state has no coordinates there; its weight is 0 whatever they are.
    char message[512] = "";
    if (mcb_record(recorder_, 0, 1, u_.data(), &weight, &density, message, sizeof message))
        THROW(fatal_error, std::string("Binnis: ") + message);
}

std::string Sampling::mark() const { return sampler_ ? checksum_ : "own"; }

void Sampling::write_mark(const std::string& path) const {
    My_Out_File file(path + "_Binnis");
    file.Open();
    *file << mark() << "\n";
    file.Close();
}

void Sampling::check_mark(const std::string& path) const {
    std::string found = "own";  // results of Sherpa without the plug-in have no mark
    My_In_File file(path + "_Binnis");
    if (My_In_File::FileInDB(path + "_Binnis") && file.Open()) *file >> found;
    if (found != mark())
        THROW(fatal_error, "Binnis: the results of " + name_ + " in RESULT_DIRECTORY were made with " +
                               (found == "own" ? "Sherpa's own mapping" : "another sampler") +
                               "; give every sampler its own RESULT_DIRECTORY");
}

}  // namespace binnis
