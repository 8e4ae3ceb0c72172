import hashlib
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from schemas.errors import SourceChanged, SourceError, SourceMissing, StorageError
from schemas.manifest import RawReceipt
from schemas.source import Source
from tasks.download.fetch import download
from tasks.lake import Lake, digest_of


def local(path: Path, **options: object) -> Source:
    return Source.model_validate(
        {
            "name": "corpus",
            "layout": "alpaca",
            "licence": "MIT",
            "local": {"path": str(path), **options},
        }
    )


def folder_of(tmp_path: Path, *names: str) -> Path:
    folder = tmp_path / "upstream"
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"content of {name}", encoding="utf-8")
    return folder


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_a_file_is_kept_under_the_digest_of_its_name_and_bytes(tmp_path: Path, lake: Lake):
    path = tmp_path / "alpaca_data.json"
    path.write_bytes(b"[]")

    receipt = download(local(path), lake)

    assert receipt.digest == digest_of([["alpaca_data.json", sha256(b"[]")]])
    assert receipt.uri == f"raw/corpus/{receipt.digest}"
    assert lake.read(f"{receipt.uri}/alpaca_data.json") == b"[]"
    kept = RawReceipt.model_validate_json(lake.read(f"{receipt.uri}/receipt.json"))
    assert kept.model_copy(update={"seal": None}) == receipt
    assert receipt.upstream == str(path)
    assert [file.size_bytes for file in receipt.files] == [2]


def test_a_kept_file_is_a_copy_that_its_owner_can_edit_no_more(tmp_path: Path, lake: Lake):
    path = tmp_path / "data.json"
    path.write_bytes(b"[1]")
    receipt = download(local(path), lake)

    path.write_bytes(b"[2]")

    assert lake.read(f"{receipt.uri}/data.json") == b"[1]"
    assert download(local(path), lake).digest != receipt.digest


def test_a_folder_is_read_in_the_order_of_its_path_parts_and_names_are_kept(
    tmp_path: Path, lake: Lake
):
    folder = folder_of(
        tmp_path, "b.json", "a/z.json", "a.json", "中文/数据 (1).json", "a/中文 100%.json"
    )

    receipt = download(local(folder), lake)

    names = [file.name for file in receipt.files]
    assert names == ["a/z.json", "a/中文 100%.json", "a.json", "b.json", "中文/数据 (1).json"]
    for name in names:
        assert lake.read(f"{receipt.uri}/{name}").decode() == f"content of {name}"


# fmt: off
PATTERNS = {  #              patterns                   kept
    "everything":            (["**/*"],                 ["a.json", "b.tsv", "sub/c.json"]),
    "one level":             (["*"],                    ["a.json", "b.tsv"]),
    "one suffix":            (["**/*.json"],            ["a.json", "sub/c.json"]),
    "all below a folder":    (["sub/**"],               ["sub/c.json"]),
    "two patterns, overlap": (["*.tsv", "b.*"],         ["b.tsv"]),
    "a name":                (["a.json"],               ["a.json"]),
    "hidden ones never":     ([".*", "**/.*", "*.tsv"], ["b.tsv"]),
}
# fmt: on


@pytest.mark.parametrize(("patterns", "kept"), PATTERNS.values(), ids=PATTERNS)
def test_patterns_choose_files_and_hidden_ones_are_skipped(
    tmp_path: Path, lake: Lake, patterns: list[str], kept: list[str]
):
    folder = folder_of(
        tmp_path, "a.json", "b.tsv", "sub/c.json", ".hidden.json", ".git/d.json", "sub/.e.json"
    )

    receipt = download(local(folder, files=patterns), lake)

    assert [file.name for file in receipt.files] == kept


# fmt: off
DOCUMENTS = {  #             patterns                        kept
    "everything":            (["**/*"],                      ["a.json", "reader.txt"]),
    "texts":                 (["*.txt", "*.md"],             ["reader.txt"]),
    "by its very path":      (["*", "README.md"],            ["README.md", "a.json", "reader.txt"]),
    "in a folder":           (["docs/LICENSE"],              ["docs/LICENSE"]),
}
# fmt: on


@pytest.mark.parametrize(("patterns", "kept"), DOCUMENTS.values(), ids=DOCUMENTS)
def test_documents_beside_data_are_skipped_unless_a_pattern_is_their_path(
    tmp_path: Path, lake: Lake, patterns: list[str], kept: list[str]
):
    folder = folder_of(tmp_path, "README.md", "LICENSE.txt", "a.json", "reader.txt", "docs/LICENSE")

    receipt = download(local(folder, files=patterns), lake)

    assert [file.name for file in receipt.files] == kept


def test_a_document_that_is_named_itself_is_read(tmp_path: Path, lake: Lake):
    folder = folder_of(tmp_path, "README.md", "LICENSE")

    assert download(local(folder / "README.md"), lake).files[0].name == "README.md"
    with pytest.raises(SourceMissing, match=r"A document .* is read where a pattern is its whole"):
        download(local(folder), lake)


