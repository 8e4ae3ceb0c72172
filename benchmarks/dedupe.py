"""Dedupe beside its peers: speed and memory of the whole process, and quality by brute force.

    python -m benchmarks.dedupe --corpora FOLDER [--rows N ...] [--peer-python PYTHON]

FOLDER holds alpaca/, alpaca_zh_carbonz0/, alpaca_zh_hikariming/, flan_cot/, alpaca_cot/ and
gpteacher/ as their upstreams publish them. Without it, rows are generated.

Rows for speed: every row of these files in the order of their names, then the same again, so that
about half of 253,568 are exact copies, as in a collection that carries the Alpaca family several
times over. From the third time on 23 rows of 100 are such copies (the share of exact copies in 136
million rows of this family), 5 lack the last 3 characters of their response, and 72 are told in
other letters: vowels, consonants and Chinese characters have changed places, each time otherwise,
so that they are as long and as much like each other as the real ones, and like none of them.
--rows 253568 1000000 8000000 measures all three, and how long each phase took, in a run of its
own. The first of them is judged with 1, 2 and 4 threads, which must agree, and by the peers. Then
25,000, 50,000 and 100,000 rows of "What is {a} + {b}?", of which none may fall.

Rows for quality: groups of rows whose prompts and whose responses begin with the same 16
characters, which has near duplicates and owes nothing to any method; exact copies are taken out,
and all pairs of rows are compared by the definition.

The peers (benchmarks/dedupe_peers.py) run in the same minutes, on the same rows, each in a process
of its own; `--peer-python` names an interpreter that has them.
"""

import argparse
import importlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from benchmarks.dedupe_peers import INSTALL, MODULES

ROOT = Path(__file__).resolve().parents[1]
SHARD_ROWS = 20_000
THRESHOLD, NGRAM, BANDS, BAND_ROWS = 0.8, 5, 20, 6
QUALITY_ROWS, WINDOW_ROWS, PREFIX_CHARS = 6_000, 200, 16
SIDES = ("prompt", "response")
PLAIN_ROUNDS = 2
COPIED, EDITED, EDIT_CHARS, SEED = 0.23, 0.05, 3, 17
HAN = slice(0x4E00, 0x9FA6)
FAMILY = ("alpaca", "alpaca_zh_carbonz0", "alpaca_zh_hikariming", "alpaca_cot", "gpteacher")


TEXT = pl.concat_str(*SIDES, separator="\n\n").alias("text")


# What is timed apart in a run of its own: what a table calls it, and where it is looked up.
PHASES = {
    "exact: fold, digest": ("tasks.dedupe.digest", "conversation_digests"),
    "exact: elect": ("tasks.dedupe.exact", "exact_verdicts"),
    "near: read text": ("tasks.dedupe.stage", "_texts"),
    "near: fold": ("tasks.dedupe.signatures", "fold_shard"),
    "near: sketches": ("tasks.dedupe.signatures", "sketch_texts"),
    "near: numbers": ("tasks.dedupe.signatures", "number_digests"),
    "near: answers": ("tasks.dedupe.signatures", "answer_digests"),
    "near: keep signatures": ("tasks.dedupe.signatures", "_write"),
    "both: order": ("tasks.dedupe.exact", "election_order"),
    "near: buckets": ("tasks.dedupe.elect", "bucket_rows"),
    "near: buckets, walk": ("tasks.dedupe.near", "_elect"),
    "near: clusters": ("tasks.dedupe.cluster", "cluster_rows"),
    "both: write verdicts": ("tasks.dedupe.stage", "_write"),
}


class Peers(NamedTuple):
    """Which peers an interpreter has."""

    python: str
    names: list[str]


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


