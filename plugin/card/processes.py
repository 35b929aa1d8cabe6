"""The section ``process`` of the run card: one model for every kind of process."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

__all__ = [
    "CustomCard",
    "CutsCard",
    "DrellYanCard",
    "EeToMuMuCard",
    "GluonsCard",
    "Positive",
    "ProcessCard",
    "Section",
    "UmamiCard",
    "ZPrimeCard",
]

Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]


def _increasing(window: tuple[float, float]) -> tuple[float, float]:
    if not window[0] < window[1]:
        raise ValueError("the window must go from a smaller to a larger number")
    return window


Window = Annotated[tuple[NotNegative, Positive], AfterValidator(_increasing)]


class Section(BaseModel):
    """A part of the card: unknown keys are errors, numbers are finite."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, frozen=True, validate_default=True)


class ZPrimeCard(Section):
    """An optional heavy neutral boson with couplings like those of the Z."""

    mass: Positive = Field(400.0, description="mass [GeV]")
    width: Positive = Field(0.5, description="total width [GeV]")
    coupling: Positive = Field(1.0, description="couplings to fermions, in units of those of the Z")


class DrellYanCard(Section):
    """pp -> gamma/Z(/Z') -> l+ l- at leading order."""

    name: Literal["drell-yan"] = "drell-yan"
    cms_energy: Positive = Field(13000.0, description="energy of the two beams together [GeV]")
    pdf: str = Field("builtin", description="name of the PDF set; 'builtin' is a demonstration set")
    lepton: Literal["e", "mu", "tau"] = Field("e", description="flavour of the leptons (massless)")
    flavours: tuple[Annotated[int, Field(ge=1, le=5)], ...] = Field(
        (1, 2, 3, 4), description="PDG numbers of the quarks in the proton (5 adds b)", min_length=1
    )
    mll: Window = Field((66.0, 116.0), description="window of the lepton-pair mass [GeV]")
    pt_min: NotNegative = Field(0.0, description="smallest transverse momentum of a lepton [GeV]")
    eta_max: Positive | None = Field(None, description="largest |pseudorapidity| of a lepton")
    dr_min: NotNegative = Field(0.0, description="smallest distance of the leptons in (eta, phi)")
    zprime: ZPrimeCard | None = Field(None, description="adds a Z' (a mapping, {} for its defaults)")


class EeToMuMuCard(Section):
    """e+ e- -> gamma/Z -> mu+ mu- at leading order."""

    name: Literal["ee-to-mumu"]
    cms_energy: Positive = Field(91.188, description="energy of the two beams together [GeV]")
    pt_min: NotNegative = Field(0.0, description="smallest transverse momentum of a muon [GeV]")
    eta_max: Positive | None = Field(None, description="largest |pseudorapidity| of a muon")


class GluonsCard(Section):
    """gg -> 3 or 4 gluons at tree level and fixed energy."""

    name: Literal["gluons"]
    n_final: Literal[3, 4] = Field(3, description="number of outgoing gluons")
    cms_energy: Positive = Field(1000.0, description="energy of the two gluons together [GeV]")
    pt_min: Positive = Field(30.0, description="smallest transverse momentum of a gluon [GeV]")
    dr_min: Positive = Field(0.4, description="smallest distance of two gluons in (eta, phi)")
    eta_max: Positive | None = Field(None, description="largest |pseudorapidity| of a gluon")
    alpha_s: Positive = Field(0.118, description="strong coupling, fixed")


Power = Annotated[int, Field(ge=0, strict=True)]
ParticleLimit = Positive | dict[int, NotNegative]
PairLimit = Positive | dict[str, NotNegative]


class CutsCard(Section):
    """Limits for all outgoing particles, or by particle: {21: 30}, and by pair: {'11 21': 0.4}."""

    pt_min: ParticleLimit | None = Field(None, description="smallest transverse momentum [GeV]")
    eta_max: ParticleLimit | None = Field(None, description="largest |pseudorapidity|")
    mass_min: PairLimit | None = Field(None, description="smallest mass of a pair [GeV]")
    mass_max: PairLimit | None = Field(None, description="largest mass of a pair [GeV]")
    dr_min: PairLimit | None = Field(None, description="smallest distance of a pair in (eta, phi)")


class ScatteringCard(Section):
    """What the processes with an amplitude of the user's have in common."""

    cms_energy: Positive = Field(13000.0, description="energy of the two beams together [GeV]")
    pdf: str | None = Field(None, description="name of the PDF set; null for partons of fixed energy")
    masses: tuple[NotNegative, ...] | None = Field(None, description="of the outgoing particles [GeV]")
    cuts: CutsCard = Field(default_factory=CutsCard)
    mapping: Literal["rambo", "chili"] = Field("rambo", description="phase space of madspace (chili needs PDFs)")
    scale: Positive | None = Field(None, description="fixed scale [GeV]; null for the partonic energy")
    colours: tuple[tuple[int, int], ...] | None = Field(
        None, description="colour and anticolour line of every particle of an event, from 501; null where it is clear"
    )


class CustomCard(ScatteringCard):
    """2 -> n scattering with |M|^2 from a Python function of the momenta."""

    name: Literal["custom"]
    amplitude: str = Field(
        "my_amplitude.py:matrix_element",
        description="MODULE:FUNCTION; momenta (n, particles, 4) [GeV] in, |M|^2 (n,) out",
    )
    incoming: tuple[tuple[int, int], ...] = Field(
        ((11, -11),), description="pairs of PDG numbers that share |M|^2", min_length=1
    )
    outgoing: tuple[int, ...] = Field((13, -13), description="PDG numbers", min_length=2)
    tensors: bool = Field(False, description="call the function with torch tensors instead of NumPy arrays")
    alpha_s: Positive | None = Field(None, description="for the event record; null takes that of the PDFs")
    alpha_s_power: Power | None = Field(
        None, description="power of alpha_s in |M|^2, for weights of scales and PDF members; null writes none"
    )


class UmamiCard(ScatteringCard):
    """2 -> n scattering with |M|^2 from a UMAMI shared library."""

    name: Literal["umami"]
    library: str = Field("libumami.so", description="path of the shared library")
    pdg_ids: tuple[tuple[int, ...], ...] = Field(
        ((21, 21, 6, -6, 21),), description="PDG numbers in the order of the library, incoming first", min_length=1
    )
    param_card: str | None = Field(None, description="parameter card or artifact folder for the library")
    parameters: dict[str, float] = Field(default_factory=dict, description="of the model, by the library's names")
    alpha_s: Positive | Literal["pdf", "card"] | None = Field(
        None, description="number, 'pdf' (running) or 'card' (the library's own)"
    )
    alpha_s_power: Power | None = Field(
        None, description="power of alpha_s in |M|^2, for weights of scales and PDF members; null measures it"
    )


ProcessCard = Annotated[DrellYanCard | EeToMuMuCard | GluonsCard | CustomCard | UmamiCard, Field(discriminator="name")]
