"""Normalising real files beside `datasets.load_dataset("json")` on the same files in the same run.

python -m benchmarks.normalize [RUNS]

Ours is from a downloaded file to verified RECORD shards: its digest checked, parsed, cleaned, named
by digest, validated, written, hashed. The peer's is reading into its Arrow cache. Each run is a
process of its own with an empty lake or cache; kernels are compiled before the first counted one.
"work" is measured inside the process, after its imports; the copy into the lake that stands for the
download is not part of it.
"""

import json
import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measuring import Run, median, run, table
from tests.real import COPIES, ROOT, missing

OURS = """
import json, sys, time
from pathlib import Path
import tasks.normalize.records, tasks.normalize.writer
from schemas.recipe import load_source
from tasks.download.fetch import download
from tasks.lake import Lake
from tasks.normalize.normalize import normalize
lake, rows = Lake(sys.argv[1]), 0
files = json.loads(sys.argv[2]).items()
sources = [load_source(name, Path()).at(Path(path)) for name, path in files]
receipts = [download(source, lake) for source in sources]
began = time.perf_counter()
for source, receipt in zip(sources, receipts):
    rows += normalize(receipt, source, lake, 20_000).rows_in
print(rows, time.perf_counter() - began)
"""
PEER = """
import json, sys, time
from datasets import disable_progress_bars, load_dataset
disable_progress_bars()
began = time.perf_counter()
rows = 0
for path in json.loads(sys.argv[2]).values():
    rows += load_dataset("json", data_files=path, split="train", cache_dir=sys.argv[1]).num_rows
print(rows, time.perf_counter() - began)
"""
JSON_LINES_TIMES = 10
JSON_ARRAYS = ("alpaca", "alpaca_zh_carbonz0", "gpteacher_codegen")


@dataclass(frozen=True)
class Case:
    """Files to read, by source, and whether the peer can read them at all."""

    what: str
    files: dict[str, str]
    has_peer: bool

    @property
    def size_bytes(self) -> int:
        """Bytes of all files."""
        paths = [Path(path) for path in self.files.values()]
        below = [[path] if path.is_file() else path.rglob("*") for path in paths]
        return sum(one.stat().st_size for files in below for one in files if one.is_file())


def main(runs: int) -> None:
    """Print a table of medians."""
    if missing():
        sys.exit(f"the real corpora are not at {ROOT}: nothing was measured")
    with tempfile.TemporaryDirectory() as place:
        rows = []
        for number, case in enumerate(_cases(Path(place))):
            _run("warm", OURS, case, f"{place}/warm{number}")
            kinds = {"winnow": OURS} | ({"datasets": PEER} if case.has_peer else {})
            measured: dict[str, list[Run]] = {kind: [] for kind in kinds}
            for again in range(runs):
                for kind, code in kinds.items():
                    folder = f"{place}/{kind}-{number}-{again}"
                    measured[kind].append(_run(kind, code, case, folder))
            rows += [_row(case, kind, done) for kind, done in measured.items()]
    cores = len(os.sched_getaffinity(0))
    sys.stdout.write(f"{runs} runs, medians, {cores} cores\n\n")
    head = ("files", "with", "rows", "work s", "rows/s", "MB/s", "whole process s", "peak MB")
    table(head, rows)


def _cases(place: Path) -> list[Case]:
    alpaca = {"alpaca": str(ROOT / COPIES["alpaca"] / "alpaca_data.json")}
    lines = {"alpaca": str(_as_json_lines(place / "rows.jsonl"))}
    everything = {name: str(ROOT / path) for name, path in COPIES.items()}
    return [
        Case("Alpaca, one array", alpaca, has_peer=True),
        Case(
            f"{JSON_LINES_TIMES} x ({', '.join(JSON_ARRAYS)}) as JSON Lines", lines, has_peer=True
        ),
        Case(f"all {len(COPIES)} real sources", everything, has_peer=False),
    ]


def _as_json_lines(path: Path) -> Path:
    """Every row of some real arrays, a line each, with Alpaca's column names; several times."""
    lines = []
    with path.open("w", encoding="utf-8") as out:
        for name in JSON_ARRAYS:
            files = sorted((ROOT / COPIES[name]).parent.rglob(f"{Path(COPIES[name]).name}"))
            for file in files if files[0].is_file() else sorted(files[0].rglob("*.json")):
                for row in json.loads(file.read_text("utf-8")):
                    told = {key: row.get(key, "") for key in ("instruction", "input")}
                    told["output"] = row.get("output", row.get("response"))
                    lines.append(json.dumps(told, ensure_ascii=False) + "\n")
        for _ in range(JSON_LINES_TIMES):
            out.writelines(lines)
    return path


def _run(kind: str, code: str, case: Case, folder: str) -> Run:
    done = run([sys.executable, "-c", code, folder, json.dumps(case.files)])
    if done.code:
        sys.exit(f"{kind} failed on {case.what} with code {done.code}")
    return done


def _row(case: Case, kind: str, done: Sequence[Run]) -> tuple[object, ...]:
    rows = int(done[0].output.split()[0])
    work_s = sorted(float(one.output.split()[1]) for one in done)[len(done) // 2]
    return (
        case.what,
        kind,
        f"{rows:,}",
        f"{work_s:.2f}",
        f"{rows / work_s:,.0f}",
        f"{case.size_bytes / work_s / 1e6:,.0f}",
        f"{median(done, 'wall_s'):.2f}",
        f"{median(done, 'peak_mb'):,.0f}",
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
