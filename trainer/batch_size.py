"""How many rows a forward pass takes: as the recipe says, or as many as memory does."""

import itertools
import weakref
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import ValidationError

from schemas.adapter import StepRows
from schemas.errors import ConfigError, StorageError, TrainingError
from schemas.train import AUTO_ROWS, Train
from trainer import processes
from trainer.files import write_text
from trainer.memory import available_bytes, is_out_of_memory
from trainer.order import Feed, Packs, lengths_of
from trainer.weights import first_line

RECORD = "step_rows.json"
"""In a run's folder: what its steps are made of, so that it goes on in the same way."""
GPU_SHARE = 0.92
"""Of the memory of a GPU that is free: what a trial may take; the rest is for what it did not
see."""
CPU_SHARE = 0.5
"""Of the memory that is available: what a forward pass may keep for the backward pass."""
OPTIMIZER_BYTES = {"adamw": 8, "adamw_8bit": 2, "paged_adamw_8bit": 2}
"""Per trained parameter: two moments."""

Batch = Mapping[str, torch.Tensor]
Loss = Callable[[Batch], torch.Tensor]
"""The loss of a batch as the training loop computes it."""


def step_rows(train: Train, folder: Path, find: Callable[[list[int]], int]) -> StepRows:
    """As it was when the run in `folder` began; noted there if it begins now.

    `find` chooses among the sizes that a batch may have, largest first, where the recipe leaves
    that open: those that divide the rows of a step, which are the same on every machine.

    Raises:
        ConfigError: the run was begun with another number of processes.
    """
    noted = noted_rows(folder)
    if noted is None:
        found = _chosen(train, find)
        processes.wait()  # all have looked for the note before it is there
        if processes.is_first():
            write_text(folder / RECORD, found.model_dump_json() + "\n")
        return found
    if noted.processes != processes.count():
        raise ConfigError(
            f"{folder} was begun with {noted.processes} processes, and now there are "
            f"{processes.count()}: its steps would have other rows. Launch as many as before, or "
            "delete the folder to begin anew."
        )
    return noted


def noted_rows(folder: Path) -> StepRows | None:
    """What the steps of the run in `folder` are made of; None where none was made yet.

    Raises:
        StorageError: the note cannot be read.
    """
    path = folder / RECORD
    try:
        return StepRows.model_validate_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        raise StorageError(
            f"{path} cannot be read: {first_line(error)}. It says what the run's steps are made "
            "of: delete the run's folder to begin anew."
        ) from None


def largest_that_fits(model: Any, feed: Feed, train: Train, loss: Loss, sizes: list[int]) -> int:
    """The first of `sizes` that memory takes, by trial on the longest row.

    On a GPU each size is tried, with what the optimizer will take held free. A CPU's memory has no
    edge that one can feel: there, what one row keeps for the backward pass is counted.

    Raises:
        TrainingError: not even one row fits.
    """
    row = longest(feed)

    def batch(size: int) -> Batch:
        device = next(model.parameters()).device
        return {key: one.to(device) for key, one in feed.collator([row] * size).items()}

    was_training = model.training
    model.train()
    try:
        if torch.cuda.is_available():
            return _first_that_runs(model, train, loss, batch, sizes)
        return _as_many_as_kept(model, loss, batch, sizes)
    finally:
        model.zero_grad(set_to_none=True)
        model.train(was_training)


def longest(feed: Feed) -> Any:
    """The longest row; of packs, the fullest among the first hundred of the first epoch."""
    if not isinstance(feed.data, Packs):
        return feed.data[int(np.argmax(lengths_of(feed.data)))]
    drawn: Iterator[Any] = iter(feed.order(1))
    packs = [feed.data[pack] for pack in itertools.islice(drawn, 100)]
    return max(packs, key=lambda pack: sum(len(row["input_ids"]) for row in pack))


def kept_bytes(model: Any, loss: Loss, batch: Batch) -> int:
    """What a forward pass keeps in memory for the backward pass, the model's own tensors aside."""
    own = {one.untyped_storage().data_ptr() for one in (*model.parameters(), *model.buffers())}
    saved: list[weakref.ref[torch.Tensor]] = []

    def note(tensor: torch.Tensor) -> torch.Tensor:
        saved.append(weakref.ref(tensor))
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        graph = loss(batch)  # held until all is counted, and with it what it keeps
    alive = [tensor.untyped_storage() for one in saved if (tensor := one()) is not None]
    kept = {storage.data_ptr(): storage.nbytes() for storage in alive}
    del graph
    return sum(size for place, size in kept.items() if place not in own)


def _chosen(train: Train, find: Callable[[list[int]], int]) -> StepRows:
    if train.batch_size != "auto":
        return _rows(train.batch_size, train.gradient_accumulation)
    rows = AUTO_ROWS * train.gradient_accumulation
    size = processes.smallest(find([size for size in range(rows, 0, -1) if rows % size == 0]))
    return _rows(size, rows // size)


def _rows(batch_size: int, accumulation: int) -> StepRows:
    return StepRows(batch_size=batch_size, accumulation=accumulation, processes=processes.count())


def _first_that_runs(
    model: Any, train: Train, loss: Loss, batch: Callable[[int], Batch], sizes: list[int]
) -> int:
    learning = sum(one.numel() for one in model.parameters() if one.requires_grad)
    each = OPTIMIZER_BYTES[train.optimizer] + (4 if processes.count() > 1 else 0)
    free, _ = torch.cuda.mem_get_info()
    bound = GPU_SHARE * (free + torch.cuda.memory_reserved())
    held = torch.empty(learning * each, dtype=torch.uint8, device="cuda")
    for size in sizes:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        if _runs(model, loss, batch, size) and torch.cuda.max_memory_reserved() <= bound:
            del held
            torch.cuda.empty_cache()
            return size
    raise TrainingError(
        "train.batch_size auto: not even one row fits into the GPU's memory. Lower "
        "train.max_tokens, set train.gradient_checkpointing to on, or train.quantize to nf4."
    )


def _runs(model: Any, loss: Loss, batch: Callable[[int], Batch], size: int) -> bool:
    try:
        loss(batch(size)).backward()  # type: ignore[no-untyped-call]
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        return False
    finally:
        model.zero_grad(set_to_none=True)
    return True


def _as_many_as_kept(
    model: Any, loss: Loss, batch: Callable[[int], Batch], sizes: list[int]
) -> int:
    row = max(1, kept_bytes(model, loss, batch(1)))
    bound = CPU_SHARE * available_bytes() / row / processes.count()
    return next((size for size in sizes if size <= bound), sizes[-1])
