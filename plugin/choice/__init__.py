"""The choice between flow and VEGAS, measured in every run."""

from plugin.choice.decision import USUAL_GAIN, Decision, Goal, decide, decide_early, load_decision
from plugin.choice.figures import QUANTILE, Figures, figures_of_channels, measured_figures

__all__ = [
    "QUANTILE",
    "USUAL_GAIN",
    "Decision",
    "Figures",
    "Goal",
    "decide",
    "decide_early",
    "figures_of_channels",
    "load_decision",
    "measured_figures",
]
