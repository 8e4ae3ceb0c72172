"""Leases: who works with the lake's stages and versions just now, so that none in use is removed.

Whoever needs files to stay writes a lease first and then looks whether anybody removes some;
whoever removes files does the same the other way round. So of two that begin at the same moment at
least one sees the other, on a folder and in a bucket alike.

A lease is an empty file: its name says who holds it. So there is room for it on a full disk, which
is where files have to be removed.
"""

import contextlib
import functools
import inspect
import os
import platform
import re
import time
import uuid
from collections.abc import Callable, Iterator
from typing import NamedTuple, ParamSpec, TypeVar

from schemas.errors import StorageError
from tasks.lake import Lake

P = ParamSpec("P")
R = TypeVar("R")
USES, REMOVES = "leases/uses", "leases/removes"
ENDS_AFTER_S = 48 * 3600
"""A holder on another machine that was killed cannot say so; no refresh takes that long."""
PATIENCE_S = 600.0
ASK_AGAIN_S = 0.5
_NAME = re.compile(r"[0-9a-f]{32}-(?P<process>[0-9]+)-(?P<started>[0-9]*)-(?P<host>[\w.-]*)")


class Lease(NamedTuple):
    """One lease: the process that holds it, by its number and its host's own count of time."""

    host: str
    process: int
    started: str

    @classmethod
    def of_this_process(cls) -> "Lease":
        """What this process may hold."""
        return cls(_here(), os.getpid(), _started(os.getpid()) or "")

    @classmethod
    def read(cls, name: str) -> "Lease | None":
        """The lease that a file of this name is, None if it is none."""
        found = _NAME.fullmatch(name)
        return cls(found["host"], int(found["process"]), found["started"]) if found else None

    @property
    def new_name(self) -> str:
        """A name that no other file has."""
        return f"{uuid.uuid4().hex}-{self.process}-{self.started}-{self.host}"

    def is_over(self, age_s: float) -> bool:
        """Whether its holder is gone; of another host's nothing is known but the lease's age.

        The clock of this host may leap while its own processes work, and ends no lease of theirs.
        """
        if self.host == _here():
            return _started(self.process) != self.started
        return age_s > ENDS_AFTER_S


def leased(flow: Callable[P, R]) -> Callable[P, R]:
    """The same function of a `lake` (its URI), which holds a lease on it while it runs."""
    signature = inspect.signature(flow)

    @functools.wraps(flow)
    def holding(*arguments: P.args, **named: P.kwargs) -> R:
        bound = signature.bind(*arguments, **named)
        bound.apply_defaults()
        with using(Lake(str(bound.arguments["lake"]))):
            return flow(*arguments, **named)

    return holding


@contextlib.contextmanager
def using(lake: Lake, patience_s: float = PATIENCE_S) -> Iterator[None]:
    """Have nothing removed while the block runs; waits for whoever removes something now.

    Raises:
        StorageError: somebody still removes files after `patience_s`.
    """
    with _held(lake, USES):
        waiting_since = time.monotonic()
        while holder := _holder(lake, REMOVES):
            if time.monotonic() - waiting_since > patience_s:
                raise StorageError(
                    f"{lake.uri}: {holder} has been removing files for {patience_s:g} s. Wait for "
                    f"it to end; if it was killed, remove {lake.at(REMOVES)}."
                )
            time.sleep(ASK_AGAIN_S)
        yield


@contextlib.contextmanager
def removing(lake: Lake) -> Iterator[None]:
    """Remove files while the block runs; raises StorageError while somebody uses the lake."""
    with _held(lake, REMOVES) as mine:
        for folder in (USES, REMOVES):
            holder = _holder(lake, folder, but=mine)
            if holder:
                raise StorageError(
                    f"{lake.uri} is in use by {holder}: nothing was removed. Run it again when "
                    f"that is done; if it was killed there, remove {lake.at(folder)}."
                )
        yield


@contextlib.contextmanager
def _held(lake: Lake, folder: str) -> Iterator[str]:
    key = f"{folder}/{Lease.of_this_process().new_name}"
    lake.create(key, b"")
    try:
        yield key
    finally:
        lake.delete([key])


def _holder(lake: Lake, folder: str, but: str = "") -> str | None:
    """Somebody who holds a lease in that folder, in words; leases that are over are removed."""
    others = [entry for entry in lake.entries(folder) if entry.key != but]
    now = lake.now() if others else 0.0
    for entry in others:
        lease = Lease.read(entry.key.rsplit("/", 1)[-1])
        if lease is None or lease.is_over(now - entry.modified_at):
            lake.delete([entry.key])
            continue
        return f"process {lease.process} on {lease.host}"
    return None


def _here() -> str:
    """This host's name, as far as a key may hold it."""
    return re.sub(r"[^\w.-]", "_", platform.node(), flags=re.ASCII)


def _started(process: int) -> str | None:
    """When a process of this machine began, None if there is none; numbers come round again."""
    try:
        with open(f"/proc/{process}/stat", encoding="utf-8") as status:
            return status.read().rpartition(")")[2].split()[19]
    except OSError:
        pass
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return None
    except OSError:
        return ""
    return ""
