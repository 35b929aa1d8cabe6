#include "sampling.hpp"

#include <cmath>
#include <cstdio>
#include <functional>
#include <sstream>
#include <stdexcept>

#include "ATOOLS/Math/Random.H"
#include "ATOOLS/Org/CXXFLAGS.H"
#include "ATOOLS/Org/Exception.H"
#include "ATOOLS/Org/Message.H"
#include "ATOOLS/Org/My_File.H"
#include "PHASIC++/Channels/ISR_Channels.H"
#include "PHASIC++/Channels/Single_Channel.H"
#include "PHASIC++/Main/Color_Integrator.H"
#include "PHASIC++/Main/Phase_Space_Handler.H"
#include "PHASIC++/Main/Process_Integrator.H"
#include "PHASIC++/Process/Process_Base.H"
#include "serve.hpp"

namespace binnis {

namespace {

const char* const version = SHERPA_VERSION "." SHERPA_SUBVERSION;

std::vector<std::string> split(const std::string& text, char at) {
    std::vector<std::string> parts;
    std::stringstream stream(text);
    for (std::string part; std::getline(stream, part, at);) parts.push_back(part);
    return parts;
}

// The entry of the sampler file's metadata that is for this plug-in: plain text without quotes.
std::string entry(const std::string& metadata) {
    const std::string key = "\"sherpa\": \"";
    const std::size_t begin = metadata.find(key);
    if (begin == std::string::npos) return "";
    const std::size_t end = metadata.find('"', begin + key.size());
    return metadata.substr(begin + key.size(), end - begin - key.size());
}

std::string checksum(const std::string& path) {  // FNV-1a
    std::uint64_t hash = 14695981039346656037ull;
    if (std::FILE* file = std::fopen(path.c_str(), "rb")) {
        unsigned char bytes[65536];
        for (std::size_t n; (n = std::fread(bytes, 1, sizeof bytes, file)) > 0;)
            for (std::size_t i = 0; i < n; ++i) hash = (hash ^ bytes[i]) * 1099511628211ull;
        std::fclose(file);
    }
    char text[17];
    std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(hash));
    return text;
}

}  // namespace

Sampling::Sampling(PHASIC::Process_Base* process, PHASIC::Phase_Space_Handler* handler, PHASIC::Single_Channel* comix,
                   Layout layout)
    : process_(process),
      handler_(handler),
      comix_(comix),
      name_(process->ResultsName()),
      layout_(layout),
      settings_(Settings::get()),
      frozen_(settings_.frozen()),
      u_(layout.dim(), 0.5),
      comix_numbers_(comix->Dimension(), 0.5) {
    if (frozen_ && !settings_.file.empty()) open_sampler();
    open_recorders();
}

Sampling::~Sampling() {
    flush();
    char message[512] = "";
    if (recorder_ && mcb_record_close(recorder_, message, sizeof message))
        msg_Error() << "Binnis: training points of " << name_ << " were lost: " << message << std::endl;
    if (accepted_ && mcb_record_close(accepted_, message, sizeof message))
        msg_Error() << "Binnis: points of accepted events of " << name_ << " were lost: " << message << std::endl;
    mcb_close(sampler_);
}

void Sampling::fall_back(const std::string& reason) {
    if (settings_.mode == Mode::flow) THROW(fatal_error, "Binnis: " + reason);
    msg_Error() << "Binnis: " << reason << "; Sherpa's own mapping is used for " << name_ << "." << std::endl;
    mcb_close(sampler_);
    sampler_ = nullptr;
    if (!prepared_) frozen_ = false;  // nothing was drawn yet: Sherpa adapts as it would without the plug-in
}

void Sampling::open_sampler() {
    char message[512] = "";
    if (mcb_open(settings_.file.c_str(), &sampler_, message, sizeof message)) return fall_back(message);
    const std::vector<std::string> made = split(entry(mcb_metadata(sampler_)), ';');
    if (made.empty()) return fall_back("the sampler file " + settings_.file + " was not made for Sherpa");
    if (made[0] != version)
        return fall_back("the sampler file " + settings_.file + " was made with Sherpa " + made[0] + ", this is " +
                         version);
    std::string names;
    for (std::size_t i = 1; i < made.size(); ++i) {  // name|channel|value,value,...
        const std::vector<std::string> fields = split(made[i], '|');
        if (fields.size() != 3) return fall_back("the sampler file " + settings_.file + " has damaged metadata");
        names += (names.empty() ? "" : ", ") + fields[0];
        if (fields[0] != name_) continue;
        channel_ = std::atoi(fields[1].c_str());
        for (const std::string& value : split(fields[2], ',')) expected_.push_back(std::strtod(value.c_str(), nullptr));
    }
    if (channel_ < 0)
        return fall_back("the sampler file " + settings_.file + " was made for " + names + ", not for " + name_);
    if (mcb_dimension(sampler_, channel_) != static_cast<int>(dim()))
        return fall_back("the sampler file " + settings_.file + " has " +
                         std::to_string(mcb_dimension(sampler_, channel_)) + " dimensions for " + name_ +
                         ", the process has " + std::to_string(dim()));
    checksum_ = checksum(settings_.file);
}

bool Sampling::colours_sampled() const {
    if (process_->Integrator()->ColorScheme() == PHASIC::cls::sum) return false;
    for (const ATOOLS::Flavour& flavour : process_->Flavours())
        if (flavour.Strong()) return true;
    return false;
}

std::size_t Sampling::particles() const { return process_->NIn() + process_->NOut(); }

