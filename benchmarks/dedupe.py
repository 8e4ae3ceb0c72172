"""Dedupe beside a peer: speed and memory of the whole process, and quality against brute force.

    python benchmarks/dedupe.py --corpora FOLDER [--rows N] [--peer-python PYTHON]

FOLDER holds alpaca/, alpaca_zh_carbonz0/, alpaca_zh_hikariming/, flan_cot/, alpaca_cot/ and
gpteacher/ as their upstreams publish them. Without it, rows are generated.

Rows for speed: every row of these files in the order of their names, then the same again from the
first row until there are N, so that about half of them are exact copies, as in a collection that
carries the Alpaca family several times over. Rows for quality: groups of rows whose prompts and
whose responses begin with the same 16 characters, which has near duplicates and owes nothing to any
method; exact copies are taken out, and all pairs of rows are compared by the definition.

The peer (rensa) runs in the same minutes, on the same rows, in a process of its own, with the same
shingles and bands; `--peer-python` names an interpreter that has it.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

ROOT = Path(__file__).resolve().parents[1]
SHARD_ROWS = 20_000
THRESHOLD, NGRAM, BANDS, BAND_ROWS = 0.8, 5, 20, 6
QUALITY_ROWS, WINDOW_ROWS, PREFIX_CHARS = 6_000, 200, 16
SIDES = ("prompt", "response")
FAMILY = ("alpaca", "alpaca_zh_carbonz0", "alpaca_zh_hikariming", "alpaca_cot", "gpteacher")


# Rows


def read_corpora(folder: Path) -> pl.DataFrame:
    """One row per record of the real files: source, prompt, response."""
    frames = [
        read_rows(path, name) for name in FAMILY for path in sorted((folder / name).rglob("*.json"))
    ]
    frames += [
        read_rationales(path, "flan_cot") for path in sorted((folder / "flan_cot").glob("*.tsv"))
    ]
    return pl.concat(frame for frame in frames if frame is not None)


def read_rows(path: Path, source: str) -> pl.DataFrame | None:
    """An Alpaca-shaped array; None where the file is cut."""
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError:
        return None
    prompts = ["\n\n".join(filter(None, (row["instruction"], row.get("input")))) for row in rows]
    responses = [row.get("output") or row.get("response") or "" for row in rows]
    return pl.DataFrame({"prompt": prompts, "response": responses}).insert_column(
        0, pl.repeat(source, len(rows), eager=True).alias("source")
    )


def read_rationales(path: Path, source: str) -> pl.DataFrame:
    """FLAN's chain-of-thought TSV: prompt, answer, rationale."""
    lines = path.read_text(encoding="utf-8").split("\n")
    parts = [line.split("\t") for line in lines if line.count("\t") >= 2]
    return pl.DataFrame(
        {
            "source": [source] * len(parts),
            "prompt": [part[0] for part in parts],
            "response": [f"{part[2]} The answer is {part[1]}" for part in parts],
        }
    )


