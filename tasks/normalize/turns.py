"""Turns to conversations: roles agreed on, neighbours merged, the assistant's word the last.

Between the layouts and the record stands one frame, one row per turn, sorted by row and in the
order of the conversation: `row` (UInt32, the row of the batch), `role` and `content` (String).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl
import pyarrow as pa

from schemas.record import MESSAGE, ROLES
from tasks.normalize.clean import clean
from tasks.text import TURN_BREAK

TURNS = pl.Schema({"row": pl.UInt32, "role": pl.String, "content": pl.String})
PROBLEMS = pl.Schema({"row": pl.UInt32, "message": pl.String})
CONVERSATIONS = pl.Schema([("row", pl.UInt32), ("messages", pl.List(MESSAGE))])


@dataclass(frozen=True)
class Parsed:
    """What a layout makes of a batch: turns, rows that are not of the layout, and counts.

    `problems` has one row per row that cannot be read, with the message for the ledger, and
    `rejected` the numbers of other rows, whose only answer people rejected; turns of such rows do
    not count.
    """

    turns: pl.DataFrame
    problems: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=PROBLEMS))
    counts: Mapping[str, int] = field(default_factory=dict)
    rejected: pl.Series = field(default_factory=lambda: pl.Series("row", dtype=pl.UInt32))


@dataclass(frozen=True)
class Conversations:
    """`rows` as CONVERSATIONS, in order; `turns` as they were before; `counts` of what changed."""

    rows: pl.DataFrame
    turns: pl.DataFrame
    counts: Mapping[str, int]


def turns_of(rows: pl.DataFrame, parts: Sequence[tuple[str, pl.Expr]]) -> pl.DataFrame:
    """TURNS of rows that hold a part per column, in the order given; a null part is no turn."""
    said = rows.select(
        part.cast(pl.String).alias(str(place)) for place, (_, part) in enumerate(parts)
    )
    # One part below the other, then gathered row by row: the texts themselves are not copied.
    places = np.arange(rows.height * len(parts), dtype=np.uint32)
    contents = pl.concat([column.alias("content") for column in said.get_columns()], rechunk=True)
    roles = pl.Series([role for role, _ in parts], dtype=pl.String)
    turns = pl.DataFrame(
        {
            "row": np.repeat(rows["row"].cast(pl.UInt32).to_numpy(), len(parts)),
            "role": roles.gather(places % len(parts)),
            "content": contents.gather(places.reshape(len(parts), rows.height).T.ravel()),
        }
    )
    return turns.drop_nulls("content") if contents.null_count() else turns


def paragraphs(*texts: pl.Expr) -> pl.Expr:
    """The texts with a blank line between them; empty and null ones left out, null if all are."""
    parts = [
        pl.when(text.str.strip_chars() != "").then(text.str.strip_chars_end()) for text in texts
    ]
    joined = pl.concat_str(parts, separator=TURN_BREAK, ignore_nulls=True)
    known = pl.any_horizontal(text.is_not_null() for text in texts)
    return pl.when(known).then(joined)


def assemble(turns: pl.DataFrame, code: bool) -> Conversations:
    """Clean the turns and make one conversation of each row's.

    - Empty system turns go; neighbours of one role merge, a blank line between them.
    - What follows the last assistant turn goes: there is nothing to learn from it.
    - Assistant turns before the first other turn than the system's go, for chat templates want
      somebody to speak to; they stay where nobody else speaks.

    A row without an assistant turn has no conversation.
    """
    turns, cleaned = clean(turns, code)
    counts = dict(cleaned)
    kept = turns.filter(~((pl.col("role") == "system") & (pl.col("content") == "")))
    steps = {
        "cut_to_last_assistant_turn": _cut_back,
        "leading_assistant_turns_dropped": _drop_leading,
        "neighbours_merged": _merge,
    }
    for name, step in steps.items():
        before = kept
        kept = step(before)
        if kept.height != before.height:
            counts[name] = _changed_rows(before, kept)
    return Conversations(_by_row(kept), turns, counts)


def _by_row(turns: pl.DataFrame) -> pl.DataFrame:
    """CONVERSATIONS: one row per row that has turns; the turns themselves are not moved."""
    rows = turns["row"].to_numpy()
    ends = np.flatnonzero(rows[1:] != rows[:-1]) + 1
    starts = np.insert(ends, 0, 0) if rows.size else ends
    messages = turns.select(pl.struct("role", "content")).to_series()
    lists = pa.LargeListArray.from_arrays(
        pa.array(np.append(starts, rows.size)),
        messages.to_arrow(compat_level=pl.CompatLevel.newest()),
    )
    return pl.DataFrame(
        {"row": turns["row"].gather(starts), "messages": pl.Series(lists)}, schema=CONVERSATIONS
    )


def unknown_roles(turns: pl.DataFrame, spoken: pl.Series) -> pl.DataFrame:
    """PROBLEMS: one row per row that has a turn whose role is not one of ROLES.

    `spoken` has the roles as the source spells them, turn by turn.
    """
    bad = turns.select("row", "role", spoken=spoken).filter(
        ~pl.col("role").is_in(ROLES, nulls_equal=True)
    )
    message = pl.format(
        "role {} is not known",
        pl.concat_str(pl.lit("'"), pl.col("spoken").fill_null("").str.head(40), pl.lit("'")),
    )
    return bad.unique("row", keep="first", maintain_order=True).select("row", message=message)


def _cut_back(turns: pl.DataFrame) -> pl.DataFrame:
    last = pl.col("row") != pl.col("row").shift(-1)
    if turns.select(((pl.col("role") == "assistant") | ~last.fill_null(True)).all()).item():
        return turns
    place = pl.int_range(pl.len()).over("row")
    spoken = pl.when(pl.col("role") == "assistant").then("place")
    return (
        turns.with_columns(place=place)
        .filter(pl.col("place") <= spoken.max().over("row"))
        .drop("place")
    )


def _drop_leading(turns: pl.DataFrame) -> pl.DataFrame:
    first = (pl.col("row") != pl.col("row").shift(1)).fill_null(True)
    after_system = pl.col("role").shift(1) == "system"
    opens = (pl.col("role") == "assistant") & (first | after_system)
    if not turns.select(opens.any()).item():
        return turns
    others = (~pl.col("role").is_in(["assistant", "system"])).cast(pl.UInt32)
    heard = others.cum_sum().over("row") > 0
    alone = others.sum().over("row") == 0
    return turns.filter((pl.col("role") != "assistant") | heard | alone)


def _merge(turns: pl.DataFrame) -> pl.DataFrame:
    same = (pl.col("row") == pl.col("row").shift(1)) & (pl.col("role") == pl.col("role").shift(1))
    same = same.fill_null(False)
    if not turns.select(same.any()).item():
        return turns
    said = pl.when(pl.col("content") != "").then("content")
    return (
        turns.group_by((~same).cum_sum().alias("run"), maintain_order=True)
        .agg(pl.col("row", "role").first(), said.str.join(TURN_BREAK).alias("content"))
        .drop("run")
    )


def _changed_rows(before: pl.DataFrame, after: pl.DataFrame) -> int:
    """How many rows have fewer turns than before."""
    left = before.group_by("row").len()
    right = after.group_by("row").len("kept")
    compared = left.join(right, on="row", how="left")
    return compared.filter(pl.col("len") != pl.col("kept").fill_null(0)).height
