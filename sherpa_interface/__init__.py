"""The interface to Sherpa."""
