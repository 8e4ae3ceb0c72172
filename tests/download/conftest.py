from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.download.hosts import Hosts
from tasks.download.patience import Patience
from tasks.lake import Lake
from tests.download.server import Server


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "lake"))


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with Server().running() as running:
        yield running


@pytest.fixture
def waits() -> list[float]:
    """The seconds that a download would have waited, one entry per wait."""
    return []


@pytest.fixture
def patience(waits: list[float]) -> Patience:
    return Patience(attempts=4, sleep=waits.append, clock=lambda: sum(waits), hosts=Hosts())
