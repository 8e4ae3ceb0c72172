"""Plain text to rows: one dialogue each, its turns behind the names of their speakers.

Dialogues are told apart by a line of the source's own, or by blank lines before somebody opens the
next one. A dialogue whose bytes are not valid UTF-8 is damage, and so is one of more than
`MAX_DIALOGUE_BYTES`.
"""

from collections.abc import Iterator

import numpy as np
import polars as pl

from tasks.normalize.markers import (
    Style,
    begins_dialogue,
    holds_dialogue,
    opened_by,
    split_dialogues,
)
from tasks.normalize.raw import (
    OFFSET,
    Batch,
    Raw,
    damages_at,
    is_binary,
    is_utf8,
    no_rows,
    release,
    shown,
    spoilt_at,
    valid_lines,
)

HEAD_BYTES = 64 << 10
WINDOW_BYTES = 4 << 20
MAX_DIALOGUE_BYTES = 16 << 20
_MARK = b"\xef\xbb\xbf"


def is_dialogue(head: bytes, styles: tuple[Style, ...]) -> bool:
    """Whether a file that begins like this is text in which speakers are named.

    Its first line names one, or later ones name both sides.
    """
    if is_binary(head):
        return False
    text = pl.DataFrame({"row": [0], "text": [shown(head.removeprefix(_MARK))]})
    if text.select(holds_dialogue(pl.col("text"), styles)).item():
        return True
    turns, _ = split_dialogues(text, styles)
    return {"user", "assistant"} <= {*turns["role"]} and turns.height > 2


def read_dialogues(
    data: Raw,
    column: str,
    wanted: tuple[str, ...],
    separator: str | None,
    styles: tuple[Style, ...],
) -> Iterator[Batch]:
    """One row per dialogue, its text in `column`; `OFFSET` is where its first line begins.

    The name that opens the first dialogue is the one that opens the others.
    """
    styles = opened_by(shown(data[:HEAD_BYTES]), styles)
    start = len(_MARK) if data[: len(_MARK)] == _MARK else 0
    window = WINDOW_BYTES
    lost = False
    while start < len(data):
        end = min(start + window, len(data))
        cut = end if end == len(data) else data.rfind(b"\n", start, end) + 1 or end
        lines = _lines(data[start:cut], start, separator, styles)
        begun = lines.filter("begins")[OFFSET]
        reached = cut
        if lost:
            lost = begun.is_empty()
            start = cut if lost else int(begun[0])
            release(data)
            continue
        if end < len(data) and begun.len() and begun[-1] > start:
            reached = int(begun[-1])
        elif end < len(data) and window < MAX_DIALOGUE_BYTES:
            window *= 2
            continue
        elif end < len(data):
            yield _too_long(data, start, wanted)
            start, window, lost = cut, WINDOW_BYTES, True
            continue
        whole = lines.filter(pl.col(OFFSET) < reached)
        start, window = reached, WINDOW_BYTES
        if whole.height:
            yield _batch(data, whole, column, wanted)


def _lines(
    raw: bytes, start: int, separator: str | None, styles: tuple[Style, ...]
) -> pl.DataFrame:
    """One row per line: `OFFSET`, `line` without its end, `valid`, and whether it `begins` one.

    Separators are none of them.
    """
    text = shown(raw)
    lines = pl.DataFrame({"line": text.split("\n")})
    if is_utf8(raw):
        sizes, valid = (
            lines["line"].str.len_bytes(),
            pl.Series([True]).new_from_index(0, lines.height),
        )
    else:
        sizes = pl.Series(raw.split(b"\n"), dtype=pl.Binary).bin.size()
        valid = valid_lines(raw)
    bare = pl.col("line").str.strip_chars()
    parts = bare == separator.strip() if separator is not None else bare == ""
    opens = pl.lit(value=True) if separator is not None else begins_dialogue(pl.col("line"), styles)
    return (
        lines.with_columns(
            (sizes.cast(pl.UInt64) + 1).cum_sum().shift(1, fill_value=0).alias(OFFSET) + start,
            valid=valid,
            parts=parts,
        )
        .with_columns(begins=opens & pl.col("parts").shift(1, fill_value=True) & ~pl.col("parts"))
        .filter(~pl.col("parts") | (separator is None))
        .select(OFFSET, "valid", "begins", line=pl.col("line").str.strip_suffix("\r"))
    )


def _batch(data: Raw, lines: pl.DataFrame, column: str, wanted: tuple[str, ...]) -> Batch:
    dialogues = (
        lines.group_by(pl.col("begins").cum_sum(), maintain_order=True)
        .agg(
            pl.col(OFFSET).first(),
            pl.col("valid").all(),
            pl.col("line").str.join("\n").alias(column),
        )
        .filter(pl.col(column).str.strip_chars() != "")
    )
    rows = dialogues.filter("valid").select(
        OFFSET,
        *(
            pl.col(column) if name == column else pl.lit(None, dtype=pl.String).alias(name)
            for name in wanted
        ),
    )
    starts = dialogues[OFFSET].cast(pl.Int64).to_numpy()
    damage = spoilt_at(data, starts, ~dialogues["valid"])
    return Batch(rows, damage, damage.counts, (column,))


def _too_long(data: Raw, start: int, wanted: tuple[str, ...]) -> Batch:
    message = pl.Series([f"a dialogue longer than {MAX_DIALOGUE_BYTES >> 20} MiB"])
    return Batch(no_rows(wanted), damages_at(data, np.array([start]), message))
