"""Conflicts: rows with one prompt and different responses, and which of them stays."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from schemas.dedupe import ConflictPolicy
from schemas.reasons import DropReason
from schemas.source import Source
from tasks.dedupe.digest import mix
from tasks.dedupe.exact import NONE
from tasks.dedupe.group import NO_GROUP, Indices, empty_table
from tasks.dedupe.minhash import PROMPT, RESPONSE, Hashes
from tasks.dedupe.verify import Rows, ShingleSets, Texts, jaccard, same_text
from tasks.kernel import kernel

NO_ROW = NO_GROUP
Flags = npt.NDArray[np.bool_]


class Prompts(NamedTuple):
    """The rows of each prompt, and what becomes of them while the election walks."""

    first: npt.NDArray[np.uint32]
    """Per row: the first row, in order, with its prompt, tools and kind, which stands for all."""
    kept: npt.NDArray[np.uint32]
    """By the row that stands for a prompt: the first row kept of it, `NO_ROW` before there is."""
    fell: Flags
    """Per row: whether it fell because it answers differently from the one kept."""
    one_answer: bool
    """Whether such rows fall."""


def gather_prompts(
    rows: Rows, order: Indices, prompt_digests: Hashes, policy: ConflictPolicy
) -> Prompts:
    """Find the rows of one prompt: their folded prompts are compared, not only their digests."""
    total = len(order)
    first = np.empty(total, np.uint32)
    leaders = empty_table(total)
    _lead_prompts(rows.texts, rows.kind, order, prompt_digests, leaders, first)
    return Prompts(
        first,
        np.full(total, NO_ROW, np.uint32),
        np.zeros(total, np.bool_),
        policy is not ConflictPolicy.KEEP_ALL,
    )


def longest_first(
    order: Indices, prompts: Prompts, response_chars: npt.NDArray[np.uint32]
) -> Indices:
    """The same rows, so that of each prompt the longest response comes first, ties as in `order`.

    Each comes no earlier than its own place and no earlier than the longer ones of its prompt.
    """
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    by_length = pl.DataFrame(
        {
            "row": order,
            "prompt": prompts.first[order],
            "chars": response_chars[order],
            "place": place[order],
        }
    ).sort("prompt", "chars", "place", descending=[False, True, False])
    turn = pl.col("place").cum_max().over("prompt")
    return by_length.select(pl.col("row").sort_by(turn, maintain_order=True))["row"].to_numpy()


def contested(rows: Rows, order: Indices, prompts: Prompts, survivor: Indices) -> Flags:
    """Per row: whether a row with its prompt says something else, near duplicates apart.

    Rows that fell to a near duplicate are not asked; those that fell for what they answer are.
    """
    total = len(order)
    speaker = np.full(total, NO_ROW, np.uint32)
    differs = np.zeros(total, np.bool_)
    asked = (survivor == NONE) | prompts.fell
    _find_differing(rows.texts, order, prompts.first, asked, speaker, differs)
    contested_rows: Flags = asked & differs[prompts.first]
    return contested_rows


def fill_similarity(
    rows: Rows,
    prompts: Prompts,
    survivor: Indices,
    ngram: int,
    similarity: npt.NDArray[np.float32],
) -> None:
    """Put the exact similarities of rows that fell in a conflict into `similarity` (2 x rows)."""
    losers = np.flatnonzero(prompts.fell)
    if len(losers) == 0:
        return
    longest = rows.texts.longest()
    similarity[PROMPT, losers] = 1.0
    _compare_responses(
        rows.texts, losers, survivor, ngram, ShingleSets.holding(longest), similarity[RESPONSE]
    )


def conflict_names(record_ids: pl.Series, prompts: Prompts, in_conflict: Flags) -> pl.Series:
    """The smallest record_id among the rows of each contested prompt; null for other rows."""
    named = (
        pl.DataFrame({"prompt": prompts.first, "record_id": record_ids})
        .with_row_index("row")
        .filter(pl.Series(in_conflict, dtype=pl.Boolean))
        .select("row", pl.col("record_id").min().over("prompt").alias("conflict"))
    )
    return (
        pl.DataFrame({"row": pl.int_range(len(record_ids), dtype=pl.UInt32, eager=True)})
        .join(named, on="row", how="left", maintain_order="left")
        .get_column("conflict")
    )


def conflict_notes(prompts: Prompts, in_conflict: Flags) -> dict[str, int]:
    """How many prompts have more than one answer, and how many rows those are."""
    return {
        "conflicting_prompts": len(np.unique(prompts.first[in_conflict])),
        "conflicting_rows": int(in_conflict.sum()),
    }


def conflict_verdicts(
    verdicts: pl.DataFrame,
    names: pl.DataFrame,
    sources: tuple[Source, ...],
    fell: Flags,
    survivor: Indices,
    policy: ConflictPolicy,
) -> pl.DataFrame:
    """The same verdicts with the reason and the evidence of rows that fell in a conflict.

    `names`, one row per row: record_id, source (index into `sources`), response_chars. `found` says
    of the row and `expected` of the kept one what decided: the length, the priority, the source's
    name or the record id.
    """
    if not fell.any():
        return verdicts
    losers = np.flatnonzero(fell)
    known = pl.DataFrame(
        {
            "source": pl.Series(range(len(sources)), dtype=pl.UInt32),
            "name": [source.name for source in sources],
            "priority": [source.priority for source in sources],
        }
    )
    row, kept = (
        names[places].join(known, on="source", how="left", maintain_order="left")
        for places in (losers, survivor[losers])
    )
    both = row.hstack(kept.select(pl.all().name.prefix("kept_")))
    evidence = both.select(
        row=pl.Series(losers, dtype=pl.UInt32),
        found=_decided("", policy),
        expected=_decided("kept_", policy),
    )
    return (
        verdicts.drop("found", "expected")
        .with_row_index("row")
        .join(evidence, on="row", how="left", maintain_order="left")
        .with_columns(
            drop_reason=pl.when(pl.Series(fell))
            .then(pl.lit(DropReason.CONFLICTING_RESPONSE.value))
            .otherwise("drop_reason")
        )
        .select(verdicts.columns)
    )


def _decided(prefix: str, policy: ConflictPolicy) -> pl.Expr:
    """What is to be said of one of two rows."""

    def differ(column: str) -> pl.Expr:
        return pl.col(column) != pl.col(f"kept_{column}")

    chars = pl.format("{} characters", pl.col(f"{prefix}response_chars"))
    by_length = differ("response_chars") & (policy is ConflictPolicy.KEEP_LONGEST)
    return (
        pl.when(by_length)
        .then(chars)
        .when(differ("priority"))
        .then(pl.format("priority {} (source {})", f"{prefix}priority", f"{prefix}name"))
        .when(differ("name"))
        .then(pl.format("source {}", f"{prefix}name"))
        .otherwise(pl.format("record_id {}", f"{prefix}record_id"))
    )


@kernel
def _lead_prompts(
    texts: Texts,
    kind: Hashes,
    order: Indices,
    prompt_digests: Hashes,
    leaders: npt.NDArray[np.uint32],
    first: npt.NDArray[np.uint32],
) -> None:
    """`leaders` is an empty table, open addressing by digest and kind; `first` as in `Prompts`."""
    mask = np.uint64(len(leaders) - 1)
    for row in order:
        slot = mix(prompt_digests[row] + kind[row]) & mask
        while leaders[slot] != NO_ROW:
            leader = np.int64(leaders[slot])
            if (
                prompt_digests[leader] == prompt_digests[row]
                and kind[leader] == kind[row]
                and same_text(texts, np.int64(PROMPT), leader, row)
            ):
                break
            slot = (slot + np.uint64(1)) & mask
        if leaders[slot] == NO_ROW:
            leaders[slot] = row
        first[row] = leaders[slot]


@kernel
def _compare_responses(
    texts: Texts,
    losers: Indices,
    survivor: Indices,
    ngram: int,
    sets: ShingleSets,
    similarity: npt.NDArray[np.float32],
) -> None:
    for row in losers:
        similarity[row] = jaccard(texts, np.int64(RESPONSE), row, survivor[row], ngram, sets)


@kernel
def _find_differing(
    texts: Texts,
    order: Indices,
    first: npt.NDArray[np.uint32],
    asked: Flags,
    speaker: npt.NDArray[np.uint32],
    differs: Flags,
) -> None:
    """`speaker`: the first row asked of each prompt; `differs`: whether one says something else."""
    for row in order:
        if not asked[row]:
            continue
        prompt = first[row]
        if speaker[prompt] == NO_ROW:
            speaker[prompt] = row
        elif not differs[prompt]:
            differs[prompt] = not same_text(
                texts, np.int64(RESPONSE), np.int64(speaker[prompt]), row
            )
