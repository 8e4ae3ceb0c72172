"""A Parquet repository of the Hub that is streamed gives the records that its whole files give."""

import hashlib
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq
import pytest
import yaml

from flows.refresh_corpus import refresh_corpus
from flows.streams import columns_of
from schemas.errors import ConfigError
from schemas.manifest import RawReceipt
from schemas.outcome import Status
from schemas.source import Source
from tasks.download import hub_stream
from tasks.download.check import check
from tasks.download.fetch import download
from tasks.lake import Lake
from tasks.normalize.normalize import normalize
from tests.download.hub_server import Commit, Hub, hub_in_use
from tests.download.server import Server

REPO = "org/abilities"
ONE, TWO = "1" * 40, "2" * 40
INFO = f"GET /api/datasets/{REPO}/revision/main"
MINE = {
    "name": "abilities",
    "layout": "dolly",
    "licence": "MIT",
    "category": "file",
    "constants": {"system": "Be brief."},
}


def rows(start: int, end: int) -> pl.DataFrame:
    """Dolly's columns, one that nobody reads, a row without an answer, and one with a category."""
    return pl.DataFrame(
        {
            "unused": [hashlib.sha512(b"%d" % n).hexdigest() * 4 for n in range(start, end)],
            "instruction": [f"Describe number {n} in words." for n in range(start, end)],
            "context": [f"It is {n}." if n % 3 else None for n in range(start, end)],
            "response": [None if n % 11 == 5 else f"Number {n} it is." for n in range(start, end)],
            "category": ["brainstorming" if n % 7 == 0 else None for n in range(start, end)],
        }
    )


def parquet(frame: pl.DataFrame) -> bytes:
    body = io.BytesIO()
    frame.write_parquet(body, row_group_size=40)
    return body.getvalue()


FILES = {
    "README.md": b"# Abilities",
    "data/coding.parquet": parquet(rows(0, 100)),
    "data/ethics.parquet": parquet(rows(100, 170)),
}


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    monkeypatch.setattr(hub_stream, "BATCH_ROWS", 10)
    monkeypatch.setattr(hub_stream, "PART_ROWS", 30)
    with Server().running() as server:
        hub = hub_in_use(server, monkeypatch)
        hub.publish(REPO, Commit(ONE, FILES))
        yield hub


def dataset(stream: bool, max_rows: int | None = None, **changes: Any) -> Source:
    repository = {"repo": REPO, "files": ["*"], "stream": stream, "max_rows": max_rows}
    return Source.model_validate(MINE | {"hub": repository} | changes)


def records(receipt: RawReceipt, source: Source, lake: Lake) -> tuple[pl.DataFrame, pl.DataFrame]:
    """All records, and of the ledger what does not speak of places in files."""
    manifest = normalize(receipt, source, lake, 1_000)
    shards = [pl.read_parquet(lake.at(shard.uri)) for shard in manifest.shards]
    ledger = [pl.read_parquet(lake.at(shard.uri)) for shard in manifest.ledger]
    return pl.concat(shards), pl.concat(ledger).drop("file", "offset")


def arrived(source: Source, lake: Lake) -> RawReceipt:
    return download(source, lake, columns=columns_of(source))


# fmt: off
SOURCES = {  #              what the source file says
    "category of file":     {},
    "one for all":          {"category": "chat"},
    "columns by name":      {"layout": "alpaca", "columns": {"input": "context", "output": "response"}},
    "a template":           {"layout": "template", "constants": {}, "template":
                             {"user": "{instruction} {context}", "assistant": "{response}"}},
    "auto":                 {"layout": "auto", "constants": {}},
}
# fmt: on


@pytest.mark.parametrize("changes", SOURCES.values(), ids=SOURCES)
def test_a_stream_gives_the_records_of_whole_files(
    hub: Hub, lake: str, tmp_path: Path, changes: dict[str, Any]
):
    whole, streamed = dataset(False, **changes), dataset(True, **changes)
    other = Lake(str(tmp_path / "whole"))

    expected, expected_ledger = records(arrived(whole, other), whole, other)
    found, found_ledger = records(arrived(streamed, Lake(lake)), streamed, Lake(lake))

    assert expected.height + expected_ledger.height == 170
    assert expected_ledger.height == 15
    assert found.equals(expected)
    assert found_ledger.equals(expected_ledger)
    if changes.get("category") != "chat":
        assert set(found["category"]) == {"coding", "ethics", "brainstorming"}


