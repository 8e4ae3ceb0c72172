"""What is measured of a row, and what the statistics of a corpus are made from."""

import dataframely as dy
import polars as pl


class Metrics(dy.Schema):
    """One row per row of the parent shard, in its order.

    `language` is an ISO 639-1 code; null where the text is too short or too mixed to tell.
    Characters are Unicode code points; tokens are without special tokens and without a chat
    template, null where the recipe names no tokenizer. Prompt and response are those of
    `tasks/text.py`; `turns` counts the user's messages; `refusal` says that the response turns
    them down (`tasks/assistant/refusal.py`).
    """

    language = dy.String(nullable=True, regex=r"^[a-z]{2}$")
    turns = dy.UInt16(nullable=False)
    refusal = dy.Bool(nullable=False)
    prompt_chars = dy.UInt32(nullable=False)
    response_chars = dy.UInt32(nullable=False)
    prompt_tokens = dy.UInt32(nullable=True)
    response_tokens = dy.UInt32(nullable=True)


class Judged(dy.Schema):
    """One row per record that was read, in any order: what it measures and what became of it.

    `stage`, `drop_reason` and `duplicate_of` are null for a published row. Rows that could not be
    read are not records and are not here.
    """

    record_id = dy.String(nullable=False)
    source = dy.String(nullable=False)
    category = dy.String(nullable=True)
    licence = dy.String(nullable=False)
    language = dy.String(nullable=True)
    turns = dy.UInt16(nullable=False)
    refusal = dy.Bool(nullable=False)
    prompt_chars = dy.UInt32(nullable=False)
    response_chars = dy.UInt32(nullable=False)
    prompt_tokens = dy.UInt32(nullable=True)
    response_tokens = dy.UInt32(nullable=True)
    stage = dy.String(nullable=True)
    drop_reason = dy.String(nullable=True)
    duplicate_of = dy.String(nullable=True)


class Sample(dy.Schema):
    """One row per ledger row that a report shows, in any order.

    `prompt` and `response` are null for a row that could not be read; then `message` is the
    parser's, `excerpt` what stood there, and `file` and `offset` (bytes) say where. `kept_prompt`
    and `kept_response` are those of `duplicate_of`.
    """

    stage = dy.String(nullable=False)
    drop_reason = dy.String(nullable=False)
    source = dy.String(nullable=False)
    source_row = dy.UInt32(nullable=False)
    record_id = dy.String(nullable=True)
    prompt = dy.String(nullable=True)
    response = dy.String(nullable=True)
    found = dy.String(nullable=True)
    expected = dy.String(nullable=True)
    duplicate_of = dy.String(nullable=True)
    prompt_similarity = dy.Float32(nullable=True)
    response_similarity = dy.Float32(nullable=True)
    kept_prompt = dy.String(nullable=True)
    kept_response = dy.String(nullable=True)
    file = dy.String(nullable=True)
    offset = dy.UInt64(nullable=True)
    message = dy.String(nullable=True)
    excerpt = dy.String(nullable=True)


METRICS: pl.Schema = Metrics.create_empty().schema
JUDGED: pl.Schema = Judged.create_empty().schema
SAMPLE: pl.Schema = Sample.create_empty().schema
