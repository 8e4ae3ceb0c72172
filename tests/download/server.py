"""A real HTTP server on loopback that answers as it is told, well or badly, and notes who asked."""

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit


@dataclass(frozen=True)
class Answer:
    """What goes over the wire; `cut_after` bytes of the body the connection is dropped."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    cut_after: int | None = None
    length: int | None = None


@dataclass(frozen=True)
class Request:
    """What was asked: the path with its query, and the headers."""

    method: str
    path: str
    headers: Mapping[str, str]


Script = Answer | Callable[[Request], Answer]


@dataclass(frozen=True)
class File:
    """A file as a proper server gives it: with ranges, validators and 304."""

    body: bytes
    etag: str | None = None
    last_modified: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    cut_after: int | None = None
    heeds_if_range: bool = True

    def __call__(self, request: Request) -> Answer:
        validators = {"ETag": self.etag, "Last-Modified": self.last_modified}
        given = {name: value for name, value in validators.items() if value is not None}
        headers = {**given, **self.headers}
        if self.etag is not None and request.headers.get("If-None-Match") == self.etag:
            return Answer(304, headers=headers)
        since = request.headers.get("If-Modified-Since")
        if self.etag is None and since is not None and since == self.last_modified:
            return Answer(304, headers=headers)
        span = request.headers.get("Range")
        same = request.headers.get("If-Range") in (None, self.etag, self.last_modified)
        if span is None or not (same or not self.heeds_if_range):
            return Answer(200, self.body, headers, self.cut_after)
        start = int(span.removeprefix("bytes=").rstrip("-"))
        size = len(self.body)
        if start >= size:
            return Answer(416, headers={"Content-Range": f"bytes */{size}"})
        part = {"Content-Range": f"bytes {start}-{size - 1}/{size}"}
        return Answer(206, self.body[start:], headers | part, self.cut_after)


class Server:
    """Answers per path, each once and the last for ever; `requests` is all that was asked."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self._scripts: dict[str, list[Script]] = {}
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.url = f"http://127.0.0.1:{self._http.server_port}"

    def answer(self, path: str, *scripts: Script) -> str:
        """Set what a path answers, in turn; returns its URL."""
        self._scripts[path] = list(scripts)
        return self.url + path

    def next_answer(self, request: Request) -> Answer:
        self.requests.append(request)
        scripts = self._scripts.get(unquote(urlsplit(request.path).path), [Answer(404)])
        script = scripts.pop(0) if len(scripts) > 1 else scripts[0]
        return script if isinstance(script, Answer) else script(request)

    def asked(self, header: str) -> list[str | None]:
        """The values of one header, request by request."""
        return [request.headers.get(header) for request in self.requests]

    @contextlib.contextmanager
    def running(self) -> Iterator["Server"]:
        thread = threading.Thread(
            target=self._http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        )
        thread.start()
        try:
            yield self
        finally:
            self._http.shutdown()
            self._http.server_close()
            thread.join()


def _handler(server: Server) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            answer = server.next_answer(Request(self.command, self.path, dict(self.headers)))
            self.send_response(answer.status)
            sent = {"Connection": "close"}
            if answer.status != 304 and "Content-Length" not in answer.headers:
                length = len(answer.body) if answer.length is None else answer.length
                sent["Content-Length"] = str(length)
            for name, value in {**sent, **answer.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(answer.body[: answer.cut_after])
            self.close_connection = True

        do_HEAD = do_GET  # noqa: N815

        def log_message(self, *args: object) -> None:
            pass

    return Handler
