"""What one version has that another has not, with the reason; the same in one pass or in many."""

import hashlib

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.manifest import CorpusManifest, FailedSource
from tasks.corpora import version_key
from tasks.history import diff
from tasks.history.changes import drop_changes, recipe_changes, source_changes
from tasks.history.diff import CHANGES, Side, changes, counted
from tasks.lake import Lake
from tasks.publish import identity
from tasks.shards import write_shard
from tests.history.corpora import HEAD, publish

# fmt: off
OLD = f"""{HEAD}
alpaca | stays           | answer |
alpaca | dropped now     | answer |
alpaca | copied now      | answer |
alpaca | gone            | answer |
alpaca | was dropped     | answer | echo
cot    | of a lost one   | answer |
"""
NEW = f"""{HEAD}
alpaca | stays           | answer |
alpaca | dropped now     | answer | phone
alpaca | copied now      | answer | exact_duplicate
alpaca | was dropped     | answer |
alpaca | new             | answer |
belle  | of a new one    | answer |
belle  | dropped now     | answer | exact_duplicate
"""
EXPECTED = {  #          change     source    stage           reason
    "dropped now":      ("removed", "alpaca", "filter",       "phone"),
    "copied now":       ("removed", "alpaca", "dedupe_exact", "exact_duplicate"),
    "gone":             ("removed", "alpaca", None,           "reading"),
    "of a lost one":    ("removed", "cot",    None,           "source"),
    "was dropped":      ("added",   "alpaca", "filter",       "echo"),
    "new":              ("added",   "alpaca", None,           "reading"),
    "of a new one":     ("added",   "belle",  None,           "source"),
}
# fmt: on


@pytest.fixture
def two(lake: Lake) -> tuple[Side, Side]:
    return Side(lake, publish(lake, OLD)), Side(lake, publish(lake, NEW))


def prompts(side: Side) -> dict[str, str]:
    shards = [shard for split in side.manifest.splits for shard in split.shards]
    keys = [f"{side.folder}/{shard.uri}" for shard in (*shards, *side.manifest.ledger)]
    found = {}
    for key, shard in zip(keys, (*shards, *side.manifest.ledger), strict=True):
        frame = pl.read_parquet(side.lake.local(key, shard.sha256))
        said = frame.select("record_id", pl.col("messages").list[0].struct.field("content"))
        found |= dict(said.rows())
    return found


def listed(old: Side, new: Side) -> pl.DataFrame:
    return pl.concat([CHANGES.to_frame(), *changes(old, new)])


def test_every_record_that_came_or_went_has_its_reason(two: tuple[Side, Side]) -> None:
    named = prompts(two[0]) | prompts(two[1])
    found = {
        named[row["record_id"]]: (row["change"], row["source"], row["stage"], row["reason"])
        for row in listed(*two).to_dicts()
    }
    assert found == EXPECTED


def test_counts_are_by_source_and_reason(two: tuple[Side, Side]) -> None:
    counts = counted(changes(*two)).select("change", "source", "stage", "reason", "rows")
    assert sorted(map(str, counts.rows())) == sorted(str((*one, 1)) for one in EXPECTED.values())


def test_upstream_is_the_reason_where_its_bytes_are_others(two: tuple[Side, Side]) -> None:
    old, new = two
    entries = tuple(
        entry.model_copy(update={"raw_digest": "1" * 64}) for entry in new.manifest.sources
    )
    other = Side(new.lake, new.manifest.model_copy(update={"sources": entries}))
    reasons = listed(old, other).filter(pl.col("source") == "alpaca", pl.col("stage").is_null())
    assert set(reasons["reason"]) == {"upstream"}


def test_a_source_that_failed_is_the_reason(two: tuple[Side, Side]) -> None:
    old, new = two
    lost = (FailedSource(name="cot", error="SourceMissing", message="404"),)
    other = Side(new.lake, new.manifest.model_copy(update={"failed_sources": lost}))
    (row,) = listed(old, other).filter(pl.col("source") == "cot").to_dicts()
    assert row["reason"] == "failed_source"
    assert {one.source: one.status for one in source_changes(old.manifest, other.manifest)} == {
        "alpaca": "changed",
        "belle": "added",
        "cot": "failed",
    }


