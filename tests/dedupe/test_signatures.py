"""Signatures are computed once for a shard: kept in the lake, read back as they were."""

from pathlib import Path

import numpy as np
import polars as pl

from schemas.dedupe import NearDedupe
from tasks.dedupe.near import fold_shard
from tasks.dedupe.signatures import STAGE, Signatures, kept_signatures, sign
from tasks.lake import Lake
from tasks.shards import write_shard
from tasks.text import prompt, response
from tests.dedupe.corpora import records, source

ROWS = [
    {"user": "What is 3 + 4?", "assistant": "Seven."},
    {"user": "写一首关于秋天的诗", "assistant": "秋风起兮白云飞，草木黄落兮雁南归。"},
    {"user": "", "assistant": ""},
]


def kept(
    lake: Lake, rows: list[dict[str, str]], rules: NearDedupe, code: bool = False
) -> Signatures:
    shard = write_shard(records(rows), lake, "shard.parquet", source="corpus")
    texts = records(rows).with_columns(prompt().alias("prompt"), response().alias("response"))
    of = source(code=code)
    return kept_signatures(lake, shard, fold_shard(texts, of), of, rules)


def folders(lake: Path) -> set[str]:
    return {path.name for path in (lake / "stages" / STAGE).iterdir()}


def same(left: Signatures, right: Signatures) -> bool:
    return all(np.array_equal(one, other) for one, other in zip(left, right, strict=True))


def test_signatures_come_back_from_the_lake_as_they_were_computed(tmp_path: Path) -> None:
    lake, rules = Lake(str(tmp_path)), NearDedupe()
    texts = records(ROWS).with_columns(prompt().alias("prompt"), response().alias("response"))
    fresh = sign(fold_shard(texts, source()), source(), rules)

    assert same(kept(lake, ROWS, rules), fresh)
    (folder,) = folders(tmp_path)
    part = tmp_path / "stages" / STAGE / folder / "part-00000.arrow"
    written = part.stat().st_mtime_ns

    assert same(kept(lake, ROWS, rules), fresh)
    assert part.stat().st_mtime_ns == written


def test_a_shard_is_signed_anew_where_what_it_depends_on_changes(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    kept(lake, ROWS, NearDedupe())
    for rows, rules, code, count in [
        (ROWS, NearDedupe(threshold=0.9), False, 1),  # decides nothing about signatures
        (ROWS, NearDedupe(ngram=6), False, 2),
        (ROWS, NearDedupe(), True, 3),
        (ROWS[:2], NearDedupe(), False, 4),
    ]:
        kept(lake, rows, rules, code)
        assert len(folders(tmp_path)) == count


def test_a_damaged_signature_is_computed_anew(tmp_path: Path) -> None:
    lake, rules = Lake(str(tmp_path)), NearDedupe()
    fresh = kept(lake, ROWS, rules)
    (folder,) = folders(tmp_path)
    part = tmp_path / "stages" / STAGE / folder / "part-00000.arrow"
    raw = bytearray(part.read_bytes())
    raw[len(raw) // 2] ^= 1
    part.write_bytes(raw)

    assert same(kept(lake, ROWS, rules), fresh)
    assert pl.read_ipc(part).height == len(ROWS)
