"""A manifest carries its own seal: whatever bit of it changes, it is no longer what was written."""

import hashlib
import json
import re
from pathlib import Path

import pytest

from schemas.errors import CorpusDamaged
from schemas.manifest import SourceEntry, StageRows
from schemas.seal import UNSEALED, is_intact, sealed
from tasks.corpora import made_from, read_manifest
from tasks.history.gc import give_up
from tasks.history.inputs import REBUILT, Inputs
from tasks.history.named import named_version
from tasks.history.needs import needed_stages
from tasks.history.tags import set_tag, tags
from tasks.lake import Lake
from tasks.publish.verify import other_bytes, problems
from tasks.receipts import receipts_of
from tasks.stages import finish, finished
from tests.history.corpora import TABLE, publish
from tests.judgements import judgement

KEY = "corpora/tiny/v0001/manifest.json"


def test_anybody_can_check_a_seal(lake: Lake) -> None:
    manifest = publish(lake)
    unsealed = re.sub(rb'"seal": "[0-9a-f]{64}"', b'"seal": "%s"' % (b"0" * 64), lake.read(KEY))
    assert hashlib.sha256(unsealed).hexdigest() == manifest.seal
    assert read_manifest(lake, "tiny", "v0001") == manifest


def test_every_flipped_bit_of_a_manifest_is_seen() -> None:
    data = sealed(json.dumps({"seal": UNSEALED, "n": 1e-7, "t": "a b"}).encode())
    seal = json.loads(data)["seal"]
    assert is_intact(data, seal)
    for bit in range(len(data) * 8):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        try:
            found = json.loads(bytes(flipped)).get("seal")
        except (ValueError, UnicodeDecodeError):
            continue
        assert found is None or not is_intact(bytes(flipped), found)


# fmt: off
EDITS = {  #                     what was written              what stands there
    "another licence":          (b'"licence": "MIT"',          b'"licence": "GPL"'),
    "a gate that passed":       (b'"passed": true',            b'"passed": false'),
    "white space":              (b'"name": "tiny"',            b'"name":  "tiny"'),
    "another seal":             (b'"seal": "',                 b'"seal": "0'),
}
# fmt: on


@pytest.mark.parametrize(("old", "new"), EDITS.values(), ids=EDITS)
def test_a_manifest_that_was_edited_is_refused_with_what_to_do(
    lake: Lake, old: bytes, new: bytes
) -> None:
    publish(lake)
    data = lake.read(KEY)
    edited = data.replace(old, new, 1)
    assert edited != data
    if b"seal" in new:
        edited = edited.replace(b'"\n}', b'"\n}')
        edited = re.sub(rb'("seal": "0[0-9a-f]{63})[0-9a-f]"', rb'\1"', edited)
    lake.put(KEY, edited)
    with pytest.raises(CorpusDamaged, match=r"is not as it was written.*Restore it from a copy"):
        read_manifest(lake, "tiny", "v0001")


def test_a_manifest_of_an_older_winnow_has_no_seal_and_is_read(lake: Lake) -> None:
    publish(lake)
    found = json.loads(lake.read(KEY))
    for later in ("seal", "data_columns", "ledger_columns"):
        del found[later]
    for source in found["sources"]:
        del source["stages"]
    lake.put(KEY, json.dumps(found).encode())
    old = read_manifest(lake, "tiny", "v0001")
    assert (old.seal, old.data_columns, old.sources[0].stages) == (None, (), ())
    assert problems(lake, old) == []


def test_a_stage_whose_receipt_lost_a_bit_is_not_done(lake: Lake) -> None:
    (stage, *_), _ = judgement(lake, TABLE)[0].normalized, None
    finish(lake, stage)
    assert finished(lake, "normalize", stage.digest) == stage
    key = f"stages/normalize/{stage.digest}/manifest.json"
    lake.put(key, lake.read(key).replace(b'"source": "alpaca"', b'"source": "alpaci"'))
    assert finished(lake, "normalize", stage.digest) is None


