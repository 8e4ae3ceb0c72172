"""What a run says while it works, on standard error: bars on a terminal, plain lines elsewhere."""

import time

from rich.box import SIMPLE
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars
from rich.table import Table
from rich.text import Text

from schemas.adapter import Evaluation, LabelAudit
from schemas.printable import printable

AUDIT_HEADINGS = {
    "conversations": "rows",
    "kept": "kept",
    "tokens": "tokens",
    "trainable_tokens": "in loss",
    "stop_supervised": "stops",
    "fully_masked": "masked",
    "dropped_over_long": "too long",
    "truncated_prompts": "cut",
    "split": "split",
    "refused_by_template": "refused",
    "altered_responses": "altered",
    "special_in_text": "control",
}
"""Headings of the label audit's table; a column of faults that has only zeros is left out."""

LINE_EVERY_S = 5.0
"""Between two lines of the same work where there is no terminal."""


class Progress:
    """Tells people how far a run is; names and numbers only, never corpus text."""

    def __init__(self, console: Console | None = None, quiet: bool = False) -> None:
        """To standard error, or not at all where `quiet`: another process tells of the same."""
        self._console = console or Console(
            stderr=True, highlight=False, soft_wrap=True, quiet=quiet
        )
        self._bars: Bars | None = None
        self._task: tuple[str, TaskID] | None = None
        self._last_line = 0.0

    def close(self) -> None:
        """Take a bar off the screen."""
        if self._bars:
            self._bars.stop()
        self._bars, self._task = None, None

    def say(self, text: str) -> None:
        """One line."""
        self.close()
        self._console.print(Text(printable(text)))

    def tokenized(self, split: str, done: int, rows: int) -> None:
        """`done` of `rows` conversations of a split are tokenized."""
        self._advance(f"tokenizing {split}", done, rows, "")

    def step(self, line: dict[str, float], steps: int) -> None:
        """An optimizer step is done."""
        detail = f"loss {line['loss']:.4f}  {line['tokens_per_s']:,.0f} tokens/s"
        if "mfu" in line:
            detail += f"  MFU {line['mfu']:.0%}"
        if "memory_bytes" in line:
            detail += f"  {line['memory_bytes'] / 2**30:.1f} GiB"
        self._advance("training", int(line["step"]), steps, detail)

    def audit(self, audits: tuple[LabelAudit, ...]) -> None:
        """The label audit as a table, one line per source and one for all."""
        self.close()
        total = LabelAudit.total(audits)
        columns = [name for name in AUDIT_HEADINGS if _shown(name, total)]
        table = Table(title="Label audit of the training split", title_justify="left", box=SIMPLE)
        table.add_column("source")
        for name in columns:
            table.add_column(AUDIT_HEADINGS[name], justify="right")
        for one in (*audits, total):
            counts = [f"{getattr(one, name):,}" for name in columns]
            style = "bold red" if one.trainable_tokens == 0 else ""
            table.add_row(Text(printable(one.source)), *counts, style=style)
        self._console.print(table)

    def losses(self, before: Evaluation | None, after: Evaluation | None) -> None:
        """Validation loss before and after."""
        if before is None or after is None:
            self.say("no validation split: the adapter is not held against the base model")
            return
        self.say(
            f"validation loss {before.loss:.4f} before, {after.loss:.4f} after, on "
            f"{after.conversations:,} conversations with {after.trainable_tokens:,} tokens"
        )

    def _advance(self, what: str, done: int, total: int, detail: str) -> None:
        if self._console.is_terminal:
            self._move_bar(what, done, total, detail)
            return
        if done >= total or time.monotonic() - self._last_line >= LINE_EVERY_S:
            self._last_line = time.monotonic()
            self._console.print(Text(f"{what} {done:,}/{total:,}  {detail}".rstrip()))

    def _move_bar(self, what: str, done: int, total: int, detail: str) -> None:
        if self._bars is None:
            self._bars = Bars(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[detail]}"),
                TimeRemainingColumn(),
                console=self._console,
            )
            self._bars.start()
        if self._task is None or self._task[0] != what:
            self._task = (what, self._bars.add_task(what, total=total, detail=detail))
        self._bars.update(self._task[1], completed=done, detail=detail)


def _shown(name: str, total: LabelAudit) -> bool:
    always = ("conversations", "kept", "tokens", "trainable_tokens", "stop_supervised")
    return name in always or getattr(total, name) > 0
