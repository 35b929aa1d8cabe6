"""The run card: one validated object that holds every setting of a run, with its default."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

__all__ = [
    "Card",
    "Choice",
    "CustomCard",
    "CutsCard",
    "DrellYanCard",
    "EeToMuMuCard",
    "Failures",
    "GluonsCard",
    "IntegrationCard",
    "ProcessCard",
    "ScalingCard",
    "SurveyCard",
    "TrainingCard",
    "UmamiCard",
    "UncertaintiesCard",
    "UnweightingCard",
    "ZPrimeCard",
]

Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Evaluations = Annotated[int, Field(ge=0)]


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


Count = Annotated[int, Field(ge=1)]
NotNegativeCount = Annotated[int, Field(ge=0)]


class SurveyCard(Section):
    """Adaptation of the VEGAS map; its points are the first training data."""

    evaluations: Annotated[int, Field(ge=2000)] = Field(200_000, description="amplitude evaluations")
    increments: tuple[Annotated[int, Field(ge=2, le=2000)], ...] = Field(
        (64, 128, 200), description="numbers of increments of the VEGAS grid to choose from", min_length=1
    )
    drop_channels: Annotated[float, Field(ge=0, lt=0.5)] = Field(
        0.0,
        description="drop channels that together contribute less than this share; the others take over their weight",
    )


class TrainingCard(Section):
    """Training of the flow on top of the VEGAS map."""

    evaluations: Evaluations = Field(
        200_000, description="amplitude evaluations on points drawn by the flow itself, beside those of the survey"
    )
    learned_channel_weights: bool = Field(True, description="train the channel weights (several channels only)")
    loss: Literal["forward_kl", "generalised_kl", "variance", "stratified_variance", "renyi", "exponential"] = Field(
        "forward_kl", description="loss of the main part; fine-tuning with the variance of the mixture follows"
    )
    flow: Literal["rqs", "affine"] = Field("rqs", description="rational-quadratic splines, or affine maps of logits")
    blocks: Annotated[int, Field(ge=1, le=64)] | None = Field(
        None, description="coupling blocks; null for two per permutation"
    )
    hidden: Annotated[int, Field(ge=1, le=512)] | None = Field(
        None, description="width of the hidden layers; null: by number of points"
    )
    bins: Annotated[int, Field(ge=2, le=128)] | None = Field(
        None, description="bins of a spline; null: by number of points"
    )
    steps: Count | None = Field(None, description="optimisation steps; null: by number of points")
    fine_tuning_steps: NotNegativeCount | None = Field(
        None, description="steps of the fine-tuning; null: by number of points"
    )
    ahead: Annotated[float, Field(ge=0, le=1)] = Field(
        0.0,
        description="share of the steps before new points during which workers evaluate these already; for amplitudes"
        " that cost more than the training",
    )
    eps: Annotated[float, Field(gt=0, le=1)] | None = Field(
        None, description="share of the VEGAS density in the mixture; null: chosen on held-out points"
    )


class Choice(Section):
    """Fresh points on which flow and VEGAS are compared."""

    evaluations: Annotated[int, Field(ge=2000)] = Field(
        25_000,
        description="amplitude evaluations for each of flow and VEGAS; those for VEGAS serve the training too. A "
        "comparison of auto grows to 1% of the time that the events will take",
    )


class IntegrationCard(Section):
    """The integration proper, with the map frozen."""

    evaluations: Annotated[int, Field(ge=2000)] = Field(200_000, description="amplitude evaluations")
    iterations: Annotated[int, Field(ge=2, le=1000)] = Field(10, description="independent iterations")


class UnweightingCard(Section):
    """How the largest weight is defined."""

    policy: Literal["quantile", "exact", "median"] = Field(
        "quantile", description="quantile: overweight share; exact: largest weight seen; median: of bootstrap maxima"
    )
    quantile: Annotated[float, Field(gt=0, lt=0.5)] = Field(
        1e-3, description="largest share of the cross section in excess of the largest weight (policy quantile)"
    )


class UncertaintiesCard(Section):
    """What every event says about the uncertainty of the learned density."""

    enabled: Literal["auto"] | bool = Field(
        "auto", description="auto: where a flow was trained; true: a Bayesian flow is trained in any case"
    )
    replicas: Annotated[int, Field(ge=0, le=999)] = Field(
        32, description="weight draws of the Bayesian flow, at least 2; 0 switches uncertainties off"
    )
    weights: bool = Field(True, description="write a weight for each replica (about 41 bytes each before compression)")
    prior: Positive = Field(1.0, description="standard deviation of the prior of every network weight")
    scope: Literal["all", "output"] = Field("all", description="network weights that are random: all, or last layers")
    steps: Annotated[int, Field(ge=1)] | None = Field(None, description="optimisation steps; null: by the sample size")
    theory: bool = Field(True, description="write weights of other scales and PDF members, where the process has PDFs")

    @field_validator("replicas")
    @classmethod
    def _not_one(cls, replicas: int) -> int:
        if replicas == 1:
            raise ValueError("one replica has no spread: take 0, or at least 2")
        return replicas


class Failures(Section):
    """What an amplitude may do wrong before the run stops."""

    fraction: Annotated[float, Field(ge=0, le=1)] = Field(
        1e-3,
        description="largest share of points at which the amplitude is not finite or raises",
    )
    minimum_points: Annotated[int, Field(ge=0)] = Field(
        1000, description="the share is judged as if at least so many points had been evaluated"
    )


class ScalingCard(Section):
    """Where the work is done; the result does not depend on it, but for chunk and block."""

    workers: Annotated[int, Field(ge=1, le=100_000)] | None = Field(
        None, description="local processes, or workers of a cluster; null: in the main process"
    )
    backend: Literal["processes", "threads"] = Field(
        "processes", description="of local workers; threads for amplitudes that release Python's lock"
    )
    scheduler: Annotated[str, Field(pattern=r"^(tcp|tls|ws|wss|ucx|inproc)://.+")] | None = Field(
        None, description="address of a running Dask scheduler, tcp://HOST:PORT"
    )
    cluster: Literal["local", "slurm", "htcondor"] | None = Field(
        None, description="start Dask workers here (local), or as jobs of a batch system through dask-jobqueue"
    )
    cluster_options: dict[str, Any] = Field(
        default_factory=dict,
        description="arguments of dask-jobqueue's cluster: queue, cores, memory, walltime, ...",
    )
    chunk: Annotated[int, Field(ge=16)] | None = Field(
        None, description="points of a chunk of work; null: 65536 of the integral, 16384 of the unweighting"
    )
    block: Annotated[int, Field(ge=1)] = Field(8192, description="points evaluated at once in survey and training")
    time_limit: Positive | None = Field(
        None, description="time of a chunk [s] after which its worker counts as hanging and is replaced; null: none"
    )

    @model_validator(mode="after")
    def _one_place(self) -> ScalingCard:
        if self.scheduler is not None and self.cluster is not None:
            raise ValueError("scheduler and cluster are two places for the same work; give one of them")
        if self.cluster is not None and self.workers is None:
            raise ValueError("a cluster needs the number of its workers")
        return self


class Card(Section):
    """Everything that defines a run; written back with all defaults into the run folder."""

    process: ProcessCard = Field(default_factory=DrellYanCard, description="what is computed")
    sampler: Literal["auto", "flow", "vegas"] = Field(
        "auto", description="auto measures both and takes the one that costs less CPU time per unweighted event"
    )
    mode: Literal["exact", "surrogate"] = Field(
        "exact", description="exact: events are unweighted with the amplitude; surrogate: drawn from the flow alone"
    )
    events: Annotated[int, Field(ge=0)] = Field(10_000, description="unweighted events to write")
    formats: tuple[Literal["lhe", "hepmc3"], ...] = Field(
        ("lhe",), description="event files: lhe, which is always written, and hepmc3 beside it (needs pyhepmc)"
    )
    seed: Annotated[int, Field(ge=0, lt=2**63)] = Field(1, description="seed of all random numbers")
    threads: Annotated[int, Field(ge=1, le=1024)] = Field(2, description="threads of the flow kernel")
    survey: SurveyCard = Field(default_factory=SurveyCard)
    training: TrainingCard = Field(default_factory=TrainingCard)
    choice: Choice = Field(default_factory=Choice)
    integration: IntegrationCard = Field(default_factory=IntegrationCard)
    unweighting: UnweightingCard = Field(default_factory=UnweightingCard)
    uncertainties: UncertaintiesCard = Field(default_factory=UncertaintiesCard)
    failures: Failures = Field(default_factory=Failures)
    scaling: ScalingCard = Field(default_factory=ScalingCard)

    @field_validator("formats")
    @classmethod
    def _lhe_always(cls, formats: tuple[str, ...]) -> tuple[str, ...]:
        if "lhe" not in formats:
            raise ValueError("the format lhe is always written: [lhe] or [lhe, hepmc3]")
        if "hepmc3" in formats:
            from mcbridge.hepmc import require_pyhepmc

            require_pyhepmc()
        return formats

    @model_validator(mode="before")
    @classmethod
    def _process_by_name(cls, data: Any) -> Any:
        """``process: drell-yan`` is short for ``process: {name: drell-yan}``."""
        if isinstance(data, dict) and isinstance(data.get("process"), str):
            return {**data, "process": {"name": data["process"]}}
        return data

    @model_validator(mode="after")
    def _surrogate_needs_replicas(self) -> Card:
        if self.mode == "surrogate" and (self.uncertainties.enabled is False or not self.uncertainties.replicas):
            raise ValueError("mode: surrogate draws events from the Bayesian flow, which uncertainties switches off")
        return self
