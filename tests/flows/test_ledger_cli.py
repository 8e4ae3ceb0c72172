"""`winnow why`, `winnow ledger` and `winnow try` as their users meet them."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml

from schemas.manifest import Drops
from schemas.recipe import DEPLOYMENTS
from tasks.corpora import versions
from tests.flows.conftest import Done, Refreshed, Winnow


@pytest.fixture
def winnow(winnow: Winnow, quickstart: Refreshed) -> Winnow:
    """The same on the lake of the quickstart, unless told otherwise."""

    def run(*arguments: str, lake: str = quickstart.lake.uri) -> Done:
        return winnow("--lake", lake, *arguments)

    return run


@pytest.fixture
def as_json(winnow: Winnow) -> Callable[..., Any]:
    """The one JSON object that a command prints, and nothing beside it."""

    def run(*arguments: str) -> Any:
        done = winnow(*arguments, "--json")
        assert (done.returncode, done.stderr) == (0, "")
        return json.loads(done.stdout)

    return run


AsJson = Callable[..., Any]


def dropped(quickstart: Refreshed, reason: str) -> Drops:
    """The counts of one reason; a source that lost rows for it."""
    return next(drop for drop in quickstart.manifest.drops if drop.reason == reason)


# --- why -----------------------------------------------------------------------------------------


def test_a_near_duplicate_stands_beside_the_row_it_fell_to(winnow: Winnow, as_json: AsJson) -> None:
    (row,) = as_json("ledger", "--reason", "near_duplicate", "--sample", "1")["sample"]
    done = winnow("why", f"{row['source']}:{row['source_row']}")
    assert done.returncode == 0
    kept = row["kept"]
    for said in (
        "dropped by dedupe_near: near_duplicate",
        f"prompt_similarity: {row['evidence']['prompt_similarity']}",
        "dedupe_exact: passes\n  filter: passes\n  dedupe_near: near_duplicate",
        f"fell to {kept['source']}:{kept['source_row']}  {kept['record_id']}  published",
        "~ prompt: ",
        *(line for message in kept["messages"] for line in message["content"].splitlines()),
    ):
        assert said in done.stdout


def test_a_row_of_an_evaluation_set_shows_the_item(winnow: Winnow, as_json: AsJson) -> None:
    (row,) = as_json("ledger", "--reason", "evaluation_overlap", "--sample", "1")["sample"]
    (item,) = row["evaluation_items"]
    assert f"{item['set']}:{item['row']}" == row["evidence"]["expected"]
    shown = winnow("why", row["record_id"][:10]).stdout
    assert f"evaluation item {item['set']}:{item['row']}\n    | {item['excerpt'][:40]}" in shown


def test_a_row_that_could_not_be_read_says_where_it_stood(winnow: Winnow, as_json: AsJson) -> None:
    (row,) = as_json("ledger", "--reason", "unreadable", "--sample", "1")["sample"]
    shown = winnow("why", f"{row['source']}:{row['source_row']}").stdout
    for name in ("file", "offset", "message"):
        assert f"{name}: {row['evidence'][name]}" in shown
    assert "gone from the lake" not in shown


def test_rows_that_say_the_same_are_counted_and_the_first_of_them_shown(winnow: Winnow) -> None:
    done = winnow("why", "Edward Jenner", "--limit", "1")
    total = int(done.stdout.split()[0])
    assert total > 1
    assert done.stdout.count("assistant>") >= 1
    assert f"{total - 1} more of {total}; more with --limit" in done.stderr


# fmt: off
UNKNOWN = {  #               arguments                                              says
    "no such text":         (("why", "Wherefore art thou Romeo"),                   "searched the"),
    "no such row":          (("why", "sample_dolly:99999"),                         "rows count from 0"),
    "source mistyped":      (("why", "sample_doly:0"),                              "did you mean 'sample_dolly'"),
    "no such id":           (("why", "0" * 32),                                     "ids and text"),
    "reason mistyped":      (("ledger", "--reason", "near_duplicat"),               "did you mean 'near_duplicate'"),
    "stage mistyped":       (("ledger", "--stage", "filtre"),                       "did you mean 'filter'"),
    "ledger of no source":  (("ledger", "--source", "sample_doly"),                 "did you mean 'sample_dolly'"),
    "no such version":      (("ledger", "--corpus", "quickstart@v0009"),            "no version or tag of corpus 'quickstart' is called 'v0009'"),
    "rule mistyped":        (("try", "lenghts"),                                    "did you mean 'lengths'"),
    "key mistyped":         (("try", "echo", "--set", "min_char=3"),                "did you mean 'min_chars'"),
    "try of no source":     (("try", "echo", "--source", "sample_doly"),            "did you mean 'sample_dolly'"),
    "another's recipe":     (("try", "echo", "--recipe", "quikstart"),              "did you mean 'quickstart'"),
}
# fmt: on


@pytest.mark.parametrize(("arguments", "says"), UNKNOWN.values(), ids=UNKNOWN)
def test_what_is_not_there_is_one_clear_error(
    winnow: Winnow, arguments: tuple[str, ...], says: str
) -> None:
    done = winnow(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert says in done.stderr
    as_object = json.loads(winnow(*arguments, "--json").stdout)
    assert says in as_object["message"]


# --- ledger --------------------------------------------------------------------------------------


def test_the_ledger_counts_what_the_manifest_says(as_json: AsJson, quickstart: Refreshed) -> None:
    manifest = quickstart.manifest
    whole = as_json("ledger")
    assert whole["rows"] == manifest.rows_in - manifest.rows_out
    assert sorted(map(str, whole["drops"])) == sorted(
        str(drop.model_dump(mode="json")) for drop in manifest.drops
    )
    drop = dropped(quickstart, "email")
    part = as_json("ledger", "--reason", "email", "--source", drop.source)
    assert (part["rows"], part["drops"]) == (drop.rows, [drop.model_dump(mode="json")])


def test_a_sample_is_drawn_by_its_seed(as_json: AsJson) -> None:
    def drawn(*arguments: str) -> list[str]:
        rows = as_json("ledger", "--sample", "6", *arguments)["sample"]
        return [f"{row['source']}:{row['source_row']}" for row in rows]

    assert drawn() == drawn()
    assert drawn("--seed", "1") == drawn("--seed", "1")
    assert drawn("--seed", "1") != drawn()


def test_the_ledger_is_written_as_csv(winnow: Winnow, tmp_path: Path) -> None:
    path = tmp_path / "near.csv"
    done = winnow("ledger", "--reason", "near_duplicate", "--csv", str(path))
    table = pl.read_csv(path)
    assert set(table["drop_reason"]) == {"near_duplicate"}
    assert f"{table.height} rows" in done.stdout


def test_what_a_corpus_says_cannot_command_the_terminal(
    winnow: Winnow, quickstart: Refreshed, tmp_path: Path
) -> None:
    lake = tmp_path / "lake"
    shutil.copytree(Path(quickstart.lake.at("corpora")), lake / "corpora")
    shard = next(lake.glob("corpora/*/v0001/ledger/sample*.parquet"))
    rows = pl.read_parquet(shard)
    spoken = rows["messages"].to_list()
    spoken[0][-1]["content"] = "[red]\x1b[31mred\u202e[/red]"
    rows.with_columns(pl.Series("messages", spoken, rows["messages"].dtype)).write_parquet(shard)
    place = f"{rows['source'][0]}:{rows['source_row'][0]}"
    shown = winnow("why", place, lake=str(lake)).stdout
    assert "[red]\ufffd[31mred\ufffd[/red]" in shown


# --- try -----------------------------------------------------------------------------------------


def test_a_stricter_bound_names_what_would_fall_and_publishes_nothing(
    as_json: AsJson, quickstart: Refreshed
) -> None:
    published = quickstart.lake.keys("corpora")
    tried = as_json("try", "lengths", "--set", "min_response_chars=20", "--sample", "3")
    assert tried["changes"] == {"min_response_chars": {"from": 1, "to": 20}}
    assert tried["published"] == quickstart.manifest.rows_out
    folder = Path(quickstart.outcome.path)
    response = pl.col("messages").list.last().struct.field("content").str.strip_chars()
    data = pl.read_parquet(f"{folder}/data/*.parquet")
    short = data.filter(response.str.len_chars() < 20)
    assert tried["dropped"]["rows"] == short.height
    assert tried["released"]["rows"] == 0
    by_source = {one["source"]: one["rows"] for one in tried["dropped"]["by"]}
    assert by_source == dict(short.group_by("source").len().rows())
    assert len(tried["dropped"]["examples"]) == 3
    for row in tried["dropped"]["examples"]:
        assert row["evidence"]["expected"] == "at least 20 characters"
        assert row["evidence"]["found"].endswith(("character", "characters"))
    assert tried["notes"] == []
    assert quickstart.lake.keys("corpora") == published
    assert versions(quickstart.lake, "quickstart") == ("v0001",)


def test_in_the_end_copies_take_the_places_of_rows_that_fall(
    winnow: Winnow, as_json: AsJson, quickstart: Refreshed
) -> None:
    tried = as_json("try", "lengths", "--set", "min_response_chars=20")
    leaving, entering = tried["leaving"]["rows"], tried["entering"]["rows"]
    assert leaving >= tried["dropped"]["rows"]
    assert tried["would_be_published"] == quickstart.manifest.rows_out - leaving + entering
    said = winnow("try", "lengths", "--set", "min_response_chars=20", "--sample", "1").stdout
    assert f"{tried['would_be_published']:,} rows would be published" in said
    assert f"{leaving:,} would leave, {entering:,} enter" in said


def test_personal_data_is_masked_in_what_a_trial_shows(as_json: AsJson) -> None:
    tried = as_json("try", "privacy", "--set", "email=keep", "--sample", "9")
    assert tried["released"]["rows"] > 0
    for row in tried["released"]["examples"]:
        said = " ".join(message["content"] for message in row["messages"])
        assert row["evidence"]["found"] in said
        assert "…@" in said


@pytest.mark.parametrize(
    ("rule", "reason"),
    [("identity", "model_identity"), ("echo", "echo"), ("contamination", "evaluation_overlap")],
)
def test_a_rule_switched_off_lets_its_rows_pass(
    as_json: AsJson, quickstart: Refreshed, rule: str, reason: str
) -> None:
    tried = as_json("try", rule, "--set", "enabled=false")
    lost = [drop for drop in quickstart.manifest.drops if drop.reason == reason]
    assert tried["dropped"]["rows"] == 0
    assert tried["released"]["rows"] == sum(drop.rows for drop in lost)
    assert {one["reason"] for one in tried["released"]["by"]} == {reason}
    assert {row["reason"] for row in tried["released"]["examples"]} == {reason}


def test_an_unchanged_rule_moves_nothing(as_json: AsJson) -> None:
    tried = as_json("try", "lengths")
    assert (tried["changes"], tried["dropped"]["rows"], tried["released"]["rows"]) == ({}, 0, 0)


def test_one_source_can_be_tried(as_json: AsJson) -> None:
    tried = as_json("try", "lengths", "--set", "min_response_chars=20", "--source", "sample_dolly")
    assert [one["source"] for one in tried["dropped"]["by"]] == ["sample_dolly"]


def test_a_looser_threshold_names_the_rows_that_would_fall_with_the_kept_ones(
    winnow: Winnow, as_json: AsJson, quickstart: Refreshed
) -> None:
    tried = as_json("try", "near", "--set", "threshold=0.6", "--set", "compare_numbers=false")
    assert tried["dropped"]["rows"] > 0
    for row in tried["dropped"]["examples"]:
        assert row["reason"] == "near_duplicate"
        assert row["kept"]["record_id"] == row["evidence"]["duplicate_of"]
        assert 0.6 <= row["evidence"]["prompt_similarity"] <= 1
    assert versions(quickstart.lake, "quickstart") == ("v0001",)
    shown = winnow("try", "dedupe.near", "--set", "threshold=0.6", "--sample", "1").stdout
    assert "threshold 0.8 → 0.6" in shown
    assert "nothing was published" in shown


def test_without_exact_dedupe_copies_pass_or_fall_as_near_ones(as_json: AsJson) -> None:
    tried = as_json("try", "exact", "--set", "enabled=false")
    assert tried["dropped"]["rows"] == 0
    assert {one["reason"] for one in tried["released"]["by"]} <= {"exact_duplicate"}


def test_the_rule_may_be_taken_from_a_recipe_as_it_is_now(as_json: AsJson, tmp_path: Path) -> None:
    recipe = yaml.safe_load((DEPLOYMENTS / "recipes/quickstart.yaml").read_text())
    recipe["filter"]["lengths"]["min_response_chars"] = 20
    recipe.pop("train", None)
    recipe["measure"] = {}
    recipe["filter"].pop("contamination", None)
    path = tmp_path / "quickstart.yaml"
    path.write_text(yaml.safe_dump(recipe))
    tried = as_json("try", "lengths", "--recipe", str(path))
    assert tried["changes"] == {"min_response_chars": {"from": 1, "to": 20}}
    assert tried["dropped"]["rows"] > 0


def test_a_rule_cannot_be_tried_once_the_stages_are_gone(
    winnow: Winnow, quickstart: Refreshed, tmp_path: Path
) -> None:
    lake = tmp_path / "lake"
    shutil.copytree(Path(quickstart.lake.at("corpora")), lake / "corpora")
    done = winnow("try", "lengths", lake=str(lake))
    assert done.returncode == 5
    assert "Run the refresh again" in done.stderr
    assert "normalize" in done.stderr
