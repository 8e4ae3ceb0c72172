"""Records and ledger rows to shards of the lake, cut by `source_row` and nothing else."""

from collections import Counter

import polars as pl

from schemas.manifest import Drops, ShardRef
from tasks.lake import Lake
from tasks.normalize.records import Outcome
from tasks.shards import write_shard


class SourceWriter:
    """Takes the outcomes of one source in order and keeps at most a shard of them in memory.

    Shard i holds the records whose `source_row` is in [i * shard_rows, (i + 1) * shard_rows), so
    that neither batches nor files move a cut, and an append upstream changes the last shard only.
    """

    def __init__(self, lake: Lake, key: str, source: str, shard_rows: int) -> None:
        """Write below `key`."""
        self._lake, self._key, self._source, self._shard_rows = lake, key, source, shard_rows
        self._records: list[pl.DataFrame] = []
        self._failed: list[pl.DataFrame] = []
        self._shard = 0
        self.rows = 0
        self.records = 0
        self.shards: list[ShardRef] = []
        self.ledger: list[ShardRef] = []
        self.reasons: Counter[str] = Counter()

    def add(self, outcome: Outcome) -> None:
        """Continue the source with one batch."""
        number = (pl.col("source_row") + self.rows).cast(pl.UInt32)
        records = outcome.records.with_columns(number)
        ledger = outcome.ledger.with_columns(number)
        shard = (pl.col("source_row") // self._shard_rows).alias("shard")
        for (place,), part in records.group_by(shard, maintain_order=True):
            if place != self._shard:
                self._write_records()
                self._shard = int(place)
            self._records.append(part)
        self._failed.append(ledger)
        if sum(frame.height for frame in self._failed) >= self._shard_rows:
            self._write_ledger()
        self.rows += records.height + ledger.height
        self.records += records.height
        self.reasons.update(dict(ledger["drop_reason"].value_counts().rows()))

    def close(self) -> None:
        """Write what is left."""
        self._write_records()
        self._write_ledger()

    def drops(self, stage: str) -> tuple[Drops, ...]:
        """The ledger rows by reason."""
        return tuple(
            Drops(stage=stage, reason=reason, source=self._source, rows=rows)
            for reason, rows in sorted(self.reasons.items())
        )

    def _write_records(self) -> None:
        if self._records:
            self.shards.append(self._write(self._records, f"part-{self._shard:05d}.parquet"))
            self._records = []

    def _write_ledger(self) -> None:
        if any(frame.height for frame in self._failed):
            self.ledger.append(self._write(self._failed, f"ledger-{len(self.ledger):05d}.parquet"))
        self._failed = []

    def _write(self, frames: list[pl.DataFrame], name: str) -> ShardRef:
        frame = pl.concat(frames, rechunk=True)
        return write_shard(frame, self._lake, f"{self._key}/{name}", source=self._source)
