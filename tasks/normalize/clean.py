r"""Cleaning at the door: what no reader of a message would miss, and counted.

Everything after this point only judges text; nothing else in the pipeline rewrites it.

What stays, though it looks like dirt: zero-width joiners (emoji and Persian need them), soft
hyphens, U+FFFD (what it stood for is lost; such rows are counted), `\t` written out, and quotation
marks, ligatures and widths of every kind. Inside ``` fences only line ends, NUL and byte order
marks are touched.
"""

import html
from collections.abc import Mapping

import numpy as np
import polars as pl

from schemas.cleaning import Cleaning
from tasks.normalize.fences import Mend, outside_fences, replaced
from tasks.normalize.literal_newlines import break_lines
from tasks.normalize.mojibake import looks_broken, undo_mojibake
from tasks.normalize.signs import (
    AMPERSAND,
    LATIN,
    LOST,
    MARK,
    NUL,
    RETURN,
    SPACED,
    WRITTEN_OUT,
    signs_of,
)

ENTITY = r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{1,31});"
_MENDED_BEFORE = frozenset("\r\ufeff")  # and NUL, which no entity names
_LOST_BY_NAME = ("&#xfffd;", "&#65533;")
LOST_CHARACTER = "\N{REPLACEMENT CHARACTER}"
_DIRT_IN_CODE = NUL | RETURN | MARK | LOST | SPACED  # most texts have none of it
_DIRT = _DIRT_IN_CODE | AMPERSAND | WRITTEN_OUT | LATIN
_BLANK_LINES = r"^(?:[ \t]*\n)+"
_INDENTED_BLOCK = r"^(?:[ \t]*\n)*(?: {4}|\t)[ \t]*\S[^\n]*\n(?: {4}|\t)[ \t]*\S"


def clean(turns: pl.DataFrame, code: bool) -> tuple[pl.DataFrame, Mapping[str, int]]:
    """The same turns with cleaned contents, and how many rows each kind of cleaning changed.

    One row per turn with `row` and `content` (no nulls). Byte order marks and NUL go, CRLF becomes
    LF, mojibake and line breaks written out are undone, HTML entities become the characters they
    name, white space goes from both ends, though a block of indented lines keeps its indentation.
    Where `code` is true only line ends, NUL, byte order marks and white space at the ends are
    touched, and the first line keeps its indentation.
    Kinds are `Cleaning`; `replacement_characters` counts rows and changes none.
    """
    contents = turns["content"]
    signs = signs_of(contents)
    if not code:
        latin = np.flatnonzero(signs & LATIN)
        signs[latin] &= ~np.uint8(LATIN)
        signs[latin[looks_broken(contents.gather(latin)).to_numpy()]] |= LATIN
    places = np.flatnonzero(signs & (_DIRT_IN_CODE if code else _DIRT))
    if not places.size:
        return turns, {}
    dirty, rows = contents.gather(places), turns["row"].gather(places)
    mended, counts = _mended(dirty, rows, int(np.bitwise_or.reduce(signs[places])), code)
    trimmed = _lines_trimmed(mended) if code else _trimmed(mended)
    outer = mended.str.len_bytes() != trimmed.str.len_bytes()
    counts |= _count(Cleaning.OUTER_WHITE_SPACE, rows.filter(outer))
    return turns.with_columns(content=replaced(contents, pl.Series(places), trimmed)), counts


def _mended(
    texts: pl.Series, rows: pl.Series, signs: int, code: bool
) -> tuple[pl.Series, dict[str, int]]:
    """Texts of these rows without dirt, and the rows of each kind; `signs` are those of any."""
    counts: dict[str, int] = {}
    for kind, (needed, mend) in (_ANYWHERE if code else {**_ANYWHERE, **_IN_PROSE}).items():
        if signs & needed:
            mended = mend(texts)
            counts |= _count(kind, rows.filter(mended != texts))
            texts = mended
    lost = texts.str.contains(LOST_CHARACTER, literal=True)
    return texts, counts | _count(Cleaning.REPLACEMENT_CHARACTERS, rows.filter(lost))


def _count(kind: Cleaning, rows: pl.Series) -> dict[str, int]:
    """How many distinct rows there are, under the kind's name; nothing where there are none."""
    return {kind.value: rows.n_unique()} if rows.len() else {}


def _without_byte_order_marks(texts: pl.Series) -> pl.Series:
    return texts.str.replace_all("\ufeff", "", literal=True)


def _without_nul(texts: pl.Series) -> pl.Series:
    return texts.str.replace_all("\0", "", literal=True)


def _line_feeds(texts: pl.Series) -> pl.Series:
    unix = texts.str.replace_all("\r\n", "\n", literal=True)
    return unix.str.replace_all("\r", "\n", literal=True)


def _name_entities(texts: pl.Series) -> pl.Series:
    found = texts.str.extract_all(ENTITY).explode().drop_nulls().unique().sort()
    named = {entity: html.unescape(entity) for entity in found}
    known = {entity: text for entity, text in named.items() if _names_one(entity, text)}
    if not known:
        return texts
    mended = texts.str.replace_many(list(known), list(known.values()))
    if _MENDED_BEFORE.isdisjoint(known.values()):
        return mended
    return _line_feeds(_without_byte_order_marks(mended))


def _names_one(entity: str, text: str) -> bool:
    """Whether the whole entity is known, and not only a beginning of it (`&notit;`).

    One of NUL, of a surrogate or beyond Unicode names no character: HTML puts U+FFFD in its place.
    """
    if text == LOST_CHARACTER:
        return entity.lower() in _LOST_BY_NAME
    return text != entity and not text.endswith(";")


def _trimmed(texts: pl.Series) -> pl.Series:
    """The texts without white space at the ends; an indented block keeps its indentation."""
    stripped = texts.str.strip_chars()
    spaced = (stripped.str.len_bytes() != texts.str.len_bytes()).arg_true()
    blocks = spaced.filter(texts.gather(spaced).str.contains(_INDENTED_BLOCK))
    return replaced(stripped, blocks, _lines_trimmed(texts.gather(blocks)))


def _lines_trimmed(texts: pl.Series) -> pl.Series:
    return texts.str.strip_chars_end().str.replace(_BLANK_LINES, "")


_Mends = dict[Cleaning, tuple[int, Mend]]
"""Of each kind its repair, and the signs without any of which there is nothing to repair."""
_ANYWHERE: _Mends = {
    Cleaning.BYTE_ORDER_MARKS: (MARK, _without_byte_order_marks),
    Cleaning.NUL_CHARACTERS: (NUL, _without_nul),
    Cleaning.CARRIAGE_RETURNS: (RETURN, _line_feeds),
}
_IN_PROSE: _Mends = {
    # A mark or NUL that is gone may have stood between two characters.
    Cleaning.MOJIBAKE: (LATIN | MARK | NUL, outside_fences(undo_mojibake)),
    Cleaning.LITERAL_NEWLINES: (WRITTEN_OUT | MARK | NUL, break_lines),
    Cleaning.HTML_ENTITIES: (AMPERSAND, outside_fences(_name_entities)),
}
