"""Checkpoints that are whole or do not count.

A checkpoint is complete once `complete.json` is in it: it is written last and names the size and
SHA-256 of every other file. A process killed while saving leaves a folder without it.
"""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError

from schemas.digests import sha256_of
from trainer.files import write_text

COMPLETE = "complete.json"
STATE = "trainer_state.json"


@dataclass(frozen=True)
class Checkpoint:
    """A complete checkpoint: its folder, and the optimizer step after which it was taken."""

    folder: Path
    step: int
    last_step: int
    """the step at which its run ends"""
    losses: dict[int, float]
    """the training loss of every step up to `step`"""

    @property
    def is_last(self) -> bool:
        """Whether nothing is left to train."""
        return self.step >= self.last_step


def seal(folder: Path) -> None:
    """Declare a checkpoint complete."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != COMPLETE)
    sums = {str(path.relative_to(folder)): sha256_of(path) for path in files}
    write_text(folder / COMPLETE, json.dumps(sums, indent=1))


def newest(folder: Path) -> Checkpoint | None:
    """The complete checkpoint with the most steps; torn and altered ones are passed over."""
    for candidate in sorted(folder.glob("checkpoint-*"), key=_step_of, reverse=True):
        if _is_whole(candidate):
            state = json.loads((candidate / STATE).read_text(encoding="utf-8"))
            logged = {line["step"]: line["loss"] for line in state["log_history"] if "loss" in line}
            return Checkpoint(candidate, int(state["global_step"]), int(state["max_steps"]), logged)
    return None


def clear_torn(folder: Path) -> None:
    """Delete what is torn or altered: it holds room, and `prune` would count it as whole."""
    for path in folder.glob("checkpoint-*"):
        if not _is_whole(path):
            shutil.rmtree(path, ignore_errors=True)


def prune(folder: Path, keep: int) -> None:
    """Delete all but the newest `keep` sealed checkpoints, and every torn one before those."""
    sealed = [path for path in folder.glob("checkpoint-*") if (path / COMPLETE).is_file()]
    staying = sorted(sealed, key=_step_of, reverse=True)[:keep]
    for path in folder.glob("checkpoint-*"):
        if path not in staying:
            (path / COMPLETE).unlink(missing_ok=True)  # first, so that half a deletion is no lie
            shutil.rmtree(path)


def write_fault(error: BaseException) -> str | None:
    """What kept a checkpoint from being written; None where the error is of something else.

    Of a full disk, safetensors and torch tell in errors of their own, torch by what it found
    instead of the place in the file where it had got to.
    """
    if isinstance(error, OSError):
        return error.strerror or str(error)
    if isinstance(error, SafetensorError) and "I/O error" in str(error):
        return str(error)
    if isinstance(error, RuntimeError) and "inline_container" in str(error):
        return "a file of a checkpoint could not be written to its end"
    return None


def _is_whole(folder: Path) -> bool:
    try:
        sums = json.loads((folder / COMPLETE).read_text(encoding="utf-8"))
        return all(sha256_of(folder / name) == expected for name, expected in sums.items())
    except (OSError, ValueError):
        return False


def _step_of(folder: Path) -> int:
    digits = folder.name.rpartition("-")[2]
    return int(digits) if digits.isdigit() else -1
