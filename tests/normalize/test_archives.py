"""Archives: which members are read, in which order, and what is refused. All made in memory."""

import bz2
import contextlib
import gzip
import io
import json
import lzma
import pickle
import stat
import struct
import tarfile
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.errors import SourceEmpty, SourceError, SourceMissing
from schemas.manifest import RawReceipt
from tasks.lake import Lake
from tasks.normalize import unpack
from tasks.normalize.normalize import normalize
from tasks.normalize.plain import plain_files
from tasks.normalize.sample import first_records
from tests.normalize.lakes import normalized, receipt, source

Names = Iterable[tuple[str, bytes]]
Pack = Callable[[Names], bytes]


def row(text: str) -> bytes:
    return json.dumps({"instruction": f"Say {text}", "output": text}).encode() + b"\n"


def rows(count: int, first: int = 0) -> bytes:
    return b"".join(row(str(n * 7919 % 100_003)) for n in range(first, first + count))


def zipped(members: Names, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, raw in members:
            info = zipfile.ZipInfo(name)
            info.compress_type = method
            archive.writestr(info, raw)
    return buffer.getvalue()


def tarred(members: Names, form: int = tarfile.PAX_FORMAT) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as archive:
        for name, raw in members:
            info = tarfile.TarInfo(name)
            info.size = len(raw)
            archive.addfile(info, io.BytesIO(raw))
    return buffer.getvalue()


def zstd(raw: bytes) -> bytes:
    return bytes(pyarrow.compress(raw, "zstd", asbytes=True))


PACKS: dict[str, Pack] = {
    "zip": zipped,
    "zip, stored": lambda members: zipped(members, zipfile.ZIP_STORED),
    "zip, bzip2": lambda members: zipped(members, zipfile.ZIP_BZIP2),
    "zip, lzma": lambda members: zipped(members, zipfile.ZIP_LZMA),
    "tar": tarred,
    "tar, GNU": lambda members: tarred(members, tarfile.GNU_FORMAT),
    "tar, ustar": lambda members: tarred(members, tarfile.USTAR_FORMAT),
    "tar.gz": lambda members: gzip.compress(tarred(members)),
    "tar.bz2": lambda members: bz2.compress(tarred(members)),
    "tar.xz": lambda members: lzma.compress(tarred(members)),
    "tar.zst": lambda members: zstd(tarred(members)),
}
TWO: dict[str, Pack] = {name: PACKS[name] for name in ("zip", "tar.gz")}
both = pytest.mark.parametrize("pack", TWO.values(), ids=TWO)


def answers(folder: Path, raw: bytes, **fields: Any) -> list[str]:
    done = normalized(folder, {"bundle": raw}, source("alpaca", **fields))
    return [conversation[-1][1] for conversation in done.conversations]


@pytest.mark.parametrize("pack", PACKS.values(), ids=PACKS)
def test_members_are_read_sorted_by_name_and_the_ledger_names_them(
    pack: Pack, tmp_path: Path
) -> None:
    raw = pack([("b.jsonl", row("b")), ("a/z.json", row("a")), ("a/c.json", b"<html>")])

    done = normalized(tmp_path, {"bundle.x": raw}, source("alpaca", category="file"))

    assert done.records.select("source_row", "category").rows() == [(1, "z"), (2, "b")]
    (failed,) = done.ledger.to_dicts()
    assert (failed["file"], failed["source_row"]) == ("bundle.x/a/c.json", 0)


@both
def test_the_order_in_an_archive_does_not_matter(pack: Pack, tmp_path: Path) -> None:
    members = [(f"{n}.json", row(str(n))) for n in range(5)]

    one = normalized(tmp_path / "a", {"x": pack(members)}, source("alpaca"))
    other = normalized(tmp_path / "b", {"x": pack(members[::-1])}, source("alpaca"))

    assert other.records.equals(one.records)


@pytest.mark.parametrize(
    "inner", [gzip.compress, bz2.compress, lzma.compress, zstd], ids=["gz", "bz2", "xz", "zst"]
)
@both
def test_a_compressed_member_is_unpacked(
    pack: Pack, inner: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    done = normalized(
        tmp_path, {"x": pack([("a.jsonl.gz", inner(row("a")))])}, source("alpaca", category="file")
    )

    assert done.records["category"].to_list() == ["a"]


def test_utf16_and_parquet_members_are_read_as_files_are(tmp_path: Path) -> None:
    table = io.BytesIO()
    pl.DataFrame({"instruction": ["Say p"], "output": ["p"]}).write_parquet(table)
    raw = zipped([("a.txt", row("u").decode().encode("utf-16")), ("b", table.getvalue())])

    assert answers(tmp_path, raw) == ["u", "p"]


# fmt: off
WANTED = {  #                  members                                        read
    "everything":             (("**/*",),                                     ["a", "b", "c", "d"]),
    "one suffix":             (("**/*.json",),                                ["a", "c"]),
    "the top":                (("*",),                                        ["a", "b"]),
    "one folder":             (("x/*",),                                      ["c"]),
    "a folder and below":     (("x/**",),                                     ["c", "d"]),
    "a name":                 (("x/y/d.txt",),                                ["d"]),
    "several":                (("b.txt", "x/**/*.txt"),                       ["b", "d"]),
    "case counts":            (("**/*.json", "**/*.TXT"),                     ["a", "c"]),
    "a document by its name": (("README.md", "a.json"),                       ["r", "a"]),
}
# fmt: on


@pytest.mark.parametrize(("patterns", "read"), WANTED.values(), ids=WANTED)
@both
def test_what_members_matches_is_read(
    pack: Pack, patterns: tuple[str, ...], read: list[str], tmp_path: Path
) -> None:
    members = {"a.json": "a", "b.txt": "b", "./x/c.json": "c", "x/y/d.txt": "d", "README.md": "r"}
    raw = pack((name, row(text)) for name, text in members.items())

    assert answers(tmp_path, raw, members=patterns) == read


@pytest.mark.parametrize(
    "name",
    [
        "__MACOSX/._a.json",
        ".DS_Store",
        "x/.hidden/a.json",
        "Thumbs.db",
        "README",
        "x/readme.md",
        "LICENSE.txt",
        "LICENCE",
        "CITATION.cff",
        "license-apache.txt",
    ],
)
@both
def test_litter_and_documents_are_passed_over(pack: Pack, name: str, tmp_path: Path) -> None:
    done = normalized(
        tmp_path, {"x": pack([(name, b"no data"), ("a.json", row("a"))])}, source("alpaca")
    )

    assert (done.manifest.rows_in, done.manifest.rows_out) == (1, 1)


@pytest.mark.parametrize("name", ["readme.jsonl", "x/citations.json", "relicensed.txt", "a.md"])
@both
def test_what_might_be_data_is_never_passed_over(pack: Pack, name: str, tmp_path: Path) -> None:
    assert answers(tmp_path, pack([(name, row("a"))])) == ["a"]


@pytest.mark.parametrize(
    ("raw", "found"),
    [
        (zipped([]), "There is none at all."),
        (zipped([("a.txt", b"x"), ("README.md", b"x")]), "There are: 'README.md', 'a.txt'."),
        (tarred([("a.txt", b"x"), ("README.md", b"x")]), "There are: 'README.md', 'a.txt'."),
        (zipped((f"{n:02}", b"") for n in range(32)), "'29' and 2 more."),
    ],
    ids=["an empty zip", "a zip of others", "a tar of others", "many"],
)
def test_an_archive_without_a_wanted_member_says_what_there_is(
    raw: bytes, found: str, tmp_path: Path
) -> None:
    with pytest.raises(SourceMissing) as raised:
        normalized(tmp_path, {"x.zip": raw}, source("alpaca", members=("data/*.json",)))

    said = str(raised.value)
    assert "x.zip matches 'data/*.json'" in said
    assert found in said
    assert "`members` in the source file corpus.yaml" in said


HOSTILE = [
    "/etc/passwd",
    "../a.json",
    "a/../../b.json",
    "a/..",
    "C:\\a.json",
    "c:a.json",
    "..\\a.json",
    "\\a.json",
    "\\\\host\\share\\a.json",
]


@pytest.mark.parametrize("name", HOSTILE)
@both
def test_a_name_that_leaves_the_folder_refuses_the_whole_archive(
    pack: Pack, name: str, tmp_path: Path
) -> None:
    raw = pack([("a.json", row("a")), (name, row("b"))])

    with pytest.raises(SourceError) as raised:
        normalized(tmp_path, {"x.zip": raw}, source("alpaca", members=("a.json",)))

    said = str(raised.value)
    assert repr(name) in said
    assert "x.zip" in said
    assert "nothing of the archive was read" in said
    assert not list(tmp_path.rglob("passwd"))


@pytest.mark.parametrize("name", ["a..json", "..a/b.json", "x/...json", "a:b.json"[1:]])
def test_a_name_with_dots_that_stays_inside_is_no_harm(name: str, tmp_path: Path) -> None:
    raw = zipped([(name, row("a")), ("z.json", row("z"))])

    assert answers(tmp_path, raw)[-1] == "z"


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (tarfile.SYMTYPE, "a symbolic link, which is not followed"),
        (tarfile.LNKTYPE, "a hard link, which is not followed"),
        (tarfile.CHRTYPE, "a device or pipe, which is not read"),
        (tarfile.BLKTYPE, "a device or pipe, which is not read"),
        (tarfile.FIFOTYPE, "a device or pipe, which is not read"),
    ],
    ids=["symbolic link", "hard link", "character device", "block device", "pipe"],
)
def test_what_is_no_regular_file_in_a_tar_is_a_ledger_row(
    kind: bytes, message: str, tmp_path: Path
) -> None:
    secret = tmp_path / "secret.json"
    secret.write_bytes(row("secret"))
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        info = tarfile.TarInfo("a.json")
        info.type = kind
        info.linkname = str(secret)
        archive.addfile(info)
        info = tarfile.TarInfo("b.json")
        info.size = len(row("b"))
        archive.addfile(info, io.BytesIO(row("b")))

    done = normalized(tmp_path, {"x.tar": buffer.getvalue()}, source("alpaca"))

    assert [turns[-1][1] for turns in done.conversations] == ["b"]
    assert done.ledger.select("file", "message").rows() == [("x.tar/a.json", message)]