def test_a_version_does_not_differ_from_itself(two: tuple[Side, Side]) -> None:
    assert listed(two[0], two[0]).is_empty()
    assert counted(changes(two[1], two[1])).is_empty()


def test_the_other_way_round_added_is_removed(two: tuple[Side, Side]) -> None:
    forward, backward = listed(*two), listed(*reversed(two))
    swapped = backward.with_columns(
        pl.col("change").replace({"added": "removed", "removed": "added"})
    )
    key = ["change", "record_id"]
    assert forward.select(key).sort(key).equals(swapped.select(key).sort(key))


def rewritten(side: Side, **changed: pl.Expr) -> Side:
    """The same version with other values in its first shard, as if it had been published so."""
    split = next(split for split in side.manifest.splits if split.rows)
    key = f"{side.folder}/{split.shards[0].uri}"
    frame = pl.read_parquet(side.lake.local(key, split.shards[0].sha256)).with_columns(**changed)
    other = Lake("memory://")
    shard = write_shard(frame, other, key).model_copy(update={"uri": split.shards[0].uri})
    splits = (split.model_copy(update={"shards": (shard,), "rows": frame.height}),)
    said = {"splits": splits, "ledger": (), "records_digest": "1" * 64}
    return Side(other, side.manifest.model_copy(update=said))


# fmt: off
ALTERED = {  #    column      value     change      before    after
    "licence":   ("licence", "GPL",    "licence",  "MIT",    "GPL"),
    "source":    ("source",  "belle",  "source",   "alpaca", "belle"),
}
# fmt: on


@pytest.mark.parametrize(
    ("column", "value", "change", "before", "after"), ALTERED.values(), ids=ALTERED
)
def test_what_is_said_of_a_record_may_change(
    lake: Lake, column: str, value: str, change: str, before: str, after: str
) -> None:
    old = Side(lake, publish(lake, f"{HEAD}alpaca | Why? | Because. |\nalpaca | How? | So. |\n",
                             split={"validation_share": 0}))  # fmt: skip
    new = rewritten(old, **{column: pl.lit(value)})
    rows = listed(old, new).select("change", "before", "after").unique().rows()
    assert rows == [(change, before, after)]


def test_split_and_copies_are_told(lake: Lake) -> None:
    table = f"{HEAD}alpaca | Why? | Because. |\nalpaca | How? | So. |\n"
    old = Side(lake, publish(lake, table, split={"validation_share": 0}))
    said = old.manifest.splits[0].model_copy(update={"name": "validation"})
    moved = old.manifest.model_copy(update={"splits": (said,), "records_digest": "1" * 64})
    assert listed(old, Side(lake, moved)).select("change", "before", "after").rows() == [
        ("split", "train", "validation"),
        ("split", "train", "validation"),
    ]
    twice = old.manifest.splits[0].shards * 2
    said = old.manifest.splits[0].model_copy(update={"shards": twice})
    repeated = old.manifest.model_copy(update={"splits": (said,), "records_digest": "1" * 64})
    assert listed(old, Side(lake, repeated)).select("change", "before", "after").rows() == [
        ("copies", "1", "2"),
        ("copies", "1", "2"),
    ]


