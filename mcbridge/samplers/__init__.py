"""Samplers: densities that draw points and know their density everywhere, and the survey that makes the first one."""

from mcbridge.samplers.channel_weights import ChannelWeights
from mcbridge.samplers.dropping import drop_channels
from mcbridge.samplers.replicas import Replicas
from mcbridge.samplers.sampler import Sampler, UniformSource
from mcbridge.samplers.survey import Survey, survey

__all__ = ["ChannelWeights", "Replicas", "Sampler", "Survey", "UniformSource", "drop_channels", "survey"]
