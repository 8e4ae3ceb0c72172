"""One Prefect server for all flow tests, and the quickstart refreshed once."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from prefect.testing.utilities import prefect_test_harness

from flows.refresh_corpus import refresh_corpus
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
