// The channel generator `Binnis`, which a run card selects by INTEGRATOR: [Binnis].
#include "ATOOLS/Org/Exception.H"
#include "ATOOLS/Org/Message.H"
#include "ATOOLS/Org/Scoped_Settings.H"
#include "BEAM/Main/Beam_Spectra_Handler.H"
#include "PDF/Main/ISR_Handler.H"
#include "PHASIC++/Channels/Channel_Generator.H"
#include "PHASIC++/Main/Phase_Space_Handler.H"
#include "PHASIC++/Main/Process_Integrator.H"
#include "PHASIC++/Process/ME_Generator_Base.H"
#include "PHASIC++/Process/Process_Base.H"
#include "YFS/Main/YFS_Handler.H"
#include "channels.hpp"

namespace binnis {

namespace {

class Generator : public PHASIC::Channel_Generator {
  public:
    explicit Generator(const PHASIC::Channel_Generator_Key& key) : Channel_Generator(key) {}

    int GenerateChannels() override {
        const Settings& settings = Settings::get();
        PHASIC::Phase_Space_Handler* handler = p_proc->Integrator()->PSHandler();
        const std::string reason = unsupported(handler);
        if (!reason.empty()) return leave(handler, reason);
        Layout layout;
        InitialState* initial = nullptr;
        const ATOOLS::Flavour_Vector& flavours = p_proc->Flavours();
        if (handler->ISRIntegrator()) {
            layout.isr = true;
            layout.swap = handler->GetISRHandler()->AllowSwap(flavours[0], flavours[1]);
            const std::string name = handler->ISRIntegrator()->Name();
            delete handler->ISRIntegrator();
            handler->SetISRIntegrator(initial = new InitialState(handler, name));
        }
        const int done = p_proc->FillIntegrator(handler);
        if (p_mc->Number() != 1) return refuse("Comix made " + std::to_string(p_mc->Number()) + " channels, not one");
        PHASIC::Single_Channel* comix = p_mc->Channel(0);
        const std::size_t n = p_proc->NIn() + p_proc->NOut();
        layout.final_state = 3 * p_proc->NOut() - 4;
        layout.choices = n - 2;
        if (comix->Dimension() < layout.final_state + layout.choices)
            return refuse("its channel has " + std::to_string(comix->Dimension()) + " random numbers");
        const Shared sampling = std::make_shared<Sampling>(p_proc, handler, comix, layout);
        p_mc->DropAllChannels(false);
        p_mc->Add(new FinalStateChannel(comix, sampling, handler, p_proc));
        if (initial) initial->set(sampling);
        msg_Info() << "Binnis: " << sampling->name() << ", " << sampling->dim() << " dimensions, "
                   << (sampling->frozen() ? (settings.file.empty() ? "restored map" : "sampler " + settings.file)
                                          : "Sherpa's own mapping")
                   << std::endl;
        return done;
    }

  private:
    // Why the plug-in cannot sample a process; empty if it can.
    std::string unsupported(PHASIC::Phase_Space_Handler* handler) const {
        if (p_proc->NIn() != 2) return "it is no scattering of two particles";
        if (p_proc->NOut() < 2) return "it has one outgoing particle";
        if (handler->BeamIntegrator()) return "beam spectra are not supported";
        if (handler->GetYFSHandler()->Mode() != YFS::yfsmode::off) return "YFS is not supported";
        if (p_proc->Generator() == nullptr || p_proc->Generator()->Name() != "Comix")
            return "its matrix element is not from Comix";
        if (p_proc->Info().m_fi.NLOType() != ATOOLS::nlo_type::lo) return "it is no leading-order process";
        if (ATOOLS::Settings::GetMainSettings()["COMIX"]["ZMODE"].SetDefault(0).Get<int>() != 0)
            return "COMIX: ZMODE is not 0";
        return "";
    }

    int leave(PHASIC::Phase_Space_Handler* handler, const std::string& reason) const {
        if (Settings::get().mode == Mode::flow || !Settings::get().serve.empty()) return refuse(reason);
        msg_Error() << "Binnis: Sherpa's own mapping is used for " << p_proc->ResultsName() << ": " << reason << "."
                    << std::endl;
        return p_proc->FillIntegrator(handler);
    }

    int refuse(const std::string& reason) const {
        THROW(not_implemented, "Binnis cannot sample " + p_proc->ResultsName() + ": " + reason);
        return 0;
    }
};

}  // namespace

}  // namespace binnis

DECLARE_GETTER(binnis::Generator, "Binnis", PHASIC::Channel_Generator, PHASIC::Channel_Generator_Key);

PHASIC::Channel_Generator*
ATOOLS::Getter<PHASIC::Channel_Generator, PHASIC::Channel_Generator_Key, binnis::Generator>::operator()(
    const PHASIC::Channel_Generator_Key& key) const {
    return new binnis::Generator(key);
}

void ATOOLS::Getter<PHASIC::Channel_Generator, PHASIC::Channel_Generator_Key, binnis::Generator>::PrintInfo(
    std::ostream& stream, const std::size_t) const {
    stream << "binnis: points of a trained sampler file";
}
