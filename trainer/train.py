"""The training loop: transformers' Trainer, with our labels, order, loss and checkpoints."""

import contextlib
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from transformers import (
    PreTrainedModel,
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainerState,
    TrainingArguments,
)

from schemas.adapter import StepRows
from schemas.errors import StorageError, TrainingError
from schemas.train import Train
from trainer import checkpoint, processes
from trainer.arguments import (
    apply_liger,
    recomputes_activations,
    say_optimizer,
    training_arguments,
)
from trainer.batch_size import RECORD, Batch, largest_that_fits, step_rows
from trainer.batches import seen_tokens
from trainer.files import METRICS, storage_errors
from trainer.flops import peak_flops, token_flops
from trainer.head import Head
from trainer.labels import IGNORED
from trainer.memory import is_out_of_memory
from trainer.metrics import TENSORBOARD, Arithmetic, Line, Metrics, Trained, tensorboard
from trainer.model import wants_bf16
from trainer.order import Feed
from trainer.progress import Progress
from trainer.saved import ONE_FILE, restore
from trainer.stopping import Stopping
from trainer.weights import first_line

CHECKPOINTS = "checkpoints"
Offer = Callable[[Trained, int], None]
"""Called after each checkpoint with what the run has come to, and the steps that it will have."""


def train_adapter(
    model: PeftModel | PreTrainedModel,
    feed: Feed,
    train: Train,
    seed: int,
    folder: Path,
    progress: Progress,
    offer: Offer | None = None,
) -> Trained:
    """Train the adapter of `model` in place, from the newest complete checkpoint in `folder`.

    `folder` gets `checkpoints/`, `metrics.jsonl`, `step_rows.json` and, where TensorBoard is
    installed, `tensorboard/`. On one machine, a run that was killed and went on ends with the same
    adapter as one that was not. Of a launch of several processes, all call this; `offer` is the
    first one's.

    Raises:
        ConfigError: the run cannot go on in this way on this machine.
        TrainingError: the loss is no longer a number or jumped, memory ran out, or a signal came.
        StorageError: a checkpoint cannot be written.
    """
    found = checkpoint.newest(folder / CHECKPOINTS)
    if found and found.is_last:
        restore(model, found.folder)
        return Metrics(folder / METRICS, found.losses, progress.step).summary()
    if processes.is_first():
        checkpoint.clear_torn(folder / CHECKPOINTS)
    loop = _Loop(model, feed, train, seed, folder, progress, offer)
    return loop.run(found)


def restore_last(model: Any, folder: Path) -> None:
    """Give a new model the weights with which the finished loop of a run ended."""
    found = checkpoint.newest(folder / CHECKPOINTS)
    if found is None or not found.is_last:
        raise StorageError(f"{folder}: its last checkpoint is gone. Run the same command again.")
    restore(model, found.folder)


def start_over(folder: Path) -> None:
    """Leave nothing of the loop in a run's folder (raises StorageError)."""
    with storage_errors("write", folder):
        for name in (METRICS, RECORD):
            (folder / name).unlink(missing_ok=True)
    for name in (CHECKPOINTS, TENSORBOARD):
        shutil.rmtree(folder / name, ignore_errors=True)


