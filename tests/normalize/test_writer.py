"""Where shards are cut: by rows and by bytes, whatever the batches."""

import itertools
from collections.abc import Sequence
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.record import RECORD, UNREADABLE
from tasks.lake import Lake
from tasks.normalize import writer
from tasks.normalize.records import Outcome
from tasks.normalize.writer import SourceWriter

CAP = 10


@pytest.fixture(autouse=True)
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "MAX_SHARD_BYTES", CAP)


def outcome(sizes: Sequence[int]) -> Outcome:
    """A batch of records with contents of so many bytes."""
    records = pl.DataFrame(
        {
            "record_id": [f"{number:032x}" for number in range(len(sizes))],
            "source": "made",
            "source_row": range(len(sizes)),
            "messages": [[{"role": "assistant", "content": "x" * size}] for size in sizes],
            "category": None,
            "tools": None,
            "licence": "MIT",
        },
        schema=RECORD,
    )
    return Outcome(records, pl.DataFrame(schema=UNREADABLE), {})


def written(folder: Path, batches: Sequence[Sequence[int]], shard_rows: int) -> list[list[int]]:
    """The `source_row` of each shard's records."""
    lake = Lake(str(folder))
    with SourceWriter(lake, "made", "made", shard_rows) as out:
        for sizes in batches:
            out.add(outcome(sizes))
        out.close()
    return [pl.read_parquet(lake.at(one.uri))["source_row"].to_list() for one in out.shards]


# fmt: off
CASES = {  #                       sizes                shard_rows   shards
    "all fit":                     ([5, 5],              4,           [[0, 1]]),
    "one byte too many":           ([5, 6],              4,           [[0], [1]]),
    "rows cut before bytes":       ([1, 1, 1],           2,           [[0, 1], [2]]),
    "bytes cut before rows":       ([4, 4, 4, 4, 4],     4,           [[0, 1], [2, 3], [4]]),
    "one larger than any shard":   ([1, 99, 1],          4,           [[0], [1], [2]]),
    "the first larger":            ([99, 1, 1],          4,           [[0], [1, 2]]),
    "rows without content":        ([0, 0, 0],           9,           [[0, 1, 2]]),
}
# fmt: on


@pytest.mark.parametrize(("sizes", "rows", "shards"), CASES.values(), ids=CASES.keys())
def test_a_shard_ends_at_its_rows_or_its_bytes(
    tmp_path: Path, sizes: list[int], rows: int, shards: list[list[int]]
) -> None:
    assert written(tmp_path, [sizes], rows) == shards


@given(
    st.lists(st.integers(0, 14), min_size=1, max_size=12),
    st.integers(1, 6),
    st.lists(st.integers(0, 12), max_size=3),
    st.lists(st.integers(0, 14), max_size=3),
)
@settings(
    max_examples=40,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_neither_batches_nor_an_append_move_a_cut(
    tmp_path_factory: pytest.TempPathFactory,
    sizes: list[int],
    rows: int,
    cuts: list[int],
    more: list[int],
) -> None:
    at = [0, *sorted(min(cut, len(sizes)) for cut in cuts), len(sizes)]
    batches = [sizes[a:b] for a, b in itertools.pairwise(at)]

    whole = written(tmp_path_factory.mktemp("whole"), [sizes], rows)

    assert written(tmp_path_factory.mktemp("parts"), batches, rows) == whole
    longer = written(tmp_path_factory.mktemp("more"), [*batches, more], rows)
    assert longer[: len(whole) - 1] == whole[:-1]
    assert [row for shard in longer for row in shard] == list(range(len(sizes) + len(more)))
