"""How the command line shows things: tables, or one JSON object; corpus text is plain text."""

import contextlib
import json
import logging
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from schemas.printable import printable

out = Console(highlight=False, soft_wrap=True)
err = Console(file=sys.stderr, highlight=False, soft_wrap=True)


def plain(text: str) -> Text:
    """Corpus text for a terminal: no markup, no escape sequence, no change of direction."""
    return Text(printable(text))


class _Teller(logging.Handler):
    """Shows what stages and trainer log, below the step they are in."""

    def emit(self, record: logging.LogRecord) -> None:
        if not (err.is_terminal and record.name in _IN_BARS):
            err.print(plain(f"    {record.getMessage()}"))


_TOLD = (logging.getLogger("tasks"), logging.getLogger("trainer"))
_IN_BARS = ("tasks.download.progress",)  # a terminal has bars of it


@contextlib.contextmanager
def told(level: int) -> Iterator[None]:
    """Show on standard error what stages and trainer log at a level while the block runs."""
    teller = _Teller(level)
    for logger in _TOLD:
        logger.setLevel(level)
        logger.addHandler(teller)
    try:
        yield
    finally:
        for logger in _TOLD:
            logger.removeHandler(teller)


def one_object(value: Any) -> None:
    """Print one JSON object, the only thing on standard output."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print a table; numbers stand on the right with thousands separators."""
    shown = Table(title=title or None, box=box.SIMPLE, title_justify="left", pad_edge=False)
    cells = [list(row) for row in rows]
    for index, name in enumerate(columns):
        numeric = bool(cells) and all(isinstance(row[index], int | float) for row in cells)
        shown.add_column(name, justify="right" if numeric else "left", overflow="fold")
    for row in cells:
        shown.add_row(*(plain(_cell(value)) for value in row))
    out.print(shown)


def near(path: str) -> str:
    """A path as seen from the working folder, where it is below it; a URI stays as it is."""
    try:
        return str(Path(path).relative_to(Path.cwd()))
    except ValueError:
        return path


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:g}" if isinstance(value, float) else str(value)