@pytest.mark.parametrize("pattern", ["", "/etc/*", "../*"])
def test_a_pattern_cannot_leave_its_folder(tmp_path: Path, lake: Lake, pattern: str):
    folder = folder_of(tmp_path, "a.json")

    with pytest.raises(SourceError):
        download(local(folder, files=[pattern]), lake)


def test_a_file_named_like_the_receipt_is_kept_under_another_name(tmp_path: Path, lake: Lake):
    folder = folder_of(tmp_path, "receipt.json", "receipt-2.json")

    receipt = download(local(folder), lake)

    assert [file.name for file in receipt.files] == ["receipt-2.json", "receipt-3.json"]
    assert lake.read(f"{receipt.uri}/receipt-3.json") == b"content of receipt.json"


def test_a_lake_inside_the_folder_is_not_part_of_the_source(tmp_path: Path):
    folder = folder_of(tmp_path, "a.json")
    lake = Lake(str(folder / "lake"))

    first, second = download(local(folder), lake), download(local(folder), lake)

    assert first == second
    assert [file.name for file in first.files] == ["a.json"]


def test_a_folder_without_a_matching_file_says_what_is_there(tmp_path: Path, lake: Lake):
    folder = folder_of(tmp_path, *(f"{number:02}.csv" for number in range(40)))

    with pytest.raises(SourceMissing) as caught:
        download(local(folder, files=["**/*.json"]), lake)

    message = str(caught.value)
    assert f"no file in {folder} matches '**/*.json'" in message
    assert "29.csv and 10 more" in message
    assert "30.csv" not in message


def test_an_empty_folder_is_a_missing_source(tmp_path: Path, lake: Lake):
    folder = tmp_path / "empty"
    folder.mkdir()

    with pytest.raises(SourceMissing, match="There is none at all"):
        download(local(folder), lake)


def test_a_missing_file_says_what_is_beside_it_and_what_to_do(tmp_path: Path, lake: Lake):
    folder = folder_of(tmp_path, "alpaca_data.json")

    with pytest.raises(SourceMissing) as caught:
        download(local(folder / "alpaca.json"), lake)

    message = str(caught.value)
    assert "source 'corpus'" in message
    assert f"{folder / 'alpaca.json'} does not exist" in message
    assert "There are: alpaca_data.json." in message
    assert "--from corpus=PATH" in message


def test_a_pinned_file_is_taken_only_with_those_bytes(tmp_path: Path, lake: Lake):
    path = tmp_path / "data.json"
    path.write_bytes(b"[1]")
    pin = sha256(b"[1]")

    assert download(local(path, sha256=pin), lake).files[0].sha256 == pin

    path.write_bytes(b"[2]")
    with pytest.raises(SourceChanged) as caught:
        download(local(path, sha256=pin), lake)
    assert f"expected sha256 {pin[:12]}" in str(caught.value)
    assert sha256(b"[2]") in str(caught.value)
    assert lake.folders("raw/corpus") == [digest_of([["data.json", pin]])]


def test_a_pin_added_later_is_held_against_the_file_that_is_there(tmp_path: Path, lake: Lake):
    path = tmp_path / "data.json"
    path.write_bytes(b"[1]")
    download(local(path), lake)

    with pytest.raises(SourceChanged):
        download(local(path, sha256="0" * 64), lake)


def test_a_pin_speaks_of_one_file(tmp_path: Path, lake: Lake):
    folder = folder_of(tmp_path, "a.json", "b.json")

    with pytest.raises(SourceError, match="pins a single file, but 2 files"):
        download(local(folder, sha256="0" * 64), lake)


def test_an_unchanged_file_is_read_but_not_copied(
    tmp_path: Path, lake: Lake, monkeypatch: pytest.MonkeyPatch
):
    folder = folder_of(tmp_path, "a.json", "b.json")
    first = download(local(folder), lake)
    kept = lake.folder / first.uri / "a.json"
    before = kept.stat()
    monkeypatch.setattr(Lake, "scratch", lambda self: pytest.fail("copied again"))

    assert download(local(folder), lake) == first
    assert kept.stat().st_mtime_ns == before.st_mtime_ns


def test_the_same_bytes_from_elsewhere_give_the_receipt_that_is_there(tmp_path: Path, lake: Lake):
    first, second = tmp_path / "one" / "a.json", tmp_path / "two" / "a.json"
    for path in (first, second):
        path.parent.mkdir()
        path.write_bytes(b"[]")

    assert download(local(first), lake) == download(local(second), lake)


@pytest.mark.parametrize("damage", ["gone", "short"])
def test_a_file_that_the_lake_lost_is_copied_again(tmp_path: Path, lake: Lake, damage: str):
    folder = folder_of(tmp_path, "a.json", "b.json")
    receipt = download(local(folder), lake)
    lost = lake.folder / receipt.uri / "b.json"
    if damage == "gone":
        lost.unlink()
    else:
        lost.write_bytes(b"c")

    assert download(local(folder), lake) == receipt
    assert lost.read_text() == "content of b.json"


