"""Prefect's own server and deployments, started with this machine's loopback address only."""

import os
import subprocess
import sys

from flows.terminal import out, plain
from schemas.recipe import DEPLOYMENTS

POOL = "winnow"
HOST = "127.0.0.1"
DEFAULT_API = f"http://{HOST}:4200/api"


def serve(port: int) -> int:
    """Run the server until it is stopped; returns its exit code."""
    api = f"http://{HOST}:{port}/api"
    out.print(
        plain(
            f"The Prefect UI is at http://{HOST}:{port} (Ctrl-C stops it). In another terminal:\n"
            f"  export PREFECT_API_URL={api}\n"
            "  .venv/bin/winnow refresh quickstart      # a run to look at\n"
            "  make deploy                              # the scheduled refresh and the training\n"
            f"  .venv/bin/prefect worker start --pool {POOL}"
        )
    )
    return _prefect("server", "start", "--host", HOST, "--port", str(port), api=api)


def deploy_all() -> int:
    """Create the work pool where it is missing and register every deployment; returns 0 if done."""
    api = os.environ.get("PREFECT_API_URL", DEFAULT_API)
    if _prefect("work-pool", "inspect", POOL, api=api, silent=True):
        code = _prefect("work-pool", "create", POOL, "--type", "process", api=api)
        if code:
            out.print(plain(f"No server answers at {api}. Start one with: make ui"))
            return code
    file = DEPLOYMENTS / "prefect.yaml"
    return _prefect("--no-prompt", "deploy", "--all", "--prefect-file", str(file), api=api)


def _prefect(*arguments: str, api: str, silent: bool = False) -> int:
    command = [sys.executable, "-m", "prefect", *arguments]
    sink = subprocess.DEVNULL if silent else None
    environment = os.environ | {"PREFECT_API_URL": api}
    try:
        done = subprocess.run(  # noqa: S603
            command, env=environment, cwd=DEPLOYMENTS.parent, stdout=sink, stderr=sink, check=False
        )
    except KeyboardInterrupt:
        return 0
    return done.returncode
