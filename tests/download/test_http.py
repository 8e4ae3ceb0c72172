import contextlib
import gzip
import hashlib
import logging
import os
import socket
import threading
import time
from pathlib import Path

import httpx
import pytest

from schemas.errors import SourceChanged, SourceError, SourceMissing, SourceUnreachable
from schemas.source import Source
from tasks.download.answers import Line, ask
from tasks.download.content import not_data
from tasks.download.fetch import download
from tasks.download.hosts import Hosts
from tasks.download.patience import Patience
from tasks.download.state import Half, Transfer
from tasks.lake import Lake
from tests.download.server import Answer, File, Request, Server

DATA = b'[{"instruction": "Say hello.", "input": "", "output": "Hello."}]' * 100
OTHER = b'[{"instruction": "Say goodbye.", "input": "", "output": "Bye."}]' * 100
DATE = "Wed, 01 Jul 2026 00:00:00 GMT"
LATER = "Thu, 02 Jul 2026 00:00:00 GMT"
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"
PAGE = b"<!DOCTYPE html><html><body>Please log in</body></html>"


def http(*urls: str, sha256: tuple[str, ...] = ()) -> Source:
    return Source.model_validate(
        {
            "name": "corpus",
            "layout": "alpaca",
            "licence": "MIT",
            "http": {"urls": urls, "sha256": sha256},
        }
    )


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_a_download_is_kept_with_its_origin_and_validators(
    server: Server, lake: Lake, patience: Patience
):
    url = server.answer("/alpaca_data.json", File(DATA, etag='"one"', last_modified=DATE))

    receipt = download(http(url), lake, patience=patience)

    (file,) = receipt.files
    assert (file.name, file.sha256, file.size_bytes) == ("alpaca_data.json", digest(DATA), 6400)
    assert (file.url, file.etag, file.last_modified) == (url, '"one"', DATE)
    assert receipt.upstream == url
    assert lake.read(f"{receipt.uri}/alpaca_data.json") == DATA
    assert not (lake.folder / "raw/corpus/partial").exists()


# fmt: off
VALIDATORS = {  #      the file                              what the second request says
    "an ETag":        (File(DATA, etag='"one"'),             ("If-None-Match", '"one"')),
    "a weak ETag":    (File(DATA, etag='W/"one"'),           ("If-None-Match", 'W/"one"')),
    "only a date":    (File(DATA, last_modified=DATE),       ("If-Modified-Since", DATE)),
}
# fmt: on


@pytest.mark.parametrize(("file", "condition"), VALIDATORS.values(), ids=VALIDATORS)
def test_an_unchanged_file_costs_one_request_and_gives_the_old_receipt(
    server: Server, lake: Lake, patience: Patience, file: File, condition: tuple[str, str]
):
    url = server.answer("/a.json", file)
    first = download(http(url), lake, patience=patience)
    server.requests.clear()

    assert download(http(url), lake, patience=patience) == first
    assert server.asked(condition[0]) == [condition[1]]


def test_a_changed_file_is_downloaded_and_the_old_one_stays(
    server: Server, lake: Lake, patience: Patience
):
    url = server.answer("/a.json", File(DATA, etag='"one"'))
    first = download(http(url), lake, patience=patience)
    server.answer("/a.json", File(OTHER, etag='"two"'))

    second = download(http(url), lake, patience=patience)

    assert lake.read(f"{first.uri}/a.json") == DATA
    assert lake.read(f"{second.uri}/a.json") == OTHER


def test_a_new_validator_for_the_same_bytes_is_remembered(
    server: Server, lake: Lake, patience: Patience
):
    url = server.answer("/a.json", File(DATA, etag='"one"'))
    first = download(http(url), lake, patience=patience)
    server.answer("/a.json", File(DATA, etag='"two"'))
    assert download(http(url), lake, patience=patience) == first
    server.requests.clear()

    assert download(http(url), lake, patience=patience) == first
    assert server.asked("If-None-Match") == ['"two"']


