"""A version's data and ledger files, written shard by shard from the judged rows."""

from collections.abc import Iterator, Mapping, Sequence
from typing import cast

import polars as pl

from schemas.ledger import LEDGER, PUBLISHED
from schemas.manifest import ShardRef, SplitEntry, StageManifest
from schemas.privacy import Policy, Privacy
from schemas.reasons import Stage
from schemas.recipe import Publish, Recipe, ShardFormat
from tasks.judged import Judgement, judged_rows, judged_shards
from tasks.lake import Lake
from tasks.personal.kinds import hidden
from tasks.personal.messages import messages_of, turns_of
from tasks.shards import scan_shard, write_arrow, write_shard
from tasks.split import SPLIT_COLUMN, TRAIN, VALIDATION

_PENDING = "pending"


def write_data(
    lake: Lake, folder: str, judgement: Judgement, splits: pl.DataFrame, recipe: Recipe
) -> tuple[tuple[SplitEntry, ...], tuple[ShardRef, ...]]:
    """Write `data/` and `ledger/` under `folder`; returns the splits and the ledger's files.

    `splits` has one row per kept row in the judgement's order, with `split` and `copies`. Rows keep
    the order of the recipe's sources and of their raw data. Repeated rows come round again: after
    everything once, all second copies in that order, then all third ones, so that the copies of a
    row stand as far apart as an epoch would put them. Personal data that the recipe drops is masked
    in the ledger, whatever a row fell to: ledgers are shared. URIs are relative to `folder`.
    """
    publish = recipe.publish
    writers = {name: _SplitWriter(lake, folder, name, publish) for name in (TRAIN, VALIDATION)}
    ledger: list[ShardRef] = []
    places: list[pl.DataFrame] = []
    start = 0
    for index, rows in enumerate(judged_shards(lake, judgement)):
        kept = _kept(rows)
        places.append(splits.slice(start, kept.height))
        start += kept.height
        for name, writer in writers.items():
            writer.add(kept.filter(places[index][SPLIT_COLUMN] == name))
        dropped = rows.filter(pl.col("drop_reason").is_not_null())
        if dropped.height:
            key = f"{folder}/ledger/{judgement.shards[index].source}-{index:05d}.parquet"
            told = _ledger_rows(dropped, recipe.filter.privacy)
            ledger.append(_relative(write_shard(told, lake, key), folder))
    _write_repeats(lake, judgement, places, writers)
    return tuple(writers[name].close() for name in (TRAIN, VALIDATION)), tuple(ledger)


def write_unread(
    lake: Lake, folder: str, normalized: tuple[StageManifest, ...], recipe: Recipe
) -> tuple[ShardRef, ...]:
    """Write the rows that could not be read to `ledger/unread.parquet`; empty where all could."""
    shards = [shard for stage in normalized for shard in stage.ledger if shard.rows]
    if not shards:
        return ()
    unread = pl.concat([scan_shard(lake, shard) for shard in shards]).with_columns(
        pl.lit(Stage.NORMALIZE.value).alias("stage"), found="excerpt"
    )
    key = f"{folder}/ledger/unread.parquet"
    told = _ledger_rows(unread.collect(), recipe.filter.privacy)
    return (_relative(write_shard(told, lake, key), folder),)


def _write_repeats(
    lake: Lake,
    judgement: Judgement,
    places: Sequence[pl.DataFrame],
    writers: Mapping[str, "_SplitWriter"],
) -> None:
    """Add the second copies of all shards, then the third, and so on; reads only shards with some.

    `places[i]` has `split` and `copies` of the rows kept of shard i.
    """
    most = [cast("int | None", place["copies"].max()) or 1 for place in places]
    for copy in range(2, max(most, default=1) + 1):
        for index, place in enumerate(places):
            if most[index] < copy:
                continue
            kept = _kept(judged_rows(lake, judgement, index, None))
            for name, writer in writers.items():
                again = (place["copies"] >= copy) & (place[SPLIT_COLUMN] == name)
                writer.add(kept.filter(again))


def _kept(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.filter(pl.col("drop_reason").is_null()).select(*PUBLISHED)


def _ledger_rows(rows: pl.DataFrame, privacy: Privacy) -> pl.DataFrame:
    """The ledger's columns of dropped rows, null where these rows have none; no personal data."""
    told = rows.select(
        pl.col(name).cast(dtype) if name in rows.columns else pl.lit(None, dtype=dtype).alias(name)
        for name, dtype in LEDGER.items()
    )
    kinds = (*privacy.kinds(Policy.DROP), *privacy.kinds(Policy.REDACT))
    turns = turns_of(told["messages"])
    contents = hidden(turns["content"], kinds)
    return told.with_columns(
        messages=messages_of(turns.with_columns(content=contents), told.height),
        **{name: hidden(told[name], kinds) for name in ("found", "message", "tools")},
    )


class _SplitWriter:
    """Cuts one split into files of at most `shard_rows` rows, named once their number is known."""

    def __init__(self, lake: Lake, folder: str, name: str, publish: Publish) -> None:
        self._lake, self._folder, self._name = lake, folder, name
        self._format, self._shard_rows = publish.format, publish.shard_rows
        self._waiting: list[pl.DataFrame] = []
        self._waiting_rows = 0
        self._written: list[ShardRef] = []

    def add(self, rows: pl.DataFrame) -> None:
        self._waiting.append(rows)
        self._waiting_rows += rows.height
        for full in self._full():
            self._write(full)

    def close(self) -> SplitEntry:
        if self._waiting_rows:
            self._write(pl.concat(self._waiting))
        count = len(self._written)
        shards = tuple(
            self._named(shard, index, count) for index, shard in enumerate(self._written)
        )
        return SplitEntry(name=self._name, rows=sum(s.rows for s in shards), shards=shards)

    def _full(self) -> Iterator[pl.DataFrame]:
        if self._waiting_rows < self._shard_rows:
            return
        rows = pl.concat(self._waiting)
        whole = rows.height - rows.height % self._shard_rows
        self._waiting, self._waiting_rows = [rows.slice(whole)], rows.height - whole
        yield from rows.head(whole).iter_slices(self._shard_rows)

    def _write(self, rows: pl.DataFrame) -> None:
        write = write_arrow if self._format is ShardFormat.ARROW else write_shard
        name = f"{_PENDING}-{self._name}-{len(self._written):05d}.{self._format}"
        self._written.append(write(rows, self._lake, f"{self._folder}/data/{name}"))

    def _named(self, shard: ShardRef, index: int, count: int) -> ShardRef:
        key = f"{self._folder}/data/{self._name}-{index:05d}-of-{count:05d}.{self._format}"
        self._lake.move(shard.uri, key)
        return _relative(shard.model_copy(update={"uri": key}), self._folder)


def _relative(shard: ShardRef, folder: str) -> ShardRef:
    return shard.model_copy(update={"uri": shard.uri.removeprefix(f"{folder}/")})
