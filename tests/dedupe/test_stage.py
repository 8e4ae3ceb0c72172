"""The dedupe stage on a lake: verdict shards row for row, manifests that balance, work done once."""

import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from schemas.errors import CorpusDamaged
from schemas.manifest import ShardRef, StageManifest
from schemas.recipe import Recipe
from schemas.record import VERDICT
from tasks.dedupe.stage import exact_stage, near_stage
from tasks.dedupe.task import mark_exact, mark_near
from tasks.lake import Lake
from tasks.shards import no_verdicts, scan_shard, write_shard
from tests.dedupe.corpora import records, source

POEM = "Write a short poem about the sea in autumn, please"
ANSWER = "The sea in autumn is grey and slow, the gulls have gone where warm winds blow."
ROWS = {
    "alpaca": [
        {"user": POEM, "assistant": ANSWER},
        {"user": POEM.upper(), "assistant": ANSWER},
        {"user": POEM, "assistant": ANSWER + "!", "record_id": "a" * 32},
        {"user": "Mail me", "assistant": "somebody@somewhere.org"},
    ],
    "belle": [
        {"user": "Mail me", "assistant": "Somebody@Somewhere.org", "record_id": "b" * 32},
        {"user": POEM, "assistant": "I would rather not.", "record_id": "c" * 32},
    ],
}
BROKEN = {"alpaca": [3], "belle": []}


class Refresh:
    """A lake that has been normalized and filtered, one shard per source."""

    def __init__(self, folder: Path, **recipe: object) -> None:
        self.uri = str(folder)
        self.lake = Lake(self.uri)
        self.recipe = Recipe.model_validate(
            {"name": "test", "sources": [source("alpaca", 1), source("belle", 2)], **recipe}
        )
        self.shards = tuple(
            write_shard(
                records({"source": name, **row} for row in rows),
                self.lake,
                f"{name}.parquet",
                source=name,
            )
            for name, rows in ROWS.items()
        )
        self.filtered = tuple(
            self.judged(shard, BROKEN[shard.source or ""]) for shard in self.shards
        )

    def judged(self, shard: ShardRef, broken: list[int]) -> StageManifest:
        reasons = pl.Series(
            ["email" if row in broken else None for row in range(shard.rows)], dtype=pl.String
        )
        verdicts = no_verdicts(shard.rows).with_columns(reasons.alias("drop_reason"))
        written = write_shard(verdicts, self.lake, f"filter-{shard.source}.parquet")
        return StageManifest(
            stage="filter", digest="0" * 64, uri="", rows_in=0, rows_out=0, shards=(written,)
        )

    def exact(self) -> StageManifest:
        return exact_stage(self.lake, self.shards, self.filtered, self.recipe, threads=2)

    def near(self) -> StageManifest:
        return near_stage(
            self.lake, self.shards, self.filtered, self.exact(), self.recipe, threads=2
        )

    def verdicts(self, manifest: StageManifest) -> list[pl.DataFrame]:
        return [scan_shard(self.lake, shard).collect() for shard in manifest.shards]


def test_exact_verdicts_speak_of_every_row_of_their_parents(tmp_path: Path):
    refresh = Refresh(tmp_path)
    exact = refresh.exact()
    alpaca, belle = refresh.verdicts(exact)
    assert exact.parents == refresh.shards
    assert [shard.source for shard in exact.shards] == ["alpaca", "belle"]
    assert alpaca.schema == VERDICT
    assert alpaca["drop_reason"].to_list() == [None, "exact_duplicate", None, "exact_duplicate"]
    assert alpaca["duplicate_of"].to_list() == [None, f"{0:032x}", None, "b" * 32]
    assert belle["drop_reason"].to_list() == [None, None]
    assert (exact.rows_in, exact.rows_out) == (6, 4)
    assert [(drop.source, drop.rows) for drop in exact.drops] == [("alpaca", 2)]