void Sampling::restore() {
    const std::string database = settings_.base + "/";
    const std::string map = settings_.base + "/Comix/MC_" + name_;
    My_In_File::OpenDB(database);
    if (!My_In_File::FileInDB(map + "/MC_FSR_CDBG_Channel_PS")) {
        My_In_File::CloseDB(database, 1);
        return fall_back("there is no optimised map of " + name_ + " in " + settings_.base + ".zip");
    }
    restoring_ = true;
    comix_->ReadIn(map + "/MC_FSR");
    if (layout_.isr && !handler_->ISRIntegrator()->ReadIn(map + "/MC_ISR"))
        THROW(fatal_error, "Binnis: the optimised map of the initial state of " + name_ + " in " + settings_.base +
                               ".zip does not fit this process");
    const std::function<void(PHASIC::Process_Base*)> colours = [&](PHASIC::Process_Base* process) {
        const auto sampler = process->Integrator()->ColorIntegrator();
        const std::string path = settings_.base + "/Comix/XS_" + name_ + "/" + process->ResultsName() + "_Color";
        if (sampler && My_In_File::FileInDB(path)) sampler->ReadIn(path);
        if (process->IsGroup())
            for (std::size_t i = 0; i < process->Size(); ++i) colours((*process)[i]);
    };
    colours(process_);
    restoring_ = false;
    My_In_File::CloseDB(database, 1);
}

void Sampling::learn_choices() {
    leaves_ = leaves(process_);
    std::vector<double> weights;
    for (const Leaf& leaf : leaves_) weights.push_back(leaf.probability);
    leaf_choice_ = Choice(weights);
    if (!layout_.isr) return;
    weights.clear();
    for (PHASIC::Single_Channel* channel : handler_->ISRIntegrator()->Channels()) weights.push_back(channel->Alpha());
    isr_choice_ = Choice(weights);
}

void Sampling::prepare() {
    if (prepared_ || !frozen_) return;
    if (!settings_.base.empty()) restore();
    if (!frozen_) return;
    prepared_ = true;
    try {
        learn_choices();
    } catch (const std::runtime_error& error) {
        THROW(fatal_error, "Binnis: " + name_ + ": " + error.what());
    }
    found_ = fingerprint();
    if (sampler_) check_fingerprint();
    if (!settings_.serve.empty()) serve(*this, settings_.serve);
}

void Sampling::finished() {
    if (frozen_ || finished_) return;
    finished_ = true;
    if (!recorder_) return;
    try {
        learn_choices();
    } catch (const std::runtime_error&) {
        finished_ = false;  // nothing is recorded of a process with so many channels
    }
}

void Sampling::check_fingerprint() {
    if (expected_.size() != found_.size())
        return fall_back("the sampler file " + settings_.file + " has damaged metadata");
    for (std::size_t i = 0; i < found_.size(); ++i)
        if (std::fabs(found_[i] - expected_[i]) > 1e-6 * std::max(std::fabs(found_[i]), std::fabs(expected_[i])))
            return fall_back("the sampler file " + settings_.file + " does not fit: " +
                             (i % 2 ? "cuts, scales, couplings or parton densities differ from those of its training"
                                    : "the optimised map in " + settings_.base + ".zip is not that of its training"));
}

void Sampling::fill() {
    const std::size_t numbers = static_cast<std::size_t>(mcb_uniforms(sampler_, channel_));
    in_batch_ = settings_.batch;
    uniforms_.resize(in_batch_ * numbers);
    batch_u_.resize(in_batch_ * dim());
    batch_density_.resize(in_batch_);
    for (double& r : uniforms_) r = ATOOLS::ran->Get();
    used_ = uniforms_.size();
    next_ = 0;
    char message[512] = "";
    if (mcb_sample(sampler_, channel_, in_batch_, uniforms_.data(), batch_u_.data(), batch_density_.data(), message,
                   sizeof message))
        THROW(fatal_error, std::string("Binnis: ") + message);
}

void Sampling::draw() {
    if (forced_) {
        u_.assign(forced_, forced_ + dim());
        density_ = 1;
        return;
    }
    if (!prepared_) prepare();
    // An accepted event is generated a second time from the restored state of Sherpa's generator. The two numbers tell:
    // the point is the same, and the numbers that a batch has used up are used up again.
    const std::array<double, 2> key{{ATOOLS::ran->Get(), ATOOLS::ran->Get()}};
    if (key == key_) {
        for (std::size_t i = 0; i < used_; ++i) ATOOLS::ran->Get();
        if (accepted_) {
            const double nothing = 0;
            char message[512] = "";
            if (mcb_record(accepted_, 0, 1, u_.data(), &nothing, &density_, message, sizeof message))
                THROW(fatal_error, std::string("Binnis: ") + message);
        }
        return;
    }
    key_ = key;
    used_ = 0;
    ++drawn_;
    if (!sampler_) {
        for (double& x : u_) x = ATOOLS::ran->Get();
        density_ = 1;
        return;
    }
    if (next_ == in_batch_) fill();
    u_.assign(batch_u_.begin() + static_cast<std::ptrdiff_t>(next_ * dim()),
              batch_u_.begin() + static_cast<std::ptrdiff_t>((next_ + 1) * dim()));
    density_ = batch_density_[next_++];
}

double* Sampling::comix_numbers() {
    const double* continuous = u_.data() + layout_.first_fsr();
    std::copy(continuous, continuous + layout_.final_state, comix_numbers_.begin());
    const auto& intervals = leaves_[leaf_choice_(u_[0])].intervals;
    for (std::size_t k = 0; k < layout_.choices; ++k)
        comix_numbers_[layout_.final_state + k] =
            k < intervals.size() ? 0.5 * (intervals[k].first + intervals[k].second) : 0.5;
    return comix_numbers_.data();
}

}  // namespace binnis
