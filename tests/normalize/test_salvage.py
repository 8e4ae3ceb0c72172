"""Damaged JSON: every whole record before and after the damage, one ledger row for each stretch."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from schemas.errors import SourceEmpty
from tasks.normalize.raw import OFFSET, Damage
from tasks.normalize.readers import read_file
from tests.normalize.lakes import normalized, source

SLOW = [HealthCheck.too_slow]
WANTED = ("instruction", "input", "output")


def read(folder: Path, raw: bytes) -> tuple[list[str], list[Damage]]:
    """The outputs of all rows that were read, and the damage."""
    path = folder / "rows"
    path.write_bytes(raw)
    batches = list(read_file(path, WANTED, WANTED))
    rows = [text for batch in batches for text in batch.rows["output"].to_list()]
    damage = [one for batch in batches for one in batch.damage]
    assert all(0 <= one.offset <= len(raw) for one in damage)
    offsets = [offset for batch in batches for offset in batch.rows[OFFSET].to_list()]
    assert offsets == sorted(offsets)
    return rows, damage


def record(text: str) -> str:
    return json.dumps({"instruction": "Say", "output": text})


A, B, C = record("a"), record("b"), record("c")
KEY = '"instruction": "Say", '

# fmt: off
ARRAYS = {  #                 bytes                                             rows                   what the ledger says
    "whole":                  (f"[{A}, {B}, {C}]",                              "abc",                 []),
    "empty":                  ("[]",                                            "",                    []),
    "cut after a comma":      (f"[{A}, {B},",                                   "ab",                  ["expected a record"]),
    "comma before bracket":   (f"[{A}, {B}, ]",                                 "ab",                  ["expected a record after the comma"]),
    "no closing bracket":     (f"[{A}, {B}",                                    "ab",                  ["expected ']'"]),
    "no opening bracket":     (f"{A}, {B}, {C}]",                               "abc",                 []),
    "cut inside a record":    (f"[{A}, {B[:-5]}",                               "a",                   ["ends inside a record"]),
    "cut inside a key":       (f"[{A}, {{\"instr",                              "a",                   ["ends inside a record"]),
    "no comma between":       (f"[{A} {B}, {C}]",                               "abc",                 ["expected a comma"]),
    "two commas":             (f"[{A},, {B}]",                                  "ab",                  ["not JSON, found b','"]),
    "garbage between":        (f"[{A}, xx <b>{{}} , {B}]",                      "ab",                  ["not JSON, found b'x'"]),
    "no opening brace":       (f"[{A}, {B[1:]}, {C}]",                          "ac",                  ["not JSON"]),
    "no closing brace":       (f"[{A}, {B[:-1]}, {C}]",                         "ac",                  ["not JSON, found b'{'"]),
    "a bracket for a brace":  (f"[{A}, {B[:-1]}], {C}]",                        "ac",                  ["not JSON, found b']'"]),
    "a quote too many":       (f"[{A}, {{{KEY}\"output\": \"b\"b\"}}, {C}]",    "ac",                  ["not JSON, found b'b'"]),
    "a quote missing":        (f"[{A}, {{{KEY}\"output\": \"b}}, {C}]",         "ac",                  ["not JSON"]),
    "a colon missing":        (f"[{A}, {{{KEY}\"output\" \"b\"}}, {C}]",        "ac",                  ["not JSON"]),
    "a comma in a record":    (f"[{A}, {{{KEY}\"output\": \"b\",}}, {C}]",      "ac",                  ["not JSON"]),
    "no such escape":         (f"[{A}, {{{KEY}\"output\": \"\\x\"}}, {C}]",     "ac",                  ["escape"]),
    "no such word":           (f"[{A}, {{{KEY}\"output\": tru}}, {C}]",         "ac",                  ["not JSON"]),
    "a record that is none":  (f"[{A}, 7, {B}]",                                "ab",                  ["not JSON, found b'7'"]),
    "closed too early":       (f"[{A}], {B}, {C}]",                             "abc",                 ["after the closing bracket"]),
    "text after the array":   (f"[{A}]\nthe end",                               "a",                   ["after the closing bracket"]),
    "two stretches":          (f"[{A}, {B[1:]}, {C}, x, {A}]",                  "aca",                 ["not JSON", "not JSON"]),
    "the first record":       (f"[{A[1:]}, {B}, {C}]",                          "bc",                  ["not JSON"]),
    "raw newline in a text":  (f"[{A}, {{{KEY}\"output\": \"b\nb\"}}, {C}]",    ["a", "b\nb", "c"],    []),
    "raw newline at the end": (f"[{A}, {{{KEY}\"output\": \"b\nb\"}}\n]",       ["a", "b\nb"],         []),
    "raw tab in a text":      (f"[{A}, {{{KEY}\"output\": \"b\tb\"}}]",         ["a", "b\tb"],         []),
    "lone surrogates":        (f"[{A}, {{{KEY}\"output\": \"\\ud800x\\udc00\"}}]", ["a", "\ufffdx\ufffd"], []),
    "paired surrogates":      (f"[{A}, {{{KEY}\"output\": \"\\ud83d\\ude00\"}}]", ["a", "😀"],          []),
    "braces in a text":       (f"[{A}, {{{KEY}\"output\": \"}}, {{\"}}]",       ["a", "}, {"],         []),
}
LINES = {
    "whole":                  (f"{A}\n{B}\n{C}\n",                              "abc",                 []),
    "no newline at the end":  (f"{A}\n{B}",                                     "ab",                  []),
    "blank lines":            (f"\n{A}\n\n \n{B}\n\n",                          "ab",                  []),
    "carriage returns":       (f"{A}\r\n{B}\r\n",                               "ab",                  []),
    "commas after lines":     (f"{A},\n{B},\n",                                 "ab",                  []),
    "two on a line":          (f"{A}\n{B}{C}\n",                                "abc",                 []),
    "the last line cut":      (f"{A}\n{B[:-4]}",                                "a",                   ["ends inside a record"]),
    "a line cut":             (f"{A}\n{B[:-4]}\n{C}\n",                         "ac",                  ["line ends inside"]),
    "the first line cut":     (f"{A[:-4]}\n{B}\n{C}\n",                         "bc",                  ["line ends inside"]),
    "a line of prose":        (f"{A}\nnot a record\n{C}\n",                     "ac",                  ["not JSON, found b'n'"]),
    "prose before":           (f"# rows\n{A}\n{B}\n{C}\n",                      "abc",                 ["not JSON, found b'#'"]),
    "prose after a record":   (f"{A} and\n{C}\n",                               "ac",                  ["not JSON, found b'a'"]),
    "two bad lines":          (f"{A}\nx\ny\n{C}\n",                             "ac",                  ["not JSON", "not JSON"]),
    "a line split":           (f"{A}\n{B[:9]}\n{B[9:]}\n{C}\n",                 "ac",                  ["line", "not JSON"]),
    "a list on a line":       (f"{A}\n[1]\n{C}\n",                              "ac",                  ["not JSON, found b'['"]),
}
KEYED = {
    "whole":                  (f'{{"1": {A}, "2": {B}}}',                       "ab",                  []),
    "cut":                    (f'{{"1": {A}, "2": {B[:-3]}',                    "a",                   ["ends inside a record"]),
    "a record damaged":       (f'{{"1": {A}, "2": {B[:-1]}, "3": {C}}}',        "ac",                  ["ends inside a record"]),
    "a key damaged":          (f'{{"1": {A}, 2: {B}, "3": {C}}}',               "ac",                  ["not JSON"]),
}
PRETTY = json.dumps(json.loads(A), indent=1)
JOINED = {
    "one after another":      (f"{PRETTY}\n{PRETTY}\n",                         "aa",                  []),
    "one alone":              (PRETTY,                                          "a",                   []),
    "one damaged":            (f"{PRETTY}\n{PRETTY[:-2]}\n{PRETTY}\n",          "aa",                  ["not JSON"]),
}
# fmt: on


@pytest.mark.parametrize(
    ("raw", "rows", "said"),
    [
        pytest.param(*case, id=f"{kind}: {name}")
        for kind, cases in (
            ("array", ARRAYS),
            ("lines", LINES),
            ("keyed", KEYED),
            ("joined", JOINED),
        )
        for name, case in cases.items()
    ],
)
def test_whole_records_survive_and_each_damaged_stretch_is_told_once(
    raw: str, rows: str | list[str], said: list[str], tmp_path: Path
) -> None:
    found, damage = read(tmp_path, raw.encode())

    assert found == list(rows)
    assert [part in one.message for part, one in zip(said, damage, strict=True)] == [True] * len(
        said
    )


@pytest.mark.parametrize("mark", [b"\xef\xbb\xbf", b"\xef\xbb\xbf\r\n\r\n"])
@pytest.mark.parametrize("raw", [f"[{A}, {B}]", f"{A}\n{B}\n"])
def test_a_byte_order_mark_is_no_damage(mark: bytes, raw: str, tmp_path: Path) -> None:
    assert read(tmp_path, mark + raw.encode()) == (["a", "b"], [])


def test_a_nested_list_like_the_records_is_not_taken_for_records(tmp_path: Path) -> None:
    turns = [{"from": "human", "value": "x"}, {"from": "gpt", "value": "y"}]
    whole = json.dumps({"conversations": turns})
    raw = f"[{whole}, {whole.replace(':', ';', 1)}, {whole}]"

    done = normalized(tmp_path, raw.encode(), source("sharegpt"))

    assert (done.records.height, done.reasons) == (2, ["unreadable"])


def test_the_ledger_names_file_offset_and_text_of_the_damage(tmp_path: Path) -> None:
    head = f"[{A}, "
    raw = f"{head}oh no! , {B}]".encode()

    done = normalized(tmp_path, {"one.json": f"[{A}]".encode(), "two.json": raw}, source("alpaca"))

    (failed,) = done.ledger.to_dicts()
    assert failed["file"] == "two.json"
    assert failed["offset"] == len(head)
    assert failed["source_row"] == 2
    assert failed["excerpt"] == "oh no! , "
    assert done.records["source_row"].to_list() == [0, 1, 3]


def test_damage_is_numbered_before_the_record_it_stands_at(tmp_path: Path) -> None:
    done = normalized(tmp_path, f"[{A} {B}]".encode(), source("alpaca"))

    assert done.ledger["source_row"].to_list() == [1]
    assert done.records["source_row"].to_list() == [0, 2]


# fmt: off
SPOILT = {  #                 text of the record    its bytes in the file
    "Windows-1252":           ("café au lait",       "cp1252"),
    "GB18030":                ("中文，。",            "gb18030"),
    "a backslash inside":     ("x乗",                "gb18030"),
    "a backslash and more":   ("乗中文",             "gb18030"),
}
# fmt: on


@pytest.mark.parametrize(("text", "encoding"), SPOILT.values(), ids=SPOILT)
@pytest.mark.parametrize(
    "container",
    [
        "[{}, {}, {}]",
        "{}\n{}\n{}\n",
        '{{"1": {}, "2": {}, "3": {}}}',
        "{}{}{}",
        "[\n{},\n{},\n{}\n]",
    ],
)
def test_a_record_that_is_not_utf8_is_a_ledger_row_and_its_neighbours_stay(
    container: str, text: str, encoding: str, tmp_path: Path
) -> None:
    spoilt = json.dumps({"instruction": "Say", "output": text}, ensure_ascii=False)
    raw = container.format(A, spoilt, C).encode(encoding)

    done = normalized(tmp_path, raw, source("alpaca"))

    assert [conversation[-1][1] for conversation in done.conversations] == ["a", "c"]
    (failed,) = done.ledger.to_dicts()
    position = next(place for place, byte in enumerate(raw) if byte > 0x7F)
    assert f"not valid UTF-8: byte {raw[position]:#04x} at offset {position};" in failed["message"]
    assert "convert the file, e.g. from Windows-1252 or GB18030, to UTF-8" in failed["message"]
    assert len(A) <= failed["offset"] < position
    assert f"\\x{raw[position]:02x}" in failed["excerpt"]
    assert (failed["drop_reason"], failed["source_row"]) == ("unreadable", 1)
    assert done.records["source_row"].to_list() == [0, 2]
    assert done.manifest.note("invalid_utf8") == "1"


def test_a_record_with_raw_newlines_that_is_not_utf8_is_not_rescued(tmp_path: Path) -> None:
    raw = f"[{A}, {record('b@b@')}, {C}]".encode().replace(b"@", b"\n", 1).replace(b"@", b"\xff")

    rows, (damage,) = read(tmp_path, raw)

    assert rows == ["a", "c"]
    assert damage.excerpt.startswith('{"instruction": "Say", "output": "b\nb\\xff"}')


def test_a_replacement_character_that_upstream_wrote_stays(tmp_path: Path) -> None:
    raw = b"\n".join(
        [
            json.dumps({"output": "b\ufffd"}, ensure_ascii=False).encode(),
            record("x").encode().replace(b"x", b"\xff"),
        ]
    )

    assert normalized(tmp_path, raw, source("alpaca")).conversations[0][-1][1] == "b\ufffd"


def test_a_source_of_another_encoding_says_so(tmp_path: Path) -> None:
    texts = [json.dumps({"instruction": "说", "output": "中文"}, ensure_ascii=False)] * 3

    with pytest.raises(SourceEmpty, match=r"3 of these are not valid UTF-8: convert the file"):
        normalized(tmp_path, "\n".join(texts).encode("gb18030"), source("alpaca"))


RECORDS = 7
TOKENS = [
    b'"',
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"\\",
    b"\n",
    b"null",
    b'{"',
    b'": "',
    b"}{",
    b"],",
]
TOKENS += [b"\xff", b"\xe4\xbd", b"\x00", b"\t", b'{"x": ', b'{"instruction": "', b" ", b"<html>"]
TEXTS = ["plain", 'a "quoted" {word}', "two\nlines \\", "中文，。", "[1, 2]", "x" * 40, ""]


def whole_records() -> list[dict[str, Any]]:
    return [
        {"instruction": f"Say {text}", "input": "", "output": f"{number}: {text}"}
        for number, text in enumerate(TEXTS)
    ]


def pieces(shape: str, ascii_only: bool) -> list[bytes]:
    """The bytes of a file, cut so that the odd pieces are its records."""
    texts = [
        json.dumps(
            row, ensure_ascii=ascii_only, indent=2 if shape in ("pretty", "joined") else None
        ).encode()
        for row in whole_records()
    ]
    if shape == "keyed":
        texts = [f'"{number}": '.encode() + text for number, text in enumerate(texts)]
    first, between, last = {
        "compact": (b"[", b",", b"]"),
        "pretty": (b"[\n  ", b",\n  ", b"\n]\n"),
        "keyed": (b"{", b", ", b"}"),
        "joined": (b"", b"\n", b"\n"),
        "lines": (b"", b"\n", b"\n"),
    }[shape]
    found = [first]
    for text in texts:
        found += [text, between]
    return [*found[:-1], last]


@given(
    shape=st.sampled_from(["compact", "pretty", "keyed", "joined", "lines"]),
    ascii_only=st.booleans(),
    place=st.floats(0, 1),
    removed=st.integers(0, 60),
    inserted=st.lists(
        st.one_of(st.sampled_from(TOKENS), st.binary(min_size=1, max_size=3)), max_size=3
    ),
)
@example(shape="compact", ascii_only=True, place=0.0, removed=1, inserted=[])
@example(shape="pretty", ascii_only=True, place=0.0, removed=1, inserted=[b"{"])
@example(shape="lines", ascii_only=True, place=0.0, removed=20, inserted=[])
@example(shape="keyed", ascii_only=True, place=0.0, removed=0, inserted=[b"x"])
@example(shape="keyed", ascii_only=False, place=0.01, removed=37, inserted=[])
@example(shape="keyed", ascii_only=False, place=1.0, removed=0, inserted=[b"{"])
@example(shape="keyed", ascii_only=False, place=0.0, removed=0, inserted=[b'{"x": '])
@example(shape="joined", ascii_only=False, place=0.0, removed=0, inserted=[b'{"x": '])
@example(shape="keyed", ascii_only=False, place=0.0, removed=0, inserted=[b'"', b"\n", b"{"])
@example(shape="compact", ascii_only=False, place=0.0, removed=0, inserted=[b"\x1f\x8b"])
@settings(max_examples=300, derandomize=True, suppress_health_check=SLOW)
def test_what_is_damaged_costs_only_the_records_it_touches(
    shape: str,
    ascii_only: bool,
    place: float,
    removed: int,
    inserted: list[bytes],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    parts = pieces(shape, ascii_only)
    raw = b"".join(parts)
    start = min(int(place * (len(raw) + 1)), len(raw))
    end = min(start + removed, len(raw))
    damaged = raw[:start] + b"".join(inserted) + raw[end:]
    intact, at = [], 0
    reach = 1 if shape in ("lines", "keyed") else 0
    for index, part in enumerate(parts):
        untouched = at + len(part) + reach <= start or end <= at - reach
        if index % 2 and untouched:
            intact.append(whole_records()[index // 2]["output"])
        at += len(part)

    rows, damage = read(tmp_path_factory.getbasetemp(), damaged)

    survivors = [row for row in rows if row in set(intact)]
    assert [row for row in intact if row not in survivors] == []
    assert len(damage) <= 2 * RECORDS + sum(len(piece) for piece in inserted)
