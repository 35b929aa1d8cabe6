"""The main job."""

from plugin.run.pipeline import RunResult, run

__all__ = ["RunResult", "run"]
