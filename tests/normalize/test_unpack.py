"""Compressed files: known by content, read to the last stream, bounded, and salvaged when cut."""

import bz2
import errno
import gzip
import io
import json
import lzma
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow
import pytest

from schemas.errors import SourceError
from schemas.manifest import RawFile, RawReceipt
from tasks.lake import Lake
from tasks.normalize import unpack
from tasks.normalize.normalize import normalize
from tasks.normalize.plain import plain_files, stem
from tests.normalize.lakes import normalized, receipt, source

SKIPPABLE = b"\x50\x2a\x4d\x18\x04\0\0\0abcd"


def zstd(raw: bytes) -> bytes:
    return bytes(pyarrow.compress(raw, "zstd", asbytes=True))


def old_lzma(raw: bytes) -> bytes:
    return lzma.compress(raw, lzma.FORMAT_ALONE)


def lines(count: int, first: int = 0) -> bytes:
    rows = (
        {"instruction": f"Say {n * 7919 % 100_003}", "output": f"{n**3 % 99_991} it is"}
        for n in range(first, first + count)
    )
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "lzma": old_lzma,
    "Zstandard": zstd,
}


@pytest.mark.parametrize("pack", PACKERS.values(), ids=PACKERS)
@pytest.mark.parametrize("name", ["rows.json", "rows.gz"])
def test_what_compressed_a_file_its_content_says(
    pack: Callable[[bytes], bytes], name: str, tmp_path: Path
) -> None:
    done = normalized(tmp_path, {name: pack(lines(30))}, source("alpaca"))

    assert done.records.height == 30
    assert done.ledger.is_empty()


# fmt: off
SEVERAL = {
    "gzip members":               gzip.compress(lines(20)) + gzip.compress(lines(10, 20)),
    "gzip, padded":               gzip.compress(lines(20)) + gzip.compress(lines(10, 20)) + b"\0" * 1000,
    "bzip2 streams":              bz2.compress(lines(20)) + bz2.compress(lines(10, 20)),
    "xz streams with padding":    lzma.compress(lines(20)) + b"\0" * 8 + lzma.compress(lines(10, 20)) + b"\0" * 4,
    "Zstandard frames":           zstd(lines(20)) + SKIPPABLE + zstd(lines(10, 20)),
    "Zstandard, a note first":    SKIPPABLE + zstd(lines(30)),
    "an empty member in between": gzip.compress(lines(20)) + gzip.compress(b"") + gzip.compress(lines(10, 20)),
}
# fmt: on


@pytest.mark.parametrize("raw", SEVERAL.values(), ids=SEVERAL)
def test_every_stream_of_a_file_is_read(raw: bytes, tmp_path: Path) -> None:
    done = normalized(tmp_path, raw, source("alpaca"))

    assert done.records.height == 30
    assert done.ledger.is_empty()


