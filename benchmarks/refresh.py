"""The whole refresh on real corpora, beside Prefect's own start and a plain load of the same files.

    python -m benchmarks.refresh [RUNS]

Needs the corpora of `tests/test_real_corpora.py`; says so and stops where they are missing.
"""

import platform
import shutil
import sys
import tempfile
from pathlib import Path

from benchmarks.measuring import Run, median, run, table
from tests.real import RECIPE, ROOT, copies, missing

EMPTY_FLOW = """
from flows.quiet import quieten
quieten()
from prefect import flow
flow(lambda: None, name="empty")()
"""
PLAIN_LOAD = """
import sys
from datasets import load_dataset, disable_progress_bars
disable_progress_bars()
rows = load_dataset("json", data_files=sys.argv[2:], split="train", cache_dir=sys.argv[1])
seen = set()
def is_new(row):
    key = row["instruction"], row["input"], row["output"]
    return key not in seen and not seen.add(key)
kept = rows.filter(is_new)
kept.to_parquet(sys.argv[1] + "/out.parquet")
print(len(rows), len(kept))
"""
ALPACA_SHAPED = (
    "alpaca/alpaca_data.json",
    "alpaca_zh_carbonz0/zh-data-part-00.json",
    "alpaca_zh_carbonz0/zh-data-part-01.json",
)


def main(runs: int) -> None:
    """Print a table of medians: first refresh, unchanged refresh, Prefect's start, plain load."""
    if missing():
        sys.exit(f"the real corpora are not at {ROOT}: nothing was measured")
    with tempfile.TemporaryDirectory() as place:
        home = {"PREFECT_HOME": f"{place}/prefect", "HF_HOME": f"{place}/hf"}
        run([sys.executable, "-c", EMPTY_FLOW], **home)
        figures: dict[str, list[Run]] = {"prefect": [], "first": [], "unchanged": [], "plain": []}
        for number in range(runs):
            lake = f"{place}/lake{number}"
            refresh = [
                sys.executable,
                "-m",
                "flows",
                "--lake",
                lake,
                "refresh",
                RECIPE,
                "--no-train",
                "--json",
                *copies(),
            ]
            figures["prefect"].append(run([sys.executable, "-c", EMPTY_FLOW], **home))
            figures["first"].append(run(refresh, **home))
            figures["unchanged"].append(run(refresh, **home))
            files = [str(Path(ROOT, name)) for name in ALPACA_SHAPED]
            figures["plain"].append(
                run([sys.executable, "-c", PLAIN_LOAD, f"{place}/hf{number}", *files], **home)
            )
            shutil.rmtree(lake)
    codes = {one.code for several in figures.values() for one in several}
    sys.stdout.write(
        f"{platform.machine()}, {runs} runs, medians, whole processes; exit codes {codes}\n\n"
    )
    start = median(figures["prefect"], "wall_s")
    names = {
        "prefect": "Prefect: an empty flow",
        "first": "winnow: first refresh of the real recipe",
        "unchanged": "winnow: nothing changed",
        "plain": "datasets: load three of its files, drop exact copies",
    }
    table(
        ("what", "wall s", "beyond Prefect's start, s", "CPU s", "peak MB"),
        [
            (
                names[name],
                median(several, "wall_s"),
                median(several, "wall_s") - start if name in ("first", "unchanged") else "",
                median(several, "cpu_s"),
                median(several, "peak_mb"),
            )
            for name, several in figures.items()
        ],
    )
    sys.stdout.write(f"\n{figures['first'][-1].output[:300]}…\n")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