@pytest.mark.parametrize("max_rows", [1, 45, 100, 101, 170, 1_000])
def test_the_first_rows_of_a_stream_are_the_first_records(
    hub: Hub, lake: str, tmp_path: Path, max_rows: int
):
    whole, streamed = dataset(False), dataset(True, max_rows)
    other = Lake(str(tmp_path / "whole"))
    expected, _ = records(arrived(whole, other), whole, other)

    receipt = arrived(streamed, Lake(lake))
    manifest = normalize(receipt, streamed, Lake(lake), 1_000)
    found = pl.concat(pl.read_parquet(Lake(lake).at(one.uri)) for one in manifest.shards)

    assert manifest.rows_in == min(max_rows, 170)
    assert found.equals(expected.filter(pl.col("source_row") < max_rows))


# fmt: off
KEPT = {  #              source                                    columns
    "whole files":       (dataset(False),                          None),
    "auto":              (dataset(True, layout="auto", constants={}), None),
    "a file here":       (dataset(True).at(Path("x")),             None),
    "a layout":          (dataset(True, layout="hugnlp", constants={}),
                          ("text", "system", "category", "tools", "licence")),
    "a template":        (dataset(True, layout="template", constants={},
                                  template={"user": "{q}", "assistant": "{a}"}),
                          ("q", "a", "category", "tools", "licence")),
}
# fmt: on


@pytest.mark.parametrize(("source", "columns"), KEPT.values(), ids=KEPT)
def test_a_stream_keeps_what_its_layout_reads(source: Source, columns: tuple[str, ...] | None):
    assert columns_of(source) == columns


def test_a_constant_that_no_layout_reads_is_found_before_a_request(hub: Hub):
    with pytest.raises(ConfigError, match="constant for 'options'"):
        columns_of(dataset(True, constants={"options": "none"}))


def test_a_refresh_keeps_the_columns_in_use_and_asks_once_where_nothing_changed(
    hub: Hub, lake: str, tmp_path: Path
):
    recipe = tmp_path / "recipe.yaml"
    source = dataset(True).model_dump(mode="json", exclude_defaults=True)
    recipe.write_text(yaml.safe_dump({"name": "small", "sources": [source]}))

    first = refresh_corpus(str(recipe), lake, None, False)
    parts = list(Path(lake).glob("raw/abilities/*/data/*/*.parquet"))
    assert len(parts) == 4 + 3
    names = {tuple(pq.read_schema(part).names) for part in parts}
    assert names == {("instruction", "context", "response", "category")}

    hub.asked()
    second = refresh_corpus(str(recipe), lake, None, False)
    assert hub.asked() == [INFO]
    assert (first.status, second.status) == (Status.PUBLISHED, Status.UNCHANGED)


def test_of_a_changed_repository_the_file_that_changed_is_read_again(hub: Hub, lake: str):
    source = dataset(True)
    first = arrived(source, Lake(lake))
    hub.publish(REPO, Commit(TWO, {**FILES, "data/coding.parquet": parquet(rows(500, 540))}))
    told = check(source, Lake(lake), columns=columns_of(source))
    assert told.state == "changed"
    assert told.detail.endswith("…: 1 of 2 files differ")
    hub.asked()

    second = arrived(source, Lake(lake))

    read = {line.rpartition("/")[2] for line in hub.asked() if "resolve" in line}
    assert read == {"coding.parquet"}
    assert [file.name for file in second.files] == [
        "data/00000/coding.parquet", "data/00001/coding.parquet",
        *(file.name for file in first.files if "ethics" in file.name),
    ]  # fmt: skip
    found, _ = records(second, source, Lake(lake))
    assert (
        found["messages"].list.last().struct.field("content").str.contains("Number 5").sum() >= 36
    )
