"""The first records of a source, to look at before it is normalised."""

from collections.abc import Generator
from contextlib import closing
from typing import NamedTuple

import polars as pl

from schemas.manifest import RawReceipt
from schemas.record import RECORD, UNREADABLE
from schemas.source import Source
from tasks.lake import Lake
from tasks.normalize.normalize import Settled, outcomes, settled
from tasks.normalize.plain import plain_files
from tasks.normalize.records import Outcome


class Sample(NamedTuple):
    """The first rows of a source: RECORD, UNREADABLE, and notes on what its data decided."""

    records: pl.DataFrame
    ledger: pl.DataFrame
    notes: tuple[tuple[str, str], ...]


def first_records(receipt: RawReceipt, source: Source, lake: Lake, count: int) -> Sample:
    """The first `count` records of a source, and the rows among them that are none.

    Nothing is written to the lake, and no more is read than it takes: batches until there are
    enough records; but all of a compressed file, and all the data where they must tell how to read
    them. A source without a record is no error here.

    Raises:
        SourceError: as `normalize` does.
    """
    known = settled(receipt, source, lake)
    records, ledger = [RECORD.to_frame()], [UNREADABLE.to_frame()]
    rows = found = 0
    with closing(_outcomes(receipt, known, lake)) as several:
        for outcome in several:
            number = (pl.col("source_row") + rows).cast(pl.UInt32)
            records.append(outcome.records.with_columns(number))
            ledger.append(outcome.ledger.with_columns(number))
            rows += outcome.records.height + outcome.ledger.height
            found += outcome.records.height
            if found >= count:
                break
    first = pl.concat(records).head(count)
    failed = pl.concat(ledger)
    if found > count:
        failed = failed.filter(pl.col("source_row") < first["source_row"].max())
    return Sample(first, failed, known.notes)


def _outcomes(receipt: RawReceipt, known: Settled, lake: Lake) -> Generator[Outcome]:
    with closing(plain_files(receipt, known.source, lake)) as files:
        for plain in files:
            with closing(outcomes(plain, known)) as several:
                yield from several
