"""Prefect's own server and deployments, started with this machine's loopback address only."""

import atexit
import os
import subprocess
import sys
from typing import Any, NoReturn

from flows.terminal import out, plain
from schemas.errors import ConfigError
from schemas.recipe import DEPLOYMENTS

POOL = "winnow"
HOST = "127.0.0.1"
HEALTH_TIMEOUT_S = 10
DEFAULT_API = f"http://{HOST}:4200/api"


def serve(port: int) -> NoReturn:
    """Become the server, so that who stops this process stops it."""
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
    command = _command("server", "start", "--host", HOST, "--port", str(port))
    os.execve(sys.executable, command, os.environ | {"PREFECT_API_URL": api})  # noqa: S606


def check_server() -> None:
    """See that the server which was asked for, if any was, answers; raises ConfigError.

    Where none was, Prefect starts one of its own, which from here on ends with this process.
    """
    import httpx
    from prefect.settings import PREFECT_API_URL

    api = PREFECT_API_URL.value()
    if api is None:
        _own_server_ends_with_us()
        return
    try:
        httpx.get(f"{api}/health", timeout=HEALTH_TIMEOUT_S).raise_for_status()
    except httpx.HTTPError as error:
        raise ConfigError(
            f"no Prefect server answers at {api} ({type(error).__name__}). Start it (make ui), or "
            "unset PREFECT_API_URL to run without one."
        ) from None


def _own_server_ends_with_us() -> None:
    """Have the server that Prefect may start for this process end even where this one is killed.

    Prefect stops it at exit, and nothing runs at a kill. There is one such server in a process,
    the first that was asked for: by asking first, it is one that is watched from its first moment.
    """
    from prefect.server.api.server import SubprocessASGIServer

    class WatchedServer(SubprocessASGIServer):
        def _run_uvicorn_command(self) -> "subprocess.Popen[Any]":
            process = super()._run_uvicorn_command()
            _ends_with_us(process.pid)
            return process

    if os.name == "posix":
        WatchedServer()


def _ends_with_us(pid: int) -> None:
    """Start a watcher that ends a process once this one is gone.

    It waits at a pipe that this process alone holds open. At an exit that Prefect sees, the process
    has ended by then: a line in the pipe tells the watcher to leave its number alone.
    """
    watcher = subprocess.Popen(  # noqa: S603
        ("/bin/sh", "-c", 'read -r _ || kill "$1"', "sh", str(pid)),
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C is not for it
    )
    atexit.register(watcher.communicate, b"\n")


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


def _command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "prefect", *arguments]


def _prefect(*arguments: str, api: str, silent: bool = False) -> int:
    sink = subprocess.DEVNULL if silent else None
    environment = os.environ | {"PREFECT_API_URL": api}
    try:
        done = subprocess.run(  # noqa: S603
            _command(*arguments),
            env=environment,
            cwd=DEPLOYMENTS.parent,
            stdout=sink,
            stderr=sink,
            check=False,
        )
    except KeyboardInterrupt:
        return 0
    return done.returncode
