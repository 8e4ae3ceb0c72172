"""croissant.json: valid by mlcroissant, read by it, and every number the manifest's."""

import json
from pathlib import Path
from typing import Any

import mlcroissant
import polars as pl
import pytest

from schemas.ledger import PUBLISHED
from schemas.manifest import CorpusManifest
from tasks.lake import Lake
from tasks.publish.croissant import croissant
from tests.publish.published import BOTH_SPLITS, folder_of, publish

# mlcroissant's own use of rdflib and pandas
pytestmark = [
    pytest.mark.filterwarnings("ignore:ConjunctiveGraph is deprecated"),
    pytest.mark.filterwarnings("ignore:The inplace keyword in DataFrame"),
]


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "lake"))


@pytest.fixture
def manifest(lake: Lake) -> CorpusManifest:
    return publish(lake, publish={"shard_rows": 1}, **BOTH_SPLITS)


def page(lake: Lake, manifest: CorpusManifest) -> dict[str, Any]:
    return json.loads((folder_of(lake, manifest) / "croissant.json").read_bytes())


def test_it_is_valid_without_an_error_or_a_warning(lake: Lake, manifest: CorpusManifest) -> None:
    found = mlcroissant.Dataset(str(folder_of(lake, manifest) / "croissant.json"))
    issues = found.metadata.ctx.issues
    assert (set(issues.errors), set(issues.warnings)) == (set(), set())


def test_mlcroissant_reads_every_row_with_its_split(lake: Lake, manifest: CorpusManifest) -> None:
    dataset = mlcroissant.Dataset(str(folder_of(lake, manifest) / "croissant.json"))
    read = [
        {
            "split": row["default/split"].decode(),
            "record_id": row["default/record_id"].decode(),
            "messages": [
                {key.rpartition("/")[2]: text.decode() for key, text in message.items()}
                for message in row["default/messages"]
            ],
        }
        for row in dataset.records("default")
    ]
    rows = [
        {"split": split.name, **row}
        for split in manifest.splits
        for shard in split.shards
        for row in pl.read_parquet(folder_of(lake, manifest) / shard.uri)
        .select("record_id", "messages")
        .to_dicts()
    ]
    assert sorted(read, key=lambda row: row["record_id"]) == sorted(
        rows, key=lambda row: row["record_id"]
    )


def test_every_data_file_is_named_with_its_size_and_digest(
    lake: Lake, manifest: CorpusManifest
) -> None:
    files = [one for one in page(lake, manifest)["distribution"] if "sha256" in one]
    shards = [shard for split in manifest.splits for shard in split.shards]
    assert len(shards) == 4
    assert [(one["contentUrl"], one["sha256"], one["contentSize"]) for one in files] == [
        (shard.uri, shard.sha256, f"{shard.size_bytes} B") for shard in shards
    ]


def test_every_column_is_a_field(lake: Lake, manifest: CorpusManifest) -> None:
    _, records = page(lake, manifest)["recordSet"]
    assert [field["name"] for field in records["field"]] == ["split", *PUBLISHED]
    messages = next(field for field in records["field"] if field["name"] == "messages")
    assert messages["repeated"] is True
    assert [field["name"] for field in messages["subField"]] == ["role", "content"]


def test_licences_sources_and_drops_are_the_manifests(lake: Lake, manifest: CorpusManifest) -> None:
    found = page(lake, manifest)
    assert found["license"] == [
        "https://spdx.org/licenses/CC-BY-NC-4.0.html",
        "https://spdx.org/licenses/GPL-3.0-only.html",
        "unknown",
    ]
    assert [one["name"] for one in found["isBasedOn"]] == ["alpaca", "belle"]
    assert found["rai:dataPreprocessingProtocol"] == [
        "dedupe_exact: 1 rows dropped as exact_duplicate.",
        "filter: 1 rows dropped as empty_response.",
    ]
    assert "4 conversations" in found["description"]
    assert manifest.digest in found["description"]
    assert found["version"] == "1.0.0"


def test_it_is_a_page_of_the_version_and_names_nothing_that_names_it(
    lake: Lake, manifest: CorpusManifest
) -> None:
    assert "croissant.json" in {one.name for one in manifest.pages}
    listed = {one["@id"] for one in page(lake, manifest)["distribution"]}
    assert not listed & {"manifest.json", "README.md", "croissant.json", "report.html"}
    drafted = manifest.model_copy(update={"pages": (), "seal": None})
    assert croissant(drafted) == (folder_of(lake, manifest) / "croissant.json").read_text("utf-8")


def test_an_empty_version_is_described_too(lake: Lake) -> None:
    table = "source | user | assistant | reason\nalpaca | Say nothing. | | empty_response"
    manifest = publish(lake, table)
    dataset = mlcroissant.Dataset(str(folder_of(lake, manifest) / "croissant.json"))
    assert not set(dataset.metadata.ctx.issues.errors)


def test_arrow_files_are_called_arrow(lake: Lake) -> None:
    manifest = publish(lake, publish={"format": "arrow"})
    formats = {str(one["encodingFormat"]) for one in page(lake, manifest)["distribution"][:-1]}
    assert formats == {"application/vnd.apache.arrow.file"}