def test_a_file_without_validators_is_downloaded_again_and_compared(
    server: Server, lake: Lake, patience: Patience
):
    url = server.answer("/a.json", Answer(body=DATA))

    first = download(http(url), lake, patience=patience)

    assert download(http(url), lake, patience=patience) == first
    assert len(server.requests) == 2


def test_of_two_files_only_the_changed_one_is_downloaded(
    server: Server, lake: Lake, patience: Patience
):
    urls = (
        server.answer("/en/data.json", File(DATA, etag='"en"')),
        server.answer("/zh/data.json", File(DATA, etag='"zh"')),
    )
    first = download(http(*urls), lake, patience=patience)
    assert [file.name for file in first.files] == ["data.json", "data-2.json"]
    server.answer("/zh/data.json", File(OTHER, etag='"zh2"'))

    second = download(http(*urls), lake, patience=patience)

    assert lake.read(f"{second.uri}/data.json") == DATA
    assert lake.read(f"{second.uri}/data-2.json") == OTHER
    assert lake.read(f"{first.uri}/data-2.json") == DATA


def test_a_file_that_the_lake_lost_is_downloaded_again(
    server: Server, lake: Lake, patience: Patience
):
    url = server.answer("/a.json", File(DATA, etag='"one"'))
    receipt = download(http(url), lake, patience=patience)
    (lake.folder / receipt.uri / "a.json").unlink()

    assert download(http(url), lake, patience=patience) == receipt
    assert lake.read(f"{receipt.uri}/a.json") == DATA


def test_pinned_bytes_that_are_there_cost_no_request(
    server: Server, lake: Lake, patience: Patience
):
    url = server.answer("/a.json", File(DATA, etag='"one"'))
    source = http(url, sha256=(digest(DATA),))
    first = download(source, lake, patience=patience)
    server.requests.clear()

    assert download(source, lake, patience=patience) == first
    assert server.requests == []


def test_bytes_that_are_not_the_pinned_ones_are_refused_and_forgotten(
    server: Server, lake: Lake, patience: Patience
):
    url = server.answer("/a.json", File(OTHER, etag='"one"'), File(DATA, etag='"two"'))
    source = http(url, sha256=(digest(DATA),))

    with pytest.raises(SourceChanged) as caught:
        download(source, lake, patience=patience)
    assert f"expected sha256 {digest(DATA)[:12]}" in str(caught.value)
    assert digest(OTHER) in str(caught.value)

    assert download(source, lake, patience=patience).files[0].sha256 == digest(DATA)


def test_a_cut_body_is_resumed_where_it_stopped(
    server: Server, lake: Lake, patience: Patience, waits: list[float]
):
    file = File(DATA, etag='"one"', cut_after=1000)
    url = server.answer("/a.json", file, file, File(DATA, etag='"one"'))

    receipt = download(http(url), lake, patience=patience)

    assert receipt.files[0].sha256 == digest(DATA)
    assert server.asked("Range") == [None, "bytes=1000-", "bytes=2000-"]
    assert server.asked("If-Range") == [None, '"one"', '"one"']
    assert len(waits) == 2


def test_a_cut_body_without_an_etag_is_resumed_by_its_date(
    server: Server, lake: Lake, patience: Patience
):
    cut = File(DATA, last_modified=DATE, cut_after=1000)
    url = server.answer("/a.json", cut, File(DATA, last_modified=DATE))

    receipt = download(http(url), lake, patience=patience)

    assert server.asked("Range") == [None, "bytes=1000-"]
    assert server.asked("If-Range") == [None, DATE]
    assert receipt.files[0].sha256 == digest(DATA)


