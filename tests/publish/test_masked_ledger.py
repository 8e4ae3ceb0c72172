"""Ledgers are shared: the personal data that a recipe drops stands in none of them in full."""

from pathlib import Path

import polars as pl
import pytest

from schemas.manifest import CorpusManifest, Statistics
from schemas.privacy import Privacy
from tasks.corpora import version_key
from tasks.lake import Lake
from tasks.publish.shards import _ledger_rows
from tasks.publish.verify import problems
from tasks.publish.version import publish_version
from tests.judgements import judgement, recipe_of

MAIL, PHONE = "greta_l@posteo.net", "502-294-8258"
TABLE = f"""
    source | user                | assistant       | reason
    alpaca | Name a primate.     | Lemur           |
    alpaca | Whose is {MAIL}?    | Greta's         | email
    alpaca | Mail {MAIL}, {PHONE} | Yes.           | exact_duplicate
    belle  | Say                 |                 | empty_response
"""


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "lake"))


def ledger(lake: Lake, **privacy: object) -> tuple[CorpusManifest, list[list[str]]]:
    """The version, and the contents of its ledger's rows."""
    judged, receipts = judgement(lake, TABLE)
    recipe = recipe_of("alpaca", "belle", filter={"privacy": privacy})
    manifest, _ = publish_version(
        lake, recipe, judged, receipts, (), Statistics(), (), lambda *_: {}
    )
    folder = version_key(manifest.name, manifest.version)
    rows = pl.concat(pl.read_parquet(lake.at(f"{folder}/{one.uri}")) for one in manifest.ledger)
    return manifest, [[turn["content"] for turn in turns] for turns in rows["messages"].to_list()]


def test_it_is_masked_whatever_the_row_fell_to(lake: Lake) -> None:
    manifest, told = ledger(lake)
    assert told == [
        ["Whose is g…@p….net?", "Greta's"],
        ["Mail g…@p….net, 502…58", "Yes."],
        ["Say", ""],
    ]
    assert problems(lake, manifest) == []


def test_the_definitions_of_tools_and_what_could_not_be_read_are_masked_too(lake: Lake) -> None:
    row = {
        "source": "alpaca",
        "source_row": 0,
        "drop_reason": "echo",
        "stage": "filter",
        "tools": f'[{{"to": "{MAIL}"}}]',
        "message": f"unexpected {MAIL}",
        "found": f"<{PHONE}>",
    }
    privacy = Privacy.from_mapping({"email": "drop", "phone": "redact"}, "test")
    (told,) = _ledger_rows(pl.DataFrame([row]), privacy).to_dicts()
    assert told["tools"] == '[{"to": "g…@p….net"}]'
    assert told["message"] == "unexpected g…@p….net"
    assert told["found"] == "<502…58>"


def test_what_the_recipe_keeps_is_not_masked(lake: Lake) -> None:
    _, told = ledger(lake, email="keep")
    assert told[1] == [f"Mail {MAIL}, 502…58", "Yes."]
