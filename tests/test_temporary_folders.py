"""A test run leaves nothing behind: its folder goes with it, and those of killed runs with the next."""

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def run(tmp_path: Path, *options: str) -> list[str]:
    """The folders that are left in TMPDIR by a run of one small test file."""
    tests = ("tests/schemas/test_digests.py", "-q", "-p", "no:cacheprovider")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *tests, *options],
        env=os.environ | {"TMPDIR": str(tmp_path)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return sorted(folder.name for folder in tmp_path.glob("winnow-tests-*"))


@pytest.mark.parametrize("workers", ["0", "2"])
def test_a_run_leaves_no_folder_of_its_own(tmp_path: Path, workers: str) -> None:
    assert run(tmp_path, "-n", workers) == []


def test_the_folder_of_a_killed_run_goes_and_that_of_a_running_one_stays(tmp_path: Path) -> None:
    for name in ("killed", "running"):
        folder = tmp_path / f"winnow-tests-{name}"
        folder.mkdir()
        (folder / "held").touch()
    with (tmp_path / "winnow-tests-running" / "held").open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert run(tmp_path) == ["winnow-tests-running"]