def generated(rows: int) -> pl.DataFrame:
    """Templated questions with numbers, and a copy of every second one that differs in a word."""
    index = pl.int_range(rows, eager=True)
    number = (index // 2).cast(pl.String)
    return pl.DataFrame({"index": index}).select(
        pl.lit("generated").alias("source"),
        pl.format("What is {} + {}?", number, number).alias("prompt"),
        pl.when(index % 2 == 0)
        .then(pl.format("The sum of {} and itself is twice as much, of course.", number))
        .otherwise(pl.format("The sum of {} and itself is twice as much, of corse.", number))
        .alias("response"),
    )


def repeated(rows: pl.DataFrame, total: int) -> pl.DataFrame:
    """The rows, again and again from the first, until there are `total`; sorted by source."""
    places = np.arange(total) % rows.height
    return rows[places].sort("source", maintain_order=True)


def neighbours(rows: pl.DataFrame, seed: int = 17) -> pl.DataFrame:
    """Up to `QUALITY_ROWS` rows that begin like another one: groups of them, drawn by seed."""
    begins = [pl.col(side).str.head(PREFIX_CHARS) for side in ("prompt", "response")]
    groups = (
        rows.with_columns(
            pl.concat_str(
                pl.col(side).str.to_lowercase().str.replace_all(r"\s+", " ") for side in SIDES
            ).alias("said")
        )
        .unique("said", maintain_order=True)
        .with_columns(pl.struct(begins).rank("dense").alias("group"), pl.len().over(begins))
        .filter(pl.col("len").is_between(2, WINDOW_ROWS))
    )
    drawn = groups["group"].unique(maintain_order=True).sample(fraction=1, shuffle=True, seed=seed)
    order = pl.DataFrame({"group": drawn}).with_row_index("turn")
    return (
        groups.join(order, on="group", maintain_order="left")
        .sort("turn", maintain_order=True)
        .head(QUALITY_ROWS)
        .select("source", *SIDES)
    )


def write_lake(rows: pl.DataFrame, lake_uri: str) -> None:
    """Rows as normalize leaves them and the filter passes them, and what the child asks for."""
    from schemas.manifest import StageManifest
    from schemas.record import RECORD
    from tasks.lake import Lake
    from tasks.shards import no_verdicts, write_shard
    from tasks.text import record_id

    lake = Lake(lake_uri)
    shards, filtered = [], []
    for (name,), group in rows.group_by("source", maintain_order=True):
        turns = [
            pl.struct(pl.lit(role).alias("role"), pl.col(column).alias("content"))
            for role, column in (("user", "prompt"), ("assistant", "response"))
        ]
        records = (
            group.with_row_index("source_row")
            .with_columns(
                pl.concat_list(turns).alias("messages"), pl.lit(None, pl.String).alias("tools")
            )
            .with_columns(
                record_id(),
                pl.lit(None, pl.String).alias("category"),
                pl.lit("unknown").alias("licence"),
            )
            .select(*RECORD)
        )
        for part in records.iter_slices(SHARD_ROWS):
            key = f"{len(shards):05d}.parquet"
            shard = write_shard(part, lake, f"records-{key}", source=str(name))
            verdicts = write_shard(no_verdicts(part.height), lake, f"filter-{key}")
            passed = StageManifest(
                stage="filter", digest="0" * 64, uri="", rows_in=0, rows_out=0, shards=(verdicts,)
            )
            shards.append(shard.model_dump())
            filtered.append(passed.model_dump(mode="json"))
    given = {"shards": shards, "filtered": filtered, "sources": rows["source"].unique().to_list()}
    lake.put("given.json", json.dumps(given).encode())


# What is measured, each in a process of its own


def run_winnow(lake_uri: str, threads: int) -> None:
    """Both halves of the stage; the last line says what they removed."""
    from schemas.manifest import ShardRef, StageManifest
    from schemas.recipe import Recipe
    from tasks.dedupe.stage import exact_stage, near_stage
    from tasks.lake import Lake

    lake = Lake(lake_uri)
    given = json.loads(lake.read("given.json"))
    sources = [
        {"name": name, "layout": "alpaca", "local": {"path": "/"}, "licence": "unknown"}
        for name in sorted(given["sources"])
    ]
    recipe = Recipe.model_validate({"name": "benchmark", "sources": sources})
    shards = [ShardRef.model_validate(shard) for shard in given["shards"]]
    filtered = [StageManifest.model_validate(one) for one in given["filtered"]]
    exact = exact_stage(lake, shards, filtered, recipe, threads)
    near = near_stage(lake, shards, filtered, exact, recipe, threads)
    print(
        json.dumps(
            {
                "removed": exact.rows_in - exact.rows_out + near.rows_in - near.rows_out,
                "exact": [shard.uri for shard in exact.shards],
                "near": [shard.uri for shard in near.shards],
                "notes": dict(near.notes),
            }
        )
    )


def run_rensa(texts: str, kept: str) -> None:
    """The peer as documented: a row stays unless it shares a band with one before it."""
    from rensa import RMinHashDeduplicator

    deduplicator = RMinHashDeduplicator(THRESHOLD, BANDS * BAND_ROWS, True, BANDS)
    rows = pl.read_parquet(texts)["text"].str.to_lowercase()
    flags: list[bool] = []
    for batch in range(0, len(rows), 10_000):
        entries = [
            (
                str(batch + row),
                [text[at : at + NGRAM] for at in range(max(1, len(text) - NGRAM + 1))],
            )
            for row, text in enumerate(rows[batch : batch + 10_000])
        ]
        flags += deduplicator.add_pairs(entries)
    pl.DataFrame({"kept": flags}).write_parquet(kept)
    print(json.dumps({"removed": len(flags) - sum(flags)}))


def measured(command: list[str], kernels: Path | None = None) -> dict[str, Any]:
    """Run a process: its last line, wall_s, cpu_s and peak_mb of the whole process.

    `kernels` is where compiled kernels are kept, if not in their usual place.
    """
    settings = {"NUMBA_CACHE_DIR": str(kernels)} if kernels else {}
    begun = time.perf_counter()
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        cwd=ROOT,
        env={**os.environ, **settings, "PYTHONPATH": str(ROOT)},
    )
    assert process.stdout is not None
    said = process.stdout.read().decode()
    _, status, usage = os.wait4(process.pid, 0)
    wall_s = time.perf_counter() - begun
    if status:
        raise SystemExit(f"{' '.join(command)} failed with status {status}")
    return {
        **json.loads(said.strip().splitlines()[-1]),
        "wall_s": wall_s,
        "cpu_s": usage.ru_utime + usage.ru_stime,
        "peak_mb": usage.ru_maxrss / 1024,
    }


