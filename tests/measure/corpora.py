"""Small judged corpora and manifests, drawn as tables, for the tests of what is measured."""

from typing import Any

import polars as pl

from schemas.manifest import (
    CorpusManifest,
    Drops,
    FailedSource,
    GateResult,
    RawFile,
    ShardRef,
    SourceEntry,
    SplitEntry,
    Statistics,
)
from schemas.metrics import JUDGED
from schemas.reasons import DropReason
from tests.judgements import draw, recipe_of

SHA = "0" * 64


def judged(table: str, **constant: Any) -> pl.LazyFrame:
    """JUDGED rows of drawn ones; an empty cell is null, a missing column a plain value."""
    drawn = [{name: cell or None for name, cell in row.items()} for row in draw(table)]
    frame = pl.DataFrame(drawn, schema_overrides=dict.fromkeys(drawn[0], pl.String))
    plain = {
        "record_id": pl.int_range(pl.len()).cast(pl.String).str.zfill(32),
        "source": pl.lit("alpaca"),
        "licence": pl.lit("MIT"),
        "turns": pl.lit("1"),
        "refusal": pl.lit("no"),
        "prompt_chars": pl.lit("10"),
        "response_chars": pl.lit("20"),
    } | {name: pl.lit(value) for name, value in constant.items()}
    return frame.lazy().select(
        _typed(
            pl.col(name) if name in frame.columns else plain.get(name, pl.lit(None)), dtype
        ).alias(name)
        for name, dtype in JUDGED.items()
    )


def _typed(drawn: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    return drawn == "yes" if dtype == pl.Boolean else drawn.cast(dtype)


def records(judged: pl.LazyFrame, prompts: dict[str, str]) -> pl.LazyFrame:
    """RECORD rows, as far as prompts need them, for the record ids of a drawn corpus."""
    asked = pl.col("record_id").replace_strict(prompts, default="Name a primate.")
    turn = pl.struct(role=pl.lit("user"), content=asked)
    answer = pl.struct(role=pl.lit("assistant"), content=pl.lit("Lemur"))
    return judged.select("record_id", messages=pl.concat_list(turn, answer))


def source(name: str, rows_in: int, rows_out: int, licence: str = "MIT") -> SourceEntry:
    file = RawFile(name=f"{name}.json", sha256=SHA, size_bytes=1234)
    return SourceEntry(
        name=name,
        upstream=f"https://example.org/{name}",
        revision=None,
        raw_digest=SHA,
        files=(file,),
        licence=licence,
        citation="",
        homepage="https://example.org",
        rows_in=rows_in,
        rows_out=rows_out,
    )


def drop(reason: DropReason, source: str, rows: int) -> Drops:
    return Drops(stage=reason.stage, reason=reason, source=source, rows=rows)


def manifest(
    sources: tuple[SourceEntry, ...],
    drops: tuple[Drops, ...] = (),
    statistics: Statistics | None = None,
    gates: tuple[GateResult, ...] = (),
    failed_sources: tuple[FailedSource, ...] = (),
    **changes: Any,
) -> CorpusManifest:
    rows_out = sum(source.rows_out for source in sources)
    shard = ShardRef(
        uri="data/train-00000-of-00001.parquet", sha256=SHA, rows=rows_out, size_bytes=9
    )
    values: dict[str, Any] = {
        "name": "tiny",
        "version": "v0001",
        "digest": "a" * 64,
        "status": "published" if all(gate.passed for gate in gates) else "rejected",
        "created_at": "2026-11-20T08:49:12+00:00",
        "host": "h",
        "recipe": recipe_of(*([source.name for source in sources] or ["alpaca"])).model_dump(
            mode="json"
        ),
        "rows_in": sum(source.rows_in for source in sources),
        "rows_out": rows_out,
        "splits": (SplitEntry(name="train", rows=rows_out, shards=(shard,)),),
        "ledger": (),
        "inputs_digest": SHA,
        "recipe_digest": SHA,
        "records_digest": SHA,
        "code_digest": SHA,
        "libraries": (("polars", "2.1.0"),),
    }
    return CorpusManifest(
        sources=sources,
        drops=drops,
        statistics=statistics or Statistics(),
        gates=gates,
        failed_sources=failed_sources,
        **(values | changes),
    )
