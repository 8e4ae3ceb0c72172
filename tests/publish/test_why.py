"""What is said of a row: every verdict, the row it fell to, and what comes nearest if none does."""

import re
import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from schemas.errors import ConfigError
from schemas.manifest import CorpusManifest, GateResult, StageManifest, Statistics
from schemas.record import VERDICT
from tasks.judged import Judgement
from tasks.lake import Lake
from tasks.publish import search
from tasks.publish.ledger import answer, records, why
from tasks.publish.sampled import Question, dropped_rows, sample_ledger, write_csv
from tasks.publish.search import nothing_found
from tasks.publish.verdicts import evaluation_items
from tasks.publish.version import publish_version
from tasks.shards import write_shard
from tasks.stages import finish
from tests.judgements import judgement, recipe_of

PASSED = (GateResult(gate="min_rows", passed=True, found=3, bound=1),)
TABLE = """
    source | user                       | assistant     | reason
    alpaca | Name a primate.            | Lemur         |
    alpaca | Say nothing.               |               | empty_response
    alpaca | Name a colour of the sky.  | Teal          |
    belle  | name a PRIMATE.            | lemur         | exact_duplicate
    belle  | Name one colour of the sky.| Teal          | near_duplicate
    belle  | 一加一等于几？               | 二             |
    belle  | =SUM(A1:A9)                | -1            | short_response
"""


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "lake"))


def published(
    lake: Lake, changed: Judgement | None = None, unread: int = 0, table: str = TABLE
) -> CorpusManifest:
    judged, receipts = judgement(lake, table, unread)
    recipe = recipe_of("alpaca", "belle")
    return publish_version(
        lake, recipe, changed or judged, receipts, (), Statistics(), PASSED, lambda *_: {}
    )[0]


def said(lake: Lake, stage: StageManifest, index: int, *verdicts: dict[str, Any]) -> StageManifest:
    """The stage with other verdicts on shard `index`; other columns of the shard stay."""
    shard = stage.shards[index]
    old = pl.read_parquet(lake.at(shard.uri))
    rows = [dict.fromkeys(VERDICT) | verdict for verdict in verdicts]
    new = old.with_columns(pl.DataFrame(rows, schema=VERDICT).get_columns())
    written = write_shard(new, lake, f"stages/{stage.stage}/{index}/part-00000.parquet")
    shards = (*stage.shards[:index], written, *stage.shards[index + 1 :])
    changed = stage.model_copy(update={"shards": shards})
    return finish(lake, changed)


def chained(lake: Lake) -> CorpusManifest:
    """belle:0 fell to alpaca:0, belle:1 to alpaca:2 and to the filter's echo as well."""
    judged, _ = judgement(lake, TABLE)
    other = Lake(f"{lake.uri}-of-ids")
    ids = {
        place: why(other, published(other), place, limit=1)[0]["record_id"]
        for place in ("alpaca:0", "alpaca:2")
    }
    exact = said(
        lake,
        judged.exact,
        1,
        {
            "drop_reason": "exact_duplicate",
            "duplicate_of": ids["alpaca:0"],
            "prompt_similarity": 1.0,
            "response_similarity": 1.0,
        },
        {},
        {},
        {},
    )
    near = said(
        lake,
        judged.near,
        1,
        {},
        {
            "drop_reason": "near_duplicate",
            "duplicate_of": ids["alpaca:2"],
            "prompt_similarity": 0.875,
            "response_similarity": 1.0,
        },
        {},
        {},
    )
    broken = {"drop_reason": "echo", "found": "lemur", "expected": "no echo"}
    short = {"drop_reason": "short_response", "found": "2", "expected": "3"}
    filtered = said(lake, judged.filtered[1], 0, broken, {}, {}, short)
    for stage in (*judged.normalized, *judged.measured, judged.filtered[0]):
        finish(lake, stage)
    changed = judged.model_copy(
        update={"exact": exact, "near": near, "filtered": (judged.filtered[0], filtered)}
    )
    return published(lake, changed)


def test_every_stage_is_heard_not_only_the_first_that_drops(lake: Lake) -> None:
    (row,) = why(lake, chained(lake), "belle:0", limit=9)
    assert (row["stage"], row["reason"]) == ("dedupe_exact", "exact_duplicate")
    assert [(one["stage"], one["asked"], one["reason"]) for one in row["verdicts"]] == [
        ("dedupe_exact", True, "exact_duplicate"),
        ("filter", True, "echo"),
        ("dedupe_near", False, None),
    ]
    assert row["verdicts"][1]["evidence"] == {"found": "lemur", "expected": "no echo"}
    assert row["not_asked"] == []


def test_a_row_that_passes_is_passed_by_every_stage(lake: Lake) -> None:
    (row,) = why(lake, chained(lake), "alpaca:0", limit=9)
    assert [(one["asked"], one["reason"]) for one in row["verdicts"]] == [(True, None)] * 3
    assert row["evidence"].keys() == {"split", "cluster", "shard"}
    assert row["kept"] is None


