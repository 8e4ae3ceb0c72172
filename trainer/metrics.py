"""The figures of every optimizer step: to `metrics.jsonl`, to people, to TensorBoard."""

import contextlib
import importlib.util
import json
import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from schemas.errors import TrainingError
from trainer import processes
from trainer.files import storage_errors
from trainer.memory import peak_bytes

TENSORBOARD = "tensorboard"
SPIKE_STEPS = 20
"""Steps before the present one whose mean loss a spike is measured by."""

Line = dict[str, float]
"""One step of `metrics.jsonl`: step, steps (that there will be), loss, learning_rate, grad_norm,
tokens, tokens_per_s, elapsed_s (these three over the whole run so far), memory_bytes (the most that
this start took: of the GPU where there is one) and, where the GPU is known, mfu: the share of its
FLOP/s that the model's arithmetic took."""

Report = Callable[[Line, int], None]
"""Called after every step with its metrics and the number of steps that there will be."""


@dataclass(frozen=True)
class Trained:
    """What the loop did: the whole run's figures, over all its starts."""

    steps: int
    train_loss: float
    elapsed_s: float
    tokens_per_s: float


@dataclass(frozen=True)
class Arithmetic:
    """What MFU is computed from."""

    token_flops: float
    """FLOP per token"""
    peak_flops: float
    """FLOP/s of all devices together"""


class Metrics(TrainerCallback):
    """Writes `metrics.jsonl`, a line per step, and stops a run whose loss is no number or jumps."""

    def __init__(
        self,
        path: Path,
        losses: Mapping[int, float],
        report: Report,
        max_loss_spike: float | None = None,
        arithmetic: Arithmetic | None = None,
    ) -> None:
        """Go on after the steps of `losses`, which the checkpoint remembers.

        Lines of later steps are done again. Lines that were lost are not made up: of those steps
        only the losses count.
        """
        self._path = path
        self._report = report
        self._max_loss_spike = max_loss_spike
        self._arithmetic = arithmetic
        self._losses = dict(losses)
        self._lines = [line for line in _read_lines(path) if line["step"] in losses]
        self._elapsed_before = self._lines[-1]["elapsed_s"] if self._lines else 0.0
        self._start = time.monotonic()
        if processes.is_first():
            with storage_errors("write", path):
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text("".join(json.dumps(line) + "\n" for line in self._lines), "utf-8")

    def on_train_begin(self, *_: Any, **__: Any) -> None:
        """Start the clock after models and data are in place."""
        self._start = time.monotonic()

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,  # noqa: ARG002
        logs: dict[str, float] | None = None,
        **_: Any,
    ) -> None:
        """Append one step's line (raises TrainingError where training diverged)."""
        if not logs or "loss" not in logs:
            return
        self._refuse_divergence(logs, state.global_step, args.learning_rate)
        line = self._line(logs, state)
        self._losses[state.global_step] = line["loss"]
        self._lines.append(line)
        if not processes.is_first():
            return
        with storage_errors("write", self._path), self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        self._report(line, state.max_steps)

    def summary(self) -> Trained:
        """The figures of the whole run; times are 0 where `metrics.jsonl` was lost."""
        last = self._lines[-1] if self._lines else {}
        return Trained(
            steps=max(self._losses),
            train_loss=sum(self._losses.values()) / len(self._losses),
            elapsed_s=last.get("elapsed_s", 0.0),
            tokens_per_s=last.get("tokens_per_s", 0.0),
        )

    def _refuse_divergence(
        self, logs: Mapping[str, float], step: int, learning_rate: float
    ) -> None:
        loss, norm = float(logs["loss"]), float(logs.get("grad_norm", 0.0))
        mend = (
            f"Lower train.learning_rate (now {learning_rate:g}) or raise train.warmup_share, then "
            "run again."
        )
        if not (math.isfinite(loss) and math.isfinite(norm)):
            raise TrainingError(
                f"training diverged at step {step}: loss {loss}, gradient norm {norm}. {mend}"
            )
        before = [self._losses.get(one) for one in range(step - SPIKE_STEPS, step)]
        known = [one for one in before if one is not None]
        if self._max_loss_spike is None or len(known) < SPIKE_STEPS:
            return
        usual = sum(known) / SPIKE_STEPS
        if loss > self._max_loss_spike * usual:
            raise TrainingError(
                f"the loss jumped at step {step}: {loss:.4g}, where the {SPIKE_STEPS} steps before "
                f"had {usual:.4g} on average; train.max_loss_spike allows "
                f"{self._max_loss_spike:g} times that. {mend}"
            )

    def _line(self, logs: Mapping[str, float], state: TrainerState) -> Line:
        elapsed_s = self._elapsed_before + time.monotonic() - self._start
        tokens = int(state.num_input_tokens_seen)
        speed = tokens / max(elapsed_s, 1e-9)
        line: Line = {
            "step": state.global_step,
            "steps": state.max_steps,
            "loss": float(logs["loss"]),
            "learning_rate": float(logs["learning_rate"]),
            "grad_norm": float(logs.get("grad_norm", 0.0)),
            "tokens": tokens,
            "tokens_per_s": round(speed, 1),
            "elapsed_s": round(elapsed_s, 3),
            "memory_bytes": peak_bytes(),
        }
        if self._arithmetic:
            used = speed * self._arithmetic.token_flops / self._arithmetic.peak_flops
            line["mfu"] = round(used, 4)
        return line


@contextlib.contextmanager
def tensorboard(folder: Path, first_step: int) -> Iterator[Callable[[Line], None] | None]:
    """What writes a step's figures as TensorBoard reads them; None where it is not installed.

    What an earlier start wrote from `first_step` on is not shown.
    """
    if importlib.util.find_spec("tensorboard") is None:
        yield None
        return
    from torch.utils.tensorboard import SummaryWriter

    with storage_errors("write", folder):
        board: Any = SummaryWriter(str(folder), purge_step=first_step)

    def write(line: Line) -> None:
        for name in line.keys() - {"step", "steps"}:
            board.add_scalar(f"train/{name}", line[name], int(line["step"]))

    try:
        yield write
    finally:
        board.close()


def _read_lines(path: Path) -> list[Line]:
    """The whole lines of an earlier start; a last one that a kill cut off is left out."""
    if not path.is_file():
        return []
    lines: list[Line] = []
    for text in path.read_text(encoding="utf-8").splitlines():
        try:
            lines.append(json.loads(text))
        except json.JSONDecodeError:
            break
    return lines
