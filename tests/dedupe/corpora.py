"""Small corpora, judged as the stage judges them: rows in, verdicts out."""

import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from schemas.dedupe import ConflictPolicy, NearDedupe
from schemas.record import RECORD
from schemas.source import Source
from tasks.dedupe.digest import conversation_digests
from tasks.dedupe.exact import exact_verdicts, source_ranks
from tasks.dedupe.near import NearResult, SignedShard, near_verdicts, signed_shard
from tasks.dedupe.signatures import fold_shard, sign
from tasks.fold import fold
from tasks.text import prompt, response

NGRAM = 5


def source(name: str = "alpaca", priority: int = 100, *, code: bool = False) -> Source:
    return Source.model_validate(
        {
            "name": name,
            "layout": "alpaca",
            "local": {"path": f"/{name}.json"},
            "licence": "unknown",
            "priority": priority,
            "code": code,
        }
    )


def records(rows: Iterable[dict[str, Any]]) -> pl.DataFrame:
    """RECORD from rows of user, assistant and whatever else matters; ids count from 0."""
    return pl.DataFrame(
        [
            {
                "record_id": row.get("record_id", f"{index:032x}"),
                "source": row.get("source", "alpaca"),
                "source_row": row.get("source_row", index),
                "messages": row.get("messages")
                or [
                    {"role": "user", "content": row.get("user", "")},
                    {"role": "assistant", "content": row.get("assistant", "")},
                ],
                "category": None,
                "tools": row.get("tools"),
                "licence": "unknown",
            }
            for index, row in enumerate(rows)
        ],
        schema=RECORD,
    )


def judge_exact(
    rows: pl.DataFrame, sources: Sequence[Source] = (source(),), broken: Sequence[bool] = ()
) -> pl.DataFrame:
    """VERDICT beside the rows: record_id, drop_reason, duplicate_of and the similarities."""
    known = {one.name: one for one in sources}
    strict = conversation_digests(rows, strict=True)
    code = rows["source"].replace_strict({name: one.code for name, one in known.items()})
    folded = np.where(code.to_numpy()[:, None], strict, conversation_digests(rows, strict=False))
    names = rows.select("record_id", "source_row").with_columns(
        code.alias("code"),
        rows["source"].replace_strict(source_ranks(sources)).alias("source_rank"),
        pl.Series("broken", broken or [False] * rows.height, dtype=pl.Boolean),
    )
    return names.select("record_id").hstack(exact_verdicts(names, folded, strict))


def judge_near(
    rows: pl.DataFrame,
    sources: Sequence[Source] = (source(),),
    rules: NearDedupe | None = None,
    threads: int = 1,
    shard_rows: int = 1000,
    policy: ConflictPolicy = ConflictPolicy.KEEP_ALL,
) -> pl.DataFrame:
    """NEAR_VERDICT beside the rows, in their order."""
    return rows.select("record_id").hstack(
        near_result(rows, sources, rules, threads, shard_rows, policy).verdicts
    )


def near_result(
    rows: pl.DataFrame,
    sources: Sequence[Source] = (source(),),
    rules: NearDedupe | None = None,
    threads: int = 1,
    shard_rows: int = 1000,
    policy: ConflictPolicy = ConflictPolicy.KEEP_ALL,
) -> NearResult:
    rules = rules or NearDedupe()
    known = {one.name: one for one in sources}
    cuts = rows.select(pl.col("source").rle_id()).to_series()
    texts = rows.with_columns(prompt().alias("prompt"), response().alias("response"))
    shards = [
        _signed(shard, known[shard["source"][0]], rules)
        for _, run in texts.group_by(cuts, maintain_order=True)
        for shard in run.iter_slices(shard_rows)
    ]
    with tempfile.TemporaryDirectory() as folder:
        return near_verdicts(shards, rows.height, rules, Path(folder), threads, policy)


def _signed(shard: pl.DataFrame, source: Source, rules: NearDedupe) -> SignedShard:
    folded = fold_shard(shard, source)
    names = shard.select("record_id", "source_row")
    return signed_shard(names, folded, sign(folded, source, rules), source)


def shingles(text: str, ngram: int = NGRAM, *, strict: bool = False) -> set[str]:
    """The slow definition: runs of `ngram` code points of the folded text, or all of it."""
    text = str(fold(pl.Series([text], dtype=pl.String), strict=strict)[0])
    return {text[at : at + ngram] for at in range(max(1, len(text) - ngram + 1))}


def similarity(one: str, other: str, ngram: int = NGRAM) -> float:
    """Exact Jaccard of two texts' shingle sets."""
    left, right = shingles(one, ngram), shingles(other, ngram)
    return len(left & right) / len(left | right)
