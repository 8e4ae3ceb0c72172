"""Template: a source's own texts, in which `{column}` stands for a column of its rows."""

import polars as pl

from schemas.record import ROLES
from schemas.source import Template, columns_of, parts_of
from tasks.normalize.turns import Parsed, turns_of


def column_of(name: str) -> str:
    """The name of a template's column among the other columns of a batch: never one of theirs."""
    return f"column {name}"


def template_turns(rows: pl.DataFrame, template: Template) -> Parsed:
    """One turn for each text of the template.

    One row per row of the batch: `row`, and `column_of` each column of the template. What a row
    lacks is empty text; a turn that names columns of which all are blank is left out.
    """
    texts = [(role, getattr(template, role, None)) for role in ROLES]
    return Parsed(turns_of(rows, [(role, _filled(text)) for role, text in texts if text]))


def _filled(text: str) -> pl.Expr:
    """The text with the columns in their places."""
    told = pl.concat_str(
        part
        for literal, name in parts_of(text)
        for part in (pl.lit(literal), *([_told(name)] if name is not None else []))
    )
    names = columns_of(text)
    if not names:
        return told
    return pl.when(pl.any_horizontal(_told(name).str.strip_chars() != "" for name in names)).then(
        told
    )


def _told(name: str) -> pl.Expr:
    return pl.col(column_of(name)).fill_null("")
