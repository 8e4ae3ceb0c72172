"""File names that a lake can keep: safe, unique, and otherwise as upstream spells them."""

import re
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

RECEIPT = "receipt.json"
LISTED_NAMES = 30
MAX_NAME_BYTES = 200  # common file systems take 255; the rest is for a number and a suffix

_UNKEEPABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_UNSAFE_FROM_URL = re.compile(r'[/\\:*?"<>|]')
_TRAILING_NUMBER = re.compile(r"#(?=\d+$)")  # the object store keeps such names for itself


def kept_name(path: PurePosixPath) -> str:
    """A path as the lake keeps it: relative, for roots and `..` go, and with characters for keys.

    Control characters, which no key may have, become _.
    """
    parts = [part for part in path.parts if part not in (path.root, "..")]
    name = _UNKEEPABLE.sub("_", "/".join(parts))
    return _TRAILING_NUMBER.sub("_", name)


def name_from_url(url: str) -> str:
    """The last part of a URL's path as a plain file name; `data` where it has none."""
    last = urlsplit(url).path.rstrip("/").rsplit("/", 1)[-1]
    name = _UNSAFE_FROM_URL.sub("_", unquote(last, errors="replace")).strip(". ")
    return _shortened(kept_name(PurePosixPath(name))) if name else "data"


def unique_names(names: Iterable[str]) -> tuple[str, ...]:
    """The same names in the same order, a number put before the suffix of each that is taken.

    The receipt's own name is taken from the start.
    """
    taken = {RECEIPT}
    unique: list[str] = []
    for name in names:
        free, number = name, 1
        while free in taken:
            number += 1
            path = PurePosixPath(name)
            free = str(path.with_name(f"{path.stem}-{number}{path.suffix}"))
        taken.add(free)
        unique.append(free)
    return tuple(unique)


def is_hidden(path: PurePosixPath) -> bool:
    """Whether a part of a relative path starts with a dot."""
    return any(part.startswith(".") for part in path.parts)


def listing(names: Sequence[str]) -> str:
    """A sentence with the names that are there: the first LISTED_NAMES of them."""
    if not names:
        return "There is none at all."
    more = len(names) - LISTED_NAMES
    rest = f" and {more:,} more" if more > 0 else ""
    return f"There are: {', '.join(names[:LISTED_NAMES])}{rest}."


def _shortened(name: str) -> str:
    if len(name.encode()) <= MAX_NAME_BYTES:
        return name
    path = PurePosixPath(name)
    suffix = path.suffix if len(path.suffix.encode()) < MAX_NAME_BYTES // 2 else ""
    stem = name.removesuffix(suffix).encode()[: MAX_NAME_BYTES - len(suffix.encode())]
    return stem.decode(errors="ignore") + suffix
