"""A lake in a folder and one in a bucket: what is said of versions holds in both."""

from pathlib import Path

import pytest

from tasks.lake import Lake


@pytest.fixture(params=["folder", "bucket"])
def lake(request: pytest.FixtureRequest, tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "lake") if request.param == "folder" else "memory://")
