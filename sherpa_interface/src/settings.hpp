// The block BINNIS of the run card.
#pragma once

#include <string>

namespace binnis {

enum class Mode { automatic, flow, vegas };

struct Settings {
    Mode mode = Mode::automatic;
    std::string file;      // sampler file
    std::string base;      // results of the run whose optimised map is restored, without ".zip"
    std::string record;    // prefix of the files of training points
    std::string accepted;  // prefix of the files with the points of accepted events
    std::string serve;     // two file descriptors, "in,out": answer requests instead of integrating
    std::size_t batch = 1024;

    // Whether Sherpa's optimised map is restored and kept as it is.
    bool frozen() const { return mode != Mode::vegas && (!file.empty() || !serve.empty() || !base.empty()); }
    // The settings of this run; ends the run for unknown keys and wrong values.
    static const Settings& get();
};

}  // namespace binnis
