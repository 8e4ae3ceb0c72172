"""Two users of one lake: programs that run as a user of their own, which only root may start."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
GROUP = 54321
_BECOME = """
import encodings.ascii, os, sys  # all of it now: the interpreter may lie in a home of its own
from tasks.corpora import tidy
from tasks.history.leases import removing, using
from tasks.lake import Lake
from schemas.errors import StorageError
os.setgroups([])
os.setgid({group})
os.setuid({user})
os.umask(0o002)
lake = Lake(sys.argv[1])
"""


@pytest.fixture
def shared() -> Iterator[Path]:
    """A lake's folder that every user of one group may write to."""
    if os.geteuid() != 0:
        pytest.skip("working as two users needs root")
    place = Path(tempfile.mkdtemp(prefix="winnow-shared-"))
    place.chmod(0o711)
    try:
        lake = place / "lake"
        lake.mkdir()
        os.chown(lake, 0, GROUP)
        lake.chmod(0o2775)
        yield lake
    finally:
        shutil.rmtree(place)


def started(user: int, lake: Path, code: str) -> subprocess.Popen[str]:
    """A program that works with this `lake` as that user, until its standard input ends."""
    program = _BECOME.format(group=GROUP, user=user) + code
    return subprocess.Popen(
        [sys.executable, "-c", program, str(lake)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def said(user: int, lake: Path, code: str) -> str:
    """What such a program prints, errors too."""
    return started(user, lake, code).communicate(timeout=60)[0].strip()
