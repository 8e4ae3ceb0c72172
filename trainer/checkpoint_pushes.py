"""Checkpoints on the Hub while training goes on: on a budget of commits, and never in its way.

They go to a branch of their own. What `main` names was trained to its end and held against its base
model; a checkpoint was not.
"""

import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from schemas.adapter import PushedCheckpoint, PushedTo
from schemas.errors import StorageError
from schemas.train import Push
from trainer.accept import accept_copy
from trainer.files import write_text
from trainer.hub import Hub
from trainer.metrics import Trained
from trainer.undisturbed import undisturbed
from trainer.weights import first_line

RECORD = "pushed_checkpoints.json"
"""In a run's folder: which checkpoints were to be pushed, each noted before it is tried."""
BRANCH = "checkpoints"
_PUSHES = TypeAdapter(tuple[PushedCheckpoint, ...])

Make = Callable[[Path, Trained, int], str]
"""Write what is trained so far into a folder and accept it there; a commit's message. The third is
the steps that the run will have."""


def steps_to_push(save_steps: int, last_step: int, budget: int) -> tuple[int, ...]:
    """The steps of a run after which a checkpoint is pushed: all, or `budget` spread evenly.

    The last step is not among them: what a run ends with is judged first, and goes to `main`.
    """
    saved = range(save_steps, last_step, save_steps)
    if len(saved) <= budget:
        return tuple(saved)
    return tuple(saved[(2 * part + 1) * len(saved) // (2 * budget)] for part in range(budget))


def pushed_checkpoints(folder: Path) -> tuple[PushedCheckpoint, ...]:
    """What became of the checkpoints of the run in `folder` that were to be pushed.

    Raises:
        StorageError: the note cannot be read.
    """
    path = folder / RECORD
    try:
        return _PUSHES.validate_json(path.read_bytes())
    except FileNotFoundError:
        return ()
    except (OSError, ValidationError) as error:
        raise StorageError(
            f"{path} cannot be read: {first_line(error)}. It says which checkpoints were pushed: "
            "delete it if they may be pushed again."
        ) from None


@dataclass(frozen=True)
class CheckpointPushes:
    """Pushes the checkpoints of a run that are due, each once, whatever becomes of it."""

    model: Any
    folder: Path
    """the run's"""
    save_steps: int
    push: Push
    hub: Hub
    make: Make
    say: Callable[[str], None]

    def offer(self, trained: Trained, last_step: int) -> None:
        """The run has made `trained.steps` steps: push what there is, if it is due.

        The model and the random numbers are left as they were. Faults are told and noted; none
        ends the training.
        """
        step = trained.steps
        if step not in steps_to_push(self.save_steps, last_step, self.push.checkpoints):
            return
        known = pushed_checkpoints(self.folder)
        if len(known) >= self.push.checkpoints or step in {one.step for one in known}:
            return
        self._note(*known, PushedCheckpoint(step=step))
        self._note(*known, self._tried(trained, last_step))

    def _tried(self, trained: Trained, last_step: int) -> PushedCheckpoint:
        step = trained.steps
        try:
            with undisturbed(self.model):
                pushed = self._pushed(trained, last_step)
        except Exception as error:  # whatever it is: training does not depend on it
            fault = first_line(error)
            self.say(
                f"the checkpoint after step {step:,} was not pushed, training goes on: {fault}"
            )
            return PushedCheckpoint(step=step, fault=fault)
        self.say(f"pushed the checkpoint after step {step:,} to {pushed.repo}, branch {BRANCH}")
        return PushedCheckpoint(step=step, pushed=pushed)

    def _pushed(self, trained: Trained, last_step: int) -> PushedTo:
        """One commit of what was accepted, read back."""
        with tempfile.TemporaryDirectory(prefix="winnow-") as place:
            made, copy = Path(place) / "made", Path(place) / "copy"
            message = self.make(made, trained, last_step)
            pushed = self.hub.push(made, self.push.repo, message, self.push.private, BRANCH)
            copy.mkdir()
            self.hub.fetch(self.push.repo, pushed.commit, copy)
            accept_copy(made, copy)
        return pushed

    def _note(self, *pushes: PushedCheckpoint) -> None:
        told = [one.model_dump(mode="json") for one in pushes]
        write_text(self.folder / RECORD, json.dumps(told, indent=1) + "\n")
