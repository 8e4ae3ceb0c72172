import hashlib
import io
import json
import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from schemas.errors import SourceError, SourceMissing, SourceUnreachable, StorageError
from schemas.manifest import RawReceipt
from schemas.upstream import HubUpstream
from tasks.download import hub_stream
from tasks.download.hub import fetch_hub
from tasks.download.patience import Patience
from tasks.download.raw import RawFolder
from tasks.lake import Lake
from tests.download.hub_server import SIGNATURE, Commit, Hub, hub_in_use
from tests.download.server import Answer, File, Request, Server

REPO = "org/large"
ONE, TWO = "1" * 40, "2" * 40
INFO = f"/api/datasets/{REPO}/revision/main"
TOKEN = "hf_" + "hushhushhush" * 2
BATCH, PART = 10, 40

TURNS = pa.list_(pa.field("element", pa.struct({"role": pa.string(), "content": pa.string()})))
SCHEMA = pa.schema(
    {
        "instruction": pa.string(),
        "unused": pa.string(),
        "output": pa.string(),
        "messages": TURNS,
    }
)

Fetch = Callable[..., RawReceipt]


def rows(start: int, end: int) -> pa.Table:
    numbers = range(start, end)
    return pa.table(
        {
            "instruction": [f"question {number}" for number in numbers],
            "unused": [hashlib.sha512(b"%d" % number).hexdigest() * 8 for number in numbers],
            "output": [None if number % 7 == 0 else f"answer {number}" for number in numbers],
            "messages": [[{"role": "user", "content": str(number)}] for number in numbers],
        },
        schema=SCHEMA,
    )


def parquet(table: pa.Table, row_group_size: int = 25) -> bytes:
    body = io.BytesIO()
    pq.write_table(table, body, row_group_size=row_group_size)
    return body.getvalue()


A, B, C = (parquet(rows(start, start + 100)) for start in (0, 100, 200))
FILES = {"README.md": b"# Large", "data/a.parquet": A, "data/b.parquet": B, "data/c.parquet": C}


@pytest.fixture
def hub(server: Server, monkeypatch: pytest.MonkeyPatch) -> Hub:
    monkeypatch.setattr(hub_stream, "BATCH_ROWS", BATCH)
    monkeypatch.setattr(hub_stream, "PART_ROWS", PART)
    return hub_in_use(server, monkeypatch)


@pytest.fixture
def fetch(lake: Lake, patience: Patience) -> Fetch:
    def fetched(
        *files: str,
        max_rows: int | None = None,
        columns: tuple[str, ...] | None = None,
        into: Lake = lake,
    ) -> RawReceipt:
        patterns = files or ("*.parquet",)
        upstream = HubUpstream(repo=REPO, files=patterns, stream=True, max_rows=max_rows)
        return fetch_hub(upstream, RawFolder(into, "large"), patience, columns=columns)

    return fetched


def kept(lake: Lake, receipt: RawReceipt) -> pa.Table:
    paths = [lake.folder / receipt.uri / file.name for file in receipt.files]
    return pa.concat_tables([pq.read_table(path) for path in paths])


def ranges(hub: Hub, path: str) -> list[str]:
    """What was asked of one file since the last time."""
    asked = [
        request.headers["Range"] for request in hub.server.requests if request.path.endswith(path)
    ]
    hub.server.requests.clear()
    return asked


def test_every_row_arrives_in_order_in_parts_that_say_where_they_are_from(
    hub: Hub, lake: Lake, fetch: Fetch
):
    hub.publish(REPO, Commit(ONE, FILES))

    receipt = fetch("data/a.parquet", "data/b.parquet")

    assert [(file.name, file.rows) for file in receipt.files] == [
        ("data/00000/a.parquet", 40),
        ("data/00001/a.parquet", 40),
        ("data/00002/a.parquet", 20),
        ("data/00000/b.parquet", 40),
        ("data/00001/b.parquet", 40),
        ("data/00002/b.parquet", 20),
    ]
    assert kept(lake, receipt).equals(rows(0, 200))
    assert receipt.revision == ONE
    assert receipt.upstream == f"{hub.server.url}/datasets/{REPO}/tree/{ONE}"
    where = f"{hub.server.url}/datasets/{REPO}/resolve/{ONE}/data"
    assert receipt.files[0].url == f"{where}/a.parquet"
    assert receipt.files[5].url == f"{where}/b.parquet"
    assert receipt.files[0].etag == hashlib.sha1(b"blob %d\0" % len(A) + A).hexdigest()
    assert not (lake.folder / "raw/large/partial").exists()


