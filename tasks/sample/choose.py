"""Which rows a corpus takes and how often: by the places that their record ids hash to."""

from collections.abc import Sequence

import polars as pl

from schemas.recipe import Recipe
from schemas.sampling import OTHER, SHARE_TOLERANCE, Balance, BalanceKey, Sampling
from tasks.sample.balance import quotas
from tasks.sample.evidence import drop, no_evidence, stays, verdicts
from tasks.split import SPLIT_COLUMN, VALIDATION, assign_splits
from tasks.text import place

LEFT = ("record_id", "source", "source_row", "category", "language", "refusal", "cluster")
ROUNDING = 1e-9  # 0.1 x 90 / 0.9 is 9.999…
NAMELESS = {BalanceKey.LANGUAGE: "unknown", BalanceKey.CATEGORY: "(none)"}


def choose(rows: pl.DataFrame, recipe: Recipe) -> tuple[pl.DataFrame, tuple[tuple[str, str], ...]]:
    """SAMPLE_VERDICT, one row per row of `rows` in their order, and notes on the balance.

    `rows` has the columns LEFT: all rows that no stage dropped. A row that stays has `copies`, how
    often it is published; one that does not has its reason, its place or rank, and the bound.
    Ranks are by place, a hash of the seed, the step and the record id, so that the order of rows
    decides nothing. Each step has places of its own: what one step leaves is low in that step's
    places, and would be favoured by the next one over what the first did not touch.
    """
    sampling, seed = recipe.sampling, recipe.seed
    state = _with_bounds(rows, sampling).pipe(_limit_refusals, seed)
    state = _take_fractions(state, seed).pipe(_repeat, seed)
    state = _cap(state, seed, ("source", "category"), "source_category_rows")
    state = _cap(state, seed, ("source",), "source_rows")
    state = _cap(state, seed, ("category",), "category_rows")
    if sampling.balance:
        state = _balance(state, sampling.balance, seed)
    if sampling.repeats:
        state = _once_where_held_out(state, recipe)
    notes = _notes(state, sampling.balance) if sampling.balance else ()
    return verdicts(state), notes


def _with_bounds(rows: pl.DataFrame, sampling: Sampling) -> pl.DataFrame:
    """The rows by identity, with their number, the bounds that hold for them, and no verdict yet.

    Steps sort them by place and keep the order of equal ones: that of the ids, then of the sources.
    """
    columns = {
        "refusal_share": pl.Float64,
        "fraction": pl.Float64,
        "source_rows": pl.UInt32,
        "source_category_rows": pl.UInt32,
        "repeat": pl.Float64,
    }
    by_source = pl.DataFrame(
        [
            (
                *(name, one.max_refusal_share, one.fraction),
                *(one.max_rows, one.max_rows_per_category, one.repeat),
            )
            for name, one in sampling.sources
        ],
        schema={"source": pl.String, **columns},
        orient="row",
    )
    of_category = pl.when(pl.col("category").is_not_null())
    return (
        rows.with_row_index("row")
        .sort("record_id", "source", "source_row")
        .drop("source_row")
        .join(by_source, on="source", how="left", maintain_order="left")
        .with_columns(
            pl.col("refusal_share").fill_null(sampling.max_refusal_share),
            pl.col("fraction", "repeat").fill_null(1.0),
            source_category_rows=of_category.then("source_category_rows"),
            category_rows=of_category.then(sampling.max_rows_per_category).cast(pl.UInt32),
            **no_evidence(),
        )
    )


def _place(seed: int, step: str) -> pl.Expr:
    return place(f"{seed}:{step}:", pl.col("record_id"))


def _by_place(state: pl.DataFrame, seed: int, step: str) -> pl.DataFrame:
    """The rows in the order in which a step takes them."""
    return state.with_columns(place=_place(seed, step)).sort("place", maintain_order=True)


def _limit_refusals(state: pl.DataFrame, seed: int) -> pl.DataFrame:
    """Of each source's refusals, those beyond its share drop: beside n others, s n / (1 - s)."""
    if (state["refusal_share"] == 1).all() or not state["refusal"].any():
        return state
    state = _by_place(state, seed, "refusals")
    others = (~pl.col("refusal")).sum().over("source")
    share = pl.col("refusal_share")
    allowed = pl.when(share < 1).then((share * others / (1 - share) + ROUNDING).floor())
    rank = pl.col("refusal").cum_sum().over("source")
    over = pl.col("refusal") & (rank > allowed)
    return drop(state, over, "refusals", rank, pl.col("refusal").sum().over("source"), allowed)


