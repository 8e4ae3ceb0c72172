"""`winnow sources …` as its users meet it."""

import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from flows.catalogue import catalogue
from schemas.recipe import DEPLOYMENTS, known_sources, load_source
from tasks.download.fetch import download
from tasks.lake import Lake
from tests.download.server import File, Server
from tests.flows.conftest import Winnow
from tests.flows.test_cli import winnow as winnow_process

NAMES = [source.name for source in known_sources()]
PAIRS = [{"instruction": f"Say {n}.", "input": "", "output": f"It is {n}."} for n in range(20)]


@pytest.fixture
def as_json(winnow: Winnow) -> Callable[..., Any]:
    """The one JSON object that a command prints, and nothing beside it."""

    def run(*arguments: str, returns: int = 0) -> Any:
        done = winnow(*arguments, "--json")
        assert (done.returncode, done.stderr) == (returns, "")
        return json.loads(done.stdout)

    return run


AsJson = Callable[..., Any]


def source_file(folder: Path, content: bytes, **changes: object) -> str:
    """A source file of one raw file with that content."""
    (folder / "rows.json").write_bytes(content)
    keys = {"name": "ours", "layout": "alpaca", "licence": "MIT", "local": {"path": "rows.json"}}
    path = folder / "ours.yaml"
    path.write_text(yaml.safe_dump(keys | changes), "utf-8")
    return str(path)


# --- list and show


def test_the_list_has_a_line_for_every_source(winnow: Winnow) -> None:
    lines = winnow("sources", "list").stdout.splitlines()
    assert [line.split()[0] for line in lines if line.split()][2:] == NAMES


def test_the_list_is_the_page_in_the_documents_and_one_json_object(
    winnow: Winnow, as_json: AsJson
) -> None:
    assert winnow("sources", "list", "--markdown").stdout == catalogue(known_sources())
    listed = as_json("sources", "list")
    assert [source["name"] for source in listed] == NAMES


def test_a_source_is_shown_by_name_and_by_path(
    winnow: Winnow, as_json: AsJson, tmp_path: Path
) -> None:
    shown = winnow("sources", "show", "gpt4all_p3").stdout
    assert yaml.safe_load(shown)["columns"]["instruction"] == "prompt"
    ours = as_json("sources", "show", source_file(tmp_path, b"[]"))
    assert ours == {
        "name": "ours",
        "layout": "alpaca",
        "licence": "MIT",
        "local": {"path": str(tmp_path / "rows.json")},
    }


# --- check


def test_sources_that_are_there_end_with_0_and_a_line_each(
    winnow: Winnow, tmp_path: Path, lake: str
) -> None:
    ours = source_file(tmp_path, json.dumps(PAIRS).encode())
    done = winnow("--lake", lake, "sources", "check", ours, "sample_dolly")
    assert done.returncode == 0
    lines = [line.split()[:2] for line in done.stdout.splitlines()]
    assert lines == [["ours", "new"], ["sample_dolly", "new"]]
    assert not Path(lake).exists()  # asking makes no lake


def test_what_the_lake_holds_is_unchanged_until_it_changes(
    winnow: Winnow, as_json: AsJson, tmp_path: Path, lake: str
) -> None:
    ours = source_file(tmp_path, json.dumps(PAIRS).encode())
    download(load_source(ours, Path()), Lake(lake))
    same = as_json("--lake", lake, "sources", "check", ours)
    assert same[0]["state"] == "unchanged"
    source_file(tmp_path, json.dumps(PAIRS[:9]).encode())
    other = winnow("--lake", lake, "sources", "check", ours)
    assert (other.returncode, other.stdout.split()[:2]) == (0, ["ours", "changed"])


def test_a_source_that_is_gone_ends_with_4_after_the_others_were_asked(
    as_json: AsJson, tmp_path: Path, lake: str
) -> None:
    ours = source_file(tmp_path, b"", local={"path": "elsewhere.json"})
    answers = as_json("--lake", lake, "sources", "check", ours, "sample_cot", returns=4)
    assert [(answer["source"], answer["state"]) for answer in answers] == [
        ("ours", "gone"), ("sample_cot", "new")
    ]  # fmt: skip
    assert "elsewhere.json" in answers[0]["detail"]


