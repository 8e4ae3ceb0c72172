"""Parquet and Arrow: every row of a file is a record or in the ledger, whatever its types are."""

import datetime
import decimal
import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.normalize import columnar
from tasks.normalize.columnar import read_columnar
from tests.normalize.lakes import normalized, source

PICTURE = b"\x89PNG\xff\x00"


def parquet(table: pa.Table, **options: Any) -> bytes:
    body = io.BytesIO()
    pq.write_table(table, body, **options)
    return body.getvalue()


def arrow(table: pa.Table, row_group_size: int | None = None, **_: Any) -> bytes:
    body = io.BytesIO()
    with pa.ipc.new_file(body, table.schema) as writer:
        writer.write_table(table, row_group_size)
    return body.getvalue()


FORMS = pytest.mark.parametrize("form", [parquet, arrow])
Form = Callable[..., bytes]


def talk(**fields: Any) -> list[dict[str, Any]]:
    return [{"role": "user", "content": "x"} | fields, {"role": "assistant", "content": "y"}]


# fmt: off
BYTES = {  #                  what stands in the messages beside role and content
    "a picture":             {"image": PICTURE},
    "text":                  {"image": b"a picture"},
    "a picture in a struct": {"image": {"bytes": PICTURE, "path": "a.png"}},
    "pictures":              {"images": [PICTURE, None, b"a"]},
    "pictures by name":      {"images": [{"a.b": PICTURE, "^c$": [PICTURE]}, None]},
}
# fmt: on


@FORMS
@pytest.mark.parametrize("fields", BYTES.values(), ids=BYTES)
def test_bytes_inside_messages_leave_their_texts_as_they_are(
    form: Form, fields: dict[str, Any], tmp_path: Path
) -> None:
    rows = pa.table({"messages": [talk(**fields), None, talk()]})

    done = normalized(tmp_path, form(rows), source("messages"))

    assert done.conversations == [[("user", "x"), ("assistant", "y")]] * 2
    assert done.ledger["offset"].to_list() == [1]


@FORMS
def test_messages_that_were_written_as_bytes_are_read(form: Form, tmp_path: Path) -> None:
    turns = [{b"role".decode(): turn["role"].encode(), "content": "é".encode()} for turn in talk()]

    done = normalized(tmp_path, form(pa.table({"messages": [turns]})), source("messages"))

    assert done.conversations == [[("user", "é"), ("assistant", "é")]]


def instructions(count: int, spoilt: int, kind: pa.DataType) -> pa.Table:
    """Rows of which one is not UTF-8, as bytes, or as text that nobody looked at."""
    texts = [b"q %d" % n for n in range(count)]
    texts[spoilt] = b"caf\xe9"
    asked = pa.array(texts, pa.binary()).cast(pa.string(), safe=False).cast(kind, safe=False)
    return pa.table({"instruction": asked, "output": ["a"] * count})


@FORMS
@pytest.mark.parametrize("kind", [pa.binary(), pa.string(), pa.large_string()], ids=str)
def test_one_byte_that_is_no_text_costs_its_own_row(
    form: Form, kind: pa.DataType, tmp_path: Path
) -> None:
    done = normalized(tmp_path, form(instructions(30_000, 25_000, kind)), source("alpaca"), 10_000)

    assert (done.manifest.rows_in, done.manifest.rows_out) == (30_000, 29_999)
    (failed,) = done.ledger.to_dicts()
    assert (failed["offset"], failed["source_row"]) == (25_000, 25_000)
    assert "not valid UTF-8: byte 0xe9 at offset 3 of 'instruction'" in failed["message"]
    assert failed["excerpt"] == "caf\\xe9"
    assert done.manifest.notes == (("invalid_utf8", "1"),)
    assert done.records["source_row"].to_list() == [n for n in range(30_000) if n != 25_000]


