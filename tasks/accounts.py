"""The accounts of a corpus: rows in, dropped and out, by source. They have to balance."""

from collections.abc import Mapping, Sequence

import polars as pl

from schemas.cleaning import Cleaning
from schemas.errors import SourceError
from schemas.manifest import Drops, RawReceipt, SourceEntry, StageManifest, StageRows
from schemas.reasons import Stage
from schemas.recipe import Recipe
from schemas.source import RowBand
from tasks.stages import add_drops


def corpus_drops(index: pl.DataFrame, normalized: Sequence[StageManifest]) -> tuple[Drops, ...]:
    """Rows dropped by stage, reason and source: those judged and those that could not be read."""
    judged = (
        index.filter(pl.col("drop_reason").is_not_null())
        .group_by("stage", "drop_reason", "source")
        .len()
    )
    of_rows = [
        Drops(stage=stage, reason=reason, source=source, rows=rows)
        for stage, reason, source, rows in judged.rows()
    ]
    return add_drops([*of_rows, *(drop for stage in normalized for drop in stage.drops)])


def repeated_rows(index: pl.DataFrame) -> dict[str, int]:
    """By source, the published rows that are second and further copies; only sources with some."""
    more = index.group_by("source").agg((pl.col("copies") - 1).sum()).filter(pl.col("copies") > 0)
    return dict(more.sort("source").rows())


def source_entries(
    recipe: Recipe,
    normalized: Sequence[StageManifest],
    receipts: Sequence[RawReceipt],
    drops: Sequence[Drops],
    repeated: Mapping[str, int],
) -> tuple[SourceEntry, ...]:
    """One entry per source that was read, in the order of the stages.

    `repeated` is what `repeated_rows` says of the corpus.
    """
    by_name = {receipt.source: receipt for receipt in receipts}
    entries = []
    for stage in normalized:
        name = stage.source or ""
        if name not in by_name:
            raise SourceError(f"source {name!r} was normalised without a receipt of its download")
        source, receipt = recipe.source(name), by_name[name]
        dropped = [drop for drop in drops if drop.source == name]
        stages = rows_at_each_stage(
            stage.rows_in, dropped, repeated.get(name, 0), recipe.sampling.is_on
        )
        entries.append(
            SourceEntry(
                name=name,
                upstream=receipt.upstream,
                revision=receipt.revision,
                raw_digest=receipt.digest,
                files=receipt.files,
                licence=source.licence,
                citation=source.citation,
                homepage=source.homepage,
                rows_in=stage.rows_in,
                rows_out=stages[-1].rows_out,
                rows_repeated=repeated.get(name, 0),
                unexpected_rows=unexpected_rows(stage.rows_out, source.expected_rows),
                cleaned=cleaned_rows(stage),
                stages=stages,
            )
        )
    return tuple(entries)


def rows_at_each_stage(
    rows_in: int, drops: Sequence[Drops], repeated: int, sampled: bool
) -> tuple[StageRows, ...]:
    """How many rows of one source every stage took and gave, in the order of `Stage`.

    `drops` are the source's; the stage that samples is there where the recipe has it.
    """
    stages = []
    for stage in Stage:
        if stage is Stage.SAMPLE and not sampled:
            continue
        rows_out = rows_in - sum(drop.rows for drop in drops if drop.stage == stage)
        if stage is Stage.SAMPLE:
            rows_out += repeated
        stages.append(StageRows(stage=stage.value, rows_in=rows_in, rows_out=rows_out))
        rows_in = rows_out
    return tuple(stages)


def unexpected_rows(records: int, band: RowBand) -> str:
    """What is to say where a source gave fewer or more records than its file expects."""
    if band.min <= records <= band.max:
        return ""
    return f"{records:,} records, expected {band.min:,} to {band.max:,}"


def cleaned_rows(normalized: StageManifest) -> tuple[tuple[str, int], ...]:
    """The rows that each kind of cleaning changed, in the order of `Cleaning`."""
    counts = dict(normalized.notes)
    return tuple((kind.value, int(counts[kind])) for kind in Cleaning if kind in counts)