def test_near_verdicts_are_on_what_filter_and_exact_dedupe_left(tmp_path: Path):
    refresh = Refresh(tmp_path)
    near = refresh.near()
    alpaca, belle = refresh.verdicts(near)
    first = f"{0:032x}"
    assert list(alpaca.schema) == [*VERDICT, "cluster", "conflict"]
    assert alpaca["drop_reason"].to_list() == [None, None, "near_duplicate", None]
    assert alpaca["duplicate_of"].to_list() == [None, None, first, None]
    assert alpaca["cluster"].to_list() == [first, None, None, None]
    assert belle["cluster"].to_list() == ["b" * 32, first]
    assert (near.rows_in, near.rows_out) == (4, 3)
    assert near.note("verified") == "1"
    assert near.note("clusters") == "2"


def test_a_refresh_signs_only_what_is_new_and_names_matches_across_versions(tmp_path: Path):
    signed = tmp_path / "stages" / "dedupe_sign"
    first = Refresh(tmp_path)
    before = first.near()
    old = {part: part.stat().st_mtime_ns for part in signed.rglob("part-*")}
    assert len(old) == 2

    rows = [
        {"user": POEM + ".", "assistant": ANSWER, "record_id": "d" * 32},
        {"user": "Quite another thing", "assistant": "Never seen", "record_id": "e" * 32},
    ]
    second = Refresh(tmp_path, sources=[source("alpaca", 1), source("belle", 2), source("cot", 3)])
    shard = write_shard(
        records({"source": "cot", **row} for row in rows), second.lake, "cot.parquet", source="cot"
    )
    second.shards += (shard,)
    second.filtered += (second.judged(shard, []),)
    after = second.near()

    new = {part: part.stat().st_mtime_ns for part in signed.rglob("part-*")}
    assert len(new) == 3
    assert new.items() >= old.items()
    cot = second.verdicts(after)[2]
    assert cot["drop_reason"].to_list() == ["near_duplicate", None]
    assert cot["duplicate_of"].to_list() == [f"{0:032x}", None]
    for one, other in zip(first.verdicts(before), second.verdicts(after), strict=False):
        assert one.equals(other)


def test_a_row_of_an_old_version_falls_to_a_new_source_of_better_priority(tmp_path: Path):
    Refresh(tmp_path).near()
    second = Refresh(tmp_path, sources=[source("alpaca", 1), source("belle", 2), source("cot", 0)])
    row = {"source": "cot", "user": POEM + ".", "assistant": ANSWER, "record_id": "d" * 32}
    shard = write_shard(records([row]), second.lake, "cot.parquet", source="cot")
    second.shards += (shard,)
    second.filtered += (second.judged(shard, []),)
    alpaca = second.verdicts(second.near())[0]
    assert alpaca["drop_reason"].to_list() == ["near_duplicate", None, "near_duplicate", None]
    assert set(alpaca["duplicate_of"].drop_nulls()) == {"d" * 32}


def test_the_recipe_decides_about_conflicts(tmp_path: Path):
    refresh = Refresh(tmp_path, dedupe={"conflicts": {"policy": "keep_best"}})
    near = refresh.near()
    alpaca, belle = refresh.verdicts(near)
    first = f"{0:032x}"
    assert belle["drop_reason"].to_list() == [None, "conflicting_response"]
    assert belle["duplicate_of"].to_list() == [None, first]
    assert belle["cluster"].to_list() == ["b" * 32, None]
    assert belle["conflict"].to_list() == [None, first]
    assert alpaca["conflict"].to_list() == [first, None, None, None]
    assert [(drop.reason, drop.source) for drop in near.drops] == [
        ("conflicting_response", "belle"),
        ("near_duplicate", "alpaca"),
    ]
    assert (near.note("conflicting_prompts"), near.note("conflicting_rows")) == ("1", "2")


def test_a_switched_off_half_passes_every_row(tmp_path: Path):
    off = {"exact": {"enabled": False}, "near": {"enabled": False}}
    refresh = Refresh(tmp_path, dedupe=off)
    assert refresh.exact().rows_out == 6
    near = refresh.near()
    assert (near.rows_in, near.rows_out) == (5, 5)