def test_leftovers_that_are_longer_than_the_file_are_not_built_upon(
    server: Server, lake: Lake, patience: Patience
):
    url = server.answer("/a.json", File(DATA, etag='"one"', cut_after=1000), Answer(404))
    with pytest.raises(SourceMissing):
        download(http(url), lake, patience=patience)
    (left,) = Path(lake.folder).glob("raw/corpus/partial/*/0.data")
    left.write_bytes(b"x" * (len(DATA) + 1))
    server.answer("/a.json", File(DATA, etag='"one"'))

    assert download(http(url), lake, patience=patience).files[0].sha256 == digest(DATA)


def test_the_next_run_resumes_what_the_last_one_left(
    server: Server, lake: Lake, patience: Patience
):
    url = server.answer("/a.json", File(DATA, etag='"one"', cut_after=1000), Answer(503))
    with pytest.raises(SourceUnreachable):
        download(http(url), lake, patience=patience)
    assert lake.folders("raw/corpus") == ["partial"]
    server.answer("/a.json", File(DATA, etag='"one"'))
    server.requests.clear()

    receipt = download(http(url), lake, patience=patience)

    assert server.asked("Range") == ["bytes=1000-"]
    assert lake.read(f"{receipt.uri}/a.json") == DATA


def test_bytes_that_were_not_yet_on_the_disk_are_asked_for_again(
    server: Server, lake: Lake, patience: Patience
):
    url = server.answer("/a.json", File(DATA, etag='"one"', cut_after=1000), Answer(404))
    with pytest.raises(SourceMissing):
        download(http(url), lake, patience=patience)
    (data,) = Path(lake.folder).glob("raw/corpus/partial/*/0.data")
    data.write_bytes(data.read_bytes() + bytes(500))  # as after a power cut: a length, no bytes
    server.answer("/a.json", File(DATA, etag='"one"'))
    server.requests.clear()

    receipt = download(http(url), lake, patience=patience)

    assert server.asked("Range") == ["bytes=1000-"]
    assert lake.read(f"{receipt.uri}/a.json") == DATA


def test_data_is_on_the_disk_before_it_is_claimed(
    server: Server, lake: Lake, patience: Patience, monkeypatch: pytest.MonkeyPatch
):
    url = server.answer("/a.json", File(DATA, etag='"one"', cut_after=1000), File(DATA, '"one"'))
    on_disk: dict[int, int] = {}
    claims: list[tuple[int, int]] = []
    fsync, save = os.fsync, Transfer.save

    def synced(file: int) -> None:
        fsync(file)
        on_disk[os.fstat(file).st_ino] = os.fstat(file).st_size

    def saved(transfer: Transfer, half: Half) -> None:
        claims.append((half.done_bytes, on_disk.get(transfer.data.stat().st_ino, 0)))
        save(transfer, half)

    monkeypatch.setattr("os.fsync", synced)
    monkeypatch.setattr(Transfer, "save", saved)
    monkeypatch.setattr("tasks.download.transfer.SAVE_EVERY_S", 0.0)

    download(http(url), lake, patience=patience)

    assert all(claimed <= there for claimed, there in claims)
    assert {1000, len(DATA)} <= {claimed for claimed, _ in claims}


def test_a_whole_file_is_not_downloaded_again_because_its_neighbour_failed(
    server: Server, lake: Lake, patience: Patience
):
    whole = threading.Event()

    def fail_late(_request: Request) -> Answer:
        whole.wait(10)
        return Answer(404)

    def tell(done_bytes: int, _total_bytes: int | None) -> None:
        if done_bytes == len(DATA):
            whole.set()

    urls = (
        server.answer("/a.json", File(DATA, etag='"one"')),
        server.answer("/b.json", fail_late),
    )
    with pytest.raises(SourceMissing):
        download(http(*urls), lake, progress=tell, patience=patience)
    server.answer("/b.json", File(OTHER))
    server.requests.clear()

    receipt = download(http(*urls), lake, patience=patience)

    asked = {request.path: request.headers.get("Range") for request in server.requests}
    assert asked == {"/a.json": f"bytes={len(DATA) - 1}-", "/b.json": None}, "its last byte only"
    assert [file.sha256 for file in receipt.files] == [digest(DATA), digest(OTHER)]


