"""Several parts of one download at once: the first failure ends them all, and is the one raised."""

import contextvars
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Optional, TypeVar

T = TypeVar("T")


class Stopped(Exception):
    """A part ended because another one failed; whoever waits for both sees the other's error."""


class Stop:
    """Asks the parts of a download to end; what asks a whole asks its parts."""

    def __init__(self, whole: Optional["Stop"] = None) -> None:
        """Nobody has asked yet."""
        self._asked = threading.Event()
        self._whole = whole

    def ask(self) -> None:
        """Let every part end at its next step."""
        self._asked.set()

    def check(self) -> None:
        """Raise Stopped if that was asked of this, or of the whole."""
        if self._asked.is_set():
            raise Stopped
        if self._whole is not None:
            self._whole.check()


def all_of(jobs: Sequence[Callable[[], T]], workers: int, stop: Stop) -> list[T]:
    """What the jobs return, in their order, `workers` of them at a time.

    Once one raises, the rest are asked to stop and waited for, so that nobody writes any more
    when the error arrives.
    """
    if len(jobs) == 1:
        return [jobs[0]()]
    with ThreadPoolExecutor(workers, thread_name_prefix="download") as pool:
        futures = [pool.submit(contextvars.copy_context().run, job) for job in jobs]
        try:
            for future in as_completed(futures):
                future.result()
        except BaseException:
            stop.ask()
            for future in futures:
                future.cancel()
            raise
    return [future.result() for future in futures]
