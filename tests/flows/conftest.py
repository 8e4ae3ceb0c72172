"""One Prefect server for all flow tests, and the quickstart refreshed once."""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pytest
from prefect.testing.utilities import prefect_test_harness

from flows.cli import main
from flows.refresh_corpus import refresh_corpus
from flows.terminal import err
from schemas.manifest import CorpusManifest
from schemas.outcome import Outcome
from tasks.corpora import read_manifest
from tasks.lake import Lake


@dataclass(frozen=True)
class Refreshed:
    """A refresh that was run: its lake, what it came to, and the version it made."""

    lake: Lake
    outcome: Outcome
    manifest: CorpusManifest


class Done(NamedTuple):
    """What a command came to."""

    returncode: int
    stdout: str
    stderr: str


Winnow = Callable[..., Done]


@pytest.fixture(scope="session", autouse=True)
def server() -> Iterator[None]:
    with prefect_test_harness(server_startup_timeout=120):
        yield


@pytest.fixture(scope="session")
def quickstart(server: None, tmp_path_factory: pytest.TempPathFactory) -> Refreshed:
    lake = Lake(str(tmp_path_factory.mktemp("quickstart") / "lake"))
    outcome = refresh_corpus("quickstart", lake.uri, None, False)
    return Refreshed(lake, outcome, read_manifest(lake, "quickstart", outcome.version))


@pytest.fixture
def lake(tmp_path: Path) -> str:
    return str(tmp_path / "lake")


@pytest.fixture
def winnow(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Winnow:
    """Runs a command as `winnow` does, in this process."""

    def run(*arguments: str) -> Done:
        monkeypatch.setattr(sys, "argv", ["winnow", *arguments])
        monkeypatch.setattr(err, "file", sys.stderr)
        with pytest.raises(SystemExit) as ended:  # Typer ends every command so
            main()
        said = capsys.readouterr()
        return Done(int(ended.value.code or 0), said.out, said.err)

    return run