@FORMS
def test_one_byte_of_a_message_that_is_no_text_costs_its_own_row(
    form: Form, tmp_path: Path
) -> None:
    texts = pa.array([b"fine", b"caf\xe9", b"fine"]).cast(pa.string(), safe=False)
    times = pa.array([1, None, 1], pa.timestamp("ns"))
    turns = [
        pa.StructArray.from_arrays([times, pa.array([role] * 3), texts], ["at", "role", "content"])
        for role in ("user", "assistant")
    ]
    both = pa.concat_arrays([turn.slice(n, 1) for n in range(3) for turn in turns])
    rows = pa.table({"messages": pa.ListArray.from_arrays([0, 2, 4, 6], both)})

    done = normalized(tmp_path, form(rows), source("messages"))

    assert done.records["source_row"].to_list() == [0, 2]
    (failed,) = done.ledger.to_dicts()
    assert "not valid UTF-8: byte 0xe9 at offset 3 of 'messages'" in failed["message"]
    assert (failed["offset"], failed["excerpt"]) == (1, "caf\\xe9")


# fmt: off
KINDS = {  #           values and type                                                      as text
    "duration":       (pa.array([datetime.timedelta(days=1, hours=2)]),                     "P1DT2H"),
    "date":           (pa.array([datetime.date(2024, 2, 29)]),                              "2024-02-29"),
    "timestamp":      (pa.array([datetime.date(2024, 2, 29)]).cast(pa.timestamp("us")),     "2024-02-29 00:00:00.000000"),
    "decimal":        (pa.array([decimal.Decimal("1.50")]),                                 "1.50"),
    "long decimal":   (pa.array([decimal.Decimal("1.50")], pa.decimal256(50, 2)),           "1.50"),
    "half float":     (pa.array([1.5], pa.float16()),                                       "1.5"),
    "dictionary":     (pa.array(["a"]).dictionary_encode(),                                 "a"),
    "view":           (pa.array(["a"], pa.string_view()),                                   "a"),
    "bytes view":     (pa.array([b"a"], pa.binary_view()),                                  "a"),
    "fixed bytes":    (pa.array([b"ab"], pa.binary(2)),                                     "ab"),
    "large list":     (pa.array([["a"]], pa.large_list(pa.string())),                       '["a"]'),
    "fixed list":     (pa.array([[1, 2]], pa.list_(pa.int8(), 2)),                          "[1,2]"),
    "list of words":  (pa.array([["a"]], pa.list_(pa.dictionary(pa.int8(), pa.string()))),  '["a"]'),
    "map":            (pa.array([[("a", 1)]], pa.map_(pa.string(), pa.int8())),             '{"a":1}'),
    "map of bytes":   (pa.array([[("a", b"b")]], pa.map_(pa.string(), pa.binary())),        '[{"key":"a","value":"b"}]'),
    "map by number":  (pa.array([[(1, "b")]], pa.map_(pa.int8(), pa.string())),             '[{"key":1,"value":"b"}]'),
    "struct":         (pa.array([{"a": b"b", "^c$": datetime.timedelta(hours=2)}]),         '{"a":"b","^c$":"PT7200S"}'),
    "json":           (pa.ExtensionArray.from_storage(pa.json_(), pa.array(['{"a": 1}'])),  '{"a": 1}'),
}
# fmt: on


@FORMS
@pytest.mark.parametrize(("values", "text"), KINDS.values(), ids=KINDS)
def test_a_value_of_any_type_that_a_text_stands_for_is_that_text(
    form: Form, values: pa.Array, text: str, tmp_path: Path
) -> None:
    rows = pa.table({"instruction": pa.array(["q"]), "output": values})

    done = normalized(tmp_path, form(rows), source("alpaca"))

    assert done.conversations == [[("user", "q"), ("assistant", text)]]


def test_rows_of_a_type_that_no_text_stands_for_are_each_in_the_ledger(tmp_path: Path) -> None:
    spans = pa.array([[pa.MonthDayNano([1, 2, 3])]] * 3)
    views = pa.array([["a"]] * 2, pa.list_view(pa.string()))
    raw = {
        "a": arrow(pa.table({"instruction": ["q"] * 3, "output": spans})),
        "b": parquet(pa.table({"instruction": ["q"] * 2, "output": views})),
        "c": arrow(pa.table({"instruction": ["q"], "output": ["a"], "other": spans[:1]})),
    }

    done = normalized(tmp_path, raw, source("alpaca"))

    assert (done.manifest.rows_in, done.manifest.rows_out) == (6, 1)
    assert done.ledger["offset"].to_list() == [0, 1, 2, 0, 1]
    assert "'output' holds month_day_nano_interval, for which no" in done.ledger["message"][2]
    assert "'output' holds list_view<" in done.ledger["message"][3]