def test_a_finished_half_is_not_done_again(tmp_path: Path):
    refresh = Refresh(tmp_path)
    near = refresh.near()
    (tmp_path / "alpaca.parquet").unlink()
    assert refresh.near() == near


def test_a_lost_verdict_shard_is_made_again_byte_for_byte(tmp_path: Path):
    refresh = Refresh(tmp_path)
    near = refresh.near()
    (tmp_path / near.shards[1].uri).unlink()
    assert refresh.near() == near
    assert (tmp_path / near.shards[1].uri).exists()


@pytest.mark.parametrize(
    "change",
    [
        {"dedupe": {"near": {"threshold": 0.9}}},
        {"dedupe": {"conflicts": {"policy": "keep_best"}}},
        {"sources": [source("alpaca", 3), source("belle", 2)]},
        {"sources": [source("alpaca", 1, code=True), source("belle", 2)]},
    ],
    ids=["rules", "conflicts", "priority", "code"],
)
def test_what_the_verdicts_depend_on_is_in_the_digest(tmp_path: Path, change: dict[str, object]):
    assert Refresh(tmp_path, **change).near().digest != Refresh(tmp_path).near().digest


def test_what_the_filter_said_is_in_the_digest(tmp_path: Path):
    refresh = Refresh(tmp_path)
    before = refresh.exact()
    refresh.filtered = (refresh.filtered[0], refresh.judged(refresh.shards[1], [0]))
    assert refresh.exact().digest != before.digest


def test_verdicts_that_do_not_fit_their_shard_are_refused(tmp_path: Path):
    refresh = Refresh(tmp_path)
    refresh.filtered = refresh.filtered[::-1]
    with pytest.raises(CorpusDamaged, match=r"has 2 verdicts on .*alpaca.parquet, which has 4"):
        refresh.exact()


def test_no_shards_and_a_shard_of_no_rows_are_judged(tmp_path: Path):
    refresh = Refresh(tmp_path)
    refresh.shards = refresh.filtered = ()
    assert refresh.near().rows_out == 0
    empty = write_shard(records([]), refresh.lake, "empty.parquet", source="belle")
    refresh.shards, refresh.filtered = (empty,), (refresh.judged(empty, []),)
    near = refresh.near()
    assert (near.rows_in, near.shards[0].rows) == (0, 0)


def test_a_finished_stage_needs_no_compiler(tmp_path: Path):
    refresh = Refresh(tmp_path)
    near = refresh.near()
    handed = refresh.recipe.model_dump_json()
    (tmp_path / "recipe.json").write_text(handed)
    (tmp_path / "near.json").write_text(near.model_dump_json())
    (tmp_path / "exact.json").write_text(refresh.exact().model_dump_json())
    (tmp_path / "filtered.json").write_text(
        "\n".join(one.model_dump_json() for one in refresh.filtered)
    )
    code = f"""
import sys
from pathlib import Path
from schemas.manifest import StageManifest
from schemas.recipe import Recipe
from tasks.dedupe.stage import near_stage
from tasks.lake import Lake
folder = Path({str(tmp_path)!r})
read = lambda name: (folder / name).read_text()
near = StageManifest.model_validate_json(read("near.json"))
filtered = [StageManifest.model_validate_json(line) for line in read("filtered.json").splitlines()]
exact = StageManifest.model_validate_json(read("exact.json"))
recipe = Recipe.model_validate_json(read("recipe.json"))
again = near_stage(Lake(str(folder)), near.parents, filtered, exact, recipe)
sys.exit(0 if again == near and "numba" not in sys.modules else 1)
"""
    root = Path(__file__).resolve().parents[2]
    assert subprocess.run([sys.executable, "-c", code], cwd=root, check=False).returncode == 0


def test_the_tasks_do_what_the_stage_does(tmp_path: Path):
    refresh = Refresh(tmp_path)
    exact = mark_exact.fn(refresh.uri, refresh.shards, refresh.filtered, refresh.recipe)
    assert exact == refresh.exact()
    near = mark_near.fn(refresh.uri, refresh.shards, refresh.filtered, exact, refresh.recipe)
    assert near == refresh.near()
