"""ShareGPT: a list of `{from, value}` under `conversations`."""

import polars as pl

from tasks.normalize.conversation import USUAL, Spelling, conversation_turns
from tasks.normalize.turns import Parsed


def sharegpt_turns(rows: pl.DataFrame, spelling: Spelling = USUAL) -> Parsed:
    """The turns of one conversation; one row per row of the batch: `row`, `conversations`."""
    return conversation_turns(rows, "conversations", spelling)
