import hashlib
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from schemas.errors import ConfigError
from schemas.upstream import Upstream
from tasks.download.check import check
from tasks.download.checked import State
from tasks.download.fetch import download
from tasks.download.patience import Patience
from tasks.lake import Lake
from tests.download.server import Answer, File, Server

DATA = b"[" + b"1, " * 1000 + b"1]"
OTHER = b"[" + b"2, " * 1000 + b"2]"
LONGER = b"[" + b"2, " * 2000 + b"2]"
DATE = "Wed, 01 Jul 2026 00:00:00 GMT"
LATER = "Thu, 02 Jul 2026 00:00:00 GMT"


def http(*urls: str) -> Upstream:
    return Upstream.model_validate({"name": "corpus", "http": {"urls": urls}})


def local(path: Path) -> Upstream:
    return Upstream.model_validate({"name": "corpus", "local": {"path": str(path)}})


def everything_in(lake: Lake) -> dict[str, str]:
    return {
        str(path): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        for path in Path(lake.folder).rglob("*")
    }


# fmt: off
UPSTREAM = {  #                           when it was downloaded             now                                                          state             words
    "the same ETag":                     (File(DATA, '"1"'),                 File(DATA, '"1"'),                                           State.UNCHANGED, ['3,003 bytes, etag "1"']),
    "the same ETag, no HEAD":            (File(DATA, '"1"'),                 File(DATA, '"1"', has_head=False),                           State.UNCHANGED, ['etag "1"']),
    "the same ETag, weakly":             (File(DATA, '"1"'),                 Answer(body=DATA, headers={"ETag": 'W/"1"'}),                State.UNCHANGED, ['etag W/"1"']),
    "another ETag":                      (File(DATA, '"1"'),                 File(LONGER, '"2"'),                                         State.CHANGED,   ['3,003 bytes, etag "1" → 6,003 bytes, etag "2"']),
    "another ETag, no HEAD":             (File(DATA, '"1"'),                 File(LONGER, '"2"', has_head=False),                         State.CHANGED,   ['→ 6,003 bytes, etag "2"']),
    "another ETag, same size":           (File(DATA, '"1"'),                 File(OTHER, '"2"'),                                          State.CHANGED,   ['"1" → 3,003 bytes, etag "2"']),
    "the same date":                     (File(DATA, last_modified=DATE),    File(DATA, last_modified=DATE),                              State.UNCHANGED, [f"of {DATE}"]),
    "another date":                      (File(DATA, last_modified=DATE),    File(OTHER, last_modified=LATER),                            State.CHANGED,   [f"of {DATE} → ", f"of {LATER}"]),
    "another size, no validator":        (File(DATA),                        File(LONGER),                                                State.CHANGED,   ["3,003 bytes → 6,003 bytes"]),
    "the same size, no validator":       (File(DATA),                        File(OTHER),                                                 State.UNKNOWN,   ["only a download can tell"]),
    "no size, no validator":             (File(DATA),                        Answer(body=DATA, chunked=True),                             State.UNKNOWN,   ["no size, no validator"]),
    "gone":                              (File(DATA, '"1"'),                 Answer(404),                                                 State.GONE,      ["answered 404"]),
    "gone for good":                     (File(DATA, '"1"'),                 Answer(410),                                                 State.GONE,      ["answered 410"]),
    "behind a login":                    (File(DATA, '"1"'),                 Answer(403),                                                 State.UNREACHABLE, ["wants a login"]),
    "a page":                            (File(DATA, '"1"'),                 Answer(body=b"", headers={"Content-Type": "text/html"}),     State.UNREACHABLE, ["a web page"]),
    "out of order":                      (File(DATA, '"1"'),                 Answer(500),                                                 State.UNREACHABLE, ["answered 500", "the last"]),
    "too busy":                          (File(DATA, '"1"'),                 Answer(429, headers={"Retry-After": "999"}),                 State.UNREACHABLE, ["asks to wait 999 s"]),
    "never downloaded":                  (None,                              File(DATA, '"1"'),                                           State.NEW,       ['3,003 bytes, etag "1"; never downloaded']),
    "never downloaded, and not there":   (None,                              Answer(404),                                                 State.GONE,      ["answered 404"]),
    "redirected to a file":              (File(DATA, '"1"'),                 Answer(302, headers={"Location": "file:///etc/passwd"}),     State.UNREACHABLE, ["each to http or https"]),
}
# fmt: on


