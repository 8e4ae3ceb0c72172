"""Dialogues written as plain text, each turn behind the name of its speaker."""

import polars as pl

from tasks.normalize.turns import TURNS

Speakers = dict[str, str]

HUMAN_ASSISTANT: Speakers = {"human": "user", "assistant": "assistant"}
HUMAN_HUGCHAT: Speakers = {
    "human": "user",
    "user": "user",
    "hugchat": "assistant",
    "assistant": "assistant",
    "bot": "assistant",
}
INPUT_OUTPUT: Speakers = {"input": "user", "output": "assistant"}
TAGGED: Speakers = {"<human>": "user", "<bot>": "assistant"}
FAMILIES = (HUMAN_HUGCHAT, INPUT_OUTPUT, TAGGED)

_TURN, _WORD = "\x1d", "\x1f"


def marker(speakers: Speakers) -> str:
    """The pattern of a speaker's name and colon at the beginning of a line, name captured."""
    return rf"(?im)^[ \t]*({'|'.join(speakers)})[ \t]*[:：][ \t]?"


def split_turns(rows: pl.DataFrame, speakers: Speakers) -> pl.DataFrame:
    """TURNS of dialogues: one row per row, `row` and `text`.

    What stands before the first marker is the user's. Contents may be empty.
    """
    text = pl.col("text").str.replace_all(f"[{_TURN}{_WORD}]", "")
    marked = text.str.replace_all(marker(speakers), f"{_TURN}${{1}}{_WORD}")
    pieces = rows.select(pl.col("row").cast(pl.UInt32), piece=marked.str.split(_TURN)).explode(
        "piece"
    )
    halves = pl.col("piece").str.split_exact(_WORD, 1).struct
    told = pieces.select("row", word=halves.field("field_0"), said=halves.field("field_1"))
    before = pl.col("said").is_null()
    role = pl.col("word").str.to_lowercase().replace_strict(speakers, default="user")
    return (
        told.filter(~before | (pl.col("word").str.strip_chars() != ""))
        .select(
            "row",
            role=pl.when(before).then(pl.lit("user")).otherwise(role),
            content=pl.when(before).then("word").otherwise("said").str.strip_chars(),
        )
        .cast(TURNS)
    )


def split_families(rows: pl.DataFrame) -> tuple[pl.DataFrame, pl.Series]:
    """TURNS of dialogues, each split by the family of its first marker; rows that have none.

    Only that family splits a dialogue: an answer about programs may hold a line `Output: 5`.
    """
    words = {word: number for number, family in enumerate(FAMILIES) for word in family}
    first = pl.col("text").str.extract(marker(dict.fromkeys(words, "")), 1).str.to_lowercase()
    family = rows.select(
        first.replace_strict(words, default=None, return_dtype=pl.UInt8)
    ).to_series()
    turns = [
        split_turns(rows.filter(family == number), speakers)
        for number, speakers in enumerate(FAMILIES)
        if (family == number).any()
    ]
    told = (
        pl.concat(turns).sort("row", maintain_order=True) if turns else pl.DataFrame(schema=TURNS)
    )
    return told, rows.filter(family.is_null())["row"]
