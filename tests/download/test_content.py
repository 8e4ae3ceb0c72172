from pathlib import Path

import pytest

from schemas.errors import SourceError
from schemas.upstream import Upstream
from tasks.download.content import served_instead
from tasks.download.fetch import download
from tasks.lake import Lake

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"
BOM = b"\xef\xbb\xbf"
XML_ERROR = b'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>NoSuchKey</Code></Error>'

# fmt: off
STARTS = {  #                       name            first bytes                                 what it is
    "nothing":                     ("a.json",       b"",                                        "nothing (0 bytes)"),
    "one byte":                    ("a.json",       b" ",                                       None),
    "a page":                      ("a.json",       b"<!DOCTYPE html><html>",                   "a web page"),
    "a page after a BOM":          ("a.parquet",    BOM + b"\r\n<HTML lang=en>",                "a web page"),
    "a page with a suffix":        ("a.html",       b"<html>",                                  None),
    "markup that is text":         ("a.md",         b"<html>",                                  None),
    "a word like a page":          ("a",            b"<htm",                                    None),
    "a bucket's error":            ("a.json",       XML_ERROR,                                  "an error in XML"),
    "a bucket's error in XML":     ("a.xml",        XML_ERROR,                                  None),
    "XML without an error":        ("a.json",       b"<?xml version='1.0'?><rows><row/></rows>", None),
    "an error":                    ("a.json",       b'{"error": "rate limit"}',                 "an error in JSON"),
    "an error with a body":        ("a.jsonl",      b' {"error": {"code": 429}}\n',             "an error in JSON"),
    "errors":                      ("a",            b'{"errors": {"id": "unknown"}}',           "an error in JSON"),
    "a message with a status":     ("a.json",       b'{"message": "Not Found", "status": "404"}', "an error in JSON"),
    "a detail with a code":        ("a.json",       b'{"detail": "gone", "code": 410}',         "an error in JSON"),
    "a message alone":             ("a.json",       b'{"message": "Hello."}',                   None),
    "no error":                    ("a.json",       b'{"error": null, "rows": []}',             None),
    "an empty error":              ("a.json",       b'{"error": "", "rows": []}',               None),
    "a list":                      ("a.json",       b'[{"error": "rate limit"}]',               None),
    "a number":                    ("a.json",       b"429",                                     None),
    "not UTF-8":                   ("a.json",       b'{"error": "\xff"}',                       None),
    "deep nesting":                ("a.json",       b'{"error":' * 400,                         None),
    "a pointer":                   ("a.parquet",    POINTER,                                    "a Git LFS pointer"),
    "a text about pointers":       ("a.txt",        b"It says " + POINTER,                      None),
}
# fmt: on


@pytest.mark.parametrize(("name", "start", "expected"), STARTS.values(), ids=STARTS)
def test_what_is_no_data_is_told_by_its_first_bytes(name: str, start: bytes, expected: str | None):
    found = served_instead(start, name, len(start))

    assert found is None if expected is None else (found or "").startswith(expected)


def test_a_large_file_that_starts_like_an_error_is_data():
    start = b'{"error": "rate limit"}'

    assert served_instead(start, "a.jsonl", 4096) is not None
    assert served_instead(start, "a.jsonl", 4097) is None


def test_a_local_lfs_pointer_is_refused_with_what_to_do(lake: Lake, tmp_path: Path):
    (tmp_path / "a.jsonl").write_bytes(POINTER)
    source = Upstream.model_validate(
        {"name": "corpus", "local": {"path": str(tmp_path / "a.jsonl")}}
    )

    with pytest.raises(SourceError, match="git lfs pull"):
        download(source, lake)