def flip(lake: Lake, key: str, part: float) -> None:
    data = bytearray(lake.read(key))
    data[int(part * (len(data) - 1))] ^= 1
    lake.put(key, bytes(data))


@pytest.mark.parametrize("part", [0.0, 0.5, 1.0], ids="at {} of its bytes".format)
def test_a_flipped_bit_in_any_file_of_a_version_is_found(lake: Lake, part: float) -> None:
    manifest = publish(lake, unread=1)
    files = [key for key in lake.keys("corpora/tiny/v0001") if key != KEY]
    assert len(files) >= 5
    for key in files:
        whole = lake.read(key)
        flip(lake, key, part)
        assert any(key in line for line in problems(lake, manifest)), key
        lake.put(key, whole)
    assert problems(lake, manifest) == []


def test_rows_after_each_stage_are_in_the_manifest(lake: Lake) -> None:
    alpaca, belle = publish(lake, unread=2).sources
    assert [(one.stage, one.rows_in, one.rows_out) for one in alpaca.stages] == [
        ("normalize", 5, 3),
        ("dedupe_exact", 3, 3),
        ("filter", 3, 2),
        ("dedupe_near", 2, 2),
    ]
    assert [(one.stage, one.rows_in, one.rows_out) for one in belle.stages] == [
        ("normalize", 3, 3),
        ("dedupe_exact", 3, 2),
        ("filter", 2, 2),
        ("dedupe_near", 2, 1),
    ]


def test_sampling_is_a_stage_where_the_recipe_has_it(lake: Lake) -> None:
    manifest = publish(lake, sampling={"sources": {"alpaca": {"fraction": 0.5}}})
    assert [one.stage for one in manifest.sources[0].stages][-1] == "sample"


# fmt: off
CHAINS = {  #                    rows in and out of each stage       says
    "a row lost between":       (((3, 3), (2, 2)),                   "takes 2 rows, the stage before it gives 3"),
    "not what came in":         (((4, 2),),                          "takes 4 rows, the stage before it gives 3"),
    "not what comes out":       (((3, 3),),                          "its last stage gives 3 rows, rows_out is 2"),
}
# fmt: on


@pytest.mark.parametrize(("chain", "says"), CHAINS.values(), ids=CHAINS)
def test_stages_that_do_not_hand_on_cannot_be_recorded(
    chain: tuple[tuple[int, int], ...], says: str
) -> None:
    stages = tuple(StageRows(stage="filter", rows_in=took, rows_out=gave) for took, gave in chain)
    with pytest.raises(ValueError, match=says):
        SourceEntry(
            name="a", upstream="", revision=None, raw_digest="0" * 64, files=(), licence="MIT",
            citation="", homepage="", rows_in=3, rows_out=2, stages=stages,
        )  # fmt: skip


def test_the_columns_of_shards_are_in_the_manifest(lake: Lake) -> None:
    manifest = publish(lake)
    assert [column.name for column in manifest.data_columns][:3] == [
        "record_id",
        "source",
        "source_row",
    ]
    types = {column.name: column.type for column in manifest.ledger_columns}
    assert types["messages"] == "List(Struct({'role': String, 'content': String}))"
    fewer = manifest.model_copy(update={"data_columns": manifest.data_columns[1:]})
    assert any("expected columns source String" in line for line in problems(lake, fewer))


def test_deep_derives_the_ids_from_the_texts(lake: Lake) -> None:
    import polars as pl

    from tasks.publish.identity import corpus_digest, digest_in_passes
    from tasks.shards import write_shard

    manifest = publish(lake, split={"validation_share": 0})
    split = manifest.splits[0]
    key = f"corpora/tiny/v0001/{split.shards[0].uri}"
    frame = pl.read_parquet(lake.local(key, split.shards[0].sha256))
    other = frame.with_columns(record_id=pl.col("record_id").str.reverse())
    shard = write_shard(other, lake, key).model_copy(update={"uri": split.shards[0].uri})
    named = other.lazy().select("record_id", split=pl.lit("train"))
    of_records = digest_in_passes(named, other.height)
    spoilt = manifest.model_copy(
        update={
            "splits": (split.model_copy(update={"shards": (shard,)}),),
            "digest": corpus_digest(manifest.recipe_digest, of_records),
        }
    )
    assert problems(lake, spoilt) == []
    (line,) = problems(lake, spoilt, deep=True)
    assert "records have another id than their text" in line
    assert problems(lake, manifest.model_copy(update={"splits": ()}), deep=True)


