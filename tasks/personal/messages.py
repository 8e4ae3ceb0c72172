"""Conversations as one row per message, and back: for what rewrites their texts."""

import polars as pl

from schemas.record import MESSAGE


def turns_of(messages: pl.Series) -> pl.DataFrame:
    """One row per message of a column of conversations: `conversation` (its place), MESSAGE's."""
    return (
        messages.to_frame("messages")
        .with_row_index("conversation")
        .filter(pl.col("messages").list.len() > 0)
        .explode("messages")
        .unnest("messages")
    )


def messages_of(turns: pl.DataFrame, conversations: int) -> pl.Series:
    """The column that `turns_of` was given; null where a conversation has no turn."""
    places = pl.select(conversation=pl.int_range(conversations, dtype=pl.UInt32))
    whole = turns.group_by("conversation", maintain_order=True).agg(
        messages=pl.struct("role", "content")
    )
    beside = places.join(whole, on="conversation", how="left", maintain_order="left")
    return beside["messages"].cast(pl.List(MESSAGE))
