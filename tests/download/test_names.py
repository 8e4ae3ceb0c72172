from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.download.names import MAX_NAME_BYTES, kept_name, listing, name_from_url, unique_names

# fmt: off
URLS = {  #                URL                                                 name
    "a file":             ("https://host/data/alpaca_data.json",               "alpaca_data.json"),
    "with a query":       ("https://host/data.json?raw=true#part",             "data.json"),
    "a folder":           ("https://host/data/",                               "data"),
    "no path":            ("https://host",                                     "data"),
    "Chinese, encoded":   ("https://host/%E6%95%B0%E6%8D%AE%20(1).json",       "数据 (1).json"),
    "Chinese, as it is":  ("https://host/数据.json",                           "数据.json"),
    "climbing":           ("https://host/a/..%2f..%2fetc%2fpasswd",            "_.._etc_passwd"),
    "dots only":          ("https://host/a/..",                                "data"),
    "hidden":             ("https://host/.bashrc",                             "bashrc"),
    "a drive":            ("https://host/C:%5Cdata.json",                      "C__data.json"),
    "a line break":       ("https://host/a%0Ab.json",                          "a_b.json"),
    "no UTF-8":           ("https://host/%ff.json",                            "\ufffd.json"),
}
# fmt: on


@pytest.mark.parametrize(("url", "name"), URLS.values(), ids=URLS)
def test_a_url_names_a_plain_file(url: str, name: str):
    assert name_from_url(url) == name


@given(st.text())
def test_no_url_names_anything_but_a_plain_file(path: str):
    name = name_from_url("https://host/" + path.translate({ord("["): "", ord("]"): ""}))

    assert name
    assert not set(name) & set("/\\\n\0")
    assert not name.startswith(".")
    assert len(name.encode()) <= MAX_NAME_BYTES


def test_a_long_name_is_cut_at_a_character_and_keeps_its_suffix():
    name = name_from_url(f"https://host/{'数' * 300}.jsonl")

    assert name.startswith("数数")
    assert name.endswith("数.jsonl")
    assert MAX_NAME_BYTES - 3 < len(name.encode()) <= MAX_NAME_BYTES


# fmt: off
TAKEN = {  #          names                            unique names
    "all different": (["a.json", "b.json"],            ("a.json", "b.json")),
    "twice":         (["a.json", "a.json"],            ("a.json", "a-2.json")),
    "thrice":        (["a", "a", "a"],                 ("a", "a-2", "a-3")),
    "the receipt":   (["receipt.json"],                ("receipt-2.json",)),
    "in a folder":   (["x/a.json", "a.json"],          ("x/a.json", "a.json")),
    "number taken":  (["a-2", "a", "a"],               ("a-2", "a", "a-3")),
}
# fmt: on


@pytest.mark.parametrize(("names", "unique"), TAKEN.values(), ids=TAKEN)
def test_a_taken_name_gets_a_number(names: list[str], unique: tuple[str, ...]):
    assert unique_names(names) == unique


# fmt: off
KEPT = {  #               path                        kept
    "as it is":          ("数据/a (1) [x] 100%.json",  "数据/a (1) [x] 100%.json"),
    "control character": ("a\tb\x7f.json",            "a_b_.json"),
    "not UTF-8":         ("a\udcff.json",             "a_.json"),
    "number at the end": ("part#12",                  "part_12"),
    "number before it":  ("part#12.json",             "part#12.json"),
    "from the root":     ("/etc/passwd",              "etc/passwd"),
    "from two roots":    ("//etc/passwd",             "etc/passwd"),
    "climbing":          ("../../a/../b.json",        "a/b.json"),
}
# fmt: on


@pytest.mark.parametrize(("path", "kept"), KEPT.values(), ids=KEPT)
def test_a_name_is_kept_but_for_what_no_key_may_have(path: str, kept: str):
    assert kept_name(PurePosixPath(path)) == kept


def test_a_listing_ends_after_thirty_names():
    names = [str(number) for number in range(31)]

    assert listing(names[:30]).endswith("28, 29.")
    assert listing(names).endswith("28, 29 and 1 more.")
    assert listing([]) == "There is none at all."