def test_a_source_out_of_reach_ends_with_4_and_one_line(tmp_path: Path, lake: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: refuses at once
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/a.json"
        ours = source_file(tmp_path, b"", local=None, http={"urls": [url]})
        done = winnow_process("--lake", lake, "sources", "check", ours, NO_PROXY="127.0.0.1")
    assert (done.returncode, done.stderr) == (4, "")
    (line,) = done.stdout.splitlines()
    assert line.startswith("ours  unreachable  ")


# --- sample


def test_ten_records_are_shown_with_their_roles(winnow: Winnow, tmp_path: Path, lake: str) -> None:
    ours = source_file(tmp_path, json.dumps(PAIRS).encode())
    done = winnow("--lake", lake, "sources", "sample", ours)
    assert (done.returncode, done.stderr) == (0, "")
    assert "ours:9" in done.stdout
    assert "ours:10" not in done.stdout
    assert "  user> Say 0.\n  assistant> It is 0.\n" in done.stdout
    assert done.stdout.endswith("10 records of the first 10 rows of ours\n")
    assert not Path(lake).exists()


def test_the_how_to_shows_what_a_sample_prints_and_what_auto_decided(
    winnow: Winnow, as_json: AsJson, tmp_path: Path, lake: str
) -> None:
    page = (DEPLOYMENTS.parent / "docs/how-to/add-a-corpus.md").read_text("utf-8")
    printed = page.partition("$ winnow sources sample notes.yaml\n")[2].partition("```")[0]
    rows = page.partition("`notes.jsonl`:\n\n```json\n")[2].partition("```")[0]
    ours = source_file(tmp_path, rows.encode(), name="notes", layout="auto")
    assert winnow("--lake", lake, "sources", "sample", ours).stdout == printed
    notes = as_json("--lake", lake, "sources", "sample", ours)["notes"]
    assert notes == {"layout": "alpaca: instruction, input, output in 2 of 2 rows"}


@pytest.mark.parametrize("rows", [1, 20])
def test_as_many_records_as_asked_for_are_one_json_object(
    as_json: AsJson, tmp_path: Path, lake: str, rows: int
) -> None:
    ours = source_file(tmp_path, json.dumps(PAIRS).encode())
    shown = as_json("--lake", lake, "sources", "sample", ours, "--rows", str(rows))
    assert len(shown["records"]) == rows
    assert set(shown) == {"source", "cut", "notes", "records", "ledger"}
    assert shown["records"][0]["messages"][1] == {"role": "assistant", "content": "It is 0."}


def test_rows_that_are_no_records_are_shown_with_place_and_reason(
    winnow: Winnow, tmp_path: Path, lake: str
) -> None:
    lines = [json.dumps(PAIRS[0]), '{"instruction": "cut', '{"instruction": "alone"}']
    ours = source_file(tmp_path, "\n".join(lines).encode())
    said = winnow("--lake", lake, "sources", "sample", ours).stdout
    assert f"ours:1  rows.json at {len(lines[0]) + 1}  unreadable: " in said
    assert '\n  {"instruction": "cut\n' in said
    assert "no_response: no assistant turn" in said
    assert said.endswith("1 record of the first 3 rows of ours\n")


def test_corpus_text_reaches_the_terminal_as_text(
    winnow: Winnow, tmp_path: Path, lake: str
) -> None:
    hostile = [{"instruction": "\x1b]0;owned\x07", "output": "[bold red]no markup[/]\u202e"}]
    ours = source_file(tmp_path, json.dumps(hostile).encode())
    said = winnow("--lake", lake, "sources", "sample", ours).stdout
    assert "[bold red]no markup[/]\N{REPLACEMENT CHARACTER}" in said
    assert not set(said) & set("\x1b\x07\u202e")


def test_a_local_copy_stands_in_for_upstream(as_json: AsJson, tmp_path: Path, lake: str) -> None:
    copy = tmp_path / "copy.json"
    copy.write_text(json.dumps(PAIRS))
    shown = as_json("--lake", lake, "sources", "sample", "alpaca", "--from", f"alpaca={copy}")
    assert {record["source"] for record in shown["records"]} == {"alpaca"}


def test_what_lies_in_the_lake_is_sampled_without_asking_upstream(
    as_json: AsJson, tmp_path: Path, lake: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with Server().running() as server:
        url = server.answer("/rows.json", File(json.dumps(PAIRS).encode(), etag='"1"'))
        ours = source_file(tmp_path, b"", local=None, http={"urls": [url]})
        download(load_source(ours, Path()), Lake(lake))
    shown = as_json("--lake", lake, "sources", "sample", ours, "--rows", "20")
    assert (len(shown["records"]), shown["cut"]) == (20, False)


# fmt: off
REFUSED = {  #                arguments                                         code  says
    "unknown source":        (("sample", "alpacca"),                           2, "did you mean 'alpaca' or"),
    "copy of another":       (("sample", "alpaca", "--from", "belle_1m=x"),    2, "no source to sample is called 'belle_1m'"),
    "copy that is not there": (("sample", "alpaca", "--from", "alpaca=/none"), 4, "/none"),
    "no rows":               (("sample", "alpaca", "--rows", "0"),             2, "--rows"),
    "unknown to check":      (("check", "alpacca"),                            2, "did you mean 'alpaca' or"),
}
# fmt: on


@pytest.mark.parametrize(("arguments", "code", "says"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_done_is_said_in_one_line(
    winnow: Winnow, lake: str, arguments: tuple[str, ...], code: int, says: str
) -> None:
    done = winnow("--lake", lake, "sources", *arguments)
    assert done.returncode == code
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_the_samples_that_ship_are_sampled_by_name(as_json: AsJson, lake: str) -> None:
    shown = as_json("--lake", lake, "sources", "sample", "sample_hugnlp", "--rows", "3")
    assert len(shown["records"]) == 3
