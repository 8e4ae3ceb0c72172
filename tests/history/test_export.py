"""An export is read by what its form is for, and a whole one is the same version elsewhere."""

import json
from pathlib import Path

import polars as pl
import pytest
from datasets import disable_progress_bars, load_dataset

from schemas.errors import ConfigError, CorpusDamaged
from schemas.history import ExportFormat
from schemas.ledger import PUBLISHED
from schemas.manifest import CorpusManifest, RawFile, RawReceipt
from schemas.source import Source
from tasks import text
from tasks.corpora import latest, read_manifest, version_key
from tasks.history import export as exporting
from tasks.history.export import export_version
from tasks.history.forms import FORMS
from tasks.history.log import events
from tasks.history.restore import import_version
from tasks.lake import Lake
from tasks.normalize.normalize import normalize
from tasks.publish.verify import problems
from tests.history.corpora import FAILED, MORE, publish

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
        if key in ("export.json", "README.md"):
            continue
        whole = place.read(key)
        spoilt = bytearray(whole)
        spoilt[len(spoilt) // 2] ^= 1
        place.put(key, bytes(spoilt))
        other = Lake("memory://")
        with pytest.raises(CorpusDamaged, match="has sha256"):
            import_version(other, place)
        assert other.keys("corpora") == []
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