def test_columns_that_nobody_reads_are_not_fetched(hub: Hub, lake: Lake, fetch: Fetch):
    hub.publish(REPO, Commit(ONE, FILES))

    receipt = fetch("data/a.parquet", columns=("messages", "absent", "instruction"))

    assert kept(lake, receipt).equals(rows(0, 100).select(["instruction", "messages"]))
    spans = [span.removeprefix("bytes=").split("-") for span in ranges(hub, "a.parquet")]
    fetched = set().union(*(range(int(start), int(end) + 1) for start, end in spans[2:]))
    metadata = pq.ParquetFile(io.BytesIO(A)).metadata
    unused = metadata.row_group(0).column(1)
    middle = unused.data_page_offset + unused.total_compressed_size // 2
    assert unused.path_in_schema == "unused"
    assert middle not in fetched


def test_other_columns_are_another_download(hub: Hub, lake: Lake, fetch: Fetch):
    hub.publish(REPO, Commit(ONE, FILES))
    fetch("data/a.parquet", columns=("instruction",))

    receipt = fetch("data/a.parquet", columns=("instruction", "output"))

    assert kept(lake, receipt).column_names == ["instruction", "output"]


def test_a_file_with_none_of_the_columns_says_what_it_has(hub: Hub, fetch: Fetch):
    hub.publish(REPO, Commit(ONE, FILES))

    with pytest.raises(SourceError) as caught:
        fetch(columns=("question", "answer"))

    assert "data/a.parquet" in str(caught.value)
    assert "(question, answer)" in str(caught.value)
    assert "instruction, unused, output, messages" in str(caught.value)


def test_an_unchanged_commit_costs_one_request(hub: Hub, fetch: Fetch):
    hub.publish(REPO, Commit(ONE, FILES))
    first = fetch(columns=("output",))
    hub.asked()

    assert fetch(columns=("output",)) == first
    assert hub.asked() == [f"GET {INFO}"]


def test_the_same_commit_gives_the_same_bytes(hub: Hub, fetch: Fetch, tmp_path: Path):
    hub.publish(REPO, Commit(ONE, FILES))

    digests = {fetch(into=Lake(str(tmp_path / name))).digest for name in ("one", "two")}

    assert len(digests) == 1


def test_of_a_new_commit_only_the_file_that_differs_is_read(hub: Hub, lake: Lake, fetch: Fetch):
    hub.publish(REPO, Commit(ONE, FILES))
    first = fetch()
    changed = {**FILES, "data/b.parquet": parquet(rows(500, 550)), "data/d.parquet": C}
    del changed["data/c.parquet"]
    hub.publish(REPO, Commit(TWO, changed))
    hub.asked()

    second = fetch()

    read = {line for line in hub.asked() if "resolve" in line}
    assert read == {f"GET /datasets/{REPO}/resolve/{TWO}/data/b.parquet"}
    assert kept(lake, second).equals(
        pa.concat_tables([rows(0, 100), rows(500, 550), rows(200, 300)])
    )
    assert second.files[-1].name == "data/00002/d.parquet"
    assert kept(lake, first).equals(rows(0, 300))


@pytest.mark.parametrize("max_rows", [None, 250])
def test_other_patterns_read_only_the_files_that_no_stream_kept(
    hub: Hub, lake: Lake, fetch: Fetch, max_rows: int | None
):
    hub.publish(REPO, Commit(ONE, FILES))
    fetch("data/a.parquet", "data/b.parquet", columns=("output",), max_rows=max_rows)
    hub.asked()

    receipt = fetch(columns=("output",), max_rows=max_rows)

    read = {line for line in hub.asked() if "resolve" in line}
    assert read == {f"GET /datasets/{REPO}/resolve/{ONE}/data/c.parquet"}
    assert kept(lake, receipt).equals(rows(0, max_rows or 300).select(["output"]))