def test_a_duplicate_shows_the_row_that_was_kept_with_its_text(lake: Lake) -> None:
    (row,) = why(lake, chained(lake), "belle:1", limit=9)
    assert (row["evidence"]["prompt_similarity"], row["evidence"]["response_similarity"]) == (
        0.875,
        1.0,
    )
    kept = row["kept"]
    assert (kept["source"], kept["source_row"], kept["status"]) == ("alpaca", 2, "published")
    assert kept["messages"][0]["content"] == "Name a colour of the sky."


@pytest.mark.parametrize("gone", ["filter", "dedupe_near"])
def test_a_stage_that_was_removed_from_the_lake_is_named(lake: Lake, gone: str) -> None:
    manifest = chained(lake)
    shutil.rmtree(Path(lake.at(f"stages/{gone}")))
    (row,) = why(lake, manifest, "belle:1", limit=9)
    assert row["not_asked"] == [gone]
    assert gone not in [one["stage"] for one in row["verdicts"]]
    assert row["reason"] == "near_duplicate"  # the ledger still has its evidence
    assert row["kept"]["source_row"] == 2


def test_a_stage_that_lost_a_shard_is_gone_as_well(lake: Lake) -> None:
    manifest = chained(lake)
    Path(lake.at("stages/filter/0/part-00000.parquet")).unlink()
    (row,) = why(lake, manifest, "belle:1", limit=9)
    assert row["not_asked"] == ["filter"]


def test_of_rows_with_one_id_the_published_one_stands_for_it(lake: Lake) -> None:
    table = """
        source | user                 | assistant | reason
        alpaca | Name a primate.      | Lemur     | exact_duplicate
        belle  | Name a primate.      | Lemur     |
    """
    manifest = published(lake, table=table)
    kept, fallen = why(lake, manifest, "primate", limit=9)
    assert kept["record_id"] == fallen["record_id"]
    (one,) = records(lake, manifest, [kept["record_id"]]).values()
    assert (one["source"], one["status"]) == ("belle", "published")


def test_a_version_that_names_no_stages_still_answers(lake: Lake) -> None:
    manifest = chained(lake).model_copy(update={"stages": ()})
    (row,) = why(lake, manifest, "belle:1", limit=9)
    assert (row["verdicts"], row["not_asked"]) == ([], ["all stages"])
    assert row["kept"]["source_row"] == 2


def test_the_first_hex_digits_name_a_record_where_one_alone_begins_so(lake: Lake) -> None:
    manifest = published(lake)
    (row,) = why(lake, manifest, "alpaca:0", limit=9)
    for query in (row["record_id"][:8], row["record_id"][:20].upper(), row["record_id"]):
        assert why(lake, manifest, query, limit=9) == [row]
    assert why(lake, manifest, row["record_id"][:7], limit=9) == []


def test_a_beginning_of_several_records_is_refused_with_their_ids(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "_RECORD_ID", re.compile("[0-9a-f]{1,32}"))
    rows = "".join(f"alpaca | Name number {n}. | It is {n}. |\n" for n in range(17))
    manifest = published(lake, table=f"source | user | assistant | reason\n{rows}")
    ids = [row["record_id"] for row in why(lake, manifest, "number", limit=17)]
    digits = [one[0] for one in ids]  # 17 ids, 16 digits
    twice = next(one for one in digits if digits.count(one) > 1)
    with pytest.raises(ConfigError, match=f"begins the ids of {digits.count(twice)} records"):
        why(lake, manifest, twice, limit=9)


def test_rows_are_counted_beyond_those_that_are_shown(lake: Lake) -> None:
    found = answer(lake, published(lake), "colour", limit=1)
    assert (len(found.rows), found.total) == (1, 2)
    assert [len(answer(lake, published(lake), "ame", limit=n).rows) for n in (1, 3, 9)] == [1, 3, 4]
    assert found.counts.rows() == [
        ("dropped", "dedupe_near", "near_duplicate", "belle", 1),
        ("published", None, None, "alpaca", 1),
    ]


def test_what_could_not_be_read_is_found_by_its_text_and_says_where_it_stood(lake: Lake) -> None:
    (row,) = why(lake, published(lake, unread=1), '"instruction": "cut', limit=9)
    assert (row["status"], row["reason"], row["messages"]) == ("dropped", "unreadable", None)
    assert row["evidence"]["file"] == "alpaca.json"
    assert row["evidence"]["offset"] == 0
    assert row["evidence"]["message"] == "unexpected end of input"
    assert row["not_asked"] == []


