"""Minimal cleaning at the door: what no reader of a message would miss, and counted.

Everything after this point only judges text; nothing else in the pipeline rewrites it.
"""

import html
from collections.abc import Mapping

import polars as pl

ENTITY = r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{1,31});"
_BLANK_LINES = r"^(?:[ \t]*\n)+"


def clean(turns: pl.DataFrame, code: bool) -> tuple[pl.DataFrame, Mapping[str, int]]:
    """The same turns with cleaned contents, and how many rows each kind of cleaning changed.

    One row per turn with `row` and `content` (no nulls). Byte order marks and NUL go, CRLF becomes
    LF, HTML entities become the characters they name, white space goes from both ends. Where
    `code` is true entities stay, and so does the indentation of the first line.
    """
    counts = {}
    for name, (found, mended) in _repairs(turns["content"], code).items():
        hit = turns.select(found).to_series()
        if hit.any():
            counts[name] = turns.filter(hit)["row"].n_unique()
            turns = turns.with_columns(
                pl.when(hit).then(mended).otherwise("content").alias("content")
            )
    return turns.with_columns(_trim(pl.col("content"), code)), counts


def _repairs(contents: pl.Series, code: bool) -> dict[str, tuple[pl.Expr, pl.Expr]]:
    """By name of the count: which contents need the repair, and the repair."""
    content = pl.col("content")
    repairs = {
        "byte_order_marks": _without(content, "\ufeff"),
        "nul_characters": _without(content, "\0"),
        "carriage_returns": (
            content.str.contains("\r", literal=True),
            content.str.replace_all("\r\n", "\n", literal=True).str.replace_all(
                "\r", "\n", literal=True
            ),
        ),
    }
    if not code:
        entities = _entities(contents)
        repairs["html_entities"] = (
            content.str.contains_any(list(entities)) if entities else pl.lit(False),
            content.str.replace_many(list(entities), list(entities.values())),
        )
    return repairs


def _without(content: pl.Expr, character: str) -> tuple[pl.Expr, pl.Expr]:
    return (
        content.str.contains(character, literal=True),
        content.str.replace_all(character, "", literal=True),
    )


def _entities(contents: pl.Series) -> dict[str, str]:
    """The distinct HTML entities that occur, and the characters they name."""
    with_ampersand = contents.filter(contents.str.contains("&", literal=True))
    found = with_ampersand.str.extract_all(ENTITY).explode().drop_nulls().unique().sort()
    named = {entity: html.unescape(entity) for entity in found}
    return {entity: text for entity, text in named.items() if _names_one(entity, text)}


def _names_one(entity: str, text: str) -> bool:
    """Whether the whole entity is known, and not only a beginning of it (`&notit;`)."""
    return text != entity and not text.endswith(";")


def _trim(content: pl.Expr, code: bool) -> pl.Expr:
    if code:
        return content.str.strip_chars_end().str.replace(_BLANK_LINES, "")
    return content.str.strip_chars()
