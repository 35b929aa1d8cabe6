"""Uncertainties for event files that other programs wrote: two passes, one Bayesian flow a final state."""

from plugin.annotate.annotate import Annotation, annotate
from plugin.annotate.learn import LearnConfig
from plugin.annotate.systematic import Systematic

__all__ = ["Annotation", "LearnConfig", "Systematic", "annotate"]
