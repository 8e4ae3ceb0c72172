"""What is known of a row that is not taken: numbers while the steps go on, words at the end."""

import polars as pl

from schemas.reasons import DropReason
from schemas.record import VERDICT
from schemas.sampling import BalanceKey

SAMPLE_VERDICT = pl.Schema([*VERDICT.items(), ("copies", pl.UInt32())])
_PLACES_SHOWN = 6  # decimals; the bound is exact
_EVIDENCE = {
    "rule": pl.String(),
    "rank": pl.Float64(),
    "total": pl.Float64(),
    "bound": pl.Float64(),
}
"""What is known of a row that drops: which bound, its rank (or place) of how many, the bound."""

# fmt: off
_OF = {  #                whose rows a bound counts, and the columns that say it
    "source_category_rows": ("category {} of {}", "category", "source"),
    "source_rows":          ("{}", "source"),
    "refusals":             ("{} that refuse", "source"),
    "category_rows":        ("category {}", "category"),
    BalanceKey.LANGUAGE:    ("language {}", "group"),
    BalanceKey.CATEGORY:    ("category {}", "group"),
}
# fmt: on


def no_evidence() -> dict[str, pl.Expr]:
    """The columns of the evidence, by name, for rows that stay."""
    columns = {**_EVIDENCE, "group": pl.String()}
    return {name: pl.lit(None, dtype) for name, dtype in columns.items()}


def drop(
    state: pl.DataFrame, over: pl.Expr, rule: str, rank: pl.Expr, total: pl.Expr, bound: pl.Expr
) -> pl.DataFrame:
    """Give the rows that stay so far and are `over` a bound their evidence."""
    drops = pl.when(stays() & over.fill_null(value=False))
    told = {"rule": pl.lit(rule), "rank": rank, "total": total, "bound": bound}
    return state.with_columns(
        drops.then(value.cast(_EVIDENCE[name])).otherwise(name).alias(name)
        for name, value in told.items()
    )


def stays() -> pl.Expr:
    """Whether no step has dropped a row so far."""
    return pl.col("rule").is_null()


def verdicts(state: pl.DataFrame) -> pl.DataFrame:
    """SAMPLE_VERDICT in the order in which the rows were given."""
    dropped = state.filter(~stays()).select("row", *_evidence())
    given = {
        "drop_reason": pl.when(~stays()).then(pl.lit(DropReason.NOT_SAMPLED.value)),
        "found": pl.col("found"),
        "expected": pl.col("expected"),
        "copies": pl.when(stays()).then("copies"),
    }
    return (
        state.select("row", "rule", "copies")
        .join(dropped, on="row", how="left")
        .sort("row")
        .select(
            given.get(name, pl.lit(None, dtype)).alias(name)
            for name, dtype in SAMPLE_VERDICT.items()
        )
    )


def _evidence() -> tuple[pl.Expr, pl.Expr]:
    """`found` and `expected` of rows that drop, in words."""
    whole = {name: pl.col(name).cast(pl.UInt64) for name in ("rank", "total", "bound")}
    ranked = pl.format("row {} of {} by place", whole["rank"], whole["total"])
    placed = pl.format("place {} of 0 to 1", pl.col("rank").round(_PLACES_SHOWN))
    bounded = {
        "fraction": pl.format("a place below {}, the fraction of {}", "bound", "source"),
        **{
            rule: pl.format(f"at most {{}} rows of {words}", whole["bound"], *columns)
            for rule, (words, *columns) in _OF.items()
        },
    }
    expected = pl.coalesce(
        pl.when(pl.col("rule") == rule).then(words) for rule, words in bounded.items()
    )
    found = pl.when(pl.col("rule") == "fraction").then(placed).otherwise(ranked)
    return found.alias("found"), expected.alias("expected")
