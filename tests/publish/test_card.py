"""The dataset card: its head is the Hub's, its numbers are the manifest's."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from schemas.licences import TERMS
from schemas.manifest import Composition, CorpusManifest
from tasks.lake import Lake
from tasks.publish import card
from tasks.publish.card import dataset_card
from tests.publish.published import BOTH_SPLITS, folder_of, publish

# as the Hub's own refusal lists them: github.com/huggingface/huggingface_hub/issues/4218
HUB_LICENCES = """
apache-2.0 mit openrail bigscience-openrail-m creativeml-openrail-m bigscience-bloom-rail-1.0
bigcode-openrail-m afl-3.0 artistic-2.0 bsl-1.0 bsd bsd-2-clause bsd-3-clause bsd-3-clause-clear
c-uda cc cc0-1.0 cc-by-2.0 cc-by-2.5 cc-by-3.0 cc-by-4.0 cc-by-sa-3.0 cc-by-sa-4.0 cc-by-nc-2.0
cc-by-nc-3.0 cc-by-nc-4.0 cc-by-nd-4.0 cc-by-nc-nd-3.0 cc-by-nc-nd-4.0 cc-by-nc-sa-2.0
cc-by-nc-sa-3.0 cc-by-nc-sa-4.0 cdla-sharing-1.0 cdla-permissive-1.0 cdla-permissive-2.0 wtfpl
ecl-2.0 epl-1.0 epl-2.0 etalab-2.0 eupl-1.1 eupl-1.2 agpl-3.0 gfdl gpl gpl-2.0 gpl-3.0 lgpl
lgpl-2.1 lgpl-3.0 isc lppl-1.3c ms-pl mpl-2.0 odc-by odbl osl-3.0 postgresql ofl-1.1 ncsa
unlicense zlib pddl unknown other
"""
NASTY = "a|b <script>alert(1)</script> `x` [y](z)\n---\nlicense: mit"


@pytest.fixture
def manifest(tmp_path: Path) -> CorpusManifest:
    return publish(Lake(str(tmp_path / "lake")))


def head(card: str) -> dict[str, Any]:
    found = re.match(r"---\n(.*?)\n---\n", card, re.DOTALL)
    assert found
    return yaml.safe_load(found[1])


def licensed(manifest: CorpusManifest, *licences: str) -> CorpusManifest:
    """The manifest with one row of its first source under each licence, and no other source."""
    source = manifest.sources[0].model_copy(
        update={"licences": tuple((one, 1) for one in licences), "licence": licences[0]}
    )
    return manifest.model_copy(update={"sources": (source,)})


def test_every_identifier_of_the_hub_is_one_that_it_knows() -> None:
    assert {terms.hub for terms in TERMS.values() if terms.hub} <= set(HUB_LICENCES.split())


# fmt: off
HEADS = {  #                    licences                              what the head says
    "one":                    (["MIT"],                              {"license": "mit"}),
    "one under its own name": (["GPL-3.0-only"],                     {"license": "gpl-3.0"}),
    "unknown":                (["unknown"],                          {"license": "unknown"}),
    "two":                    (["MIT", "CC-BY-NC-4.0"],              {"license": ["cc-by-nc-4.0", "mit"]}),
    "an expression":          (["MIT OR Apache-2.0"],                {"license": ["apache-2.0", "mit"]}),
    "one twice":              (["MIT", "mit"],                       {"license": "mit"}),
    "none of the Hub's":      (["LicenseRef-Ours"],                  {"license": "other", "license_name": "licenseref-ours"}),
    "some of the Hub's":      (["MIT", "OGL-UK-3.0"],                {"license": ["mit", "other"], "license_name": "ogl-uk-3.0"}),
    "prose of a row":         (["MIT\nlicense: <x>"],                {"license": "other", "license_name": "mit-license-x"}),
}
# fmt: on


@pytest.mark.parametrize(("licences", "said"), HEADS.values(), ids=HEADS)
def test_the_head_names_licences_as_the_hub_does(
    licences: list[str], said: dict[str, Any], manifest: CorpusManifest
) -> None:
    found = head(dataset_card(licensed(manifest, *licences)))
    assert {key: value for key, value in found.items() if key.startswith("license")} == said


def test_the_head_lists_the_files_of_each_split(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path / "l"))
    manifest = publish(lake, publish={"shard_rows": 1}, **BOTH_SPLITS)
    (config,) = head((folder_of(lake, manifest) / "README.md").read_text("utf-8"))["configs"]
    assert config == {
        "config_name": "default",
        "data_files": [
            {"split": split.name, "path": [shard.uri for shard in split.shards]}
            for split in manifest.splits
        ],
    }


def test_the_head_names_languages_and_size(manifest: CorpusManifest) -> None:
    found = head(dataset_card(manifest))
    assert (found["language"], found["size_categories"]) == (["en"], ["n<1K"])


def test_a_language_of_a_row_or_two_among_very_many_is_not_named(manifest: CorpusManifest) -> None:
    rows = {"en": 9_800, "zh": 100, "cs": 99, "unknown": 1}
    counted = tuple(Composition(key="language", value=one, rows=n) for one, n in rows.items())
    statistics = manifest.statistics.model_copy(update={"composition": counted})
    card = dataset_card(manifest.model_copy(update={"rows_out": 10_000, "statistics": statistics}))
    assert head(card)["language"] == ["en", "zh"]


def test_licences_are_listed_with_rows_terms_and_sources(manifest: CorpusManifest) -> None:
    lines = dataset_card(manifest).splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith("| licence |"))
    assert lines[start + 2 : start + 5] == [
        "| CC-BY-NC-4.0 | 2 | no | required | not asked | allowed | alpaca |",
        "| GPL-3.0-only | 1 | yes | required | required | allowed | belle |",
        "| unknown | 1 | unknown | unknown | unknown | unknown | belle |",
    ]


def test_terms_that_differ_between_parts_are_not_told_as_one(manifest: CorpusManifest) -> None:
    card = dataset_card(licensed(manifest, "MIT OR CC-BY-NC-SA-4.0"))
    assert (
        "| MIT OR CC-BY-NC-SA-4.0 | 1 | by its parts | required | by its parts | allowed |" in card
    )


def test_very_many_licences_are_added_up_and_none_is_lost(manifest: CorpusManifest) -> None:
    licences = [f"LicenseRef-{number:03d}" for number in range(52)]
    card = dataset_card(licensed(manifest, *licences))
    assert "LicenseRef-049 |" in card
    assert "LicenseRef-050 |" not in card
    assert "| 2 others | 2 |" in card


def test_numbers_are_the_manifests(manifest: CorpusManifest) -> None:
    card = dataset_card(manifest.model_copy(update={"rows_in": 61_234_567, "rows_out": 54_321}))
    assert "61,234,567 rows went in, 54,321 came out" in card
    assert manifest.digest in card
    for split in manifest.splits:
        assert f"| {split.name} | {split.rows:,} |" in card


# fmt: off
PLACES = {  #                  publish                       how it is loaded
    "a folder":              ({},                            'load_dataset("path/to/this/folder")'),
    "a repository":          ({"hub": "winnow/tiny"},        'load_dataset("winnow/tiny", revision="v0001")'),
}
# fmt: on


@pytest.mark.parametrize(("parts", "call"), PLACES.values(), ids=PLACES)
def test_it_says_how_the_version_is_loaded(
    parts: dict[str, str], call: str, tmp_path: Path
) -> None:
    assert call in dataset_card(publish(Lake(str(tmp_path / "l")), publish=parts))


def test_text_of_others_brings_no_markup_and_no_key(manifest: CorpusManifest) -> None:
    source = manifest.sources[0].model_copy(
        update={"citation": NASTY, "homepage": NASTY, "licences": ((NASTY, 2),)}
    )
    recipe = manifest.recipe | {"description": NASTY}
    card = dataset_card(manifest.model_copy(update={"sources": (source,), "recipe": recipe}))
    body = card.split("---\n", 2)[2]
    assert "<script>" not in body
    assert "[y](z)" not in body
    assert head(card)["license"] == "other"


def test_the_machine_that_made_it_is_not_on_the_card(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path / "lake"))
    manifest = publish(lake)
    card = (folder_of(lake, manifest) / "README.md").read_text("utf-8")
    assert str(tmp_path) not in card
    assert manifest.host not in card


# the list of `datasets`: n<1K and n>1T, and between them from power to power of ten
SIZES = {
    0: "n<1K", 999: "n<1K", 1_000: "1K<n<10K", 9_999: "1K<n<10K", 10_000: "10K<n<100K",
    100_000: "100K<n<1M", 999_999: "100K<n<1M", 1_000_000: "1M<n<10M", 9_999_999: "1M<n<10M",
    10**7: "10M<n<100M", 10**8: "100M<n<1B", 10**9: "1B<n<10B", 10**10: "10B<n<100B",
    10**11: "100B<n<1T", 10**12 - 1: "100B<n<1T", 10**12: "n>1T",
}  # fmt: skip


@pytest.mark.parametrize(("rows", "size"), SIZES.items())
def test_the_size_is_one_of_the_hubs_categories(rows: int, size: str) -> None:
    assert card._size(rows) == size
