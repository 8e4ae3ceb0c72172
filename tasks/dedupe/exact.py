"""Exact duplicates: rows that say the same once folded; the first in election order stays."""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import polars as pl

from schemas.reasons import DropReason
from schemas.record import VERDICT
from schemas.source import Source
from tasks.dedupe.digest import Digests
from tasks.dedupe.group import Indices, first_equal
from tasks.kernel import announce_compilation, kernel

NONE = -1


def exact_verdicts(rows: pl.DataFrame, folded: Digests, strict: Digests) -> pl.DataFrame:
    """Judge all rows at once: VERDICT, one row per row, in their order.

    `rows` has the columns record_id, source_row, source_rank, code, and broken: whether the row
    breaks a rule. Rows that break none are elected first, so that a row which is dropped in the end
    never takes a clean one with it. `folded` and `strict` are their digests in both forms.

    Two rows are the same where their folded forms are; where either is from a code source, where
    their strict forms are.
    """
    same_folded = first_equal(folded)
    same_strict = same_folded if strict is folded else first_equal(strict)
    survivor = np.full(rows.height, NONE, np.int64)
    kept = np.full((2, rows.height), NONE, np.int64)
    _elect_first(
        election_order(rows, rows["broken"].to_numpy()),
        same_folded,
        same_strict,
        rows["code"].to_numpy(),
        kept,
        survivor,
    )
    return duplicate_verdicts(rows["record_id"], survivor, DropReason.EXACT_DUPLICATE)


def duplicate_verdicts(
    record_ids: pl.Series,
    survivor: Indices,
    reason: DropReason,
    prompt_similarity: npt.NDArray[np.float32] | None = None,
    response_similarity: npt.NDArray[np.float32] | None = None,
) -> pl.DataFrame:
    """VERDICT of rows of which some fall to another: `survivor` is its index, `NONE` for the kept.

    Similarities are 1 where they are not given.
    """
    fallen = pl.Series(survivor != NONE)
    same = np.ones(len(survivor), np.float32)
    named = record_ids.gather(pl.Series(np.where(survivor == NONE, 0, survivor), dtype=pl.UInt64))
    return pl.DataFrame(
        {
            "drop_reason": pl.repeat(reason, len(survivor), dtype=pl.String, eager=True),
            "duplicate_of": named,
            "prompt_similarity": same if prompt_similarity is None else prompt_similarity,
            "response_similarity": same if response_similarity is None else response_similarity,
            "found": pl.repeat(None, len(survivor), dtype=pl.String, eager=True),
            "expected": pl.repeat(None, len(survivor), dtype=pl.String, eager=True),
        },
        schema=VERDICT,
    ).select(pl.when(fallen).then(pl.all()))


def source_ranks(sources: Iterable[Source]) -> dict[str, int]:
    """The place of each source in an election: by priority, lower first, then by name."""
    ordered = sorted({(source.priority, source.name) for source in sources})
    return {name: rank for rank, (_, name) in enumerate(ordered)}


def election_order(rows: pl.DataFrame, last: npt.NDArray[np.bool_] | None = None) -> Indices:
    """Row indices, the first to stay first: by source_rank, record_id, source_row.

    Rows marked `last` come after all others. The order in which rows are given does not count.
    """
    by_name = rows.select(pl.arg_sort_by("record_id", "source_row")).to_series().to_numpy()
    ranks = rows["source_rank"].to_numpy().astype(np.uint32)
    if last is not None:
        ranks = ranks + np.uint32(ranks.max(initial=0) + 1) * last
    # Two sorts, because Polars takes five times as long over keys that begin with equal ones.
    return by_name[np.argsort(ranks[by_name], kind="stable")].astype(np.int64)


def announce() -> None:
    """Log that kernels will be compiled, where this machine has not done so yet."""
    announce_compilation(_elect_first)


@kernel
def _elect_first(
    order: Indices,
    folded: Indices,
    strict: Indices,
    code: npt.NDArray[np.bool_],
    kept: Indices,
    survivor: Indices,
) -> None:
    """Walk the rows in order; one falls to the row kept before it under the form they share.

    `kept`: 2 x rows, `NONE`; comes to hold the row kept of each folded and of each strict form.
    """
    kept_folded = kept[0]
    kept_strict = kept[1]
    for row in order:
        survivor[row] = kept_strict[strict[row]]
        if survivor[row] == NONE and not code[row]:
            survivor[row] = kept_folded[folded[row]]
        if survivor[row] != NONE:
            continue
        kept_strict[strict[row]] = row
        if not code[row]:
            kept_folded[folded[row]] = row
