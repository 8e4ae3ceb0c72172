"""An export is read by what its form is for, and a whole one is the same version elsewhere."""

import hashlib
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from datasets import disable_progress_bars, load_dataset

from schemas.errors import ConfigError, CorpusDamaged
from schemas.history import ExportFormat
from schemas.ledger import PUBLISHED
from schemas.manifest import CorpusManifest, RawFile, RawReceipt
from schemas.seal import UNSEALED, sealed
from schemas.source import Source
from tasks import text
from tasks.corpora import latest, read_manifest, tidy, version_key, versions
from tasks.history import export as exporting
from tasks.history import restore as restoring
from tasks.history.export import export_version
from tasks.history.forms import FORMS
from tasks.history.gc import collect
from tasks.history.log import events
from tasks.history.restore import import_version
from tasks.lake import Lake
from tasks.normalize.normalize import normalize
from tasks.publish.verify import problems
from tests.history.corpora import FAILED, MORE, OTHERS, publish

disable_progress_bars()
WHOLE = [form for form in ExportFormat if form.is_whole]
READ_AS = {
    ExportFormat.ALPACA: "alpaca",
    ExportFormat.SHAREGPT: "sharegpt",
    ExportFormat.MESSAGES: "messages",
    ExportFormat.HUGNLP: "hugnlp",
}


@pytest.fixture
def place(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "export"))


def rows(manifest: CorpusManifest, lake: Lake) -> pl.DataFrame:
    folder = version_key(manifest.name, manifest.version)
    shards = [shard for split in manifest.splits for shard in split.shards]
    files = [lake.local(f"{folder}/{shard.uri}", shard.sha256) for shard in shards]
    return pl.concat(
        pl.read_ipc(file) if shard.uri.endswith("arrow") else pl.read_parquet(file)
        for shard, file in zip(shards, files, strict=True)
    )


def talk(*turns: str) -> list[dict[str, str]]:
    roles = {"s": "system", "u": "user", "a": "assistant", "t": "tool"}
    return [{"role": roles[turn[0]], "content": turn[2:]} for turn in turns]


# fmt: off
TALKS = {  #                   messages                                                  forms without a place for it
    "one turn":               (talk("u:Why?", "a:Because."),                             ""),
    "two turns":              (talk("u:Why?", "a:So.", "u:How?", "a:Thus."),             ""),
    "three turns":            (talk("u:1", "a:2", "u:3", "a:4", "u:5", "a:6"),           ""),
    "a system text":          (talk("s:Be brief.", "u:Why?", "a:So."),                   "hugnlp"),
    "a system text, 2 turns": (talk("s:Be.", "u:1", "a:2", "u:3", "a:4"),                "hugnlp"),
    "a tool":                 (talk("u:Sum?", "a:{}", "t:4", "a:It is 4."),              "alpaca hugnlp"),
    "two tools in a row":     (talk("u:Sum?", "a:{}", "t:4", "t:5", "a:It is 9."),       "alpaca hugnlp sharegpt"),
    "two users in a row":     (talk("u:Why?", "u:How?", "a:So."),                        "alpaca hugnlp sharegpt"),
    "a speaker's name":       (talk("u:Say it", "a:So:\nHuman: hello"),                  "hugnlp"),
    "quotes and line breaks": (talk("u:\"1\"\n\\2", "a:{\n\t\"é\": [1]\r\n}\u2028."),      ""),
    "markup":                 (talk("u:<script>", "a:</script> & {{x}}"),                ""),
    "Chinese":                (talk("u:一加一等于几？", "a:二。"),                          ""),
}
# fmt: on


def of_talks() -> pl.DataFrame:
    messages = [said for said, _ in TALKS.values()]
    frame = pl.DataFrame({"messages": messages}, schema={"messages": PUBLISHED["messages"]})
    known = {"source": "alpaca", "licence": "MIT", "turns": 1, "prompt_chars": 1}
    known |= {"response_chars": 1, "cluster": "c", "source_row": 0}
    told = [
        pl.col(name) if name == "messages" else pl.lit(known.get(name)).alias(name)
        for name in PUBLISHED
    ]
    return frame.select(told).cast(dict(PUBLISHED)).with_columns(text.record_id())


@pytest.mark.parametrize("form", FORMS)
def test_a_form_leaves_out_what_it_has_no_place_for(form: ExportFormat) -> None:
    fits = FORMS[form].fits
    fitting = of_talks().select(pl.lit(True) if fits is None else fits()).to_series()
    expected = [form.value not in without.split() for _, without in TALKS.values()]
    assert fitting.to_list() == (expected if fits is not None else [True])


