"""A corpus version from judged rows: staged whole, then claimed in one step."""

import datetime
import platform
import secrets

import polars as pl

from schemas.manifest import (
    CorpusManifest,
    FailedSource,
    GateResult,
    RawReceipt,
    Statistics,
)
from schemas.recipe import Recipe
from tasks.accounts import corpus_drops, source_entries
from tasks.corpora import (
    Pages,
    claim_version,
    corpus_key,
    latest,
    newest_manifest,
    next_version,
    promote,
)
from tasks.judged import Judgement, judged_index
from tasks.lake import Lake, digest_of
from tasks.publish.card import dataset_card
from tasks.publish.identity import corpus_digest, corpus_part, git_commit, library_versions
from tasks.publish.shards import write_data, write_unread
from tasks.publish.split import assign_splits
from tasks.stages import code_digest

CODE = ("download", "normalize", "dedupe", "filter", "measure", "publish")


def unchanged_version(
    lake: Lake, recipe: Recipe, judgement: Judgement, failed: tuple[FailedSource, ...]
) -> CorpusManifest | None:
    """The newest version if it was made from the very same stages, recipe and gates."""
    newest = newest_manifest(lake, recipe.name)
    same = newest and newest.inputs_digest == inputs_digest(recipe, judgement, failed)
    return newest if same else None


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
    """Write the next version unless it would equal the newest; returns it and whether it is new.

    Data, ledger, card and report are staged, the manifest is written last, and the folder becomes
    the version in one step. It is promoted to `latest` where every gate passed.
    """
    index = judged_index(lake, judgement)
    kept = assign_splits(index.filter(pl.col("drop_reason").is_null()), recipe.split, recipe.seed)
    digest = corpus_digest(kept, recipe)
    newest = newest_manifest(lake, recipe.name)
    passed = all(gate.passed for gate in gates)
    if newest and newest.digest == digest and newest.status == "published" and passed:
        return newest, False
    staging = f"{corpus_key(recipe.name)}/staging/{secrets.token_hex(8)}"
    splits, dropped = write_data(lake, staging, judgement, kept.select("split"), recipe.publish)
    drops = corpus_drops(index, judgement.normalized)
    draft = CorpusManifest(
        name=recipe.name,
        version=next_version(lake, recipe.name),
        digest=digest,
        status="published" if passed else "rejected",
        parent=latest(lake, recipe.name),
        created_at=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        host=platform.node(),
        recipe=recipe.model_dump(mode="json"),
        sources=source_entries(recipe, judgement.normalized, receipts, drops),
        failed_sources=failed,
        rows_in=sum(stage.rows_in for stage in judgement.normalized),
        rows_out=kept.height,
        drops=drops,
        splits=splits,
        ledger=(*write_unread(lake, staging, judgement.normalized), *dropped),
        statistics=statistics,
        gates=gates,
        inputs_digest=inputs_digest(recipe, judgement, failed),
        notes=(*judgement.exact.notes, *judgement.near.notes),
        code_digest=digest_of([code_digest(stage) for stage in CODE]),
        git_commit=git_commit(),
        libraries=library_versions(),
    )
    manifest = claim_version(
        lake,
        staging,
        draft,
        lambda final, folder: {"README.md": dataset_card(final), **report(final, folder)},
    )
    if manifest.status == "published":
        promote(lake, manifest)
    return manifest, True
