import hashlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import SourceChanged, SourceError, SourceMissing, SourceUnreachable
from schemas.manifest import RawReceipt
from schemas.upstream import HttpUpstream
from tasks.download.http import fetch_http
from tasks.download.patience import Patience
from tasks.download.progress import Tally
from tasks.download.raw import RawFolder
from tasks.download.segments import Splitting
from tasks.lake import Lake
from tests.download.server import Answer, File, Request, Server, span_of

DATA = b'{"instruction": "' + random.Random(0).randbytes(400_000).hex().encode() + b'"}'
OTHER = DATA.replace(b"a", b"b")
SIZE = len(DATA)
RANGES = {"Accept-Ranges": "bytes"}
QUARTERS = [SIZE * number // 4 for number in range(5)]
IN_PARTS = Splitting(least_bytes=SIZE)
IN_ONE = Splitting(least_bytes=SIZE + 1)


def file(body: bytes = DATA, etag: str | None = '"one"', **more: object) -> File:
    return File(body, etag, headers=RANGES, **more)  # type: ignore[arg-type]


def fetch(
    lake: Lake, patience: Patience, *urls: str, splitting: Splitting = IN_PARTS, pin: str = ""
) -> RawReceipt:
    upstream = HttpUpstream(urls=urls, sha256=(pin,) if pin else ())
    return fetch_http(upstream, RawFolder(lake, "corpus"), patience, splitting=splitting)


def spans(server: Server) -> list[tuple[int, int]]:
    """What was asked for, in the order of the file, without the first question."""
    return sorted(span_of(span, SIZE) for span in server.asked("Range") if span is not None)


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def part(number: int) -> str:
    return f"bytes={QUARTERS[number]}-{QUARTERS[number + 1] - 1}"


def instead(
    number: int, answer: Callable[[Request], Answer], times: int = 1
) -> Callable[..., Answer]:
    """A proper file, but that the first requests for one of its quarters are answered otherwise."""
    left = [times]

    def script(request: Request) -> Answer:
        if request.headers.get("Range") == part(number) and left[0]:
            left[0] -= 1
            return answer(request)
        return file()(request)

    return script


def test_a_large_file_comes_in_parts_and_is_the_same_as_in_one_stream(
    server: Server, lake: Lake, tmp_path: Path, patience: Patience
):
    url = server.answer("/a.json", file())

    in_parts = fetch(lake, patience, url)

    assert spans(server) == list(pairwise(QUARTERS))
    assert server.asked("If-Range") == [None, *['"one"'] * 4]
    assert lake.read(f"{in_parts.uri}/a.json") == DATA
    in_one = fetch(Lake(str(tmp_path / "other")), patience, url, splitting=IN_ONE)
    assert in_one.model_dump_json() == in_parts.model_dump_json()
    assert not (lake.folder / "raw/corpus/partial").exists()


# fmt: off
IN_ONE_STREAM = {  #           the file
    "one byte too small":     file(DATA[:-1]),
    "no Accept-Ranges":       File(DATA, '"one"'),
    "Accept-Ranges: none":    File(DATA, '"one"', headers={"Accept-Ranges": "none"}),
    "a weak ETag":            file(etag='W/"one"'),
    "no ETag":                file(etag=None),
    "no Content-Length":      Answer(body=DATA, headers={**RANGES, "ETag": '"one"'}, chunked=True),
}
# fmt: on


@pytest.mark.parametrize("script", IN_ONE_STREAM.values(), ids=IN_ONE_STREAM)
def test_what_cannot_be_told_apart_or_is_small_comes_in_one_stream(
    server: Server, lake: Lake, patience: Patience, script: File | Answer
):
    receipt = fetch(lake, patience, server.answer("/a.json", script))

    assert server.asked("Range") == [None]
    assert receipt.files[0].sha256 == digest(script.body)


def test_an_unchanged_large_file_costs_one_request(server: Server, lake: Lake, patience: Patience):
    url = server.answer("/a.json", file())
    first = fetch(lake, patience, url)
    server.requests.clear()

    assert fetch(lake, patience, url) == first
    assert len(server.requests) == 1


def test_a_part_that_is_cut_goes_on_where_it_stopped_and_the_others_do_not_notice(
    server: Server, lake: Lake, patience: Patience, waits: list[float]
):
    def cut(request: Request) -> Answer:
        return file(cut_after=50_000)(request)

    receipt = fetch(lake, patience, server.answer("/a.json", instead(2, cut)))

    assert receipt.files[0].sha256 == digest(DATA)
    edges = sorted([*QUARTERS, QUARTERS[2] + 50_000])
    assert sorted(start for start, _ in spans(server)) == edges[:-1]
    assert len(waits) == 1


SECOND = {"ETag": '"one"', "Content-Range": f"bytes {QUARTERS[1]}-{QUARTERS[2] - 1}/{SIZE}"}

# fmt: off
PASSING = {  #                answers of one part before the good one     waits
    "503 twice":             ([Answer(503), Answer(503)],                 None),
    "429, wait 7 s":         ([Answer(429, headers={"Retry-After": "7"})], 7),
    "truncated chunks":      ([Answer(206, DATA[QUARTERS[1]:QUARTERS[2]], SECOND, cut_after=9_000, chunked=True)], None),
    "fewer bytes in chunks": ([Answer(206, DATA[QUARTERS[1]:][:9_000], SECOND, chunked=True)], None),
}
# fmt: on


@pytest.mark.parametrize(("answers", "wait_s"), PASSING.values(), ids=PASSING)
def test_what_passes_is_waited_for_by_the_part_it_befell(
    server: Server,
    lake: Lake,
    patience: Patience,
    waits: list[float],
    answers: list[Answer],
    wait_s: float | None,
):
    left = list(answers)
    url = server.answer("/a.json", instead(1, lambda _: left.pop(0), len(left)))

    assert fetch(lake, patience, url).files[0].sha256 == digest(DATA)
    assert wait_s is None or wait_s in waits


def other_bytes(request: Request) -> Answer:
    start, end = span_of(request.headers["Range"], SIZE)
    span = {"Content-Range": f"bytes {start - 1}-{end - 2}/{SIZE}", "ETag": '"one"'}
    return Answer(206, DATA[start - 1 : end - 1], span)


def fewer_bytes(request: Request) -> Answer:
    start = span_of(request.headers["Range"], SIZE)[0]
    span = {"Content-Range": f"bytes {start}-{start + 99}/{SIZE}", "ETag": '"one"'}
    return Answer(206, DATA[start : start + 100], span)


def more_bytes(request: Request) -> Answer:
    start, end = span_of(request.headers["Range"], SIZE)
    span = {"Content-Range": f"bytes {start}-{end - 1}/{SIZE}", "ETag": '"one"'}
    return Answer(206, DATA[start : end + 9], span, chunked=True)


# fmt: off
LIES = {  #                      what the third part is answered with
    "the whole file":           lambda request: Answer(200, DATA, {"ETag": '"one"'}),
    "other bytes":              other_bytes,
    "fewer bytes":              fewer_bytes,
    "more bytes":               more_bytes,
    "no Content-Range":         lambda request: Answer(206, DATA[QUARTERS[2]:QUARTERS[3]], {"ETag": '"one"'}),
    "no such range":            lambda request: Answer(416, headers={"Content-Range": f"bytes */{SIZE}"}),
}
# fmt: on


@pytest.mark.parametrize("answer", LIES.values(), ids=LIES)
@pytest.mark.parametrize("times", [1, 1000], ids=["once", "always"])
def test_a_server_that_has_ranges_wrong_is_asked_for_one_stream(
    server: Server,
    lake: Lake,
    patience: Patience,
    answer: Callable[[Request], Answer],
    times: int,
):
    receipt = fetch(lake, patience, server.answer("/a.json", instead(2, answer, times)))

    assert lake.read(f"{receipt.uri}/a.json") == DATA
    assert server.asked("Range")[-1] is None, "all of it, in one stream"


# fmt: off
NEWER = {  #                     the file from the third part on
    "another ETag":             file(OTHER, '"two"'),
    "If-Range is not heeded":   file(OTHER, '"two"', heeds_if_range=False),
    "another size":             file(OTHER + b" ", heeds_if_range=False),
}
# fmt: on


@pytest.mark.parametrize("newer", NEWER.values(), ids=NEWER)
def test_a_file_that_changes_between_its_parts_is_never_mixed(
    server: Server, lake: Lake, patience: Patience, newer: Callable[[Request], Answer]
):
    changed = [False]

    def script(request: Request) -> Answer:
        if request.headers.get("Range") == part(2):
            changed[0] = True
        return newer(request) if changed[0] else file()(request)

    receipt = fetch(lake, patience, server.answer("/a.json", script))

    data = lake.read(f"{receipt.uri}/a.json")
    assert data.strip() == OTHER
    assert receipt.files[0].sha256 == digest(data)


def test_a_part_that_is_refused_ends_the_others_and_nothing_is_lost(
    server: Server, lake: Lake, patience: Patience
):
    url = server.answer("/a.json", instead(3, lambda _: Answer(404)))
    with pytest.raises(SourceMissing):
        fetch(lake, patience, url)
    assert not any(key.endswith("receipt.json") for key in lake.keys("raw"))
    server.answer("/a.json", file())
    server.requests.clear()

    receipt = fetch(lake, patience, url)

    assert receipt.files[0].sha256 == digest(DATA)
    assert None not in server.asked("Range"), "it goes on, and does not start"


def test_the_next_run_asks_for_what_the_last_one_did_not_get(
    server: Server, lake: Lake, patience: Patience
):
    url = server.answer("/a.json", instead(1, lambda _: Answer(503), 1000))
    with pytest.raises(SourceUnreachable):
        fetch(lake, patience, url)
    server.answer("/a.json", file())
    server.requests.clear()

    assert fetch(lake, patience, url).files[0].sha256 == digest(DATA)
    assert (QUARTERS[1], QUARTERS[2]) in spans(server)
    assert server.asked_bytes(SIZE) < SIZE


def test_a_whole_file_that_is_left_over_costs_one_byte_to_make_sure(
    server: Server, lake: Lake, patience: Patience
):
    urls = (server.answer("/a.json", file()), server.answer("/b.json", Answer(404)))
    one_by_one = Splitting(least_bytes=SIZE, connections=1)
    raw = RawFolder(lake, "corpus")
    done = []

    def late(_request: Request) -> Answer:
        deadline = time.monotonic() + 10
        while SIZE not in done and time.monotonic() < deadline:
            time.sleep(0.001)
        return Answer(404)

    server.answer("/b.json", late)
    with pytest.raises(SourceMissing):
        fetch_http(
            HttpUpstream(urls=urls), raw, patience, lambda here, _: done.append(here), one_by_one
        )
    server.answer("/b.json", Answer(body=b"[1]"))
    server.requests.clear()

    receipt = fetch_http(HttpUpstream(urls=urls), raw, patience, splitting=one_by_one)

    assert receipt.files[0].sha256 == digest(DATA)
    assert [
        request.headers.get("Range") for request in server.requests if "a.json" in request.path
    ] == [f"bytes={SIZE - 1}-{SIZE - 1}"]


# fmt: off
LEFTOVERS = {  #                  what became of them
    "the data is gone":          lambda data, half: data.unlink(),
    "the data is cut":           lambda data, half: data.write_bytes(data.read_bytes()[:-1]),
    "the data is longer":        lambda data, half: data.write_bytes(data.read_bytes() + b"x"),
    "the state is gone":         lambda data, half: half.unlink(),
    "the state is cut":          lambda data, half: half.write_bytes(half.read_bytes()[:-9]),
    "the state claims too much": lambda data, half: half.write_text(half.read_text().replace('"done_bytes":', '"done_bytes":9000000')),
    "the state has a hole":      lambda data, half: half.write_text(half.read_text().replace(f'"start":{QUARTERS[1]}', f'"start":{QUARTERS[1] + 1}')),
}
# fmt: on


@pytest.mark.parametrize("damage", LEFTOVERS.values(), ids=LEFTOVERS)
def test_leftovers_that_do_not_add_up_are_not_built_upon(
    server: Server, lake: Lake, patience: Patience, damage: Callable[[Path, Path], object]
):
    url = server.answer("/a.json", instead(1, lambda _: Answer(404)))
    with pytest.raises(SourceMissing):
        fetch(lake, patience, url)
    (data,) = Path(lake.folder).glob("raw/corpus/partial/*/0.data")
    damage(data, data.with_suffix(".json"))
    server.requests.clear()

    assert fetch(lake, patience, url).files[0].sha256 == digest(DATA)
    assert server.asked("Range")[0] is None, "it starts afresh"


def test_bytes_that_are_not_the_pinned_ones_are_refused_and_forgotten(
    server: Server, lake: Lake, patience: Patience
):
    url = server.answer("/a.json", file(OTHER))
    with pytest.raises(SourceChanged):
        fetch(lake, patience, url, pin=digest(DATA))
    server.answer("/a.json", file())

    assert fetch(lake, patience, url, pin=digest(DATA)).files[0].sha256 == digest(DATA)


KILLED = """
import sys
from schemas.upstream import HttpUpstream
from tasks.download.http import fetch_http
from tasks.download.patience import Patience
from tasks.download.progress import Tally
from tasks.download.raw import RawFolder
from tasks.download.segments import Splitting
from tasks.lake import Lake
lake, url, least_bytes = sys.argv[1:]
splitting = Splitting(least_bytes=int(least_bytes), save_every_s=0)
fetch_http(HttpUpstream(urls=(url,)), RawFolder(Lake(lake), "corpus"), Patience(), splitting=splitting)
"""


def test_a_download_that_is_killed_is_resumed_and_claims_no_byte_that_is_not_there(
    server: Server, lake: Lake, patience: Patience
):
    url = server.answer("/a.json", file(), file(stall_after=120_000))
    killed = subprocess.Popen([sys.executable, "-c", KILLED, str(lake.folder), url, str(SIZE)])
    try:
        deadline = time.monotonic() + 20
        while _claimed(lake) < 400_000 and time.monotonic() < deadline:
            time.sleep(0.01)
    finally:
        os.kill(killed.pid, signal.SIGKILL)
        killed.wait(10)
    claimed = _claimed(lake)
    assert claimed >= 400_000
    server.letting_go.set()
    server.answer("/a.json", file())
    server.requests.clear()

    receipt = fetch(lake, patience, url)

    assert lake.read(f"{receipt.uri}/a.json") == DATA
    assert server.asked_bytes(SIZE) == SIZE - claimed
    assert None not in server.asked("Range")


def _claimed(lake: Lake) -> int:
    from tasks.download.state import Half

    for half in Path(lake.folder).glob("raw/corpus/partial/*/0.json"):
        return Half.model_validate_json(half.read_bytes()).done_bytes
    return 0


def test_a_line_that_breaks_often_is_borne_as_long_as_it_gets_on(
    server: Server, lake: Lake, patience: Patience, waits: list[float]
):
    data = bytes(8_000_000)
    file = File(data, '"one"', headers=RANGES, cut_after=1_000_000)
    url = server.answer("/a.json", file)

    in_one = fetch(lake, patience, url, splitting=Splitting(least_bytes=len(data) + 1))

    assert in_one.files[0].sha256 == digest(data)
    assert len(waits) == 7, "more than patience has attempts"


def test_a_part_over_a_line_that_breaks_often_is_borne_too(
    server: Server, lake: Lake, patience: Patience, waits: list[float]
):
    data = bytes(8_000_000)
    url = server.answer("/a.json", File(data, '"one"', headers=RANGES, cut_after=1_000_000))

    in_one_part = Splitting(least_bytes=1, save_every_s=60, connections=1)
    receipt = fetch(lake, patience, url, splitting=in_one_part)

    assert receipt.files[0].sha256 == digest(data)
    assert len(waits) == 7


def test_a_server_that_bears_one_connection_only_is_asked_for_one_part_after_the_other(
    server: Server, lake: Lake, patience: Patience
):
    def script(request: Request) -> Answer:
        time.sleep(0.02)
        return file()(request) if server.at_once == 1 else Answer(503)

    receipt = fetch(lake, patience, server.answer("/a.json", script))

    assert receipt.files[0].sha256 == digest(DATA)
    assert server.asked("Range").count(None) == 1, "what is there is kept"


def test_progress_goes_up_part_by_part_and_ends_at_the_whole(
    server: Server, lake: Lake, patience: Patience
):
    reports: list[tuple[int, int | None]] = []
    url = server.answer("/a.json", file())

    fetch_http(
        HttpUpstream(urls=(url,)),
        RawFolder(lake, "corpus"),
        patience,
        lambda done, total: reports.append((done, total)),
        IN_PARTS,
    )

    assert reports == sorted(reports)
    assert reports[-1] == (SIZE, SIZE)


def test_an_interrupt_in_a_part_is_the_error_and_the_others_end(
    server: Server, lake: Lake, patience: Patience
):
    def interrupt(_done: int, _total: int | None) -> None:
        raise KeyboardInterrupt

    url = server.answer("/a.json", file())
    with pytest.raises(KeyboardInterrupt):
        fetch_http(
            HttpUpstream(urls=(url,)), RawFolder(lake, "corpus"), patience, interrupt, IN_PARTS
        )

    assert fetch(lake, patience, url).files[0].sha256 == digest(DATA)


def test_several_files_come_at_once_and_are_kept_in_their_order(
    server: Server, lake: Lake, patience: Patience
):
    bodies = [b"[%d]" % number for number in range(6)]

    def slowly(body: bytes) -> Callable[[Request], Answer]:
        def script(request: Request) -> Answer:
            time.sleep(0.02)
            return Answer(body=body)

        return script

    urls = [server.answer(f"/{n}.json", slowly(body)) for n, body in enumerate(bodies)]

    receipt = fetch(lake, patience, *urls)

    assert [file.sha256 for file in receipt.files] == [digest(body) for body in bodies]
    assert 1 < server.most_at_once <= 4


def test_a_disk_that_is_too_small_is_said_before_a_part_is_asked_for(
    server: Server, lake: Lake, patience: Patience, monkeypatch: pytest.MonkeyPatch
):
    needed: list[int] = []
    monkeypatch.setattr(RawFolder, "check_space", lambda self, size: needed.append(size))

    fetch(lake, patience, server.answer("/a.json", file()))

    assert needed == [SIZE]


def test_what_is_there_already_needs_no_room():
    tally = Tally(None, {"a.json": None, "b.json": 10})

    tally.expect("a.json", 100, 40)

    assert tally.left_bytes() == 70
    tally.at("b.json", 10)
    assert tally.left_bytes() == 60


@given(
    size=st.integers(1, 10**12),
    longest=st.integers(1 << 20, 1 << 30),
    connections=st.integers(1, 9),
)
def test_parts_tile_the_file(size: int, longest: int, connections: int):
    size = min(size, 100 * longest)

    parts = Splitting(connections=connections, longest_part_bytes=longest).parts(size)

    assert [part.start for part in parts] == [0, *(part.end for part in parts[:-1])]
    assert parts[-1].end == size
    assert all(0 < part.end - part.start <= longest for part in parts)


def test_an_error_names_the_source_and_the_next_step(
    server: Server, lake: Lake, patience: Patience
):
    url = server.answer("/a.json", instead(1, lambda _: Answer(500), 1000))

    with pytest.raises(SourceError, match="--from corpus=PATH") as caught:
        fetch(lake, patience, url)

    assert f"source 'corpus': {url} answered 500" in str(caught.value)
