"""A real HTTP server on loopback, in a thread of its own while a test runs."""

import contextlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self


class Loopback:
    """Serves at `url` whatever its handler answers, each request in a thread."""

    def __init__(self, handler: type[BaseHTTPRequestHandler]) -> None:
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self._http.server_port}"

    @contextlib.contextmanager
    def running(self) -> Iterator[Self]:
        thread = threading.Thread(
            target=self._http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        )
        thread.start()
        try:
            yield self
        finally:
            self.let_go()
            self._http.shutdown()
            self._http.server_close()
            thread.join()

    def let_go(self) -> None:
        """End answers that wait for something."""


class Handler(BaseHTTPRequestHandler):
    """Answers every method by `serve`, and logs nothing."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # or headers and body wait for one another, 40 ms each time

    def serve(self) -> None:
        raise NotImplementedError

    def do_GET(self) -> None:
        self.serve()

    do_HEAD = do_POST = do_PUT = do_GET  # noqa: N815

    def log_message(self, *_: object) -> None:
        pass
