"""The JSON Schemas in docs/schemas are those of the code."""

import json
from pathlib import Path

import pytest

from schemas.documents import DOCUMENTS

FOLDER = Path(__file__).resolve().parents[2] / "docs/schemas"


@pytest.mark.parametrize("kind", DOCUMENTS)
def test_the_published_schema_is_current(kind: str) -> None:
    published = json.loads((FOLDER / f"{kind}.json").read_text("utf-8"))
    assert published == DOCUMENTS[kind].model_json_schema(), (
        f"write it anew: winnow schema {kind} | python -m json.tool > docs/schemas/{kind}.json"
    )


def test_every_published_schema_is_of_the_code() -> None:
    assert {path.stem for path in FOLDER.glob("*.json")} == set(DOCUMENTS)
