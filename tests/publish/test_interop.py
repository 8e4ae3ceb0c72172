"""A version as others read it: datasets, Polars, pandas, DuckDB and TRL."""

from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pytest
from datasets import disable_progress_bars, load_dataset

from schemas.ledger import PUBLISHED
from schemas.manifest import CorpusManifest
from tasks.lake import Lake
from tests.publish.published import BOTH_SPLITS, folder_of, publish
from tests.trainer.building import build_model

EXPECTED = {
    ("Name a primate.", "Lemur", "alpaca", "CC-BY-NC-4.0"),
    ("Name a colour.", "Teal", "alpaca", "CC-BY-NC-4.0"),
    ("一加一等于几？", "二", "belle", "GPL-3.0-only"),
    ("Name a <b>fish.", "鱼 `tuna`", "belle", "unknown"),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    lake = Lake(str(tmp_path_factory.mktemp("interop") / "lake"))
    return folder_of(lake, version(lake))


def version(lake: Lake) -> CorpusManifest:
    return publish(lake, publish={"shard_rows": 2}, **BOTH_SPLITS)


def told(row: Any) -> tuple[str, str, str, str]:
    user, assistant = (message["content"] for message in row["messages"])
    return user, assistant, row["source"], row["licence"]


def test_datasets_reads_every_split(folder: Path, tmp_path: Path) -> None:
    disable_progress_bars()
    found = load_dataset(str(folder), cache_dir=str(tmp_path))
    assert set(found) == {"train", "validation"}
    assert {told(row) for split in found.values() for row in split} == EXPECTED
    assert list(found["train"].features) == list(PUBLISHED)


def test_datasets_streams_it(folder: Path, tmp_path: Path) -> None:
    found = load_dataset(str(folder), streaming=True, cache_dir=str(tmp_path))
    assert {told(row) for split in found.values() for row in split} == EXPECTED


def test_polars_scans_it(folder: Path) -> None:
    rows = pl.scan_parquet(folder / "data" / "*.parquet").collect()
    assert dict(rows.schema) == dict(PUBLISHED)
    assert {told(row) for row in rows.to_dicts()} == EXPECTED


def test_pandas_reads_it(folder: Path) -> None:
    rows = pd.concat([pd.read_parquet(path) for path in sorted((folder / "data").iterdir())])
    assert list(rows.columns) == list(PUBLISHED)
    assert {told(row) for row in rows.to_dict("records")} == EXPECTED
    assert rows["prompt_chars"].sum() == sum(len(user) for user, *_ in EXPECTED)


def test_duckdb_queries_it(folder: Path) -> None:
    with duckdb.connect() as connection:
        rows = connection.execute(
            "select messages[1].content, messages[-1].content, source, licence from read_parquet(?)",
            [str(folder / "data" / "*.parquet")],
        ).fetchall()
        (counted,) = connection.execute(
            "select sum(prompt_chars) from read_parquet(?) where messages[-1].role = 'assistant'",
            [str(folder / "data" / "*.parquet")],
        ).fetchall()
    assert set(rows) == EXPECTED
    assert counted == (sum(len(user) for user, *_ in EXPECTED),)


@pytest.mark.filterwarnings("ignore:`gradient_checkpointing:FutureWarning")  # TRL asks transformers
def test_trl_trains_from_it_as_it_is(folder: Path, tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl import SFTConfig, SFTTrainer, is_conversational

    disable_progress_bars()
    train = load_dataset(str(folder), split="train", cache_dir=str(tmp_path / "cache"))
    assert all(is_conversational(row) for row in train)
    model = build_model(tmp_path / "model")
    settings = SFTConfig(
        output_dir=str(tmp_path / "out"),
        max_steps=1,
        report_to=[],
        use_cpu=True,
        bf16=False,
        disable_tqdm=True,
        save_strategy="no",
    )
    trainer = SFTTrainer(
        model=AutoModelForCausalLM.from_pretrained(model),
        args=settings,
        train_dataset=train,
        processing_class=AutoTokenizer.from_pretrained(model),
    )
    texts = {trainer.processing_class.decode(row["input_ids"]) for row in trainer.train_dataset}
    assert len(texts) == train.num_rows
    assert all(any(said in text for text in texts) for _, said, *_ in map(told, train))
    assert trainer.train().training_loss > 0