@pytest.mark.parametrize("pack", PACKERS.values(), ids=PACKERS)
def test_the_rows_before_a_cut_survive_and_one_ledger_row_says_where(
    pack: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    plain = lines(30_000)
    packed = pack(plain)

    done = normalized(tmp_path, packed[: int(len(packed) * 0.8)], source("alpaca"))

    said = done.ledger.filter(done.ledger["message"].str.contains("compressed file is damaged"))
    kept = said["offset"].item()
    assert len(plain) // 3 < kept < len(plain)
    whole = plain[:kept].count(b"\n")
    assert done.records.height == whole
    assert done.ledger.height == 1 + (not plain[:kept].endswith(b"\n"))


@pytest.mark.parametrize("pack", PACKERS.values(), ids=PACKERS)
def test_the_rows_before_flipped_bytes_survive(
    pack: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    packed = bytearray(pack(lines(5_000)) + pack(lines(20_000, 5_000)))
    start = len(packed) * 3 // 4
    packed[start : start + 64] = b"\xff" * 64

    done = normalized(tmp_path, bytes(packed), source("alpaca"))

    assert done.records.height >= 5_000
    assert "is damaged" in done.ledger["message"].to_list()[-1]


def test_bytes_behind_a_whole_stream_are_not_lost_without_a_word(tmp_path: Path) -> None:
    done = normalized(tmp_path, bz2.compress(lines(9)) + b"and more", source("alpaca"))

    assert done.records.height == 9
    assert "the compressed file is damaged" in done.ledger["message"].item()


@pytest.mark.parametrize(
    "raw",
    [b"BZh is a text, and this a row\n", b"]\0\0\0\0 is one too", b"(\xb5/ no frame"],
    ids=["bzip2", "lzma", "Zstandard"],
)
def test_a_file_that_only_begins_like_a_compressed_one_is_not_unpacked(
    raw: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "raw"
    path.write_bytes(raw)
    allowance = unpack.Allowance("x", 1, source("alpaca"))

    assert unpack.unpack(path, tmp_path / "plain", allowance) == (path, None)


@pytest.mark.parametrize("pack", PACKERS.values(), ids=PACKERS)
def test_a_bomb_is_refused_with_its_numbers_and_the_key_to_raise(
    pack: Callable[[bytes], bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unpack, "UNSUSPECTED_BYTES", 1 << 20)
    packed = pack(b" " * (8 << 20))

    with pytest.raises(SourceError) as raised:
        normalized(tmp_path, packed, source("alpaca"))

    said = str(raised.value)
    assert f"rows.json has {len(packed):,} bytes" in said
    assert "unpacking.max_ratio in the source file corpus.yaml" in said
    assert not list((tmp_path / "lake" / "tmp").iterdir())


# fmt: off
BOUNDS = {  #                    max_ratio  max_bytes  unsuspected  refused for
    "at the ratio":            (    10,      10**9,        0,     None),
    "over the ratio":          (     9.9,    10**9,        0,     "max_ratio"),
    "small, whatever ratio":   (     1,      10**9,     1000,     None),
    "over the small":          (     1,      10**9,      999,     "max_ratio"),
    "at the size":             (  10**9,      1000,        0,     None),
    "over the size":           (  10**9,       999,        0,     "max_bytes"),
}
# fmt: on


@pytest.mark.parametrize(("ratio", "size", "small", "key"), BOUNDS.values(), ids=BOUNDS)
def test_what_came_out_is_held_against_both_bounds(
    ratio: float, size: int, small: int, key: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unpack, "UNSUSPECTED_BYTES", small)
    made_of = source("alpaca", unpacking={"max_ratio": ratio, "max_bytes": size})
    allowance = unpack.Allowance("a.gz", 100, made_of)
    allowance.take(500)

    if key is None:
        allowance.take(500)
    else:
        with pytest.raises(SourceError, match=rf"1,000 came out of it .* unpacking\.{key} "):
            allowance.take(500)


def test_a_higher_bound_lets_a_file_of_like_rows_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unpack, "UNSUSPECTED_BYTES", 1 << 16)
    packed = gzip.compress(b'{"instruction": "a", "output": "b"}\n' * 20_000)

    with pytest.raises(SourceError):
        normalized(tmp_path / "a", packed, source("alpaca"))
    done = normalized(tmp_path / "b", packed, source("alpaca", unpacking={"max_ratio": 1000}))

    assert done.records.height == 20_000


@pytest.mark.parametrize("pack", PACKERS.values(), ids=PACKERS)
def test_no_decoder_hands_on_more_than_a_step_at_once(pack: Callable[[bytes], bytes]) -> None:
    packed = io.BytesIO(pack(b"a" * (8 << 20)))
    codec = unpack.codec_of(packed.getvalue())

    assert codec is not None
    assert max(map(len, codec(packed))) <= unpack.STEP_BYTES


def test_a_window_that_would_take_gigabytes_is_damage(tmp_path: Path) -> None:
    greedy = lzma.compress(
        lines(10), filters=[{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 30, "preset": 0}]
    )

    done = normalized(tmp_path, {"a": greedy, "b": lines(1)}, source("alpaca"))

    assert "Memory usage limit" in done.ledger["message"].item()


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (gzip.compress(gzip.compress(lines(3))), "compressed more than once"),
        (b"\x80\x04\x95\x10\0\0\0", "a pickle, which could run code"),
        (gzip.compress(b"\x80\x02}q\0."), "a pickle, which could run code"),
        (b"Rar!\x1a\x07\x01\0", "a RAR archive"),
        (b"7z\xbc\xaf\x27\x1c\0\x04", "a 7-Zip archive"),
    ],
    ids=["twice", "a pickle", "a compressed pickle", "RAR", "7-Zip"],
)
def test_what_is_never_read_is_a_ledger_row(raw: bytes, message: str, tmp_path: Path) -> None:
    done = normalized(tmp_path, {"a.json": raw, "b.json": lines(2)}, source("alpaca"))

    (failed,) = done.ledger.to_dicts()
    assert failed["message"].startswith(message)
    assert (failed["file"], failed["source_row"]) == ("a.json", 0)
    assert done.records["source_row"].to_list() == [1, 2]


def test_a_pickle_under_its_own_name_is_not_read_even_if_it_is_text(tmp_path: Path) -> None:
    done = normalized(
        tmp_path, {"a.pkl": b"cos\nsystem\n(S'true'\ntR.", "b": lines(1)}, source("alpaca")
    )

    assert "a pickle" in done.ledger["message"].item()


@pytest.mark.parametrize("suffix", ["gz", "bz2", "xz", "lzma", "zst"])
def test_the_category_of_a_compressed_file_is_the_name_of_what_is_in_it(suffix: str) -> None:
    assert stem(f"full/code.v1.jsonl.{suffix}") == "code.v1"


def test_a_disk_without_room_for_the_plain_bytes_is_a_storage_error(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    got = receipt(lake, {"a.gz": gzip.compress(lines(40_000))})
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000));"
        "from schemas.errors import StorageError; from schemas.manifest import RawReceipt;"
        "from tasks.lake import Lake; from tasks.normalize.plain import plain_files;"
        "from tests.normalize.lakes import source\n"
        f"got = RawReceipt.model_validate_json({got.model_dump_json()!r})\n"
        f"try: list(plain_files(got, source('alpaca'), Lake({str(tmp_path)!r})))\n"
        "except StorageError as error: print(error)"
    )

    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert run.stderr == ""
    assert "File too large" in run.stdout
    assert "run it again" in run.stdout


def test_a_disk_that_fails_while_it_is_read_is_no_damage_of_the_file(tmp_path: Path) -> None:
    def failing() -> Iterator[bytes]:
        yield b"a"
        raise OSError(errno.EIO, "Input/output error")

    with pytest.raises(OSError, match="Input/output error"):
        unpack.pour(failing(), tmp_path / "a", unpack.Allowance("a", 1, source("alpaca")))


def test_a_raw_file_in_a_bucket_is_copied_piece_by_piece() -> None:
    bucket = Lake("memory:///")
    got = receipt(bucket, {"a.json.gz": gzip.compress(lines(5)), "b.json": lines(3)})

    read = [
        (plain.name, plain.path.read_bytes() if plain.path else b"")
        for plain in plain_files(got, source("alpaca"), bucket)
    ]

    assert read == [("a.json.gz", lines(5)), ("b.json", lines(3))]


def test_nothing_is_left_of_what_was_unpacked(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    got: RawReceipt = receipt(lake, {"a.json": gzip.compress(lines(5))})
    assert isinstance(got.files[0], RawFile)

    normalize(got, source("alpaca"), lake, 10)

    assert not list((tmp_path / "tmp").iterdir())
