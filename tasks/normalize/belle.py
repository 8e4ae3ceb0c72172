"""BELLE: Alpaca's columns, or input and target; `instruction` may hold the dialogue so far."""

import polars as pl

from tasks.normalize.alpaca import alpaca_turns, in_order
from tasks.normalize.conversation import USUAL, Spelling
from tasks.normalize.markers import (
    SYSTEM,
    begins_dialogue,
    holds_dialogue,
    split_dialogues,
)
from tasks.normalize.turns import TURNS, Parsed, turns_of


def belle_turns(rows: pl.DataFrame, spelling: Spelling = USUAL) -> Parsed:
    """As Alpaca, but an instruction that begins with a speaker's name is split into its turns.

    One row per row of the batch: `row`, `instruction`, `input`, `output`, `system`, `history`.
    Such an instruction may end with an empty `Assistant:`, whose content is the output. The input
    of such a row is what the user says next; as Guanaco has it, behind markers of its own,
    `System:` for what the assistant should know among them.
    """
    dialogue = holds_dialogue(pl.col("instruction"), spelling.styles).fill_null(value=False)
    dialogues = rows.filter(dialogue)
    if dialogues.is_empty():
        return alpaca_turns(rows)
    plain = alpaca_turns(rows.filter(~dialogue))
    marked = begins_dialogue(pl.col("input"), spelling.styles).fill_null(value=False)
    said = _turns(dialogues, "instruction", spelling)
    asked = _turns(dialogues.filter(marked), "input", spelling)
    more = turns_of(dialogues.filter(~marked), [("user", _more(pl.col("input")))])
    answers = turns_of(dialogues, [("assistant", pl.col("output"))])
    background = pl.col("role") == SYSTEM
    told = in_order(asked.filter(background), said, asked.filter(~background), more, answers)
    return Parsed(in_order(plain.turns, told), plain.problems, plain.counts)


def _turns(rows: pl.DataFrame, column: str, spelling: Spelling) -> pl.DataFrame:
    """TURNS of the dialogues in a column, without empty ones."""
    turns, unmarked = split_dialogues(rows.select("row", text=column), spelling.styles)
    alone = rows.filter(pl.col("row").is_in(unmarked.implode()))
    told = in_order(turns, turns_of(alone, [("user", pl.col(column))]))
    return told.filter(pl.col("content") != "").select(TURNS.names())


def _more(text: pl.Expr) -> pl.Expr:
    return pl.when(text.str.strip_chars() != "").then(text)
