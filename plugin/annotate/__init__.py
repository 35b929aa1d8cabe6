"""Uncertainties for event files: two passes, one flow a final state."""

from plugin.annotate.add_systematic import add_systematic
from plugin.annotate.annotate import Annotation, annotate
from plugin.annotate.learn import LearnConfig
from plugin.annotate.systematic import Systematic

__all__ = ["Annotation", "LearnConfig", "Systematic", "add_systematic", "annotate"]
