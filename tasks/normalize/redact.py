"""Personal data that the recipe redacts: typed placeholders in its place, before any row is judged.

It comes after cleaning, which may only then have made an address of `jane&#64;...`, and before
dedupe, for which rows that differ in somebody's telephone number are then the same.
"""

from collections.abc import Mapping

import polars as pl

from schemas.cleaning import Cleaning
from schemas.source import Source
from tasks.personal.kinds import redacted
from tasks.personal.messages import messages_of, turns_of


def redact(rows: pl.DataFrame, source: Source) -> tuple[pl.DataFrame, Mapping[str, int]]:
    """The same conversations with the source's kinds redacted in every message and in the tools.

    CONVERSATIONS with `tools` beside them, and the rows that were changed by kind of `Cleaning`.
    Code is read like prose: keys lie there.
    """
    if not source.redact:
        return rows, {}
    turns = turns_of(rows["messages"])
    texts, struck = redacted(pl.concat([turns["content"], rows["tools"]]), source.redact)
    if not struck:
        return rows, {}
    messages = messages_of(turns.with_columns(content=texts.head(turns.height)), rows.height)
    row = pl.concat([turns["conversation"], pl.Series(range(rows.height), dtype=pl.UInt32)])
    return rows.with_columns(messages=messages, tools=texts.tail(rows.height)), {
        Cleaning(f"redacted_{kind}").value: row.gather(places).n_unique()
        for kind, places in struck.items()
    }
