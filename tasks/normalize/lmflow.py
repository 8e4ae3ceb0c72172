"""LMFlow: the instances of its data sets, whichever `type` they are of."""

import polars as pl

from tasks.normalize.alpaca import in_order
from tasks.normalize.conversation import USUAL, Spelling, conversation_turns
from tasks.normalize.markers import split_dialogues
from tasks.normalize.turns import Parsed, turns_of


def lmflow_turns(rows: pl.DataFrame, spelling: Spelling = USUAL) -> Parsed:
    """The messages of a conversation, an input and its output, or a text split by its speakers.

    One row per row of the batch: `row`, `messages` (conversation), `input` and `output`
    (text2text), `text` (text_only); the first of these that is there counts. In a text that names
    no speaker nobody answers.
    """
    talk = pl.col("messages").is_not_null()
    pair = pl.any_horizontal(pl.col("input", "output").is_not_null()) & ~talk
    said = conversation_turns(rows, "messages", spelling)
    pairs = turns_of(
        rows.filter(pair), [("user", pl.col("input")), ("assistant", pl.col("output"))]
    )
    texts = rows.filter(~talk & ~pair).select("row", "text").drop_nulls()
    marked, _ = split_dialogues(texts, spelling.styles)
    return Parsed(in_order(said.turns, pairs, marked), said.problems)