@pytest.mark.parametrize(("then", "now", "state", "words"), UPSTREAM.values(), ids=UPSTREAM)
def test_what_a_server_says_is_a_state_and_one_line(
    server: Server,
    lake: Lake,
    patience: Patience,
    then: File | None,
    now: File | Answer,
    state: State,
    words: list[str],
):
    url = f"{server.url}/a.json"
    if then is not None:
        server.answer("/a.json", then)
        download(http(url), lake, patience=patience)
    server.answer("/a.json", now)
    server.requests.clear()
    before = everything_in(lake)

    checked = check(http(url), lake, patience)

    assert checked.state is state
    assert checked.source == "corpus"
    for part in words:
        assert part in checked.detail
    assert "\n" not in checked.detail
    assert checked.requests == len(server.requests) > 0
    assert everything_in(lake) == before, "nothing is written"
    asked = [request.headers.get("Range") for request in server.requests if request.method == "GET"]
    assert set(asked) <= {"bytes=0-0"}, "one byte at most"


def test_an_unchanged_file_costs_one_request(server: Server, lake: Lake, patience: Patience):
    source = http(server.answer("/a.json", File(DATA, '"1"')))
    download(source, lake, patience=patience)

    assert check(source, lake, patience).requests == 1


def test_of_several_files_the_gravest_state_counts(server: Server, lake: Lake, patience: Patience):
    source = http(*(server.answer(f"/{name}.json", File(DATA, '"1"')) for name in "abc"))
    download(source, lake, patience=patience)
    assert check(source, lake, patience).state is State.UNCHANGED
    server.answer("/b.json", File(LONGER, '"2"'))

    changed = check(source, lake, patience)
    server.answer("/c.json", Answer(404))
    gone = check(source, lake, patience)

    assert (changed.state, changed.requests) == (State.CHANGED, 3)
    assert changed.detail.startswith('1 of 3 files: b.json: 3,003 bytes, etag "1" → ')
    assert gone.state is State.GONE
    assert gone.detail.startswith("1 of 3 files: ")
    assert "c.json answered 404" in gone.detail


def test_nobody_there_is_a_state(lake: Lake, patience: Patience):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]

    checked = check(http(f"http://127.0.0.1:{port}/a.json"), lake, patience)

    assert checked.state is State.UNREACHABLE
    assert "ConnectError" in checked.detail


def test_no_credential_is_shown(server: Server, lake: Lake, patience: Patience):
    server.answer("/a.json", Answer(500))
    login = server.url.replace("http://", "http://user:hush@")

    checked = check(http(f"{login}/a.json?token=hush"), lake, patience)

    assert "hush" not in checked.model_dump_json()
    assert "hush" in server.requests[0].path


# fmt: off
FOLDER = {  #               what becomes of the folder                                    state            words
    "nothing":             (lambda folder: None,                                          State.UNCHANGED, "2 files, 5 bytes, the same bytes"),
    "a touched file":      (lambda folder: (folder / "a.json").touch(),                   State.UNCHANGED, "the same bytes"),
    "other bytes":         (lambda folder: (folder / "b.json").write_bytes(b"[9]"),       State.CHANGED,   "1 of them differ, the first is b.json"),
    "more bytes":          (lambda folder: (folder / "b.json").write_bytes(b"[999]"),     State.CHANGED,   "2 files, 5 bytes → 2 files, 7 bytes"),
    "a file more":         (lambda folder: (folder / "c.json").write_bytes(b"[]"),        State.CHANGED,   "the first is c.json"),
    "a file fewer":        (lambda folder: (folder / "a.json").unlink(),                  State.CHANGED,   "the first is a.json"),
    "no file":             (lambda folder: [path.unlink() for path in folder.iterdir()],  State.GONE,      "no file in"),
}
# fmt: on


@pytest.mark.parametrize(("change", "state", "words"), FOLDER.values(), ids=FOLDER)
def test_a_folder_is_compared_byte_by_byte_where_its_sizes_are_the_same(
    lake: Lake, tmp_path: Path, change: Callable[[Path], object], state: State, words: str
):
    folder = tmp_path / "corpus"
    folder.mkdir()
    (folder / "a.json").write_bytes(b"[]")
    (folder / "b.json").write_bytes(b"[1]")
    assert check(local(folder), lake).state is State.NEW
    download(local(folder), lake)
    change(folder)
    before = everything_in(lake)

    checked = check(local(folder), lake)

    assert (checked.state, checked.requests) == (state, 0)
    assert words in checked.detail
    assert everything_in(lake) == before


def test_a_wrong_source_file_is_an_error_and_no_state(
    server: Server, lake: Lake, patience: Patience, monkeypatch: pytest.MonkeyPatch
):
    def wrong(*_: object) -> None:
        raise ConfigError("the source file is wrong")

    monkeypatch.setattr("tasks.download.check._check_http", wrong)

    with pytest.raises(ConfigError):
        check(http(f"{server.url}/a.json"), lake, patience)


def test_of_many_files_in_the_same_state_two_are_told(
    server: Server, lake: Lake, patience: Patience
):
    source = http(*(server.answer(f"/{name}.json", Answer(404)) for name in "abcd"))

    detail = check(source, lake, patience).detail

    assert detail.startswith("4 of 4 files: ")
    assert detail.endswith("; and 2 more")
    assert "b.json" in detail
    assert "c.json" not in detail