def test_inputs_that_the_lake_no_longer_holds_are_no_problem(lake: Lake) -> None:
    inputs = Inputs(lake, publish(lake))
    assert (inputs.files, inputs.wrong, other_bytes(lake, inputs.files)) == ({}, [], [])


@pytest.mark.parametrize("edit", ["", "GPL"], ids=["as it was", "edited"])
def test_a_manifest_that_lost_its_seal_is_refused(lake: Lake, edit: str) -> None:
    publish(lake)
    found = json.loads(lake.read(KEY))
    del found["seal"]
    found["sources"][0]["licence"] = edit or found["sources"][0]["licence"]
    for told in (found, found | {"seal": None}):
        lake.put(KEY, json.dumps(told).encode())
        with pytest.raises(CorpusDamaged, match=r"its seal is gone\. Restore it from a copy"):
            read_manifest(lake, "tiny", "v0001")


def test_a_stage_whose_receipt_lost_its_seal_is_not_done_and_verify_says_so(lake: Lake) -> None:
    manifest = publish(lake)
    stage = judgement(lake, TABLE)[0].normalized[0]
    finish(lake, stage)
    assert Inputs(lake, manifest).wrong == []
    key = f"stages/normalize/{stage.digest}/manifest.json"
    lake.put(key, stage.model_dump_json(exclude={"seal"}).encode())
    assert finished(lake, "normalize", stage.digest) is None
    assert receipts_of(lake, manifest).of("normalize") == ()
    assert needed_stages(lake, (manifest,))
    (line,) = Inputs(lake, manifest).wrong
    assert line == f"{key}: not a stage's manifest as it was written: {REBUILT}"


def test_a_manifest_in_another_versions_place_is_refused(lake: Lake) -> None:
    publish(lake)
    for key in lake.keys("corpora/tiny/v0001"):
        lake.copy(key, key.replace("v0001", "v0002"))
        lake.copy(key, key.replace("tiny", "other"))
    says = "is that of tiny v0001, expected {}. Restore it from a copy of the lake, or remove"
    with pytest.raises(CorpusDamaged, match=says.format("tiny v0002")):
        named_version(lake, "tiny@v0002")
    with pytest.raises(CorpusDamaged, match=says.format("other v0001")):
        read_manifest(lake, "other", "v0001")


def test_a_manifest_that_is_gone_says_what_to_do_and_what_it_says_works(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path / "lake"))
    publish(lake)
    lake.delete([KEY])
    for _ in range(2):
        with pytest.raises(CorpusDamaged) as refused:
            publish(lake)
        said = (
            "Restore it from a copy of the lake; or, to give v0001 up, run: winnow gc tiny --lost"
        )
        assert said in str(refused.value)
        assert "Run the refresh again to rebuild it" not in str(refused.value)
    give_up(lake, "tiny")
    assert publish(lake).version == "v0001"


# fmt: off
DAMAGED_NOTES = {
    "half":         b'{"inputs_digest": "',
    "a list":       b"[]",
    "a text":       b'"v0001"',
    "not UTF-8":    b"\xff",
    "nothing":      b"",
}
# fmt: on


@pytest.mark.parametrize("data", DAMAGED_NOTES.values(), ids=DAMAGED_NOTES)
def test_damaged_notes_stop_no_refresh(lake: Lake, data: bytes) -> None:
    first = publish(lake)
    set_tag(lake, first, "prod")
    for name in ("unchanged.json", "tag_names.json", "etags/v0001.json"):
        lake.put(f"corpora/tiny/{name}", data)
    assert made_from(lake, "tiny", first.inputs_digest) == first
    assert publish(lake) == first
    assert list(tags(lake, "tiny")) == ["prod"]
