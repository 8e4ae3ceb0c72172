"""Disks of their own for tests: small, full, read-only. They are mounted, and so ask for root."""

import contextlib
import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ParamSpec, TypeVar

import pytest

P = ParamSpec("P")
R = TypeVar("R")
BLOCK = bytes(4096)


@dataclass(frozen=True)
class Disk:
    """A file system in memory, mounted at `path`."""

    path: Path

    def fill(self) -> None:
        """Leave no room for a single byte."""
        ballast = (self.path / "ballast").open("ab", buffering=0)
        with ballast, contextlib.suppress(OSError):
            while ballast.write(BLOCK):
                pass

    def free(self) -> None:
        """Have room again."""
        (self.path / "ballast").unlink(missing_ok=True)

    def remount(self, option: str) -> None:
        """Mount it again with an option: `ro`, `rw`, or `size=1m`."""
        subprocess.run(["mount", "-o", f"remount,{option}", str(self.path)], check=True)

    def full_before(self, work: Callable[P, R]) -> Callable[P, R]:
        """The same function, at whose begin the disk fills up."""

        def on_a_full_disk(*arguments: P.args, **named: P.kwargs) -> R:
            self.fill()
            return work(*arguments, **named)

        return on_a_full_disk


@contextlib.contextmanager
def mounted(path: Path, size: str = "64m") -> Iterator[Disk]:
    """A disk of that size at a new folder; skips the test where nothing may be mounted."""
    path.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(path)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small file system needs root")
    try:
        yield Disk(path)
    finally:
        subprocess.run(["umount", "--lazy", str(path)], check=True)
