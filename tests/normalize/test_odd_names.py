"""Names of columns and keys that mean something to somebody: they are names like any other."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tests.normalize.lakes import normalized, source

U, A = "user", "assistant"
NAMES = [
    *("offset", "parent", "row", "_", "", " ", "{}", "{0}", 'a "quote"', "a\nline", "a\\b", "名"),
    *("*", "^.*$", "^output$", "source_row", "record_id", "messages", "category", "excerpt"),
    *("field 1", "column q", "\x1e", "\x1f", "\u2028"),
]
MARK = "\x1e"
"""What readers put before nested values: a source file can spell it, and nobody would."""

BARE = [name for name in NAMES if name.strip() == name != ""]
IN_TEMPLATES = [name for name in BARE if not set(name) & set("{}.")]
IN_HEADERS = [name for name in BARE if "\n" not in name and name != "{}"]  # which begins JSON

Rows = list[dict[str, Any]]


def array(rows: Rows) -> bytes:
    return json.dumps(rows).encode()


def lines(rows: Rows) -> bytes:
    return "\n".join(json.dumps(row, ensure_ascii=False) for row in rows).encode()


def listed(rows: Rows) -> bytes:
    return json.dumps({"about": "x", "data": rows}).encode()


def comma(rows: Rows) -> bytes:
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode()


def parquet(rows: Rows) -> bytes:
    out = io.BytesIO()
    pl.DataFrame(rows).write_parquet(out)
    return out.getvalue()


def arrow(rows: Rows) -> bytes:
    out = io.BytesIO()
    pl.DataFrame(rows).write_ipc(out)
    return out.getvalue()


FORMS = [array, lines, listed, parquet, arrow]


def said_twice(name: str) -> Rows:
    return [{name: "Q", "output": "A"}, {name: "q", "output": "a"}]


TWICE = [[(U, "Q"), (A, "A")], [(U, "q"), (A, "a")]]


@pytest.mark.parametrize("name", NAMES, ids=ascii)
@pytest.mark.parametrize("form", FORMS)
def test_a_column_may_be_called_anything(
    form: Callable[[Rows], bytes], name: str, tmp_path: Path
) -> None:
    made_of = source("alpaca", columns={"instruction": name})

    assert normalized(tmp_path, form(said_twice(name)), made_of).conversations == TWICE


@pytest.mark.parametrize("name", IN_HEADERS, ids=ascii)
def test_a_header_may_call_a_column_anything(name: str, tmp_path: Path) -> None:
    made_of = source("alpaca", columns={"instruction": name})

    assert normalized(tmp_path, comma(said_twice(name)), made_of).conversations == TWICE


@pytest.mark.parametrize("name", IN_TEMPLATES, ids=ascii)
@pytest.mark.parametrize("form", [array, parquet])
def test_a_template_may_name_any_column(
    form: Callable[[Rows], bytes], name: str, tmp_path: Path
) -> None:
    made_of = source("template", template={"user": f"{{{name}}}!", "assistant": "{output}"})

    done = normalized(tmp_path, form(said_twice(name)), made_of)

    assert done.conversations == [[(U, f"{ask[0][1]}!"), ask[1]] for ask in TWICE]


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_a_constant_stands_in_for_a_column_called_anything(name: str, tmp_path: Path) -> None:
    made_of = source("alpaca", columns={"input": name}, constants={"input": "here"})

    done = normalized(tmp_path, array([{"instruction": "Q", name: " ", "output": "A"}]), made_of)

    assert done.conversations == [[(U, "Q\n\nhere"), (A, "A")]]


@pytest.mark.parametrize("name", [name for name in NAMES if name != MARK], ids=ascii)
def test_a_key_of_a_turn_may_be_called_anything(name: str, tmp_path: Path) -> None:
    turns = [{"who": "user", name: "Q"}, {"who": "assistant", name: "A"}]
    made_of = source("messages", columns={"role": "who", "content": name})

    assert normalized(tmp_path, array([{"messages": turns}]), made_of).conversations == TWICE[:1]


@pytest.mark.parametrize("name", [name for name in NAMES if name != MARK], ids=ascii)
def test_a_key_that_nobody_asked_for_changes_nothing(name: str, tmp_path: Path) -> None:
    turns = [
        {"role": "user", "content": "Q", name: "x"},
        {"role": "assistant", "content": "A", name: {"x": 1}},
    ]
    rows = [{name: 7, "messages": turns}]

    assert normalized(tmp_path, array(rows), source("messages")).conversations == TWICE[:1]


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_the_ledger_shows_rows_whose_columns_are_called_anything(name: str, tmp_path: Path) -> None:
    made_of = source("alpaca", columns={"instruction": name})
    rows = [*said_twice(name), {name: "Only {} asked", "output": None}]

    done = normalized(tmp_path, array(rows), made_of)

    assert done.ledger["excerpt"].to_list() == ["Only {} asked"]
