"""Asking over HTTP, and judging what comes back before a byte of it is believed."""

import contextlib
import socket
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from schemas.errors import SourceError, SourceMissing
from schemas.urls import redacted, without_login
from tasks.download.content import PAGE_SUFFIXES, not_data
from tasks.download.crew import Stop
from tasks.download.patience import Patience, TryAgain, retry_after_s
from tasks.download.state import Half, Transfer
from tasks.lake import first_line

MAX_REDIRECTS = 10
ANSWER_S = 120.0  # from the request to the end of the answer's headers
_CONNECTED = ("connection.connect_tcp.complete", "connection.start_tls.complete")
TIMEOUT = httpx.Timeout(connect=15, read=60, write=60, pool=15)  # seconds


@dataclass(frozen=True)
class Line:
    """What a source's files come over: a client, and how to behave on it."""

    client: httpx.Client
    patience: Patience
    stop: Stop = field(default_factory=Stop)

    def next_step(self, source: str) -> str:
        """What to do once patience has run out."""
        return (
            "Check the network, then run it again: it goes on from what is there. Or download it "
            f"by hand and give it with --from {source}=PATH."
        )


@contextlib.contextmanager
def open_line(patience: Patience) -> Iterator[Line]:
    """Yield a line whose every request is a connection of its own.

    None is kept idle, so that the connections a host sees are the turns it has given, and none
    is found dead when it is used again.
    """
    with httpx.Client(
        timeout=TIMEOUT,
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=0),
        headers={
            "User-Agent": "winnow",
            "Accept-Encoding": "identity",
            "Connection": "close",
        },
    ) as client:
        yield Line(client, patience)


@contextlib.contextmanager
def ask(
    line: Line, transfer: Transfer, headers: Mapping[str, str], method: str = "GET"
) -> Iterator[httpx.Response]:
    """Yield the answer to a request, redirects followed; its body is read inside the block.

    Redirects go to http and https only, and never from https to http: what was asked for over a
    line that nobody can change is not taken from one that anybody can. A login goes to the host
    that it was given for, and to no other.

    Raises:
        SourceError: it leads nowhere, or its certificate is not trusted.
        TryAgain: there is no answer, or it broke off.
    """
    try:
        with _followed(line, transfer, headers, method) as response:
            yield response
    except (httpx.UnsupportedProtocol, httpx.TooManyRedirects, httpx.InvalidURL) as error:
        raise SourceError(
            f"{transfer.what} leads nowhere: {redacted(first_line(error))} Expected at most "
            f"{MAX_REDIRECTS} redirects, each to http or https. Correct http.urls in the source's "
            "file."
        ) from error
    except httpx.RequestError as error:
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            raise SourceError(
                f"{transfer.what} has no certificate that this machine trusts: "
                f"{redacted(first_line(error))}. Correct the host in http.urls, or name your "
                "authority's certificate in SSL_CERT_FILE."
            ) from error
        raise TryAgain(
            f"{transfer.what} cannot be read: {type(error).__name__}, {redacted(first_line(error))}"
        ) from error


@contextlib.contextmanager
def _followed(
    line: Line, transfer: Transfer, headers: Mapping[str, str], method: str
) -> Iterator[httpx.Response]:
    url, login = without_login(transfer.url)
    request = line.client.build_request(method, url, headers=dict(headers))
    for _ in range(MAX_REDIRECTS + 1):
        line.stop.check()
        host = request.url.host
        with line.patience.turn(host, transfer.what, line.stop.check):
            response = _send(line.client, request, login)
            try:
                wait_s = retry_after_s(response.headers.get("Retry-After"))
                line.patience.heed(host, response.status_code, wait_s)
                if response.next_request is None:
                    yield response
                    return
                _check_redirect(request.url, response.next_request.url)
                request, login = response.next_request, None
            finally:
                response.close()
    raise httpx.TooManyRedirects("it is redirected on and on.", request=request)


def _send(
    client: httpx.Client, request: httpx.Request, login: tuple[str, str] | None
) -> httpx.Response:
    try:
        with _begun_within(ANSWER_S, request):
            return client.send(request, auth=login, stream=True, follow_redirects=False)
    except httpx.RemoteProtocolError as error:
        if "location header" in str(error):  # the one protocol error that stays what it is
            raise httpx.UnsupportedProtocol(str(error), request=request) from error
        raise


