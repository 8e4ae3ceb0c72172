"""Repairs of texts that leave alone what stands inside ``` fences."""

from collections.abc import Callable

import polars as pl

FENCE = "```"
Mend = Callable[[pl.Series], pl.Series]  # texts to texts, one for one


def outside_fences(mend: Mend) -> Mend:
    """The same repair for what stands outside ``` fences; one that is never closed runs on."""

    def mended(texts: pl.Series) -> pl.Series:
        if not texts.str.contains(FENCE, literal=True).any():
            return mend(texts)
        parts = (
            pl.DataFrame({"part": texts.str.split(FENCE)})
            .with_row_index("text")
            .explode("part")
            .with_columns(outside=pl.int_range(pl.len()).over("text") % 2 == 0)
        )
        places = parts["outside"].arg_true()
        prose = mend(parts["part"].gather(places))
        whole = parts.with_columns(part=replaced(parts["part"], places, prose))
        joined = whole.group_by("text", maintain_order=True).agg(pl.col("part").str.join(FENCE))
        return joined["part"].alias(texts.name)

    return mended


def replaced(texts: pl.Series, places: pl.Series, others: pl.Series) -> pl.Series:
    """The same texts with others at those places."""
    return texts.clone().scatter(places, others) if places.len() else texts
