"""The stage: shards, digests, the ledger's sequence, notes, and what an empty source says."""

import json
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.errors import CorpusDamaged, SourceEmpty
from schemas.record import RECORD, UNREADABLE, Record, Unreadable
from tasks.lake import Lake
from tasks.normalize.normalize import normalize
from tasks.normalize.plain import stem
from tasks.normalize.task import normalize_source
from tests.normalize.lakes import Normalized, normalized, receipt, source

SLOW = [HealthCheck.too_slow]


def rows(count: int, first: int = 0) -> list[dict[str, Any]]:
    return [
        {"instruction": f"Say {n}", "output": None if n % 7 == 3 else f"{n}"}
        for n in range(first, first + count)
    ]


def array(count: int, first: int = 0) -> bytes:
    return json.dumps(rows(count, first)).encode()


def test_every_raw_row_is_a_record_or_in_the_ledger_in_one_sequence(tmp_path: Path) -> None:
    files = {"a.json": array(10), "b.jsonl": b'{"instruction": "x", "output": "y"}\noops\n'}

    done = normalized(tmp_path, files, source("alpaca"), shard_rows=4)

    numbers = [*done.records["source_row"], *done.ledger["source_row"]]
    assert sorted(numbers) == list(range(12))
    assert done.records["source_row"].is_sorted()
    assert (done.manifest.rows_in, done.manifest.rows_out) == (12, 10)
    assert [(drop.reason, drop.rows) for drop in done.manifest.drops] == [
        ("no_response", 1),
        ("unreadable", 1),
    ]
    assert done.records.schema == RECORD
    assert done.ledger.schema == UNREADABLE
    Record.validate(done.records)
    Unreadable.validate(done.ledger)


@pytest.mark.parametrize(
    ("count", "shard_rows", "names"),
    [
        (4, 4, ["part-00000.parquet"]),
        (5, 4, ["part-00000.parquet", "part-00001.parquet"]),
        (9, 4, ["part-00000.parquet", "part-00001.parquet", "part-00002.parquet"]),
        (4, 1, ["part-00000.parquet", "part-00001.parquet", "part-00002.parquet"]),
    ],
    ids=["just full", "one over", "two over", "a row each, one in the ledger"],
)
def test_shards_are_cut_by_the_number_of_the_row(
    count: int, shard_rows: int, names: list[str], tmp_path: Path
) -> None:
    done = normalized(tmp_path, array(count), source("alpaca"), shard_rows)

    assert [shard.uri.rsplit("/", 1)[1] for shard in done.manifest.shards] == names
    assert {shard.source for shard in done.manifest.shards} == {"corpus"}
    assert sum(shard.rows for shard in done.manifest.shards) == done.manifest.rows_out


def test_an_append_upstream_changes_the_last_shard_only(tmp_path: Path) -> None:
    before = normalized(tmp_path / "a", array(10), source("alpaca"), shard_rows=4)
    after = normalized(tmp_path / "b", array(13), source("alpaca"), shard_rows=4)

    def digests(done: Normalized) -> list[str]:
        return [shard.sha256 for shard in done.manifest.shards]

    assert digests(after)[:2] == digests(before)[:2]
    assert digests(after)[2] != digests(before)[2]


