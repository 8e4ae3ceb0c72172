"""An end in good order: SIGTERM or Ctrl-C lets the step finish, and its checkpoint is kept."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from schemas.errors import TrainingError
from trainer import processes

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Stopping(TrainerCallback):
    """Saves and ends the loop after the step in which a signal came to any of the processes."""

    def __init__(self) -> None:
        self._received: signal.Signals | None = None
        self._stopped_at: tuple[int, int] | None = None

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Within, the first signal is kept for the end of the step; a second ends the process."""
        if threading.current_thread() is not threading.main_thread():
            yield  # Python takes signals in the main thread only
            return
        before = {one: signal.getsignal(one) for one in SIGNALS}

        def note(number: int, _frame: FrameType | None) -> None:
            self._received = signal.Signals(number)
            for one, handler in before.items():
                signal.signal(one, handler)

        for one in SIGNALS:
            signal.signal(one, note)
        try:
            yield
        finally:
            for one, handler in before.items():
                signal.signal(one, handler)

    def on_step_end(
        self,
        args: TrainingArguments,  # noqa: ARG002
        state: TrainerState,
        control: TrainerControl,
        **_: Any,
    ) -> None:
        """Ask for a checkpoint and the end, where a signal came."""
        if processes.any_of(self._received is not None):
            self._stopped_at = (state.global_step, state.max_steps)
            control.should_save = control.should_training_stop = True

    def refuse_going_on(self) -> None:
        """Raise TrainingError if the loop was ended by a signal."""
        if self._stopped_at is None:
            return
        by = self._received.name if self._received else "a signal to another process"
        step, steps = self._stopped_at
        raise TrainingError(
            f"stopped by {by} after step {step:,} of {steps:,}, whose checkpoint is kept. Run the "
            "same command again to go on from there."
        )
