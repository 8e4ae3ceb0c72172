"""A version: every row in it or in its ledger, written whole, claimed once, its digest its own."""

import json
import shutil
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import polars as pl
import pytest
from datasets import disable_progress_bars, load_dataset

from schemas.errors import CorpusDamaged, UnknownName
from schemas.filter import EvaluationSet
from schemas.ledger import LEDGER, PUBLISHED
from schemas.manifest import CorpusManifest, GateResult, Statistics
from schemas.source import RowBand
from schemas.upstream import HttpUpstream
from tasks.corpora import (
    find_version,
    latest,
    latest_manifest,
    read_manifest,
    version_key,
    versions,
)
from tasks.lake import Lake
from tasks.publish.ledger import why
from tasks.publish.verify import problems
from tasks.publish.version import publish_version, unchanged_version
from tests.judgements import judgement, recipe_of

MORE_ROW = "belle | Another prompt. | Another answer. |\n"
PASSED = (GateResult(gate="min_rows", passed=True, found=3, bound=1),)
FAILED = (GateResult(gate="min_rows", passed=False, found=0, bound=1),)
TABLE = """
    source | user                  | assistant   | reason
    alpaca | Name a primate.       | Lemur       |
    alpaca | Say nothing.          |             | empty_response
    alpaca | Name a colour.        | Teal        |
    belle  | name a PRIMATE.       | lemur       | exact_duplicate
    belle  | Name one colour.      | Teal        | near_duplicate
    belle  | 一加一等于几？          | 二           |
"""


MORE = TABLE + MORE_ROW


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "lake"))


def pages(manifest: CorpusManifest, folder: str) -> Mapping[str, str]:
    return {"report.html": f"report of {manifest.version}"}


def publish(
    lake: Lake,
    table: str = TABLE,
    results: tuple[GateResult, ...] = PASSED,
    unread: int = 0,
    **changes: object,
) -> tuple[CorpusManifest, bool]:
    judged, receipts = judgement(lake, table, unread)
    names = [receipt.source for receipt in receipts]
    recipe = recipe_of(*names, **changes)
    return publish_version(lake, recipe, judged, receipts, (), Statistics(), results, pages)


def read(lake: Lake, manifest: CorpusManifest, kind: str) -> pl.DataFrame:
    folder = version_key(manifest.name, manifest.version)
    shards = manifest.ledger
    if kind == "data":
        shards = tuple(shard for split in manifest.splits for shard in split.shards)
    return pl.concat(pl.read_parquet(lake.at(f"{folder}/{shard.uri}")) for shard in shards)


def test_every_row_is_published_or_in_the_ledger_exactly_once(lake: Lake) -> None:
    manifest, is_new = publish(lake, unread=2)
    data, ledger = read(lake, manifest, "data"), read(lake, manifest, "ledger")
    places = pl.concat([data.select("source", "source_row"), ledger.select("source", "source_row")])
    assert is_new
    assert (manifest.rows_in, manifest.rows_out) == (8, 3)
    assert sorted(places.rows()) == [
        *(("alpaca", row) for row in range(5)),
        *(("belle", row) for row in range(3)),
    ]
    assert dict(data.schema) == dict(PUBLISHED)
    assert dict(ledger.schema) == dict(LEDGER)
    assert manifest.dropped() == {
        "dedupe_exact": {"exact_duplicate": 1},
        "dedupe_near": {"near_duplicate": 1},
        "filter": {"empty_response": 1},
        "normalize": {"unreadable": 2},
    }
    assert [(s.name, s.rows_in, s.rows_out) for s in manifest.sources] == [
        ("alpaca", 5, 2),
        ("belle", 3, 1),
    ]


def test_a_source_with_fewer_rows_than_its_file_expects_is_told_in_the_version(lake: Lake) -> None:
    judged, receipts = judgement(lake, TABLE)
    recipe = recipe_of(*(receipt.source for receipt in receipts))
    alpaca, belle = recipe.resolved_sources
    few = belle.model_copy(update={"expected_rows": RowBand(min=9, max=10)})
    recipe = recipe.model_copy(update={"sources": (alpaca, few)})
    manifest, _ = publish_version(lake, recipe, judged, receipts, (), Statistics(), PASSED, pages)
    said = {source.name: source.unexpected_rows for source in manifest.sources}
    assert said == {"alpaca": "", "belle": "3 records, expected 9 to 10"}


