"""A real HTTP server on loopback that answers as it is told, well or badly, and notes who asked."""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.message import Message
from urllib.parse import unquote, urlsplit

from tests.http_server import Handler, Loopback


@dataclass(frozen=True)
class Answer:
    """What goes over the wire; `cut_after` bytes of the body the connection is dropped.

    `stall_after` bytes nothing more comes until the server is told to let go; `drip_s` is the
    pause after every single byte; `chunked` sends the body without a length.
    """

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    cut_after: int | None = None
    length: int | None = None
    stall_after: int | None = None
    drip_s: float | None = None
    chunked: bool = False


@dataclass(frozen=True)
class Request:
    """What was asked: the path with its query, and the headers, by name in any case."""

    method: str
    path: str
    headers: Message


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
    stall_after: int | None = None
    has_head: bool = True

    def __call__(self, request: Request) -> Answer:
        if request.method == "HEAD" and not self.has_head:
            return Answer(405)
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
            return Answer(200, self.body, headers, self.cut_after, stall_after=self.stall_after)
        size = len(self.body)
        start, end = span_of(span, size)
        if start >= size:
            return Answer(416, headers={"Content-Range": f"bytes */{size}"})
        part = {"Content-Range": f"bytes {start}-{end - 1}/{size}"}
        body = self.body[start:end]
        return Answer(206, body, headers | part, self.cut_after, stall_after=self.stall_after)


def span_of(header: str, size: int) -> tuple[int, int]:
    """First byte, and the one after the last, of `bytes=5-9` or `bytes=5-`."""
    start, _, last = header.removeprefix("bytes=").partition("-")
    return int(start), min(size, int(last) + 1) if last else size


class Server(Loopback):
    """Answers per path, each once and the last for ever; `requests` is all that was asked.

    `at_once` requests wait for an answer now, and never were more than `most_at_once`.
    """

    def __init__(self) -> None:
        super().__init__(_handler(self))
        self.requests: list[Request] = []
        self.most_at_once = 0
        self.letting_go = threading.Event()
        self.at_once = 0
        self._lock = threading.Lock()
        self._scripts: dict[str, list[Script]] = {}

    def answer(self, path: str, *scripts: Script) -> str:
        """Set what a path answers, in turn; returns its URL."""
        self._scripts[path] = list(scripts)
        return self.url + path

    def next_answer(self, request: Request) -> Answer:
        with self._lock:
            self.requests.append(request)
            scripts = self._scripts.get(unquote(urlsplit(request.path).path), [Answer(404)])
            script = scripts.pop(0) if len(scripts) > 1 else scripts[0]
        return script if isinstance(script, Answer) else script(request)

    def asked(self, header: str) -> list[str | None]:
        """The values of one header, request by request."""
        return [request.headers.get(header) for request in self.requests]

    def asked_bytes(self, size: int) -> int:
        """Bytes of a file of that size that were asked for, all requests together."""
        spans = (span_of(span or "bytes=0-", size) for span in self.asked("Range"))
        return sum(end - start for start, end in spans)

    def count(self, change: int) -> None:
        """One more request waits for an answer, or one fewer."""
        with self._lock:
            self.at_once += change
            self.most_at_once = max(self.most_at_once, self.at_once)

    def let_go(self) -> None:
        self.letting_go.set()


def _handler(server: Server) -> type[Handler]:
    class Told(Handler):
        def serve(self) -> None:
            server.count(+1)
            self.done = False
            try:
                self.answer(server.next_answer(Request(self.command, self.path, self.headers)))
            except (BrokenPipeError, ConnectionResetError):
                pass  # whoever asked had heard enough
            finally:
                self.finished()
                self.close_connection = True

        def answer(self, answer: Answer) -> None:
            self.send_response(answer.status)
            sent = {"Connection": "close"}
            if answer.chunked:
                sent["Transfer-Encoding"] = "chunked"
            elif answer.status != 304 and "Content-Length" not in answer.headers:
                length = len(answer.body) if answer.length is None else answer.length
                sent["Content-Length"] = str(length)
            for name, value in {**sent, **answer.headers}.items():
                self.send_header(name, value)
            body = answer.body[: answer.cut_after] if self.command == "GET" else b""
            self.finished()
            self.end_headers()
            if answer.stall_after is not None:
                self.wfile.write(body[: answer.stall_after])
                server.letting_go.wait(30)
                return
            if answer.drip_s is not None:
                for byte in body:
                    self.wfile.write(bytes([byte]))
                    time.sleep(answer.drip_s)
                return
            if answer.chunked:
                end = b"\r\n0\r\n\r\n" if answer.cut_after is None else b""
                body = b"%x\r\n%s%s" % (len(answer.body), body, end)
            self.wfile.write(body)

        def finished(self) -> None:
            """Before the first byte goes out: whoever has it may ask again at once."""
            if not self.done:
                self.done = True
                server.count(-1)

    return Told
