"""A refresh from beginning to end, on the samples and on small sources of its own."""

import json
import os
import subprocess
from pathlib import Path

import polars as pl
import pytest
import yaml

from flows.refresh_corpus import refresh_corpus
from schemas.errors import ConfigError, GateFailed, SourceError, StorageError
from schemas.outcome import Outcome, Status
from schemas.recipe import DEPLOYMENTS
from tasks.corpora import latest, version_key, versions
from tasks.lake import Lake
from tasks.publish.ledger import why
from tasks.publish.verify import problems
from tests.flows.conftest import Refreshed

SAMPLES = DEPLOYMENTS / "samples"
FAULTS = yaml.safe_load((SAMPLES / "faults.yaml").read_text("utf-8"))["faults"]


def sample_source(file: str) -> str:
    return "sample_" + file.partition(".")[0]


def listed(fault: dict[str, object]) -> str:
    return f"{fault['fault']} {fault['file']}:{fault['row']}"


@pytest.mark.parametrize("fault", FAULTS, ids=listed)
def test_every_planted_fault_meets_its_fate(
    quickstart: Refreshed, fault: dict[str, object]
) -> None:
    place = f"{sample_source(str(fault['file']))}:{fault['row']}"
    (row,) = why(quickstart.lake, quickstart.manifest, place, limit=2)
    assert (row["reason"] or "kept") == fault["expect"]


@pytest.mark.parametrize(
    "fault", [one for one in FAULTS if "duplicate" in str(one["expect"])], ids=listed
)
def test_a_duplicate_names_the_row_it_fell_to(
    quickstart: Refreshed, fault: dict[str, dict[str, object]]
) -> None:
    lake, manifest = quickstart.lake, quickstart.manifest
    (row,) = why(lake, manifest, f"{sample_source(str(fault['file']))}:{fault['row']}", limit=2)
    original = fault["of"]
    place = f"{sample_source(str(original['file']))}:{original['row']}"
    (kept,) = why(lake, manifest, place, limit=2)
    assert row["evidence"]["duplicate_of"] == kept["record_id"]
    assert kept["status"] == "published"


def test_every_input_row_is_published_or_in_the_ledger_exactly_once(quickstart: Refreshed) -> None:
    manifest = quickstart.manifest
    folder = quickstart.lake.at(version_key(manifest.name, manifest.version))
    data = pl.scan_parquet(f"{folder}/data/*.parquet").select("source", "source_row").collect()
    ledger = pl.scan_parquet(f"{folder}/ledger/*.parquet").select("source", "source_row").collect()
    places = pl.concat([data, ledger])
    assert places.height == places.n_unique() == manifest.rows_in
    for source in manifest.sources:
        rows = places.filter(pl.col("source") == source.name)["source_row"].sort()
        assert rows.to_list() == list(range(source.rows_in))


def test_the_quickstart_is_published_whole_with_its_report(quickstart: Refreshed) -> None:
    assert quickstart.outcome.status is Status.PUBLISHED
    assert quickstart.outcome.version == "v0001"
    assert problems(quickstart.lake, quickstart.manifest) == []
    report = Path(quickstart.outcome.path, "report.html").read_text("utf-8")
    assert "<script" not in report


def test_two_lakes_get_the_same_digest_and_the_same_bytes(
    quickstart: Refreshed, tmp_path: Path
) -> None:
    again = refresh_corpus("quickstart", str(tmp_path / "lake"), None, False)
    assert again.digest == quickstart.outcome.digest
    one, two = Path(quickstart.outcome.path), Path(again.path)
    files = sorted(path.relative_to(one) for path in one.rglob("*.parquet"))
    assert files == sorted(path.relative_to(two) for path in two.rglob("*.parquet"))
    assert all((one / file).read_bytes() == (two / file).read_bytes() for file in files)


# --- small sources -------------------------------------------------------------------------------


def write_source(folder: Path, name: str, rows: list[tuple[str, str]]) -> None:
    items = [{"instruction": user, "input": "", "output": said} for user, said in rows]
    (folder / f"{name}.json").write_text(json.dumps(items), "utf-8")


def write_recipe(folder: Path, *names: str, **parts: object) -> str:
    sources = [
        {"name": name, "layout": "alpaca", "licence": "MIT", "local": {"path": f"{name}.json"}}
        for name in names
    ]
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump({"name": "small", "sources": sources} | parts))
    return str(path)


