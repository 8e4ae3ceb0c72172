"""The filter as a stage: the evaluation sets are indexed once, the shards judged one by one."""

import functools

import polars as pl

from schemas.contamination import HIT
from schemas.errors import ConfigError
from schemas.filter import Contamination, EvaluationSet, Filter
from schemas.manifest import ShardRef, StageManifest
from schemas.reasons import Stage
from tasks.filter.contamination import EvaluationIndex, index_texts, list_hits
from tasks.filter.evaluations import evaluation_sha256, read_evaluation
from tasks.filter.judge import judge_with_hits
from tasks.lake import Lake
from tasks.language import detector
from tasks.shards import scan_shard, write_shard
from tasks.stages import drops_by_reason, finish, finished, stage_digest, stage_key
from tasks.text import prompt, question, response
from tasks.told import shard_languages

EVALUATIONS = "evaluations"
LOADED_INDEXES = 2  # a refresh uses one


def index_sets(lake: Lake, contamination: Contamination) -> StageManifest:
    """The receipt of the index of all evaluation sets: `shards` are its hashes, items, questions.

    It depends on the files' bytes and on the sets' names and columns, not on where the files are;
    read once for the same of these.

    Raises:
        ConfigError: a file is missing or unreadable, holds no text or no item, or two sets have
            the same name.
    """
    _check_names(contamination.sets)
    sets = [
        {"name": one.name, "columns": one.columns, "sha256": evaluation_sha256(one)}
        for one in contamination.sets
    ]
    digest = stage_digest(Stage.FILTER, index=EVALUATIONS, ngram=contamination.ngram, sets=sets)
    return finished(lake, EVALUATIONS, digest) or _index(lake, contamination, digest)


def judge_rows(
    lake: Lake, shard: ShardRef, rules: Filter, evaluations: StageManifest | None
) -> StageManifest:
    """The receipt of one shard's verdicts: `shards[0]` speaks of `shard`, row for row.

    `hits` are the evaluation items found in it, in rows of any verdict.

    Raises:
        ConfigError: the recipe names evaluation sets, and `evaluations` is None.
    """
    if rules.contamination.enabled and rules.contamination.sets and evaluations is None:
        raise ConfigError(
            f"the recipe names {len(rules.contamination.sets)} evaluation sets, but no index of "
            "them was given. Run index_evaluations first and hand its receipt on."
        )
    digest = stage_digest(
        Stage.FILTER,
        parent=shard.sha256,
        rules=_of_source(rules, shard.source).model_dump(mode="json"),
        evaluations=evaluations.digest if evaluations else None,
        detector=detector() if rules.language.enabled else None,
    )
    return finished(lake, Stage.FILTER, digest) or _judge(lake, shard, rules, evaluations, digest)


def _index(lake: Lake, contamination: Contamination, digest: str) -> StageManifest:
    texts = [
        read_evaluation(one).select(pl.lit(one.name).alias("set"), "row", "text", "asked")
        for one in contamination.sets
    ]
    none = {"set": pl.String, "row": pl.UInt32, "text": pl.String, "asked": pl.Boolean}
    index = index_texts(pl.concat([pl.DataFrame(schema=none), *texts]), contamination.ngram)
    folder = stage_key(EVALUATIONS, digest)
    return finish(
        lake,
        StageManifest(
            stage=EVALUATIONS,
            digest=digest,
            uri=folder,
            rows_in=index.items.height,
            rows_out=index.items.height,
            shards=(
                write_shard(index.hashes, lake, f"{folder}/hashes.parquet"),
                write_shard(index.items, lake, f"{folder}/items.parquet"),
                write_shard(index.questions, lake, f"{folder}/questions.parquet"),
            ),
            evaluations=index.counts,
            notes=(
                ("ngram", str(contamination.ngram)),
                ("hashes", str(index.hashes.height)),
                *((f"items of {one.name}", str(one.items)) for one in index.counts),
            ),
        ),
    )


def _judge(
    lake: Lake, shard: ShardRef, rules: Filter, evaluations: StageManifest | None, digest: str
) -> StageManifest:
    used = evaluations if rules.contamination.enabled else None
    index = load_index(lake.uri, used) if used else None
    languages = shard_languages(lake, shard) if rules.language.enabled else None
    judged = judge_with_hits(scan_shard(lake, shard), rules, index, languages).collect()
    verdicts = judged.select("verdict").unnest("verdict")
    folder = stage_key(Stage.FILTER, digest)
    hits: tuple[ShardRef, ...] = ()
    if index is not None and index.counts:
        found = _hits(lake, shard, judged["is_hit"], index, rules.contamination)
        hits = (write_shard(found, lake, f"{folder}/hits.parquet", source=shard.source),)
    written = write_shard(verdicts, lake, f"{folder}/part-00000.parquet", source=shard.source)
    drops = drops_by_reason(verdicts["drop_reason"], Stage.FILTER, shard.source or "unknown")
    dropped = sum(drop.rows for drop in drops)
    return finish(
        lake,
        StageManifest(
            stage=Stage.FILTER,
            digest=digest,
            uri=folder,
            parents=(shard,),
            rows_in=shard.rows,
            rows_out=shard.rows - dropped,
            drops=drops,
            shards=(written,),
            evaluations=index.counts if index is not None else (),
            hits=hits,
        ),
    )


def _hits(
    lake: Lake,
    shard: ShardRef,
    is_hit: pl.Series,
    index: EvaluationIndex,
    contamination: Contamination,
) -> pl.DataFrame:
    """HIT of the rows that were hit; the others' text is not read again."""
    if not is_hit.any():
        return pl.DataFrame(schema=HIT)
    rows = scan_shard(lake, shard).filter(pl.lit(is_hit)).collect()
    texts = rows.select(
        "record_id", "source_row", prompt=prompt(), response=response(), question=question()
    )
    return list_hits(texts, index, contamination)


@functools.lru_cache(maxsize=LOADED_INDEXES)
def load_index(lake_uri: str, evaluations: StageManifest) -> EvaluationIndex:
    """The index that a receipt of `index_sets` names; kept in memory for the next shard."""
    lake = Lake(lake_uri)
    hashes, items, questions = (scan_shard(lake, shard).collect() for shard in evaluations.shards)
    ngram = int(evaluations.note("ngram"))
    return EvaluationIndex(ngram, hashes, items, questions, evaluations.evaluations)


def _of_source(rules: Filter, source: str | None) -> Filter:
    """The rules without what cannot change a verdict on this source: places, other sources."""
    contamination = rules.contamination.model_copy(update={"sets": ()})
    declared = tuple(one for one in rules.language.declared if source in (None, one[0]))
    language = rules.language.model_copy(update={"declared": declared})
    return rules.model_copy(update={"contamination": contamination, "language": language})


def _check_names(sets: tuple[EvaluationSet, ...]) -> None:
    names = [one.name for one in sets]
    for twice in sorted({name for name in names if names.count(name) > 1}):
        raise ConfigError(
            f"evaluation set {twice!r} is named {names.count(twice)} times in the recipe, expected "
            "once: the ledger names items by it. Rename one of them."
        )
