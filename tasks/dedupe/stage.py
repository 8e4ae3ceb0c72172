"""Both halves of the dedupe stage over a lake: read shards, judge, write verdicts.

Kernels and numba are imported where they are needed, so that a stage that is done costs a lookup.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import polars as pl

from schemas.errors import CorpusDamaged
from schemas.manifest import ShardRef, StageManifest
from schemas.reasons import Stage
from schemas.recipe import Recipe
from schemas.source import Source
from tasks.ahead import map_ahead
from tasks.lake import Lake
from tasks.shards import STAGE_LEVEL, no_verdicts, scan_shard, total_rows, write_shard
from tasks.stages import (
    add_drops,
    drops_by_reason,
    finish,
    finished,
    stage_digest,
    stage_key,
)
from tasks.text import prompt, response

if TYPE_CHECKING:
    from tasks.dedupe.digest import Digests
    from tasks.dedupe.near import SignedShard

PACKAGE = "dedupe"
Shards = Sequence[ShardRef]


def exact_stage(
    lake: Lake,
    shards: Shards,
    filtered: Sequence[StageManifest],
    recipe: Recipe,
    threads: int | None = None,
) -> StageManifest:
    """Verdict shards on exact duplicates among all rows of `shards` (RECORD) are in the lake.

    `filtered[i]` holds the filter's verdicts on `shards[i]`: a row that breaks a rule is elected
    only where all its copies do.
    """
    digest = _digest(Stage.DEDUPE_EXACT, shards, filtered, recipe, recipe.dedupe.exact)
    done = finished(lake, Stage.DEDUPE_EXACT, digest)
    if done is not None:
        return done
    if recipe.dedupe.exact.enabled:
        verdicts = _judge_exact(lake, shards, filtered, recipe, threads)
    else:
        verdicts = no_verdicts(total_rows(shards))
    return _write(lake, Stage.DEDUPE_EXACT, digest, shards, verdicts, total_rows(shards), ())


def near_stage(
    lake: Lake,
    shards: Shards,
    filtered: Sequence[StageManifest],
    exact: StageManifest,
    recipe: Recipe,
    threads: int | None = None,
) -> StageManifest:
    """Verdict shards on near duplicates and on conflicts are in the lake.

    Beside VERDICT they have a `cluster` for every kept row, and a `conflict` for every row whose
    prompt has other answers. Rows that the filter or exact dedupe dropped take no part and have
    neither.
    """
    policy = recipe.dedupe.conflicts.policy
    digest = _digest(
        Stage.DEDUPE_NEAR,
        shards,
        filtered,
        recipe,
        recipe.dedupe.near,
        exact=exact.digest,
        conflicts=policy,
    )
    done = finished(lake, Stage.DEDUPE_NEAR, digest)
    if done is not None:
        return done
    import numpy as np

    from tasks.dedupe.near import announce, near_verdicts, signed_shard
    from tasks.dedupe.signatures import fold_shard, kept_signatures
    from tasks.kernel import default_threads, thread_pool

    announce()
    near = recipe.dedupe.near
    taking_part = [
        ~(_is_dropped(lake, verdict.shards[0], shard) | _is_dropped(lake, judged, shard))
        for shard, verdict, judged in zip(shards, filtered, exact.shards, strict=True)
    ]
    rows_in = sum(int(part.sum()) for part in taking_part)

    def sign(shard: ShardRef, part: pl.Series) -> "SignedShard":
        rows, source = _texts(lake, shard).filter(part), _source(recipe, shard)
        folded = fold_shard(rows, source)
        places = part.arg_true().to_numpy().astype(np.int64)
        signatures = kept_signatures(lake, shard, places, rows, folded, source, near)
        return signed_shard(rows.select("record_id", "source_row"), folded, signatures, source)

    count = threads or default_threads()
    with lake.scratch() as scratch, thread_pool(count) as pool:
        signed = map_ahead(pool, sign, zip(shards, taking_part, strict=True), ahead=2 * count)
        result = near_verdicts(signed, rows_in, near, scratch, count, policy)
    verdicts = _spread(result.verdicts, taking_part)
    return _write(lake, Stage.DEDUPE_NEAR, digest, shards, verdicts, rows_in, result.notes)


def _judge_exact(
    lake: Lake,
    shards: Shards,
    filtered: Sequence[StageManifest],
    recipe: Recipe,
    threads: int | None,
) -> pl.DataFrame:
    import numpy as np

    from tasks.dedupe.digest import conversation_digests
    from tasks.dedupe.exact import announce, exact_verdicts, source_ranks
    from tasks.kernel import thread_pool

    announce()
    ranks = source_ranks(_source(recipe, shard) for shard in shards)
    any_code = any(_source(recipe, shard).code for shard in shards)

    def read(shard: ShardRef, verdict: StageManifest) -> "tuple[pl.DataFrame, Digests, Digests]":
        source = _source(recipe, shard)
        columns = ("record_id", "source_row", "messages", "tools")
        rows = scan_shard(lake, shard).select(columns).collect()
        folded = conversation_digests(rows, strict=source.code)
        strict = conversation_digests(rows, strict=True) if any_code else folded
        names = rows.select(
            "record_id",
            "source_row",
            pl.lit(ranks[source.name], pl.UInt32).alias("source_rank"),
            pl.lit(source.code).alias("code"),
            _is_dropped(lake, verdict.shards[0], shard).alias("broken"),
        )
        return names, folded, strict

    with thread_pool(threads) as pool:
        parts = list(pool.map(read, shards, filtered))
    if not parts:
        return no_verdicts(0)
    names, folded, strict = zip(*parts, strict=True)
    all_folded = np.concatenate(folded)
    all_strict = np.concatenate(strict) if any_code else all_folded
    return exact_verdicts(pl.concat(names), all_folded, all_strict)


def _texts(lake: Lake, shard: ShardRef) -> pl.DataFrame:
    """What near dedupe reads of a shard, one row per record."""
    return (
        scan_shard(lake, shard)
        .select(
            "record_id",
            "source_row",
            prompt().alias("prompt"),
            response().alias("response"),
            "tools",
        )
        .collect()
    )


def _is_dropped(lake: Lake, verdict: ShardRef, shard: ShardRef) -> pl.Series:
    """Whether a verdict shard drops each row of the shard it speaks of."""
    dropped = scan_shard(lake, verdict).select(pl.col("drop_reason").is_not_null()).collect()
    if dropped.height != shard.rows:
        raise CorpusDamaged(
            f"{lake.at(verdict.uri)} has {dropped.height} verdicts on {lake.at(shard.uri)}, which "
            f"has {shard.rows} rows. Remove the folder of the verdicts and run the refresh again."
        )
    return dropped.to_series()


def _spread(verdicts: pl.DataFrame, taking_part: Sequence[pl.Series]) -> pl.DataFrame:
    """Verdicts on the rows that took part, put in their places among all rows."""
    places = pl.concat([pl.Series("part", [], dtype=pl.Boolean), *taking_part])
    row_of = pl.select(pl.when(places).then(places.cast(pl.UInt32).cum_sum() - 1)).to_series()
    return verdicts.select(pl.all().gather(row_of))


def _source(recipe: Recipe, shard: ShardRef) -> Source:
    return recipe.source(shard.source or "")


def _digest(
    stage: Stage,
    shards: Shards,
    filtered: Sequence[StageManifest],
    recipe: Recipe,
    rules: Any,
    **more: str,
) -> str:
    sources = {shard.source: _source(recipe, shard) for shard in shards}
    return stage_digest(
        PACKAGE,
        stage=stage,
        parents=[(shard.source, shard.sha256) for shard in shards],
        filtered=[verdict.shards[0].sha256 for verdict in filtered],
        rules=rules.model_dump(mode="json"),
        sources=[(source.name, source.priority, source.code) for source in sources.values()],
        **more,
    )


def _write(
    lake: Lake,
    stage: Stage,
    digest: str,
    shards: Shards,
    verdicts: pl.DataFrame,
    rows_in: int,
    notes: tuple[tuple[str, str], ...],
) -> StageManifest:
    """Cut the verdicts to the parents' rows, write a shard for each, and the manifest last."""
    folder = stage_key(stage, digest)
    ends = [total_rows(shards[: index + 1]) for index in range(len(shards))]
    parts = [verdicts[end - shard.rows : end] for shard, end in zip(shards, ends, strict=True)]

    def write(index: int) -> ShardRef:
        key = f"{folder}/part-{index:05d}.parquet"
        return write_shard(
            parts[index], lake, key, shards[index].source, compression_level=STAGE_LEVEL
        )

    with ThreadPoolExecutor(2) as pool:
        written = tuple(pool.map(write, range(len(shards))))
    drops = add_drops(
        [
            drop
            for shard, part in zip(shards, parts, strict=True)
            for drop in drops_by_reason(part["drop_reason"], stage, shard.source or "")
        ]
    )
    return finish(
        lake,
        StageManifest(
            stage=stage,
            digest=digest,
            uri=folder,
            parents=tuple(shards),
            rows_in=rows_in,
            rows_out=rows_in - sum(drop.rows for drop in drops),
            drops=drops,
            shards=written,
            notes=notes,
        ),
    )
