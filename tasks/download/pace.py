"""Whether a body gets on: it comes fast enough, and what came of it before it broke off counts."""

import contextlib
from collections.abc import Callable, Iterator

from tasks.download.patience import Patience, TryAgain

WORTH_ANOTHER_BYTES = 1_000_000


@contextlib.contextmanager
def getting_on(done_bytes: Callable[[], int]) -> Iterator[None]:
    """Let a failure that left a good deal more of the file behind not count against the others."""
    before_bytes = done_bytes()
    try:
        yield
    except TryAgain as error:
        if done_bytes() - before_bytes < WORTH_ANOTHER_BYTES:
            raise
        raise TryAgain(str(error), error.wait_s, got_on=True) from error.__cause__


class Pace:
    """How fast a body comes: one that only drips holds a line for ever, and no time-out sees it."""

    def __init__(self, what: str, patience: Patience) -> None:
        """The first window starts now; `what` is how the message about it begins."""
        self._what = what
        self._patience = patience
        self._began = patience.clock()
        self._bytes = 0

    def add(self, size_bytes: int) -> None:
        """So many bytes came; raises TryAgain at the end of a window that had too few of them."""
        patience = self._patience
        self._bytes += size_bytes
        elapsed_s = patience.clock() - self._began
        if elapsed_s < patience.window_s:
            return
        if self._bytes < patience.slowest_bytes_per_s * elapsed_s:
            raise TryAgain(
                f"{self._what} sent {self._bytes:,} bytes in {elapsed_s:.0f} s, expected "
                f"{patience.slowest_bytes_per_s:,} a second at least"
            )
        self._began, self._bytes = patience.clock(), 0
