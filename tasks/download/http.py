"""Files over HTTP(S): streamed, resumed, revalidated, and refused where they are not data."""

import codecs

import httpx

from schemas.errors import SourceError
from schemas.manifest import RawReceipt
from schemas.upstream import HttpUpstream
from schemas.urls import shown, without_login
from tasks.download.names import name_from_url, unique_names
from tasks.download.patience import Patience
from tasks.download.progress import Progress, Tally
from tasks.download.raw import Obtained, RawFolder, check_pin
from tasks.download.redact import redact_logs
from tasks.download.transfer import MAX_REDIRECTS, Transfer, fetch_file, page_not_data
from tasks.lake import digest_of

TIMEOUT = httpx.Timeout(connect=15, read=60, write=60, pool=15)  # seconds
SNIFFED_BYTES = 512
NOT_DATA = (b"<!doctype html", b"<html")
DATA_SUFFIXES = frozenset(
    {".json", ".jsonl", ".ndjson", ".tsv", ".csv", ".parquet", ".arrow"}
    | {".gz", ".bz2", ".xz", ".zst", ".zip", ".tar", ".tgz"}
)


def fetch_http(
    upstream: HttpUpstream, raw: RawFolder, patience: Patience, progress: Progress | None = None
) -> RawReceipt:
    """Download every URL into the lake; one that has not changed costs one request.

    Pinned files that are in the lake already cost none.

    Raises:
        SourceMissing: 404 or 410.
        SourceChanged: the bytes are not those that are pinned.
        SourceUnreachable: no answer, or 429 and 5xx, until patience ran out.
        SourceError: any other answer, an HTML page, too many redirects, or one not to http(s).
        StorageError: the lake cannot be written, or its disk is too full for the download.
    """
    redact_logs()
    definition = digest_of(["http", *(without_login(url)[0] for url in upstream.urls)])
    names = unique_names(name_from_url(url) for url in upstream.urls)
    pins = upstream.sha256 or (None,) * len(upstream.urls)
    with raw.partial(definition[:16]) as folder:
        past = raw.remembered(definition)
        if past is not None and upstream.sha256 == tuple(file.sha256 for file in past[0].files):
            return past[1]
        known = past[0].files if past is not None else (None,) * len(names)
        tally = Tally(progress, dict.fromkeys(names))
        obtained: list[Obtained] = []
        with _client() as client:
            for position, url in enumerate(upstream.urls):
                transfer = Transfer(
                    source=raw.source,
                    url=url,
                    name=names[position],
                    data=folder / f"{position}.data",
                    half=folder / f"{position}.json",
                    known=known[position],
                )
                file = fetch_file(transfer, client, raw, patience, tally)
                if file is not None:
                    one = Obtained(file, path=transfer.data)
                elif past is not None:
                    unchanged = past[0].files[position]
                    one = Obtained(unchanged, key=raw.key_of(past[0].digest, unchanged.name))
                _check_content(transfer, one, pins[position])
                obtained.append(one)
        if past is not None and all(one.path is None for one in obtained):
            return past[1]
        upstream_shown = ", ".join(shown(url) for url in upstream.urls)
        return raw.keep(obtained, upstream_shown, definition)


def _client() -> httpx.Client:
    return httpx.Client(
        timeout=TIMEOUT,
        follow_redirects=True,
        max_redirects=MAX_REDIRECTS,
        headers={"User-Agent": "winnow", "Accept-Encoding": "identity"},
    )


def _check_content(transfer: Transfer, one: Obtained, pin: str | None) -> None:
    """Refuse a page in place of data, and bytes that are not the pinned ones; forget them."""
    try:
        if one.path is not None and transfer.suffix in DATA_SUFFIXES:
            with one.path.open("rb") as file:
                head = file.read(SNIFFED_BYTES)
            if head.removeprefix(codecs.BOM_UTF8).lstrip().lower().startswith(NOT_DATA):
                raise page_not_data(transfer, "it starts with <html>")
        check_pin(one.file, pin, transfer.where, transfer.source)
    except SourceError:
        transfer.discard()
        raise