def repeated(rows: pl.DataFrame, total: int) -> Iterator[pl.DataFrame]:
    """The rows, again and again, until there are `total`: each time sorted by source.

    One time is made at once, whatever the total. `COPIED` and `EDITED` are shares from the third
    time on.
    """
    for time_round, first in enumerate(range(0, total, rows.height)):
        again = rows.head(total - first)
        if time_round >= PLAIN_ROUNDS:
            chance = np.random.default_rng([SEED, time_round])
            drawn = pl.Series(chance.random(again.height))
            letters = other_letters(chance)
            told = [retold(again[side], letters) for side in SIDES]
            shorter = pl.col("response").str.head(-EDIT_CHARS)
            again = again.with_columns(
                pl.when(drawn < COPIED + EDITED).then(side).otherwise(new).alias(side)
                for side, new in zip(SIDES, told, strict=True)
            ).with_columns(pl.when(drawn < EDITED).then(shorter).otherwise("response"))
        yield again.sort("source", maintain_order=True)


def other_letters(chance: np.random.Generator) -> npt.NDArray[np.uint32]:
    """Code point to code point: vowels, consonants and Chinese characters change places."""
    table = np.arange(sys.maxunicode + 1, dtype=np.uint32)
    for alphabet in ("aeiouy", "bcdfghjklmnpqrstvwxz"):
        small = np.array([ord(letter) for letter in alphabet])
        moved = chance.permutation(small)
        table[small], table[small - 0x20] = moved, moved - 0x20
    table[HAN] = chance.permutation(table[HAN])
    return table


def retold(texts: pl.Series, letters: npt.NDArray[np.uint32]) -> pl.Series:
    """The same texts in other letters: as long, as repetitive, with the same numbers and marks."""
    points = np.frombuffer(
        "\n".join(texts.str.replace_all("\n", "\x0b")).encode("utf-32-le"), "<u4"
    )
    told = letters[points].tobytes().decode("utf-32-le").split("\n")
    return pl.Series(texts.name, told).str.replace_all("\x0b", "\n")


def template(total: int) -> pl.DataFrame:
    """Sums: no row is another's duplicate."""
    index = pl.int_range(total, dtype=pl.Int64, eager=True)
    one, other = 100 + index // 317, 500 + index % 317
    return pl.DataFrame({"one": one, "other": other}).select(
        pl.lit("template").alias("source"),
        pl.format("What is {} + {}?", "one", "other").alias("prompt"),
        pl.format("{} + {} = {}", "one", "other", pl.col("one") + pl.col("other")).alias(
            "response"
        ),
    )


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


def write_lake(frames: Iterable[pl.DataFrame], lake_uri: str) -> None:
    """Rows as normalize leaves them and the filter passes them, and what the child asks for."""
    from schemas.manifest import StageManifest
    from schemas.record import RECORD
    from tasks.lake import Lake
    from tasks.shards import no_verdicts, write_shard, write_stage_shard
    from tasks.text import record_id

    lake = Lake(lake_uri)
    shards, filtered = [], []
    rows_of: dict[str, int] = {}
    groups = (
        (str(name), group)
        for rows in frames
        for (name,), group in rows.group_by("source", maintain_order=True)
    )
    for name, group in groups:
        turns = [
            pl.struct(pl.lit(role).alias("role"), pl.col(column).alias("content"))
            for role, column in (("user", "prompt"), ("assistant", "response"))
        ]
        records = (
            group.with_row_index("source_row", rows_of.get(name, 0))
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
        rows_of[name] = rows_of.get(name, 0) + records.height
        for part in records.iter_slices(SHARD_ROWS):
            key = f"{len(shards):05d}.parquet"
            shard = write_stage_shard(part, lake, f"records-{key}", source=name)
            verdicts = write_shard(no_verdicts(part.height), lake, f"filter-{key}")
            passed = StageManifest(
                stage="filter", digest="0" * 64, uri="", rows_in=0, rows_out=0, shards=(verdicts,)
            )
            shards.append(shard.model_dump())
            filtered.append(passed.model_dump(mode="json"))
    given = {"shards": shards, "filtered": filtered, "sources": sorted(rows_of)}
    lake.put("given.json", json.dumps(given).encode())


# What is measured, each in a process of its own


def time_phases() -> list[dict[str, Any]]:
    """Time `PHASES` from now on: calls, seconds of wall and of the calling thread, added up.

    Phases that hand work to a pool have more CPU seconds than their own thread's.
    """
    tally = [{"phase": phase, "calls": 0, "wall s": 0.0, "thread CPU s": 0.0} for phase in PHASES]
    for (module, name), row in zip(PHASES.values(), tally, strict=True):
        timed(importlib.import_module(module), name, row)
    return tally


def timed(module: Any, name: str, row: dict[str, Any]) -> None:
    """Put a function in the place of one of a module's, which adds to a row of the tally."""
    function = getattr(module, name)

    def measured(*given: Any, **named: Any) -> Any:
        began = time.perf_counter(), time.thread_time()
        try:
            return function(*given, **named)
        finally:
            row["calls"] += 1
            row["wall s"] += time.perf_counter() - began[0]
            row["thread CPU s"] += time.thread_time() - began[1]

    setattr(module, name, measured)


def run_winnow(lake_uri: str, threads: int, phases: bool) -> None:
    """Both halves of the stage; the last line says what they removed."""
    from schemas.manifest import ShardRef, StageManifest
    from schemas.recipe import Recipe
    from tasks.dedupe.stage import exact_stage, near_stage
    from tasks.lake import Lake, digest_of

    tally = time_phases() if phases else []
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
                "verdicts": digest_of([shard.sha256 for shard in (*exact.shards, *near.shards)]),
                "notes": dict(near.notes),
                "phases": tally,
            }
        )
    )


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