def winnow_command(lake_uri: str, threads: int) -> list[str]:
    """This file again, as Winnow alone."""
    return [sys.executable, __file__, "--as-winnow", lake_uri, "--threads", str(threads)]


def rensa_command(peer_python: str, texts: Path, kept: Path) -> list[str]:
    """This file again, as the peer alone."""
    return [peer_python, __file__, "--as-rensa", str(texts), str(kept)]


def has_rensa(peer_python: str) -> bool:
    """Whether an interpreter is there and has the peer."""
    if shutil.which(peer_python) is None:
        return False
    command = [peer_python, "-c", "import rensa, polars"]
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


# Quality


def brute_force(rows: pl.DataFrame) -> pl.DataFrame:
    """All pairs, by the definition: left, right, prompt and response similarity, same numbers.

    One row per pair whose similarities both reach 0.7.
    """
    from numba import njit

    from tasks.dedupe.numbers import number_digests
    from tasks.fold import fold, fold_buffers

    known: dict[str, int] = {}
    sides, numbers = [], np.zeros(rows.height, np.uint64)
    for weight, column in ((1, "prompt"), (3, "response")):
        sets = [
            sorted(
                {
                    known.setdefault(text[at : at + NGRAM], len(known))
                    for at in range(max(1, len(text) - NGRAM + 1))
                }
            )
            for text in fold(rows[column])
        ]
        ends = np.cumsum([0, *map(len, sets)])
        sides.append((ends, np.concatenate([np.array(one, np.int64) for one in sets])))
        texts = fold_buffers(rows[column])
        numbers += np.uint64(weight) * number_digests(texts.offsets, texts.data)

    @njit
    def jaccard(ends, values, one, other):  # type: ignore[no-untyped-def]
        left, right, shared = ends[one], ends[other], 0
        while left < ends[one + 1] and right < ends[other + 1]:
            if values[left] == values[right]:
                shared += 1
                left += 1
                right += 1
            elif values[left] < values[right]:
                left += 1
            else:
                right += 1
        total = ends[one + 1] - ends[one] + ends[other + 1] - ends[other]
        return shared / (total - shared)

    @njit
    def compare(prompts, prompt_values, responses, response_values, numbers):  # type: ignore[no-untyped-def]
        found = []
        for one in range(len(numbers)):
            for other in range(one):
                size, other_size = (
                    responses[one + 1] - responses[one],
                    responses[other + 1] - responses[other],
                )
                if min(size, other_size) < 0.7 * max(size, other_size):
                    continue
                response = jaccard(responses, response_values, one, other)
                if response >= 0.7:
                    prompt = jaccard(prompts, prompt_values, one, other)
                    if prompt >= 0.7:
                        same = 1.0 if numbers[one] == numbers[other] else 0.0
                        found.append((float(other), float(one), prompt, response, same))
        return found

    found = compare(*sides[0], *sides[1], numbers)
    columns = {"left": pl.Int64, "right": pl.Int64, "prompt": pl.Float64, "response": pl.Float64}
    frame = pl.DataFrame(found, schema=[*columns, "same_numbers"], orient="row")
    return frame.with_columns(
        [pl.col(name).cast(dtype) for name, dtype in columns.items()]
        + [pl.col("same_numbers") == 1]
    )


def recall(caught: np.ndarray) -> str:
    """The share of pairs that were caught, and of how many."""
    return f"{caught.mean():.4f} of {len(caught)}" if len(caught) else "no such pair"


def quality(kept: np.ndarray, pairs: pl.DataFrame) -> dict[str, str]:
    """Recall: pairs of which not both stay. False: rows removed with no kept row at 0.7 or more."""
    lowest = pl.min_horizontal("prompt", "response")
    duplicates = pairs.filter(pl.col("same_numbers"))
    left, right = duplicates["left"].to_numpy(), duplicates["right"].to_numpy()
    caught = ~(kept[left] & kept[right])
    at = duplicates.select(lowest.alias("lowest"))["lowest"].to_numpy()
    excused = np.zeros(len(kept), bool)
    excused[left[kept[right]]] = True
    excused[right[kept[left]]] = True
    return {
        "recall at 0.80": recall(caught[at >= 0.8]),
        "recall at 0.85": recall(caught[at >= 0.85]),
        "removed": str(int((~kept).sum())),
        "false": str(int((~kept & ~excused).sum())),
    }


