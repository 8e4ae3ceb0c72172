"""Input as bad as it comes, through every stage: no crash, and the right verdict on every row."""

import json
from pathlib import Path

import polars as pl
import pytest
import yaml

from flows.refresh_corpus import refresh_corpus
from schemas.errors import SourceError
from schemas.manifest import CorpusManifest
from schemas.quality import Quality
from tasks.corpora import newest_manifest, version_key
from tasks.lake import Lake
from tasks.publish.verify import problems

MEGABYTES = ". ".join(f"{n:x} {n * n:x} is" for n in range(330_000)) + "."
WORD = "word " * 3_000
# A recipe that would let everything pass for its length, and asks every other rule.
RULES = {
    "lengths": {"max_prompt_chars": 10_000_000, "max_response_chars": 10_000_000},
    "quality": {name: {"enabled": True} for name in Quality.model_fields if name != "length_ratio"},
    "contamination": {"sets": [{"name": "odd", "path": "odd.jsonl"}]},
}
ODD_ITEMS = (("Is there anything in it?", ""), ("", "Nothing."), ("\u200b\ud83d", "."), ("a", "A"))

# fmt: off
ROWS = {  #                          prompt                                  response                             verdict
    "nothing":                      ("",                                     "",                                  "empty_prompt"),
    "an empty prompt":              ("",                                     "Something is here.",                "empty_prompt"),
    "an empty response":            ("Say something.",                       "",                                  "empty_response"),
    "white space":                  (" \u3000\t",                            "It is about nothing.",              "empty_prompt"),
    "one character":                ("b",                                    "c",                                 None),
    "an evaluation item of one":    ("a",                                    "b",                                 "evaluation_overlap"),
    "5 MB":                         ("Write a very long text.",              MEGABYTES,                           "exact_duplicate"),
    "5 MB, again":                  ("write a very LONG text.",              MEGABYTES,                           None),
    "a question of 5 MB":           (MEGABYTES,                              "That is a long one.",               None),
    "lone surrogates":              ("What is \ud800 in the middle?",        "A lone surrogate: \udfff.",         None),
    "nothing but surrogates":       ("\ud800",                               "\udfff",                            None),
    "signs of direction":           ("What does \u202eabc\u202c mean here?", "It is \u200fmarked\u200e by signs.", "exact_duplicate"),
    "without signs of direction":   ("What does abc mean here?",             "It is marked by signs.",            None),
    "zero width":                   ("What is a zero\u200bwidth space?",     "A sp\u200bace with no width.",      "exact_duplicate"),
    "without zero width":           ("What is a zerowidth space?",           "A space with no width.",            None),
    "zero width alone":             ("Say nothing at all.",                  "\u200b\u200b",                      "empty_response"),
    "asked in zero width":          ("\u200b",                               "I was asked for nothing.",          "empty_prompt"),
    "one word, repeated":           ("Repeat one word for me.",              WORD,                                "character_run"),
    "one word, echoed":             (WORD,                                   WORD,                                "echo"),
    "one word, asked for":          (WORD,                                   "That is one word.",                 None),
}
# fmt: on


def refreshed(folder: Path, rows: list[tuple[str, str]]) -> tuple[Lake, CorpusManifest]:
    """The version that is made of these rows and no others."""
    items = [{"instruction": user, "input": "", "output": said} for user, said in rows]
    (folder / "bad.json").write_text(json.dumps(items))
    odd = (json.dumps({"question": asked, "answer": said}) for asked, said in ODD_ITEMS)
    (folder / "odd.jsonl").write_text("\n".join(odd))
    local = {"path": "bad.json"}
    source = {"name": "bad", "layout": "alpaca", "licence": "MIT", "local": local}
    recipe = {"name": "bad", "sources": [source], "filter": RULES}
    (folder / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    lake = Lake(str(folder / "lake"))
    refresh_corpus(str(folder / "recipe.yaml"), lake.uri, None, False)
    manifest = newest_manifest(lake, "bad")
    assert manifest is not None
    return lake, manifest


def verdicts(lake: Lake, manifest: CorpusManifest) -> list[str | None]:
    """The reason of each row, in the order of the source; None where it is published."""
    folder = lake.at(version_key(manifest.name, manifest.version))
    published = pl.scan_parquet(f"{folder}/data/*.parquet").select(
        "source_row", drop_reason=pl.lit(None, pl.String)
    )
    dropped = pl.scan_parquet(f"{folder}/ledger/*.parquet").select("source_row", "drop_reason")
    rows = pl.concat([published, dropped]).sort("source_row").collect()
    assert rows["source_row"].to_list() == list(range(manifest.rows_in))
    return rows["drop_reason"].to_list()


def test_every_bad_row_gets_its_verdict(tmp_path: Path) -> None:
    lake, manifest = refreshed(tmp_path, [(user, said) for user, said, _ in ROWS.values()])
    found = dict(zip(ROWS, verdicts(lake, manifest), strict=True))
    assert found == {name: reason for name, (*_, reason) in ROWS.items()}
    assert problems(lake, manifest) == []


def test_of_rows_that_are_all_equal_one_is_published(tmp_path: Path) -> None:
    lake, manifest = refreshed(tmp_path, [("Name a primate.", "Lemur")] * 300)
    assert verdicts(lake, manifest) == [None] + ["exact_duplicate"] * 299
    assert manifest.rows_out == 1
    assert problems(lake, manifest) == []


@pytest.mark.parametrize("raw", ["", "[]", "\n \n", "{}"])
def test_no_rows_at_all_are_one_clear_error(tmp_path: Path, raw: str) -> None:
    (tmp_path / "bad.json").write_text(raw)
    source = {"name": "bad", "layout": "alpaca", "licence": "MIT", "local": {"path": "bad.json"}}
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(yaml.safe_dump({"name": "bad", "sources": [source]}))
    with pytest.raises(SourceError) as error:
        refresh_corpus(str(recipe), str(tmp_path / "lake"), None, False)
    assert "bad" in str(error.value)