@pytest.mark.parametrize(
    ("mode", "message"),
    [(stat.S_IFLNK, "a symbolic link"), (stat.S_IFIFO, "a device"), (stat.S_IFCHR, "a device")],
)
def test_what_is_no_regular_file_in_a_zip_is_a_ledger_row(
    mode: int, message: str, tmp_path: Path
) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        info = zipfile.ZipInfo("a.json")
        info.external_attr = (mode | 0o777) << 16
        archive.writestr(info, "/etc/passwd")
        archive.writestr("b.json", row("b"))

    done = normalized(tmp_path, {"x.zip": buffer.getvalue()}, source("alpaca"))

    assert done.records.height == 1
    assert done.ledger["message"].item().startswith(message)


def test_members_of_one_name_are_all_read_and_numbered(tmp_path: Path) -> None:
    raw = tarred([("a.json", row("1")), ("a.json", b"<b>"), ("./a.json", b"<c>")])

    done = normalized(tmp_path, {"x": raw}, source("alpaca", category="file"))

    assert done.records["category"].to_list() == ["a"]
    assert done.ledger["file"].to_list() == ["x/a.json#2", "x/a.json#3"]


@both
def test_a_pickle_in_an_archive_is_never_loaded(pack: Pack, tmp_path: Path) -> None:
    class Hostile:
        def __reduce__(self) -> Any:
            return (Path.touch, (tmp_path / "ran",))

    members = [(f"{n}.bin", pickle.dumps(Hostile(), protocol=n)) for n in range(2, 6)]
    members += [("x/z.pkl", pickle.dumps(Hostile(), protocol=0)), ("y.json", row("y"))]

    done = normalized(tmp_path, {"x": pack(members)}, source("alpaca"))

    assert done.ledger.height == 5
    assert done.ledger["message"].str.starts_with("a pickle, which could run code").all()
    assert done.records.height == 1
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("inner", PACKS.values(), ids=PACKS)
@both
def test_an_archive_inside_an_archive_is_a_ledger_row(
    pack: Pack, inner: Pack, tmp_path: Path
) -> None:
    raw = pack([("a.dat", inner([("a.json", row("a"))])), ("b.json", row("b"))])

    done = normalized(tmp_path, {"x": raw}, source("alpaca"))

    assert done.records.height == 1
    (failed,) = done.ledger.to_dicts()
    assert failed["file"] == "x/a.dat"
    assert failed["message"].startswith("an archive inside an archive")


