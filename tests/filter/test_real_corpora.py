"""Facts about real corpora, where they are at hand beside the repository."""

import json
from pathlib import Path

import polars as pl
import pytest

from schemas.filter import Contamination, EvaluationSet, Filter
from schemas.reasons import DropReason
from tasks.filter.stage import index_sets, judge_rows
from tasks.lake import Lake
from tasks.shards import scan_shard, write_shard
from tests.filter.rows import records

SHARED = Path(__file__).resolve().parents[3] / "shared"
EVALUATIONS = SHARED / "evaluations"

pytestmark = pytest.mark.skipif(
    not SHARED.is_dir(), reason=f"the real corpora are not there: {SHARED}"
)


def verdicts(rows: pl.DataFrame, tmp_path: Path, *sets: EvaluationSet) -> pl.DataFrame:
    lake = Lake(str(tmp_path / "lake"))
    rules = Filter(contamination=Contamination(sets=sets))
    shard = write_shard(rows, lake, "part-00000.parquet", source="real")
    manifest = judge_rows(lake, shard, rules, index_sets(lake, rules.contamination))
    return scan_shard(lake, manifest.shards[0]).with_row_index("source_row").collect()


def test_alpaca_loses_its_empty_outputs_and_few_other_rows(tmp_path):
    rows = json.loads((SHARED / "corpora/alpaca/alpaca_data.json").read_text(encoding="utf-8"))
    alpaca = records(
        *((f"{row['instruction']}\n\n{row['input']}".strip(), row["output"]) for row in rows)
    ).collect()
    humaneval = EvaluationSet(
        name="humaneval",
        path=str(EVALUATIONS / "HumanEval.jsonl.gz"),
        columns=("prompt", "canonical_solution"),
    )
    found = verdicts(alpaca, tmp_path, humaneval)
    counts = dict(found["drop_reason"].drop_nulls().value_counts().rows())
    assert counts == {
        DropReason.EMPTY_RESPONSE: 28,
        DropReason.ECHO: 1,
        DropReason.NO_CONTENT: 85,
        DropReason.TRUNCATED: 19,
        DropReason.UNOPENED_URL: 131,
        DropReason.MISSING_ATTACHMENT: 51,
        DropReason.EMAIL: 4,
        DropReason.PHONE: 7,
        DropReason.EVALUATION_OVERLAP: 3,
    }
    # A list of primes, as in HumanEval/96.
    assert "humaneval:96" in found.filter(source_row=27636)["expected"].to_list()


def test_flan_cot_repeats_three_questions_of_the_gsm8k_test_set(tmp_path):
    file = SHARED / "corpora/flan_cot/gsm8k_train.tsv"
    lines = file.read_text(encoding="utf-8").strip().split("\n")
    parts = [line.replace("\\n", "\n").split("\t") for line in lines]
    rows = records(*((prompt, f"{rationale}\n{answer}") for prompt, answer, rationale in parts))
    gsm8k = EvaluationSet(
        name="gsm8k", path=str(EVALUATIONS / "gsm8k_test.jsonl"), columns=("question",)
    )
    found = verdicts(rows.collect(), tmp_path, gsm8k).filter(
        drop_reason=DropReason.EVALUATION_OVERLAP
    )
    assert found.select("source_row", "expected").rows() == [
        (20, "gsm8k:632"),
        (406, "gsm8k:581"),
        (1314, "gsm8k:602"),
        (5162, "gsm8k:602"),
    ]
