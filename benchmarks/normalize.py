"""Normalising Alpaca beside `datasets.load_dataset("json")` on the same file, whole processes.

python -m benchmarks.normalize [RUNS]
"""

import sys
import tempfile

from benchmarks.measuring import Run, median, run, table
from tests.real import ROOT, missing

OURS = """
import sys
from pathlib import Path
from schemas.recipe import load_source
from tasks.download.fetch import download
from tasks.lake import Lake
from tasks.normalize.normalize import normalize
lake = Lake(sys.argv[1])
source = load_source("alpaca", Path()).at(Path(sys.argv[2]))
print(normalize(download(source, lake), source, lake, 20_000).rows_out)
"""
PEER = """
import sys
from datasets import disable_progress_bars, load_dataset
disable_progress_bars()
print(load_dataset("json", data_files=sys.argv[2], split="train", cache_dir=sys.argv[1]).num_rows)
"""
WHAT = {
    "ours": "winnow: download, normalise and write RECORD shards",
    "peer": "datasets: load_dataset('json')",
}


def main(runs: int) -> None:
    """Print a table of medians; kernels are compiled before the first counted run."""
    if missing():
        sys.exit(f"the real corpora are not at {ROOT}: nothing was measured")
    file = str(ROOT / "alpaca" / "alpaca_data.json")
    figures: dict[str, list[Run]] = {"ours": [], "peer": []}
    with tempfile.TemporaryDirectory() as place:
        run([sys.executable, "-c", OURS, f"{place}/warm", file])
        for number in range(runs):
            for name, code in (("ours", OURS), ("peer", PEER)):
                figures[name].append(
                    run([sys.executable, "-c", code, f"{place}/{name}{number}", file])
                )
    rows = [
        (
            WHAT[name],
            several[0].output.strip(),
            *(median(several, figure) for figure in ("wall_s", "cpu_s", "peak_mb")),
        )
        for name, several in figures.items()
    ]
    sys.stdout.write(f"alpaca_data.json, {runs} runs, medians, whole processes\n\n")
    table(("what", "rows", "wall s", "CPU s", "peak MB"), rows)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
