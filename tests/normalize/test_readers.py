"""What a file is, its content says: the same rows out of every format and packing."""

import bz2
import gzip
import io
import json
import lzma
from pathlib import Path

import polars as pl
import pytest

from tasks.normalize import delimited, json_rows
from tasks.normalize.layouts import shape_of
from tests.normalize.lakes import Normalized, normalized, source

ROWS = [
    {"instruction": "Say a", "input": "", "output": "a"},
    {"instruction": '说 "乙"', "input": "two\nlines", "output": "b, c"},
    {"instruction": "Say \\ and {", "input": "1\t2", "output": "[d]"},
]
EXPECTED = [
    [("user", "Say a"), ("assistant", "a")],
    [("user", '说 "乙"\n\ntwo\nlines'), ("assistant", "b, c")],
    [("user", "Say \\ and {\n\n1\t2"), ("assistant", "[d]")],
]
ARRAY = json.dumps(ROWS, ensure_ascii=False)
LINES = "\n".join(json.dumps(row, ensure_ascii=False) for row in ROWS)
CSV = (
    "id,instruction,input,output\n"
    '1,Say a,,a\r\n2,"说 ""乙""","two\nlines","b, c"\n3,Say \\ and {,1\t2,[d]\n'
)


def in_memory(method: str) -> bytes:
    buffer = io.BytesIO()
    getattr(pl.DataFrame(ROWS), method)(buffer)
    return buffer.getvalue()


FORMATS = {
    "array": ARRAY.encode(),
    "pretty array": json.dumps(ROWS, indent=4).encode(),
    "array with CRLF": json.dumps(ROWS, indent=1).replace("\n", "\r\n").encode(),
    "JSON Lines": LINES.encode(),
    "object keyed by id": json.dumps(dict(enumerate(ROWS))).encode(),
    "objects one after another": "\n".join(json.dumps(row, indent=1) for row in ROWS).encode(),
    "CSV": CSV.encode(),
    "Parquet": in_memory("write_parquet"),
    "Arrow": in_memory("write_ipc"),
    "gzip": gzip.compress(LINES.encode()),
    "bzip2": bz2.compress(ARRAY.encode()),
    "xz": lzma.compress(ARRAY.encode()),
    "UTF-16": ARRAY.encode("utf-16"),
}


@pytest.mark.parametrize("raw", FORMATS.values(), ids=FORMATS)
@pytest.mark.parametrize("name", ["rows.json", "rows.txt"])
def test_the_same_rows_come_out_of_every_format_under_any_name(
    raw: bytes, name: str, tmp_path: Path
) -> None:
    done = normalized(tmp_path, {name: raw}, source("alpaca"))

    assert done.conversations == EXPECTED
    assert done.ledger.is_empty()


def test_nested_columns_of_parquet_are_read_as_json_is(tmp_path: Path) -> None:
    turns = [[{"from": "human", "value": 'a "b"'}, {"from": "gpt", "value": "c\nd"}], None]
    buffer = io.BytesIO()
    pl.DataFrame({"conversations": turns, "tools": ["[]", "x"]}).write_parquet(buffer)

    done = normalized(tmp_path, buffer.getvalue(), source("sharegpt"))

    assert done.conversations == [[("user", 'a "b"'), ("assistant", "c\nd")]]
    assert done.ledger["offset"].to_list() == [1]


def test_small_windows_and_batches_change_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [{"instruction": f"Say {n}", "output": "x" * n} for n in range(60)]
    raws = {
        "a.json": json.dumps(rows, indent=1).encode(),
        "b.jsonl": "\n".join(json.dumps(row) for row in rows).encode(),
        "c.json": json.dumps(dict(enumerate(rows))).encode(),
        "d.csv": b"instruction,output\n" + b"".join(b'"Say\n%d",x\n' % n for n in range(60)),
        "e.tsv": b"instruction\toutput\n" + b"".join(b"Say %d\tx\n" % n for n in range(60)),
    }
    raws |= {f"spoilt {name}": raw.replace(b"Say", b"Say\xe9", 1) for name, raw in raws.items()}
    whole = normalized(tmp_path / "whole", raws, source("alpaca"))

    monkeypatch.setattr(json_rows, "WINDOW_BYTES", 50)
    monkeypatch.setattr(json_rows, "BATCH_ROWS", 7)
    monkeypatch.setattr(delimited, "WINDOW_BYTES", 50)
    pieces = normalized(tmp_path / "pieces", raws, source("alpaca"))

    assert (whole.records.height, whole.ledger.height) == (595, 5)
    assert pieces.records.equals(whole.records)
    assert pieces.ledger.equals(whole.ledger)
    assert pieces.manifest.shards[0].sha256 == whole.manifest.shards[0].sha256


