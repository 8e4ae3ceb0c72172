"""Progress of mapped work, on the terminal of whoever watches and nowhere else."""

import contextlib
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from prefect.futures import PrefectFuture, as_completed
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.text import Text

from flows.terminal import err, told
from tasks.download.progress import watching

_console = err
_watched = False


@contextlib.contextmanager
def watched(quiet: bool) -> Iterator[None]:
    """Show progress on standard error while the block runs, unless `quiet`."""
    global _watched  # noqa: PLW0603
    before, _watched = _watched, not quiet
    try:
        with contextlib.nullcontext() if quiet else told(logging.INFO):
            yield
    finally:
        _watched = before


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
    with Progress(
        *columns, _Count(), TimeElapsedColumn(), console=_console, transient=True
    ) as progress:
        bar = progress.add_task(what, total=total)
        with watching(_Downloads(progress)):
            yield lambda: progress.advance(bar)


class _Downloads:
    """Below the bar of the step, one for each source that is on its way."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._bars: dict[str, TaskID] = {}

    def __call__(self, source: str, done_bytes: int, total_bytes: int | None) -> None:
        if source not in self._bars:
            self._bars[source] = self._progress.add_task(f"  {source}", total=None, bytes=True)
        bar, on_its_way = self._bars[source], done_bytes != total_bytes
        self._progress.update(bar, completed=done_bytes, total=total_bytes, visible=on_its_way)


_BYTES, _PIECES = DownloadColumn(), MofNCompleteColumn()


class _Count(ProgressColumn):
    """How many of how many: pieces of work, or bytes of a download."""

    def render(self, task: Task) -> Text:
        if "bytes" in task.fields:
            return _BYTES.render(task)
        return _PIECES.render(task) if task.total is not None else Text()


def _done(what: str, began: float) -> None:
    _console.print(f"  {what:<40}{time.monotonic() - began:6.1f} s", markup=False)
