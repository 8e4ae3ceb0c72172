"""Files over HTTP(S): in parts, resumed, revalidated, and refused where they are not data."""

from functools import partial
from pathlib import Path

from schemas.errors import SourceError
from schemas.manifest import RawFile, RawReceipt
from schemas.upstream import HttpUpstream
from schemas.urls import shown, without_login
from tasks.download.answers import Line, open_line
from tasks.download.content import SNIFFED_BYTES, not_data, served_instead
from tasks.download.crew import all_of
from tasks.download.hosts import CONNECTIONS
from tasks.download.names import name_from_url, unique_names
from tasks.download.patience import Patience
from tasks.download.progress import Progress, Tally
from tasks.download.raw import Obtained, RawFolder, Remembered, check_pin
from tasks.download.redact import redact_logs
from tasks.download.segments import Splitting
from tasks.download.state import Transfer
from tasks.download.transfer import fetch_file
from tasks.lake import digest_of

SPLITTING = Splitting()


def fetch_http(
    upstream: HttpUpstream,
    raw: RawFolder,
    patience: Patience,
    progress: Progress | None = None,
    splitting: Splitting = SPLITTING,
) -> RawReceipt:
    """Download every URL into the lake; one that has not changed costs one request.

    Pinned files that are in the lake already cost none. Several URLs come at once, and large
    files in several parts, within what their hosts allow (`hosts.CONNECTIONS`); what arrives does
    not depend on it.

    Raises:
        SourceMissing: 404 or 410.
        SourceChanged: the bytes are not those that are pinned.
        SourceUnreachable: no answer, or 429 and 5xx, until patience ran out.
        SourceError: any other answer, something other than data, too many redirects, or one not
            to http(s).
        StorageError: the lake cannot be written, or its disk is too full for the download.
    """
    redact_logs()
    definition = definition_of(upstream)
    names = names_of(upstream)
    pins = upstream.sha256 or (None,) * len(upstream.urls)
    with raw.partial(definition[:16]) as folder:
        remembered = raw.remembered(definition)
        past, receipt = remembered if remembered is not None else (None, None)
        digests = None if past is None else tuple(file.sha256 for file in past.files)
        if receipt is not None and upstream.sha256 == digests:
            return receipt
        tally = Tally(progress, dict.fromkeys(names))
        with open_line(patience) as line:
            jobs = [
                partial(_obtain, transfer, pin, past, line, raw, tally, splitting)
                for transfer, pin in zip(
                    transfers(upstream, raw.source, folder, past), pins, strict=True
                )
            ]
            obtained = all_of(jobs, CONNECTIONS, line.stop)
        if receipt is not None and all(one.path is None for one in obtained):
            return receipt
        upstream_shown = ", ".join(shown(url) for url in upstream.urls)
        return raw.keep(obtained, upstream_shown, definition)


def definition_of(upstream: HttpUpstream) -> str:
    """The digest by which downloads of these URLs are remembered."""
    return digest_of(["http", *(without_login(url)[0] for url in upstream.urls)])


def names_of(upstream: HttpUpstream) -> tuple[str, ...]:
    """The names under which the files of these URLs are kept."""
    return unique_names(name_from_url(url) for url in upstream.urls)


def transfers(
    upstream: HttpUpstream, source: str, folder: Path, past: Remembered | None
) -> tuple[Transfer, ...]:
    """A transfer for each URL into files of a folder, with what the lake has of it."""
    names = names_of(upstream)
    known: tuple[RawFile | None, ...] = (None,) * len(names) if past is None else past.files
    return tuple(
        Transfer(
            source=source,
            url=url,
            name=names[position],
            data=folder / f"{position}.data",
            half=folder / f"{position}.json",
            known=known[position],
        )
        for position, url in enumerate(upstream.urls)
    )


def _obtain(
    transfer: Transfer,
    pin: str | None,
    past: Remembered | None,
    line: Line,
    raw: RawFolder,
    tally: Tally,
    splitting: Splitting,
) -> Obtained:
    file = fetch_file(transfer, line, raw, tally, splitting)
    if file is not None:
        one = Obtained(file, path=transfer.data)
    elif past is not None and transfer.known is not None:
        one = Obtained(transfer.known, key=raw.key_of(past.digest, transfer.known.name))
    else:
        raise AssertionError("a file that nobody knows cannot be unchanged")
    _check_content(transfer, one, pin)
    return one


def _check_content(transfer: Transfer, one: Obtained, pin: str | None) -> None:
    """Refuse what is no data, and bytes that are not the pinned ones; forget them."""
    try:
        if one.path is not None:
            with one.path.open("rb") as file:
                found = served_instead(file.read(SNIFFED_BYTES), one.file.name, one.file.size_bytes)
            if found is not None:
                raise not_data(transfer.what, found, transfer.source, transfer.url)
        check_pin(one.file, pin, transfer.where, transfer.source)
    except SourceError:
        transfer.discard()
        raise