@dataclass
class _Loop:
    model: Any
    feed: Feed
    train: Train
    seed: int
    folder: Path
    progress: Progress
    offer: Offer | None = None

    def run(self, found: checkpoint.Checkpoint | None) -> Trained:
        apply_liger(self.model, self.train, self.progress.say)
        say_optimizer(self.train, self.progress.say)
        head = Head(self.model, processes.is_sharded())
        with _recomputing(self.model, self.train), head.installed(), self._board(found) as board:
            rows = self._step_rows(head)
            metrics = self._metrics(found, board)
            stopping = Stopping()
            trainer = _Trainer(
                model=self.model,
                args=training_arguments(self.train, rows, self.seed, self.folder / CHECKPOINTS),
                feed=self.feed,
                rows=rows,
                head=head,
                callbacks=[metrics, stopping, self._sealing(metrics)],
            )
            if not processes.is_first():
                torch.manual_seed(self.seed + processes.rank())  # other dropout than the first's
            with stopping.listening(), self._told_errors(rows):
                trainer.train(resume_from_checkpoint=str(found.folder) if found else None)
        stopping.refuse_going_on()
        return metrics.summary()

    def _sealing(self, metrics: Metrics) -> "_Sealing":
        offer = self.offer

        def offered(steps: int) -> None:
            if offer is not None:
                offer(metrics.summary(), steps)

        return _Sealing(self.train.keep_checkpoints, offered)

    @contextlib.contextmanager
    def _board(self, found: checkpoint.Checkpoint | None) -> Iterator[Any]:
        if not processes.is_first():
            yield None
            return
        with tensorboard(self.folder / TENSORBOARD, (found.step if found else 0) + 1) as board:
            if board is None:
                self.progress.say(f"no TensorBoard here (pip install tensorboard): see {METRICS}")
            yield board

    def _step_rows(self, head: Head) -> StepRows:
        bf16 = wants_bf16(self.train)

        def loss(batch: Batch) -> torch.Tensor:
            given = dict(batch)
            labels = given.pop("labels")
            kind = next(self.model.parameters()).device.type
            with torch.autocast(kind, torch.bfloat16, enabled=bf16), head.over(labels):
                return head.loss(self.model(**given), labels)

        rows = step_rows(
            self.train,
            self.folder,
            lambda sizes: largest_that_fits(self.model, self.feed, self.train, loss, sizes),
        )
        if self.train.batch_size == "auto":
            self.progress.say(
                f"batches of {rows.batch_size}, {rows.accumulation} to an optimizer step"
            )
        return rows

    def _metrics(self, found: checkpoint.Checkpoint | None, board: Any) -> Metrics:
        peak = peak_flops()
        arithmetic = peak and Arithmetic(token_flops(self.model), peak * processes.count())

        def report(line: Line, steps: int) -> None:
            self.progress.step(line, steps)
            if board is not None:
                board(line)

        losses = found.losses if found else {}
        return Metrics(
            self.folder / METRICS, losses, report, self.train.max_loss_spike, arithmetic or None
        )

    @contextlib.contextmanager
    def _told_errors(self, rows: StepRows) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            fault = checkpoint.write_fault(error)
            if fault:
                raise StorageError(
                    f"cannot write the run {self.folder}: {fault}. Free some space and run the "
                    "same command again; it continues from the last checkpoint."
                ) from error
            if self.train.compile and type(error).__module__.startswith("torch._"):
                raise TrainingError(
                    f"train.compile: torch cannot compile this model here ({first_line(error)}). "
                    "Set train.compile to false, which computes the same."
                ) from error
            if not is_out_of_memory(error):
                raise
            raise TrainingError(
                f"memory ran out with batches of {rows.batch_size} rows of up to "
                f"{self.train.max_tokens} tokens. Halve train.batch_size and double "
                "gradient_accumulation (the result is the same), set gradient_checkpointing to on, "
                "or lower max_tokens."
            ) from error


class _Sealing(TrainerCallback):
    """Seals each checkpoint once all of it is written, lets the oldest go, and then offers it."""

    def __init__(self, keep: int, offered: Callable[[int], None]) -> None:
        self._keep = keep
        self._offered = offered

    def on_save(self, args: TrainingArguments, state: TrainerState, *_: Any, **__: Any) -> None:
        processes.wait()  # each of them writes its own random state
        if not processes.is_first():
            return
        folder = Path(str(args.output_dir))
        checkpoint.seal(folder / f"checkpoint-{state.global_step}")
        checkpoint.prune(folder, self._keep)
        self._offered(state.max_steps)


class _Trainer(Trainer):
    """Takes what it is fed in its order, and saves without asking the Hub anything."""

    def __init__(self, feed: Feed, rows: StepRows, head: Head, **arguments: Any) -> None:
        super().__init__(
            train_dataset=feed.data,
            data_collator=feed.collator,
            compute_loss_func=self._mean_token_loss,
            **arguments,
        )
        self.remove_callback(PrinterCallback)
        self._feed = feed
        self._rows = rows
        self._head = head

    def compute_loss(self, model: Any, inputs: Any, *rest: Any, **named: Any) -> Any:
        with self._head.over(inputs["labels"]):
            return super().compute_loss(model, inputs, *rest, **named)

    def _mean_token_loss(
        self,
        outputs: Any,
        labels: torch.Tensor,
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> torch.Tensor:
        """The loss per labelled token of the whole optimizer step, whatever the batches within it.

        `num_items_in_batch` counts those of all processes.
        """
        items = num_items_in_batch
        if items is None:
            items = (labels[:, 1:] != IGNORED).sum()
        return self._head.loss(outputs, labels) / items

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        model: Any = self.accelerator.unwrap_model(self.model, keep_torch_compile=False)
        whole = {} if isinstance(model, PeftModel) else {"max_shard_size": ONE_FILE}
        adapter = {"save_embedding_layers": False} if isinstance(model, PeftModel) else {}
        model.save_pretrained(
            output_dir or self.args.output_dir, state_dict=state_dict, **whole, **adapter
        )

    def _get_train_sampler(self, train_dataset: Any = None) -> Any:  # noqa: ARG002
        return self._feed.order(self._rows.rows)

    def _track_num_input_tokens(self, inputs: dict[str, torch.Tensor]) -> None:
        tokens = torch.tensor(seen_tokens(inputs), device=self.args.device)
        self.state.num_input_tokens_seen += int(self.accelerator.gather(tokens).sum())


@contextlib.contextmanager
def _recomputing(model: Any, train: Train) -> Iterator[None]:
    """Activations are computed again in the backward pass, within and where the recipe says so."""
    if not recomputes_activations(train):
        yield
        return
    model.activation_checkpointing_enable(activation_checkpointing_kwargs={"use_reentrant": False})
    try:
        yield
    finally:
        model.activation_checkpointing_disable()
