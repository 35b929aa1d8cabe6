"""The result of an integration with a frozen sampler."""

from __future__ import annotations

import html
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import gvar
import numpy as np
from vegas._vegas import VegasResult

from mcbridge.integrands.function import FunctionIntegrand
from mcbridge.integrands.protocol import Array, IntArray
from mcbridge.integration.guard import FailureLog
from mcbridge.integration.samples import Samples
from mcbridge.tables import html_table, rich_table

if TYPE_CHECKING:
    import rich.console

__all__ = ["ChannelResult", "Integral", "IterationResult", "combine", "table_html", "vegas_result"]


@dataclass(frozen=True)
class IterationResult:
    """One iteration.

    Attributes:
        mean, error: estimate of the integral and its standard error.
        n: number of points.
        component_mean: (size,), all components of the integrand.
        component_covariance: (size, size), covariance of their estimates.
    """

    mean: float
    error: float
    n: int
    component_mean: Array = field(repr=False)
    component_covariance: Array = field(repr=False)


@dataclass(frozen=True)
class ChannelResult:
    """One channel, all iterations together.

    Attributes:
        mean: contribution I_i to the integral.
        sigma: standard deviation of the weight of one point of this channel.
        n: number of points.
        absolute: contribution of the channel to the integral of |f|.
        maximum: largest |weight|.
    """

    mean: float
    sigma: float
    n: int
    absolute: float
    maximum: float


