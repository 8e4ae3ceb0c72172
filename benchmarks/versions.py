"""Verify beside sha256sum, and the difference of two versions of a million rows each.

    python -m benchmarks.versions [GIGABYTES] [ROWS]

The versions are generated, and the same in every run. Figures are of whole processes, medians.
"""

import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import polars as pl
import polars_hash as plh

from benchmarks.measuring import median, run, table
from schemas.ledger import LEDGER, PUBLISHED
from schemas.manifest import CorpusManifest, Drops, ShardRef, SourceEntry, SplitEntry, Statistics
from tasks import text
from tasks.corpora import to_json
from tasks.lake import Lake
from tasks.publish.identity import corpus_digest, digest_in_passes
from tasks.publish.verify import columns_of
from tasks.shards import write_shard

RUNS = 3
SHARD_ROWS = 100_000
ROW_BYTES = 350  # compressed, as rows of Alpaca and BELLE come to
NOTHING = "0" * 64
BOUND_OF_VERIFY = 1.3
BOUND_OF_DIFF_S, BOUND_OF_DIFF_MB = 10, 2000


def published(first: int, rows: int, row_bytes: int) -> pl.DataFrame:
    """PUBLISHED rows; their text depends on their number alone and does not compress below that."""
    digests = -(-row_bytes // 32)
    number = pl.int_range(first, first + rows, dtype=pl.UInt32)
    seeds = [plh.concat_str(number.cast(pl.String), pl.lit(f":{of}")) for of in range(digests)]
    said = pl.concat_str([seed.chash.sha2_256() for seed in seeds])
    texts = pl.select(said=said, number=number)
    question = pl.concat_str(pl.lit("What is "), "number", pl.lit("?"))
    messages = pl.concat_list(
        pl.struct(role=pl.lit("user"), content=question),
        pl.struct(role=pl.lit("assistant"), content=pl.col("said")),
    )
    frame = texts.select(
        messages=messages,
        source=pl.lit("alpaca"),
        source_row="number",
        category=pl.lit(None, pl.String),
        tools=pl.lit(None, pl.String),
        licence=pl.lit("MIT"),
        language=pl.lit("en"),
        turns=pl.lit(1),
        prompt_chars=question.str.len_chars(),
        response_chars=pl.col("said").str.len_chars(),
        prompt_tokens=pl.lit(None),
        response_tokens=pl.lit(None),
    )
    whole = frame.with_columns(text.record_id()).with_columns(cluster=pl.col("record_id"))
    return whole.select(pl.col(name).cast(dtype) for name, dtype in PUBLISHED.items())


def dropped(rows: pl.DataFrame) -> pl.DataFrame:
    """LEDGER of published rows that a later version dropped."""
    said = {"stage": pl.lit("filter"), "drop_reason": pl.lit("echo")}
    return rows.with_columns(**said).select(
        (pl.col(name) if name in (*rows.columns, *said) else pl.lit(None)).cast(dtype).alias(name)
        for name, dtype in LEDGER.items()
    )


def write(
    lake: Lake, version: str, numbers: range, row_bytes: int, lost: Sequence[int] = ()
) -> CorpusManifest:
    """A version of the rows with these numbers; of those `lost`, multiples of 1000, one each."""
    folder = f"corpora/bench/{version}"
    shards: list[ShardRef] = []
    ledger: list[ShardRef] = []
    for index, first in enumerate(range(numbers.start, numbers.stop, SHARD_ROWS)):
        rows = published(first, min(SHARD_ROWS, numbers.stop - first), row_bytes)
        gone = pl.col("source_row").is_in(list(lost))
        key = f"data/train-{index:05d}.parquet"
        shard = write_shard(rows.filter(~gone), lake, f"{folder}/{key}")
        shards.append(shard.model_copy(update={"uri": key}))
        if rows.filter(gone).height:
            key = f"ledger/bench-{index:05d}.parquet"
            shard = write_shard(dropped(rows.filter(gone)), lake, f"{folder}/{key}")
            ledger.append(shard.model_copy(update={"uri": key}))
    manifest = _manifest(lake, version, tuple(shards), tuple(ledger), len(numbers), len(lost))
    lake.put(f"{folder}/manifest.json", to_json(manifest))
    return manifest


def _manifest(
    lake: Lake,
    version: str,
    shards: tuple[ShardRef, ...],
    ledger: tuple[ShardRef, ...],
    rows: int,
    lost: int,
) -> CorpusManifest:
    files = [lake.at(f"corpora/bench/{version}/{shard.uri}") for shard in shards]
    ids = pl.scan_parquet(files).select("record_id", pl.lit("train").alias("split"))
    of_records = digest_in_passes(ids, rows)
    drops = (Drops(stage="filter", reason="echo", source="alpaca", rows=lost),) if lost else ()
    entry = SourceEntry(
        name="alpaca",
        upstream="generated",
        revision=None,
        raw_digest=NOTHING,
        files=(),
        licence="MIT",
        citation="",
        homepage="",
        rows_in=rows,
        rows_out=rows - lost,
    )
    return CorpusManifest(
        name="bench",
        version=version,
        digest=corpus_digest(NOTHING, of_records),
        status="published",
        created_at="2026-01-01T00:00:00+00:00",
        host="",
        recipe={},
        sources=(entry,),
        rows_in=rows,
        rows_out=rows - lost,
        drops=drops,
        splits=(SplitEntry(name="train", rows=rows - lost, shards=shards),),
        ledger=ledger,
        data_columns=columns_of(PUBLISHED),
        ledger_columns=columns_of(LEDGER),
        statistics=Statistics(),
        gates=(),
        recipe_digest=NOTHING,
        records_digest=of_records,
        inputs_digest=NOTHING,
        code_digest=NOTHING,
    )


def written(lake: Lake, version: str, *numbers: int) -> None:
    """`write` in a process of its own: what it takes would count as that of processes after it."""
    names = ("first", "stop", "row_bytes", "lost_from", "lost_to")
    given = [f"{name}={number}" for name, number in zip(names, numbers, strict=False)]
    command = [sys.executable, "-m", "benchmarks.versions", "write", lake.uri, version, *given]
    _refuse_failures([run(command)])


def of_verify(place: Path, gigabytes: float) -> list[tuple[object, ...]]:
    """Lines of the table: sha256sum of a version's files, and verify, alternating."""
    lake = Lake(str(place / "large"))
    rows = int(gigabytes * 1e9 / (ROW_BYTES + 40))
    written(lake, "v0001", 0, rows, ROW_BYTES)
    files = [lake.at(key) for key in lake.keys("corpora/bench/v0001")]
    size_mb = sum(Path(file).stat().st_size for file in files) / 1e6
    winnow = [sys.executable, "-m", "flows", "--lake", lake.uri, "verify"]
    peers, ours = [], []
    for _ in range(RUNS):
        peers.append(run(["sha256sum", *files]))
        ours.append(run(winnow))
    _refuse_failures(peers + ours)
    ratio = median(ours, "wall_s") / median(peers, "wall_s")
    shutil.rmtree(place / "large")
    return [
        (f"sha256sum, {size_mb:,.0f} MB", *_figures(peers), ""),
        (f"winnow verify, {rows:,} rows", *_figures(ours), f"{ratio:.2f} of {BOUND_OF_VERIFY}"),
    ]


def of_diff(place: Path, rows: int) -> list[tuple[object, ...]]:
    """A line of the table: two versions, a hundredth of the rows new and a thousandth dropped."""
    lake = Lake(str(place / "two"))
    written(lake, "v0001", 0, rows, 40)
    written(lake, "v0002", rows // 100, rows + rows // 100, 40, rows // 2, rows)
    winnow = [sys.executable, "-m", "flows", "--lake", lake.uri, "diff"]
    done = [run([*winnow, "bench@v0001", "bench@v0002", "--json"]) for _ in range(RUNS)]
    _refuse_failures(done)
    sys.stdout.write(f"{done[0].output[:600]}\n\n")
    bound = f"{BOUND_OF_DIFF_S} s, {BOUND_OF_DIFF_MB} MB"
    return [(f"winnow diff, 2 x {rows:,} rows", *_figures(done), bound)]


def _figures(runs: Sequence[object]) -> tuple[float, ...]:
    return tuple(median(runs, figure) for figure in ("wall_s", "cpu_s", "peak_mb"))  # type: ignore[arg-type]


def _refuse_failures(runs: Sequence[object]) -> None:
    if any(getattr(one, "code", 1) for one in runs):
        sys.exit("a command failed: nothing was measured")


def main(gigabytes: float, rows: int) -> None:
    """Print a table with a line for each command and its bound."""
    with tempfile.TemporaryDirectory(prefix="winnow-versions-") as place:
        lines = of_verify(Path(place), gigabytes) + of_diff(Path(place), rows)
    table(("what", "wall s", "CPU s", "peak MB", "bound"), lines)


def write_only(uri: str, version: str, given: Sequence[str]) -> None:
    """What `written` asks for."""
    said = {name: int(number) for name, _, number in (one.partition("=") for one in given)}
    lost = range(said.get("lost_from", 0), said.get("lost_to", 0), 1000)
    write(Lake(uri), version, range(said["first"], said["stop"]), said["row_bytes"], lost)


if __name__ == "__main__":
    if sys.argv[1:2] == ["write"]:
        write_only(sys.argv[2], sys.argv[3], sys.argv[4:])
    else:
        given = sys.argv[1:] + ["1", "1000000"][len(sys.argv) - 1 :]
        main(float(given[0]), int(given[1]))
