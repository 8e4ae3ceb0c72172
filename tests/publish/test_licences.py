"""What a version says of its licences: every row under one, in the manifest and on the card."""

from pathlib import Path

import polars as pl
import pytest
from pydantic import ValidationError

from schemas.errors import ConfigError
from schemas.manifest import SourceEntry
from schemas.recipe import Recipe
from tasks.lake import Lake
from tasks.publish.licences import licence_rows, with_licences
from tests.judgements import recipe_of
from tests.publish.published import publish


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "lake"))


def commercial(**more: object) -> Recipe:
    return recipe_of("mine", filter={"licences": {"commercial": True, **more}})


def test_the_manifest_counts_each_sources_rows_by_licence(lake: Lake) -> None:
    manifest = publish(lake)
    assert {source.name: source.licences for source in manifest.sources} == {
        "alpaca": (("CC-BY-NC-4.0", 2),),
        "belle": (("GPL-3.0-only", 1), ("unknown", 1)),
    }
    assert [(one.licence, one.rows, one.sources) for one in licence_rows(manifest)] == [
        ("CC-BY-NC-4.0", 2, ("alpaca",)),
        ("GPL-3.0-only", 1, ("belle",)),
        ("unknown", 1, ("belle",)),
    ]


def test_repeated_rows_each_count(lake: Lake) -> None:
    entry = publish(lake).sources[0].model_copy(update={"licences": ()})
    published = pl.DataFrame({"source": ["alpaca"] * 3, "licence": ["MIT", "ISC", "MIT"]})
    (counted,) = with_licences([entry], published)
    assert counted.licences == (("MIT", 2), ("ISC", 1))


def test_licences_that_do_not_cover_every_row_cannot_be_recorded(lake: Lake) -> None:
    source = publish(lake).sources[0].model_dump()
    with pytest.raises(ValidationError, match="1 rows state a licence, rows_out is 2"):
        SourceEntry.model_validate(source | {"licences": (("MIT", 1),)})


def test_a_source_with_no_row_left_has_no_licence(lake: Lake) -> None:
    table = "source | user | assistant | reason\nalpaca | Say nothing. | | empty_response"
    manifest = publish(lake, table)
    assert [source.licences for source in manifest.sources] == [()]
    assert licence_rows(manifest) == ()


def test_an_older_manifest_says_the_sources_licence_of_all_its_rows(lake: Lake) -> None:
    source = publish(lake).sources[0]
    older = SourceEntry.model_validate(source.model_dump(exclude={"licences"}))
    assert older.rows_by_licence == (("MIT", 2),)


def test_a_commercial_recipe_does_not_train_from_a_version_that_is_not(lake: Lake) -> None:
    version = publish(lake)
    with pytest.raises(ConfigError) as caught:
        commercial().check_licences(version)
    assert str(caught.value).splitlines()[:3] == [
        "tiny v0001, to be used by recipe 'tiny': filter.licences does not let these sources in:",
        "  alpaca: CC-BY-NC-4.0 forbids commercial use",
        "  belle: no licence is known",
    ]
    recipe_of("mine").check_licences(version)
