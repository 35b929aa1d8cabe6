// Sherpa's channels, wrapped: transparent while Sherpa optimises, moved by a sampler once the map is frozen.
#pragma once

#include <memory>

#include "PHASIC++/Channels/ISR_Channels.H"
#include "PHASIC++/Channels/Single_Channel.H"
#include "sampling.hpp"

namespace binnis {

using Shared = std::shared_ptr<Sampling>;

// One channel of the initial state. Sherpa's multi-channel chooses among the wrappers; in a frozen map the sampler
// chooses instead, and the wrapper that was called passes the numbers on to that channel.
class InitialStateChannel : public PHASIC::Single_Channel {
  public:
    InitialStateChannel(PHASIC::Single_Channel* base, std::size_t option, Shared sampling,
                        PHASIC::Phase_Space_Handler* handler);
    ~InitialStateChannel() override;

    void GeneratePoint(const double* numbers) override;
    void GenerateWeight(const int& mode) override { base_->GenerateWeight(mode); }
    void AddPoint(double value) override;
    void Reset(double value) override;
    void Optimize() override;
    void EndOptimize() override;
    void SetAlpha(double alpha) override;
    void SetAlphaSave(double alpha) override;
    const double& Weight() const override { return base_->Weight(); }
    void SetWeight(double weight) override { base_->SetWeight(weight); }
    void WriteOut(std::string path) override { base_->WriteOut(path); }
    void ReadIn(std::string path) override { base_->ReadIn(path); }
    bool OptimizationFinished() override { return base_->OptimizationFinished(); }
    void CalculateLimits(ATOOLS::Info_Key& s, ATOOLS::Info_Key& y) override { base_->CalculateLimits(s, y); }
    void CalculateLimits() override { base_->CalculateLimits(); }
    void ISRInfo(int& type, double& mass, double& width) override { base_->ISRInfo(type, mass, width); }
    void ISRInfo(std::vector<int>& types, std::vector<double>& masses, std::vector<double>& widths) const override {
        base_->ISRInfo(types, masses, widths);
    }
    const int OType() const override { return base_->OType(); }
    int ChNumber() override { return base_->ChNumber(); }
    void SetChNumber(int number) override { base_->SetChNumber(number); }
    void MPISync() override {}

  private:
    PHASIC::Single_Channel* base_;
    std::size_t option_;
    Shared sampling_;
    PHASIC::Phase_Space_Handler* handler_;
};

// The channels of the initial state, each in a wrapper as soon as Sherpa has made them.
class InitialState : public PHASIC::ISR_Channels {
  public:
    InitialState(PHASIC::Phase_Space_Handler* handler, const std::string& name);
    bool Initialize() override;
    void set(Shared sampling) { sampling_ = std::move(sampling); }

  private:
    PHASIC::Phase_Space_Handler* handler_;
    Shared sampling_;
};

// The one channel of the final state that Comix makes; it carries the density of the sampler.
class FinalStateChannel : public PHASIC::Single_Channel {
  public:
    FinalStateChannel(PHASIC::Single_Channel* base, Shared sampling, PHASIC::Phase_Space_Handler* handler,
                      PHASIC::Process_Base* process);
    ~FinalStateChannel() override;

    void GeneratePoint(ATOOLS::Vec4D* p, PHASIC::Cut_Data* cuts) override;
    void GeneratePoint(ATOOLS::Vec4D* p, PHASIC::Cut_Data* cuts, double* numbers) override;
    void GenerateWeight(ATOOLS::Vec4D* p, PHASIC::Cut_Data* cuts) override;
    void AddPoint(double value) override;
    void Reset(double value) override;
    void Optimize() override;
    void EndOptimize() override;
    void WriteOut(std::string path) override;
    void ReadIn(std::string path) override;
    bool OptimizationFinished() override { return base_->OptimizationFinished(); }
    const std::size_t NChannels() const override { return base_->NChannels(); }
    void ISRInfo(int& type, double& mass, double& width) override { base_->ISRInfo(type, mass, width); }
    void ISRInfo(std::vector<int>& types, std::vector<double>& masses, std::vector<double>& widths) const override {
        base_->ISRInfo(types, masses, widths);
    }
    int ChNumber() override { return base_->ChNumber(); }
    void SetChNumber(int number) override { base_->SetChNumber(number); }
    void MPISync() override {}

  private:
    PHASIC::Single_Channel* base_;
    Shared sampling_;
    PHASIC::Phase_Space_Handler* handler_;
};

}  // namespace binnis
