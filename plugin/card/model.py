"""The run card: one validated object that holds every setting of a run, with its default."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from plugin.card.processes import DrellYanCard, Positive, ProcessCard, Section

__all__ = [
    "Card",
    "Choice",
    "Failures",
    "IntegrationCard",
    "ScalingCard",
    "SurveyCard",
    "SystematicCard",
    "TrainingCard",
    "UncertaintiesCard",
    "UnweightingCard",
]

Evaluations = Annotated[int, Field(ge=0)]
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


class SystematicCard(Section):
    """A nuisance parameter that changes the weights of the events."""

    function: str = Field(
        "my_variations.py:jet_pt",
        description="MODULE:FUNCTION; momenta (n, particles, 4) [GeV] of the final state, PDG numbers in increasing "
        "order and nuisance parameters (n,) in, factors (n,) of the weights out",
    )
    span: tuple[float, float] = Field((-1.0, 1.0), description="smallest and largest nuisance parameter")
    nominal: float = Field(0.0, description="the parameter of the events as they are")

    @model_validator(mode="after")
    def _in_span(self) -> SystematicCard:
        low, high = self.span
        if not low < high:
            raise ValueError(f"span must go from a smaller to a larger number, not from {low:g} to {high:g}")
        if not low <= self.nominal <= high:
            raise ValueError(f"nominal is {self.nominal:g}; it must lie in the span, {low:g} to {high:g}")
        return self


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
    systematic: SystematicCard | None = Field(
        None, description="sigma_syst of every event from a flow conditional on a nuisance parameter; null: none"
    )

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
