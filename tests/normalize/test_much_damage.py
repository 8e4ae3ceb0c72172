"""More damage than rows: it is told whole, and costs little more than reading."""

import json
import re
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.normalize import json_rows
from tasks.normalize.raw import Damage, Damages, valid_lines
from tasks.normalize.readers import read_file
from tasks.normalize.utf8 import invalid_bytes
from tests.normalize.lakes import normalized, source

WANTED = ("instruction", "input", "output")
A = '{"instruction": "Say", "output": "a"}'
SLOWEST_US = 100  # a stretch: ten times what it takes, and a tenth of what would be felt

# fmt: off
FORMS = {  #                between two records        what is garbage                      what the ledger says
    "lines":                (f"{A}\n%s\n{A}\n",       "garbage %d\n",                       "not JSON, found b'g' at byte"),
    "lines cut":            (f"{A}\n%s\n{A}\n",       '{"instruction": "%d\n',              "a line ends inside a record"),
    "lines not UTF-8":      (f"{A}\n%s\n{A}\n",       '{"instruction": "caf\udce9 %d"}\n',  "not valid UTF-8: byte 0xe9 at"),
    "array":                (f"[{A},\n%s\n{A}]",      '{"instruction": %d!},\n',            "not JSON, found b'!' at byte"),
    "keyed":                (f'{{"a": {A},\n%s"b": {A}}}', '"%d": {"instruction": !},\n', "not JSON, found b'!' at byte"),
    "joined":               (f"{A[:1]}\n{A[1:]}%s\n{A}", '\n{"instruction": %d!}',           "not JSON, found b'!' at byte"),
    "lists":                ('["a", "b", "a"],\n%s\n["a", "b", "a"]', '["a %d"],\n',         "expected 3 fields (instruction, input, output), found 1"),
    "TSV":                  ("instruction\tinput\toutput\na\tb\ta\n%sa\tb\ta\n", "a\tb %d\n", "expected 3 fields (instruction, input, output), found 2"),
    "CSV":                  ("instruction,input,output\na,b,a\n%sa,b,a\n", '"a" x,b,%d\n',   "expected a comma or the end of the line after a closing quote"),
    "CSV not UTF-8":        ("instruction,input,output\na,b,a\n%sa,b,a\n", "caf\udce9,b,%d\n", "not valid UTF-8: byte 0xe9 at"),
}
# fmt: on


@pytest.mark.parametrize(("around", "garbage", "said"), FORMS.values(), ids=FORMS)
def test_each_stretch_is_told_where_it_stands_and_none_takes_long(
    around: str, garbage: str, said: str, tmp_path: Path
) -> None:
    count = 21_000
    pieces = [garbage % number for number in range(count)]
    text = around % "".join(pieces)
    raw = (f"[{text}]" if text.startswith('["') else text).encode("utf-8", "surrogateescape")
    path = tmp_path / "rows"
    path.write_bytes(raw)
    list(read_file(path, WANTED, WANTED))  # compiles

    before = time.process_time()
    batches = list(read_file(path, WANTED, WANTED))
    took_us = (time.process_time() - before) * 1e6

    assert [text for batch in batches for text in batch.rows["output"]] == ["a", "a"]
    damage = [one for batch in batches for one in batch.damage]
    assert len(damage) == count
    assert all(said in one.message for one in damage)
    shown = [piece.strip(",\n").encode("utf-8", "surrogateescape") for piece in pieces]
    places = [raw.index(piece, one.offset) for piece, one in zip(shown, damage, strict=True)]
    assert places == [one.offset for one in damage]
    texts = [piece.decode("utf-8", "backslashreplace") for piece in shown]
    assert all(map(str.startswith, [one.excerpt for one in damage], texts))
    assert took_us / count < SLOWEST_US


def test_every_damaged_line_is_in_the_ledger_and_numbered(tmp_path: Path) -> None:
    pieces = [A if number % 3 == 0 else f"garbage {number}" for number in range(50_000)]

    done = normalized(tmp_path, "\n".join(pieces).encode(), source("alpaca"), shard_rows=7_000)

    numbers = [number for number in range(50_000) if number % 3]
    assert done.ledger["source_row"].to_list() == numbers
    assert done.ledger["excerpt"].to_list() == [f"garbage {n}\n" for n in numbers[:-1]] + [
        f"garbage {numbers[-1]}"
    ]
    assert done.manifest.rows_in == 50_000


@pytest.mark.parametrize("window", [16, 100, 16 << 20])
@pytest.mark.parametrize("batch_rows", [1, 2, 3, 20_000])
@pytest.mark.parametrize("form", ["[{}]", '{{"k": {}}}', "{}"])
def test_neither_windows_nor_batches_change_what_is_read(
    form: str, batch_rows: int, window: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_rows, "WINDOW_BYTES", window)
    monkeypatch.setattr(json_rows, "BATCH_ROWS", batch_rows)
    records = [json.dumps({"instruction": "Say", "output": str(number)}) for number in range(9)]
    records[2], records[5] = '{"instruction": oh}', records[5].replace("5", "5\n5")
    between = {"[{}]": ",\n", "{}": "\n"}.get(form)
    joined = (
        between.join(records)
        if between
        else ", ".join(f'"{n}": {row}' for n, row in enumerate(records)).removeprefix('"0": ')
    )
    path = tmp_path / "rows"
    path.write_text(form.format(joined))

    batches = list(read_file(path, WANTED, WANTED))

    rows = [text for batch in batches for text in batch.rows["output"]]
    mended = ["5\n5"] if form == "[{}]" else []
    kept = ["0", "1", "3", "4", *mended, "6", "7", "8"]
    assert rows == kept
    assert sum(len(batch.damage) for batch in batches) >= 9 - len(kept)


def test_damage_is_a_sequence_in_the_order_of_the_file() -> None:
    one, two = Damage(7, "late", "x"), Damage(3, "early", "y", invalid_utf8=True)

    damages = Damages.of([one, two])

    assert [*damages] == [two, one]
    assert damages[1] == one
    assert [*damages[:1]] == [two]
    assert len(damages + damages) == 4
    assert damages.counts == {"invalid_utf8": 1}
    assert not Damages.of([])


def first_invalid(raw: bytes) -> int:
    try:
        raw.decode()
    except UnicodeDecodeError as error:
        return error.start
    return -1


ODD = st.sampled_from(
    [*b"\xc0\xc1\xc2\xdf\xe0\xed\xee\xf0\xf4\xf5\xff\x80\x8f\x90\x9f\xa0\xbf\n a"]
)


@given(st.lists(ODD, min_size=1, max_size=8).map(bytes) | st.text(min_size=1).map(str.encode))
def test_bytes_stop_being_utf8_where_the_standard_says(raw: bytes) -> None:
    array = np.frombuffer(raw, dtype=np.uint8)

    found = invalid_bytes(array, np.array([0]), np.array([array.size]))

    assert found.tolist() == [first_invalid(raw)]
    assert valid_lines(raw).to_list() == [first_invalid(line) < 0 for line in raw.split(b"\n")]


def test_no_pattern_runs_away_on_a_key_without_end(tmp_path: Path) -> None:
    path = tmp_path / "rows"
    path.write_bytes(b'{"' + b"a" * 3_000_000 + b"\n" + A.encode())

    before = time.process_time()
    (batch,) = read_file(path, WANTED, WANTED)

    assert batch.rows["output"].to_list() == ["a"]
    assert re.match(r"not JSON|a line ends", batch.damage[0].message)
    assert time.process_time() - before < 5
