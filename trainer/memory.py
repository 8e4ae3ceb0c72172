"""Memory: what there is, what this process took, and how its end is told."""

import contextlib
import os
import re
import resource
from collections.abc import Iterator
from pathlib import Path

import torch

from schemas.errors import TrainingError
from trainer.weights import first_line

_PROC = Path("/proc/meminfo")
_GROUP = Path("/sys/fs/cgroup")
_EXHAUSTED = ("can't allocate memory", "cannot allocate memory", "out of memory")


def available_bytes() -> int:
    """What this process may still take of the machine's memory, its container's limit heeded."""
    group = _group_bytes(_GROUP)
    machine = _machine_bytes(_PROC)
    return machine if group is None else min(machine, group)


def peak_bytes() -> int:
    """The most memory that this process has taken: of its GPU, else of the machine."""
    if torch.cuda.is_available():
        return int(torch.cuda.max_memory_allocated())
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def is_out_of_memory(error: BaseException) -> bool:
    """Whether it says that memory ran out, on whatever device."""
    if isinstance(error, MemoryError | torch.cuda.OutOfMemoryError):
        return True
    said = str(error).lower()
    return any(words in said for words in _EXHAUSTED)


@contextlib.contextmanager
def memory_errors(what: str, mend: str) -> Iterator[None]:
    """Turn the end of memory within into a TrainingError: `what` went on, `mend` is the next step.

    On a CPU torch tells of it by a plain RuntimeError.
    """
    try:
        yield
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        raise TrainingError(f"memory ran out while {what}: {first_line(error)}. {mend}") from None


def _machine_bytes(proc: Path) -> int:
    """Free memory and what the system can have back at once; half of all where it does not say."""
    if proc.is_file():
        found = re.search(r"^MemAvailable:\s+(\d+) kB", proc.read_text("utf-8"), re.MULTILINE)
        if found:
            return int(found[1]) * 1024
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2


def _group_bytes(group: Path) -> int | None:
    """What a control group (version 2) leaves; None where there is no limit."""
    try:
        limit = (group / "memory.max").read_text("utf-8").strip()
        used = int((group / "memory.current").read_text("utf-8"))
        caches = re.search(
            r"^inactive_file (\d+)", (group / "memory.stat").read_text("utf-8"), re.MULTILINE
        )
    except OSError:
        return None
    if not limit.isdigit():
        return None
    return max(0, int(limit) - used + (int(caches[1]) if caches else 0))
