"""Coupling flows in torch: the reference of the C++ kernel, and the model that torch's optimisers drive."""

from plugin.flows.flow import Flow
from plugin.flows.initialise import identity_parameters
from plugin.flows.kernel import kernel_log_prob, kernel_weighted_sum

__all__ = ["Flow", "identity_parameters", "kernel_log_prob", "kernel_weighted_sum"]
