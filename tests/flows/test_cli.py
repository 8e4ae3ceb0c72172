"""The command line as its users meet it: real processes, their output and their exit codes."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from prefect.settings import PREFECT_API_URL

from tasks.corpora import read_manifest, versions
from tasks.lake import Lake
from tasks.publish.verify import problems
from tests.flows.conftest import Refreshed
from tests.flows.test_refresh import rows, write_recipe, write_source

WINNOW = [sys.executable, "-m", "flows"]


def winnow(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*WINNOW, *arguments],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def api() -> str:
    return str(PREFECT_API_URL.value())


def test_json_is_one_object_and_nothing_else_and_the_rest_is_silent(
    tmp_path: Path, lake: str
) -> None:
    write_source(tmp_path, "a", rows(0, 9))
    recipe = write_recipe(tmp_path, "a")
    # no server is given: this is the ephemeral mode of a new user, in a home of its own
    home = {"HOME": str(tmp_path), "PREFECT_HOME": str(tmp_path / "prefect")}
    done = winnow("--lake", lake, "refresh", recipe, "--no-train", "--json", **home)
    assert (done.returncode, done.stderr) == (0, "")
    outcome = json.loads(done.stdout)
    assert outcome["status"] == "published"
    assert (outcome["corpus"], outcome["version"]) == ("small", "v0001")
    assert (outcome["rows_in"], outcome["rows_out"], outcome["dropped"]) == (9, 9, {})
    assert outcome["sources"] == {"a": {"rows_in": 9, "rows_out": 9}}
    assert outcome["adapter"] is None
    assert Path(outcome["path"], "manifest.json").is_file()


def test_a_rejected_version_exits_with_3_and_still_prints_its_outcome(
    tmp_path: Path, lake: str
) -> None:
    write_source(tmp_path, "a", rows(0, 3))
    recipe = write_recipe(tmp_path, "a", gates={"min_rows": 4})
    done = winnow("--lake", lake, "refresh", recipe, "--no-train", "--json", PREFECT_API_URL=api())
    assert done.returncode == 3
    assert json.loads(done.stdout)["status"] == "rejected"
    assert "min_rows: found 3, bound 4" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_lost_source_exits_with_4_and_one_clear_error(tmp_path: Path, lake: str) -> None:
    recipe = write_recipe(tmp_path, "gone")
    done = winnow("--lake", lake, "refresh", recipe, "--no-train", PREFECT_API_URL=api())
    assert done.returncode == 4
    assert "gone.json" in done.stderr
    assert "Traceback" not in done.stderr


# fmt: off
REFUSED = {  #             arguments                                          code  says
    "unknown recipe":     (("refresh", "quikstart"),                          2, "did you mean 'quickstart'?"),
    "unknown command":    (("refesh",),                                       2, "No such command 'refesh'"),
    "copy without path":  (("refresh", "quickstart", "--from", "alpaca"),     2, "expected SOURCE=PATH"),
    "copy of no source":  (("refresh", "quickstart", "--from", "alpaca=x"),   2, "no source or evaluation set of recipe 'quickstart' is called 'alpaca'"),
    "nothing published":  (("versions",),                                     2, "there is no lake at"),
    "an empty question":  (("why", " "),                                      2, "why what?"),
    "unknown schema":     (("schema", "recipes"),                             2, "did you mean 'recipe'?"),
    "unknown source":     (("sources", "show", "sample_dollly"),              2, "did you mean 'sample_dolly'"),
}
# fmt: on


@pytest.mark.parametrize(("arguments", "code", "says"), REFUSED.values(), ids=REFUSED)
def test_a_mistake_is_one_clear_error(
    lake: str, arguments: tuple[str, ...], code: int, says: str
) -> None:
    done = winnow("--lake", lake, *arguments, PREFECT_API_URL=api())
    assert (done.returncode, done.stdout) == (code, "")
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_the_lake_may_be_named_before_or_after_the_command(quickstart: Refreshed) -> None:
    lake = quickstart.lake.uri
    before = winnow("--lake", lake, "versions", "--json")
    after = winnow("versions", "--json", f"--lake={lake}")
    by_environment = winnow("versions", "--json", WINNOW_LAKE=f"file://{lake}")
    assert before.stdout == after.stdout == by_environment.stdout
    assert json.loads(before.stdout)["corpus"] == "quickstart"


def test_looking_does_not_make_a_lake(lake: str) -> None:
    assert winnow("--lake", lake, "versions").returncode == 2
    assert not Path(lake).exists()


def test_a_server_that_does_not_answer_is_one_clear_error(lake: str) -> None:
    done = winnow("--lake", lake, "refresh", "quickstart", PREFECT_API_URL="http://127.0.0.1:1/api")
    assert done.returncode == 2
    assert "no Prefect server answers at http://127.0.0.1:1/api" in done.stderr
    assert "Traceback" not in done.stderr


def test_sigterm_ends_a_refresh_with_a_message_and_leaves_no_server(
    tmp_path: Path, lake: str
) -> None:
    environment = os.environ | {"PREFECT_HOME": str(tmp_path / "prefect")}
    command = [*WINNOW, "--lake", lake, "refresh", "quickstart", "--no-train"]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        while process.poll() is None and files_in(lake) < 3:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.01)
        process.send_signal(signal.SIGTERM)
        said, _ = process.communicate(timeout=120)  # returns once no child holds the pipe
    assert process.returncode == 130
    assert "interrupted; finished stages are kept" in said
    assert "Traceback" not in said


def test_a_lake_that_cannot_be_written_exits_with_5(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = winnow("--lake", str(tmp_path / "file"), "versions")
    assert done.returncode == 5
    assert "cannot open" in done.stderr


def test_a_version_is_looked_at_from_the_command_line(quickstart: Refreshed) -> None:
    lake = quickstart.lake.uri
    why = json.loads(winnow("--lake", lake, "why", "sample_dolly:0", "--json").stdout)
    assert [(row["source"], row["source_row"], row["status"]) for row in why] == [
        ("sample_dolly", 0, "published")
    ]
    assert set(why[0]) >= {"record_id", "stage", "reason", "evidence"}
    listed = json.loads(winnow("--lake", lake, "versions", "--json").stdout)
    assert [row["version"] for row in listed["versions"]] == ["v0001"]
    shown = winnow("--lake", lake, "show").stdout
    assert "sample_belle_zh" in shown
    assert "exact_duplicate" in shown
    report = json.loads(winnow("--lake", lake, "report", "--json").stdout)["report"]
    assert Path(report).is_file()


def test_verify_exits_with_0_on_a_whole_version_and_5_on_a_damaged_one(
    tmp_path: Path, quickstart: Refreshed
) -> None:
    whole = winnow("--lake", quickstart.lake.uri, "verify", "--json")
    assert (whole.returncode, json.loads(whole.stdout)) == (0, {"ok": True, "problems": []})
    copy = tmp_path / "lake"
    shutil.copytree(Path(quickstart.lake.at("corpora")), copy / "corpora")
    shard = next(copy.glob("corpora/*/v0001/data/*.parquet"))
    data = bytearray(shard.read_bytes())
    data[100] ^= 1
    shard.write_bytes(data)
    damaged = winnow("--lake", str(copy), "verify", "--json")
    found = json.loads(damaged.stdout)
    assert (damaged.returncode, found["ok"], len(found["problems"])) == (5, False, 1)
    assert shard.name in found["problems"][0]


def test_schemas_are_json_schema() -> None:
    for kind in ("recipe", "source", "manifest", "training"):
        schema = json.loads(winnow("schema", kind).stdout)
        assert schema["type"] == "object"
        assert schema["additionalProperties"] is False


def files_in(lake: str) -> int:
    return sum(len(files) for _, _, files in os.walk(lake))


@pytest.mark.parametrize("moment", [3, 20, 40, 62], ids="after {} files".format)
def test_a_refresh_killed_at_any_moment_goes_on_to_the_same_version(
    tmp_path: Path, lake: str, quickstart: Refreshed, moment: int
) -> None:
    command = [*WINNOW, "--lake", lake, "refresh", "quickstart", "--no-train", "--json"]
    environment = os.environ | {"PREFECT_API_URL": api()}
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        while process.poll() is None and files_in(lake) < moment:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.005)
        process.kill()
    assert process.returncode == -signal.SIGKILL
    store = Lake(lake)
    for version in versions(store, "quickstart"):
        assert problems(store, read_manifest(store, "quickstart", version)) == []
    done = winnow(
        "--lake", lake, "refresh", "quickstart", "--no-train", "--json", PREFECT_API_URL=api()
    )
    assert done.returncode == 0, done.stderr
    outcome = json.loads(done.stdout)
    assert (outcome["version"], outcome["digest"]) == ("v0001", quickstart.outcome.digest)
    assert problems(store, read_manifest(store, "quickstart", "v0001")) == []
