"""The record: one row per training conversation, the same for every source."""

import dataframely as dy
import polars as pl

MESSAGE = pl.Struct({"role": pl.String, "content": pl.String})
ROLES = ("system", "user", "assistant", "tool")
RECORD_ID_CHARS = 32


class Record(dy.Schema):
    """One row per training conversation, in the order of the raw data.

    `messages` holds at least one message; roles are those of `ROLES`; the last is the assistant's.
    Its content may be empty: an empty response is the filter's to judge, not the reader's to lose.
    `source_row` counts from 0 over the whole source, unreadable rows included.
    """

    record_id = dy.String(nullable=False, regex=r"^[0-9a-f]{32}$")
    source = dy.String(nullable=False, min_length=1)
    source_row = dy.UInt32(nullable=False)
    messages = dy.List(
        dy.Struct({"role": dy.String(nullable=False), "content": dy.String(nullable=False)}),
        nullable=False,
        min_length=1,
    )
    category = dy.String(nullable=True)
    tools = dy.String(nullable=True)
    licence = dy.String(nullable=False)

    @dy.rule()
    def roles_are_known(cls) -> pl.Expr:
        """Every role is one of `ROLES`."""
        roles = pl.col("messages").list.eval(pl.element().struct.field("role"))
        return roles.list.eval(pl.element().is_in(ROLES)).list.all()

    @dy.rule()
    def assistant_has_the_last_word(cls) -> pl.Expr:
        """The last message is the assistant's."""
        return pl.col("messages").list.last().struct.field("role") == "assistant"


class Unreadable(dy.Schema):
    """One row per piece of raw data that could not become a record.

    `source_row` shares its numbering with `Record.source_row`; `offset` is in bytes from the start
    of `file` (decompressed); `excerpt` is at most 500 characters of what stood there.
    """

    source = dy.String(nullable=False)
    source_row = dy.UInt32(nullable=False)
    file = dy.String(nullable=False)
    offset = dy.UInt64(nullable=False)
    drop_reason = dy.String(nullable=False)
    message = dy.String(nullable=False)
    excerpt = dy.String(nullable=False)


class Verdict(dy.Schema):
    """One row per row of the parent shard, in its order; all null where the row passes.

    `found` is what broke the rule (a count, or the matched text), `expected` the bound or the item
    it was held against, with its unit. Similarities are exact Jaccard on shingle sets, 0 to 1.
    """

    drop_reason = dy.String(nullable=True)
    duplicate_of = dy.String(nullable=True)
    prompt_similarity = dy.Float32(nullable=True)
    response_similarity = dy.Float32(nullable=True)
    found = dy.String(nullable=True)
    expected = dy.String(nullable=True)


RECORD = Record.create_empty().schema
UNREADABLE = Unreadable.create_empty().schema
VERDICT = Verdict.create_empty().schema
