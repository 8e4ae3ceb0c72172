"""What a refresh costs where little changed: of ten real sources nothing, or 1 % of one of them.

    python -m benchmarks.incremental [RUNS] [--source alpaca]

Three ways in which 1 % of a source's rows change: new ones at its end, new answers in one stretch
in its middle, and new answers to every hundredth row. Each is measured from a copy of the lake that
the first refresh left; the last is beside a first refresh of the same files in an empty lake. CPU
seconds are of the whole process; Prefect's start, an empty flow, is taken off both figures.

Needs the corpora of `tests/test_real_corpora.py`; says so and stops where they are missing.
"""

import argparse
import json
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml

from benchmarks.measuring import Run, median, run, table
from benchmarks.refresh import EMPTY_FLOW
from schemas.recipe import DEPLOYMENTS
from tests.real import COPIES, RECIPE, ROOT, SETS, local, missing

SOURCES = 10
EVERY = 100
"""One row of so many changes."""

Rows = list[dict[str, Any]]


def appended(rows: Rows) -> tuple[Rows, Rows]:
    """All but the last rows, and all of them."""
    return rows[: -(len(rows) // EVERY)], rows


def edited(rows: Rows) -> tuple[Rows, Rows]:
    """The rows, and with new answers in one stretch in their middle."""
    middle = len(rows) // 2
    return rows, _answered_anew(rows, range(middle, middle + len(rows) // EVERY))


def scattered(rows: Rows) -> tuple[Rows, Rows]:
    """The rows, and with new answers to every hundredth of them."""
    return rows, _answered_anew(rows, range(0, len(rows), EVERY))


CHANGES: dict[str, Callable[[Rows], tuple[Rows, Rows]]] = {
    "1 % of its rows are new": appended,
    "1 % of its rows, in one stretch, have new answers": edited,
    "every hundredth of its rows has a new answer": scattered,
}


def main(runs: int, changed: str) -> None:
    """Print a table of medians, and each change's share of a first refresh."""
    if missing():
        sys.exit(f"the real corpora are not at {ROOT}: nothing was measured")
    with tempfile.TemporaryDirectory(prefix="winnow-incremental-") as place:
        bench = _Bench(Path(place), changed)
        bench.empty_flow()
        bench.refresh(bench.file(appended)[1], "warm")
        figures: dict[str, list[Run]] = {}
        for _ in range(runs):
            for name, one in bench.round():
                figures.setdefault(name, []).append(one)
    codes = {one.code for several in figures.values() for one in several}
    sys.stdout.write(
        f"{platform.machine()}, {runs} runs, medians, whole processes; {SOURCES} sources, of which "
        f"{changed} changes; exit codes {codes}\n\n"
    )
    _show(figures)


class _Bench:
    """Refreshes of one recipe in lakes below one folder."""

    def __init__(self, place: Path, changed: str) -> None:
        self._place, self._changed = place, changed
        self._home = {"PREFECT_HOME": f"{place}/prefect"}
        self._rows: Rows = json.loads(_file_of(changed).read_text("utf-8"))
        self._recipe = place / "recipe.yaml"
        self._recipe.write_text(yaml.safe_dump(_recipe(), allow_unicode=True), "utf-8")

    def round(self) -> Iterator[tuple[str, Run]]:
        """Each figure once: Prefect's start, a first refresh, nothing changed, and the changes."""
        yield "Prefect: an empty flow", self.empty_flow()
        for number, (name, change) in enumerate(CHANGES.items()):
            before, after = self.file(change)
            first = self.refresh(before, "lake")
            if number == 0:
                yield "first refresh", first
                yield "nothing changed", self.refresh(before, "lake")
            yield name, self.refresh(after, "lake")
            shutil.rmtree(self._place / "lake")

    def file(self, change: Callable[[Rows], tuple[Rows, Rows]]) -> tuple[Path, Path]:
        """The changing source's file before and after."""
        paths = []
        for when, rows in zip(("before", "after"), change(self._rows), strict=True):
            path = self._place / f"{change.__name__}-{when}" / f"{self._changed}.json"
            path.parent.mkdir(exist_ok=True)
            path.write_text(json.dumps(rows, ensure_ascii=False, indent=1), "utf-8")
            paths.append(path)
        return paths[0], paths[1]

    def empty_flow(self) -> Run:
        return run([sys.executable, "-c", EMPTY_FLOW], **self._home)

    def refresh(self, file: Path, lake: str) -> Run:
        copies = local() | {self._changed: str(file)}
        named = [name for name in copies if name in SETS or name in _largest()]
        words = [word for name in named for word in ("--from", f"{name}={copies[name]}")]
        winnow = [sys.executable, "-m", "flows", "--lake", f"{self._place}/{lake}"]
        return run(
            [*winnow, "refresh", str(self._recipe), "--no-train", "--json", *words], **self._home
        )


def _recipe() -> dict[str, Any]:
    """The real recipe with its largest sources only."""
    recipe: dict[str, Any] = yaml.safe_load(
        (DEPLOYMENTS / "recipes" / f"{RECIPE}.yaml").read_text("utf-8")
    )
    return recipe | {"name": "ten", "sources": [n for n in recipe["sources"] if n in _largest()]}


def _largest() -> list[str]:
    by_size = sorted(COPIES, key=lambda name: -_size_bytes(ROOT / COPIES[name]))
    return by_size[:SOURCES]


def _size_bytes(path: Path) -> int:
    files = [path] if path.is_file() else path.rglob("*")
    return sum(one.stat().st_size for one in files if one.is_file())


def _file_of(source: str) -> Path:
    """The one file of a source, an array of JSON objects with an `output`."""
    path = ROOT / COPIES[source]
    files = [path] if path.is_file() else sorted(path.rglob("*.json"))
    if len(files) != 1:
        sys.exit(f"{source} has {len(files)} JSON files, expected 1: name another with --source")
    return files[0]


def _answered_anew(rows: Rows, places: range) -> Rows:
    """The rows, those at these places each with the answer of the one before it among them."""
    changed = list(rows)
    for place, other in zip(places, [places[-1], *places[:-1]], strict=True):
        changed[place] = rows[place] | {"output": rows[other]["output"]}
    return changed


def _show(figures: dict[str, list[Run]]) -> None:
    start, *names = figures
    first = names[0]

    def beyond(name: str, figure: str) -> float:
        return median(figures[name], figure) - median(figures[start], figure)

    def share(name: str, figure: str) -> str:
        return f"{beyond(name, figure) / beyond(first, figure):.0%}"

    head = ("what", "wall s beyond Prefect's start", "CPU s beyond it", "of wall", "of CPU")
    rows: list[tuple[object, ...]] = [
        (start, median(figures[start], "wall_s"), median(figures[start], "cpu_s"), "", "")
    ]
    rows += [
        (
            name,
            beyond(name, "wall_s"),
            beyond(name, "cpu_s"),
            share(name, "wall_s"),
            share(name, "cpu_s"),
        )
        for name in names
    ]
    table(head, rows)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", nargs="?", type=int, default=3)
    parser.add_argument("--source", default="alpaca", help="which one changes")
    options = parser.parse_args()
    main(options.runs, options.source)
