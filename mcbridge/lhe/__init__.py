"""Les Houches event files, version 3.0: writing and reading."""

from mcbridge.lhe.info import RunInfo, WeightGroup
from mcbridge.lhe.parts import join_parts
from mcbridge.lhe.read import EventArrays, EventFile, read
from mcbridge.lhe.write import Written, write

__all__ = ["EventArrays", "EventFile", "RunInfo", "WeightGroup", "Written", "join_parts", "read", "write"]
