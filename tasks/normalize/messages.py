"""Messages: a list of `{role, content}` under `messages`, as OpenAI's API takes them."""

import polars as pl

from tasks.normalize.conversation import USUAL, Spelling, conversation_turns
from tasks.normalize.turns import Parsed


def messages_turns(rows: pl.DataFrame, spelling: Spelling = USUAL) -> Parsed:
    """The turns of one conversation; one row per row of the batch: `row`, `messages`."""
    return conversation_turns(rows, "messages", spelling)
