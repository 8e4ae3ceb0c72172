import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from schemas.errors import SourceError, SourceMissing
from schemas.upstream import Upstream
from tasks.download.fetch import download
from tasks.download.head import head
from tasks.download.patience import Patience
from tasks.lake import Lake
from tests.download.server import Answer, File, Server

LINES = b"".join(b'{"instruction": "Say %d.", "output": "%d"}\n' % (n, n * n) for n in range(5000))
MOST = 10_000


def http(*urls: str) -> Upstream:
    return Upstream.model_validate({"name": "corpus", "http": {"urls": urls}})


def archived() -> bytes:
    kept = io.BytesIO()
    with zipfile.ZipFile(kept, "w") as archive:
        archive.writestr("a.jsonl", LINES)
    return kept.getvalue()


def tarred(mode: str) -> bytes:
    kept = io.BytesIO()
    with tarfile.open(fileobj=kept, mode=mode) as archive:  # type: ignore[call-overload]
        member = tarfile.TarInfo("a.jsonl")
        member.size = len(LINES)
        archive.addfile(member, io.BytesIO(LINES))
    return kept.getvalue()


def parquet() -> bytes:
    return b"PAR1" + bytes(50_000) + b"PAR1"


# fmt: off
FILES = {  #                              name            body              kept as         requests  cut
    "lines":                             ("a.jsonl",      LINES,            "a.jsonl",      1,        True),
    "a short file":                      ("a.jsonl",      LINES[:MOST - 1], "a.jsonl",      1,        False),
    "just as much":                      ("a.jsonl",      LINES[:MOST],     "a.jsonl",      1,        False),
    "one byte more":                     ("a.jsonl",      LINES[:MOST + 1], "a.jsonl",      1,        True),
    "Parquet by name":                   ("a.parquet",    bytes(50_000),    "a.parquet",    2,        False),
    "Parquet by content":                ("a.dat",        parquet(),        "a.dat",        2,        False),
    "zip by content":                    ("a",            archived(),       "a",            2,        False),
    "tar by content":                    ("a",            tarred("w"),      "a",            2,        False),
}
# fmt: on


@pytest.mark.parametrize(("name", "body", "kept", "requests", "cut"), FILES.values(), ids=FILES)
@pytest.mark.parametrize("ranges", [True, False], ids=["with ranges", "without"])
def test_the_first_bytes_of_the_first_file_are_enough_where_they_can_be_read(
    server: Server,
    lake: Lake,
    patience: Patience,
    ranges: bool,
    name: str,
    body: bytes,
    kept: str,
    requests: int,
    cut: bool,
):
    url = server.answer(f"/{name}", File(body, '"1"') if ranges else Answer(body=body))

    with head(http(url, f"{server.url}/b.json"), lake, MOST, patience) as found:
        (path,) = found.paths
        assert found.names == (kept,)
        assert path.read_bytes() == (body[:MOST] if cut else body)
        assert found.cut is cut
    assert not path.exists()
    assert len(server.requests) == requests
    assert server.asked("Range")[0] == f"bytes=0-{MOST - 1}"
    assert lake.keys("raw") == [], "nothing is kept"


@pytest.mark.parametrize(
    ("suffix", "pack"),
    [(".gz", gzip.compress), (".bz2", bz2.compress), (".xz", lzma.compress)],
    ids=["gzip", "bzip2", "xz"],
)
def test_the_start_of_a_packed_file_is_unpacked(
    server: Server,
    lake: Lake,
    patience: Patience,
    suffix: str,
    pack: Callable[[bytes], bytes],
):
    packed = pack(LINES * 3)
    url = server.answer(f"/a.jsonl{suffix}", File(packed, '"1"'))
    most = len(packed) * 2 // 3

    with head(http(url), lake, most, patience) as found:
        assert (found.names, found.cut) == (("a.jsonl",), True)
        unpacked = found.paths[0].read_bytes()

    assert (LINES * 3).startswith(unpacked)
    assert len(unpacked) <= most * 8


