"""Digests: of bytes, and of values whatever order their keys are in."""

import hashlib
from pathlib import Path

import pytest

from schemas.digests import digest_of, sha256_of

# fmt: off
VALUES = {                # value                 canonical bytes
    "order of keys":     ({"b": [2], "a": 1},    b'{"a":1,"b":[2]}'),
    "beyond ASCII":      ("你",                   b'"\xe4\xbd\xa0"'),
    "lone surrogate":    ("\ud83d",              b'"\xed\xa0\xbd"'),
}
# fmt: on


@pytest.mark.parametrize(("value", "canonical"), VALUES.values(), ids=VALUES)
def test_a_value_is_digested_in_canonical_form(value: object, canonical: bytes) -> None:
    assert digest_of(value) == hashlib.sha256(canonical).hexdigest()


def test_a_file_is_digested_by_its_bytes(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"\x00\xff")
    assert sha256_of(tmp_path / "file") == hashlib.sha256(b"\x00\xff").hexdigest()