GROUPS, GROUP_ROWS = 6, 50


def broken(form: Form, group: int) -> bytes:
    """A file of so many row groups, in one of which no byte is as it was."""
    marks = [[f"<{group}>"] * GROUP_ROWS for group in range(GROUPS)]
    outputs = [[mark * 9 for mark in of_group] for of_group in marks]
    columns = {"instruction": pa.chunked_array(marks), "output": pa.chunked_array(outputs)}
    rows = pa.table(columns)
    raw = bytearray(form(rows, row_group_size=GROUP_ROWS, compression="none", use_dictionary=False))
    if form is parquet:
        chunk = pq.ParquetFile(io.BytesIO(bytes(raw))).metadata.row_group(group).column(0)
        start = chunk.data_page_offset
        raw[start : start + chunk.total_compressed_size] = bytes(chunk.total_compressed_size)
        return bytes(raw)
    place = raw.index(f"<{group}>".encode())
    for n in range(GROUP_ROWS):
        raw[place + 3 * n : place + 3 * n + 3] = b"\xff\xff\xff"
    return bytes(raw)


@FORMS
@pytest.mark.parametrize("group", [0, 2, GROUPS - 1])
@pytest.mark.parametrize("batch_rows", [20, 70, 20_000])
def test_what_cannot_be_read_is_counted_row_by_row_and_the_rest_is_kept(
    form: Form, group: int, batch_rows: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(columnar, "BATCH_ROWS", batch_rows)

    done = normalized(tmp_path, broken(form, group), source("alpaca"))

    lost = list(range(group * GROUP_ROWS, (group + 1) * GROUP_ROWS))
    assert done.manifest.rows_in == GROUPS * GROUP_ROWS
    assert done.ledger["offset"].to_list() == lost
    assert done.ledger["source_row"].to_list() == lost
    assert done.records.height == (GROUPS - 1) * GROUP_ROWS


def test_an_arrow_file_whose_packed_batch_is_broken_counts_what_it_says_it_has(
    tmp_path: Path,
) -> None:
    body = io.BytesIO()
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    rows = pa.table({"instruction": ["q" * 99] * 40, "output": ["a" * 99] * 40})
    with pa.ipc.new_file(body, rows.schema, options=options) as writer:
        writer.write_table(rows, 10)
    raw = bytearray(body.getvalue())
    frames = [n for n in range(len(raw)) if raw[n : n + 4] == b"\x28\xb5\x2f\xfd"]
    third = frames[len(frames) // 2]
    raw[third : third + 4] = bytes(4)

    done = normalized(tmp_path, bytes(raw), source("alpaca"))

    assert (done.manifest.rows_in, done.manifest.rows_out) == (40, 20)
    assert done.ledger["offset"].to_list() == list(range(20, 40))
    assert "cannot be read" in done.ledger["message"][0]


@FORMS
def test_a_file_with_none_of_the_columns_has_its_rows_in_the_ledger(
    form: Form, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(columnar, "BATCH_ROWS", 2)
    raw = {
        "a": form(pa.table({"other": ["a"] * 5, "output.more": ["b"] * 5})),
        "b": form(pa.table({"instruction": ["q"], "output": ["a"]})),
    }

    done = normalized(tmp_path, raw, source("alpaca"))

    assert done.ledger["offset"].to_list() == [0, 1, 2, 3, 4]
    assert "the first row here has other, output.more" in done.ledger["message"][0]


@FORMS
def test_columns_and_rows_come_in_the_order_of_the_file_whatever_the_batches(
    form: Form, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "rows"
    rows = pa.table({"b.c": [str(n) for n in range(100)], "a": range(100), "b": ["-"] * 100})
    path.write_bytes(form(rows, row_group_size=30))
    wanted = ("a", "absent", "b.c", "b")
    whole = pl.concat([batch.rows for batch in read_columnar(path, wanted)])

    for batch_rows in (1, 7, 30, 45, 100, 101):
        monkeypatch.setattr(columnar, "BATCH_ROWS", batch_rows)
        batches = [batch.rows for batch in read_columnar(path, wanted)]
        assert max(batch.height for batch in batches) <= batch_rows
        assert pl.concat(batches).equals(whole)

    assert whole.columns[1:] == list(wanted)
    assert whole["b.c"].to_list() == whole["a"].to_list() == [str(n) for n in range(100)]
    assert whole["absent"].null_count() == 100


def test_columns_that_nobody_reads_make_no_batch_smaller(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(columnar, "BATCH_BYTES", 1 << 20)
    path = tmp_path / "rows.parquet"
    pictures = [os.urandom(1 << 15) for _ in range(200)]
    pl.DataFrame({"output": ["An answer."] * 200, "image": pictures}).write_parquet(path)

    assert [batch.rows.height for batch in read_columnar(path, ("output",))] == [200]
    assert len(list(read_columnar(path, ("output", "image")))) > 4


def test_a_row_group_is_decoded_once_however_many_batches_it_makes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "rows.parquet"
    texts = [f"text {n}" for n in range(4_000)]
    pl.DataFrame({"output": texts}).write_parquet(path, row_group_size=len(texts))
    monkeypatch.setattr(columnar, "BATCH_ROWS", 100)
    passes = []
    iterated = pq.ParquetFile.iter_batches
    for reader in ("read", "read_row_group", "read_row_groups"):
        monkeypatch.delattr(pq.ParquetFile, reader)  # each decodes whole row groups

    def iterate(file: pq.ParquetFile, *asked: Any, **named: Any) -> Any:
        passes.append(named)
        return iterated(file, *asked, **named)

    monkeypatch.setattr(pq.ParquetFile, "iter_batches", iterate)
    batches = list(read_columnar(path, ("output",)))

    assert len(batches) == 40
    assert len(passes) == 1
    assert pl.concat(batch.rows for batch in batches)["output"].to_list() == texts


def test_a_footer_that_claims_more_rows_than_the_file_has_bytes_fills_no_ledger(
    tmp_path: Path,
) -> None:
    column = pa.array(["a"]).take(pa.array([0] * 100_000))
    raw = bytearray(parquet(pa.table({"instruction": column, "output": column})))
    raw[4:60] = bytes(56)
    assert len(raw) < 100_000
    more = parquet(pa.table({"instruction": ["q"], "output": ["a"]}))

    done = normalized(tmp_path, {"a": bytes(raw), "b": more}, source("alpaca"))

    (failed,) = done.ledger.to_dicts()
    assert "100,000 rows" in failed["message"]
    assert done.records.height == 1


def test_rows_whose_fields_have_names_that_are_no_text_are_each_in_the_ledger(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    raw = arrow(pa.table({"messages": [talk(océan="-")] * 2}))
    more = arrow(pa.table({"messages": [talk()]}))

    spoilt = raw.replace("é".encode(), b"\xff\xff")
    done = normalized(tmp_path, {"a": spoilt, "b": more}, source("messages"))

    assert done.ledger["offset"].to_list() == [0, 1]
    assert done.records.height == 1
    assert "panicked" not in capfd.readouterr().err


def test_a_file_whose_columns_have_names_that_are_no_text_is_one_ledger_row(
    tmp_path: Path,
) -> None:
    raw = parquet(pa.table({"instruction": ["q"], "output": ["a"], "océan": ["-"]}))
    more = parquet(pa.table({"instruction": ["q"], "output": ["a"]}))

    spoilt = raw.replace("é".encode(), b"\xff\xff")
    done = normalized(tmp_path, {"a": spoilt, "b": more}, source("alpaca"))

    assert "the columns cannot be read" in done.ledger["message"].item()
    assert done.records.height == 1


def test_an_offset_that_leads_out_of_the_file_costs_its_record_batch(tmp_path: Path) -> None:
    asked = pa.array([f"question {n}" for n in range(20)])
    rows = pa.table({"instruction": asked, "output": asked, "history": [[["q", "a"]]] * 20})
    body = arrow(rows, row_group_size=10)
    offset = (len("question ") + 1) * 9
    place = body.index(offset.to_bytes(4, "little") + (offset + 10).to_bytes(4, "little"))
    raw = body[:place] + b"\xff\xff\xff\x7f" + body[place + 4 :]

    done = normalized(tmp_path, raw, source("alpaca"))

    assert done.records["source_row"].to_list() == list(range(10, 20))
    assert done.ledger["offset"].to_list() == list(range(10))
    assert "record batch 0" in done.ledger["message"][0]
