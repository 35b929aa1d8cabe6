"""Event records: selecting, joining and checking them, and what travels with them."""

from mcbridge.events.batch import PER_EVENT, concatenate, select, size
from mcbridge.events.check import check_batch
from mcbridge.events.weighted import WeightedEvents, rebatch

__all__ = ["PER_EVENT", "WeightedEvents", "check_batch", "concatenate", "rebatch", "select", "size"]
