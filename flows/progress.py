"""Progress of mapped work, on the terminal of whoever watches and nowhere else."""

import contextlib
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from prefect.futures import PrefectFuture, as_completed
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)

from flows.terminal import err, plain

_console = err
_watched = False
_TOLD = (logging.getLogger("tasks"), logging.getLogger("trainer"))


class _Teller(logging.Handler):
    """Shows what stages and trainer log, below the step they are in."""

    def emit(self, record: logging.LogRecord) -> None:
        _console.print(plain(f"    {record.getMessage()}"))


@contextlib.contextmanager
def watched(quiet: bool) -> Iterator[None]:
    """Show progress on standard error while the block runs, unless `quiet`."""
    global _watched  # noqa: PLW0603
    before, _watched = _watched, not quiet
    teller = _Teller(logging.INFO)
    for logger in _TOLD if not quiet else ():
        logger.setLevel(logging.INFO)
        logger.addHandler(teller)
    try:
        yield
    finally:
        _watched = before
        for logger in _TOLD:
            logger.removeHandler(teller)


@contextlib.contextmanager
def step(what: str) -> Iterator[None]:
    """Name one long step: a spinner while it runs, its seconds when it is done."""
    if not _watched:
        yield
        return
    began = time.monotonic()
    with _bar(what, total=None):
        yield
    _done(what, began)


def gather(what: str, futures: Sequence[PrefectFuture[Any]]) -> list[Any]:
    """The results of mapped tasks, in their order; raises the first error among them."""
    finish(what, futures)
    return [future.result() for future in futures]


def finish(what: str, futures: Sequence[PrefectFuture[Any]]) -> None:
    """Wait for mapped tasks, however they end."""
    if not _watched or not futures:
        for future in futures:
            future.wait()
        return
    began = time.monotonic()
    with _bar(what, total=len(futures)) as advance:
        for _ in as_completed(list(futures)):
            advance()
    _done(f"{what} ({len(futures)})", began)


@contextlib.contextmanager
def _bar(what: str, total: int | None) -> Iterator[Callable[[], None]]:
    """A bar, or a spinner without `total`; only on a terminal. Yields what moves it one on."""
    if not _console.is_terminal:
        yield lambda: None
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), BarColumn())
    count = () if total is None else (MofNCompleteColumn(),)
    with Progress(
        *columns, *count, TimeElapsedColumn(), console=_console, transient=True
    ) as progress:
        bar = progress.add_task(what, total=total)
        yield lambda: progress.advance(bar)


def _done(what: str, began: float) -> None:
    _console.print(f"  {what:<40}{time.monotonic() - began:6.1f} s", markup=False)