@dataclass
class Integral:
    """An integral, its error and what it is made of.

    Iterations are combined by number of points: inverse-variance weights would correlate with the estimates and pull
    skewed weights low. Channels are strata (arXiv:2212.06172, eq. 4); ``error^2 = sum_i sigma_i^2 / N_i``.

    Attributes:
        mean, error: the integral and its standard error.
        iterations: one entry an iteration.
        channels: one entry a channel.
        absolute: integral of |f|.
        evaluations: number of points.
        chi2: of the iterations about the mean.
        dof: number of iterations - 1.
        failures: what the guard saw.
        samples: the points, where they were to be kept.
    """

    mean: float
    error: float
    iterations: list[IterationResult]
    channels: list[ChannelResult]
    absolute: float
    evaluations: int
    chi2: float
    dof: int
    failures: FailureLog = field(default_factory=FailureLog)
    samples: Samples | None = field(default=None, repr=False)

    @property
    def Q(self) -> float:  # noqa: N802 - the name that vegas gives it
        """Probability of a larger chi2; nan for one iteration."""
        return float(gvar.gammaQ(self.dof / 2.0, self.chi2 / 2.0)) if self.dof > 0 else float("nan")

    @property
    def chi2_dof(self) -> float:
        """chi2 per degree of freedom; 0 for one iteration."""
        return self.chi2 / self.dof if self.dof else 0.0

    @property
    def rsd(self) -> float:
        """``sum_i sigma_i / |I|``, the relative standard deviation at the best allocation of points."""
        total = sum(channel.sigma for channel in self.channels)
        return total / abs(self.mean) if self.mean else float("inf")

    @property
    def negative_fraction(self) -> float:
        """Share of the integral of |f| that is negative: the share of unweighted events with weight -1."""
        return (self.absolute - self.mean) / (2.0 * self.absolute) if self.absolute > 0.0 else 0.0

    @property
    def sigmas(self) -> Array:
        """(channels,), standard deviation of one weight of every channel: the best allocation of points."""
        return np.array([channel.sigma for channel in self.channels])

    @property
    def points(self) -> IntArray:
        """(channels,), number of points of every channel."""
        return np.array([channel.n for channel in self.channels], dtype=np.int64)

    def as_vegas(self, integrand: FunctionIntegrand, correlate: bool = True) -> Any:
        """The result as vegas returns it: ``RAvg``, ``RAvgArray`` or ``RAvgDict`` by the form of the function.

        Arguments:
            integrand: the function that was integrated.
            correlate: whether the components keep their correlations.
        """
        return vegas_result(integrand, self.iterations, correlate).result

    def summary(self) -> str:
        """A table of the iterations and, where there are several, of the channels."""
        lines = [f"{'itn':>3}   {'integral':<18}{'average':<18}{'chi2/dof':>8}{'Q':>8}{'points':>12}"]
        lines.append("-" * len(lines[0]))
        for index in range(len(self.iterations)):
            part = self.iterations[index]
            mean, error, chi2 = combine(self.iterations[: index + 1])
            per_dof = chi2 / index if index else 0.0
            quality = float(gvar.gammaQ(index / 2.0, chi2 / 2.0)) if index else 1.0
            single, average = gvar.gvar(part.mean, part.error), gvar.gvar(mean, error)
            lines.append(f"{index + 1:>3}   {single!s:<18}{average!s:<18}{per_dof:>8.2f}{quality:>8.2f}{part.n:>12}")
        if len(self.channels) > 1:
            lines += ["", f"{'channel':>7}   {'integral':<18}{'share':>8}{'rsd':>10}{'points':>12}"]
            lines.append("-" * len(lines[-1]))
            for index, channel in enumerate(self.channels):
                own = gvar.gvar(channel.mean, channel.sigma / np.sqrt(channel.n) if channel.n else 0.0)
                share = channel.mean / self.mean if self.mean else float("nan")
                rsd = channel.sigma / abs(channel.mean) if channel.mean else float("nan")
                lines.append(f"{index:>7}   {own!s:<18}{share:>8.1%}{rsd:>10.3g}{channel.n:>12}")
        return "\n".join(lines) + "\n"

    def __str__(self) -> str:
        lines = [
            f"integral        {gvar.gvar(self.mean, self.error)}",
            f"chi2/dof        {self.chi2:.2f}/{self.dof}" + (f"  Q {self.Q:.2f}" if self.dof else ""),
            f"relative std    {self.rsd:.4g}",
            f"evaluations     {self.evaluations}",
        ]
        if self.negative_fraction > 1e-12:
            lines.insert(1, f"negative        {self.negative_fraction:.2%} of {self.absolute:.6g}")
        if self.failures.failures:
            lines.append(f"not finite      {self.failures.failures}, the first: {self.failures.examples[0]}")
        return "\n".join(lines) + "\n\n" + self.summary()

    def _tables(self) -> list[tuple[str, list[str], list[list[str]], str]]:
        """Title, columns, rows and note of what there is to show: the result, iterations, channels."""
        rows = [
            ["integral", str(gvar.gvar(self.mean, self.error))],
            ["chi2/dof", f"{self.chi2:.2f}/{self.dof}" + (f", Q {self.Q:.2f}" if self.dof else "")],
            ["relative standard deviation", f"{self.rsd:.4g}"],
            ["evaluations", f"{self.evaluations:,}"],
        ]
        if self.negative_fraction > 1e-12:
            rows.append(["negative", f"{self.negative_fraction:.2%} of {self.absolute:.6g}"])
        if self.failures.failures:
            rows.append(["not finite", f"{self.failures.failures}, the first: {self.failures.examples[0]}"])
        iterations = []
        for index, part in enumerate(self.iterations):
            mean, error, chi2 = combine(self.iterations[: index + 1])
            own, average = gvar.gvar(part.mean, part.error), gvar.gvar(mean, error)
            per_dof = f"{chi2 / index:.2f}" if index else ""
            iterations.append([str(index + 1), str(own), str(average), per_dof, f"{part.n:,}"])
        tables = [
            ("integral", ["", ""], rows, ""),
            ("iterations", ["iteration", "integral", "average", "chi2/dof", "points"], iterations, ""),
        ]
        if len(self.channels) > 1:
            channels = [
                [
                    str(index),
                    str(gvar.gvar(channel.mean, channel.sigma / np.sqrt(channel.n) if channel.n else 0.0)),
                    f"{channel.mean / self.mean:.1%}" if self.mean else "",
                    f"{channel.sigma / abs(channel.mean):.3g}" if channel.mean else "",
                    f"{channel.n:,}",
                ]
                for index, channel in enumerate(self.channels)
            ]
            tables.append(("channels", ["channel", "integral", "share", "rel. std", "points"], channels, ""))
        return tables

    def _repr_html_(self) -> str:
        return "".join(html_table(*table) for table in self._tables())

    def __rich__(self) -> rich.console.RenderableType:
        from rich.console import Group

        return Group(*(rich_table(*table) for table in self._tables()))


def vegas_result(
    integrand: FunctionIntegrand, iterations: list[IterationResult], correlate: bool = True
) -> VegasResult:
    """vegas' accumulator of iterations, filled; combined by number of iterations (they have the same size)."""
    result = VegasResult(integrand.function.standard, weighted=False)
    for iteration in iterations:
        covariance = iteration.component_covariance
        result.update(iteration.component_mean, covariance if correlate else np.diag(covariance).copy(), iteration.n)
    return result


def combine(iterations: list[IterationResult]) -> tuple[float, float, float]:
    """Mean, error and chi2 of iterations combined by number of points."""
    n = np.array([iteration.n for iteration in iterations], dtype=np.float64)
    means = np.array([iteration.mean for iteration in iterations])
    errors = np.array([iteration.error for iteration in iterations])
    share = n / np.sum(n)
    mean = float(np.sum(share * means))
    # The variance of one point is common to all iterations: a pooled estimate does not correlate with their means.
    pooled = float(np.sum(share * errors**2 * n))
    chi2 = float(np.sum((means - mean) ** 2 * n) / pooled) if pooled > 0.0 else 0.0
    return mean, float(np.sqrt(pooled / np.sum(n))), chi2


def table_html(text: str) -> str:
    """A table of fixed-width text as HTML for a notebook."""
    return f"<pre>{html.escape(text)}</pre>"