def winnow_command(lake_uri: str, threads: int, *more: str) -> list[str]:
    """This file again, as Winnow alone."""
    return [sys.executable, __file__, "--as-winnow", lake_uri, "--threads", str(threads), *more]


def peer_command(peer_python: str, peer: str, texts: Path, kept: Path, threads: int) -> list[str]:
    """A peer alone."""
    script = Path(__file__).with_name("dedupe_peers.py")
    return [peer_python, str(script), peer, str(texts), str(kept), str(threads)]


def installed(peer_python: str) -> list[str]:
    """The peers that an interpreter has; says how to install the others."""
    found = []
    for peer, modules in MODULES.items():
        command = [peer_python, "-c", f"import polars, {modules}"]
        known = shutil.which(peer_python) is not None
        if known and not subprocess.run(command, check=False, capture_output=True).returncode:
            found.append(peer)
        else:
            print(f"{peer} is not installed for {peer_python}: {INSTALL[peer]}")
    return found


# Quality


def brute_force(rows: pl.DataFrame) -> pl.DataFrame:
    """All pairs, by the definition: left, right, similarities, whether numbers and answer agree.

    One row per pair whose similarities both reach 0.7.
    """
    from numba import njit

    from tasks.dedupe.answers import answer_digests
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
    numbers += np.uint64(5) * answer_digests(texts.offsets, texts.data)

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
    frame = pl.DataFrame(found, schema=[*columns, "same_content"], orient="row")
    return frame.with_columns(
        [pl.col(name).cast(dtype) for name, dtype in columns.items()]
        + [pl.col("same_content") == 1]
    )


def recall(caught: np.ndarray) -> str:
    """The share of pairs that were caught, and of how many."""
    return f"{caught.mean():.4f} of {len(caught)}" if len(caught) else "no such pair"


def quality(kept: np.ndarray, pairs: pl.DataFrame) -> dict[str, str]:
    """Recall: pairs of which not both stay. False: rows removed with no kept row at 0.7 or more."""
    lowest = pl.min_horizontal("prompt", "response")
    duplicates = pairs.filter(pl.col("same_content"))
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
    write_lake([rows], lake)
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
        print(pl.DataFrame(rows), flush=True)


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


