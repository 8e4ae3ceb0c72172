"""One URL on its way into one local file: its answers judged, its bytes resumed and hashed.

A transfer that is cut goes on where it stopped, in this run or the next one, if upstream gives a
validator by which it can tell that the bytes are still the same (RFC 9110, 13.1.5 and 14.2).
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO

import httpx
from pydantic import Field, ValidationError

from schemas.errors import SourceError, SourceMissing
from schemas.frozen import Frozen
from schemas.manifest import RawFile
from schemas.urls import redacted, shown, without_login
from tasks.download.patience import Patience, TryAgain, retry_after_s
from tasks.download.progress import Tally
from tasks.download.raw import RawFolder
from tasks.lake import CHUNK_BYTES, first_line

MAX_REDIRECTS = 10
PAGE_SUFFIXES = frozenset({".html", ".htm"})


class Half(Frozen):
    """What is known of a file that is half-way there: its validators and its whole size."""

    etag: str | None = None
    last_modified: str | None = None
    size_bytes: int | None = None
    encoded: bool = Field(False, description="what is written is not what was sent")

    @property
    def resumable_by(self) -> str | None:
        """The validator for If-Range: an ETag that is not weak, or else the date."""
        if self.encoded:
            return None
        if self.etag is not None and not self.etag.startswith("W/"):
            return self.etag
        return self.last_modified


@dataclass(frozen=True)
class Transfer:
    """One URL on its way into one local file; `half` and `data` outlive the process."""

    source: str
    url: str
    name: str
    data: Path
    half: Path
    known: RawFile | None

    @property
    def where(self) -> str:
        """The URL, as it may be shown."""
        return shown(self.url)

    @property
    def suffix(self) -> str:
        """The last suffix of the file's name, in lower case."""
        return PurePosixPath(self.name).suffix.lower()

    def start(self) -> tuple[int, Half | None]:
        """How many bytes are there to go on from, and what is known of them."""
        try:
            half = Half.model_validate_json(self.half.read_bytes())
            there_bytes = self.data.stat().st_size
        except (FileNotFoundError, ValidationError):
            return 0, None
        whole_bytes = half.size_bytes
        if half.resumable_by is None or not 0 < there_bytes <= (whole_bytes or there_bytes):
            return 0, None
        if there_bytes == whole_bytes:  # ask for one byte at least: no range is ever empty
            there_bytes -= 1
        return there_bytes, half

    def discard(self) -> None:
        """Forget the bytes that are there."""
        self.half.unlink(missing_ok=True)
        self.data.unlink(missing_ok=True)


def fetch_file(
    transfer: Transfer, client: httpx.Client, raw: RawFolder, patience: Patience, tally: Tally
) -> RawFile | None:
    """The file, once it is wholly there; None where upstream says that it has not changed."""
    return patience.keep_trying(
        lambda: _attempt(transfer, client, raw, tally),
        f"Check the network, then run it again: it goes on from what is there. Or download it by "
        f"hand and give it with --from {transfer.source}=PATH.",
    )


def _attempt(
    transfer: Transfer, client: httpx.Client, raw: RawFolder, tally: Tally
) -> RawFile | None:
    there_bytes, half = transfer.start()
    url, login = without_login(transfer.url)
    headers = _condition(transfer.known) if half is None else _range(there_bytes, half)
    try:
        with client.stream("GET", url, headers=headers, auth=login) as response:
            _check_answer(response, transfer)
            if response.status_code == httpx.codes.NOT_MODIFIED:
                return None
            if response.status_code == httpx.codes.PARTIAL_CONTENT:
                half = _check_range(response, transfer, there_bytes, half)
            else:
                there_bytes, half = 0, _half(response)
            raw.check_space(_body_bytes(response) or 0)
            return _receive(response, transfer, there_bytes, half, tally)
    except (httpx.UnsupportedProtocol, httpx.TooManyRedirects, httpx.InvalidURL) as error:
        raise SourceError(
            f"source {transfer.source!r}: {transfer.where} leads nowhere: "
            f"{redacted(first_line(error))} Expected at most {MAX_REDIRECTS} redirects, each to "
            "http or https. Correct http.urls in the source's file."
        ) from error
    except httpx.RequestError as error:
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            raise SourceError(
                f"source {transfer.source!r}: {transfer.where} has no certificate that this "
                f"machine trusts: {redacted(first_line(error))}. Correct the host in http.urls, or "
                "name your authority's certificate in SSL_CERT_FILE."
            ) from error
        raise TryAgain(
            f"source {transfer.source!r}: {transfer.where} cannot be read: "
            f"{type(error).__name__}, {redacted(first_line(error))}"
        ) from error


def _condition(known: RawFile | None) -> dict[str, str]:
    """The headers of a request that need not be answered in full if nothing has changed."""
    if known is None:
        return {}
    validators = {"If-None-Match": known.etag, "If-Modified-Since": known.last_modified}
    return {name: value for name, value in validators.items() if value is not None}


def _range(there_bytes: int, half: Half) -> dict[str, str]:
    """The headers of a request for the rest, or for everything if it is another file by now."""
    return {"Range": f"bytes={there_bytes}-", "If-Range": half.resumable_by or ""}