# fmt: off
NOTHING = {  #              query                              says
    "a row too far":       ("alpaca:3",                        "its 3 rows count from 0"),
    "a source mistyped":   ("alpacca:0",                       "did you mean 'alpaca'?"),
    "no such id":          ("0123456789abcdef",                "No id begins or ends like that"),
    "other case":          ("NAME A PRIMATE.",                 "Nearest, by words in it: alpaca:0 (3 of 3), belle:0 (3 of 3)"),
    "words between":       ("Name a bright colour",            "alpaca:2 (3 of 4)"),
    "half the text":       ("一加一等於几",                     "Nearest, by pieces in it: belle:2 (2 of 3)"),
    "nothing like it":     ("Wherefore art thou",              "Nothing comes near it"),
    "no word at all":      ("%%%",                             "exactly as it stands"),
}
# fmt: on


@pytest.mark.parametrize(("query", "says"), NOTHING.values(), ids=NOTHING)
def test_where_nothing_answers_the_nearest_is_named(lake: Lake, query: str, says: str) -> None:
    manifest = published(lake)
    assert why(lake, manifest, query, limit=9) == []
    message = str(nothing_found(lake, manifest, query))
    assert says in message
    assert "tiny v0001" in message


# --- the ledger ----------------------------------------------------------------------------------


def test_the_ledger_is_counted_without_reading_it(lake: Lake) -> None:
    manifest = published(lake, unread=2)
    shutil.rmtree(Path(lake.at("corpora/tiny/v0001/ledger")))
    counts = [(d.reason, d.source, d.rows) for d in dropped_rows(manifest, Question())]
    assert counts[0] == ("unreadable", "alpaca", 2)
    assert sum(rows for *_, rows in counts) == manifest.rows_in - manifest.rows_out
    of_belle = dropped_rows(manifest, Question(source="belle", stage="filter"))
    assert [(drop.reason, drop.rows) for drop in of_belle] == [("short_response", 1)]


def places(rows: list[dict[str, Any]]) -> list[tuple[str, int]]:
    return [(row["source"], row["source_row"]) for row in rows]


def test_a_sample_is_the_same_every_time_and_a_larger_one_holds_the_smaller(lake: Lake) -> None:
    manifest = published(lake, unread=2)

    def drawn(rows: int, seed: int) -> list[tuple[str, int]]:
        return places(sample_ledger(lake, manifest, Question(), rows, seed))

    for seed in range(6):
        whole = drawn(9, seed)
        assert len(whole) == 6
        assert all(drawn(rows, seed) == whole[:rows] for rows in (1, 2, 4))
    assert len({tuple(drawn(3, seed)) for seed in range(6)}) > 1


def test_a_sampled_duplicate_stands_beside_the_row_it_fell_to(lake: Lake) -> None:
    manifest = chained(lake)
    (row,) = sample_ledger(lake, manifest, Question(reason="near_duplicate"), 9, seed=0)
    assert (row["source"], row["source_row"]) == ("belle", 1)
    assert (row["kept"]["source"], row["kept"]["source_row"]) == ("alpaca", 2)


def test_a_sample_of_nothing_is_empty(lake: Lake) -> None:
    assert sample_ledger(lake, published(lake), Question(reason="email"), 5, seed=0) == []


@pytest.mark.parametrize("sample", [None, (9, 0)], ids=["all", "sample"])
def test_the_csv_has_every_row_and_runs_no_formula(
    lake: Lake, tmp_path: Path, sample: tuple[int, int] | None
) -> None:
    manifest = published(lake, unread=1)
    path = tmp_path / "out" / "ledger.csv"
    write_csv(lake, manifest, Question(), path, sample)
    table = pl.read_csv(path, infer_schema=False)
    assert table.height == manifest.rows_in - manifest.rows_out
    (row,) = table.filter(pl.col("drop_reason") == "short_response").to_dicts()
    assert (row["prompt"], row["response"]) == ("'=SUM(A1:A9)", "'-1")
    assert row["source_row"] == "3"


@pytest.mark.parametrize("digits", [10, 11, 5000])
def test_a_place_of_many_digits_is_no_place(lake: Lake, digits: int) -> None:
    manifest = published(lake)
    query = f"alpaca:{'9' * digits}"
    assert why(lake, manifest, query, limit=1) == []
    assert "no row answers to" in str(nothing_found(lake, manifest, query))
    assert why(lake, manifest, f"alpaca:{'0' * digits}", limit=1)[0]["source_row"] == 0


@pytest.mark.parametrize("data", [b"", b"{}", b"not JSON"])
def test_a_damaged_index_of_evaluation_sets_is_passed_over(lake: Lake, data: bytes) -> None:
    lake.put(f"stages/evaluations/{'0' * 64}/manifest.json", data)
    assert evaluation_items(lake, "set:3") == []
    assert evaluation_items(lake, f"set:{'9' * 5000}") == []


def test_a_csv_that_cannot_be_written_is_a_matter_of_the_option(lake: Lake, tmp_path: Path) -> None:
    manifest = published(lake)
    for path in (tmp_path, Path("/dev/null/x.csv")):
        with pytest.raises(ConfigError, match=r"^--csv .*: cannot be written: .*Name another file"):
            write_csv(lake, manifest, Question(), path, None)
