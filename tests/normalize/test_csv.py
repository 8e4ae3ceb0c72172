"""Delimited text: headers, declared orders, and quotes that make no sense."""

from pathlib import Path
from typing import Any

import pytest

from tasks.normalize import delimited
from tasks.normalize.raw import OFFSET
from tasks.normalize.readers import read_file
from tests.normalize.lakes import normalized, source

U, A = "user", "assistant"
WANTED = ("instruction", "input", "output")


def read(folder: Path, raw: bytes, **fields: Any) -> tuple[list[list[str | None]], list[str]]:
    """The rows that were read, and the messages of the damage."""
    path = folder / "rows"
    path.write_bytes(raw)
    made_of = source("alpaca", **fields)
    batches = list(read_file(path, WANTED, made_of.fields or WANTED, made_of))
    rows = [list(row) for batch in batches for row in batch.rows.select(WANTED).rows()]
    for batch in batches:
        starts = [*batch.rows[OFFSET], *(one.offset for one in batch.damage)]
        assert all(start == 0 or raw[start - 1 : start] in (b"\n", b"\xbf") for start in starts)
    return rows, [one.message for batch in batches for one in batch.damage]


AFTER = "or the end of the line after a closing quote"
OPEN = "a quote is opened and never closed"

# fmt: off
CASES = {  #                    lines after `instruction,input,output`            outputs         what the ledger says
    "plain":                    ("a,b,c\nd,e,f\n",                                ["c", "f"],     []),
    "no newline at the end":    ("a,b,c\nd,e,f",                                  ["c", "f"],     []),
    "quoted":                   ('"a","b","c"\n"d","","f"\n',                     ["c", "f"],     []),
    "doubled quotes":           ('a,b,"c ""c"""\n"""",,""""\n',                   ['c "c"', '"'], []),
    "newlines and commas":      ('a,b,"c,\nc\r\n\nc"\nd,e,f\n',                   ["c,\nc\r\n\nc", "f"], []),
    "CRLF":                     ('a,b,c\r\n"d","e","f"\r\n\r\n',                  ["c", "f"],     []),
    "backslashes and controls": ('a,b,c\\n"\x01\x7f\n',                           ['c\\n"\x01\x7f'], []),
    "a bare return":            ("a,b,c\rc\nd,e,f\n",                             ["c\rc", "f"],  []),
    "blank lines":              ("\n \na,b,c\n\t\nd,e,f\n",                       ["c", "f"],     []),
    "empty fields":             (",,\n,,f\n",                                     ["", "f"],      []),
    "a stray quote":            ('a,b,5" disk\nd,e,f\n',                          ['5" disk', "f"], []),
    "an odd quote inside":      ('a,it"s,c\nd,e,f\ng,"h",i\n',                    ["c", "f", "i"], []),
    "quotes not doubled":       ('a,b,"c "d" e"\ng,h,i\n',                        ['c "d" e', "i"], []),
    "text after a quote":       ('a,b,"c" d "e"f\ng,h,i\n',                       ["i"],          [AFTER]),
    "never closed":             ('a,b,"c\nd,e,f\ng,h,i\n',                        ["f", "i"],     [OPEN]),
    "never closed, quotes on":  ('a,b,"c\nd,e,"f"\n"g",h,"i"\n',                  ["f", "i"],     [AFTER]),
    "never closed, all quoted": ('"a","b","c\n"d","","f"\n"g","h","i"\n',         ["f", "i"],     [AFTER]),
    "two never closed":         ('a,b,"c\nd,e,f\ng,"h,i\nj,k,l\n',                ["f", "l"],     [AFTER, OPEN]),
    "in several lines":         ('a,b,"c\nc\nc" x\nd,e,f\n',                      ["f"],          [AFTER, "found 1", "found 1"]),
    "a field too few":          ("a,b\nd,e,f\n",                                  ["f"],          ["expected 3 fields (instruction, input, output), found 2"]),
    "fields too many":          ('a,b,c,"d",e\nd,e,f\n',                          ["f"],          ["found 5"]),
}
# fmt: on


