"""What is served in the place of data: pages, errors, pointers, nothing; by its first bytes."""

import codecs
import json
from pathlib import PurePosixPath
from urllib.parse import urlsplit

from schemas.errors import SourceError

SNIFFED_BYTES = 4096
PAGE_SUFFIXES = frozenset({".html", ".htm", ".xhtml"})
MARKUP_SUFFIXES = PAGE_SUFFIXES | {".xml", ".txt", ".md"}  # in which markup may be content
LFS_POINTER = b"version https://git-lfs.github.com/spec/v1"

_PAGE = (b"<!doctype html", b"<html")
_XML = b"<?xml"
_XML_ERROR = (b"<error", b"<code")
_ERROR_KEYS = ("error", "errors")
_SAID = ("message", "detail")
_WITH_SAID = ("status", "status_code", "code", "documentation_url")
_RAW_HOST = "raw.githubusercontent.com"
_MEDIA_HOST = "media.githubusercontent.com/media"


def served_instead(start: bytes, name: str, size_bytes: int) -> str | None:
    """What a file is that is no data, by its first SNIFFED_BYTES; None where it may be data."""
    if size_bytes == 0:
        return "nothing (0 bytes)"
    if is_lfs_pointer(start):
        return "a Git LFS pointer"
    text = start.removeprefix(codecs.BOM_UTF8).lstrip().lower()
    if PurePosixPath(name).suffix.lower() not in MARKUP_SUFFIXES:
        if text.startswith(_PAGE):
            return "a web page (it starts with <html>)"
        if text.startswith(_XML) and all(tag in text for tag in _XML_ERROR):
            return "an error in XML, as buckets give it"
    if size_bytes <= SNIFFED_BYTES and _is_json_error(start):
        return "an error in JSON"
    return None


def is_lfs_pointer(start: bytes) -> bool:
    """Whether a file is what Git keeps of one that is stored elsewhere."""
    return start.startswith(LFS_POINTER)


def not_data(what: str, found: str, source: str, url: str = "") -> SourceError:
    """The error for something else where data should be; `what` is how the message starts."""
    next_step = "Open it in a browser: it may want a login or link to the file itself. Correct"
    if "LFS" in found:
        parts = urlsplit(url)
        there = "LFS storage"
        if parts.hostname == _RAW_HOST:
            there = f"https://{_MEDIA_HOST}{parts.path}"
        next_step = f"The file itself is in {there}. Put its URL into"
    return SourceError(
        f"{what} answered 200 with {found}, expected data. {next_step} http.urls in the source's "
        f"file, or give a copy with --from {source}=PATH."
    )


def _is_json_error(text: bytes) -> bool:
    """Whether a whole file is one object that says what went wrong, as interfaces answer."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return False
    if not isinstance(value, dict):
        return False
    blamed = any(value.get(key) and isinstance(value[key], str | dict) for key in _ERROR_KEYS)
    explained = any(isinstance(value.get(key), str) for key in _SAID)
    return blamed or (explained and any(key in value for key in _WITH_SAID))
