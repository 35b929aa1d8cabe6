"""The main job."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from plugin.run.pipeline import RunResult, run

__all__ = ["RunResult", "run"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from plugin.run import pipeline

        return getattr(pipeline, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
