"""``binnis sherpa``: the sub-commands of the interface to Sherpa."""

from sherpa_interface.commands.main import app

__all__ = ["app"]