def test_a_published_version_is_whole_and_the_latest(lake: Lake) -> None:
    manifest, _ = publish(lake)
    assert manifest.version == "v0001"
    assert latest(lake, "tiny") == "v0001"
    assert problems(lake, manifest) == []
    assert read_manifest(lake, "tiny", "v0001") == manifest
    assert lake.read("corpora/tiny/v0001/report.html") == b"report of v0001"
    assert lake.folders("tmp") == []


def test_the_same_rows_again_are_unchanged(lake: Lake) -> None:
    first, _ = publish(lake)
    again, is_new = publish(lake)
    assert (again, is_new) == (first, False)
    assert versions(lake, "tiny") == ("v0001",)


def test_the_same_stages_are_known_without_looking_at_a_row(lake: Lake) -> None:
    first, _ = publish(lake)
    judged, receipts = judgement(lake, TABLE)
    recipe = recipe_of(*(receipt.source for receipt in receipts))
    assert unchanged_version(lake, recipe, judged, ()) == first
    other = recipe.model_copy(update={"seed": 18})
    assert unchanged_version(lake, other, judged, ()) is None


def test_the_digest_does_not_depend_on_the_order_of_rows_or_sources(tmp_path: Path) -> None:
    lines = TABLE.strip().splitlines()
    backwards = "\n".join([lines[0], *reversed(lines[1:])])
    forward, _ = publish(Lake(str(tmp_path / "a")))
    backward, _ = publish(Lake(str(tmp_path / "b")), backwards)
    assert forward.digest == backward.digest


# fmt: off
DIGESTS = {  #                   changes                                  same
    "a description":             ({"description": "other words"},           True),
    "gates":                     ({"gates": {"min_rows": 2}},               True),
    "a default spelt out":       ({"dedupe": {"near": {"threshold": 0.8}}}, True),
    "rows per stage shard":      ({"stage_shard_rows": 3},                  True),
    "the seed":                  ({"seed": 18},                             False),
    "the threshold":             ({"dedupe": {"near": {"threshold": 0.7}}}, False),
}
# fmt: on


@pytest.mark.parametrize(("changes", "same"), DIGESTS.values(), ids=DIGESTS)
def test_the_digest_covers_what_makes_the_corpus(
    tmp_path: Path, changes: dict[str, object], same: bool
) -> None:
    plain, _ = publish(Lake(str(tmp_path / "a")))
    changed, _ = publish(Lake(str(tmp_path / "b")), **changes)
    assert (plain.digest == changed.digest) is same


def test_a_version_that_fails_a_gate_is_written_and_not_promoted(lake: Lake) -> None:
    good, _ = publish(lake)
    bad, _ = publish(lake, MORE, results=FAILED)
    assert (bad.version, bad.status, bad.parent) == ("v0002", "rejected", "v0001")
    assert problems(lake, bad) == []
    assert latest_manifest(lake, "tiny") == good


def test_a_version_that_was_removed_is_made_again(lake: Lake) -> None:
    first, _ = publish(lake)
    shutil.rmtree(lake.at(version_key("tiny", "v0001")))
    again, is_new = publish(lake)
    assert (again.digest, again.version, is_new) == (first.digest, "v0001", True)
    assert latest(lake, "tiny") == "v0001"


def test_without_the_latest_version_the_one_before_it_counts(lake: Lake) -> None:
    publish(lake)
    publish(lake, MORE)
    shutil.rmtree(lake.at(version_key("tiny", "v0002")))
    assert latest(lake, "tiny") == "v0001"
    again, is_new = publish(lake, MORE)
    assert (again.version, is_new, latest(lake, "tiny")) == ("v0002", True, "v0002")


def test_after_a_rejected_version_the_latest_is_still_unchanged(lake: Lake) -> None:
    first, _ = publish(lake)
    publish(lake, MORE, results=FAILED)
    again, is_new = publish(lake)
    assert (again, is_new) == (first, False)
    judged, receipts = judgement(lake, TABLE)
    recipe = recipe_of(*(receipt.source for receipt in receipts))
    assert unchanged_version(lake, recipe, judged, ()) == first


def test_other_stages_that_give_the_same_rows_are_remembered(lake: Lake) -> None:
    first, _ = publish(lake)
    unread, receipts = judgement(lake, TABLE, unread=1)
    recipe = recipe_of(*(receipt.source for receipt in receipts))
    assert unchanged_version(lake, recipe, unread, ()) is None
    assert publish(lake, unread=1) == (first, False)
    assert unchanged_version(lake, recipe, unread, ()) == first


