"""The samples that ship with Winnow: normalize counts what `faults.yaml` lists."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from schemas.recipe import DEPLOYMENTS, load_source
from tests.normalize.lakes import normalized

SAMPLES = DEPLOYMENTS / "samples"
LISTED = yaml.safe_load((SAMPLES / "faults.yaml").read_text(encoding="utf-8"))
READ_HERE = ("unreadable", "no_response")


@pytest.mark.parametrize("file", LISTED["files"])
def test_a_sample_yields_its_rows_and_its_planted_faults(file: str, tmp_path: Path) -> None:
    made_of = load_source(f"sample_{file.split('.', maxsplit=1)[0]}", SAMPLES)
    expected: dict[int, Any] = {
        fault["row"]: fault["expect"]
        for fault in LISTED["faults"]
        if fault["file"] == file and fault["expect"] in READ_HERE
    }

    done = normalized(tmp_path, {file: (SAMPLES / file).read_bytes()}, made_of)

    assert done.manifest.rows_in == LISTED["files"][file]["rows"]
    found = dict(done.ledger.select("source_row", "drop_reason").iter_rows())
    assert found == expected
    band = made_of.expected_rows
    assert band.min <= done.manifest.rows_out <= band.max


def test_no_sample_ends_a_line_in_a_carriage_return(tmp_path: Path) -> None:
    made_of = load_source("sample_cot", SAMPLES)

    done = normalized(tmp_path, {"cot.tsv": (SAMPLES / "cot.tsv").read_bytes()}, made_of)

    assert not [text for turns in done.conversations for _, text in turns if "\r" in text]
