"""The training loop: transformers' Trainer, with our labels, order, loss and checkpoints."""

import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from peft import PeftModel, set_peft_model_state_dict
from safetensors.torch import load_file
from transformers import (
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)

from schemas.errors import StorageError, TrainingError
from schemas.train import Train
from trainer import checkpoint
from trainer.batches import LengthGroupedOrder, PaddingCollator, token_loss
from trainer.files import WEIGHTS, storage_errors
from trainer.model import wants_bf16

CHECKPOINTS = "checkpoints"
METRICS = "metrics.jsonl"

Line = dict[str, float]
"""One step of `metrics.jsonl`: step, loss, learning_rate, grad_norm, tokens, tokens_per_s,
elapsed_s; the last three over the whole run so far."""

Report = Callable[[Line, int], None]
"""Called after every step with its metrics and the number of steps that there will be."""


@dataclass(frozen=True)
class Trained:
    """What the loop did: the whole run's figures, over all its starts."""

    steps: int
    train_loss: float
    elapsed_s: float
    tokens_per_s: float


def train_adapter(
    model: PeftModel,
    rows: Dataset,
    train: Train,
    seed: int,
    collator: PaddingCollator,
    folder: Path,
    report: Report,
) -> Trained:
    """Train the adapter of `model` in place, from the newest complete checkpoint in `folder`.

    `folder` gets `checkpoints/` and `metrics.jsonl`. On one machine, a run that was killed and went
    on ends with the same adapter as one that was not.

    Raises:
        TrainingError: the loss is no longer a number, or memory ran out.
        StorageError: a checkpoint cannot be written.
    """
    checkpoints = folder / CHECKPOINTS
    found = checkpoint.newest(checkpoints)
    metrics = Metrics(folder / METRICS, found.losses if found else {}, report)
    if found and found.is_last:
        set_peft_model_state_dict(model, load_file(found.folder / WEIGHTS))
    else:
        trainer = _LoraTrainer(
            model=model,
            args=_arguments(train, seed, checkpoints),
            train_dataset=rows,
            data_collator=collator,
            compute_loss_func=_mean_token_loss,
            callbacks=[metrics, _Sealing(train.keep_checkpoints)],
        )
        trainer.remove_callback(PrinterCallback)
        _run(trainer, found, train)
    return metrics.summary()


class Metrics(TrainerCallback):
    """Writes `metrics.jsonl`, a line per step, and stops a run whose loss is no number."""

    def __init__(self, path: Path, losses: dict[int, float], report: Report) -> None:
        """Go on after the steps of `losses`, which the checkpoint remembers.

        Lines of later steps are done again. Lines that were lost are not made up: of those steps
        only the losses count.
        """
        self._path = path
        self._report = report
        self._losses = dict(losses)
        self._lines = [line for line in _read_lines(path) if line["step"] in losses]
        self._elapsed_before = self._lines[-1]["elapsed_s"] if self._lines else 0.0
        self._start = time.monotonic()
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
        """Append one step's line (raises TrainingError on a loss that is not finite)."""
        if not logs or "loss" not in logs:
            return
        loss, norm = float(logs["loss"]), float(logs.get("grad_norm", 0.0))
        if not (math.isfinite(loss) and math.isfinite(norm)):
            raise TrainingError(
                f"training diverged at step {state.global_step}: loss {loss}, gradient norm "
                f"{norm}. Lower train.learning_rate (now {args.learning_rate:g}) or raise "
                "train.warmup_share, then run again."
            )
        elapsed_s = self._elapsed_before + time.monotonic() - self._start
        line: Line = {
            "step": state.global_step,
            "loss": loss,
            "learning_rate": float(logs["learning_rate"]),
            "grad_norm": norm,
            "tokens": int(state.num_input_tokens_seen),
            "tokens_per_s": round(int(state.num_input_tokens_seen) / max(elapsed_s, 1e-9), 1),
            "elapsed_s": round(elapsed_s, 3),
        }
        self._losses[state.global_step] = loss
        self._lines.append(line)
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


class _Sealing(TrainerCallback):
    """Seals each checkpoint once all of it is written, then lets the oldest go."""

    def __init__(self, keep: int) -> None:
        self._keep = keep

    def on_save(self, args: TrainingArguments, state: TrainerState, *_: Any, **__: Any) -> None:
        folder = Path(str(args.output_dir))
        checkpoint.seal(folder / f"checkpoint-{state.global_step}")
        checkpoint.prune(folder, self._keep)


class _LoraTrainer(Trainer):
    """Takes conversations in `LengthGroupedOrder`, and saves without asking the Hub anything."""

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        model: Any = self.model
        model.save_pretrained(
            output_dir or self.args.output_dir, state_dict=state_dict, save_embedding_layers=False
        )

    def _get_train_sampler(self, train_dataset: Dataset | None = None) -> LengthGroupedOrder:
        rows: Any = self.train_dataset if train_dataset is None else train_dataset
        batch_rows = self.args.train_batch_size * self.args.gradient_accumulation_steps
        return LengthGroupedOrder(np.asarray(rows["length"][:]), batch_rows, self.args.seed)


def _mean_token_loss(
    outputs: Any, labels: torch.Tensor, num_items_in_batch: torch.Tensor | int | None = None
) -> torch.Tensor:
    """The loss per labelled token of the whole optimizer step, whatever the batches within it."""
    items = num_items_in_batch if num_items_in_batch is not None else (labels[:, 1:] >= 0).sum()
    return token_loss(outputs, labels) / items


def _arguments(train: Train, seed: int, folder: Path) -> TrainingArguments:
    bf16 = wants_bf16(train)
    return TrainingArguments(
        output_dir=str(folder),
        seed=seed,
        data_seed=seed,
        max_steps=train.max_steps,
        num_train_epochs=train.epochs,
        per_device_train_batch_size=train.batch_size,
        gradient_accumulation_steps=train.gradient_accumulation,
        learning_rate=train.learning_rate,
        lr_scheduler_type=train.schedule,
        warmup_steps=train.warmup_share if train.warmup_share < 1 else 0.999,
        weight_decay=train.weight_decay,
        max_grad_norm=train.max_grad_norm,
        bf16=bf16,
        use_cpu=not torch.cuda.is_available(),
        save_strategy="steps",
        save_steps=train.save_steps,
        save_total_limit=None,  # `_Sealing` deletes, after the new one is whole
        logging_strategy="steps",
        logging_steps=1,
        logging_nan_inf_filter=False,
        include_num_input_tokens_seen="non_padding",
        remove_unused_columns=False,
        dataloader_pin_memory=torch.cuda.is_available(),
        disable_tqdm=True,
        report_to="none",
    )


def _run(trainer: Trainer, found: checkpoint.Checkpoint | None, train: Train) -> None:
    try:
        trainer.train(resume_from_checkpoint=str(found.folder) if found else None)
    except OSError as error:
        raise StorageError(
            f"cannot write the run {trainer.args.output_dir}: {error.strerror or error}. Free some "
            "space and run the same command again; it continues from the last checkpoint."
        ) from error
    except (MemoryError, RuntimeError) as error:
        if not _is_out_of_memory(error):
            raise
        raise TrainingError(
            f"memory ran out with train.batch_size {train.batch_size} and train.max_tokens "
            f"{train.max_tokens}. Halve batch_size and double gradient_accumulation (the result "
            "is the same), or lower max_tokens."
        ) from error


def _is_out_of_memory(error: BaseException) -> bool:
    if isinstance(error, MemoryError | torch.cuda.OutOfMemoryError):
        return True
    return "can't allocate memory" in str(error) or "out of memory" in str(error).lower()


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
