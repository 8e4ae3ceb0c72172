"""An S3 server on this machine for tests (moto's), which can be told to misbehave."""

import logging
import re
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

from schemas import stores

BUCKET = "bucket"
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_REGION": "us-east-1",
}
WAIT_S = 30
FEW = {
    "max_retries": 3,
    "retry_timeout": timedelta(seconds=20),
    "backoff": {
        "init_backoff": timedelta(milliseconds=1),
        "max_backoff": timedelta(milliseconds=5),
    },
}


@dataclass
class Fault:
    """What happens to requests that a pattern matches, `times` of them; then all is well.

    `kind`: a status (`503`) instead of an answer; `lost` does what is asked and answers 500;
    `short` sends half of the body and hangs up; `silent` says nothing until the test is over;
    `ignored` drops conditions from the request.
    """

    kind: str
    pattern: str
    times: int = 1
    met: int = 0


@dataclass
class S3Server:
    """`uri` is a lake in it; requests are noted as `PUT /bucket/key`."""

    app: Any
    faults: list[Fault] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    endpoint: str = ""
    uri: str = f"s3://{BUCKET}/lake"

    def __post_init__(self) -> None:
        self.over = threading.Event()
        self._writing = threading.Lock()
        self._noting = threading.Lock()

    def fail(self, kind: str, pattern: str, times: int = 1) -> Fault:
        """Misbehave from now on; returns the fault, which counts what it met."""
        fault = Fault(kind, pattern, times)
        self.faults.append(fault)
        return fault

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs to find and use the server."""
        return {**ENVIRONMENT, "AWS_ENDPOINT_URL": self.endpoint}

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        request = f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}"
        fault = self._note(request)
        if fault is None:
            return self._answer(environ, start_response)
        if fault.kind.isdigit():
            environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            return _refusal(start_response, f"{fault.kind} {HTTPStatus(int(fault.kind)).phrase}")
        if fault.kind == "lost":
            self._answer(environ, lambda *_: lambda _data: None)
            return _refusal(start_response, "500 Lost")
        if fault.kind == "silent":
            self.over.wait(WAIT_S)
            return _refusal(start_response, "503 Over")
        if fault.kind == "short":
            return _half(self._answer(environ, start_response))
        environ.pop("HTTP_IF_NONE_MATCH", None)
        return self._answer(environ, start_response)

    def _note(self, request: str) -> Fault | None:
        with self._noting:
            self.requests.append(request)
            for fault in self.faults:
                if fault.met < fault.times and re.search(fault.pattern, request):
                    fault.met += 1
                    return fault
        return None

    def _answer(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        """What moto answers; one write at a time, for it looks and writes in two steps."""
        if environ["REQUEST_METHOD"] == "GET":
            return list(self.app(environ, start_response))
        with self._writing:
            return list(self.app(environ, start_response))


def _refusal(start_response: Any, status: str) -> list[bytes]:
    start_response(status, [("Content-Type", "application/xml")])
    return [b"<Error><Code>SlowDown</Code><Message>Please reduce your rate.</Message></Error>"]


def _half(body: list[bytes]) -> Iterator[bytes]:
    whole = b"".join(body)
    yield whole[: len(whole) // 2]
    raise ConnectionAbortedError("as the test wanted")


@contextmanager
def serving() -> Iterator[S3Server]:
    """A server with one empty bucket, for as long as the block runs."""
    logging.getLogger("werkzeug").setLevel(logging.CRITICAL)
    server = S3Server(DomainDispatcherApplication(create_backend_app))
    http = make_server("127.0.0.1", 0, server, threaded=True)
    http.daemon_threads = True
    server.endpoint = f"http://127.0.0.1:{http.server_port}"
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        _make_bucket(server.endpoint)
        yield server
    finally:
        server.over.set()
        http.shutdown()
        thread.join(WAIT_S)
        http.server_close()


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[S3Server]:
    """A server that this process finds, which gives up soon and keeps copies for this test."""
    monkeypatch.setattr(stores, "RETRIES", FEW)
    with serving() as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("WINNOW_CACHE", str(tmp_path / "cache"))
        yield server


def _make_bucket(endpoint: str) -> None:
    import boto3

    client = boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    for old in client.list_buckets()["Buckets"]:
        if old["Name"] == BUCKET:
            _empty(client)
            return
    client.create_bucket(Bucket=BUCKET)


def _empty(client: Any) -> None:
    """Moto keeps its buckets for as long as the process lives."""
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET):
        for one in page.get("Contents", ()):
            client.delete_object(Bucket=BUCKET, Key=one["Key"])