def test_an_encrypted_member_is_a_ledger_row(tmp_path: Path) -> None:
    raw = bytearray(zipped([("a.json", row("a")), ("b.json", row("b"))]))
    for signature, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        raw[raw.index(signature) + flags] |= 1

    done = normalized(tmp_path, {"x.zip": bytes(raw)}, source("alpaca"))

    assert done.records.height == 1
    (failed,) = done.ledger.to_dicts()
    assert failed["file"] == "x.zip/a.json"
    assert failed["message"].startswith("encrypted: unpack it with its password")


def test_a_source_of_encrypted_members_alone_says_so(tmp_path: Path) -> None:
    raw = bytearray(zipped([("a.json", row("a"))]))
    raw[raw.index(b"PK\x01\x02") + 8] |= 1

    with pytest.raises(SourceEmpty, match=r"the first in x\.zip/a\.json: encrypted"):
        normalized(tmp_path, {"x.zip": bytes(raw)}, source("alpaca"))


def test_an_unknown_compression_method_is_a_ledger_row(tmp_path: Path) -> None:
    raw = bytearray(zipped([("a.json", row("a")), ("b.json", row("b"))]))
    raw[raw.index(b"PK\x01\x02") + 10] = 9

    done = normalized(tmp_path, {"x.zip": bytes(raw)}, source("alpaca"))

    assert done.records.height == 1
    assert "its compression method 9 is not known" in done.ledger["message"].item()