@pytest.mark.parametrize(("form", "layout"), READ_AS.items(), ids=READ_AS)
def test_what_is_exported_is_read_as_the_same_conversations(
    tmp_path: Path, form: ExportFormat, layout: str
) -> None:
    how = FORMS[form]
    frame = of_talks() if how.fits is None else of_talks().filter(how.fits())
    data = exporting._lines(frame.select(how.columns()), how)
    data = b"[" + data + b"]" if how.is_array else data
    lake = Lake(str(tmp_path))
    name = f"train.{how.ending}"
    lake.put(f"raw/x/0/{name}", data)
    sha256 = lake.sha256(f"raw/x/0/{name}") or ""
    file = RawFile(name=name, sha256=sha256, size_bytes=len(data))
    receipt = RawReceipt(source="x", uri="raw/x/0", digest=sha256, upstream="x", files=(file,))
    said = {"name": "x", "layout": layout, "licence": "MIT", "local": {"path": "x"}}
    done = normalize(receipt, Source.from_mapping(said, "test"), lake, 100)
    assert (done.rows_out, done.drops) == (frame.height, ())
    read = pl.read_parquet(lake.at(done.shards[0].uri))
    made, there = frame["messages"].to_list(), read["messages"].to_list()
    in_turn = [at for at, one in enumerate(made) if clean(one) == joined(clean(one))]
    assert [clean(there[at]) for at in in_turn] == [clean(made[at]) for at in in_turn]
    assert len(in_turn) >= 6


def test_what_an_assistant_says_to_a_tool_is_a_function_call_in_sharegpt() -> None:
    talks = of_talks().filter(pl.Series([name == "a tool" for name in TALKS]))
    (row,) = talks.select(FORMS[ExportFormat.SHAREGPT].columns()).to_dicts()
    assert [turn["from"] for turn in row["conversations"]] == [
        "human",
        "function_call",
        "observation",
        "gpt",
    ]


def clean(messages: list[dict[str, str]]) -> list[tuple[str, str]]:
    """As the door cleans them: no carriage returns, no white space around a turn of HugNLP."""
    return [(one["role"], one["content"].replace("\r\n", "\n").strip()) for one in messages]