def test_a_packed_tar_is_fetched_whole(server: Server, lake: Lake, patience: Patience):
    body = tarred("w:gz")
    url = server.answer("/a.tar.gz", File(body, '"1"'))

    with head(http(url), lake, 1000, patience) as found:
        assert (found.names, found.cut) == (("a.tar.gz",), False)
        assert found.paths[0].read_bytes() == body


def test_what_cannot_be_read_in_part_and_is_huge_is_left_alone(
    server: Server, lake: Lake, patience: Patience, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("tasks.download.head.WHOLE_BYTES", 20_000)
    url = server.answer("/a.parquet", File(parquet(), '"1"'))

    with (
        pytest.raises(SourceError, match="cannot be read in part"),
        head(http(url), lake, 99, patience),
    ):
        pass


# fmt: off
REFUSED = {  #          answer                            error           words
    "missing":         (Answer(404),                      SourceMissing,  "answered 404"),
    "a page":          (Answer(body=b"<html>"),           SourceError,    "a web page"),
    "nothing":         (Answer(body=b""),                 SourceError,    "nothing (0 bytes)"),
    "nothing, 416":    (File(b"", '"1"'),                 SourceError,    "nothing (0 bytes)"),
    "always cut":      (Answer(body=LINES, cut_after=9),  SourceError,    "the last"),
    "other bytes":     (Answer(206, b"[]", {"Content-Range": "bytes 5-6/7"}),
                                                          SourceError,    "answers with others"),
}
# fmt: on


@pytest.mark.parametrize(("answer", "error", "words"), REFUSED.values(), ids=REFUSED)
def test_what_a_download_refuses_is_refused(
    server: Server,
    lake: Lake,
    patience: Patience,
    answer: Answer | File,
    error: type[SourceError],
    words: str,
):
    url = server.answer("/a.json", answer)

    with pytest.raises(error) as caught, head(http(url), lake, MOST, patience):
        pass
    assert words in str(caught.value)


def test_a_source_that_is_in_the_lake_is_not_asked_for(
    server: Server, lake: Lake, patience: Patience
):
    urls = [server.answer(f"/{name}.jsonl", File(LINES, '"1"')) for name in "ab"]
    download(http(*urls), lake, patience=patience)
    server.requests.clear()

    with head(http(*urls), lake, MOST, patience) as found:
        assert (found.names, found.cut) == (("a.jsonl", "b.jsonl"), False)
        assert found.paths[1].read_bytes() == LINES
    assert server.requests == []
    assert download(http(*urls), lake, patience=patience).files, "the lake keeps what it has"


def test_of_a_bucket_the_first_file_is_enough(server: Server, patience: Patience):
    urls = [server.answer(f"/{name}.jsonl", File(LINES, '"1"')) for name in "ab"]
    bucket = Lake("memory:///")
    download(http(*urls), bucket, patience=patience)

    with head(http(*urls), bucket, MOST, patience) as found:
        assert found.names == ("a.jsonl",)
        assert found.paths[0].read_bytes() == LINES


# fmt: off
PACKED = {  #                  what lies there, packed or not               names                    cut
    "one that goes on":       ({"a.jsonl.gz": 3, "b.jsonl": 1},             ("a.jsonl",),            True),
    "one that ends":          ({"a.jsonl.gz": 0.01, "b.jsonl": 1},          ("a.jsonl", "b.jsonl"),  False),
    "plain before packed":    ({"a.jsonl": 1, "b.jsonl.gz": 3},             ("a.jsonl", "b.jsonl"),  True),
    "many small ones":        ({f"{n}.jsonl.gz": 0.03 for n in range(9)},   ("0.jsonl", "1.jsonl"),  True),
    "beside its own plain":   ({"a.jsonl": 0.01, "a.jsonl.gz": 0.01},       ("a.jsonl", "a.jsonl.gz"), False),
    "in a folder":            ({"x/a.jsonl.gz": 3},                         ("x/a.jsonl",),          True),
}
# fmt: on


@pytest.mark.parametrize("kept", ["here", "in the lake"])
@pytest.mark.parametrize(("files", "names", "cut"), PACKED.values(), ids=PACKED)
def test_of_packed_files_on_this_machine_the_beginning_is_unpacked(
    lake: Lake,
    tmp_path: Path,
    kept: str,
    files: dict[str, float],
    names: tuple[str, ...],
    cut: bool,
):
    folder = tmp_path / "corpus"
    for name, times in files.items():
        body = (LINES * 3)[: int(len(LINES) * times)]
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(gzip.compress(body) if name.endswith(".gz") else body)
    source = Upstream.model_validate({"name": "corpus", "local": {"path": str(folder)}})
    if kept == "in the lake":
        download(source, lake)

    with head(source, lake, MOST) as found:
        assert (found.names, found.cut) == (names, cut)
        last = found.paths[-1].read_bytes()
        if last[:1] == b"{":
            assert (LINES * 3).startswith(last)
        if cut:
            assert len(last) <= MOST


# fmt: off
NAMESAKES = {  #      names of a receipt              names of the head
    "packed first":  (("d.json.gz", "d.json"),       ("d.json.gz", "d.json")),
    "packed last":   (("d.json", "d.json.gz"),       ("d.json", "d.json.gz")),
    "packed twice":  (("d.json.bz2", "d.json.gz"),   ("d.json", "d.json.gz")),
}
# fmt: on


@pytest.mark.parametrize(("names", "found_names"), NAMESAKES.values(), ids=NAMESAKES)
def test_no_file_takes_the_name_of_another_when_it_is_unpacked(
    server: Server,
    lake: Lake,
    patience: Patience,
    names: tuple[str, ...],
    found_names: tuple[str, ...],
):
    packers = {".gz": gzip.compress, ".bz2": bz2.compress}
    urls = []
    for number, name in enumerate(names):
        body = packers.get(Path(name).suffix, bytes)(b'{"n": %d}\n' % number)
        urls.append(server.answer(f"/{number}/{name}", File(body, '"1"')))
    download(http(*urls), lake, patience=patience)

    with head(http(*urls), lake, MOST, patience) as found:
        assert (found.names, found.cut) == (found_names, False)
        assert all(path.is_file() for path in found.paths)
        assert [unpacked(path) for path in found.paths] == [b'{"n": 0}\n', b'{"n": 1}\n']


def unpacked(path: Path) -> bytes:
    body = path.read_bytes()
    return gzip.decompress(body) if body.startswith(b"\x1f\x8b") else body


@pytest.mark.parametrize("body", [LINES, b"\x1f\x8b\x08 not", b""], ids=["plain", "bad", "empty"])
def test_what_is_packed_in_name_only_is_left_to_who_reads_it(
    lake: Lake, tmp_path: Path, body: bytes
):
    (tmp_path / "a.jsonl.gz").write_bytes(body)
    source = Upstream.model_validate(
        {"name": "corpus", "local": {"path": str(tmp_path / "a.jsonl.gz")}}
    )

    with head(source, lake, MOST) as found:
        assert found.paths[0].read_bytes() == body


def test_a_local_file_that_was_edited_is_shown_as_it_is_now(lake: Lake, tmp_path: Path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(LINES)
    source = Upstream.model_validate({"name": "corpus", "local": {"path": str(path)}})
    download(source, lake)
    path.write_bytes(b"[]")

    with head(source, lake) as found:
        assert found.paths[0].read_bytes() == b"[]"


def test_a_local_source_is_read_where_it_lies(lake: Lake, tmp_path: Path):
    folder = tmp_path / "corpus"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "a.jsonl").write_bytes(LINES)
    source = Upstream.model_validate({"name": "corpus", "local": {"path": str(folder)}})

    with head(source, lake) as found:
        assert (found.names, found.cut) == (("deep/a.jsonl",), False)
        assert found.paths[0].read_bytes() == LINES
    assert (folder / "deep" / "a.jsonl").exists()