def test_a_damaged_member_keeps_its_rows_and_leaves_its_neighbours_alone(tmp_path: Path) -> None:
    raw = zipped([("a.json", rows(50)), ("b.json", row("b"))], zipfile.ZIP_STORED)
    raw = raw.replace(b'"Say 7919"', b'"Say 7918"', 1)

    done = normalized(tmp_path, {"x.zip": raw}, source("alpaca"))

    assert done.records.height == 51
    (failed,) = done.ledger.to_dicts()
    assert failed["message"].startswith("the member is damaged: expected CRC-32")
    assert (failed["offset"], failed["source_row"]) == (len(rows(50)), 50)


@pytest.mark.parametrize("claim", [0, 7, 2**31], ids=["nothing", "less", "more"])
def test_a_size_that_a_header_lies_about_loses_nothing(claim: int, tmp_path: Path) -> None:
    raw = bytearray(zipped([("a.json", rows(50))]))
    struct.pack_into("<I", raw, raw.index(b"PK\x01\x02") + 24, claim)
    struct.pack_into("<I", raw, 22, claim)

    assert len(answers(tmp_path, bytes(raw))) == 50


@pytest.mark.parametrize(
    "cut",
    [lambda raw: raw[: len(raw) // 2], lambda raw: raw[:4] + b"\0" * 200, lambda raw: raw[:-30]],
    ids=["half", "only a beginning", "without the listing's end"],
)
def test_a_zip_without_its_listing_is_a_ledger_row(
    cut: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    raw = cut(zipped([("a.json", rows(99))]))

    done = normalized(tmp_path, {"x.zip": raw, "y.json": row("y")}, source("alpaca"))

    (failed,) = done.ledger.to_dicts()
    assert failed["file"] == "x.zip"
    assert failed["message"].startswith("the archive is damaged")


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["tar", "tar.gz"])
def test_a_tar_that_is_cut_keeps_the_rows_before(
    pack: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    plain = tarred([("a.json", rows(3000)), ("b.json", rows(3000, 3000)), ("c.json", row("c"))])
    raw = pack(plain)

    done = normalized(tmp_path, {"x.tar": raw[: len(raw) * 3 // 4]}, source("alpaca"))

    assert 3000 < done.records.height < 6000
    files = done.ledger["file"].to_list()
    assert files[-2:] == ["x.tar/b.json", "x.tar"]
    assert "damaged" in done.ledger["message"].to_list()[-1]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda raw: raw[:1024] + b"?" * 512 + raw[1536:], "no member's header at byte 1024"),
        (lambda raw: raw[:2048], "it ends at byte 2048 without its end marker"),
    ],
    ids=["a header", "the end"],
)
def test_a_tar_whose_headers_are_damaged_says_that_members_are_missing(
    spoil: Callable[[bytes], bytes], message: str, tmp_path: Path
) -> None:
    raw = spoil(tarred([("a.json", row("a")), ("b.json", row("b"))]))

    done = normalized(tmp_path, {"x.tar": raw}, source("alpaca"))

    assert done.records.height >= 1
    assert message in done.ledger["message"].item()


@both
def test_all_members_together_are_held_against_the_bounds(
    pack: Pack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unpack, "UNSUSPECTED_BYTES", 1 << 20)
    raw = pack((f"{n}.json", b" " * 300_000) for n in range(4))

    with pytest.raises(SourceError, match=r"x has [\d,]+ bytes, .* raise unpacking\.max_ratio"):
        normalized(tmp_path, {"x": raw}, source("alpaca"))


def test_entries_that_overlap_are_counted_for_what_comes_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unpack, "UNSUSPECTED_BYTES", 1 << 20)
    one = zipped([("a.json", b" " * 100_000)])
    listing = one.index(b"PK\x01\x02")
    entry = one[listing : one.index(b"PK\x05\x06")]
    end = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, 60, 60, 60 * len(entry), listing, 0)

    with pytest.raises(SourceError, match=r"may be a decompression bomb"):
        normalized(tmp_path, {"x": one[:listing] + entry * 60 + end}, source("alpaca"))


def test_holes_of_a_sparse_member_count_as_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unpack, "UNSUSPECTED_BYTES", 1 << 20)
    header = bytearray(tarfile.TarInfo("a.json").tobuf(tarfile.GNU_FORMAT))
    header[156:157] = tarfile.GNUTYPE_SPARSE
    header[483:495] = b"%011o\0" % (1 << 33)
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)

    with pytest.raises(SourceError, match=r"may be a decompression bomb"):
        normalized(tmp_path, {"x": bytes(header) + b"\0" * 1024}, source("alpaca"))


