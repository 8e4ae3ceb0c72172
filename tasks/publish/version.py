"""A corpus version from judged rows: staged whole, then claimed in one step."""

import datetime
import platform

import polars as pl

from schemas.ledger import LEDGER, PUBLISHED
from schemas.manifest import (
    CorpusManifest,
    FailedSource,
    GateResult,
    RawReceipt,
    SplitEntry,
    Statistics,
)
from schemas.recipe import Recipe
from tasks.accounts import corpus_drops, repeated_rows, source_entries
from tasks.corpora import (
    Pages,
    claim_version,
    latest,
    made_from,
    next_version,
    promote,
    remember_unchanged,
    staged_version,
    standing,
)
from tasks.judged import Judgement, each_copy, judged_index
from tasks.lake import Lake, digest_of
from tasks.publish.card import dataset_card
from tasks.publish.croissant import croissant
from tasks.publish.identity import (
    corpus_digest,
    corpus_part,
    git_commit,
    library_versions,
    recipe_digest,
    records_digest,
)
from tasks.publish.licences import with_licences
from tasks.publish.shards import write_data, write_unread
from tasks.publish.verify import columns_of
from tasks.split import SPLIT_COLUMN, TRAIN, VALIDATION, assign_splits
from tasks.stages import code_digest

CODE = ("download", "normalize", "dedupe", "filter", "measure", "sample", "publish")


def unchanged_version(
    lake: Lake, recipe: Recipe, judgement: Judgement, failed: tuple[FailedSource, ...]
) -> CorpusManifest | None:
    """The latest or newest version if it came from the very same stages, recipe and gates.

    A published one is the latest afterwards, even if the refresh that made it died before it said
    so.
    """
    found = made_from(lake, recipe.name, inputs_digest(recipe, judgement, failed))
    if found is not None and found.status == "published":
        promote(lake, found)
    return found


def inputs_digest(recipe: Recipe, judgement: Judgement, failed: tuple[FailedSource, ...]) -> str:
    """What a version is made from; equal inputs give an equal version without looking further."""
    return digest_of(
        {
            "recipe": corpus_part(recipe),
            "gates": recipe.gates.model_dump(mode="json"),
            "judgement": judgement.digests,
            "failed": [source.name for source in failed],
            "code": [code_digest(stage) for stage in CODE],
        }
    )


def publish_version(
    lake: Lake,
    recipe: Recipe,
    judgement: Judgement,
    receipts: tuple[RawReceipt, ...],
    failed: tuple[FailedSource, ...],
    statistics: Statistics,
    gates: tuple[GateResult, ...],
    report: Pages,
) -> tuple[CorpusManifest, bool]:
    """Write the next version unless it would equal one that stands; returns it and if it is new.

    Data, ledger, card and report are staged, the manifest is written last, and the folder becomes
    the version in one step. It is promoted to `latest` where every gate passed.
    """
    index = judged_index(lake, judgement)
    kept = assign_splits(index.filter(pl.col("drop_reason").is_null()), recipe.split, recipe.seed)
    of_recipe = recipe_digest(recipe, statistics.tokenizer_digest)
    published = each_copy(kept)
    of_records = records_digest(published)
    inputs = inputs_digest(recipe, judgement, failed)
    drops, repeated = corpus_drops(index, judgement.normalized), repeated_rows(index)
    draft = CorpusManifest(
        name=recipe.name,
        version=next_version(lake, recipe.name),
        digest=corpus_digest(of_recipe, of_records),
        status="published" if all(gate.passed for gate in gates) else "rejected",
        parent=latest(lake, recipe.name),
        created_at=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        host=platform.node(),
        recipe=recipe.shown(),
        sources=with_licences(
            source_entries(recipe, judgement.normalized, receipts, drops, repeated), published
        ),
        failed_sources=failed,
        rows_in=sum(stage.rows_in for stage in judgement.normalized),
        rows_out=published.height,
        rows_repeated=sum(repeated.values()),
        drops=drops,
        splits=split_sizes(published),
        ledger=(),
        data_columns=columns_of(PUBLISHED),
        ledger_columns=columns_of(LEDGER),
        statistics=statistics,
        gates=gates,
        recipe_digest=of_recipe,
        records_digest=of_records,
        inputs_digest=inputs,
        notes=tuple(
            note
            for stage in (judgement.exact, judgement.near, *judgement.sampled)
            for note in stage.notes
        ),
        stages=judgement.stages,
        code_digest=digest_of([code_digest(stage) for stage in CODE]),
        git_commit=git_commit(),
        libraries=library_versions(),
    )
    equal = standing(lake, recipe.name, draft.equals)
    if equal:
        remember_unchanged(lake, equal[0], inputs)
        return equal[0], False
    with staged_version(lake, recipe.name) as staging:
        places = kept.select(SPLIT_COLUMN, "copies")
        splits, dropped = write_data(lake, staging, judgement, places, recipe)
        ledger = (*write_unread(lake, staging, judgement.normalized, recipe), *dropped)
        manifest, is_new = claim_version(
            lake,
            staging,
            draft.model_copy(update={"splits": splits, "ledger": ledger}),
            lambda final, folder: {
                "README.md": dataset_card(final),
                "croissant.json": croissant(final),
                **report(final, folder),
            },
        )
    if is_new and manifest.status == "published":
        promote(lake, manifest)
    return manifest, is_new


def split_sizes(published: pl.DataFrame) -> tuple[SplitEntry, ...]:
    """The splits with their rows, each copy counted, before their shards are written."""
    sizes = dict(published[SPLIT_COLUMN].value_counts().rows())
    return tuple(
        SplitEntry(name=name, rows=sizes.get(name, 0), shards=()) for name in (TRAIN, VALIDATION)
    )