# fmt: off
DELIMITED = {  #              bytes                                        layout    answers      ledger messages
    "no header":             (b"q\ta\tr\n",                                "cot",    ["a"],       []),
    "a header":              (b"answer\tquestion\tother\na\tq\tx\n",       "cot",    ["a"],       []),
    "a field too few":       (b"q\ta\tr\nq\ta\nq\tb\tr\n",                 "cot",    ["a", "b"],  ["expected 3 fields (question, answer, explanation), found 2"]),
    "a field too many":      (b"q\ta\tr\nq\ta\tr\ts\n",                    "cot",    ["a"],       ["expected 3 fields (question, answer, explanation), found 4"]),
    "quotes mean nothing":   (b'"q\ta\tr"\n"\tb\t"\n',                     "cot",    ["a", "b"],  []),
    "blank lines":           (b"q\ta\tr\n\n  \nq\tb\tr\n",                 "cot",    ["a", "b"],  []),
    "CRLF and a mark":       (b"\xef\xbb\xbfq\ta\tr\r\nq\tb\tr\r\n",       "cot",    ["a", "b"],  []),
    "CSV, a field too few":  (b"question,answer\nq,a\nq\n",                "cot",    ["a"],       ["expected 2 fields (question, answer), found 1"]),
    "CSV, bare newline":     (b"question,answer\nq,a\nq,b\rc\nq,d\n",     "cot",    ["a", "b\nc", "d"], []),
    "CSV, quote left open":  (b'question,answer\nq,a\nq,"b\nq,c\n',        "cot",    ["a", "c"],  ["a quote is opened and never closed"]),
}
# fmt: on


@pytest.mark.parametrize(
    ("raw", "layout", "answers", "messages"), DELIMITED.values(), ids=DELIMITED
)
def test_delimited_text_is_split_by_its_own_rules(
    raw: bytes, layout: str, answers: list[str], messages: list[str], tmp_path: Path
) -> None:
    done = normalized(tmp_path, {"rows": raw}, source(layout))

    said = [conversation[-1][1] for conversation in done.conversations]
    assert all(answer in text for answer, text in zip(answers, said, strict=True))
    assert done.ledger["message"].to_list() == messages


# fmt: off
SPOILT = {  #                 bytes                                        layout    answers      the byte and its offset in the ledger
    "TSV":                   (b"q\ta\tr\nq\tcaf\xe9\tr\nq\tb\tr\n",          "cot",    ["a", "b"],  (0xE9, 11)),
    "TSV, the first line":   (b"q\xff\ta\tr\nq\tb\tr\n",                  "cot",    ["b"],       (0xFF, 1)),
    "TSV, wrong fields too": (b"q\ta\tr\nq\xff\ta\nq\tb\tr\n",             "cot",    ["a", "b"],  (0xFF, 7)),
    "TSV, the last byte":    (b"q\ta\tr\nq\tb\tr\xc3",                      "cot",    ["a"],       (0xC3, 11)),
    "CSV":                   (b"question,answer\nq,a\nq,\xe9\nq,b\n",        "cot",    ["a", "b"],  (0xE9, 22)),
    "CSV, second line":      (b'question,answer\nq,a\nq,"x\n\xe9"\nq,b\n',   "cot",    ["a", "b"],  (0xE9, 25)),
}
# fmt: on


