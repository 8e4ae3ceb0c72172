"""Asking upstream whether a source has changed: a request or two per file, and no download."""

from collections.abc import Iterable, Sequence
from functools import partial
from itertools import count
from pathlib import Path

import httpx

from schemas.errors import ConfigError, SourceMissing, WinnowError
from schemas.manifest import RawFile
from schemas.upstream import HttpUpstream, LocalUpstream, Upstream
from tasks.download.answers import (
    Line,
    ask,
    body_bytes,
    check_answer,
    condition,
    content_range,
    is_encoded,
    open_line,
)
from tasks.download.checked import Checked, State, counted
from tasks.download.crew import all_of
from tasks.download.hosts import CONNECTIONS
from tasks.download.http import definition_of, transfers
from tasks.download.local import definition_of_local, find_local, hashed
from tasks.download.patience import Patience
from tasks.download.raw import RawFolder
from tasks.download.redact import redact_logs
from tasks.download.state import Transfer
from tasks.lake import Lake

PATIENCE = Patience(attempts=2, longest_retry_after_s=10)  # somebody waits for the answer
SHOWN_DETAILS = 2  # of the files of one source; they mostly say the same
WORTH_WAITING = (408, 425, 429)
GRAVEST_FIRST = (
    State.GONE,
    State.UNREACHABLE,
    State.CHANGED,
    State.UNKNOWN,
    State.NEW,
    State.UNCHANGED,
)


def check(
    source: Upstream,
    lake: Lake,
    patience: Patience = PATIENCE,
    columns: Sequence[str] | None = None,
) -> Checked:
    """How upstream stands to what the lake holds of a source; nothing is downloaded or written.

    `columns` are those that a download of it would keep; see `fetch.download`.

    What goes wrong is a state with the message that a download would have ended with.

    Raises:
        ConfigError: the source file is wrong.
    """
    raw = RawFolder(lake, source.name)
    try:
        if source.local is not None:
            return _check_local(source.local, raw)
        if source.http is not None:
            return _check_http(source.http, raw, patience)
        if source.hub is not None:
            from tasks.download.hub import check_hub

            return check_hub(source.hub, raw, patience, columns)
    except ConfigError:
        raise
    except WinnowError as error:
        return Checked(source=source.name, state=_state_of(error), detail=str(error))
    raise AssertionError("a source has exactly one of local, http, hub")


def _check_local(upstream: LocalUpstream, raw: RawFolder) -> Checked:
    """Compare names and sizes, and where these are the same, every byte."""
    found = find_local(upstream, raw)
    remembered = raw.remembered(definition_of_local(upstream), every_byte=False)
    size_bytes = sum(one.status.st_size for one in found)
    now = f"{counted(len(found))}, {size_bytes:,} bytes"
    if remembered is None:
        return Checked(source=raw.source, state=State.NEW, detail=f"{now}; never downloaded")
    files = remembered[0].files
    was = {file.name: file for file in files}
    here = {one.name: one for one in found}
    different = [
        name
        for name in sorted(was.keys() | here.keys())
        if name not in was
        or name not in here
        or here[name].status.st_size != was[name].size_bytes
        or hashed(here[name], raw.source) != was[name]
    ]
    if not different:
        return Checked(source=raw.source, state=State.UNCHANGED, detail=f"{now}, the same bytes")
    then = f"{counted(len(files))}, {sum(file.size_bytes for file in files):,} bytes"
    detail = f"{then} → {now}; {len(different):,} of them differ, the first is {different[0]}"
    return Checked(source=raw.source, state=State.CHANGED, detail=detail)


def _check_http(upstream: HttpUpstream, raw: RawFolder, patience: Patience) -> Checked:
    """Ask after every URL, and report the gravest state and the files that are in it."""
    redact_logs()
    remembered = raw.remembered(definition_of(upstream), every_byte=False)
    past = remembered[0] if remembered is not None else None
    requests = count()
    with open_line(patience) as line:
        line.client.event_hooks = {"request": [lambda _: next(requests)]}
        jobs = [
            partial(_ask_after, transfer, line)
            for transfer in transfers(upstream, raw.source, Path(), past)
        ]
        answers = all_of(jobs, CONNECTIONS, line.stop)
    state = next(state for state in GRAVEST_FIRST if state in [one for one, _ in answers])
    details = [detail for one, detail in answers if one is state]
    told = "; ".join(details[:SHOWN_DETAILS])
    if len(answers) > 1:
        told = f"{len(details)} of {len(answers)} files: {told}"
    if len(details) > SHOWN_DETAILS:
        told += f"; and {len(details) - SHOWN_DETAILS} more"
    return Checked(source=raw.source, state=state, detail=told, requests=next(requests))


def _ask_after(transfer: Transfer, line: Line) -> tuple[State, str]:
    """The state of one URL and what tells it; an error is a state too."""
    try:
        return line.patience.keep_trying(
            partial(_attempt, transfer, line), line.next_step(transfer.source)
        )
    except WinnowError as error:
        return _state_of(error), str(error)


def _attempt(transfer: Transfer, line: Line) -> tuple[State, str]:
    with ask(line, transfer, condition(transfer), "HEAD") as response:
        if not _refuses_head(response.status_code):
            return _judged(response, transfer)
    with ask(line, transfer, {"Range": "bytes=0-0", **condition(transfer)}) as response:
        return _judged(response, transfer)


def _refuses_head(status: int) -> bool:
    """Whether only a GET can tell; many a server answers HEAD with an error of its own choice."""
    return (400 <= status < 500 and status not in WORTH_WAITING) or status == 501


def _judged(response: httpx.Response, transfer: Transfer) -> tuple[State, str]:
    check_answer(response, transfer)
    known = transfer.known
    if response.status_code == httpx.codes.NOT_MODIFIED:
        return State.UNCHANGED, f"{transfer.name}: {_said_of(known)}"
    size_bytes = content_range(response)[2]
    if response.status_code == httpx.codes.OK and not is_encoded(response):
        size_bytes = body_bytes(response)
    etag, date = response.headers.get("ETag"), response.headers.get("Last-Modified")
    now = _told(etag, date, size_bytes)
    if known is None:
        return State.NEW, f"{transfer.name}: {now}; never downloaded"
    then_and_now = f"{transfer.name}: {_said_of(known)} → {now}"
    same = _is_same(known, etag, date, size_bytes)
    if same is None:
        return State.UNKNOWN, f"{then_and_now}; only a download can tell"
    if same:
        return State.UNCHANGED, f"{transfer.name}: {now}"
    return State.CHANGED, then_and_now


def _is_same(
    known: RawFile, etag: str | None, date: str | None, size_bytes: int | None
) -> bool | None:
    """Whether upstream has the file that is known; None where nothing tells."""
    if known.etag is not None and etag is not None:
        return known.etag.removeprefix("W/") == etag.removeprefix("W/")
    if size_bytes is not None and size_bytes != known.size_bytes:
        return False
    if known.last_modified is not None and date is not None:
        return known.last_modified == date
    return None


def _said_of(known: RawFile | None) -> str:
    return "" if known is None else _told(known.etag, known.last_modified, known.size_bytes)


def _told(etag: str | None, date: str | None, size_bytes: int | None) -> str:
    """What tells one version of a file from another, on one line."""
    parts: Iterable[str | None] = (
        None if size_bytes is None else f"{size_bytes:,} bytes",
        etag and f"etag {etag}",
        date and f"of {date}",
    )
    return ", ".join(part for part in parts if part) or "no size, no validator"


def _state_of(error: WinnowError) -> State:
    return State.GONE if isinstance(error, SourceMissing) else State.UNREACHABLE