def tar_header(**fields: Any) -> bytes:
    """A header as no honest archiver writes it, with a right checksum."""
    info = tarfile.TarInfo("a.json")
    raw = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    raw[156:157] = fields.get("type", tarfile.REGTYPE)
    raw[124:136] = fields["size"]
    raw[148:156] = b" " * 8
    raw[148:156] = b"%06o\0 " % sum(raw)
    return bytes(raw)


MINUS_1024 = b"\xff" * 10 + b"\xfc\0"
# fmt: off
FORGED = {  #                       headers                                                          message
    "a size below nought":         (tar_header(size=MINUS_1024),                                     "has a negative size"),
    "a name of negative size":     (tar_header(size=MINUS_1024, type=tarfile.GNUTYPE_LONGNAME),      "claims -1024 bytes"),
    "a name of a gigabyte":        (tar_header(size=b"%011o\0" % 2**30, type=tarfile.XHDTYPE),       "claims 1073741824 bytes"),
    "names of names without end":  (tar_header(size=b"0" * 11 + b"\0", type=tarfile.GNUTYPE_LONGNAME) * 3000, "recursion"),
}
# fmt: on


@pytest.mark.parametrize(("headers", "message"), FORGED.values(), ids=FORGED)
def test_forged_headers_of_a_tar_neither_hang_nor_fill_the_memory(
    headers: bytes, message: str, tmp_path: Path
) -> None:
    raw = tarred([("b.json", row("b"))])[:1024] + headers + b"\0" * 2048

    done = normalized(tmp_path, {"x": raw}, source("alpaca"))

    assert done.records.height == 1
    assert message in done.ledger["message"].to_list()[-1]


