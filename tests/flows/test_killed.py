"""What is left of a command that was killed: nothing that runs."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.flows.test_cli import files_in

WINNOW = (sys.executable, "-m", "flows")
STARTING = "uvicorn"


def children_of(pid: int) -> dict[int, str]:
    """The command line of each process that this one has started and that still runs."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            if parent == pid:
                found[int(folder.name)] = command
    return found


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="there is no /proc to look into")
@pytest.mark.parametrize("moment", ["as the server starts", "at work"])
def test_a_killed_refresh_leaves_no_server(tmp_path: Path, lake: str, moment: str) -> None:
    environment = os.environ | {"PREFECT_HOME": str(tmp_path / "prefect")}
    environment.pop("PREFECT_API_URL", None)  # so that Prefect starts a server of its own
    command = [*WINNOW, "--lake", lake, "refresh", "quickstart", "--no-train"]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        begun = {}
        deadline = time.monotonic() + 120
        while process.poll() is None and time.monotonic() < deadline:
            begun = children_of(process.pid)
            started = any(STARTING in child for child in begun.values())
            if started and len(begun) > 1 and (moment != "at work" or files_in(lake) >= 3):
                break
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.01)
        process.kill()
        try:
            process.communicate(timeout=60)  # returns once no child holds the pipe
            assert any(STARTING in child for child in begun.values())
        finally:
            for pid in begun:
                with contextlib.suppress(ProcessLookupError, OSError):
                    if STARTING in Path(f"/proc/{pid}/cmdline").read_text():
                        os.kill(pid, signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
