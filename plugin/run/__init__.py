"""The main job."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from plugin.run.pipeline import RunResult, resume, run

__all__ = ["RunResult", "resume", "run"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from plugin.run import pipeline

        return getattr(pipeline, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
