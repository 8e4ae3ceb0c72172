"""What every test gets: a Prefect of its own, no network, no token."""

import contextlib
import fcntl
import os
import shutil
import signal
import tempfile
from pathlib import Path

from hypothesis import settings

# Shells start what runs in the background with Ctrl-C ignored, and so would all that tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)

# How long an example takes says how busy the machine is, and nothing of the code.
settings.register_profile("untimed", settings(), deadline=None)
settings.load_profile("untimed")

_PREFIX = "winnow-tests-"
_HOME = Path(tempfile.mkdtemp(prefix=_PREFIX))
_HELD = (_HOME / "held").open("w")  # locked while this process lives, however it ends
fcntl.flock(_HELD, fcntl.LOCK_EX)
os.environ.update(
    {
        "PREFECT_HOME": str(_HOME),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        "HF_HOME": f"{_HOME}/huggingface",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    }
)
for name in ("PREFECT_API_URL", "WINNOW_LAKE", "HF_TOKEN", "HF_ENDPOINT"):
    os.environ.pop(name, None)


def pytest_configure() -> None:
    """Remove the folders of runs that were killed."""
    for lock in _HOME.parent.glob(f"{_PREFIX}*/held"):
        with contextlib.suppress(OSError), lock.open() as held:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(lock.parent, ignore_errors=True)


def pytest_unconfigure() -> None:
    """Remove this process's folder; each worker of a parallel run has its own."""
    shutil.rmtree(_HOME, ignore_errors=True)
    _HELD.close()