def joined(turns: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Two turns of one role in a row are one turn to the door."""
    return [turn for at, turn in enumerate(turns) if at == 0 or turn[0] != turns[at - 1][0]]


@pytest.mark.parametrize("form", ExportFormat)
def test_datasets_loads_an_export_by_its_folder(
    lake: Lake, place: Lake, tmp_path: Path, form: ExportFormat
) -> None:
    manifest = publish(lake, MORE, split={"validation_share": 0.5})
    done = export_version(lake, manifest, place, form)
    loaded = load_dataset(place.uri, cache_dir=str(tmp_path / "cache"))
    assert {name: len(split) for name, split in loaded.items()} == {
        split.name: split.rows for split in manifest.splits if split.rows
    }
    assert sum(file.rows for file in done.files) == manifest.rows_out
    assert not any(file.left_out for file in done.files)
    assert [path.name for path in Path(place.uri).iterdir() if path.name == "tmp"] == []


def test_alpaca_and_sharegpt_are_what_llama_factory_reads(lake: Lake, tmp_path: Path) -> None:
    manifest = publish(lake, split={"validation_share": 0})
    for form in (ExportFormat.ALPACA, ExportFormat.SHAREGPT):
        folder = tmp_path / form.value
        export_version(lake, manifest, Lake(str(folder)), form)
        info = json.loads((folder / "dataset_info.json").read_text())["tiny_train"]
        read = json.loads((folder / info["file_name"]).read_text())
        assert len(read) == 3
        assert set(info["columns"].values()) <= set(read[0])


def test_rows_that_are_left_out_are_counted(place: Lake, lake: Lake) -> None:
    table = (
        "source | user | assistant | reason\nalpaca | Why? | Human: so |\nalpaca | How? | So |\n"
    )
    manifest = publish(lake, table, split={"validation_share": 0})
    (file,) = export_version(lake, manifest, place, ExportFormat.HUGNLP).files
    assert (file.rows, file.left_out) == (1, 1)


def test_an_export_takes_an_empty_place(lake: Lake, place: Lake) -> None:
    manifest = publish(lake)
    place.put("notes.txt", b"mine")
    with pytest.raises(ConfigError, match="is not empty"):
        export_version(lake, manifest, place, ExportFormat.JSONL)
    assert place.keys("") == ["notes.txt"]


@pytest.mark.parametrize("form", ["parquet", "arrow"])
@pytest.mark.parametrize("exported_as", WHOLE)
def test_an_import_is_the_same_version(
    lake: Lake, place: Lake, exported_as: ExportFormat, form: str
) -> None:
    manifest = publish(lake, unread=2, publish={"format": form, "shard_rows": 2})
    export_version(lake, manifest, place, exported_as)
    other = Lake("memory://")
    imported, is_new = import_version(other, place)
    assert (imported.digest, is_new) == (manifest.digest, True)
    assert rows(imported, other).equals(rows(manifest, lake))
    if (exported_as, form) != (ExportFormat.JSONL, "arrow"):  # what stands under a null differs
        assert imported == manifest
        for key in lake.keys("corpora/tiny/v0001"):
            assert other.read(key) == lake.read(key), key
    assert problems(other, imported, deep=True) == []
    assert latest(other, "tiny") == "v0001"
    assert [event.action for event in events(other, "tiny")] == ["import"]
    assert import_version(other, place) == (imported, False)


def test_an_import_of_a_rejected_version_stays_rejected(lake: Lake, place: Lake) -> None:
    export_version(lake, publish(lake, gates=FAILED), place, ExportFormat.JSONL)
    other = Lake("memory://")
    import_version(other, place)
    assert latest(other, "tiny") is None


def test_a_gap_in_the_numbers_is_fine_and_the_next_version_follows(lake: Lake, place: Lake) -> None:
    publish(lake)
    export_version(lake, publish(lake, MORE), place, ExportFormat.ARROW)
    other = Lake("memory://")
    import_version(other, place)
    assert latest(other, "tiny") == "v0002"
    assert publish(other).version == "v0003"


def test_another_version_of_that_name_is_a_conflict(lake: Lake, place: Lake) -> None:
    export_version(lake, publish(lake), place, ExportFormat.ARROW)
    other = Lake("memory://")
    there = publish(other, MORE)
    with pytest.raises(ConfigError, match=r"has another tiny v0001: its digest is"):
        import_version(other, place)
    assert read_manifest(other, "tiny", "v0001") == there
    assert latest(other, "tiny") == "v0001"


@pytest.mark.parametrize("form", [form for form in ExportFormat if not form.is_whole])
def test_a_form_that_loses_something_is_not_imported(
    lake: Lake, place: Lake, form: ExportFormat
) -> None:
    export_version(lake, publish(lake), place, form)
    with pytest.raises(ConfigError, match="Export the version as arrow or jsonl"):
        import_version(Lake("memory://"), place)
    assert FORMS[form].loses in place.read("README.md").decode()


def test_no_export_is_no_export(place: Lake) -> None:
    with pytest.raises(ConfigError, match="this is no export, or one that was cut short"):
        import_version(Lake("memory://"), place)


@pytest.mark.parametrize("form", WHOLE)
def test_a_flipped_bit_in_any_file_of_an_export_is_refused(
    lake: Lake, place: Lake, form: ExportFormat
) -> None:
    export_version(lake, publish(lake, unread=1), place, form)
    for key in place.keys(""):
        if key == "README.md":  # the export's own card, which nothing is made of
            continue
        whole = place.read(key)
        spoilt = bytearray(whole)
        spoilt[len(spoilt) // 2] ^= 1
        place.put(key, bytes(spoilt))
        other = Lake("memory://")
        says = "has sha256|not an export's receipt|name the same|has format"
        with pytest.raises((CorpusDamaged, ConfigError), match=says):
            import_version(other, place)
        assert other.keys("corpora") == [], key
        place.put(key, whole)
    import_version(Lake("memory://"), place)


def test_a_text_that_was_edited_with_its_digest_is_refused(lake: Lake, place: Lake) -> None:
    done = export_version(lake, publish(lake), place, ExportFormat.JSONL)
    name = done.files[0].name
    place.put(
        name, place.read(name).replace(b"Lemur", b"Tiger").replace("二".encode(), "三".encode())
    )
    said = json.loads(place.read("export.json"))
    said["files"][0]["sha256"] = place.sha256(name)
    place.put("export.json", json.dumps(said).encode())
    with pytest.raises(CorpusDamaged, match="have another id than their text"):
        import_version(Lake("memory://"), place)


def test_an_export_from_a_newer_format_is_refused(lake: Lake, place: Lake) -> None:
    export_version(lake, publish(lake), place, ExportFormat.JSONL)
    said = json.loads(place.read("export.json")) | {"format_version": 99}
    place.put("export.json", json.dumps(said).encode())
    with pytest.raises(CorpusDamaged, match=r"has format 99.*Update Winnow"):
        import_version(Lake("memory://"), place)


def resealed(place: Lake, change: Callable[[dict[str, Any]], object]) -> None:
    """Change an export's manifest, and make its seal and its digest in the receipt fit."""
    found = json.loads(place.read("version/manifest.json"))
    change(found)
    data = sealed(json.dumps(found | {"seal": UNSEALED}, indent=1).encode())
    place.put("version/manifest.json", data)
    receipt = json.loads(place.read("export.json"))
    receipt["others"][0]["sha256"] = hashlib.sha256(data).hexdigest()
    place.put("export.json", json.dumps(receipt).encode())


# fmt: off
OUTWARD: dict[str, Callable[[dict[str, Any]], object]] = {
    "a shard above":       lambda of: of["splits"][0]["shards"][0].update(uri="../../../../ESCAPED"),
    "a shard anywhere":    lambda of: of["splits"][0]["shards"][0].update(uri="/tmp/ESCAPED"),
    "a ledger above":      lambda of: of["ledger"][0].update(uri="ledger/../../ESCAPED"),
    "a page above":        lambda of: of["pages"][0].update(name="../ESCAPED"),
    "a corpus above":      lambda of: of.update(name="../../outside"),
    "a corpus anywhere":   lambda of: of.update(name="/tmp/outside"),
    "a version above":     lambda of: of.update(version="../v0001"),
    "a split above":       lambda of: of["splits"][0].update(name="../train"),
}
# fmt: on


@pytest.mark.parametrize("change", OUTWARD.values(), ids=OUTWARD)
def test_no_export_is_written_outside_of_the_lake(
    lake: Lake, place: Lake, tmp_path: Path, change: Callable[[dict[str, Any]], object]
) -> None:
    export_version(lake, publish(lake), place, ExportFormat.ARROW)
    resealed(place, change)
    other = Lake(str(tmp_path / "a/b/c/lake"))
    with pytest.raises(CorpusDamaged, match="is not a manifest"):
        import_version(other, place)
    assert [path.name for path in tmp_path.rglob("*") if "ESCAPED" in path.name] == []
    assert other.keys("corpora") == []


def test_a_file_of_an_export_that_is_outside_of_it_is_refused(lake: Lake, place: Lake) -> None:
    export_version(lake, publish(lake), place, ExportFormat.ARROW)
    said = json.loads(place.read("export.json"))
    for named in ("files", "others"):
        wrong = [said[named][0] | {"name": "version/../../x"}, *said[named][1:]]
        place.put("export.json", json.dumps(said | {named: wrong}).encode())
        with pytest.raises(CorpusDamaged, match="is not an export's receipt"):
            import_version(Lake("memory://"), place)


# fmt: off
RECEIPTS: dict[str, Callable[[dict[str, Any]], object]] = {  # what of the receipt is changed
    "a data file left out":     lambda said: said["files"].pop(),
    "a page left out":          lambda said: said["others"].pop(1),
    "a ledger file left out":   lambda said: said["others"].pop(),
    "another version":          lambda said: said.update(version="v0002"),
    "another digest":           lambda said: said.update(digest="0" * 64),
    "another corpus":           lambda said: said.update(corpus="other"),
    "other rows":               lambda said: said["files"][0].update(rows=9),
    "another split":            lambda said: said["files"][0].update(split="test"),
}
# fmt: on


@pytest.mark.parametrize("form", WHOLE)
@pytest.mark.parametrize("change", RECEIPTS.values(), ids=RECEIPTS)
def test_an_export_has_to_hold_what_its_manifest_says(
    lake: Lake, place: Lake, form: ExportFormat, change: Callable[[dict[str, Any]], object]
) -> None:
    made = publish(lake, unread=1, split={"validation_share": 0}, publish={"shard_rows": 2})
    export_version(lake, made, place, form)
    said = json.loads(place.read("export.json"))
    change(said)
    place.put("export.json", json.dumps(said).encode())
    other = Lake("memory://")
    with pytest.raises(CorpusDamaged, match="do not name the same"):
        import_version(other, place)
    assert other.keys("corpora") == []


@pytest.mark.parametrize("form", WHOLE)
def test_a_shortened_file_whose_digest_fits_is_refused(
    lake: Lake, place: Lake, form: ExportFormat
) -> None:
    made = publish(lake, split={"validation_share": 0}, publish={"shard_rows": 2})
    done = export_version(lake, made, place, form)
    name = done.files[-1].name
    if form is ExportFormat.JSONL:
        place.put(name, b"".join(place.read(name).splitlines(keepends=True)[:-1]))
    else:
        place.put(name, b"ARROW1")
    said = json.loads(place.read("export.json"))
    said["files"][-1]["sha256"] = place.sha256(name)
    place.put("export.json", json.dumps(said).encode())
    with pytest.raises(CorpusDamaged, match=r"do not hold the|cannot be read"):
        import_version(Lake("memory://"), place)


@pytest.mark.parametrize("form", ExportFormat)
def test_a_damaged_version_is_not_exported(lake: Lake, tmp_path: Path, form: ExportFormat) -> None:
    made = publish(lake, unread=1, publish={"format": "arrow"})
    folder = version_key(made.name, made.version)
    brought = [*made.shards, *(made.ledger if form.is_whole else ())]
    names = [shard.uri for shard in brought]
    names += [page.name for page in made.pages] if form.is_whole else []
    for number, name in enumerate(names):
        whole = lake.read(f"{folder}/{name}")
        words = (whole.replace(b"Lemur", b"Tiger"), whole[:-1] + bytes([whole[-1] ^ 1]))
        for at, spoilt in enumerate(words):
            if spoilt == whole:
                continue
            lake.put(f"{folder}/{name}", spoilt)
            to = Lake(str(tmp_path / f"export-{number}-{at}"))
            with pytest.raises(CorpusDamaged, match="is damaged, so it is not exported"):
                export_version(lake, made, to, form)
            assert not to.exists("export.json")
        lake.put(f"{folder}/{name}", whole)
    export_version(lake, made, Lake(str(tmp_path / "whole")), form)


def test_a_version_that_was_collected_is_imported_again(lake: Lake, place: Lake) -> None:
    first = publish(lake)
    export_version(lake, first, place, ExportFormat.ARROW)
    publish(lake, MORE)
    collect(lake, keep=1)
    assert versions(lake, "tiny") == ("v0002",)
    assert import_version(lake, place) == (first, True)
    assert versions(lake, "tiny") == ("v0001", "v0002")
    assert latest(lake, "tiny") == "v0002"
    assert problems(lake, first, deep=True) == []
    assert import_version(lake, place) == (first, False)
    tidy(lake)
    assert versions(lake, "tiny") == ("v0001", "v0002")
    assert publish(lake, OTHERS).version == "v0003"


def test_a_version_of_which_an_older_winnow_left_a_claim_is_imported_again(place: Lake) -> None:
    lake = Lake("memory://")
    first = publish(lake)
    export_version(lake, first, place, ExportFormat.ARROW)
    lake.remove_folder("corpora/tiny/v0001")
    assert import_version(lake, place) == (first, True)
    lake.delete(["corpora/tiny/v0001/manifest.json"])
    with pytest.raises(CorpusDamaged, match="Restore it from a copy of the lake"):
        import_version(lake, place)


def test_import_and_export_hold_a_lease(
    lake: Lake, place: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = []
    for module, name in ((exporting, "_exported"), (restoring, "_imported")):
        work = getattr(module, name)

        def seen(of: Lake, *arguments: Any, work: Callable[..., Any] = work) -> Any:
            held.append(len(of.keys("leases/uses")))
            return work(of, *arguments)

        monkeypatch.setattr(module, name, seen)
    export_version(lake, publish(lake), place, ExportFormat.ARROW)
    import_version(lake, place)
    assert held == [1, 1]


def test_a_version_is_imported_again_once_its_removal_has_come_to_its_end(place: Lake) -> None:
    lake = Lake("memory://")
    first = publish(lake)
    export_version(lake, first, place, ExportFormat.ARROW)
    lake.put("corpora/tiny/removals/v0001.json", b"")  # as somebody does who is killed then
    lake.delete(["corpora/tiny/v0001/manifest.json"])
    with pytest.raises(CorpusDamaged, match="Run: winnow gc --apply, then the import again"):
        import_version(lake, place)
    collect(lake, keep=1)
    assert import_version(lake, place) == (first, True)
    assert problems(lake, first) == []


def test_of_many_imports_of_a_removed_version_one_is_new_and_it_is_whole(tmp_path: Path) -> None:
    lake, place = Lake("memory://"), Lake(str(tmp_path / "export"))
    first = publish(lake)
    export_version(lake, first, place, ExportFormat.ARROW)
    publish(lake, MORE)
    collect(lake, keep=1)
    with ThreadPoolExecutor(6) as pool:
        done = list(pool.map(lambda _: import_version(lake, place), range(6)))
    assert [manifest for manifest, _ in done] == [first] * 6
    assert [is_new for _, is_new in done].count(True) == 1
    assert problems(lake, first, deep=True) == []
    assert versions(lake, "tiny") == ("v0001", "v0002")