# fmt: off
OTHERS = {  #                  of the same files
    "other columns":          {"columns": ("output",)},
    "a limit":                {"max_rows": 150},
    "fewer before them":      {"files": ("data/b.parquet",), "max_rows": 250},
}
# fmt: on


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
def test_parts_that_were_made_otherwise_are_not_taken_for_those(
    hub: Hub, lake: Lake, fetch: Fetch, other: dict[str, Any]
):
    hub.publish(REPO, Commit(ONE, FILES))
    fetch(*other.get("files", ()), columns=other.get("columns"), max_rows=other.get("max_rows"))
    hub.asked()

    limit = 250 if "files" in other else None
    receipt = fetch(max_rows=limit)

    assert len({line for line in hub.asked() if "resolve" in line}) == 3
    assert kept(lake, receipt).equals(rows(0, limit or 300))


@pytest.mark.parametrize("columns", [None, ("output",)])
def test_a_disk_that_is_too_full_is_found_before_a_row_is_read(
    hub: Hub,
    lake: Lake,
    fetch: Fetch,
    monkeypatch: pytest.MonkeyPatch,
    columns: tuple[str, ...] | None,
):
    hub.publish(REPO, Commit(ONE, FILES))
    metadata = pq.ParquetFile(io.BytesIO(A)).metadata
    output = sum(metadata.row_group(n).column(2).total_compressed_size for n in range(4))
    needed = output if columns else len(A) + len(B) + len(C)
    disk = shutil.disk_usage(lake.folder)
    for free, fits in ((needed - 1, False), (max(needed, len(A)), True)):
        room = disk._replace(free=free)
        monkeypatch.setattr("shutil.disk_usage", lambda _, room=room: room)
        if fits:
            assert fetch(columns=columns).files
        else:
            with pytest.raises(StorageError, match="the download needs"):
                fetch(columns=columns)
            assert not list(lake.folder.rglob("*.parquet"))


# fmt: off
LIMITS = {  #           max_rows  parts                       cut
    "one":              (1,       [1],                        True),
    "a batch":          (10,      [10],                       True),
    "inside a part":    (45,      [40, 5],                    True),
    "to a file's end":  (100,     [40, 40, 20],               True),
    "into the next":    (101,     [40, 40, 20, 1],            True),
    "all but one":      (199,     [40, 40, 20, 40, 40, 19],   True),
    "all":              (200,     [40, 40, 20, 40, 40, 20],   False),
    "more than all":    (201,     [40, 40, 20, 40, 40, 20],   False),
}
# fmt: on


@pytest.mark.parametrize(("max_rows", "parts", "cut"), LIMITS.values(), ids=LIMITS)
def test_the_first_rows_are_enough_and_the_receipt_says_so(
    hub: Hub, lake: Lake, fetch: Fetch, max_rows: int, parts: list[int], cut: bool
):
    hub.publish(REPO, Commit(ONE, FILES))

    receipt = fetch("data/a.parquet", "data/b.parquet", max_rows=max_rows)

    assert [file.rows for file in receipt.files] == parts
    assert kept(lake, receipt).equals(rows(0, min(max_rows, 200)))
    assert receipt.upstream.endswith(f" (the first {max_rows} rows)") == cut


def test_files_beyond_the_first_rows_are_not_touched(hub: Hub, fetch: Fetch):
    hub.publish(REPO, Commit(ONE, FILES))

    fetch(max_rows=100)

    assert not [line for line in hub.asked() if line.endswith(("b.parquet", "c.parquet"))]