@pytest.mark.parametrize(("raw", "layout", "answers", "byte"), SPOILT.values(), ids=SPOILT)
def test_a_delimited_record_that_is_not_utf8_is_a_ledger_row_and_its_neighbours_stay(
    raw: bytes, layout: str, answers: list[str], byte: tuple[int, int], tmp_path: Path
) -> None:
    done = normalized(tmp_path, {"rows": raw}, source(layout))

    (failed,) = done.ledger.to_dicts()
    value, offset = byte
    assert f"not valid UTF-8: byte {value:#04x} at offset {offset};" in failed["message"]
    assert failed["offset"] == raw.rfind(b"\nq", 0, offset) + 1
    assert f"\\x{value:02x}" in failed["excerpt"]
    said = [conversation[-1][1] for conversation in done.conversations]
    assert all(answer in text for answer, text in zip(answers, said, strict=True))


def test_lone_surrogates_of_utf16_are_not_replaced(tmp_path: Path) -> None:
    lines = LINES.replace("Say a", "Say \ud800").encode("utf-16", "surrogatepass")

    done = normalized(tmp_path, lines, source("alpaca"))

    assert done.conversations == EXPECTED[1:]
    assert "not valid UTF-8: byte 0xed at offset" in done.ledger["message"].item()


def test_utf16_that_is_cut_inside_a_character_keeps_its_rows(tmp_path: Path) -> None:
    done = normalized(tmp_path, (LINES + "\n").encode("utf-16") + b"x", source("alpaca"))

    assert done.conversations == EXPECTED
    assert "the UTF-16 text is damaged" in done.ledger["message"].item()


def test_a_bad_line_of_tsv_is_found_at_its_offset(tmp_path: Path) -> None:
    raw = "问\ta\tr\r\nbad\r\nq\tb\tr\r\n".encode()

    done = normalized(tmp_path, {"rows.tsv": raw}, source("cot"))

    (failed,) = done.ledger.to_dicts()
    assert raw[failed["offset"] :].startswith(b"bad")
    assert (failed["excerpt"], failed["source_row"]) == ("bad", 1)


def unreadable_beside_a_row(folder: Path, raw: bytes) -> Normalized:
    return normalized(folder, {"a.json": raw, "b.json": ARRAY.encode()}, source("alpaca"))


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"<!DOCTYPE html><p>Not found", "expected JSON, JSON Lines, TSV, CSV, Parquet or Arrow"),
        (b"\x89PNG\r\n\x1a\n\0\0\0", "expected JSON"),
        (b"PAR1 and nothing else", "the columns cannot be read"),
    ],
    ids=["a web page", "a picture", "broken Parquet"],
)
def test_a_file_in_no_known_format_is_one_ledger_row(
    raw: bytes, message: str, tmp_path: Path
) -> None:
    done = unreadable_beside_a_row(tmp_path, raw)

    (failed,) = done.ledger.to_dicts()
    assert message in failed["message"]
    assert failed["file"] == "a.json"
    assert done.records["source_row"].to_list() == [1, 2, 3]


def test_text_that_begins_like_parquet_is_read_all_the_same(tmp_path: Path) -> None:
    done = normalized(tmp_path, b"PAR1" + LINES.encode(), source("alpaca"))

    assert done.conversations == EXPECTED[-done.records.height :]
    assert done.manifest.rows_in == len(EXPECTED)


def test_a_compressed_file_that_is_cut_keeps_its_rows(tmp_path: Path) -> None:
    lines = [f'{{"instruction": "Say", "output": "{n * 7919 % 100_003}"}}' for n in range(20_000)]
    packed = gzip.compress("\n".join(lines).encode())

    done = normalized(tmp_path, packed[: len(packed) // 2], source("alpaca"))

    assert done.records.height > 5_000
    assert "the compressed file is damaged" in done.ledger["message"].to_list()[-1]


@pytest.mark.parametrize("raw", [b"", b" \n\r\n\t ", b"\xef\xbb\xbf", b"[]"])
def test_an_empty_file_is_neither_rows_nor_damage(raw: bytes, tmp_path: Path) -> None:
    assert unreadable_beside_a_row(tmp_path, raw).manifest.rows_in == 3


@pytest.mark.parametrize("layout", ["alpaca", "cot", "multiple_choice", "question_contexts"])
def test_every_column_a_layout_reads_can_be_renamed_or_is_an_alias(layout: str) -> None:
    made_of = source(layout)
    shape = shape_of(made_of)

    wanted = shape.wanted(made_of)

    assert len(wanted) == len(set(wanted))
    assert set(shape.positional(made_of)) <= set(wanted)
