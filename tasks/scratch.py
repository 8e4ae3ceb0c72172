"""Scratch folders: held by a lock while their process lives, by which a dead one's are told."""

import atexit
import contextlib
import fcntl
import functools
import shutil
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import IO

HELD = ".held"
SETTLING_S = 60  # between making a scratch folder and holding it pass milliseconds
SEEN_BY_ALL = 0o711  # other users of a lake see whether it is held, and list nothing of it
READ_BY_ALL = 0o644


@contextlib.contextmanager
def held_folder(parent: Path) -> Iterator[Path]:
    """A new folder in `parent`, held while the block runs, and gone afterwards."""
    parent.mkdir(parents=True, exist_ok=True)
    folder, held = _new_folder(parent)
    with held:
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def is_held(folder: Path) -> bool:
    """Whether a process holds this scratch folder, or may: this user cannot look."""
    return is_locked(folder) is not False


def is_locked(folder: Path) -> bool | None:
    """Whether a process holds this scratch folder; None where this user may not look.

    The system lets go of a dead process's lock.
    """
    try:
        with (folder / HELD).open() as held:
            fcntl.flock(held, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return None
    return False


def remove_unheld(parent: Path) -> int:
    """Remove the scratch folders of processes that were killed; returns how many there were."""
    dead = [folder for folder in parent.glob("winnow-*") if not is_held(folder)]
    dead += [folder for folder in parent.glob("new-*") if age_s(folder) > SETTLING_S]
    for folder in dead:
        shutil.rmtree(folder, ignore_errors=True)
    return len(dead)


def passing_folder(uri: str) -> Path:
    """A local folder for as long as this process lives, as what is in memory does."""
    return _named_folder(uri.partition("://")[2].strip("/") or uuid.uuid4().hex)


def age_s(path: Path) -> float:
    """Seconds since a file was written; 0 for one that is gone."""
    try:
        return time.time() - path.stat().st_mtime
    except OSError:
        return 0.0


@functools.cache
def _named_folder(_name: str) -> Path:
    folder = Path(tempfile.mkdtemp(prefix="winnow-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _new_folder(parent: Path) -> tuple[Path, IO[str]]:
    """A new scratch folder, held from the moment it has its name, and what holds it."""
    new = Path(tempfile.mkdtemp(dir=parent, prefix="new-"))
    held = (new / HELD).open("w")
    fcntl.flock(held, fcntl.LOCK_EX)
    with contextlib.suppress(PermissionError):  # a disk that keeps no modes
        new.chmod(SEEN_BY_ALL)
        (new / HELD).chmod(READ_BY_ALL)
    folder = parent / new.name.replace("new-", "winnow-", 1)
    new.rename(folder)
    return folder, held