@contextlib.contextmanager
def _begun_within(seconds: float, request: httpx.Request) -> Iterator[None]:
    """Hang up on a server whose answer has not begun by then.

    Its headers may drip in byte by byte, and no time-out of a single read sees that.
    """
    streams: list[Any] = []

    def listen(event: str, info: Mapping[str, Any]) -> None:
        if event in _CONNECTED:
            streams.append(info["return_value"])

    def hang_up() -> None:
        for stream in streams:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(stream.get_extra_info("socket"), socket.SHUT_RDWR)

    request.extensions = {**request.extensions, "trace": listen}
    timer = threading.Timer(seconds, hang_up)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _check_redirect(url: httpx.URL, target: httpx.URL) -> None:
    if target.scheme not in ("http", "https"):
        raise httpx.UnsupportedProtocol(f"it is redirected to {target.scheme}:.")
    if (url.scheme, target.scheme) == ("https", "http"):
        raise httpx.UnsupportedProtocol(
            f"it is redirected from https to http, to {target}, where anybody on the way could "
            "change it."
        )


def check_answer(response: httpx.Response, transfer: Transfer) -> None:
    """Raise unless the answer is one to go on with: 200, 206 or 304, and not a page.

    Raises:
        SourceMissing: 404 or 410.
        TryAgain: 408, 416, 425, 429 and 5xx; another request may be answered.
        SourceError: any other answer.
    """
    status = response.status_code
    said = f"{transfer.what} answered {status} {response.reason_phrase}"
    copy = f"or give a copy with --from {transfer.source}=PATH."
    if status in (404, 410):
        raise SourceMissing(
            f"{said}, expected the file. Find out where it moved and correct http.urls in the "
            f"source's file, {copy}"
        )
    if status in (401, 403):
        raise SourceError(
            f"{said}: it wants a login, or refuses this one. Ask its owner for access and write "
            f"the URL as https://USER:PASSWORD@HOST/… in a source file that you share with nobody, "
            f"{copy}"
        )
    if status == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
        raise TryAgain(f"{said} to a request for the rest of the file", wait_s=0)
    if status in (408, 425, 429) or status >= 500:
        raise TryAgain(said, retry_after_s(response.headers.get("Retry-After")))
    if status not in (200, 206) and not (status == 304 and transfer.known is not None):
        raise SourceError(f"{said}, expected 200. Correct http.urls in the source's file, {copy}")
    media_type = response.headers.get("Content-Type", "").split(";")[0].strip().lower()
    if media_type == "text/html" and status != 304 and transfer.suffix not in PAGE_SUFFIXES:
        raise not_data(transfer.what, "a web page (its Content-Type is text/html)", transfer.source)


def condition(transfer: Transfer) -> dict[str, str]:
    """The headers of a request that need not be answered in full if nothing has changed."""
    if transfer.known is None:
        return {}
    validators = {
        "If-None-Match": transfer.known.etag,
        "If-Modified-Since": transfer.known.last_modified,
    }
    return {name: value for name, value in validators.items() if value is not None}


def content_range(response: httpx.Response) -> tuple[int | None, int | None, int | None]:
    """First byte, last byte and whole size of `bytes 5-9/10`; None where it does not say."""
    span, _, size = response.headers.get("Content-Range", "").removeprefix("bytes ").partition("/")
    start, _, last = span.partition("-")
    return _number(start), _number(last), _number(size)


def half_of(response: httpx.Response) -> Half:
    """What an answer in full says of its file."""
    encoded = is_encoded(response)
    return Half(
        etag=response.headers.get("ETag"),
        last_modified=response.headers.get("Last-Modified"),
        size_bytes=None if encoded else body_bytes(response),
        encoded=encoded,
    )


def body_bytes(response: httpx.Response) -> int | None:
    """Bytes that the body will have as it is sent, or None where it does not say."""
    return _number(response.headers.get("Content-Length", ""))


def is_encoded(response: httpx.Response) -> bool:
    """Whether the body is compressed on its way, although nobody asked for it."""
    encoding: str = response.headers.get("Content-Encoding", "identity")
    return encoding.lower() != "identity"


def _number(digits: str) -> int | None:
    return int(digits) if digits.isascii() and digits.isdecimal() else None
