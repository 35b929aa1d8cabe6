"""Files and libraries that a run card names: Sherpa runs in folders of its own, with a library more."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

__all__ = ["absolute_paths", "plugin_libraries"]

# What Sherpa writes, and what are no names of files.
_LEFT = {"ANALYSIS_OUTPUT", "BINNIS", "EVENT_OUTPUT", "LOG_FILE", "PROCESSES", "RESULT_DIRECTORY", "SCALES"}


def absolute_paths(card: Path) -> dict[str, Any]:
    """The settings of a card that name existing files or folders by relative paths, with these made absolute.

    A path is looked up in the folder of the card, and then, as Sherpa itself would, in the current one. What has
    neither a slash nor a dot in it is a name, as that of a PDF set or of a library, and is left alone.

    Arguments:
        card: a Sherpa run card; one that cannot be read is left to Sherpa.

    Returns:
        an overlay with the top-level settings that change, empty as a rule.
    """
    settings = _settings(card)
    folders = (card.resolve().parent, Path.cwd())
    found = {key: _absolute(value, folders, key) for key, value in settings.items() if key not in _LEFT}
    return {key: value for key, value in found.items() if value != settings[key]}


def plugin_libraries(card: Path) -> list[str]:
    """``SHERPA_LDADD`` of a card, with the plug-in."""
    own = _settings(card).get("SHERPA_LDADD", [])
    libraries = [str(name) for name in (own if isinstance(own, list) else [own])]
    return [*(name for name in libraries if name not in ("SherpaBinnis", "None")), "SherpaBinnis"]


def _settings(card: Path) -> dict[str, Any]:
    try:
        settings = yaml.safe_load(card.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return {}
    return settings if isinstance(settings, dict) else {}


def _absolute(value: Any, folders: tuple[Path, ...], key: str = "") -> Any:
    if isinstance(value, dict):
        return {name: _absolute(entry, folders, str(name)) for name, entry in value.items()}
    if isinstance(value, list):
        return [_absolute(entry, folders, key) for entry in value]
    if not isinstance(value, str) or Path(value).is_absolute():
        return value
    if not ("/" in value or "." in value or key.endswith(("_PATH", "_FILE", "_CARD"))):
        return value
    return next((str(folder / value) for folder in folders if _exists(folder / value)), value)


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # too long for a name, or with a null byte
        return False