def test_links_are_followed_inside_the_folder_only(tmp_path: Path, lake: Lake):
    folder = folder_of(tmp_path, "a.json")
    (folder / "inside.json").symlink_to("a.json")
    assert [file.name for file in download(local(folder), lake).files] == ["a.json", "inside.json"]

    secret = tmp_path / "secret.json"
    secret.write_text("secret")
    (folder / "outside.json").symlink_to(secret)
    with pytest.raises(SourceError, match=f"a link out of the folder, to {secret}"):
        download(local(folder), lake)
    assert len(download(local(folder, files=["a.json"]), lake).files) == 1


def test_a_linked_folder_is_not_entered_and_a_broken_link_is_missing(tmp_path: Path, lake: Lake):
    folder = folder_of(tmp_path, "a.json", "sub/b.json")
    (folder / "again").symlink_to(folder, target_is_directory=True)
    assert [file.name for file in download(local(folder), lake).files] == ["a.json", "sub/b.json"]

    (folder / "broken.json").symlink_to("nowhere.json")
    with pytest.raises(SourceMissing, match=r"a link to nowhere\.json"):
        download(local(folder), lake)


def test_what_is_no_regular_file_is_never_opened(tmp_path: Path, lake: Lake):
    folder = folder_of(tmp_path, "a.json")
    os.mkfifo(folder / "pipe.json")

    assert [file.name for file in download(local(folder), lake).files] == ["a.json"]
    with pytest.raises(SourceError, match="neither a file nor a folder"):
        download(local(folder / "pipe.json"), lake)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_without_read_permission_is_a_source_error(tmp_path: Path, lake: Lake):
    path = tmp_path / "data.json"
    path.write_bytes(b"[]")
    path.chmod(0)

    with pytest.raises(SourceError, match="cannot be read: Permission denied"):
        download(local(path), lake)


def test_a_file_that_grows_while_it_is_read_is_refused(tmp_path: Path, lake: Lake):
    path = tmp_path / "data.json"
    path.write_bytes(b"x" * 3_000_000)

    def append(_done: int, _total: int | None) -> None:
        with path.open("ab") as file:
            file.write(b"y")

    with pytest.raises(SourceChanged, match="changed while it was being read"):
        download(local(path), lake, progress=append)
    assert lake.keys("raw") == []


def test_a_write_that_fails_is_a_storage_error_and_leaves_no_receipt(tmp_path: Path, lake: Lake):
    path = tmp_path / "data.json"
    path.write_bytes(b"x" * 2_000_000)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, hard))
    try:
        with pytest.raises(StorageError, match=r"cannot write .*: File too large"):
            download(local(path), lake)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert lake.keys("raw") == []


def test_a_disk_without_room_is_noticed_before_the_copy(
    tmp_path: Path, lake: Lake, monkeypatch: pytest.MonkeyPatch
):
    path = tmp_path / "data.json"
    path.write_bytes(b"x" * 2_000_000)
    monkeypatch.setattr(
        "tasks.download.raw.shutil.disk_usage", lambda _: type("Usage", (), {"free": 1_999_999})()
    )

    with pytest.raises(StorageError, match=r"needs 2.0 MB, 2.0 MB are free"):
        download(local(path), lake)


def test_progress_counts_the_bytes_of_all_files(tmp_path: Path, lake: Lake):
    folder = folder_of(tmp_path, "a.json", "b.json")
    reports: list[tuple[int, int | None]] = []

    download(local(folder), lake, progress=lambda done, total: reports.append((done, total)))
    assert reports == [(17, 34), (34, 34)]

    reports.clear()
    download(local(folder), lake, progress=lambda done, total: reports.append((done, total)))
    assert reports[-1] == (34, 34)


def test_a_killed_download_leaves_no_receipt_and_the_next_one_succeeds(tmp_path: Path, lake: Lake):
    folder = folder_of(tmp_path, "a.json", "b.json")
    code = f"""
import os, signal
from pathlib import Path
from schemas.manifest import RawReceipt
from schemas.source import Source
from tasks.download.fetch import download
from tasks.lake import Lake
source = Source.model_validate_json({local(folder).model_dump_json()!r})
files = []
adopt = Lake.adopt
def adopt_once(self, path, key, sha256=None):
    if files:
        os.kill(os.getpid(), signal.SIGKILL)
    files.append(key)
    adopt(self, path, key)
Lake.adopt = adopt_once
download(source, Lake({str(lake.folder)!r}))
"""
    killed = subprocess.run([sys.executable, "-c", code], check=False, timeout=60)
    assert killed.returncode == -signal.SIGKILL
    assert len(lake.keys("raw")) == 1, "one of the two files, and no receipt"

    receipt = download(local(folder), lake)
    assert [file.name for file in receipt.files] == ["a.json", "b.json"]


def test_names_that_no_lake_can_keep_are_spelt_otherwise(tmp_path: Path, lake: Lake):
    folder = folder_of(tmp_path, "line\nbreak.json", "part#1", "a#1.json")

    receipt = download(local(folder), lake)

    assert [file.name for file in receipt.files] == ["a#1.json", "line_break.json", "part_1"]
    assert lake.keys(receipt.uri)
