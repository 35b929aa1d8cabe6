"""What an interrupted run has done, stage by stage and process by process, so that another one can go on from there."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from mcbridge.errors import UserError
from mcbridge.files import write_text
from mcbridge.samplers import Sampler
from plugin.run.checkpoints import decision_from_json, decision_to_json, load_samples, save_samples
from plugin.run.folder import CHECKPOINTS
from sherpa_interface.output import CrossSection
from sherpa_interface.state import Settings
from sherpa_interface.training import Trained

__all__ = ["Checkpoint", "load_trained", "results_from_json", "results_to_json", "save_trained"]

_NAME = "sherpa.json"
_FORMAT = 1


@dataclass
class Checkpoint:
    """``checkpoints/sherpa.json`` of a run folder: the settings of the run, the results of the stages that are done.

    Attributes:
        card: file name of the user's card, without suffix.
        settings: as the run was begun.
        sherpa: version of Sherpa.
        files: settings of the card that name files by relative paths, made absolute.
        stages: what the stages that follow need, by the name of the stage.
        cpu: CPU time by stage [s].
        format: of this file.
    """

    card: str
    settings: dict[str, Any]
    sherpa: str
    files: dict[str, Any] = field(default_factory=dict)
    stages: dict[str, Any] = field(default_factory=dict)
    cpu: dict[str, float] = field(default_factory=dict)
    format: int = _FORMAT

    def save(self, folder: Path) -> None:
        """Write the file, whole or not at all.

        Raises:
            UserError: it cannot be written.
        """
        path = folder / CHECKPOINTS / _NAME
        path.parent.mkdir(exist_ok=True)
        write_text(path, json.dumps(asdict(self), indent=1) + "\n")

    @staticmethod
    def load(folder: Path) -> Checkpoint:
        """The file of an interrupted run.

        Raises:
            UserError: the folder is none of such a run, or the file is damaged or of another version.
        """
        path = folder / CHECKPOINTS / _NAME
        if not folder.is_dir():
            raise UserError(f"there is no run folder {folder}")
        if (folder / "summary.json").exists():
            raise UserError(f"the run in {folder} is finished; there is nothing to go on with")
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise UserError(
                f"{folder} is not the folder of an interrupted run with Sherpa; start one with binnis sherpa run CARD"
            ) from None
        except (OSError, ValueError) as error:
            raise UserError(f"{path} cannot be read: {error}") from None
        names = {entry.name for entry in fields(Checkpoint)}
        if not isinstance(values, dict) or set(values) != names or values["format"] != _FORMAT:
            raise UserError(f"{path} is damaged or of another version of binnis; start the run anew")
        return Checkpoint(**values)

    def run_settings(self, quiet: bool) -> Settings:
        """The settings of the run."""
        return Settings(**{**self.settings, "quiet": quiet})

    @property
    def worth_resuming(self) -> bool:
        """Whether something was computed that is worth going on from."""
        return "optimisation" in self.stages


def results_to_json(results: dict[str, CrossSection]) -> list[dict[str, Any]]:
    """Cross sections as JSON holds them."""
    return [asdict(result) for result in results.values()]


def results_from_json(content: list[dict[str, Any]]) -> dict[str, CrossSection]:
    """What :func:`results_to_json` made."""
    return {entry["name"]: CrossSection(**entry) for entry in content}


def save_trained(folder: Path, number: int, trained: Trained) -> None:
    """Write what is known of a process; the file that says that it is there comes last.

    Raises:
        UserError: a file cannot be written.
    """
    stem = _stem(folder, number)
    trained.sampler.save(stem.with_suffix(".mcb"))
    save_samples(stem.with_suffix(".points"), trained.points)
    if trained.fresh is not None:
        save_samples(stem.with_suffix(".fresh"), trained.fresh)
    content = {
        "name": trained.name,
        "description": trained.description,
        "decision": decision_to_json(trained.decision),
        "fresh": trained.fresh is not None,
        "evaluations": trained.evaluations,
        "cpu_seconds": trained.cpu_seconds,
        "training": trained.training,
    }
    write_text(stem.with_suffix(".json"), json.dumps(content) + "\n")


def load_trained(folder: Path, number: int) -> Trained | None:
    """What an earlier run knew of a process; None if its training was not finished.

    Raises:
        UserError: a file is damaged.
    """
    stem = _stem(folder, number)
    path = stem.with_suffix(".json")
    if not path.exists():
        return None
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return Trained(
            content["name"],
            content["description"],
            Sampler.load(stem.with_suffix(".mcb")),
            decision_from_json(content["decision"]),
            load_samples(stem.with_suffix(".points")),
            load_samples(stem.with_suffix(".fresh")) if content["fresh"] else None,
            content["evaluations"],
            content["cpu_seconds"],
            content["training"],
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path} is damaged ({error}); remove it, and the process is trained anew") from None


def _stem(folder: Path, number: int) -> Path:
    return folder / CHECKPOINTS / f"process_{number}"
