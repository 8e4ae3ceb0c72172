"""Shards: the same rows give the same bytes, and verdicts stand beside the rows they speak of."""

from pathlib import Path

import polars as pl
import pytest

from schemas.errors import CorpusDamaged
from schemas.record import VERDICT
from tasks.lake import Lake, sha256_of
from tasks.shards import (
    apply_verdicts,
    no_verdicts,
    scan_shard,
    total_rows,
    write_arrow,
    write_shard,
)

ROWS = pl.DataFrame({"text": ["a", "é", None], "n": [1, 2, 3]})


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "lake"))


def verdicts(*reasons: str | None) -> pl.DataFrame:
    return no_verdicts(len(reasons)).with_columns(drop_reason=pl.Series(reasons, dtype=pl.String))


@pytest.mark.parametrize(("write", "name"), [(write_shard, "a.parquet"), (write_arrow, "a.arrow")])
def test_a_shard_reads_back_and_names_its_bytes(lake: Lake, write: object, name: str) -> None:
    shard = write(ROWS, lake, f"x/{name}")  # type: ignore[operator]
    assert scan_shard(lake, shard).collect().equals(ROWS)
    assert shard.sha256 == sha256_of(Path(lake.at(shard.uri)))
    assert (shard.rows, shard.size_bytes) == (3, Path(lake.at(shard.uri)).stat().st_size)
    again = write(ROWS, lake, f"y/{name}")  # type: ignore[operator]
    assert again.sha256 == shard.sha256
    assert total_rows([shard, again]) == 6


def test_a_missing_shard_says_what_to_do(lake: Lake) -> None:
    shard = write_shard(ROWS, lake, "x.parquet")
    Path(lake.at("x.parquet")).unlink()
    with pytest.raises(CorpusDamaged, match=r"x\.parquet is missing, expected 3 rows\. Run"):
        scan_shard(lake, shard)


def test_the_first_stage_that_drops_a_row_has_the_word() -> None:
    judged = apply_verdicts(
        ROWS,
        {
            "first": verdicts(None, "exact_duplicate", None),
            "second": verdicts("echo", "echo", None),
        },
    )
    assert judged.columns == ["text", "n", "stage", *VERDICT]
    assert judged.select("n", "stage", "drop_reason").rows() == [
        (1, "second", "echo"),
        (2, "first", "exact_duplicate"),
        (3, None, None),
    ]


def test_verdicts_of_another_number_of_rows_are_refused() -> None:
    with pytest.raises(CorpusDamaged, match="filter has 2 verdicts for a shard of 3 rows"):
        apply_verdicts(ROWS, {"filter": verdicts(None, None)})


def test_a_shard_without_rows_stays_one(lake: Lake) -> None:
    shard = write_shard(ROWS.clear(), lake, "empty.parquet")
    assert scan_shard(lake, shard).collect().schema == ROWS.schema
    assert apply_verdicts(ROWS.clear(), {"filter": verdicts()}).height == 0
