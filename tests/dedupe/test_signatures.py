"""Signatures are computed once for a row: kept in the lake by shard, read back as they were."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl

from schemas.dedupe import NearDedupe
from tasks.dedupe.signatures import STAGE, Signatures, fold_shard, kept_signatures, sign
from tasks.lake import Lake
from tasks.shards import write_shard
from tasks.text import prompt, response
from tests.dedupe.corpora import records, source

ROWS = [
    {"user": "What is 3 + 4?", "assistant": "Seven."},
    {"user": "写一首关于秋天的诗", "assistant": "秋风起兮白云飞，草木黄落兮雁南归。"},
    {"user": "", "assistant": ""},
    {"user": "Is the sea blue?", "assistant": "Yes."},
]


def texts(rows: Sequence[dict[str, str]]) -> pl.DataFrame:
    return records(rows).with_columns(prompt().alias("prompt"), response().alias("response"))


def fresh(rows: Sequence[dict[str, str]]) -> Signatures:
    return sign(fold_shard(texts(rows), source()), source(), NearDedupe())


def kept(
    lake: Lake,
    rows: Sequence[dict[str, str]] = ROWS,
    rules: NearDedupe | None = None,
    code: bool = False,
    places: Sequence[int] | None = None,
) -> Signatures:
    shard = write_shard(records(rows), lake, "shard.parquet", source="corpus")
    chosen = list(range(len(rows))) if places is None else list(places)
    taking_part, of = texts(rows)[chosen], source(code=code)
    folded = fold_shard(taking_part, of)
    return kept_signatures(
        lake, shard, np.array(chosen, np.int64), taking_part, folded, of, rules or NearDedupe()
    )


def parts(lake: Path) -> set[Path]:
    return set((lake / "stages" / STAGE).glob("*/part-*.arrow"))


def same(left: Signatures, right: Signatures) -> bool:
    return all(np.array_equal(one, other) for one, other in zip(left, right, strict=True))


def test_signatures_come_back_from_the_lake_as_they_were_computed(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    assert same(kept(lake), fresh(ROWS))
    (part,) = parts(tmp_path)
    written = part.stat().st_mtime_ns
    assert same(kept(lake), fresh(ROWS))
    assert same(kept(lake, places=[1, 3]), fresh([ROWS[1], ROWS[3]]))
    assert parts(tmp_path) == {part}
    assert part.stat().st_mtime_ns == written


def test_a_row_that_takes_part_later_is_signed_then_and_kept_with_the_others(
    tmp_path: Path,
) -> None:
    lake = Lake(str(tmp_path))
    assert same(kept(lake, places=[0, 3]), fresh([ROWS[0], ROWS[3]]))
    assert same(kept(lake, places=[1, 3]), fresh([ROWS[1], ROWS[3]]))
    written = parts(tmp_path)
    assert same(kept(lake, places=[0, 1]), fresh(ROWS[:2]))
    assert parts(tmp_path) == written
    assert same(kept(lake), fresh(ROWS))
    assert parts(tmp_path) != written


def test_a_shard_is_signed_anew_where_what_it_depends_on_changes(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    kept(lake)
    for rows, rules, code, count in [
        (ROWS, NearDedupe(threshold=0.9), False, 1),  # decides nothing about signatures
        (ROWS, NearDedupe(ngram=6), False, 2),
        (ROWS, NearDedupe(), True, 3),
        (ROWS[:2], NearDedupe(), False, 4),
    ]:
        kept(lake, rows, rules, code)
        assert len({part.parent for part in parts(tmp_path)}) == count


def test_a_damaged_signature_is_computed_anew(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    kept(lake)
    (part,) = parts(tmp_path)
    raw = bytearray(part.read_bytes())
    raw[len(raw) // 2] ^= 1
    part.write_bytes(raw)

    assert same(kept(lake), fresh(ROWS))
    assert pl.read_ipc(part).height == len(ROWS)


def test_a_shard_of_which_no_row_takes_part_has_no_signature(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    for _ in ("computed", "read back"):
        assert kept(lake, places=[]).sketches.shape[:2] == (2, 0)
        assert kept(lake, rows=[]).sketches.shape[:2] == (2, 0)
    assert same(kept(lake), fresh(ROWS))
