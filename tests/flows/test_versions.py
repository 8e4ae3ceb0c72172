"""The commands on versions: every one on docs/how-to/versions.md, and what each says and ends with."""

import json
import re
import shlex
import signal
from pathlib import Path

import polars as pl
import pytest

from flows.artifacts import page_link
from schemas.errors import ConfigError
from schemas.manifest import CorpusManifest
from tasks.corpora import latest, read_manifest
from tasks.history.diff import Cause
from tasks.lake import Lake
from tests.flows.conftest import Refreshed, Winnow
from tests.history.corpora import FAILED, HEAD, MORE, TABLE, publish

PAGE = (Path(__file__).resolve().parents[2] / "docs/how-to/versions.md").read_text("utf-8")
COMMANDS = [
    shlex.split(line, comments=True)[1:]
    for block in re.findall(r"^```\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    for line in block.splitlines()
]


@pytest.fixture
def two(lake: str) -> Lake:
    """v0001 and v0002 of a corpus called as the page calls it."""
    store = Lake(lake)
    publish(store, TABLE, name="quickstart")
    publish(store, MORE, name="quickstart")
    return store


def of(store: Lake, version: str) -> CorpusManifest:
    return read_manifest(store, "quickstart", version)


def test_every_command_of_the_page_runs(
    two: Lake, winnow: Winnow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for command in COMMANDS:
        lake = [] if "--lake" in command else ["--lake", two.uri]
        done = winnow(*lake, *command)
        assert (done.returncode, done.stderr) == (0, ""), command
    assert latest(two, "quickstart") == "v0001"
    assert read_manifest(Lake("other-lake"), "quickstart", "v0002") == of(two, "v0002")


def test_the_page_explains_every_cause() -> None:
    for cause in Cause:
        assert f"| `{cause.value}` | {cause.meaning} |" in PAGE


def test_the_history_has_rows_drops_gates_tags_and_adapters(two: Lake, winnow: Winnow) -> None:
    publish(two, f"{HEAD}alpaca | Why? | So. |\n", FAILED, name="quickstart")
    winnow("--lake", two.uri, "tag", "@v0001", "prod")
    winnow("--lake", two.uri, "rollback", "@v0001")
    said = json.loads(winnow("--lake", two.uri, "versions", "--json").stdout)
    first, second, third = said["versions"]
    assert (first["latest"], first["tags"], first["withdrawn"]) == (True, ["prod"], False)
    assert (second["latest"], second["withdrawn"], second["parent"]) == (False, True, "v0001")
    assert (third["status"], third["failed_gates"]) == ("rejected", ["min_rows"])
    assert first["dropped"]["dedupe_exact"] == {"exact_duplicate": 1}
    assert (first["rows_in"], first["rows_out"], first["adapters"]) == (6, 3, [])
    assert [event["action"] for event in said["log"]] == ["tag", "rollback"]
    shown = winnow("--lake", two.uri, "versions").stdout
    for word in ("v0001 *", "prod", "withdrawn", "rejected", "min_rows", "1 of 1"):
        assert word in " ".join(shown.split()), word


def test_show_tells_the_rows_after_each_stage(quickstart: Refreshed, winnow: Winnow) -> None:
    shown = winnow("--lake", quickstart.lake.uri, "show").stdout
    assert "Rows after each stage" in shown
    assert all(stage in shown for stage in ("normalize", "dedupe_exact", "dedupe_near"))


def test_one_bit_in_any_raw_stage_or_published_file_ends_verify_with_5(
    quickstart: Refreshed, winnow: Winnow
) -> None:
    lake = quickstart.lake
    files = [key for root in ("corpora", "raw", "stages") for key in lake.keys(root)]
    known = ("latest.json", "unchanged.json", "upstream.json", ".lock")  # others see to these
    kinds = {re.sub(r"[0-9a-f]{64}|\d+", "#", key): key for key in files if not key.endswith(known)}
    assert len(kinds) > 20
    for key in kinds.values():
        whole = lake.read(key)
        spoilt = bytearray(whole)
        spoilt[len(spoilt) // 2] ^= 1
        lake.put(key, bytes(spoilt))
        done = winnow("--lake", lake.uri, "verify", "--json")
        lake.put(key, whole)
        assert done.returncode == 5, key
        assert Path(key).name in done.stdout, key
    assert winnow("--lake", lake.uri, "verify", "--deep").returncode == 0


def test_verify_alone_minds_the_version_only(quickstart: Refreshed, winnow: Winnow) -> None:
    lake = quickstart.lake
    key = next(key for key in lake.keys("stages/filter") if key.endswith(".parquet"))
    whole = lake.read(key)
    lake.put(key, b"spoilt")
    damaged = winnow("--lake", lake.uri, "verify")
    alone = winnow("--lake", lake.uri, "verify", "--alone")
    lake.put(key, whole)
    assert (damaged.returncode, alone.returncode) == (5, 0)
    assert "Refresh again: it makes damaged raw files and stages anew." in damaged.stderr


def test_diff_says_what_came_and_went_and_why(two: Lake, winnow: Winnow) -> None:
    shown = winnow("--lake", two.uri, "diff")
    assert shown.returncode == 0
    assert "v0001" in shown.stdout
    assert "added" in shown.stdout
    assert Cause.READING.meaning in " ".join(shown.stdout.split())
    said = json.loads(winnow("--lake", two.uri, "diff", "@v0001", "@v0002", "--json").stdout)
    (added,) = said["records"]
    assert (added["change"], added["source"], added["rows"]) == ("added", "belle", 1)
    assert said["old"]["version"] == "v0001"
    (belle,) = said["sources"]
    assert (belle["source"], belle["rows_out"]) == ("belle", [1, 2])
    back = json.loads(winnow("--lake", two.uri, "diff", "@v0002", "@v0001", "--json").stdout)
    assert back["records"][0]["change"] == "removed"


def test_diff_lists_every_record_with_rows(two: Lake, winnow: Winnow) -> None:
    line = winnow("--lake", two.uri, "diff", "--rows").stdout.splitlines()[0]
    assert re.fullmatch(r"added     belle:3  [0-9a-f]{32}  not dropped: reading", line)
    said = json.loads(winnow("--lake", two.uri, "diff", "--rows", "--json").stdout)
    assert [row["record_id"] for row in said["rows"]] == [line.split()[2]]
    none = json.loads(
        winnow("--lake", two.uri, "diff", "@v0001", "@v0001", "--rows", "--json").stdout
    )
    assert none["rows"] == none["records"] == []


def test_gc_says_first_and_does_after(two: Lake, winnow: Winnow) -> None:
    said = json.loads(winnow("--lake", two.uri, "gc", "--keep", "1", "--json").stdout)
    assert (said["applied"], [one["key"] for one in said["removed"]]) == (
        False,
        ["corpora/quickstart/v0001"],
    )
    assert "remove them with --apply" in winnow("--lake", two.uri, "gc", "--keep", "1").stdout
    assert of(two, "v0001")
    done = json.loads(winnow("--lake", two.uri, "gc", "--keep", "1", "--apply", "--json").stdout)
    assert done == said | {"applied": True}
    assert "no version or tag" in winnow("--lake", two.uri, "show", "@v0001").stderr
    assert "nothing to remove" in winnow("--lake", two.uri, "gc", "--keep", "1").stdout


def test_a_version_that_lost_its_manifest_is_given_up_as_the_error_says(
    two: Lake, winnow: Winnow
) -> None:
    two.delete(["corpora/quickstart/v0001/manifest.json"])
    refused = winnow("--lake", two.uri, "gc", "--keep", "1")
    assert refused.returncode == 5
    assert "winnow gc quickstart --lost --apply" in " ".join(refused.stderr.split())
    lost = ("--lake", two.uri, "gc", "quickstart", "--keep", "1", "--lost")
    assert "remove them with --apply" in winnow(*lost).stdout
    assert two.keys("corpora/quickstart/v0001")
    done = json.loads(winnow(*lost, "--apply", "--json").stdout)
    assert [one["key"] for one in done["removed"]] == ["corpora/quickstart/v0001"]
    assert "nothing to remove" in winnow(*lost).stdout
    assert winnow("--lake", two.uri, "gc").returncode == 0


def test_a_licence_cannot_write_to_the_terminal(two: Lake, winnow: Winnow) -> None:
    from flows.difference import _text_rows

    row = {"change": "licence", "record_id": "0" * 32, "source": "a", "source_row": 1}
    row |= {"stage": None, "reason": None, "before": "MIT\x1b[31m", "after": "GPL\nadded"}
    shown = _text_rows(pl.DataFrame([row]))
    assert shown.count("\n") == 1
    assert "\x1b" not in shown


# fmt: off
REFUSED = {  #                       arguments                                      code  says
    "an unknown version":           (("show", "@v0009"),                            2, "no version or tag of corpus 'quickstart'"),
    "an unknown corpus":            (("versions", "quikstart"),                     2, "did you mean 'quickstart'"),
    "a tag that is a version":      (("tag", "@v0001", "v0001"),                    2, "cannot be a tag"),
    "a tag that is a path":         (("tag", "@v0001", "../x"),                     2, "cannot be a tag"),
    "an unknown tag":               (("tag", "quickstart", "prod", "--remove"),     2, "no tag of corpus 'quickstart'"),
    "gc of a version":              (("gc", "quickstart@v0001"),                    2, "takes the name of a corpus"),
    "gc of an unknown corpus":      (("gc", "tiny"),                                2, "no corpus in"),
    "an import of nothing":         (("import", "/nowhere"),                        2, "/nowhere is not a folder"),
    "an unknown form":              (("export", "@v0001", "x", "--format", "csv"),  2, "csv"),
    "no version before the first":  (("diff", "@v0001~1", "@v0001"),                2, "no published versions before it"),
}
# fmt: on


@pytest.mark.parametrize(("arguments", "code", "says"), REFUSED.values(), ids=REFUSED)
def test_a_mistake_is_one_clear_error(
    two: Lake, winnow: Winnow, arguments: tuple[str, ...], code: int, says: str
) -> None:
    done = winnow("--lake", two.uri, *arguments)
    assert done.returncode == code
    assert says in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


def test_a_rejected_version_is_not_rolled_back_to(two: Lake, winnow: Winnow) -> None:
    publish(two, f"{HEAD}alpaca | Why? | So. |\n", FAILED, name="quickstart")
    done = winnow("--lake", two.uri, "rollback", "@v0003")
    assert (done.returncode, latest(two, "quickstart")) == (2, "v0002")
    assert "rejected by its gates" in done.stderr


def test_an_error_while_rows_are_listed_is_the_one_object(two: Lake, winnow: Winnow) -> None:
    for version in ("v0001", "v0002"):
        for shard in of(two, version).shards:
            two.delete([f"corpora/quickstart/{version}/{shard.uri}"])
    done = winnow("--lake", two.uri, "diff", "@v0001", "@v0002", "--rows", "--json")
    assert (done.returncode, json.loads(done.stdout)["error"]) == (5, "CorpusDamaged")


def test_versions_takes_a_reference_without_its_corpus(two: Lake, winnow: Winnow) -> None:
    for reference in ("@prod", "@v0001", "quickstart@v0001", "quickstart"):
        done = winnow("--lake", two.uri, "versions", reference)
        assert (done.returncode, "quickstart (* is latest)" in done.stdout) == (0, True), reference


def test_a_tag_is_shown_at_the_version_that_it_was_given_to(two: Lake, winnow: Winnow) -> None:
    winnow("--lake", two.uri, "tag", "@v0002", "prod")
    two.remove_folder("corpora/quickstart/v0002")
    publish(two, f"{HEAD}alpaca | Why? | So. |\n", name="quickstart")
    said = json.loads(winnow("--lake", two.uri, "versions", "--json").stdout)
    assert [one["tags"] for one in said["versions"]] == [[], []]


def test_a_lake_may_be_named_by_a_file_uri(two: Lake, winnow: Winnow, tmp_path: Path) -> None:
    there, none = f"file://{two.uri}", f"file://{tmp_path}/none"
    assert winnow("--lake", there, "show", "@v0001").returncode == 0
    assert winnow("--lake", there, "export", "@v0001", f"file://{tmp_path}/out").returncode == 0
    assert winnow("--lake", there, "import", f"file://{tmp_path}/out").returncode == 0
    assert "there is no lake at" in winnow("--lake", none, "versions").stderr
    assert "is not a folder" in winnow("--lake", there, "import", none).stderr
    assert not (tmp_path / "none").exists()


def test_the_folder_of_a_file_uri_is_where_an_adapter_is_looked_for(
    winnow: Winnow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[tuple[str, str | None]] = []
    monkeypatch.setattr(
        "flows.merge.disk_with", lambda uri, adapter: looked.append((uri, adapter)) or tmp_path
    )
    winnow("--lake", f"file://{tmp_path}", "merge", "--out", str(tmp_path / "out"))
    assert looked == [(str(tmp_path), None)]


def test_training_asks_for_no_evaluation_set(lake: str, winnow: Winnow, tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.yaml"
    sets = {"contamination": {"sets": [{"name": "gone", "path": "gone.jsonl"}]}}
    said = {"name": "quickstart", "sources": ["sample_dolly"], "filter": sets}
    recipe.write_text(json.dumps(said))
    refreshed = winnow("--lake", lake, "refresh", str(recipe))
    assert (refreshed.returncode, "evaluation set 'gone'" in refreshed.stderr) == (2, True)
    trained = winnow("--lake", lake, "train", str(recipe))
    assert "no corpus in" in trained.stderr
    assert "evaluation set" not in trained.stderr


def test_a_handler_of_signals_is_put_back() -> None:
    from flows.running import stoppable

    before = signal.getsignal(signal.SIGTERM)
    with stoppable():
        assert signal.getsignal(signal.SIGTERM) is not before
    assert signal.getsignal(signal.SIGTERM) is before
    with pytest.raises(ZeroDivisionError), stoppable():
        raise ZeroDivisionError
    assert signal.getsignal(signal.SIGTERM) is before


# fmt: off
PLACES = {
    "a folder":     ("/lake/corpora/a b/v0001/report.html",     "file:///lake/corpora/a%20b/v0001/report.html"),
    "a bucket":     ("s3://bucket/lake/report.html",            "s3://bucket/lake/report.html"),
}
# fmt: on


@pytest.mark.parametrize(("place", "link"), PLACES.values(), ids=PLACES)
def test_the_link_to_a_report_leads_to_where_it_is(place: str, link: str) -> None:
    assert page_link(place) == link


@pytest.mark.parametrize("command", ["try", "push"])
def test_what_reads_a_version_holds_a_lease(
    two: Lake, winnow: Winnow, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    held: list[int] = []

    def seen(*_: object, **__: object) -> None:
        held.append(len(two.keys("leases/uses")))
        raise ConfigError("seen")

    monkeypatch.setattr("flows.trial.planned", seen)
    monkeypatch.setattr("tasks.publish.hub.push_version", seen)
    monkeypatch.setenv("HF_TOKEN", "x")
    arguments = {"try": ("try", "echo", "--corpus", "@v0001"),
                 "push": ("push", "@v0001", "--to", "a/b")}  # fmt: skip
    assert "seen" in winnow("--lake", two.uri, *arguments[command]).stderr
    assert held == [1]