def rows(start: int, count: int) -> list[tuple[str, str]]:
    return [(f"Describe number {n} in words.", f"It is {n}.") for n in range(start, start + count)]


def refresh(recipe: str, lake: str, **local: str) -> Outcome:
    return refresh_corpus(recipe, lake, local or None, False)


def test_nothing_new_is_unchanged(tmp_path: Path, lake: str) -> None:
    write_source(tmp_path, "a", rows(0, 9))
    recipe = write_recipe(tmp_path, "a")
    first = refresh(recipe, lake)
    second = refresh(recipe, lake)
    assert (first.status, second.status) == (Status.PUBLISHED, Status.UNCHANGED)
    assert (first.version, first.digest) == (second.version, second.digest)
    assert versions(Lake(lake), "small") == ("v0001",)


def test_new_rows_make_a_new_version_and_rejudge_the_last_shard_only(
    tmp_path: Path, lake: str
) -> None:
    write_source(tmp_path, "a", rows(0, 25))
    recipe = write_recipe(tmp_path, "a", stage_shard_rows=10)
    refresh(recipe, lake)
    judged = set(Lake(lake).folders("stages/filter"))
    write_source(tmp_path, "a", rows(0, 27))
    second = refresh(recipe, lake)
    assert (second.version, second.rows_out) == ("v0002", 27)
    assert len(judged) == 3
    assert len(set(Lake(lake).folders("stages/filter")) - judged) == 1


def test_a_local_copy_stands_in_for_a_source(tmp_path: Path, lake: str) -> None:
    write_source(tmp_path, "a", rows(0, 3))
    write_source(tmp_path, "copy", rows(0, 5))
    outcome = refresh(write_recipe(tmp_path, "a"), lake, a=str(tmp_path / "copy.json"))
    assert outcome.rows_out == 5


def test_one_lost_source_rejects_the_version_and_loses_no_other(tmp_path: Path, lake: str) -> None:
    write_source(tmp_path, "a", rows(0, 4))
    recipe = write_recipe(tmp_path, "a", "gone")
    with pytest.raises(SourceError, match=r"(?s)rejected.*max_failed_sources.*gone\.json") as error:
        refresh(recipe, lake)
    outcome = error.value.outcome
    assert isinstance(outcome, Outcome)
    assert (outcome.status, outcome.rows_out) == (Status.REJECTED, 4)
    assert latest(Lake(lake), "small") is None


def test_a_lost_source_passes_where_the_gate_lets_it(tmp_path: Path, lake: str) -> None:
    write_source(tmp_path, "a", rows(0, 4))
    recipe = write_recipe(tmp_path, "a", "gone", gates={"max_failed_sources": 1})
    outcome = refresh(recipe, lake)
    assert (outcome.status, list(outcome.failed_sources)) == (Status.PUBLISHED, ["gone"])


def test_without_any_source_there_is_no_version(tmp_path: Path, lake: str) -> None:
    (tmp_path / "empty.json").write_text("[]")
    with pytest.raises(SourceError, match=r"(?s)no source could be read.*empty: .*gone: "):
        refresh(write_recipe(tmp_path, "empty", "gone"), lake)
    assert Lake(lake).keys("corpora") == []


def test_a_rejected_version_stays_rejected_and_is_not_written_twice(
    tmp_path: Path, lake: str
) -> None:
    write_source(tmp_path, "a", rows(0, 4))
    recipe = write_recipe(tmp_path, "a", gates={"min_rows": 5})
    for _ in range(2):
        with pytest.raises(GateFailed, match="min_rows: found 4, bound 5"):
            refresh(recipe, lake)
    assert versions(Lake(lake), "small") == ("v0001",)
    assert latest(Lake(lake), "small") is None


def test_after_the_gate_is_met_the_next_version_is_promoted(tmp_path: Path, lake: str) -> None:
    write_source(tmp_path, "a", rows(0, 4))
    with pytest.raises(GateFailed):
        refresh(write_recipe(tmp_path, "a", gates={"min_rows": 5}), lake)
    outcome = refresh(write_recipe(tmp_path, "a", gates={"min_rows": 4}), lake)
    assert (outcome.status, latest(Lake(lake), "small")) == (Status.PUBLISHED, "v0002")


