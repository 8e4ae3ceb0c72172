"""Objects that hold the records: lists under a key, and records under their ids."""

import json
from pathlib import Path

import pytest

from tasks.normalize import containers, json_rows
from tasks.normalize.raw import OFFSET
from tasks.normalize.readers import read_file
from tests.normalize.lakes import normalized, source

WANTED = ("instruction", "input", "output", "system", "history")


def read(folder: Path, raw: bytes) -> tuple[list[str], list[str]]:
    """The outputs of all rows that were read, and the messages of the damage."""
    path = folder / "rows"
    path.write_bytes(raw)
    batches = list(read_file(path, WANTED, WANTED[:2]))
    offsets = [offset for batch in batches for offset in batch.rows[OFFSET].to_list()]
    assert offsets == sorted(offsets)
    rows = [text for batch in batches for text in batch.rows["output"].to_list()]
    return rows, [one.message for batch in batches for one in batch.damage]


def record(text: str) -> str:
    return json.dumps({"instruction": "Say", "output": text})


A, B, C = record("a"), record("b"), record("c")
TURNS = '{"instruction": "Say", "output": "a", "notes": [{"output": "x"}]}'

# fmt: off
LISTS = {  #                    bytes                                                  rows    what the ledger says
    "LMFlow":                   (f'{{"type": "text2text", "instances": [{A}, {B}]}}',     "ab",   []),
    "pretty":                   (json.dumps({"type": "text2text", "instances": [json.loads(A)] * 2}, indent=4), "aa", []),
    "the list first":           (f'{{"data": [{A}, {B}], "version": 1}}',                 "ab",   []),
    "two lists":                (f'{{"train": [{A}, {B}], "test": [{C}]}}',               "abc",  []),
    "something between":        (f'{{"train": [{A}], "n": {{"a": [1, "}}"]}}, "test": [{C}], "m": [1]}}\n', "ac", []),
    "an object before":         (f'{{"meta": {{"version": 1}}, "data": [{A}]}}',          "a",    []),
    "other objects before":     (f'{{"features": [{{"name": "x"}}], "data": [{A}]}}',     "a",    []),
    "rows of the Hub's viewer": (f'{{"features": [{{"name": "x"}}], "rows": [{{"row_idx": 0, "row": {A}, "truncated_cells": []}}, {{"row_idx": 1, "row": {B}}}]}}', "ab", []),
    "lists of fields":          ('{"data": [["Say", "x"], ["Say", "y"]]}',                [None, None], []),
    "empty second list":        (f'{{"train": [{A}], "test": []}}',                       "a",    []),
    "a row with a list":        (TURNS,                                                   "a",    []),
    "rows with lists":          (f"{TURNS}\n{TURNS}\n",                                    "aa",   []),
    "a row damaged":            (f'{{"data": [{A}, {B[:-1]}, {C}], "n": 1}}',             "ac",   ["not JSON, found b'{'"]),
    "a row with no comma":      (f'{{"train": [{A} {B}], "test": [{C}]}}',                "abc",  ["expected a comma"]),
    "cut in a row":             (f'{{"train": [{A}, {B[:-4]}',                            "a",    ["ends inside a record"]),
    "cut in a list":            (f'{{"train": [{A}, {B}',                                 "ab",   ["expected ']'"]),
    "cut after a list":         (f'{{"train": [{A}, {B}]',                                "ab",   ["expected '}'"]),
    "text after it":            (f'{{"train": [{A}]}} the end',                           "a",    ["after the closing bracket"]),
    "no comma after a list":    (f'{{"train": [{A}] "test": [{B}]}}',                     "ab",   []),
}
KEYED = {
    "an object in a record":    ('{"1": {"output": "a", "input": {"x": 1}}, "2": {"output": "b"}}', "ab", []),
    "records within records":   ('{"1": {"output": "a", "input": {"output": "x"}}, "2": {"output": "b", "input": {"output": "y"}}}', "ab", []),
    "no closing brace":         (f'{{"1": {A}, "2": {B[:-1]}, "3": {C}, "4": {A}}}',      "aca",  ["before the next one"]),
    "the first without":        (f'{{"1": {A[:-1]}, "2": {B}, "3": {C}}}',                "bc",   ["before the next one"]),
    "two without":              (f'{{"1": {A[:-1]}, "2": {B[:-1]}, "3": {C}}}',           "c",    ["before the next one"] * 2),
    "the last without":         (f'{{"1": {A}, "2": {B[:-1]}}}',                          "ab",   ["expected '}'"]),
    "other keys first":         ('{"1": {"output": "a", "2": {"instruction": "Say", "output": "b"}}', "b", ["ends inside"]),
}
# fmt: on


@pytest.mark.parametrize(
    ("raw", "rows", "said"),
    [pytest.param(*case, id=name) for name, case in (LISTS | KEYED).items()],
)
@pytest.mark.parametrize("window", [16 << 20, 60])
def test_records_are_found_in_what_holds_them(
    raw: str,
    rows: str | list[str],
    said: list[str],
    window: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(json_rows, "WINDOW_BYTES", window)

    found, damage = read(tmp_path, raw.encode())

    assert found == list(rows)
    assert [part in one for part, one in zip(said, damage, strict=True)] == [True] * len(said)


@pytest.mark.parametrize("batch_rows", [2, 3, 4, 5, 20_000])
@pytest.mark.parametrize("broken", [0, 1, 2, 4])
def test_a_keyed_record_without_its_brace_swallows_nobody_at_the_edge_of_a_batch(
    batch_rows: int, broken: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_rows, "BATCH_ROWS", batch_rows)
    firsts = ["instruction", "output", "input", "system", "instruction", "output"]
    rows = [json.dumps({first: "", "output": str(n)}) for n, first in enumerate(firsts)]
    rows[broken] = rows[broken][:-1]
    raw = "{" + ", ".join(f'"{number}": {row}' for number, row in enumerate(rows)) + "}"

    found, damage = read(tmp_path, raw.encode())

    kept = [number for number in "012345" if number != str(broken)]
    assert [number for number in kept if number not in found] == []
    assert damage


def test_the_offset_of_a_row_in_a_list_is_that_of_its_brace(tmp_path: Path) -> None:
    raw = f'{{"train": [{A}, x, {B}], "test": [{C}]}}'.encode()

    done = normalized(tmp_path, raw, source("alpaca"))

    assert done.ledger["offset"].to_list() == [raw.index(b"x, ")]
    assert done.records["source_row"].to_list() == [0, 2, 3]


def test_a_keyed_object_of_many_records_is_not_searched_for_lists_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(containers, "MAX_MEMBERS", 3)
    row = '{"id": 1, "instruction": "Say", "output": "a"}'
    keyed = ", ".join(f'"{number}": {row}' for number in range(5))

    found, damage = read(tmp_path, f'{{{keyed}, "data": [{B}]}}'.encode())

    assert found == ["a"] * 5
    assert len(damage) == 1
