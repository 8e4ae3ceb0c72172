"""Placeholders that the source or the recipe has a text for are filled before cleaning."""

from collections.abc import Mapping

import polars as pl

from schemas.cleaning import Cleaning
from schemas.source import Source
from tasks.normalize.fences import outside_fences, replaced
from tasks.placeholders import OPENS, PLACEHOLDER, about_templates


def fill_placeholders(
    turns: pl.DataFrame, source: Source
) -> tuple[pl.DataFrame, Mapping[str, int]]:
    """The same turns with `{{name}}` replaced by the source's text for it, and the rows changed.

    TURNS. Nothing is filled in code sources, in ``` fences and in messages about templates.
    """
    if source.code or not source.placeholders:
        return turns, {}
    content = pl.col("content")
    opens = content.str.contains(OPENS, literal=True)
    hit = turns.select(opens & ~about_templates(content, opens)).to_series()
    if not hit.any():
        return turns, {}
    texts = dict(source.placeholders)

    def fill(contents: pl.Series) -> pl.Series:
        found = contents.str.extract_all(PLACEHOLDER).explode().drop_nulls().unique().sort()
        named = {spelled: spelled.strip("{} \t") for spelled in found}
        known = {spelled: texts[name] for spelled, name in named.items() if name in texts}
        return contents.str.replace_many(list(known), list(known.values())) if known else contents

    before = turns["content"].filter(hit)
    after = outside_fences(fill)(before)
    rows = turns["row"].filter(hit).filter(before != after)
    whole = replaced(turns["content"], hit.arg_true(), after)
    return turns.with_columns(content=whole), (
        {Cleaning.PLACEHOLDERS_FILLED.value: rows.n_unique()} if rows.len() else {}
    )
