"""Records and ledger rows to shards of the lake, cut by what comes before and nothing else."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Self

import numpy as np
import polars as pl

from schemas.manifest import Drops, ShardRef
from schemas.record import Record, Unreadable
from tasks.lake import Lake
from tasks.normalize.records import Outcome
from tasks.shards import write_stage_shard

MAX_SHARD_BYTES = 128 << 20
"""Of contents in UTF-8: stages take a shard into memory, however long its records are."""


def _contents_bytes() -> pl.Expr:
    """Bytes of a record's contents, all turns together."""
    contents = pl.col("messages").list.eval(pl.element().struct.field("content").str.len_bytes())
    return contents.list.sum()


class SourceWriter:
    """Takes the outcomes of one source in order and writes a shard while the next one grows.

    No more than these two are in memory. A context manager; `shards` and `ledger` are complete
    after `close`. A shard ends where `source_row` reaches a multiple of `shard_rows`, and before
    that where another record would take its contents beyond `MAX_SHARD_BYTES`: neither batches nor
    files move a cut, and an append upstream changes the last shard only.
    """

    def __init__(
        self,
        lake: Lake,
        key: str,
        source: str,
        shard_rows: int,
        ready: Callable[[], None] = lambda: None,
    ) -> None:
        """Write below `key`, and nothing before `ready` returns, which may wait or raise."""
        self._lake, self._key, self._source, self._shard_rows = lake, key, source, shard_rows
        self._ready = ready
        self._records: list[pl.DataFrame] = []
        self._failed: list[pl.DataFrame] = []
        self._block = 0
        self._size_bytes = 0
        self._parts = 0
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="write")
        self._being_written: Future[None] | None = None
        self._ledgers = 0
        self.rows = 0
        self.records = 0
        self.shards: list[ShardRef] = []
        self.ledger: list[ShardRef] = []
        self.reasons: Counter[str] = Counter()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.shutdown()

    def add(self, outcome: Outcome) -> None:
        """Continue the source with one batch."""
        number = (pl.col("source_row") + self.rows).cast(pl.UInt32)
        records = outcome.records.with_columns(number)
        ledger = outcome.ledger.with_columns(number)
        self._add_records(records)
        self._failed.append(ledger)
        if sum(frame.height for frame in self._failed) >= self._shard_rows:
            self._write_ledger()
        self.rows += records.height + ledger.height
        self.records += records.height
        self.reasons.update(dict(ledger["drop_reason"].value_counts().rows()))

    def close(self) -> None:
        """Write what is left; raises what went wrong with the last shard."""
        self._write_records()
        self._write_ledger()
        self._wait()

    def drops(self, stage: str) -> tuple[Drops, ...]:
        """The ledger rows by reason."""
        return tuple(
            Drops(stage=stage, reason=reason, source=self._source, rows=rows)
            for reason, rows in sorted(self.reasons.items())
        )

    def _add_records(self, records: pl.DataFrame) -> None:
        blocks = (records["source_row"] // self._shard_rows).to_numpy()
        sizes = records.select(_contents_bytes()).to_series().to_numpy()
        first = 0
        while first < records.height:
            if blocks[first] != self._block:
                self._write_records()
                self._block = int(blocks[first])
            last = int(np.searchsorted(blocks, blocks[first], side="right"))
            grown = self._size_bytes + np.cumsum(sizes[first:last])
            fitting = int(np.searchsorted(grown, MAX_SHARD_BYTES, side="right"))
            taken = fitting if fitting or self._records else 1
            if taken:
                self._records.append(records[first : first + taken])
                self._size_bytes = int(grown[taken - 1])
            first += taken
            if first < last:
                self._write_records()

    def _write_records(self) -> None:
        if self._records:
            self._write(Record, self._records, self.shards, f"part-{self._parts:05d}.parquet")
            self._parts += 1
            self._records = []
        self._size_bytes = 0

    def _write_ledger(self) -> None:
        if any(frame.height for frame in self._failed):
            self._write(Unreadable, self._failed, self.ledger, f"ledger-{self._ledgers:05d}")
            self._ledgers += 1
        self._failed = []

    def _write(
        self,
        schema: type[Record | Unreadable],
        frames: list[pl.DataFrame],
        written: list[ShardRef],
        name: str,
    ) -> None:
        """Validate and write one shard while the next one grows; waits for the one before."""

        def write() -> None:
            frame = schema.validate(pl.concat(frames, rechunk=True))
            self._ready()
            key = f"{self._key}/{name}"
            written.append(write_stage_shard(frame, self._lake, key, self._source))

        self._wait()
        self._being_written = self._thread.submit(write)

    def _wait(self) -> None:
        if self._being_written is not None:
            self._being_written.result()
            self._being_written = None
