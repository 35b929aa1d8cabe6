"""Uncertainties for event files that other programs wrote: two passes, one Bayesian flow a final state."""

from mcbridge.uncertainties.systematic import Systematic
from plugin.annotate.annotate import Annotation, annotate
from plugin.annotate.learn import LearnConfig

__all__ = ["Annotation", "LearnConfig", "Systematic", "annotate"]
