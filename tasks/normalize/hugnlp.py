"""HugNLP: one text per row, `Human: … HugChat: …` or `Input: … Output: …`."""

import polars as pl

from tasks.normalize.conversation import USUAL, Spelling
from tasks.normalize.markers import split_dialogues
from tasks.normalize.turns import PROBLEMS, Parsed


def hugnlp_turns(rows: pl.DataFrame, spelling: Spelling = USUAL) -> Parsed:
    """The turns of one text; one row per row of the batch: `row`, `text`."""
    turns, unmarked = split_dialogues(rows.select("row", "text").drop_nulls(), spelling.styles)
    message = pl.lit("no speaker's name (Human:, HugChat:, Input:, Output: …) begins a line")
    problems = pl.DataFrame({"row": unmarked}, schema={"row": pl.UInt32})
    return Parsed(turns, problems.with_columns(message=message).cast(PROBLEMS))
