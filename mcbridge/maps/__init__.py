"""Maps: bijections of the unit hypercube."""

from mcbridge.maps.basic import ComposedMap, IdentityMap
from mcbridge.maps.flow import FlowMap
from mcbridge.maps.protocol import Map
from mcbridge.maps.vegas import VegasMap

__all__ = ["ComposedMap", "FlowMap", "IdentityMap", "Map", "VegasMap"]
