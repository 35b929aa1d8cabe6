"""Agree or disagree: all tests as one family with one global significance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from plugin.validate.classifier import ClassifierResult
from plugin.validate.distribution import Comparison
from plugin.validate.sample import WeightedSample

__all__ = ["SIGNIFICANCE", "Test", "Verdict", "cross_section_test", "family", "judge"]

SIGNIFICANCE = 0.01
"""Probability that samples of one distribution are called different, all tests together."""


@dataclass(frozen=True)
class Test:
    """One test of the family.

    Attributes:
        subject: what is compared: ``"cross section"``, an observable, ``"classifier"``.
        kind: ``"pull"``, ``"chi2"``, ``"KS"``, ``"AUC"``.
        statistic: its value in words.
        p_value: of the test alone.
        detail: where the difference is, in words.
    """

    __test__ = False  # no test case of pytest

    subject: str
    kind: str
    statistic: str
    p_value: float
    detail: str = ""


@dataclass(frozen=True)
class Verdict:
    """What all tests say together.

    Attributes:
        agree: whether no corrected probability is below the significance.
        tests: in the order in which they were made.
        corrected: (tests,), probabilities corrected for their number (Holm 1979).
        significance: global significance.
    """

    agree: bool
    tests: tuple[Test, ...]
    corrected: tuple[float, ...]
    significance: float = SIGNIFICANCE

    @property
    def smallest(self) -> float:
        """Smallest corrected probability."""
        return min(self.corrected, default=1.0)

    @property
    def failures(self) -> list[tuple[Test, float]]:
        """Tests below the significance with their corrected probability, the smallest first."""
        found = [pair for pair in zip(self.tests, self.corrected, strict=True) if pair[1] < self.significance]
        return sorted(found, key=lambda pair: (pair[1], pair[0].p_value))

    @property
    def disagreeing(self) -> list[str]:
        """What disagrees, each subject once, the clearest first."""
        return list(dict.fromkeys(test.subject for test, _ in self.failures))

    def sentence(self, title: str) -> str:
        """Agree or disagree, in what, and how sure that is."""
        number = f"({len(self.tests)} tests, smallest corrected p {self.smallest:.2g})"
        if self.agree:
            return f"AGREE: {title} {number}"
        names = self.disagreeing
        named = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
        return f"DISAGREE in {named}: {title} {number}"

    def as_json(self) -> dict[str, Any]:
        """All tests, for files."""
        return {
            "agree": self.agree,
            "significance": self.significance,
            "smallest_corrected_p": self.smallest,
            "disagreeing": self.disagreeing,
            "tests": [
                {
                    "subject": test.subject,
                    "kind": test.kind,
                    "statistic": test.statistic,
                    "p": test.p_value,
                    "corrected_p": corrected,
                    "detail": test.detail,
                }
                for test, corrected in zip(self.tests, self.corrected, strict=True)
            ],
        }


def judge(tests: Sequence[Test], significance: float = SIGNIFICANCE) -> Verdict:
    """The verdict on a family of tests.

    Holm's step-down correction holds for any dependence between the tests: the probability of a false alarm is at most
    ``significance``.
    """
    corrected = _holm(np.array([test.p_value for test in tests]))
    agree = bool(np.all(corrected >= significance))
    return Verdict(agree, tuple(tests), tuple(float(p) for p in corrected), significance)


def _holm(p: Any) -> Any:
    order = np.argsort(p, kind="stable")
    scaled = np.minimum(1.0, np.maximum.accumulate(p[order] * (len(p) - np.arange(len(p)))))
    result = np.empty(len(p))
    result[order] = scaled
    return result


def cross_section_test(subject: str, reference: WeightedSample, candidate: WeightedSample) -> Test:
    """Compare two cross sections."""
    error = (reference.variance_with(candidate) + candidate.variance_with(reference)) ** 0.5
    return pull_test(subject, reference.total, candidate.total, error)


def pull_test(subject: str, reference: float, candidate: float, error: float) -> Test:
    """Compare two numbers whose difference has a standard error."""
    difference = candidate - reference
    # Two exact samplers differ by rounding alone.
    rounding = 1e-9 * max(abs(reference), abs(candidate))
    pull = difference / max(error, rounding) if max(error, rounding) > 0.0 else 0.0
    share = difference / reference if reference else float("nan")
    return Test(subject, "pull", f"{pull:+.2f}", float(2.0 * stats.norm.sf(abs(pull))), f"{share:+.3%}")


def family(
    totals: Sequence[Test], comparisons: Sequence[Comparison], classifier: ClassifierResult | None
) -> list[Test]:
    """All tests: cross sections, chi2 and KS of every observable, and the classifier."""
    tests = list(totals)
    for found in comparisons:
        if found.p_chi2 is not None:
            tests.append(Test(found.name, "chi2", f"{found.chi2:.1f}/{found.dof}", found.p_chi2, found.worst_bin))
        if found.p_ks is not None and found.ks is not None:
            where = "" if found.ks_at is None else f"at {found.ks_at:.4g}"
            tests.append(Test(found.name, "KS", f"{found.ks:.2e}", found.p_ks, where))
    if classifier is not None:
        where = ", ".join(classifier.most_different)
        tests.append(
            Test(
                "classifier",
                "AUC",
                f"{classifier.auc:.4f} +- {classifier.error:.4f}",
                classifier.p_value,
                f"its weights follow {where}" if where else "",
            )
        )
    return tests