# fmt: off
CHANGED = {  #                  before the cut                      after it
    "another ETag":            (File(DATA, etag='"one"'),           File(OTHER, etag='"two"')),
    "another date":            (File(DATA, last_modified=DATE),     File(OTHER, last_modified=LATER)),
    "If-Range is not heeded":  (File(DATA, etag='"one"'),           File(OTHER, etag='"two"', heeds_if_range=False)),
    "another size, same ETag": (File(DATA, etag='"one"'),           File(OTHER + b" ", etag='"one"')),
    "fewer bytes than had":    (File(DATA, etag='"one"'),           File(OTHER[:500], etag='"one"')),
    "only a weak ETag":        (File(DATA, etag='W/"one"'),         File(OTHER, etag='W/"one"')),
    "no validator":            (File(DATA),                         File(OTHER)),
}
# fmt: on


@pytest.mark.parametrize(("before", "after"), CHANGED.values(), ids=CHANGED)
def test_a_file_that_changes_while_it_is_resumed_is_downloaded_afresh(
    server: Server, lake: Lake, patience: Patience, before: File, after: File
):
    cut = File(before.body, before.etag, before.last_modified, cut_after=1000)
    url = server.answer("/a.json", cut, after)

    receipt = download(http(url), lake, patience=patience)

    assert lake.read(f"{receipt.uri}/a.json") == after.body


def test_a_body_shorter_than_its_length_is_an_error_once_patience_is_over(
    server: Server, lake: Lake, patience: Patience, waits: list[float]
):
    url = server.answer("/a.json", Answer(body=DATA, length=len(DATA) + 1))

    with pytest.raises(SourceUnreachable) as caught:
        download(http(url), lake, patience=patience)

    assert len(server.requests) == patience.attempts
    assert "attempt 4, the last" in str(caught.value)
    assert not any(key.endswith("receipt.json") for key in lake.keys("raw"))
    assert waits == sorted(waits), "each wait is at least as long as the one before"


def test_a_rest_shorter_than_the_file_is_asked_for_again(
    server: Server, lake: Lake, patience: Patience
):
    part = Answer(206, DATA[1000:1500], {"ETag": '"1"', "Content-Range": "bytes 1000-1499/6400"})
    whole = File(DATA, etag='"1"')
    cut = File(DATA, etag='"1"', cut_after=1000)
    url = server.answer("/a.json", cut, part, whole)

    receipt = download(http(url), lake, patience=patience)

    assert server.asked("Range") == [None, "bytes=1000-", "bytes=1500-"]
    assert receipt.files[0].sha256 == digest(DATA)


def test_a_compressed_body_is_kept_unpacked_and_never_resumed(
    server: Server, lake: Lake, patience: Patience
):
    packed = gzip.compress(DATA)
    headers = {"Content-Encoding": "gzip", "ETag": '"one"'}
    url = server.answer(
        "/a.json",
        Answer(body=packed, headers=headers, cut_after=len(packed) - 20),
        Answer(body=packed, headers=headers),
    )

    receipt = download(http(url), lake, patience=patience)

    assert lake.read(f"{receipt.uri}/a.json") == DATA
    assert server.asked("Range") == [None, None]
    assert receipt.files[0].etag == '"one"'


# fmt: off
WORTH_RETRYING = {  #           answers before the good one                          waits
    "503 twice":               ([Answer(503), Answer(503)],                          None),
    "500, 502 and 504":        ([Answer(500), Answer(502), Answer(504)],             None),
    "408":                     ([Answer(408)],                                       None),
    "429 without a wait":      ([Answer(429)],                                       None),
    "429, wait 1 s":           ([Answer(429, headers={"Retry-After": "1"})],         [1]),
    "429, wait 0 s":           ([Answer(429, headers={"Retry-After": "0"})],         [0]),
    "503, wait 120 s":         ([Answer(503, headers={"Retry-After": "120"})],       [120]),
    "429, a date gone by":     ([Answer(429, headers={"Retry-After": DATE})],        [0]),
    "429, words":              ([Answer(429, headers={"Retry-After": "soon"})],      None),
}
# fmt: on


