#include "channels.hpp"

#include <utility>

#include "ATOOLS/Math/Random.H"
#include "PDF/Main/ISR_Handler.H"
#include "PHASIC++/Main/Phase_Space_Handler.H"
#include "PHASIC++/Main/Process_Integrator.H"
#include "PHASIC++/Process/Process_Base.H"

namespace binnis {

InitialStateChannel::InitialStateChannel(PHASIC::Single_Channel* base, std::size_t option, Shared sampling,
                                         PHASIC::Phase_Space_Handler* handler)
    : base_(base), option_(option), sampling_(std::move(sampling)), handler_(handler) {
    m_name = base->Name();  // Sherpa stores the map under this name, with the plug-in or without
}

InitialStateChannel::~InitialStateChannel() { delete base_; }

void InitialStateChannel::GeneratePoint(const double* numbers) {
    if (!sampling_->frozen()) {
        sampling_->saw_isr(option_, numbers);
        base_->GeneratePoint(numbers);
        return;
    }
    sampling_->draw();
    auto* chosen = static_cast<InitialStateChannel*>(
        handler_->ISRIntegrator()->Channel(static_cast<int>(sampling_->isr_option())));
    chosen->base_->GeneratePoint(sampling_->isr_numbers());
}

void InitialStateChannel::AddPoint(double value) {
    if (!sampling_->frozen()) base_->AddPoint(value);
}

void InitialStateChannel::Reset(double value) {
    if (sampling_->frozen() && m_alpha > 0) return;
    Single_Channel::Reset(value);
    base_->Reset(value);
}

void InitialStateChannel::Optimize() {
    if (!sampling_->frozen()) base_->Optimize();
}

void InitialStateChannel::EndOptimize() {
    if (!sampling_->frozen()) base_->EndOptimize();
}

void InitialStateChannel::SetAlpha(double alpha) {
    if (!sampling_->frozen() || sampling_->restoring()) m_alpha = alpha;
}

void InitialStateChannel::SetAlphaSave(double alpha) {
    if (!sampling_->frozen() || sampling_->restoring()) m_alpha_save = alpha;
}

InitialState::InitialState(PHASIC::Phase_Space_Handler* handler, const std::string& name)
    : ISR_Channels(handler, name), handler_(handler) {}

bool InitialState::Initialize() {
    const bool made = ISR_Channels::Initialize();
    if (!sampling_) return made;
    std::vector<PHASIC::Single_Channel*> bases;
    bases.swap(channels);
    for (std::size_t i = 0; i < bases.size(); ++i) Add(new InitialStateChannel(bases[i], i, sampling_, handler_));
    return made;
}

FinalStateChannel::FinalStateChannel(PHASIC::Single_Channel* base, Shared sampling,
                                     PHASIC::Phase_Space_Handler* handler, PHASIC::Process_Base* process)
    : Single_Channel(process->NIn(), process->NOut(), &process->Flavours().front()),
      base_(base),
      sampling_(std::move(sampling)),
      handler_(handler) {
    m_name = base->Name();
    m_rannum = base->Dimension();
    p_rans = new double[m_rannum];
}

FinalStateChannel::~FinalStateChannel() { delete base_; }

void FinalStateChannel::GeneratePoint(ATOOLS::Vec4D* p, PHASIC::Cut_Data* cuts) {
    if (!sampling_->frozen()) {
        for (std::size_t i = 0; i < m_rannum; ++i) p_rans[i] = ATOOLS::ran->Get();  // as Single_Channel does it
        GeneratePoint(p, cuts, p_rans);
        return;
    }
    if (!sampling_->layout().isr) sampling_->draw();
    if (sampling_->layout().swap) {
        // Sherpa has drawn the swap of the beams by itself; drawn again until it is the one of the point.
        PDF::ISR_Handler* isr = handler_->GetISRHandler();
        const bool before = isr->Swap();
        const ATOOLS::Flavour_Vector& flavours = handler_->Active()->Process()->Flavours();
        while (isr->Swap() != sampling_->swap() && isr->GenerateSwap(flavours[0], flavours[1])) {
        }
        if (isr->Swap() != before) std::swap(p[0], p[1]);
    }
    base_->GeneratePoint(p, cuts, sampling_->comix_numbers());
}

void FinalStateChannel::GeneratePoint(ATOOLS::Vec4D* p, PHASIC::Cut_Data* cuts, double* numbers) {
    if (!sampling_->frozen())
        sampling_->saw_fsr(numbers, sampling_->layout().swap && handler_->GetISRHandler()->Swap());
    base_->GeneratePoint(p, cuts, numbers);
}

void FinalStateChannel::GenerateWeight(ATOOLS::Vec4D* p, PHASIC::Cut_Data* cuts) {
    base_->GenerateWeight(p, cuts);
    m_weight = base_->Weight();
    if (sampling_->frozen()) m_weight /= sampling_->density();
}

void FinalStateChannel::AddPoint(double value) {
    if (sampling_->frozen()) return;
    base_->AddPoint(value);
    sampling_->saw_value(value);
}

void FinalStateChannel::Reset(double value) {
    Single_Channel::Reset(value);
    if (!sampling_->frozen()) base_->Reset(value);
    if (handler_->Cuts()) sampling_->prepare();
}

void FinalStateChannel::Optimize() {
    if (!sampling_->frozen()) base_->Optimize();
}

void FinalStateChannel::EndOptimize() {
    if (sampling_->frozen()) return;
    base_->EndOptimize();
    sampling_->finished();
}

void FinalStateChannel::WriteOut(std::string path) {
    base_->WriteOut(path);
    sampling_->write_mark(path);
}

void FinalStateChannel::ReadIn(std::string path) {
    sampling_->check_mark(path);
    if (sampling_->frozen())
        sampling_->prepare();  // Sherpa goes on from these results and integrates no more
    else
        base_->ReadIn(path);
}

}  // namespace binnis
