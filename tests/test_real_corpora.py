"""The real recipe on real upstream files: the facts that are known of them come out."""

from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pytest
from prefect.testing.utilities import prefect_test_harness

from flows.refresh_corpus import refresh_corpus
from schemas.manifest import CorpusManifest
from schemas.outcome import Outcome, Status
from tasks.corpora import read_manifest
from tasks.lake import Lake
from tasks.publish.verify import problems
from tests.real import REASON, RECIPE, local, missing

pytestmark = pytest.mark.skipif(missing(), reason=REASON)

# fmt: off
ROWS_IN = {  #                  rows, damaged stretches included
    "alpaca":                   52_002,
    "alpaca_zh_carbonz0":       20_465,
    "alpaca_zh_hikariming":     17_476 + 2_801 + 1 + 10_282,
    "flan_cot":                 33_443,
    "llama_factory_alpaca_en":     999,
    "llama_factory_alpaca_zh":   1_000,
    "llama_factory_glaive_en":     300,
    "llama_factory_glaive_zh":     300,
    "llama_factory_v1_sft":        500,
    "llama_factory_identity":       91,
    "pubmedqa":                  1_000,
    "medmcqa":                   4_183,
    "medqa_usmle":               1_273,
    "gpteacher_codegen":         4_535,
}
# fmt: on


@dataclass(frozen=True)
class Real:
    """The refreshed real corpus: its rows and its ledger."""

    lake: Lake
    outcome: Outcome
    again: Outcome
    manifest: CorpusManifest
    data: pl.DataFrame
    ledger: pl.DataFrame

    def dropped(self, source: str, reason: str) -> pl.DataFrame:
        return self.ledger.filter(source=source, drop_reason=reason)


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Real:
    lake = Lake(str(tmp_path_factory.mktemp("real") / "lake"))
    with prefect_test_harness(server_startup_timeout=120):
        outcome = refresh_corpus(RECIPE, lake.uri, local(), False)
        again = refresh_corpus(RECIPE, lake.uri, local(), False)
    return Real(
        lake=lake,
        outcome=outcome,
        again=again,
        manifest=read_manifest(lake, RECIPE, outcome.version),
        data=pl.read_parquet(Path(outcome.path, "data/*.parquet")),
        ledger=pl.read_parquet(Path(outcome.path, "ledger/*.parquet")),
    )


def test_it_is_published_whole(real: Real) -> None:
    assert real.outcome.status is Status.PUBLISHED
    assert problems(real.lake, real.manifest) == []


def test_a_second_refresh_is_unchanged(real: Real) -> None:
    assert real.again.status is Status.UNCHANGED
    assert real.again.digest == real.outcome.digest


def test_every_source_yields_the_rows_it_is_known_to_hold(real: Real) -> None:
    assert {source.name: source.rows_in for source in real.manifest.sources} == ROWS_IN


def test_every_input_row_is_published_or_in_the_ledger_exactly_once(real: Real) -> None:
    columns = ("source", "source_row")
    places = pl.concat([real.data.select(columns), real.ledger.select(columns)])
    assert places.height == places.n_unique() == sum(ROWS_IN.values())
    last = dict(places.group_by("source").agg(pl.col("source_row").max() + 1).rows())
    assert last == ROWS_IN


def test_the_empty_outputs_of_alpaca_are_dropped_as_such(real: Real) -> None:
    assert real.dropped("alpaca", "empty_response").height == 28


def test_english_rows_of_the_translation_fall_to_alpaca(real: Real) -> None:
    alpaca = pl.concat(
        rows.filter(source="alpaca").select("record_id") for rows in (real.data, real.ledger)
    )
    fallen = real.dropped("alpaca_zh_hikariming", "exact_duplicate").join(
        alpaca, left_on="duplicate_of", right_on="record_id", how="semi"
    )
    assert fallen.height == 3_400


def test_the_cut_file_yields_its_whole_records_and_one_ledger_entry(real: Real) -> None:
    (entry,) = real.ledger.filter(drop_reason="unreadable").to_dicts()
    assert entry["source"] == "alpaca_zh_hikariming"
    assert "9407-12345" in entry["file"]
    assert entry["message"]
    (file,) = Path(local()["alpaca_zh_hikariming"]).rglob("*9407-12345*")
    assert 0 < entry["offset"] < file.stat().st_size


def test_rows_that_hold_an_evaluation_item_are_found(real: Real) -> None:
    hits = real.ledger.filter(drop_reason="evaluation_overlap")
    items = dict(hits.group_by("source").agg(pl.col("expected").unique().sort()).rows())
    assert items["flan_cot"] == ["gsm8k:581", "gsm8k:602", "gsm8k:632"]
    assert "humaneval:96" in items["alpaca"]


def test_a_duplicate_fell_to_a_row_of_the_corpus_or_of_the_ledger(real: Real) -> None:
    near = real.ledger.filter(drop_reason="near_duplicate")
    kept = real.data.select("record_id")
    assert near.join(kept, left_on="duplicate_of", right_on="record_id", how="anti").is_empty()
    assert (
        near.select(pl.min_horizontal("prompt_similarity", "response_similarity").min()).item()
        >= 0.8
    )
    exact = real.ledger.filter(drop_reason="exact_duplicate")
    known = pl.concat([kept, real.ledger.select("record_id")])
    assert exact.join(known, left_on="duplicate_of", right_on="record_id", how="anti").is_empty()


def test_no_conversation_is_in_two_splits(real: Real) -> None:
    assert real.data["record_id"].is_unique().all()
    held_out = {split.name: split.rows for split in real.manifest.splits}
    assert held_out["validation"] > 0
