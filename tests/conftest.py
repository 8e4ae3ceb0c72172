"""What every test gets: a Prefect of its own, no network, no token."""

import os
import tempfile

_HOME = tempfile.mkdtemp(prefix="winnow-tests-")
os.environ.update(
    {
        "PREFECT_HOME": _HOME,
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        "HF_HOME": f"{_HOME}/huggingface",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    }
)
for name in ("PREFECT_API_URL", "WINNOW_LAKE", "HF_TOKEN", "HF_ENDPOINT"):
    os.environ.pop(name, None)
