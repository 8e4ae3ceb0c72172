import logging
from pathlib import Path

import pytest

from schemas.upstream import Upstream
from tasks.download.fetch import download
from tasks.download.patience import Patience
from tasks.download.progress import telling, watching
from tasks.lake import Lake
from tests.download.server import File, Server

MB = 1_000_000


def test_a_watcher_sees_the_bytes_of_every_source_until_all_are_there(
    server: Server, lake: Lake, patience: Patience, tmp_path: Path
):
    body = bytes(range(256)) * 400
    url = server.answer("/a.bin", File(body, '"1"'))
    (tmp_path / "b.bin").write_bytes(body)
    sources = [
        Upstream.model_validate({"name": "far", "http": {"urls": [url]}}),
        Upstream.model_validate({"name": "near", "local": {"path": str(tmp_path / "b.bin")}}),
    ]
    seen: list[tuple[str, int, int | None]] = []

    with watching(lambda *told: seen.append(told)):
        for source in sources:
            download(source, lake, patience=patience)
    download(sources[0], Lake(str(tmp_path / "another lake")), patience=patience)

    for source in sources:
        told = [(done, total) for name, done, total in seen if name == source.name]
        assert told[-1] == (len(body), len(body))
        assert told == sorted(told)
    assert {name for name, _, _ in seen} == {"far", "near"}


# fmt: off
TOLD = {  #                  seconds   bytes                 watched  logged
    "the first":             ([0],      [(1, 9)],             1,       []),
    "at once again":         ([0, .09], [(1, 9), (2, 9)],     1,       []),
    "a moment later":        ([0, .1],  [(1, 9), (2, 9)],     2,       []),
    "the last byte":         ([0, 0],   [(1, 9), (9, 9)],     2,       []),
    "after half a minute":   ([0, 30],  [(1, 9), (3 * MB, 9_500_000)], 2, ["source far: 3.0 of 9.5 MB are there"]),
    "of an unknown size":    ([0, 30],  [(1, None), (3 * MB, None)],   2, ["source far: 3.0 MB are there"]),
    "once in that time":     ([29.9, 30, 31], [(1, MB)] * 3,  3,       ["source far: 0.0 of 1.0 MB are there"]),
}
# fmt: on


@pytest.mark.parametrize(("seconds", "told", "watched", "logged"), TOLD.values(), ids=TOLD)
def test_watchers_are_told_often_and_the_log_now_and_then(
    caplog: pytest.LogCaptureFixture,
    seconds: list[float],
    told: list[tuple[int, int | None]],
    watched: int,
    logged: list[str],
):
    caplog.set_level(logging.INFO, "tasks.download.progress")
    ticks = iter([0.0, *seconds])
    tell = telling("far", clock=lambda: next(ticks))
    seen: list[tuple[str, int, int | None]] = []

    with watching(lambda *told: seen.append(told)):
        for done_bytes, total_bytes in told:
            tell(done_bytes, total_bytes)

    assert len(seen) == watched
    assert caplog.messages == logged
