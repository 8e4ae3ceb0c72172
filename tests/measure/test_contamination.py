"""What was found of each evaluation set, added up over all shards."""

import polars as pl
import pytest

from schemas.contamination import HIT, EvaluationCounts
from schemas.manifest import ShardRef, StageManifest, Statistics
from tasks.lake import Lake
from tasks.measure.contamination import LISTED_HITS, contamination
from tasks.measure.report.page import render_report
from tasks.shards import write_shard
from tests.measure.corpora import manifest, source
from tests.measure.test_report import Page, samples

SHA = "0" * 64
COUNTS = {
    "items": 5,
    "items_by_ngram": 1,
    "items_by_sentence": 1,
    "items_by_prompt": 1,
    "items_by_whole": 1,
    "items_without_words": 1,
    "items_as_questions": 2,
}
SETS = tuple(EvaluationCounts(name=name, **COUNTS) for name in ("gsm8k", "mmlu"))


@pytest.fixture
def lake(tmp_path) -> Lake:
    return Lake(str(tmp_path / "lake"))


def judged(lake: Lake, name: str, hits: list[tuple[int, str, int]]) -> StageManifest:
    """The receipt of a shard of ten rows: `hits` are corpus row, set and item."""
    rows = [
        ("f" * 32, at, "prompt", "near", name, row, "<b>Why?", 1, 0.9) for at, name, row in hits
    ]
    frame = pl.DataFrame(rows, schema=HIT, orient="row")
    parent = ShardRef(uri=f"{name}.parquet", sha256=SHA, rows=10, size_bytes=1, source=name)
    return StageManifest(
        stage="filter",
        digest=SHA,
        uri=name,
        parents=(parent,),
        rows_in=10,
        rows_out=10,
        evaluations=SETS,
        hits=(write_shard(frame, lake, f"{name}/hits.parquet", source=name),),
    )


def test_rows_and_items_are_counted_once_over_all_shards(lake):
    a = judged(lake, "a", [(3, "gsm8k", 7), (3, "gsm8k", 8), (4, "gsm8k", 7)])
    b = judged(lake, "b", [(3, "gsm8k", 7), (1, "mmlu", 7)])
    gsm8k, mmlu = contamination(lake, (b, a))
    assert (gsm8k.rows_compared, gsm8k.rows_hit, gsm8k.items_hit) == (20, 3, 2)
    assert (mmlu.rows_compared, mmlu.rows_hit, mmlu.items_hit) == (20, 1, 1)
    assert [(hit.source, hit.source_row, hit.row) for hit in gsm8k.hits] == [
        ("a", 3, 7),
        ("a", 3, 8),
        ("a", 4, 7),
        ("b", 3, 7),
    ]
    assert gsm8k.items_by_sentence == 1


def test_the_first_hits_are_listed_and_all_are_counted(lake):
    many = judged(lake, "a", [(row, "gsm8k", 0) for row in range(LISTED_HITS + 5)])
    gsm8k, _ = contamination(lake, (many,))
    assert (len(gsm8k.hits), gsm8k.rows_hit) == (LISTED_HITS, LISTED_HITS + 5)


def test_without_evaluation_sets_nothing_was_compared(lake):
    plain = StageManifest(stage="filter", digest=SHA, uri="a", rows_in=0, rows_out=0)
    assert contamination(lake, (plain,)) == ()


def test_the_report_says_what_was_compared_and_found(lake):
    found = contamination(lake, (judged(lake, "a", [(3, "gsm8k", 7)]),))
    shown = manifest((source("alpaca", 3, 3),), statistics=Statistics(contamination=found))
    page = Page(render_report(shown, None, samples("plain").clear()))
    assert "gsm8k 5 1 1 1 1 1 2 10 1 1" in page.text
    assert "mmlu 5 1 1 1 1 1 2 10 0 0" in page.text
    assert "a 3 prompt near 0.90 7 <b>Why?" in page.text


def test_the_report_says_that_nothing_was_compared():
    shown = manifest((source("alpaca", 3, 3),))
    page = Page(render_report(shown, None, samples("plain").clear()))
    assert "names no evaluation set" in page.text