def measure_speed(base: pl.DataFrame, rows: int, threads: int, peers: Peers, folder: Path) -> None:
    """Winnow compiling, with several threads and with signatures at hand; and the peers."""
    lake, kernels = folder / f"speed-{rows}", folder / "kernels"

    def winnow(count: int) -> dict[str, Any]:
        shutil.rmtree(lake / "stages", ignore_errors=True)
        return measured(winnow_command(str(lake), count), kernels)

    write_lake(repeated(base, rows), str(lake))
    table = []
    if not kernels.exists():
        table.append(speed_row("Winnow, compiling", rows, winnow(threads)))
        said = {count: winnow(count) for count in sorted({1, 2, 4, threads})}
        if len({one["verdicts"] for one in said.values()}) != 1:
            raise SystemExit("the result depends on the number of threads")
        table += [speed_row(f"Winnow, {count} threads", rows, one) for count, one in said.items()]
        for stage in ("dedupe_exact", "dedupe_near"):
            shutil.rmtree(lake / "stages" / stage)
        again = measured(winnow_command(str(lake), threads), kernels)
        if again["verdicts"] != said[threads]["verdicts"]:
            raise SystemExit("the result depends on whether signatures are at hand")
        table.append(speed_row("Winnow, signed before", rows, again))
        texts = folder / "texts.parquet"
        pl.concat(repeated(base, rows)).select(TEXT).write_parquet(texts)
        for peer in peers.names:
            command = peer_command(peers.python, peer, texts, folder / "kept.parquet", threads)
            theirs = measured(command)
            ratios = {
                f"times our {figure}": f"{theirs[key] / said[threads][key]:.1f}"
                for figure, key in (("wall", "wall_s"), ("CPU", "cpu_s"))
            }
            table.append(speed_row(peer, rows, theirs) | ratios)
    else:
        table.append(speed_row(f"Winnow, {threads} threads", rows, winnow(threads)))
    show(f"{rows:,} rows, whole process", table)
    shutil.rmtree(lake / "stages")
    again = measured(winnow_command(str(lake), threads, "--phases"), kernels)
    show(f"{rows:,} rows, by phase", again["phases"])
    shutil.rmtree(lake)


def measure_template(threads: int, folder: Path) -> None:
    """Sums: the time grows as the rows do, and none falls."""
    table = []
    for rows in (25_000, 50_000, 100_000):
        lake = str(folder / f"template-{rows}")
        write_lake([template(rows)], lake)
        said = measured(winnow_command(lake, threads), folder / "kernels")
        if said["removed"]:
            raise SystemExit(f"{said['removed']} of {rows} different sums fell")
        candidates = int(said["notes"]["candidates"])
        table.append(speed_row("Winnow", rows, said) | {"candidates": f"{candidates:,}"})
    show("Rows of one template, whole process", table)


def measure_quality(base: pl.DataFrame, threads: int, peers: Peers, folder: Path) -> None:
    """Recall and false removals by brute force, and how many removals are what they say."""
    sample = neighbours(base).sort("source", maintain_order=True)
    pairs = brute_force(sample)
    kept, precision = winnow_kept(sample, folder, threads)
    table = [{"method": "Winnow", **quality(kept, pairs), "precision": f"{precision:.4f}"}]
    texts, answer = folder / "texts.parquet", folder / "kept.parquet"
    sample.select(TEXT).write_parquet(texts)
    for peer in peers.names:
        measured(peer_command(peers.python, peer, texts, answer, threads))
        kept = pl.read_parquet(answer)["kept"].to_numpy()
        table.append({"method": peer, **quality(kept, pairs), "precision": "not verified"})
    show(f"{sample.height:,} rows against brute force", table)


def compare(corpora: Path | None, all_rows: list[int], threads: int, peer_python: str) -> None:
    """Measure, and print the tables."""
    base = read_corpora(corpora) if corpora else generated(all_rows[0] // 2)
    peers = Peers(peer_python, installed(peer_python))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for rows in all_rows:
            measure_speed(base, rows, threads, peers, folder)
        measure_template(threads, folder)
        measure_quality(base, threads, peers, folder)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--corpora", type=Path, default=ROOT.parent / "shared" / "corpora")
    parser.add_argument("--rows", type=int, nargs="+", default=[253_568])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--peer-python", default=sys.executable)
    parser.add_argument("--as-winnow", metavar="LAKE", help=argparse.SUPPRESS)
    parser.add_argument("--phases", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.as_winnow:
        run_winnow(given.as_winnow, given.threads, given.phases)
    else:
        corpora = given.corpora if given.corpora.is_dir() else None
        compare(corpora, given.rows, given.threads, given.peer_python)


if __name__ == "__main__":
    main()
