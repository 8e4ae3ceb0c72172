import threading
import time
from collections.abc import Callable

import pytest

from schemas.errors import SourceError
from schemas.upstream import HttpUpstream
from tasks.download.crew import Stop, Stopped, all_of
from tasks.download.hosts import CONNECTIONS, Hosts
from tasks.download.http import fetch_http
from tasks.download.patience import Patience
from tasks.download.raw import RawFolder
from tasks.download.segments import Splitting
from tasks.lake import Lake
from tests.download.server import Answer, File, Request, Server

DATA = bytes(range(256)) * 400
IN_PARTS = Splitting(least_bytes=1, longest_part_bytes=10_000, save_every_s=60)
LOOPBACK = "127.0.0.1"


def slowly(file: File) -> Callable[[Request], Answer]:
    def script(request: Request) -> Answer:
        time.sleep(0.01)
        return file(request)

    return script


def large(body: bytes) -> File:
    return File(body, '"one"', headers={"Accept-Ranges": "bytes"})


def nobody_minds() -> None:
    pass


def test_two_sources_at_once_never_take_more_than_a_host_allows(
    server: Server, lake: Lake, patience: Patience
):
    first = [server.answer(f"/a{number}.json", slowly(large(DATA))) for number in range(2)]
    second = [server.answer(f"/b{number}.json", slowly(large(DATA))) for number in range(2)]
    done: list[str] = []

    def fetch(name: str, urls: list[str]) -> None:
        upstream = HttpUpstream(urls=tuple(urls))
        fetch_http(upstream, RawFolder(lake, name), patience, splitting=IN_PARTS)
        done.append(name)

    threads = [
        threading.Thread(target=fetch, args=("one", first)),
        threading.Thread(target=fetch, args=("two", second)),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert sorted(done) == ["one", "two"]
    assert server.most_at_once == CONNECTIONS
    assert len(server.requests) == 4 * (1 + 11)


def test_a_host_that_asks_to_be_left_alone_is_left_alone_by_all(
    server: Server, lake: Lake, patience: Patience, waits: list[float]
):
    busy = Answer(429, headers={"Retry-After": "50"})
    server.answer("/a.json", busy, Answer(404))
    with pytest.raises(SourceError):
        fetch_http(
            HttpUpstream(urls=(f"{server.url}/a.json",)),
            RawFolder(lake, "one"),
            Patience(
                attempts=1, sleep=waits.append, clock=lambda: sum(waits), hosts=patience.hosts
            ),
        )
    assert waits == []
    url = server.answer("/b.json", Answer(body=DATA))

    fetch_http(HttpUpstream(urls=(url,)), RawFolder(lake, "two"), patience)

    assert waits == [50], "before the first request"


def test_a_wait_that_is_too_long_is_not_waited_for_by_the_others_either(
    server: Server, lake: Lake, patience: Patience, waits: list[float]
):
    patience.hosts.pause(LOOPBACK, 121)
    url = server.answer("/b.json", Answer(body=DATA))

    with pytest.raises(SourceError, match=r"was not asked.*asks to wait 121 s"):
        fetch_http(HttpUpstream(urls=(url,)), RawFolder(lake, "two"), patience)

    assert server.requests == []
    assert waits == []


def test_a_pause_is_of_one_host_and_the_longest_one_counts():
    now, slept = [0.0], []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        now[0] += seconds

    hosts = Hosts()
    hosts.pause("busy", 7)
    hosts.pause("busy", 5)

    with hosts.turn("idle", lambda: now[0], sleep, nobody_minds):
        assert slept == []
    with hosts.turn("busy", lambda: now[0], sleep, nobody_minds):
        assert slept == [7]
    with hosts.turn("busy", lambda: now[0], sleep, nobody_minds):
        assert slept == [7], "it is over"


def test_a_clock_that_stands_still_does_not_hold_anybody_for_ever():
    slept: list[float] = []
    hosts = Hosts()
    hosts.pause("busy", 7)

    with hosts.turn("busy", lambda: 0.0, slept.append, nobody_minds):
        assert slept == [7]


def test_a_turn_comes_back_when_its_holder_fails():
    hosts = Hosts(connections=1)
    for _ in range(3):
        with (
            pytest.raises(KeyError),
            hosts.turn("host", time.monotonic, time.sleep, nobody_minds),
        ):
            raise KeyError


def test_whoever_waits_for_a_turn_can_be_told_to_stop():
    hosts, stop = Hosts(connections=1), Stop()
    stop.ask()

    with (
        hosts.turn("host", time.monotonic, time.sleep, nobody_minds),
        pytest.raises(Stopped),
        hosts.turn("host", time.monotonic, time.sleep, stop.check),
    ):
        pass


def test_the_first_failure_is_the_one_that_is_raised_and_the_rest_end():
    stop, ended = Stop(), []
    part = Stop(stop)

    def fail() -> None:
        raise KeyError("the first")

    def work() -> None:
        while True:
            try:
                part.check()
            except Stopped:
                ended.append(True)
                raise
            time.sleep(0.001)

    with pytest.raises(KeyError, match="the first"):
        all_of([work, fail, work, work], 3, stop)
    assert 1 <= len(ended) <= 3, "those that had begun"
