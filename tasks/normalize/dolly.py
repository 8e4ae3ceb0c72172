"""Dolly: instruction, context, response, category."""

import polars as pl

from tasks.normalize.alpaca import alpaca_turns
from tasks.normalize.turns import Parsed


def dolly_turns(rows: pl.DataFrame) -> Parsed:
    """Instruction and context as one user turn, then the response.

    One row per row of the batch: as Alpaca's, where `input` is the context.
    """
    return alpaca_turns(rows)