def winnow_kept(rows: pl.DataFrame, folder: Path, threads: int) -> tuple[np.ndarray, float]:
    """Which rows stay (in the order of `rows`, sorted by source), and the share of exact verdicts.

    That share is the precision: removals whose named row is kept and reaches the threshold, by the
    similarities of the ledger recomputed from the text.
    """
    lake = str(folder / "quality")
    write_lake(rows, lake)
    said = measured(winnow_command(lake, threads))
    records = pl.concat(
        [pl.read_parquet(path) for path in sorted((folder / "quality").glob("records-*"))]
    )
    reasons, named = [], []
    for stage in ("exact", "near"):
        verdicts = pl.concat([pl.read_parquet(f"{lake}/{uri}") for uri in said[stage]])
        reasons.append(verdicts["drop_reason"].is_null().to_numpy())
        named.append(verdicts["duplicate_of"])
    kept = reasons[0] & reasons[1]
    place = {record_id: row for row, record_id in enumerate(records["record_id"]) if kept[row]}
    fallen = np.flatnonzero(~reasons[1])
    right = 0
    for row in fallen.tolist():
        survivor = place.get(named[1][row])
        right += survivor is not None and all(
            exact_similarity(rows[column][row], rows[column][survivor]) >= THRESHOLD
            for column in ("prompt", "response")
        )
    return kept, right / max(1, len(fallen))


def exact_similarity(one: str, other: str) -> float:
    """Jaccard of two texts' shingles, by the definition."""
    from tasks.fold import fold

    sets = [
        {text[at : at + NGRAM] for at in range(max(1, len(text) - NGRAM + 1))}
        for text in fold(pl.Series([one, other]))
    ]
    return len(sets[0] & sets[1]) / len(sets[0] | sets[1])


# The report


def show(title: str, rows: list[dict[str, Any]]) -> None:
    """Print a table."""
    print(f"\n{title}")
    with pl.Config(tbl_rows=-1, tbl_cols=-1, tbl_width_chars=120, tbl_hide_column_data_types=True):
        print(pl.DataFrame(rows))


def speed_row(method: str, rows: int, said: dict[str, Any]) -> dict[str, Any]:
    """One line of the table of speed."""
    return {
        "method": method,
        "rows": rows,
        "wall s": f"{said['wall_s']:.2f}",
        "CPU s": f"{said['cpu_s']:.2f}",
        "peak MB": f"{said['peak_mb']:.0f}",
        "rows/s": f"{rows / said['wall_s']:,.0f}",
        "removed": said["removed"],
    }


def compare(corpora: Path | None, rows: int, threads: int, peer_python: str) -> None:
    """Measure, and print both tables."""
    base = read_corpora(corpora) if corpora else generated(rows // 2)
    peer = has_rensa(peer_python)
    if not peer:
        print(f"peer rensa is not installed for {peer_python}: Winnow alone is measured")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        all_rows = repeated(base, rows)
        write_lake(all_rows, str(folder / "warm"))
        first = measured(winnow_command(str(folder / "warm"), threads), folder / "kernels")
        write_lake(all_rows, str(folder / "speed"))
        second = measured(winnow_command(str(folder / "speed"), threads), folder / "kernels")
        table = [
            speed_row("Winnow, compiling", rows, first),
            speed_row("Winnow", rows, second),
        ]
        text = pl.concat_str("prompt", "response", separator="\n\n").alias("text")
        if peer:
            all_rows.select(text).write_parquet(folder / "texts.parquet")
            command = rensa_command(peer_python, folder / "texts.parquet", folder / "kept.parquet")
            table.append(speed_row("rensa", rows, measured(command)))
        show(f"{rows:,} rows, whole process, {threads} threads", table)

        sample = neighbours(base).sort("source", maintain_order=True)
        pairs = brute_force(sample)
        kept, precision = winnow_kept(sample, folder, threads)
        table = [{"method": "Winnow", **quality(kept, pairs), "precision": f"{precision:.4f}"}]
        if peer:
            sample.select(text).write_parquet(folder / "texts.parquet")
            measured(rensa_command(peer_python, folder / "texts.parquet", folder / "kept.parquet"))
            kept = pl.read_parquet(folder / "kept.parquet")["kept"].to_numpy()
            table.append({"method": "rensa", **quality(kept, pairs), "precision": "not verified"})
        show(f"{sample.height:,} rows against brute force", table)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--corpora", type=Path, default=ROOT.parent / "shared" / "corpora")
    parser.add_argument("--rows", type=int, default=253_568)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--peer-python", default=sys.executable)
    parser.add_argument("--as-winnow", metavar="LAKE", help=argparse.SUPPRESS)
    parser.add_argument("--as-rensa", nargs=2, metavar=("TEXTS", "KEPT"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.as_winnow:
        run_winnow(given.as_winnow, given.threads)
    elif given.as_rensa:
        run_rensa(*given.as_rensa)
    else:
        corpora = given.corpora if given.corpora.is_dir() else None
        compare(corpora, given.rows, given.threads, given.peer_python)


if __name__ == "__main__":
    main()
