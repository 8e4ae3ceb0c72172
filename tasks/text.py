"""The words the stages share: what is the prompt, what is the response, when is text the same."""

import polars as pl
import polars_hash as plh

from schemas.record import RECORD_ID_CHARS

TURN_BREAK = "\n\n"


def prompt(messages: pl.Expr | None = None) -> pl.Expr:
    """Everything before the last assistant message: the contents, a blank line between turns."""
    messages = pl.col("messages") if messages is None else messages
    before = messages.list.head(messages.list.len() - 1)
    return before.list.eval(pl.element().struct.field("content")).list.join(TURN_BREAK)


def response(messages: pl.Expr | None = None) -> pl.Expr:
    """The last assistant message's content."""
    messages = pl.col("messages") if messages is None else messages
    return messages.list.last().struct.field("content")


def question() -> pl.Expr:
    """The user message right before the response; null where another role stands there."""
    last = pl.col("messages").list.get(-2, null_on_oob=True)
    asked = last.struct.field("role") == "user"
    return pl.when(asked).then(last.struct.field("content"))


def squeeze(text: pl.Expr) -> pl.Expr:
    """Runs of white space become one space; none is left at the ends."""
    return text.str.replace_all(r"\s+", " ").str.strip_chars()


def record_id() -> pl.Expr:
    """128 bits of SHA-256 over the canonical conversation, as 32 hex characters.

    Canonical: the messages (roles and contents) and the tools, as JSON. The same conversation has
    the same id in every source and version.
    """
    conversation = pl.struct("messages", "tools").struct.json_encode()
    digest: pl.Expr = plh.concat_str(conversation).chash.sha2_256()
    return digest.str.head(RECORD_ID_CHARS).alias("record_id")


def place(salt: str, text: pl.Expr) -> pl.Expr:
    """Where a text falls in [0, 1): 52 bits of SHA-256 over the salt and the text.

    Even, and the same in every run, order and version; another salt gives places that have nothing
    to do with these.
    """
    digest: pl.Expr = plh.concat_str(pl.lit(salt), text).chash.sha2_256()
    return digest.str.head(13).str.to_integer(base=16, dtype=pl.UInt64) / 2.0**52