@pytest.mark.parametrize(("answers", "expected"), WORTH_RETRYING.values(), ids=WORTH_RETRYING)
def test_what_passes_is_waited_for(
    server: Server,
    lake: Lake,
    patience: Patience,
    waits: list[float],
    answers: list[Answer],
    expected: list[float] | None,
):
    url = server.answer("/a.json", *answers, File(DATA))

    assert download(http(url), lake, patience=patience).files[0].sha256 == digest(DATA)

    if expected is not None:
        assert waits == expected
    else:  # doubling from 1 s, with up to 1 s of jitter
        for number, wait in enumerate(waits):
            assert 2**number <= wait <= 2**number + 1
    assert len(waits) == len(answers)


def test_a_wait_that_is_too_long_is_left_to_the_user(
    server: Server, lake: Lake, patience: Patience, waits: list[float]
):
    url = server.answer("/a.json", Answer(429, headers={"Retry-After": "121"}))

    with pytest.raises(SourceError, match=r"answered 429 .* asks to wait 121 s") as caught:
        download(http(url), lake, patience=patience)

    assert waits == []
    assert not isinstance(caught.value, SourceUnreachable), "another try must not follow at once"


def test_nobody_there_is_worth_retrying(lake: Lake, patience: Patience, waits: list[float]):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]

    with pytest.raises(SourceUnreachable) as caught:
        download(http(f"http://127.0.0.1:{port}/a.json"), lake, patience=patience)

    assert len(waits) == patience.attempts - 1
    assert f"http://127.0.0.1:{port}/a.json cannot be read: ConnectError" in str(caught.value)
    assert "--from corpus=PATH" in str(caught.value)


# fmt: off
NOT_WORTH_RETRYING = {  #    answer                                  error          words
    "404":                  (Answer(404),                            SourceMissing, "answered 404 Not Found, expected the file"),
    "410":                  (Answer(410),                            SourceMissing, "answered 410 Gone"),
    "401":                  (Answer(401),                            SourceError,   "wants a login"),
    "403":                  (Answer(403),                            SourceError,   "Ask its owner for access"),
    "400":                  (Answer(400),                            SourceError,   "answered 400 Bad Request, expected 200"),
    "304 to no condition":  (Answer(304),                            SourceError,   "answered 304 Not Modified, expected 200"),
    "a page by its type":   (Answer(body=b"hello", headers={"Content-Type": "text/html; charset=utf-8"}),
                                                                     SourceError,   "web page"),
    "a page by its start":  (Answer(body=b"\n " + PAGE),             SourceError,   "web page"),
    "a page after a BOM":   (Answer(body=b"\xef\xbb\xbf<HTML>"),     SourceError,   "web page"),
    "a page without a suffix": (Answer(body=PAGE),                  SourceError,   "web page"),
    "an error in JSON":     (Answer(body=b'{"error": "rate limit"}'),
                                                                     SourceError,   "an error in JSON"),
    "a refusal in JSON":    (Answer(body=b'{"message": "Not Found", "documentation_url": "https://example.org"}'),
                                                                     SourceError,   "an error in JSON"),
    "an error in XML":      (Answer(body=b'<?xml version="1.0"?><Error><Code>SlowDown</Code></Error>'),
                                                                     SourceError,   "an error in XML"),
    "an empty body":        (Answer(body=b""),                       SourceError,   "answered 200 with nothing (0 bytes), expected data"),
    "an LFS pointer":       (Answer(body=POINTER),                   SourceError,   "a Git LFS pointer, expected data. The file itself is in LFS storage"),
    "a redirect to data":   (Answer(302, headers={"Location": "data:text/plain,hello"}),
                                                                     SourceError,   "each to http or https"),
    "a redirect to script": (Answer(302, headers={"Location": "javascript:alert(1)"}),
                                                                     SourceError,   "each to http or https"),
    "a redirect to nowhere": (Answer(302, headers={"Location": "http://[::1"}),
                                                                     SourceError,   "each to http or https"),
    "a redirect to a file": (Answer(302, headers={"Location": "file:///etc/passwd"}),
                                                                     SourceError,   "each to http or https"),
    "a redirect to ftp":    (Answer(302, headers={"Location": "ftp://127.0.0.1/a.json"}),
                                                                     SourceError,   "each to http or https"),
    "a redirect loop":      (Answer(302, headers={"Location": "/a.json"}),
                                                                     SourceError,   "at most 10 redirects"),
}
# fmt: on


