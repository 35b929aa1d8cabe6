// What the plug-in says about a process: its integrand, its matrix element, a fingerprint, a description.
#include <cmath>
#include <sstream>

#include "ATOOLS/Org/CXXFLAGS.H"
#include "ATOOLS/Org/Exception.H"
#include "ATOOLS/Org/Message.H"
#include "ATOOLS/Org/Run_Parameter.H"
#include "PHASIC++/Main/Phase_Space_Handler.H"
#include "PHASIC++/Main/Process_Integrator.H"
#include "PHASIC++/Process/Process_Base.H"
#include "PHASIC++/Process/Single_Process.H"
#include "sampling.hpp"

namespace binnis {

namespace {

constexpr double golden = 0.6180339887498949;

}  // namespace

std::vector<double> Sampling::fingerprint() {
    std::vector<double> values, u(dim());
    for (int k = 1; k <= 8; ++k) {
        for (std::size_t d = 0; d < dim(); ++d) {
            const double x = k * golden * static_cast<double>(d + 1) + 0.1 * k;
            u[d] = x - std::floor(x);
        }
        ATOOLS::Vec4D_Vector& momenta = handler_->Momenta();
        for (std::size_t i = process_->NIn(); i < particles(); ++i) momenta[i] = ATOOLS::Vec4D();
        double weight = 0, sum = 0;
        evaluate(1, u.data(), &weight);
        for (std::size_t i = process_->NIn(); i < particles(); ++i)
            sum += momenta[i][0] + 2 * std::fabs(momenta[i][1]) + 3 * std::fabs(momenta[i][2]) +
                   5 * std::fabs(momenta[i][3]);
        values.push_back(sum);
        values.push_back(colours_sampled() ? 0.0 : weight);
    }
    return values;
}

void Sampling::evaluate(std::size_t n, const double* u, double* weight) {
    for (std::size_t k = 0; k < n; ++k) {
        forced_ = u + k * dim();
        weight[k] = handler_->Differential(ATOOLS::Variations_Mode::nominal_only).Nominal() * ATOOLS::rpa->Picobarn();
    }
    forced_ = nullptr;
}

void Sampling::amplitude(std::size_t n, const double* momenta, double* value) {
    auto* process = process_->Get<PHASIC::Single_Process>();
    if (!process)
        THROW(fatal_error, "Binnis: " + name_ + " is a group of processes; a matrix element needs a single one");
    ATOOLS::Vec4D_Vector p(particles());
    for (std::size_t k = 0; k < n; ++k, momenta += 4 * p.size()) {
        for (std::size_t i = 0; i < p.size(); ++i)
            p[i] = ATOOLS::Vec4D(momenta[4 * i], momenta[4 * i + 1], momenta[4 * i + 2], momenta[4 * i + 3]);
        value[k] = 0;
        if (!process->GeneratePoint()) continue;
        process->SetSelectorOn(false);
        if (process->Trigger(p)) {
            process_->Differential(p, ATOOLS::Variations_Mode::nominal_only);
            value[k] = process->LastXS();
        }
        process->SetSelectorOn(true);
    }
}

std::string Sampling::describe() const {
    std::ostringstream json;
    json.precision(17);
    const auto list = [&](const std::vector<double>& values) {
        json << "[";
        for (std::size_t i = 0; i < values.size(); ++i) json << (i ? ", " : "") << values[i];
        json << "]";
    };
    json << "{\"name\": \"" << name_ << "\", \"sherpa\": \"" << SHERPA_VERSION "." SHERPA_SUBVERSION
         << "\", \"dim\": " << dim() << ", \"incoming\": " << process_->NIn() << ", \"flavours\": [";
    for (std::size_t i = 0; i < particles(); ++i) json << (i ? ", " : "") << static_cast<long>(process_->Flavours()[i]);
    json << "], \"subprocesses\": [";
    for (std::size_t s = 0; process_->IsGroup() && s < process_->Size(); ++s) {
        json << (s ? ", [" : "[");
        for (std::size_t i = 0; i < particles(); ++i)
            json << (i ? ", " : "") << static_cast<long>((*process_)[s]->Flavours()[i]);
        json << "]";
    }
    json << "], \"colours\": \"" << (colours_sampled() ? "sampled" : "summed") << "\", \"discrete\": {\"0\": ";
    list(leaf_choice_.edges());
    if (layout_.isr) {
        json << ", \"1\": ";
        list(isr_choice_.edges());
    }
    if (layout_.swap) json << ", \"2\": [0.0, 0.5, 1.0]";
    json << "}, \"fingerprint\": ";
    list(found_);
    json << "}";
    return json.str();
}

}  // namespace binnis