def test_a_file_that_holds_itself_ends(tmp_path: Path) -> None:
    raw = b""
    for _ in range(5):
        raw = zipped([("a.zip", raw), ("b.json", row("b"))])

    done = normalized(tmp_path, {"x.zip": raw}, source("alpaca"))

    assert (done.records.height, done.ledger.height) == (1, 1)


def test_a_name_that_is_not_utf8_is_shown_all_the_same(tmp_path: Path) -> None:
    raw = tarred([("\udce9.json", b"<a>"), ("b.json", row("b"))], tarfile.GNU_FORMAT)

    done = normalized(tmp_path, {"x": raw}, source("alpaca"))

    assert done.ledger["file"].item() == "x/\ufffd.json"


def test_the_first_records_are_those_of_normalize_and_no_file_is_left(tmp_path: Path) -> None:
    raw = zipped([("a.json", row("a") + b"oops\n" + row("b")), ("b.json", row("c") + b"oops\n")])
    lake = Lake(str(tmp_path / "sampled"))
    got: RawReceipt = receipt(lake, {"x.zip": raw, "y.json": row("y")})
    whole = normalized(tmp_path, {"x.zip": raw, "y.json": row("y")}, source("alpaca"))

    # fmt: off
    kept = {  # records, ledger rows
        1: (1, 0), 2: (2, 1), 3: (3, 1), 4: (4, 2), 9: (4, 2),
    }
    # fmt: on
    for count, (records, failed) in kept.items():
        sample = first_records(got, source("alpaca"), lake, count)
        assert sample.records.equals(whole.records.head(records)), count
        assert sample.ledger.height == failed or count == 3, count
    assert not list((tmp_path / "sampled" / "tmp").iterdir())
    assert not lake.keys("stages")


BYTES = st.binary(max_size=12)


@given(st.sampled_from(sorted(PACKS)), st.data())
@settings(max_examples=60, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
def test_no_damage_to_an_archive_breaks_the_stage(
    tmp_path_factory: pytest.TempPathFactory, kind: str, data: st.DataObject
) -> None:
    raw = PACKS[kind]([("a.json", rows(20)), ("b/c.json", rows(5, 20))])
    start = data.draw(st.integers(0, len(raw)))
    raw = raw[:start] + data.draw(BYTES) + raw[start + data.draw(st.integers(0, 40)) :]
    folder = tmp_path_factory.mktemp("damaged")
    lake = Lake(str(folder))
    got = receipt(lake, {"x": raw, "y": row("y")})

    with contextlib.suppress(SourceError):
        done = normalize(got, source("alpaca"), lake, 100)
        assert done.rows_out >= 1
        names = [plain.name for plain in plain_files(got, source("alpaca"), lake)]
        assert names[-1] == "y"
