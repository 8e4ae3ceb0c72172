"""Memory does not grow with the file: big files beside small ones, each in its own process.

Windows and shards are made small, so that what they take is little beside the files. The peak is
the system's VmHWM: `ru_maxrss` of a process begins with that of the one that started it.
"""

import hashlib
import io
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from schemas.manifest import RawFile, RawReceipt

NORMALIZE = r"""
import re, sys
from pathlib import Path
from schemas.manifest import RawReceipt
from tasks.lake import Lake
from tasks.normalize import json_rows
from tasks.normalize.normalize import normalize
from tests.normalize.lakes import source
json_rows.WINDOW_BYTES = 1 << 20
receipt = RawReceipt.model_validate_json(Path(sys.argv[2]).read_text())
done = normalize(receipt, source("alpaca"), Lake(sys.argv[1]), 1000)
peak_kb = re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1]
print(done.rows_out, int(peak_kb) // 1000)
"""
pytestmark = pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="this system does not tell a process its peak"
)
SMALL_MB, BIG_MB = 4, 64  # of text
ROW = '{"instruction": "Say %d", "input": "%s", "output": "%s"}'
WORDS = ["一个", "quiet", "word,", "and", "another", "42", ""]


def rows(megabytes: int) -> list[str]:
    count = megabytes * 1_000_000 // 1_100
    return [
        ROW % (n, " ".join(WORDS[n % 5 :] * (n % 7)), f"{n * 7919} " * 100) for n in range(count)
    ]


def pretty_array(megabytes: int) -> bytes:
    return "[\n{}\n]".format(",\n".join(rows(megabytes)).replace(', "', ',\n    "')).encode()


def zipped_lines(megabytes: int) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("a.json", "\n".join(rows(megabytes)))
    return buffer.getvalue()


def peak_mb(lake: Path, raw: bytes) -> tuple[int, int]:
    """The records of a file and the most memory that the process took which normalised it."""
    sha256 = hashlib.sha256(raw).hexdigest()
    folder = lake / "raw" / "corpus"
    folder.mkdir(parents=True)
    (folder / "rows").write_bytes(raw)
    files = (RawFile(name="rows", sha256=sha256, size_bytes=len(raw)),)
    got = RawReceipt(
        source="corpus", uri="raw/corpus", digest=sha256, upstream="a test", files=files
    )
    (lake / "receipt.json").write_text(got.model_dump_json())
    command = [sys.executable, "-c", NORMALIZE, str(lake), str(lake / "receipt.json")]
    records, peak = subprocess.run(command, capture_output=True, check=True).stdout.split()
    return int(records), int(peak)


@pytest.fixture(scope="module")
def small_mb(tmp_path_factory: pytest.TempPathFactory) -> int:
    """What a small file takes, compiled kernels and libraries included."""
    return peak_mb(tmp_path_factory.mktemp("small"), pretty_array(SMALL_MB))[1]


@pytest.mark.parametrize("form", [pretty_array, zipped_lines])
def test_a_file_sixteen_times_as_big_takes_little_more_memory(
    form: Callable[[int], bytes], small_mb: int, tmp_path: Path
) -> None:
    records, peak = peak_mb(tmp_path, form(BIG_MB))

    assert records == len(rows(BIG_MB))
    assert peak - small_mb < 2 * BIG_MB, f"{small_mb} MB of a small file, {peak} MB of a big one"