def test_a_missing_evaluation_file_stops_the_refresh_before_it_publishes(
    tmp_path: Path, lake: str
) -> None:
    write_source(tmp_path, "a", rows(0, 4))
    sets = [{"name": "gone", "path": "gone.jsonl"}]
    recipe = write_recipe(tmp_path, "a", filter={"contamination": {"sets": sets}})
    with pytest.raises(ConfigError, match=r"gone\.jsonl"):
        refresh(recipe, lake)
    assert Lake(lake).keys("corpora") == []


def test_a_stage_that_lost_a_file_is_made_again(tmp_path: Path, lake: str) -> None:
    write_source(tmp_path, "a", rows(0, 6))
    recipe = write_recipe(tmp_path, "a")
    first = refresh(recipe, lake)
    for part in Path(lake).glob("stages/*/*/part-*"):
        part.unlink()
    again = refresh(recipe, lake)
    assert (again.status, again.digest) == (Status.UNCHANGED, first.digest)


def test_a_stage_file_that_was_damaged_is_made_again(tmp_path: Path, lake: str) -> None:
    write_source(tmp_path, "a", rows(0, 60))
    first = refresh(write_recipe(tmp_path, "a"), lake)
    for part in Path(lake).glob("stages/*/*/part-*"):
        data = bytearray(part.read_bytes())
        data[len(data) // 2] ^= 1
        part.write_bytes(data)
    other = write_recipe(tmp_path, "a", filter={"lengths": {"max_response_chars": 9999}})
    again = refresh(other, lake)
    assert (again.rows_out, again.version) == (first.rows_out, "v0002")


def test_a_lost_pointer_is_written_again(tmp_path: Path, lake: str) -> None:
    write_source(tmp_path, "a", rows(0, 6))
    recipe = write_recipe(tmp_path, "a")
    refresh(recipe, lake)
    Path(lake, "corpora/small/latest.json").unlink()
    assert latest(Lake(lake), "small") is None
    assert refresh(recipe, lake).status is Status.UNCHANGED
    assert latest(Lake(lake), "small") == "v0001"


def test_a_version_that_lost_a_shard_is_made_again_under_the_next_number(
    tmp_path: Path, lake: str
) -> None:
    write_source(tmp_path, "a", rows(0, 6))
    recipe = write_recipe(tmp_path, "a")
    first = refresh(recipe, lake)
    next(Path(first.path).glob("data/*.parquet")).unlink()
    again = refresh(recipe, lake)
    assert (again.status, again.version) == (Status.PUBLISHED, "v0002")
    assert again.digest == first.digest


def test_sets_of_a_rule_that_is_off_are_not_asked_for(tmp_path: Path, lake: str) -> None:
    write_source(tmp_path, "a", rows(0, 4))
    off = {"enabled": False, "sets": [{"name": "gone", "path": "gone.jsonl"}]}
    recipe = write_recipe(tmp_path, "a", filter={"contamination": off})
    assert refresh(recipe, lake).status is Status.PUBLISHED


@pytest.mark.parametrize("size_kb", [200, 600, 1200])
def test_a_full_disk_is_one_clear_error_and_a_larger_one_goes_on(
    tmp_path: Path, quickstart: Refreshed, size_kb: int
) -> None:
    place = tmp_path / "small"
    place.mkdir()
    options = ["mount", "-t", "tmpfs", "-o", f"size={size_kb}k", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(options, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small file system needs root")
    try:
        with pytest.raises(StorageError, match="Free some space, then run it again"):
            refresh("quickstart", str(place))
        assert Lake(str(place)).keys("corpora") == []
        subprocess.run(["mount", "-o", "remount,size=64m", str(place)], check=True)
        assert refresh("quickstart", str(place)).digest == quickstart.outcome.digest
    finally:
        subprocess.run(["umount", str(place)], check=True)


def test_no_row_out_is_still_a_version_for_its_gates_to_judge(tmp_path: Path, lake: str) -> None:
    write_source(tmp_path, "a", [("Say nothing.", "")])
    with pytest.raises(GateFailed, match="min_rows: found 0, bound 1"):
        refresh(write_recipe(tmp_path, "a"), lake)
    (row,) = why(Lake(lake), _only(lake), "a:0", limit=2)
    assert row["reason"] == "empty_response"


def _only(lake: str) -> object:
    from tasks.corpora import newest_manifest

    return newest_manifest(Lake(lake), "small")
