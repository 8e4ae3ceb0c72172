"""How much memory a big file takes: JSON Lines, an array on one line and a pretty one.

python -m benchmarks.memory [GIGABYTES]

The files hold rows that differ in length, script and words, and are the same in every run. Each
lies in a lake as a download leaves it; the figures are those of a process that normalises it.
"""

import hashlib
import json
import random
import sys
import tempfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import NamedTuple

from benchmarks.measuring import run, table
from schemas.manifest import RawFile, RawReceipt

NORMALISE = """
import sys
from pathlib import Path
from schemas.manifest import RawReceipt
from schemas.source import Source
from schemas.upstream import LocalUpstream
from tasks.lake import Lake
from tasks.normalize.normalize import normalize
receipt = RawReceipt.model_validate_json(Path(sys.argv[2]).read_text())
source = Source(name="big", layout="alpaca", licence="CC0-1.0", local=LocalUpstream(path="x"))
done = normalize(receipt, source, Lake(sys.argv[1]), 20_000)
print(done.rows_out, done.rows_in - done.rows_out)
"""
BLOCK_ROWS = 1_000
TEXTS = 4_000
TEXT = r"""
the of and to in that it for on with as was at by from this have one had not but what all were when
there can an your which their said if do will each about how up out them then many some so these
would other into has more two like see time could no 模型 数据 训练 语言 问题 回答 请写一个 解释
关于春天的诗 为什么 天空是蓝色 42 3.14 f(x) {} [] \ " ```
"""


class Form(NamedTuple):
    """How rows make a file."""

    begin: str
    between: str
    end: str
    indent: int | None


FORMS = {
    "JSON Lines": Form("", "\n", "\n", None),
    "array, one line": Form("[", ", ", "]", None),
    "array, pretty": Form("[\n", ",\n", "\n]\n", 4),
}


def rows(form: Form) -> Iterator[str]:
    """Rows without end, as text: what is asked and answered, and in two of three an input."""
    chance = random.Random(3)
    words = TEXT.split()
    lengths = [int(chance.lognormvariate(3.2, 0.9)) + 1 for _ in range(TEXTS)]
    said = [chance.choice(" \n").join(chance.choices(words, k=length)) for length in lengths]
    texts = [json.dumps(text, ensure_ascii=False)[1:-1] for text in said]
    row = {"instruction": "%d: %s", "input": "%s", "output": "%s %s (%d)"}
    pattern = json.dumps(row, indent=form.indent)
    for number in count():
        asked, given, first, second = chance.choices(texts, k=4)
        yield pattern % (number, asked, given if number % 3 else "", first, second, number)


def write(path: Path, form: Form, size_bytes: int) -> str:
    """Write a file of at least that size; returns its SHA-256."""
    digest = hashlib.sha256()
    endless = rows(form)
    with path.open("wb") as file:
        between = form.begin
        while file.tell() < size_bytes:
            block = between + form.between.join(next(endless) for _ in range(BLOCK_ROWS))
            between = form.between
            raw = block.encode()
            digest.update(raw)
            file.write(raw)
        digest.update(form.end.encode())
        file.write(form.end.encode())
    return digest.hexdigest()


def measured(form: str, size_bytes: int) -> tuple[object, ...]:
    """A line of the table: one form, normalised in a process of its own."""
    with tempfile.TemporaryDirectory(prefix="winnow-memory-") as place:
        folder = Path(place, "raw", "big")
        folder.mkdir(parents=True)
        path = folder / "rows.json"
        sha256 = write(path, FORMS[form], size_bytes)
        size_bytes = path.stat().st_size
        file = RawFile(name=path.name, sha256=sha256, size_bytes=size_bytes)
        receipt = RawReceipt(
            source="big", uri="raw/big", digest=sha256, upstream="generated", files=(file,)
        )
        (folder / "receipt.json").write_text(receipt.model_dump_json())
        done = run([sys.executable, "-c", NORMALISE, place, str(folder / "receipt.json")])
    if done.code:
        sys.exit(f"normalising {form} failed with code {done.code}")
    records, ledger = map(int, done.output.split())
    megabytes = size_bytes / 1e6
    return (
        *(form, megabytes, records, ledger, done.wall_s),
        *(records / done.wall_s, megabytes / done.wall_s, done.peak_mb),
    )


def main(gigabytes: float) -> None:
    """Print a table with a line for each form."""
    head = ("form", "MB", "records", "ledger", "wall s", "records/s", "MB/s", "peak MB")
    table(head, [measured(form, int(gigabytes * 1e9)) for form in FORMS])


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 1)