@pytest.mark.parametrize("rows_per_pass", [1, 2, 3, 5])
def test_many_passes_say_what_one_says(
    two: tuple[Side, Side], rows_per_pass: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = listed(*two)
    monkeypatch.setattr(diff, "ROWS_PER_PASS", rows_per_pass)
    parts = list(changes(*two))
    assert len(parts) == -(-7 // rows_per_pass)
    key = ["change", "source", "source_row", "record_id"]
    assert pl.concat(parts).sort(key).equals(whole.sort(key))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    ids=st.lists(st.binary(min_size=16, max_size=16), unique=True, max_size=30),
    rows_per_pass=st.integers(1, 9),
)
def test_every_id_falls_into_one_range(
    ids: list[bytes], rows_per_pass: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(identity, "DIGESTED_AT_ONCE", rows_per_pass)
    frame = pl.DataFrame({"record_id": [one.hex() for one in ids]}, schema={"record_id": pl.String})
    split = frame.with_columns(split=pl.lit("train"))
    parts = [split.filter(part) for part in identity.id_ranges(len(ids), rows_per_pass)]
    assert pl.concat(parts).sort("record_id").equals(split.sort("record_id"))
    lines = "\n".join(sorted(f"{one} train" for one in frame["record_id"]))
    whole = hashlib.sha256(lines.encode()).hexdigest()
    assert identity.records_digest(split) == whole
    assert identity.digest_in_passes(split.lazy(), len(ids)) == whole


def test_recipes_are_compared_key_by_key(two: tuple[Side, Side]) -> None:
    old = two[0].manifest
    other = old.model_copy(update={"recipe": changed(old, seed=18, new_key=[1, 2])})
    said = {one.key: (one.before, one.after) for one in recipe_changes(old, other)}
    assert said == {
        "seed": (old.recipe.get("seed"), 18),
        "new_key": (None, [1, 2]),
        "sources.alpaca.licence": ("MIT", "GPL"),
    }


def changed(manifest: CorpusManifest, **keys: object) -> dict[str, object]:
    sources = [
        dict(one, licence="GPL") if one["name"] == "alpaca" else one  # type: ignore[arg-type, index, call-overload]
        for one in manifest.recipe["sources"]  # type: ignore[union-attr]
    ]
    return {**manifest.recipe, "sources": sources, **keys}


def test_drops_are_compared_by_stage_and_reason(two: tuple[Side, Side]) -> None:
    said = {
        one.key: (one.before, one.after) for one in drop_changes(*(one.manifest for one in two))
    }
    assert said == {
        "dedupe_exact.exact_duplicate": (0, 2),
        "filter.echo": (1, 0),
        "filter.phone": (0, 1),
    }


def test_sources_tell_their_licence_and_revision(two: tuple[Side, Side]) -> None:
    old = two[0].manifest
    entries = tuple(
        entry.model_copy(update={"licence": "GPL", "revision": "abc"}) for entry in old.sources
    )
    other = old.model_copy(update={"sources": entries})
    for one in source_changes(old, other):
        assert [(change.key, change.before, change.after) for change in one.changes] == [
            ("revision", None, "abc"),
            ("licence", "MIT", "GPL"),
        ]


def test_both_sides_may_be_other_corpora(lake: Lake) -> None:
    one, other = publish(lake, OLD), publish(lake, OLD, name="other")
    assert version_key(other.name, other.version) == "corpora/other/v0001"
    assert listed(Side(lake, one), Side(lake, other)).is_empty()


# fmt: off
ODD = {  #                     ids
    "copies":                  ["00" * 16, "00" * 16, "01" * 16],
    "alike to the 15th digit": ["a" * 15 + "9" * 17, "a" * 15 + "1" * 17],
    "no ids":                  ["b", "aa", "z", ""],
    "capitals":                ["AA" * 16, "bb" * 16],
    "not one":                 [],
}
# fmt: on


@pytest.mark.parametrize("ids", ODD.values(), ids=ODD)
def test_the_digest_of_records_is_of_their_sorted_lines(ids: list[str]) -> None:
    splits = ["validation" if at % 2 else "train" for at, _ in enumerate(ids)]
    frame = pl.DataFrame(
        {"record_id": ids, "split": splits}, schema={"record_id": pl.String, "split": pl.String}
    )
    lines = "\n".join(sorted(f"{one} {split}" for one, split in zip(ids, splits, strict=True)))
    assert identity.records_digest(frame) == hashlib.sha256(lines.encode()).hexdigest()


def test_records_that_other_code_gave_another_licence_are_told(lake: Lake) -> None:
    old = Side(lake, publish(lake, f"{HEAD}alpaca | Why? | So. |\n", split={"validation_share": 0}))
    new = rewritten(old, licence=pl.lit("GPL"))
    same = new.manifest.model_copy(update={"records_digest": old.manifest.records_digest})
    assert listed(old, Side(new.lake, same)).is_empty()
    other = Side(new.lake, same.model_copy(update={"code_digest": "1" * 64}))
    assert listed(old, other).select("change", "before", "after").rows() == [
        ("licence", "MIT", "GPL")
    ]