@pytest.mark.parametrize(
    ("answer", "error", "words"), NOT_WORTH_RETRYING.values(), ids=NOT_WORTH_RETRYING
)
def test_what_does_not_pass_is_one_clear_error(
    server: Server,
    lake: Lake,
    patience: Patience,
    waits: list[float],
    answer: Answer,
    error: type[SourceError],
    words: str,
):
    url = server.answer("/a.json", answer)

    with pytest.raises(error) as caught:
        download(http(url), lake, patience=patience)

    assert type(caught.value) is error
    assert words in str(caught.value)
    assert f"source 'corpus': {url}" in str(caught.value)
    assert waits == []
    assert not any(key.endswith((".data", "receipt.json")) for key in lake.keys("raw"))


def test_ten_redirects_are_followed(server: Server, lake: Lake, patience: Patience):
    for number in range(10):
        server.answer(f"/{number}", Answer(302, headers={"Location": f"/{number + 1}"}))
    server.answer("/10", File(DATA))

    assert download(http(f"{server.url}/0"), lake, patience=patience).files[0].name == "0"

    server.answer("/10", Answer(302, headers={"Location": "/11"}))
    with pytest.raises(SourceError, match="redirects"):
        download(http(f"{server.url}/0"), lake, patience=patience)


# fmt: off
DATA_ALL_THE_SAME = {  #    name         body
    "a short list":        ("a.json",    b"[]"),
    "one record":          ("a.json",    b'{"instruction": "Say hello.", "output": "Hello."}'),
    "a record of errors":  ("a.json",    b'{"error": "", "message": "Hello."}'),
    "errors in a corpus":  ("a.json",    b'[{"error": "rate limit"}]'),
    "two lines":           ("a.jsonl",   b'{"error": "one"}\n{"error": "two"}'),
    "deep nesting":        ("a.json",    b"[" * 4000),
    "markup in text":      ("a.txt",     b"<html>"),
    "XML in XML":          ("a.xml",     b"<?xml?><Error><Code>"),
    "a text about LFS":    ("a.txt",     b"A pointer starts with version https://git-lfs.github.com/spec/v1"),
}
# fmt: on


@pytest.mark.parametrize(("name", "body"), DATA_ALL_THE_SAME.values(), ids=DATA_ALL_THE_SAME)
def test_data_that_looks_a_little_like_an_error_is_taken(
    server: Server, lake: Lake, patience: Patience, name: str, body: bytes
):
    url = server.answer(f"/{name}", Answer(body=body))

    assert download(http(url), lake, patience=patience).files[0].sha256 == digest(body)


def test_an_lfs_pointer_of_github_is_told_with_the_url_of_the_file():
    url = "https://raw.githubusercontent.com/owner/corpus/HEAD/data/train.json?token=hush"

    error = not_data("source 'corpus': …", "a Git LFS pointer", "corpus", url)

    media = "https://media.githubusercontent.com/media/owner/corpus/HEAD/data/train.json"
    assert f"The file itself is in {media}." in str(error)
    assert "hush" not in str(error)