def test_another_tokenizer_is_another_version(lake: Lake) -> None:
    judged, receipts = judgement(lake, TABLE)
    recipe = recipe_of(*(receipt.source for receipt in receipts))
    made = [
        publish_version(
            lake, recipe, judged, receipts, (), Statistics(tokenizer_digest=one), PASSED, pages
        )
        for one in (None, "a" * 64, "a" * 64)
    ]
    assert [(manifest.version, is_new) for manifest, is_new in made] == [
        ("v0001", True),
        ("v0002", True),
        ("v0002", False),
    ]


def test_two_refreshes_of_the_same_rows_at_once_make_one_version(lake: Lake) -> None:
    judged, receipts = judgement(lake, TABLE)
    recipe = recipe_of(*(receipt.source for receipt in receipts))
    start = threading.Barrier(2)

    def wait_for_the_other(manifest: CorpusManifest, folder: str) -> Mapping[str, str]:
        if manifest.version == "v0001":
            start.wait()
        return pages(manifest, folder)

    def refresh(_: int) -> tuple[CorpusManifest, bool]:
        return publish_version(
            lake, recipe, judged, receipts, (), Statistics(), PASSED, wait_for_the_other
        )

    with ThreadPoolExecutor(2) as pool:
        made = list(pool.map(refresh, range(2)))
    assert sorted(is_new for _, is_new in made) == [False, True]
    assert versions(lake, "tiny") == ("v0001",)
    assert lake.folders("tmp") == []


def test_a_password_in_a_url_is_not_stored(lake: Lake) -> None:
    judged, receipts = judgement(lake, TABLE)
    recipe = recipe_of(*(receipt.source for receipt in receipts))
    secret = recipe.resolved_sources[0].model_copy(
        update={"local": None, "http": HttpUpstream(urls=("https://me:hush@host/a.json",))}
    )
    sets = (EvaluationSet(name="e", url="https://me:hush@host/e.json"),)
    recipe = recipe.model_copy(
        update={"sources": (secret, *recipe.sources[1:])}
    ).with_evaluation_sets(sets)
    manifest, _ = publish_version(lake, recipe, judged, receipts, (), Statistics(), PASSED, pages)
    stored = lake.read(f"{version_key('tiny', manifest.version)}/manifest.json").decode()
    assert "https://host/a.json" in stored
    assert "https://host/e.json" in stored
    assert "hush" not in stored


def test_ten_refreshes_at_once_share_no_version_and_skip_none(lake: Lake) -> None:
    start = threading.Barrier(10)
    tables = [f"{TABLE}belle | Prompt {index} | Answer {index} |\n" for index in range(10)]

    def refresh(index: int) -> str:
        mine = Lake(str(lake.folder))
        start.wait()
        # every refresh has stages of its own, as refreshes of different inputs have
        judged, receipts = judgement(mine, tables[index].replace("belle", f"belle{index}"))
        recipe = recipe_of(*(receipt.source for receipt in receipts))
        manifest, _ = publish_version(
            mine, recipe, judged, receipts, (), Statistics(), PASSED, pages
        )
        return manifest.version

    with ThreadPoolExecutor(10) as pool:
        claimed = sorted(pool.map(refresh, range(10)))
    assert claimed == [f"v{number:04d}" for number in range(1, 11)]
    assert all(problems(lake, read_manifest(lake, "tiny", version)) == [] for version in claimed)
    assert latest(lake, "tiny") == "v0010"


def test_shards_are_cut_at_the_bound(lake: Lake) -> None:
    manifest, _ = publish(lake, publish={"shard_rows": 2}, split={"validation_share": 0})
    train = manifest.splits[0]
    assert [(shard.uri, shard.rows) for shard in train.shards] == [
        ("data/train-00000-of-00002.parquet", 2),
        ("data/train-00001-of-00002.parquet", 1),
    ]


@pytest.mark.parametrize("form", ["parquet", "arrow"])
def test_datasets_loads_the_version_folder(lake: Lake, tmp_path: Path, form: str) -> None:
    manifest, _ = publish(lake, publish={"format": form}, split={"validation_share": 0.4})
    disable_progress_bars()
    folder = lake.at(version_key(manifest.name, manifest.version))
    loaded = load_dataset(folder, cache_dir=str(tmp_path / "cache"))
    rows = {split.name: split.rows for split in manifest.splits if split.rows}
    assert {name: split.num_rows for name, split in loaded.items()} == rows
    first = next(iter(loaded.values()))[0]
    assert first["messages"][0]["role"] == "user"


