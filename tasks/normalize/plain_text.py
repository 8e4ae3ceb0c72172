"""Plain text to rows: one dialogue each, its turns behind the names of their speakers.

Dialogues are told apart by a line of the source's own, or by blank lines before somebody opens the
next one. A dialogue whose bytes are not valid UTF-8 is damage.
"""

from collections.abc import Iterator

import polars as pl

from tasks.normalize.containers import Raw
from tasks.normalize.markers import (
    Style,
    begins_dialogue,
    holds_dialogue,
    opened_by,
    split_dialogues,
)
from tasks.normalize.raw import (
    EXCERPT_BYTES,
    INVALID_UTF8,
    OFFSET,
    Batch,
    Damage,
    excerpt,
    invalid_byte,
    is_binary,
    is_utf8,
    not_utf8,
    shown,
    valid_lines,
)

HEAD_BYTES = 64 << 10
WINDOW_BYTES = 8 << 20
MAX_DIALOGUE_BYTES = 64 << 20
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
    while start < len(data):
        end = min(start + window, len(data))
        cut = end if end == len(data) else data.rfind(b"\n", start, end) + 1 or end
        lines = _lines(data[start:cut], start, separator, styles)
        begun = lines.filter("begins")[OFFSET]
        reached = cut
        if end < len(data) and begun.len() and begun[-1] > start:
            reached = int(begun[-1])
        elif end < len(data) and window < MAX_DIALOGUE_BYTES:
            window *= 2
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
    damage = tuple(_spoilt(data, start) for start in dialogues.filter(~pl.col("valid"))[OFFSET])
    return Batch(rows, damage, {INVALID_UTF8: len(damage)}, (column,))


def _spoilt(data: Raw, start: int) -> Damage:
    """The dialogue at `start`, somewhere in which a byte is not valid UTF-8."""
    position = invalid_byte(data, start, len(data))
    return Damage(
        start,
        not_utf8(data, start if position is None else position),
        excerpt(data[start : start + EXCERPT_BYTES]),
        invalid_utf8=True,
    )
