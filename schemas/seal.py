"""The seal of a manifest: by it one that was edited, or lost a bit, is told from what was written.

A manifest names the digests of all other files; nothing outside it names its own. So it carries the
SHA-256 of its own bytes, taken while the seal's digits are zeros:

    sed 's/"seal": "[0-9a-f]*"/"seal": "0000…"/' manifest.json | sha256sum
"""

import hashlib
import json

UNSEALED = "0" * 64
SEALED_WITH = "data_columns"
"""Key of a corpus manifest that is as old as seals are."""


def sealed(data: bytes) -> bytes:
    """The bytes of a manifest whose seal is `UNSEALED`, with its seal in that place."""
    return data.replace(_line(UNSEALED), _line(hashlib.sha256(data).hexdigest()), 1)


def is_intact(data: bytes, seal: str | None) -> bool:
    """Whether a manifest's bytes are those that were sealed; `seal` was read from them.

    A corpus manifest that says which columns its shards have was sealed when it was written: with
    no seal it was edited. One of an older Winnow says nothing of columns, and is taken as it is.
    """
    if seal is None:
        return not json.loads(data).get(SEALED_WITH)
    before = data.replace(_line(seal), _line(UNSEALED), 1)
    return hashlib.sha256(before).hexdigest() == seal


def _line(seal: str) -> bytes:
    return f'"seal": "{seal}"'.encode()
