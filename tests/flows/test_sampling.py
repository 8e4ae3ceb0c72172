"""A refresh whose recipe inherits the quickstart and samples it, to the end and verified."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml

from flows.refresh_corpus import refresh_corpus
from schemas.manifest import CorpusManifest
from schemas.outcome import Outcome, Status
from tasks.corpora import read_manifest
from tasks.lake import Lake
from tasks.publish.verify import problems
from tests.flows.conftest import Refreshed

SAMPLING: dict[str, Any] = {
    "sources": {
        "sample_alpaca_en": {"fraction": 0.5},
        "sample_belle_zh": {"max_rows": 100},
        "sample_cot": {"repeat": 2.5},
    },
    "balance": {"by": "language", "shares": {"en": 0.7, "zh": 0.3}},
}


def refreshed(
    folder: Path, lake: Lake, name: str, **changes: Any
) -> tuple[Outcome, CorpusManifest]:
    recipe = {"name": name, "extends": "quickstart", "gates": {"min_rows": 100}, "train": None}
    (folder / f"{name}.yaml").write_text(yaml.safe_dump(recipe | changes))
    outcome = refresh_corpus(str(folder / f"{name}.yaml"), lake.uri, None, False)
    return outcome, read_manifest(lake, name, outcome.version)


@pytest.fixture(scope="module")
def mixed(
    quickstart: Refreshed, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Outcome, CorpusManifest]:
    folder = tmp_path_factory.mktemp("mixed")
    return refreshed(folder, quickstart.lake, "mixed", sampling=SAMPLING)


def rows_of(lake: Lake, manifest: CorpusManifest, split: str) -> pl.DataFrame:
    folder = lake.at(f"corpora/{manifest.name}/{manifest.version}/data")
    return pl.read_parquet(f"{folder}/{split}-*.parquet")


def test_a_mixture_is_published_balanced_and_verified(
    quickstart: Refreshed, mixed: tuple[Outcome, CorpusManifest]
) -> None:
    outcome, manifest = mixed
    assert outcome.status is Status.PUBLISHED
    assert problems(quickstart.lake, manifest) == []
    dropped = sum(rows for reasons in outcome.dropped.values() for rows in reasons.values())
    assert outcome.rows_in == quickstart.outcome.rows_in
    assert outcome.rows_repeated > 0
    assert outcome.rows_in + outcome.rows_repeated == outcome.rows_out + dropped
    before = {stage: rows for stage, rows in outcome.dropped.items() if stage != "sample"}
    assert before == quickstart.outcome.dropped
    train, validation = (
        rows_of(quickstart.lake, manifest, split) for split in ("train", "validation")
    )
    assert train.height + validation.height == outcome.rows_out
    assert set(train["cluster"]).isdisjoint(validation["cluster"])
    assert not validation["record_id"].is_duplicated().any()
    of_belle = pl.concat([train, validation]).filter(source="sample_belle_zh").height
    assert 0 < of_belle <= 100


def test_its_languages_have_the_shares_asked_for(
    quickstart: Refreshed, mixed: tuple[Outcome, CorpusManifest]
) -> None:
    composition = mixed[1].statistics.composition
    rows = {line.value: line.rows for line in composition if line.key == "language"}
    assert rows["zh"] / (rows["zh"] + rows["en"]) == pytest.approx(0.3, abs=0.02)
    assert dict(mixed[1].notes)["balance: language zh"].endswith("wanted 0.3")


def test_the_stages_before_sampling_are_those_of_the_parent(
    quickstart: Refreshed, mixed: tuple[Outcome, CorpusManifest]
) -> None:
    def named(manifest: CorpusManifest) -> set[tuple[str, str]]:
        return {(one.stage, one.digest) for one in manifest.stages}

    assert {stage for stage, _ in named(mixed[1]) - named(quickstart.manifest)} == {"sample"}
    assert "sample" not in {one.stage for one in quickstart.manifest.stages}


def test_the_cut_of_the_stage_shards_does_not_count(
    tmp_path: Path, mixed: tuple[Outcome, CorpusManifest]
) -> None:
    lake = Lake(str(tmp_path / "lake"))
    other, manifest = refreshed(tmp_path, lake, "mixed", sampling=SAMPLING, stage_shard_rows=97)
    assert other.digest == mixed[0].digest
    assert manifest.drops == mixed[1].drops
