"""One file's batches to records and ledger rows, in one sequence."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import polars as pl

from schemas.reasons import DropReason
from schemas.record import RECORD, UNREADABLE
from schemas.source import Source
from tasks.ahead import map_ahead
from tasks.kernel import default_threads
from tasks.normalize.layouts import Shape
from tasks.normalize.placeholders import fill_placeholders
from tasks.normalize.raw import EXCERPT_CHARS, OFFSET, Batch, Damages
from tasks.normalize.redact import redact
from tasks.normalize.scan import NESTED
from tasks.normalize.turns import PROBLEMS, Conversations, Parsed, assemble
from tasks.text import record_id

MAX_THREADS = 4  # each holds a batch; what parses and what writes are no faster than that
SHOWN_KEYS, SHOWN_KEY_CHARS = 12, 40
_NO_TOOLS = ("", "[]", "null")
_FAILED = {"row": pl.UInt32, "drop_reason": pl.String, "message": pl.String, "excerpt": pl.String}


@dataclass(frozen=True)
class Outcome:
    """What became of one batch: RECORD and UNREADABLE frames, and what cleaning changed.

    `source_row` counts from 0 over both, from the beginning of the batch.
    """

    records: pl.DataFrame
    ledger: pl.DataFrame
    counts: Mapping[str, int]


def records_of(
    batches: Iterable[Batch], source: Source, shape: Shape, file: str, category: str | None
) -> Iterator[Outcome]:
    """The outcomes of one file's batches, in their order; the ledger knows it as `file`.

    `shape` is the source's, settled; `category` is that of rows whose source tells none.
    """
    threads = min(default_threads(), MAX_THREADS)
    arguments = ((batch, shape, source, file, category) for batch in batches)
    with ThreadPoolExecutor(threads, thread_name_prefix="normalize") as pool:
        yield from map_ahead(pool, outcome_of, arguments, ahead=threads)


def outcome_of(
    batch: Batch, shape: Shape, source: Source, file: str, category: str | None
) -> Outcome:
    """Every row and every damage of a batch, as a record or as a ledger row."""
    rows = shape.renamed(batch.rows, source)
    told = _categorised(shape.filled(rows, source), category)
    parsed = shape.parsed(told)
    problems = _with_strangers(parsed.problems, rows, batch.keys, shape, source)
    lost = pl.concat([problems["row"], parsed.rejected])
    known = ~pl.col("row").is_in(lost.implode())
    heard = parsed.turns.filter(known) if lost.len() else parsed.turns
    filled, filled_counts = fill_placeholders(heard, source)
    spoken = assemble(filled, source.code)
    damaged, of_rows = _numbers(batch)
    with_tools = spoken.rows.with_columns(told["tools"].gather(spoken.rows["row"]))
    redacted, redacted_counts = redact(with_tools, source)
    records = _records(told, redacted, of_rows, source)
    failed = _failures(rows, problems, spoken, parsed, shape)
    ledger = _ledger(batch, failed, damaged, of_rows, source, file)
    counts = {**batch.counts, **parsed.counts, **filled_counts, **spoken.counts, **redacted_counts}
    return Outcome(records, ledger, counts)


def _numbers(batch: Batch) -> tuple[pl.Series, pl.Series]:
    """The places of damage and of rows in one sequence by offset, damage before a row."""
    offsets = Damages.of(batch.damage).frame["offset"].to_numpy()
    both = np.concatenate([offsets, batch.rows[OFFSET].to_numpy()])
    places = np.empty(both.size, dtype=np.uint32)
    places[np.argsort(both, kind="stable")] = np.arange(both.size, dtype=np.uint32)
    return pl.Series(places[: offsets.size]), pl.Series(places[offsets.size :])


def _records(
    rows: pl.DataFrame,
    spoken: pl.DataFrame,
    numbers: pl.Series,
    source: Source,
) -> pl.DataFrame:
    """RECORD of the rows that have a conversation; `spoken` has their tools beside it."""
    about = rows.select("category", said="licence").select(pl.all().gather(spoken["row"]))
    tools = pl.col("tools")
    return (
        spoken.with_columns(about)
        .with_columns(tools=pl.when(~tools.str.strip_chars().is_in(_NO_TOOLS)).then(tools))
        .select(
            record_id(),
            pl.lit(source.name).alias("source"),
            numbers.gather(spoken["row"]).alias("source_row"),
            "messages",
            "category",
            "tools",
            pl.coalesce(_said("said"), pl.lit(source.licence)).alias("licence"),
        )
        .cast(RECORD)
    )


def _categorised(rows: pl.DataFrame, category: str | None) -> pl.DataFrame:
    """The same rows; where one tells no category, it is that of its file."""
    of_file = pl.lit(category, dtype=pl.String)
    return rows.with_columns(category=pl.coalesce(_said("category"), of_file))


def _said(column: str) -> pl.Expr:
    """A text without white space around it, null where nothing is left."""
    text = pl.col(column).str.strip_chars()
    return pl.when(text != "").then(text)


def _with_strangers(
    problems: pl.DataFrame,
    rows: pl.DataFrame,
    keys: Sequence[str],
    shape: Shape,
    source: Source,
) -> pl.DataFrame:
    """PROBLEMS, with the rows that hold nothing of what the layout reads.

    `keys` are the names of the first row: they are told where it is such a row.
    """
    names = ", ".join(names[0] for names in shape.names(source).values())
    is_strange = rows.select(pl.all_horizontal(pl.col(shape.columns).is_null())).to_series()
    found = ", ".join(key[:SHOWN_KEY_CHARS] for key in keys[:SHOWN_KEYS])
    told = f"; the first row here has {found}" if found and is_strange.head(1).any() else ""
    strangers = rows.filter(is_strange).select(
        "row", message=pl.lit(f"none of its columns is there: {names}{told}")
    )
    if strangers.is_empty():
        return problems
    both = pl.concat([strangers.cast(PROBLEMS), problems])
    return both.unique("row", keep="first", maintain_order=True)


def _failures(
    rows: pl.DataFrame, problems: pl.DataFrame, spoken: Conversations, parsed: Parsed, shape: Shape
) -> pl.DataFrame:
    """One row per row that is no record: `row`, `drop_reason`, `message`, `excerpt`."""
    if not problems.height and spoken.rows.height == rows.height:
        return pl.DataFrame(schema=_FAILED)
    unreadable = problems.with_columns(drop_reason=pl.lit(DropReason.UNREADABLE.value))
    rejected = pl.DataFrame(parsed.rejected).select(
        "row",
        message=pl.lit("its only answer is one that people rejected"),
        drop_reason=pl.lit(DropReason.REJECTED_RESPONSE.value),
    )
    heard = pl.concat([problems["row"], parsed.rejected, spoken.rows["row"]])
    silent = rows.filter(~pl.col("row").is_in(heard.implode())).select(
        "row",
        message=pl.lit("no assistant turn"),
        drop_reason=pl.lit(DropReason.NO_RESPONSE.value),
    )
    failed = pl.concat([unreadable, rejected, silent])
    said = (
        parsed.turns.filter(pl.col("row").is_in(failed["row"].implode()))
        .group_by("row", maintain_order=True)
        .agg(said=pl.col("content").str.join("\n\n"))
    )
    columns = [pl.lit(f"{name}: ") + pl.col(name) for name in shape.columns]
    shown = rows.select("row", held=pl.concat_str(columns, separator="\n", ignore_nulls=True))
    excerpt = pl.coalesce("said", "held").str.replace_all(NESTED, "", literal=True)
    return (
        failed.join(said, on="row", how="left")
        .join(shown, on="row", how="left")
        .select("row", "drop_reason", "message", excerpt.str.head(EXCERPT_CHARS).alias("excerpt"))
        .sort("row")
    )


def _ledger(
    batch: Batch,
    failed: pl.DataFrame,
    damaged: pl.Series,
    numbers: pl.Series,
    source: Source,
    file: str,
) -> pl.DataFrame:
    """UNREADABLE of the damage and of the failed rows, in their sequence."""
    stretches = (
        Damages.of(batch.damage)
        .frame.select("offset", "message", "excerpt", source_row=damaged)
        .with_columns(drop_reason=pl.lit(DropReason.UNREADABLE.value))
    )
    rows = failed.select(
        numbers.gather(failed["row"]).alias("source_row"),
        batch.rows[OFFSET].gather(failed["row"]).alias("offset"),
        "message",
        pl.col("excerpt").fill_null(""),
        "drop_reason",
    )
    return (
        pl.concat([stretches, rows], how="diagonal")
        .with_columns(source=pl.lit(source.name), file=pl.lit(file))
        .select(UNREADABLE.names())
        .cast(UNREADABLE)
        .sort("source_row")
    )
