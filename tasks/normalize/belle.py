"""BELLE: Alpaca's columns, or input and target; `instruction` may hold the dialogue so far."""

import polars as pl

from tasks.normalize.alpaca import alpaca_turns, in_order
from tasks.normalize.markers import HUMAN_ASSISTANT, split_turns
from tasks.normalize.turns import Parsed, turns_of

_DIALOGUE = r"^\s*Human\s*[:：]"


def belle_turns(rows: pl.DataFrame) -> Parsed:
    """As Alpaca, but an instruction that begins with `Human:` is split into its turns.

    One row per row of the batch: `row`, `instruction`, `input`, `output`, `system`, `history`.
    Such an instruction ends with an empty `Assistant:`, whose content is the output.
    """
    dialogue = pl.col("instruction").str.contains(_DIALOGUE).fill_null(False)
    dialogues = rows.filter(dialogue)
    if dialogues.is_empty():
        return alpaca_turns(rows)
    plain = alpaca_turns(rows.filter(~dialogue))
    said = split_turns(dialogues.select("row", text="instruction"), HUMAN_ASSISTANT)
    answers = turns_of(
        dialogues, [("user", _more(pl.col("input"))), ("assistant", pl.col("output"))]
    )
    told = in_order(said.filter(pl.col("content") != ""), answers)
    return Parsed(in_order(plain.turns, told), plain.problems, plain.counts)


def _more(text: pl.Expr) -> pl.Expr:
    return pl.when(text.str.strip_chars() != "").then(text)