# fmt: off
ASKED = {  #            query              answers
    "a published row":  ("alpaca:0",       [("alpaca", 0, "published", None)]),
    "a dropped row":    ("alpaca:1",       [("alpaca", 1, "dropped", "empty_response")]),
    "an unread row":    ("alpaca:3",       [("alpaca", 3, "dropped", "unreadable")]),
    "text in two rows": ("Teal",           [("alpaca", 2, "published", None), ("belle", 1, "dropped", "near_duplicate")]),
    "Chinese text":     ("一加一",           [("belle", 2, "published", None)]),
    "regex is text":    ("a.*e",           []),
    "no such row":      ("alpaca:99",      []),
}
# fmt: on


@pytest.mark.parametrize(("query", "answers"), ASKED.values(), ids=ASKED)
def test_why_answers_by_place_and_by_text(
    lake: Lake, query: str, answers: list[tuple[object, ...]]
) -> None:
    manifest, _ = publish(lake, unread=1)
    found = why(lake, manifest, query, limit=20)
    brief = [(row["source"], row["source_row"], row["status"], row["reason"]) for row in found]
    assert brief == answers


def test_why_answers_by_record_id_and_stops_at_the_limit(lake: Lake) -> None:
    manifest, _ = publish(lake)
    (row,) = why(lake, manifest, "alpaca:0", limit=20)
    assert why(lake, manifest, row["record_id"], limit=20) == [row]
    assert len(why(lake, manifest, "a", limit=2)) == 2


def damage(lake: Lake, manifest: CorpusManifest, what: str) -> None:
    folder = Path(lake.at(version_key(manifest.name, manifest.version)))
    file = folder / next(shard.uri for split in manifest.splits for shard in split.shards)
    if what == "a flipped bit":
        data = bytearray(file.read_bytes())
        data[len(data) // 2] ^= 1
        file.write_bytes(data)
    elif what == "a lost shard":
        file.unlink()
    elif what == "a lost card":
        (folder / "README.md").unlink()
    elif what == "a new report":
        (folder / "report.html").write_text("all is well")
    elif what == "a stray file":
        (folder / "data/extra.parquet").write_bytes(b"")


# fmt: off
DAMAGES = {
    "a flipped bit": "expected sha256",
    "a lost shard":  "00001.parquet: missing, expected",
    "a lost card":   "README.md: missing",
    "a new report":  "report.html: expected sha256",
    "a stray file":  "extra.parquet: not named by the manifest",
}
# fmt: on


@pytest.mark.parametrize(("what", "says"), DAMAGES.items(), ids=DAMAGES)
def test_verify_names_what_is_damaged(lake: Lake, what: str, says: str) -> None:
    manifest, _ = publish(lake, split={"validation_share": 0})
    damage(lake, manifest, what)
    found = problems(lake, manifest)
    assert any(says in problem for problem in found)


def test_verify_holds_the_records_against_the_digest(lake: Lake) -> None:
    manifest, _ = publish(lake)
    other = manifest.model_copy(update={"digest": "0" * 64})
    (problem,) = problems(lake, other)
    assert "digest 000000000000…, records give" in problem


def edited(lake: Lake, **changes: object) -> None:
    path = Path(lake.at("corpora/tiny/v0001/manifest.json"))
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_a_manifest_from_a_newer_format_is_refused(lake: Lake) -> None:
    publish(lake)
    edited(lake, format_version=99)
    with pytest.raises(CorpusDamaged, match=r"has format 99.*Update Winnow"):
        read_manifest(lake, "tiny", "v0001")


def test_a_manifest_edited_out_of_balance_is_refused(lake: Lake) -> None:
    publish(lake)
    edited(lake, rows_out=2)
    with pytest.raises(CorpusDamaged, match="lost rows"):
        read_manifest(lake, "tiny", "v0001")


def test_a_version_is_found_by_name_or_refused_with_what_there_is(lake: Lake) -> None:
    with pytest.raises(UnknownName, match="no corpus in"):
        find_version(lake, "tiny")
    manifest, _ = publish(lake)
    assert find_version(lake, "tiny") == find_version(lake, "tiny@v0001") == manifest
    with pytest.raises(UnknownName, match="known: v0001"):
        find_version(lake, "tiny@v0002")