def test_the_first_rows_of_a_new_commit_are_its_own(hub: Hub, lake: Lake, fetch: Fetch):
    hub.publish(REPO, Commit(ONE, FILES))
    fetch(max_rows=150)
    hub.publish(REPO, Commit(TWO, {**FILES, "data/a.parquet": parquet(rows(900, 930))}))

    receipt = fetch(max_rows=150)

    expected = [rows(900, 930), rows(100, 200), rows(200, 220)]
    assert kept(lake, receipt).equals(pa.concat_tables(expected))


@pytest.mark.parametrize("groups", [7, 25, 40, 100])
def test_a_killed_stream_goes_on_at_the_next_part(
    hub: Hub, lake: Lake, fetch: Fetch, tmp_path: Path, groups: int
):
    body = parquet(rows(0, 200), row_group_size=groups)
    hub.publish(REPO, Commit(ONE, {"a.parquet": body}))
    whole = fetch(into=Lake(str(tmp_path / "whole")))
    spans = ranges(hub, "a.parquet")
    answers: list[Any] = [File(body)] * (len(spans) * 2 // 3)
    hub.server.answer(f"/datasets/{REPO}/resolve/{ONE}/a.parquet", *answers, Answer(404))
    with pytest.raises(SourceMissing):
        fetch()
    written = {
        path: path.stat().st_mtime_ns for path in lake.folder.rglob("partial/**/*[0-9].parquet")
    }
    hub.publish(REPO, Commit(ONE, {"a.parquet": body}))
    hub.server.requests.clear()

    receipt = fetch()

    assert receipt.digest == whole.digest, "as if it had never been cut"
    assert kept(lake, receipt).equals(rows(0, 200))
    if groups < 100:
        assert len(written) > 1
        assert len(ranges(hub, "a.parquet")) < len(spans)


@pytest.mark.parametrize(("max_rows", "cut"), [(50, True), (100, False)])
def test_a_stream_that_was_killed_after_its_last_part_still_says_that_it_is_cut(
    hub: Hub, fetch: Fetch, monkeypatch: pytest.MonkeyPatch, max_rows: int, cut: bool
):
    hub.publish(REPO, Commit(ONE, FILES))
    with monkeypatch.context() as broken:
        broken.setattr(RawFolder, "keep", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            fetch("data/a.parquet", max_rows=max_rows)

    receipt = fetch("data/a.parquet", max_rows=max_rows)

    assert receipt.upstream.endswith(f" (the first {max_rows} rows)") == cut


def test_of_streams_in_the_lake_only_the_parts_that_are_used_again_are_looked_at(
    hub: Hub, lake: Lake, fetch: Fetch, monkeypatch: pytest.MonkeyPatch
):
    hub.publish(REPO, Commit(ONE, FILES))
    fetch("data/a.parquet", "data/b.parquet")
    looked_at: list[str] = []
    sha256 = Lake.sha256

    def seen(lake: Lake, key: str, keep_copy: bool = False) -> str | None:
        looked_at.append(key)
        return sha256(lake, key, keep_copy)

    monkeypatch.setattr(Lake, "sha256", seen)

    fetch("data/b.parquet", "data/c.parquet")

    assert [key.partition("/data/")[2] for key in looked_at] == [
        "00000/b.parquet", "00001/b.parquet", "00002/b.parquet"
    ]  # fmt: skip


def test_a_part_in_the_lake_that_is_damaged_is_read_again(hub: Hub, lake: Lake, fetch: Fetch):
    hub.publish(REPO, Commit(ONE, FILES))
    first = fetch("data/a.parquet")
    path = lake.folder / first.uri / first.files[1].name
    path.write_bytes(bytes(path.stat().st_size))
    hub.asked()

    assert kept(lake, fetch("data/a.parquet", "data/b.parquet")).equals(rows(0, 200))
    assert f"GET /datasets/{REPO}/resolve/{ONE}/data/a.parquet" in hub.asked()


def test_a_part_that_was_damaged_meanwhile_is_read_again(hub: Hub, lake: Lake, fetch: Fetch):
    hub.publish(REPO, Commit(ONE, FILES))
    hub.refuse(f"/datasets/{REPO}/resolve/{ONE}/data/b.parquet", 404, "EntryNotFound")
    with pytest.raises(SourceMissing):
        fetch()
    next(lake.folder.rglob("partial/**/1.parquet")).write_bytes(b"PAR1")
    hub.publish(REPO, Commit(ONE, FILES))

    assert kept(lake, fetch()).equals(rows(0, 300))


def test_a_busy_hub_is_asked_again_in_the_middle(
    hub: Hub, lake: Lake, fetch: Fetch, waits: list[float]
):
    hub.publish(REPO, Commit(ONE, FILES))
    fine = File(A)
    hub.server.answer(
        f"/datasets/{REPO}/resolve/{ONE}/data/a.parquet",
        *(fine, fine, Answer(429, headers={"Retry-After": "7"}), Answer(503)),
        *(fine, File(A, cut_after=20), File(A, cut_after=0), fine),
    )

    receipt = fetch("data/a.parquet")

    assert kept(lake, receipt).equals(rows(0, 100))
    assert waits[0] == 7
    assert len(waits) == 4


def test_a_hub_that_stays_busy_is_worth_retrying(hub: Hub, fetch: Fetch):
    hub.publish(REPO, Commit(ONE, FILES))
    where = f"/datasets/{REPO}/resolve/{ONE}/data/a.parquet"
    hub.server.answer(where, File(A), File(A), Answer(503))

    with pytest.raises(SourceUnreachable, match="answered 503"):
        fetch()


# fmt: off
REFUSALS = {  #       status  code             error          words
    "gated":         (403,    "GatedRepo",     SourceError,   "Ask for it on that page"),
    "forbidden":     (403,    "",              SourceError,   "wants a token"),
    "no file":       (404,    "EntryNotFound", SourceMissing, "answered 404"),
    "teapot":        (418,    "",              SourceError,   "answered 418"),
}
# fmt: on


@pytest.mark.parametrize(("status", "code", "error", "words"), REFUSALS.values(), ids=REFUSALS)
def test_a_refusal_in_the_middle_keeps_its_words(
    hub: Hub, fetch: Fetch, status: int, code: str, error: type[SourceError], words: str
):
    hub.publish(REPO, Commit(ONE, FILES))
    where = f"/datasets/{REPO}/resolve/{ONE}/data/a.parquet"
    refused = Answer(status, headers={"X-Error-Code": code})
    hub.server.answer(where, File(A), File(A), refused)

    with pytest.raises(error, match=words) as caught:
        fetch()
    assert type(caught.value) is error


@pytest.mark.parametrize("files", [("*.parquet", "*.json"), ("*.json",)], ids=["some", "all"])
def test_what_is_not_named_parquet_is_not_streamed(hub: Hub, fetch: Fetch, files: tuple[str, ...]):
    hub.publish(REPO, Commit(ONE, {**FILES, "a.json": b"[]"}))

    with pytest.raises(SourceError, match=r"reads Parquet, but hub\.files matches a\.json"):
        fetch(*files)
    assert not [line for line in hub.asked() if "resolve" in line]


def damaged() -> bytes:
    body = bytearray(A)
    body[4:2_000] = bytes(1_996)
    return bytes(body)


@pytest.mark.parametrize(
    "body",
    [b"", b"PAR1", b'{"a": 1}\n' * 50, A[:-100], damaged()],
    ids=["empty", "magic", "json", "no footer", "pages"],
)
def test_a_file_that_is_no_parquet_is_named(hub: Hub, fetch: Fetch, body: bytes):
    hub.publish(REPO, Commit(ONE, {"a.parquet": body}))

    with pytest.raises(SourceError, match=r"a\.parquet of .* cannot be read as Parquet"):
        fetch()


def test_a_file_without_rows_has_one_part(hub: Hub, lake: Lake, fetch: Fetch):
    hub.publish(REPO, Commit(ONE, {"a.parquet": parquet(rows(0, 0)), "b.parquet": A}))

    receipt = fetch()

    assert [file.rows for file in receipt.files] == [0, 40, 40, 20]
    assert kept(lake, receipt).equals(rows(0, 100))


def test_a_hub_that_gives_no_ranges_is_named(hub: Hub, fetch: Fetch):
    hub.publish(REPO, Commit(ONE, FILES))
    hub.server.answer(f"/datasets/{REPO}/resolve/{ONE}/data/a.parquet", Answer(body=A))

    with pytest.raises(SourceError, match="gave the whole file"):
        fetch()


def test_rows_from_the_storage_leave_no_trace_of_keys(
    hub: Hub,
    lake: Lake,
    fetch: Fetch,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
):
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    hub.publish(REPO, Commit(ONE, FILES, frozenset(FILES)))
    storage = f"/lfs/{hashlib.sha256(B).hexdigest()}"
    hub.server.answer(storage, File(B), File(B), Answer(403))

    with pytest.raises(SourceError) as caught:
        fetch()

    told = caplog.text + repr(caught.value) + repr(caught.value.__cause__)
    assert SIGNATURE not in told
    assert "hush" not in told
    for path in lake.folder.rglob("*"):
        assert not path.is_file() or b"hush" not in path.read_bytes()
    for request in hub.server.requests:
        asked = request.headers
        assert ("Authorization" in asked) == asked["Host"].startswith("127.0.0.1")


def test_a_commit_in_the_middle_of_a_stream_does_not_mix_in(hub: Hub, lake: Lake, fetch: Fetch):
    hub.publish(REPO, Commit(ONE, FILES))

    def then_commit(request: Request) -> Answer:
        hub.publish(REPO, Commit(TWO, {**FILES, "data/b.parquet": C}))
        return File(A)(request)

    where = f"/datasets/{REPO}/resolve/{ONE}/data/a.parquet"
    hub.server.answer(where, then_commit, File(A))

    receipt = fetch()

    assert receipt.revision == ONE
    assert kept(lake, receipt).equals(rows(0, 300))


def test_a_switched_off_network_is_not_asked(
    hub: Hub, fetch: Fetch, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")

    with pytest.raises(SourceError, match="HF_HUB_OFFLINE"):
        fetch()
    assert hub.asked() == []


PROGRAM = r"""
import json, re, sys
from pathlib import Path
from schemas.upstream import HubUpstream
from tasks.download import hub_stream
from tasks.download.hub import fetch_hub
from tasks.download.patience import Patience
from tasks.download.raw import RawFolder
from tasks.lake import Lake
from datasets import IterableDataset
from datasets.iterable_dataset import ArrowExamplesIterable
IterableDataset(ArrowExamplesIterable(iter, {"row_groups": [0]}))
def memory(name):
    return 1024 * int(re.search(name + r":\s+(\d+) kB", Path("/proc/self/status").read_text())[1])
hub_stream.ASKED_BYTES = hub_stream.BATCH_BYTES = 1 << 20
before = memory("VmRSS")
upstream = HubUpstream(repo="org/large", files=["*"], stream=True)
receipt = fetch_hub(upstream, RawFolder(Lake(sys.argv[1]), "large"), Patience(attempts=1))
print(json.dumps([sum(file.rows for file in receipt.files), memory("VmHWM") - before]))
"""


def test_one_large_row_group_takes_little_memory_and_the_home_stays_as_it_is(
    hub: Hub, tmp_path: Path
):
    texts = [f"{number} " * 1_000 for number in range(12_000)]
    body = io.BytesIO()
    pl.DataFrame({"output": texts}).write_parquet(
        body, row_group_size=12_000, compression="uncompressed"
    )
    size_bytes = len(body.getvalue())
    hub.publish(REPO, Commit(ONE, {"a.parquet": body.getvalue()}))
    home = tmp_path / "home"
    home.mkdir()
    names = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    environment = {**names, "HOME": str(home), "HF_ENDPOINT": hub.server.url}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path / "lake")],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )

    streamed, grown_bytes = json.loads(done.stdout)
    assert (streamed, done.stderr) == (12_000, "")
    assert size_bytes > 60_000_000
    assert grown_bytes < size_bytes, "a row group at once takes more than twice its size"
    assert [path for path in home.rglob("*") if path.is_file()] == []