def _take_fractions(state: pl.DataFrame, seed: int) -> pl.DataFrame:
    if (state["fraction"] == 1).all():
        return state
    state = state.with_columns(place=_place(seed, "fraction"))
    over = pl.col("place") >= pl.col("fraction")
    return drop(state, over, "fraction", pl.col("place"), pl.lit(1), pl.col("fraction"))


def _repeat(state: pl.DataFrame, seed: int) -> pl.DataFrame:
    """Add `copies`: the whole part of `repeat`, and one more where the row's place is below."""
    if (state["repeat"] == 1).all():
        return state.with_columns(copies=pl.lit(1, pl.UInt32))
    whole = pl.col("repeat").floor()
    one_more = _place(seed, "repeat") < pl.col("repeat") - whole
    return state.with_columns(copies=(whole + one_more).cast(pl.UInt32))


def _cap(state: pl.DataFrame, seed: int, group: Sequence[str], bound: str) -> pl.DataFrame:
    """Of each group's rows that stay, those beyond its bound drop; a null bound is none."""
    if state[bound].null_count() == state.height:
        return state
    state = _by_place(state, seed, bound)
    rank, total = stays().cum_sum().over(group), stays().sum().over(group)
    return drop(state, rank > pl.col(bound), bound, rank, total, pl.col(bound))


def _balance(state: pl.DataFrame, balance: Balance, seed: int) -> pl.DataFrame:
    """Of each value that has a share, the rows beyond its quota drop, copies counted."""
    state = _by_place(state, seed, "balance").with_columns(group=_group(balance))
    bounds = quotas(_published(state), balance)
    bound = pl.col("group").replace_strict(bounds, default=None, return_dtype=pl.UInt64)
    copies = pl.when(stays()).then("copies").otherwise(0).cast(pl.UInt64)
    rank, total = copies.cum_sum().over("group"), copies.sum().over("group")
    return drop(state, rank > bound, str(balance.by), rank, total, bound)


def _group(balance: Balance) -> pl.Expr:
    """The value whose share a row counts towards; null where it counts towards none."""
    value = pl.col(balance.by).fill_null(NAMELESS[balance.by])
    named = [name for name, _ in balance.shares]
    rest = pl.lit(OTHER) if OTHER in named else pl.lit(None, pl.String)
    return pl.when(value.is_in(named)).then(value).otherwise(rest)


def _once_where_held_out(state: pl.DataFrame, recipe: Recipe) -> pl.DataFrame:
    """Rows that the split holds out for validation have one copy: a loss counts each row once."""
    kept = assign_splits(state.filter(stays()), recipe.split, recipe.seed)
    held_out = kept.filter(pl.col(SPLIT_COLUMN) == VALIDATION)["row"].implode()
    once = pl.when(pl.col("row").is_in(held_out)).then(1).otherwise("copies")
    return state.with_columns(copies=once.cast(pl.UInt32))


def _published(state: pl.DataFrame) -> dict[str, int]:
    """By balanced value, the rows that stay, each copy counted."""
    counted = state.filter(stays(), pl.col("group").is_not_null()).group_by("group")
    return dict(counted.agg(pl.col("copies").cast(pl.UInt64).sum()).rows())


def _notes(state: pl.DataFrame, balance: Balance) -> tuple[tuple[str, str], ...]:
    """What share each value has of the rows that were balanced, beside what it was to have."""
    rows = _published(state)
    everything = sum(rows.values())
    found = {value: rows.get(value, 0) for value, _ in balance.shares}
    return tuple(
        (f"balance: {balance.by} {value}", _share(found[value], everything, wanted))
        for value, wanted in balance.shares
    )


def _share(rows: int, everything: int, wanted: float) -> str:
    share = rows / everything if everything else 0.0
    short = "; not met, for there are no more" if wanted - share > SHARE_TOLERANCE else ""
    return f"{rows:,} of {everything:,} rows, a share of {share:.4f}; wanted {wanted:g}{short}"
