"""The processes of a run that `torchrun` or `accelerate launch` began on one machine.

The first leads: it alone measures, reports, writes and pushes. The others do their share of every
optimizer step. Without a launcher there is one process, and none of this does anything.
"""

import os
from datetime import timedelta

PATIENCE = timedelta(hours=24)
"""How long the others wait while the first tokenizes or evaluates."""


def count() -> int:
    """How many processes share the run."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def rank() -> int:
    """The number of this process, from 0."""
    return int(os.environ.get("RANK", "0"))


def is_first() -> bool:
    """Whether this process is the one that leads."""
    return rank() == 0


def is_sharded() -> bool:
    """Whether accelerate was told to spread the model over the processes (FSDP)."""
    return count() > 1 and os.environ.get("ACCELERATE_USE_FSDP", "").lower() == "true"


def join() -> None:
    """Meet the others, each on a device of its own; returns when all have called it.

    Comes before any function below.
    """
    if count() == 1:
        return
    import torch
    from accelerate import PartialState

    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    PartialState(cpu=not torch.cuda.is_available(), timeout=PATIENCE)


def told(text: str | None = None) -> str | None:
    """What the first process says here; None means that there is nothing to share: all part."""
    if count() == 1:
        return text
    from torch import distributed

    said = [text]
    distributed.broadcast_object_list(said)
    if said[0] is None:
        leave()
    return said[0]


def any_of(value: bool) -> bool:
    """Whether it holds for one process at least; all have to ask."""
    return bool(_agreed(int(value), smallest=False))


def smallest(value: int) -> int:
    """The smallest that any of the processes gave; all have to ask."""
    return _agreed(value, smallest=True)


def wait() -> None:
    """Return when every process has called this."""
    smallest(0)


def leave() -> None:
    """End the meeting; the first process is alone from now on."""
    if count() == 1:
        return
    import torch.distributed

    if torch.distributed.is_initialized():
        wait()
        torch.distributed.destroy_process_group()


def _agreed(value: int, smallest: bool) -> int:
    if count() == 1:
        return value
    import torch
    from torch import distributed

    device = "cuda" if torch.cuda.is_available() else "cpu"
    held = torch.tensor([value], dtype=torch.int64, device=device)
    distributed.all_reduce(held, distributed.ReduceOp.MIN if smallest else distributed.ReduceOp.MAX)
    return int(held.item())