@pytest.mark.parametrize(("body", "outputs", "said"), CASES.values(), ids=CASES)
@pytest.mark.parametrize("window", [8 << 20, 16])
def test_a_bad_quote_costs_its_own_line(
    body: str,
    outputs: list[str],
    said: list[str],
    window: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(delimited, "WINDOW_BYTES", window)

    rows, damage = read(tmp_path, f"instruction,input,output\n{body}".encode())

    assert [row[-1] for row in rows] == outputs
    assert [part in one for part, one in zip(said, damage, strict=True)] == [True] * len(said)


@pytest.mark.parametrize("window", [50, 8 << 20])
def test_a_quoted_field_that_grows_beyond_all_bounds_is_one_that_is_never_closed(
    window: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delimited, "WINDOW_BYTES", window)
    monkeypatch.setattr(delimited, "MAX_FIELD_BYTES", 200)
    body = 'a,b,"c\n' + "d,e,f\n" * 100 + 'g,h,"' + "i" * 150 + '"\n'

    rows, damage = read(tmp_path, f"instruction,input,output\n{body}".encode())

    assert [row[-1] for row in rows] == ["f"] * 100 + ["i" * 150]
    assert damage == [OPEN]


# fmt: off
HEADERS = {  #                bytes                                              fields                        first row
    "commas":                 (b"id,output,instruction\n1,b,a\n",                 (),                           ["a", None, "b"]),
    "semicolons":             (b"id;output;instruction\n1;b, c;a\n",              (),                           ["a", None, "b, c"]),
    "bars":                   (b"output|instruction\nb|a\n",                      (),                           ["a", None, "b"]),
    "tabs":                   (b"output\tinstruction\nb\ta, \"c\n",               (),                           ['a, "c', None, "b"]),
    "quoted names":           (b'"output","instruction"\r\n"b","a"\r\n',          (),                           ["a", None, "b"]),
    "names with spaces":      (b"output, instruction \nb,a\n",                    (),                           ["a", None, "b"]),
    "blank lines before":     (b"\n\noutput,instruction\nb,a\n",                  (),                           ["a", None, "b"]),
    "a byte order mark":      (b"\xef\xbb\xbfoutput,instruction\nb,a\n",          (),                           ["a", None, "b"]),
    "one column":             (b"output\nb\n",                                    (),                           [None, None, "b"]),
    "one column, commas":      (b'output\nb, c\n',                                  (),                           [None, None, "b, c"]),
    "the same name twice":    (b"output,output\nb,a\n",                           (),                           [None, None, "b"]),
    "a name nobody wants":    (b'output,"x""y"\nb,a\n',                           (),                           [None, None, "b"]),
    "declared":               (b"b,a\n",                                          ("output", "instruction"),    ["a", None, "b"]),
    "declared and named":     (b"instruction,output\na,b\n",                      ("output", "instruction"),    ["a", None, "b"]),
    "declared, with tabs":    (b"b\ta\n",                                         ("output", "instruction"),    ["a", None, "b"]),
    "the layout's, with tabs":(b"a\tb\tc\n",                                      (),                           ["a", "b", "c"]),
}
# fmt: on


@pytest.mark.parametrize(("raw", "fields", "row"), HEADERS.values(), ids=HEADERS)
def test_columns_are_found_by_a_header_or_by_their_order(
    raw: bytes, fields: tuple[str, ...], row: list[str | None], tmp_path: Path
) -> None:
    assert read(tmp_path, raw, fields=fields) == ([row], [])


def test_csv_that_names_no_column_and_has_no_declared_order_is_damage(tmp_path: Path) -> None:
    rows, damage = read(tmp_path, b"a,b,c\n")

    assert (rows, damage) == ([], ["expected 0 fields (named in the first line), found 3"])


DIALOGUE = "<s>Human: a, b\n</s><s>Assistant: c\n\nd\n</s>"


@pytest.mark.parametrize("name", ["text", "dialogue"])
@pytest.mark.parametrize("before", ["", "id,"])
def test_a_column_of_dialogues_over_several_lines_is_read(
    name: str, before: str, tmp_path: Path
) -> None:
    value = before and "1,"
    raw = f'{before}{name}\n{value}"{DIALOGUE}"\n{value}"{DIALOGUE}"\n'.encode()

    done = normalized(tmp_path, raw, source("hugnlp", columns={"text": name}))

    assert done.conversations == [[(U, "a, b"), (A, "c\n\nd")]] * 2
