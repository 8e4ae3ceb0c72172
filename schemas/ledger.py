"""The ledger: what was dropped, by which stage, for what reason and on what evidence."""

import dataframely as dy

from schemas.record import Record


class Ledger(dy.Schema):
    """One row per input row that is not in the corpus, with its text.

    A row that could not be read has no record: its `record_id` and `messages` are null, and
    `file`, `offset` (bytes from the start of the decompressed file), `message` (the parser's) and
    `found` (an excerpt) say what stood there. The others are those of `Record` and `Verdict`.
    """

    record_id = dy.String(nullable=True)
    source = dy.String(nullable=False)
    source_row = dy.UInt32(nullable=False)
    stage = dy.String(nullable=False)
    drop_reason = dy.String(nullable=False)
    duplicate_of = dy.String(nullable=True)
    prompt_similarity = dy.Float32(nullable=True)
    response_similarity = dy.Float32(nullable=True)
    found = dy.String(nullable=True)
    expected = dy.String(nullable=True)
    file = dy.String(nullable=True)
    offset = dy.UInt64(nullable=True)
    message = dy.String(nullable=True)
    messages = dy.List(dy.Struct({"role": dy.String(), "content": dy.String()}), nullable=True)
    category = dy.String(nullable=True)
    tools = dy.String(nullable=True)
    licence = dy.String(nullable=True)


class Published(Record):
    """One row per published training conversation: the record, its measures and its cluster.

    `language` is an ISO 639-1 code, null where it could not be told; lengths are in Unicode code
    points and in tokens of the recipe's tokenizer (null where it names none). Rows of one `cluster`
    share a prompt or nearly so, and are always in the same split.
    """

    language = dy.String(nullable=True)
    turns = dy.UInt16(nullable=False)
    prompt_chars = dy.UInt32(nullable=False)
    response_chars = dy.UInt32(nullable=False)
    prompt_tokens = dy.UInt32(nullable=True)
    response_tokens = dy.UInt32(nullable=True)
    cluster = dy.String(nullable=False)


LEDGER = Ledger.create_empty().schema
PUBLISHED = Published.create_empty().schema
