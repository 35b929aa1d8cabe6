"""``state.json``: how far a run is, and what a resumed run must know."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mcbridge.errors import UserError
from mcbridge.files import write_text

__all__ = ["FORMAT", "NAME", "STATES", "StateFile", "StateRecord"]

FORMAT = 1
NAME = "state.json"

STATES = ("survey", "training", "choice", "uncertainties", "integration", "unweighting", "events", "report")
"""The states of a run, in their order."""


class StateRecord(BaseModel):
    """One state of a run.

    Attributes:
        status: of the state.
        result: what the states that follow need beside the files in ``checkpoints``.
        evaluations: of the amplitude, of the whole run up to the end of this state.
        amplitude_seconds: CPU time of these [s].
        cpu_seconds: CPU time of this state, workers included [s].
        seconds: wall time of this state [s].
        failures: what the amplitude did wrong up to the end of this state.
    """

    model_config = ConfigDict(extra="forbid")

    status: Literal["running", "done"] = "running"
    result: dict[str, Any] = Field(default_factory=dict)
    evaluations: int = Field(0, ge=0)
    amplitude_seconds: float = 0.0
    cpu_seconds: float = 0.0
    seconds: float = 0.0
    failures: dict[str, Any] | None = None


class StateFile(BaseModel):
    """How far a run is.

    Attributes:
        format: of this file.
        binnis: version that began the run.
        process: its name.
        instruction_set: of the kernel; another one gives other events in the last digits.
        pinned: the decision that was given on the command line, or None.
        working_directory: of the process that began the run; relative paths in the card start there.
        sampler_file: whether the run began from the sampler of an earlier one (kept in ``checkpoints``).
        resumed: how often the run was resumed.
        states: by name.
    """

    model_config = ConfigDict(extra="forbid")

    format: int = FORMAT
    binnis: str
    process: str
    instruction_set: str
    pinned: Literal["flow", "vegas"] | None = None
    working_directory: str = ""
    sampler_file: bool = False
    resumed: int = Field(0, ge=0)
    states: dict[Literal[STATES], StateRecord] = Field(default_factory=dict)  # type: ignore[valid-type]

    @property
    def start(self) -> Path | None:
        """The folder in which relative paths of the card start; None where it is gone."""
        folder = Path(self.working_directory)
        return folder if self.working_directory and folder.is_dir() else None

    @property
    def current(self) -> str | None:
        """The state that the run is in; None where all are done."""
        for name in STATES:
            record = self.states.get(name)
            if record is None or record.status != "done":
                return name
        return None

    def done(self, name: str) -> bool:
        """Whether a state is done."""
        record = self.states.get(name)
        return record is not None and record.status == "done"

    def save(self, folder: Path) -> None:
        """Write the file.

        Raises:
            UserError: it cannot be written.
        """
        write_text(folder / NAME, self.model_dump_json(indent=1) + "\n")

    @staticmethod
    def load(folder: Path) -> StateFile:
        """The file in a run folder.

        Raises:
            UserError: the folder is none of a run, or the file is damaged or of another version.
        """
        path = folder / NAME
        if not folder.is_dir():
            raise UserError(f"there is no run folder {folder}")
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            raise UserError(
                f"{folder} holds no {NAME}: it is not the folder of a run, or the run ended before it had begun; start"
                " it with binnis run CARD"
            ) from None
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not a text file"
            raise UserError(f"{path} cannot be read: {reason}") from None
        try:
            found = StateFile.model_validate_json(text)
        except ValidationError as error:
            problem = error.errors()[0]
            place = ".".join(str(part) for part in problem["loc"]) or "the file"
            raise UserError(f"{path} is damaged or of another version: {place}: {problem['msg']}") from None
        if found.format != FORMAT:
            raise UserError(f"{path} has format {found.format}; this version of binnis reads format {FORMAT}")
        return found