def _check_answer(response: httpx.Response, transfer: Transfer) -> None:
    """Raise unless the answer is one to go on with: 200, 206 or 304, and not a page."""
    status = response.status_code
    said = f"source {transfer.source!r}: {transfer.where} answered {status} "
    said += response.reason_phrase
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
        transfer.discard()
        raise TryAgain(f"{said} to a request for the rest of the file", wait_s=0)
    if status in (408, 425, 429) or status >= 500:
        raise TryAgain(said, retry_after_s(response.headers.get("Retry-After")))
    if status not in (200, 206) and not (status == 304 and transfer.known is not None):
        raise SourceError(f"{said}, expected 200. Correct http.urls in the source's file, {copy}")
    media_type = response.headers.get("Content-Type", "").split(";")[0].strip().lower()
    if media_type == "text/html" and status != 304 and transfer.suffix not in PAGE_SUFFIXES:
        raise page_not_data(transfer, "its Content-Type is text/html")


def _check_range(
    response: httpx.Response, transfer: Transfer, there_bytes: int, half: Half | None
) -> Half:
    """What is half-way there; starts afresh unless the answer is the rest of that very file."""
    start_bytes, size_bytes = _content_range(response.headers.get("Content-Range", ""))
    validators = response.headers.get("ETag"), response.headers.get("Last-Modified")
    same = (
        half is not None
        and start_bytes == there_bytes
        and validators[0] in (None, half.etag)
        and validators[1] in (None, half.last_modified)
        and (size_bytes == half.size_bytes or None in (size_bytes, half.size_bytes))
        and not _is_encoded(response)
    )
    if half is None or not same:  # a server that knows no If-Range, or is wrong about it
        transfer.discard()
        raise TryAgain(
            f"source {transfer.source!r}: {transfer.where} changed while it was being downloaded",
            wait_s=0,
        )
    return half if size_bytes is None else half.model_copy(update={"size_bytes": size_bytes})


def _content_range(header: str) -> tuple[int | None, int | None]:
    """First byte and whole size of `bytes 5-9/10`; None where it does not say."""
    span, _, size = header.removeprefix("bytes ").partition("/")
    start = span.partition("-")[0]
    return (
        int(start) if start.isdecimal() else None,
        int(size) if size.isdecimal() else None,
    )


def _half(response: httpx.Response) -> Half:
    """What an answer in full says of its file."""
    encoded = _is_encoded(response)
    return Half(
        etag=response.headers.get("ETag"),
        last_modified=response.headers.get("Last-Modified"),
        size_bytes=None if encoded else _body_bytes(response),
        encoded=encoded,
    )


def _receive(
    response: httpx.Response, transfer: Transfer, there_bytes: int, half: Half, tally: Tally
) -> RawFile:
    """Write the body after the bytes that are there; the file, once it is whole."""
    done_bytes = there_bytes
    digest = hashlib.sha256()
    with transfer.data.open("r+b" if there_bytes else "wb") as file:
        for chunk in _chunks(file, there_bytes):
            digest.update(chunk)
        transfer.half.write_text(half.model_dump_json(), encoding="utf-8")
        tally.expect(transfer.name, half.size_bytes)
        for chunk in response.iter_bytes():
            file.write(chunk)
            digest.update(chunk)
            done_bytes += len(chunk)
            tally.at(transfer.name, done_bytes)
    _check_length(response, transfer, done_bytes, half)
    return RawFile(
        name=transfer.name,
        sha256=digest.hexdigest(),
        size_bytes=done_bytes,
        url=transfer.where,
        etag=half.etag,
        last_modified=half.last_modified,
    )


def _chunks(file: BinaryIO, size_bytes: int) -> Iterator[bytes]:
    """The first bytes of an open file, which is then at that position."""
    while size_bytes > 0 and (chunk := file.read(min(CHUNK_BYTES, size_bytes))):
        size_bytes -= len(chunk)
        yield chunk


def _body_bytes(response: httpx.Response) -> int | None:
    """Bytes that the body will have as it is sent, or None where it does not say."""
    length = response.headers.get("Content-Length", "")
    return int(length) if length.isdecimal() else None


def _is_encoded(response: httpx.Response) -> bool:
    """Whether the body is compressed on its way, although nobody asked for it."""
    encoding: str = response.headers.get("Content-Encoding", "identity")
    return encoding.lower() != "identity"


def _check_length(
    response: httpx.Response, transfer: Transfer, done_bytes: int, half: Half
) -> None:
    """Raise TryAgain unless the body was as long as announced, and the file is whole with it."""
    lengths = (
        (response.num_bytes_downloaded, _body_bytes(response), "sent"),
        (done_bytes, half.size_bytes, "came to"),
    )
    for found_bytes, expected_bytes, verb in lengths:
        if expected_bytes is not None and found_bytes != expected_bytes:
            if found_bytes > expected_bytes:
                transfer.discard()
            raise TryAgain(
                f"source {transfer.source!r}: {transfer.where} {verb} {found_bytes:,} bytes, "
                f"expected {expected_bytes:,}"
            )


def page_not_data(transfer: Transfer, sign: str) -> SourceError:
    """The error for an HTML page where data should be; `sign` tells what gave it away."""
    return SourceError(
        f"source {transfer.source!r}: {transfer.where} answered 200 with a web page ({sign}), "
        f"expected data. Open it in a browser: it may want a login or link to the file itself. "
        f"Correct http.urls in the source's file, or give a copy with --from "
        f"{transfer.source}=PATH."
    )
