"""SHA-256 of files and of values: what everything Winnow keeps is named and checked by."""

import hashlib
import json
from pathlib import Path
from typing import Any


def sha256_of(path: Path) -> str:
    """SHA-256 of a local file's bytes, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest_of(value: Any) -> str:
    """SHA-256 of a JSON-able value in canonical form: sorted keys, no spaces, UTF-8.

    A lone surrogate, which UTF-8 has no place for, counts as its three bytes in WTF-8.
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
