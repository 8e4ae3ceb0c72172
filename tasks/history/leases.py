"""Leases: who works with the lake's stages and versions just now, so that none in use is removed.

Whoever needs files to stay writes a lease first and then looks whether anybody removes some;
whoever removes files does the same the other way round. So of two that begin at the same moment at
least one sees the other, on a folder and in a bucket alike.

A lease is an empty file: its name says who holds it. So there is room for it on a full disk, which
is where files have to be removed. Its holder has a scratch folder as well, held by a lock: whoever
works under the same kernel and on the same disk sees by that whether the holder lives, in whatever
container it runs. So does this very host, after it was started anew. Of others nothing is known
but how old the lease is.
"""

import contextlib
import functools
import inspect
import os
import platform
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple, ParamSpec, TypeVar

from schemas.digests import digest_of
from schemas.errors import StorageError
from tasks.claims import machine
from tasks.lake import Lake, is_locked

P = ParamSpec("P")
R = TypeVar("R")
USES, REMOVES = "leases/uses", "leases/removes"
ENDS_AFTER_S = 48 * 3600
"""A holder on another machine that was killed cannot say so; no refresh takes that long."""
PATIENCE_S = 600.0
ASK_AGAIN_S = 0.5
_BOOT = Path("/proc/sys/kernel/random/boot_id")
"""Which start of which kernel this is; alike in all containers of a host."""
_NAME = re.compile(
    r"(?P<scratch>winnow-\w+)-(?P<process>[0-9]+)-(?P<disk>[0-9a-z]+)"
    r"(?:\.(?P<locks>[0-9a-f]{12}))?-(?P<host>[\w.-]*)",
    flags=re.ASCII,
)


class Lease(NamedTuple):
    """One lease: the scratch folder that is held for it, on which disk, by whom.

    `locks` names kernel and disk: whoever finds the same sees the locks of its holder. It is empty
    where that cannot be told.
    """

    scratch: str
    process: int
    disk: str
    host: str
    locks: str = ""

    @classmethod
    def of(cls, lake: Lake, scratch: Path) -> "Lease":
        """The lease of this process that this scratch folder is held for."""
        return cls(scratch.name, os.getpid(), _disk(lake), _here(), _locks(lake))

    @classmethod
    def read(cls, name: str) -> "Lease | None":
        """The lease that a file of this name is, None if it is none."""
        found = _NAME.fullmatch(name)
        if found is None:
            return None
        scratch, process, disk, locks, host = found.groups(default="")
        return cls(scratch, int(process), disk, host, locks)

    @property
    def name(self) -> str:
        """The name of its file, which no other lease has."""
        disk = f"{self.disk}.{self.locks}" if self.locks else self.disk
        return f"{self.scratch}-{self.process}-{disk}-{self.host}"

    def is_over(self, lake: Lake, age_s: float) -> bool:
        """Whether its holder is gone; by the lease's age alone where its lock is not to be seen.

        Not every network share passes locks on, so that one is believed of this host alone, and of
        containers under one kernel on one disk. The clock may leap while processes work, and ends
        no lease of which the lock is seen.
        """
        here = (self.disk, self.host) == (_disk(lake), _here())
        if here or (self.locks and self.locks == _locks(lake)):
            locked = is_locked(lake.disk / "tmp" / self.scratch)
            if locked is not None:
                return not locked
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
def reading(lake: Lake) -> Iterator[None]:
    """As `using`, for who only reads: in a lake that cannot be written to there is no lease."""
    with contextlib.ExitStack() as held:
        with contextlib.suppress(_NoLease):
            held.enter_context(using(lake))
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


class _NoLease(StorageError):
    """A lease could not be written."""


@contextlib.contextmanager
def _held(lake: Lake, folder: str) -> Iterator[str]:
    with contextlib.ExitStack() as held:
        try:
            scratch = held.enter_context(lake.scratch())
            key = f"{folder}/{Lease.of(lake, scratch).name}"
            lake.create(key, b"")
        except StorageError as error:
            raise _NoLease(str(error)) from error
        try:
            yield key
        finally:
            lake.delete([key])


def _holder(lake: Lake, folder: str, but: str = "") -> str | None:
    """Somebody who holds a lease in that folder, in words; leases that are over are removed."""
    others = [entry for entry in lake.entries(folder) if entry.key != but]
    now = lake.now() if others else 0.0
    for entry in others:
        age_s, lease = now - entry.modified_at, Lease.read(entry.key.rsplit("/", 1)[-1])
        if lease.is_over(lake, age_s) if lease else age_s > ENDS_AFTER_S:
            lake.delete([entry.key])
            continue
        # another Winnow may name its leases otherwise
        return f"process {lease.process} on {lease.host}" if lease else lake.at(entry.key)
    return None


def _disk(lake: Lake) -> str:
    """A name for the disk with the scratch folders of a lake, alike for all who work on it."""
    return "folder" if lake.folder is not None else machine(lake)


def _locks(lake: Lake) -> str:
    """A name for this kernel and the disk of a lake's scratch folders, which keep their locks.

    Under one kernel a disk has one number, whoever mounts what of it where. Empty where the system
    says none.
    """
    with contextlib.suppress(OSError, UnicodeDecodeError):
        status = (lake.disk / "tmp").stat()
        boot = _BOOT.read_text(encoding="ascii").strip()
        return digest_of([boot, status.st_dev, status.st_ino])[:12]
    return ""


def _here() -> str:
    """This host's name, as far as a key may hold it."""
    return re.sub(r"[^\w.-]", "_", platform.node(), flags=re.ASCII)