def test_a_login_is_not_sent_to_another_host(server: Server, lake: Lake, patience: Patience):
    with Server().running() as other:
        there = other.answer("/b.json", File(DATA))
        login = server.url.replace("http://", "http://user:hush@")
        server.answer("/a.json", Answer(302, headers={"Location": "/moved.json"}))
        server.answer("/moved.json", Answer(302, headers={"Location": there}))

        download(http(f"{login}/a.json"), lake, patience=patience)

        assert server.asked("Authorization") == ["Basic dXNlcjpodXNo"] * 2
        assert other.asked("Authorization") == [None]


def test_a_redirect_from_https_to_http_is_refused(patience: Patience, tmp_path: Path):
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(302, headers={"Location": "http://example.org/a.json?token=hush"})

    url = "https://example.org/a.json"
    transfer = Transfer("corpus", url, "a.json", tmp_path / "data", tmp_path / "half", None)
    with (
        httpx.Client(transport=httpx.MockTransport(answer)) as client,
        pytest.raises(SourceError, match="redirected from https to http") as caught,
        ask(Line(client, patience), transfer, {}),
    ):
        pass
    assert "hush" not in str(caught.value)


def test_a_body_that_stalls_is_cut_and_resumed(
    server: Server,
    lake: Lake,
    patience: Patience,
    monkeypatch: pytest.MonkeyPatch,
    waits: list[float],
):
    monkeypatch.setattr("tasks.download.answers.TIMEOUT", httpx.Timeout(5, read=0.1))
    stalled = File(DATA, etag='"one"', stall_after=1000)
    url = server.answer("/a.json", stalled, File(DATA, etag='"one"'))

    receipt = download(http(url), lake, patience=patience)

    assert receipt.files[0].sha256 == digest(DATA)
    assert server.asked("Range") == [None, "bytes=1000-"]
    assert len(waits) == 1


def test_a_body_that_drips_is_cut_and_resumed(server: Server, lake: Lake, waits: list[float]):
    hurried = Patience(window_s=0.2, sleep=waits.append, hosts=Hosts())
    dripping = Answer(body=DATA, headers={"ETag": '"one"'}, drip_s=0.01)
    url = server.answer("/a.json", dripping, File(DATA, etag='"one"'))

    receipt = download(http(url), lake, patience=hurried)

    assert receipt.files[0].sha256 == digest(DATA)
    assert server.asked("If-Range") == [None, '"one"']
    assert len(waits) == 1


def test_headers_that_drip_are_no_answer(
    lake: Lake, waits: list[float], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("tasks.download.answers.ANSWER_S", 0.2)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    patience = Patience(attempts=2, sleep=waits.append, hosts=Hosts())

    dripped = []

    def drip(listening: socket.socket) -> None:
        for _ in range(patience.attempts):
            connection, _ = listening.accept()
            with connection, contextlib.suppress(OSError):
                connection.sendall(b"HTTP/1.1 200 OK\r\nX-Patience: ")
                for _ in range(1000):
                    connection.sendall(b"x")
                    dripped.append(True)
                    time.sleep(0.01)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=drip, args=(listening,))
        thread.start()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/a.json"
        with pytest.raises(SourceUnreachable):
            download(http(url), lake, patience=patience)
        thread.join(30)

    assert len(waits) == 1
    assert len(dripped) < 1000, "nobody waits for the last drop"


def test_a_body_in_chunks_that_end_early_is_resumed(server: Server, lake: Lake, patience: Patience):
    headers = {"ETag": '"one"'}
    cut = Answer(body=DATA, headers=headers, chunked=True, cut_after=1000)
    url = server.answer("/a.json", cut, File(DATA, etag='"one"'))

    receipt = download(http(url), lake, patience=patience)

    assert receipt.files[0].sha256 == digest(DATA)
    assert len(server.requests) == 2