@given(
    counts=st.lists(st.integers(1, 12), min_size=1, max_size=4),
    shard_rows=st.integers(1, 30),
    broken=st.booleans(),
)
@settings(max_examples=12, derandomize=True, suppress_health_check=SLOW)
def test_records_do_not_depend_on_how_they_are_sharded(
    counts: list[int],
    shard_rows: int,
    broken: bool,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    files = {f"{n}.json": array(count, 100 * n) for n, count in enumerate(counts)}
    files["z.jsonl"] = b'{"output": "last"}\n' + b"oops\n" * broken

    folder = tmp_path_factory.mktemp("sharding")
    one = normalized(folder / "one", files, source("alpaca"), shard_rows=1_000_000)
    many = normalized(folder / "many", files, source("alpaca"), shard_rows=shard_rows)

    assert many.records.equals(one.records)
    assert many.ledger.equals(one.ledger)
    assert (many.manifest.rows_in, many.manifest.drops) == (
        one.manifest.rows_in,
        one.manifest.drops,
    )
    assert all(shard.rows <= shard_rows for shard in many.manifest.shards)


def test_the_same_conversation_has_one_id_in_every_source(tmp_path: Path) -> None:
    turns = [{"from": "human", "value": "Say 0"}, {"from": "gpt", "value": "0"}]
    shared = json.dumps([{"conversations": turns}]).encode()

    one = normalized(tmp_path / "a", array(1), source("alpaca"))
    other = normalized(tmp_path / "b", shared, source("sharegpt", name="other", licence="CC0-1.0"))

    assert one.records["record_id"].to_list() == other.records["record_id"].to_list()
    assert other.records.select("source", "licence").row(0) == ("other", "CC0-1.0")


@pytest.mark.parametrize(
    ("changes", "same"),
    [
        ({}, True),
        ({"priority": 3, "homepage": "https://example.com", "expected_rows": {"min": 9}}, True),
        ({"licence": "CC0-1.0"}, False),
        ({"category": "chat"}, False),
        ({"code": True}, False),
        ({"columns": {"output": "response"}}, False),
    ],
    ids=["nothing", "what rows do not depend on", "licence", "category", "code", "columns"],
)
def test_the_folder_is_named_by_what_the_records_depend_on(
    changes: dict[str, Any], same: bool, tmp_path: Path
) -> None:
    lake = Lake(str(tmp_path))
    got = receipt(lake, {"a.json": b'[{"instruction": "a", "output": "b", "response": "b"}]'})

    before = normalize(got, source("alpaca"), lake, 10)
    after = normalize(got, source("alpaca", **changes), lake, 10)

    assert (before.digest == after.digest) is same
    assert normalize(got, source("alpaca"), lake, 11).digest != before.digest


def test_a_finished_source_is_not_read_again_and_loads_no_compiler(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    got = receipt(lake, {"a.json": array(3)})
    made_of = source("alpaca")
    first = normalize(got, made_of, lake, 10)
    shutil.rmtree(lake.at(got.uri))
    code = (
        "import sys; from schemas.manifest import RawReceipt; from schemas.source import Source;"
        "from tasks.lake import Lake; from tasks.normalize.normalize import normalize;"
        f"done = normalize(RawReceipt.model_validate_json({got.model_dump_json()!r}),"
        f"Source.model_validate_json({made_of.model_dump_json()!r}), Lake({str(tmp_path)!r}), 10);"
        "assert 'numba' not in sys.modules, 'numba was imported'; print(done.digest)"
    )

    again = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )

    assert again.stderr == ""
    assert again.stdout.strip() == first.digest


def test_a_shard_that_is_gone_is_made_again(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    got = receipt(lake, {"a.json": array(3)})
    first = normalize(got, source("alpaca"), lake, 10)
    Path(lake.at(first.shards[0].uri)).unlink()

    assert normalize(got, source("alpaca"), lake, 10) == first
    assert lake.exists(first.shards[0].uri)


@pytest.mark.parametrize(
    ("raw", "found"),
    [
        (b"<html>\n<script>alert('x')</script>", r"<html>\n<script>"),
        (b'[{"question": "x"}]', "question"),
        (b'[{"instruction": "no answer"}]', "1 no_response"),
        (b"", "gave no row"),
    ],
    ids=["a web page", "other columns", "no answers", "nothing"],
)
def test_a_source_without_a_record_says_what_was_expected_and_found(
    raw: bytes, found: str, tmp_path: Path
) -> None:
    with pytest.raises(SourceEmpty) as raised:
        normalized(tmp_path, raw, source("alpaca"))

    said = str(raised.value)
    assert found in said
    assert "rows.json" in said
    assert "layout 'alpaca' with columns instruction, input, output" in said
    assert "corpus.yaml" in said
    assert "\n" not in said


def test_nothing_is_finished_where_there_is_no_record(tmp_path: Path) -> None:
    with pytest.raises(SourceEmpty):
        normalized(tmp_path, b"prose", source("alpaca"))

    assert not [key for key in Lake(str(tmp_path / "lake")).keys("stages") if "manifest" in key]


def test_a_raw_file_that_is_gone_is_named(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    got = receipt(lake, {"a.json": array(3)})
    shutil.rmtree(lake.at(got.uri))

    with pytest.raises(CorpusDamaged, match=r"a\.json is missing, expected \d+ bytes"):
        normalize(got, source("alpaca"), lake, 10)


def test_an_interrupt_does_not_wait_for_raw_files_to_be_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = Lake(str(tmp_path))
    got = receipt(lake, {"a.json": array(3)})
    checking, ended = threading.Event(), threading.Event()

    def never(*_: object) -> bool:
        checking.set()
        return ended.wait()

    def interrupted(*_: object) -> None:
        assert checking.wait(30)
        raise KeyboardInterrupt

    monkeypatch.setattr(Lake, "is_intact", never)
    monkeypatch.setattr("tasks.normalize.normalize.settled", interrupted)
    with pytest.raises(KeyboardInterrupt):
        normalize(got, source("alpaca"), lake, 10)
    assert not ended.is_set()
    ended.set()


def test_a_raw_file_that_is_not_the_one_that_was_downloaded_is_refused(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    got = receipt(lake, {"a.json": array(3), "b.json": array(3)})
    lake.put(f"{got.uri}/b.json", array(3).replace(b"Say 1", b"Say 9"))

    with pytest.raises(CorpusDamaged) as raised:
        normalize(got, source("alpaca"), lake, 10)

    said = str(raised.value)
    assert f"{lake.at(got.uri)}/b.json is not the file that was downloaded" in said
    assert f"expected sha256 {got.files[1].sha256}" in said
    assert f"found {lake.sha256(f'{got.uri}/b.json')}" in said
    assert f"Remove {lake.at(got.uri)} and run the refresh again, which downloads it anew." in said
    assert not lake.keys("stages")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("code.jsonl", "code"),
        ("full/code.v1.jsonl", "code.v1"),
        ("full/code.json.gz", "code"),
        ("code", "code"),
    ],
)
def test_the_stem_of_a_raw_file_leaves_out_folders_packing_and_suffix(
    name: str, expected: str
) -> None:
    assert stem(name) == expected


def test_the_task_does_what_the_stage_does(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    got = receipt(lake, {"a.json": array(3)})

    done = normalize_source.fn(str(tmp_path), got, source("alpaca"), 10)

    assert done == normalize(got, source("alpaca"), lake, 10)
    assert pl.read_parquet(lake.at(done.shards[0].uri)).height == 3
