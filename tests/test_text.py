"""Prompt, response and record id: the same words for every stage."""

import hashlib
import json

import polars as pl
import pytest

from schemas.record import RECORD
from tasks.text import prompt, record_id, response, squeeze

Turns = list[tuple[str, str]]


def conversation(turns: Turns, tools: str | None = None) -> pl.DataFrame:
    messages = [{"role": role, "content": content} for role, content in turns]
    return pl.DataFrame(
        {"messages": [messages], "tools": [tools]},
        schema={"messages": RECORD["messages"], "tools": pl.String},
    )


# fmt: off
PARTS = {  #          turns                                                       prompt          response
    "one turn":       ([("user", "q"), ("assistant", "a")],                       "q",            "a"),
    "with a system":  ([("system", "s"), ("user", "q"), ("assistant", "a")],      "s\n\nq",       "a"),
    "two turns":      ([("user", "q"), ("assistant", "a"), ("user", "r"), ("assistant", "b")], "q\n\na\n\nr", "b"),
    "no prompt":      ([("assistant", "a")],                                      "",             "a"),
    "empty answer":   ([("user", "q"), ("assistant", "")],                        "q",            ""),
    "Chinese":        ([("user", "问"), ("assistant", "答")],                       "问",            "答"),
}
# fmt: on


@pytest.mark.parametrize(("turns", "before", "last"), PARTS.values(), ids=PARTS)
def test_the_response_is_the_last_message_and_the_prompt_all_before(
    turns: Turns, before: str, last: str
) -> None:
    found = conversation(turns).select(prompt=prompt(), response=response())
    assert found.rows() == [(before, last)]


def test_white_space_is_squeezed_and_stripped() -> None:
    assert pl.select(squeeze(pl.lit("  a\t\n b  "))).item() == "a b"


def test_a_record_id_is_sha256_of_the_canonical_json() -> None:
    turns = [("user", 'say "é"\n'), ("assistant", "答")]
    canonical = json.dumps(
        {"messages": [{"role": role, "content": text} for role, text in turns], "tools": None},
        separators=(",", ":"),
        ensure_ascii=False,
    )
    expected = hashlib.sha256(canonical.encode()).hexdigest()[:32]
    assert conversation(turns).select(record_id()).item() == expected


# fmt: off
DIFFERENT = {  #            the same but for
    "the words":            ([("user", "q"), ("assistant", "b")], None),
    "the case":             ([("user", "Q"), ("assistant", "a")], None),
    "the roles":            ([("system", "q"), ("assistant", "a")], None),
    "where a turn ends":    ([("user", "qa"), ("assistant", "")], None),
    "the tools":            ([("user", "q"), ("assistant", "a")], "[]"),
}
# fmt: on


@pytest.mark.parametrize(("turns", "tools"), DIFFERENT.values(), ids=DIFFERENT)
def test_another_conversation_has_another_id(turns: Turns, tools: str | None) -> None:
    one = conversation([("user", "q"), ("assistant", "a")]).select(record_id()).item()
    assert conversation(turns, tools).select(record_id()).item() != one