def test_every_wait_is_told_with_its_reason(
    server: Server, lake: Lake, patience: Patience, caplog: pytest.LogCaptureFixture
):
    url = server.answer("/a.json", Answer(503, headers={"Retry-After": "9"}), File(DATA))

    download(http(f"{url}?token=hush"), lake, patience=patience)

    (told,) = [record for record in caplog.records if record.name.startswith("tasks.")]
    assert told.getMessage() == (
        f"source 'corpus': {url}?token=… answered 503 Service Unavailable; attempt 1 of 4, "
        "the next in 9 s"
    )


def test_data_that_is_markup_is_taken_where_the_name_says_so(
    server: Server, lake: Lake, patience: Patience
):
    url = server.answer("/page.html", Answer(body=PAGE, headers={"Content-Type": "text/html"}))

    assert download(http(url), lake, patience=patience).files[0].sha256 == digest(PAGE)


def test_credentials_are_sent_but_never_shown(
    server: Server,
    lake: Lake,
    patience: Patience,
    caplog: pytest.LogCaptureFixture,
):
    caplog.set_level(logging.DEBUG)
    server.answer("/a.json", Answer(503), File(DATA, etag='"1"'))
    server.answer("/b.json", Answer(403))
    query = "?token=hush1&part=3&X-Amz-Signature=hush2&id=hush3hush3hush3hush3hush3"
    login = server.url.replace("http://", "http://user:hush4@")

    receipt = download(http(f"{login}/a.json{query}"), lake, patience=patience)
    with pytest.raises(SourceError) as caught:
        download(http(f"{login}/b.json{query}"), lake, patience=patience)

    assert server.requests[0].path == f"/a.json{query}"
    assert server.asked("Authorization") == ["Basic dXNlcjpodXNoNA=="] * 3
    assert "part=3" in (receipt.files[0].url or "")
    shown = [str(caught.value), receipt.model_dump_json(), caplog.text]
    shown += [path.read_text() for path in Path(lake.folder).rglob("*.json") if path.stat().st_size]
    assert caplog.records, "the request is logged"
    for text in shown:
        assert "hush" not in text
        assert "dXNlcjpodXNoNA" not in text


def test_progress_goes_back_to_nothing_when_a_download_starts_afresh(
    server: Server, lake: Lake, patience: Patience
):
    url = server.answer("/a.json", File(DATA, cut_after=1000), File(DATA))
    reports: list[tuple[int, int | None]] = []

    download(
        http(url),
        lake,
        progress=lambda done, total: reports.append((done, total)),
        patience=patience,
    )

    assert (1000, 6400) in reports
    assert reports[-1] == (6400, 6400)
    assert max(done for done, _ in reports) == 6400


def test_an_interrupted_download_leaves_no_receipt_and_is_resumed(
    server: Server, lake: Lake, patience: Patience
):
    url = server.answer("/a.json", File(DATA, etag='"1"'))

    def interrupt(_done: int, _total: int | None) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        download(http(url), lake, progress=interrupt, patience=patience)
    assert not any(key.endswith("receipt.json") for key in lake.keys("raw"))

    receipt = download(http(url), lake, patience=patience)

    assert lake.read(f"{receipt.uri}/a.json") == DATA
    assert server.asked("Range")[1] is not None


def test_a_bucket_takes_downloads_too(server: Server, patience: Patience):
    urls = (
        server.answer("/a.json", File(DATA, etag='"a"')),
        server.answer("/b.json", File(DATA, etag='"b"', cut_after=1000), File(DATA, etag='"b"')),
    )
    bucket = Lake("memory:///")
    first = download(http(*urls), bucket, patience=patience)
    server.answer("/b.json", File(OTHER, etag='"c"'))

    second = download(http(*urls), bucket, patience=patience)

    assert bucket.read(f"{first.uri}/b.json") == DATA
    assert bucket.read(f"{second.uri}/a.json") == DATA
    assert bucket.read(f"{second.uri}/b.json") == OTHER
