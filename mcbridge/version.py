"""The version of binnis."""

__version__ = "0.1.0"
