"""Plain text in which speakers are named: where a dialogue begins, and what is no such text."""

from pathlib import Path
from typing import Any

import pytest

from tasks.normalize import plain_text
from tests.normalize.lakes import normalized, source

U, A, S = "user", "assistant", "system"
ONE = "Human: a\nAssistant: b\n"
TWO = "Human: c\nAssistant: d\n\ne\n"
SAID = [[(U, "a"), (A, "b")], [(U, "c"), (A, "d\n\ne")]]

# fmt: off
TEXTS = {  #                        text                                                     fields                    conversations
    "blank lines between":        (f"{ONE}\n{TWO}",                                           {},                       SAID),
    "several blank lines":        (f"\n\n{ONE}\n \n\n{TWO}\n\n",                              {},                       SAID),
    "CRLF":                       (f"{ONE}\n{TWO}".replace("\n", "\r\n"),                     {},                       SAID),
    "a byte order mark":          (f"\ufeff{ONE}\n{TWO}",                                     {},                       SAID),
    "no newline at the end":      (f"{ONE}\n{TWO}".rstrip(),                                  {},                       SAID),
    "no blank line, one dialogue":("Human: a\nAssistant: b\nHuman: c\nAssistant: d",          {},                       [[(U, "a"), (A, "b"), (U, "c"), (A, "d")]]),
    "answers after blank lines":  ("Human: a\n\nAssistant: b\n",                              {},                       [[(U, "a"), (A, "b")]]),
    "a line of its own":          (f"{ONE}====\n{TWO}",                                       {"separator": "===="},    SAID),
    "blank lines within":         (f"{ONE}\n====\n\n{TWO}\n====\n",                           {"separator": "===="},    SAID),
    "user turns within":          (f"{ONE}\nHuman: x\nAssistant: y\n====\n{TWO}",             {"separator": " ==== "},  [[(U, "a"), (A, "b"), (U, "x"), (A, "y")], SAID[1]]),
    "commas in the first line":   ("Human: a, b, c\nAssistant: d, e\n",                       {},                       [[(U, "a, b, c"), (A, "d, e")]]),
    "tabs in the first line":     ("Human: a\tb\nAssistant: d\te\n",                          {},                       [[(U, "a\tb"), (A, "d\te")]]),
    "system text first":          ("System: be brief, please\nUser: a\nAssistant: b\n\nSystem: x\nUser: c\nAssistant: d\n", {}, [[(S, "be brief, please"), (U, "a"), (A, "b")], [(S, "x"), (U, "c"), (A, "d")]]),
    "names of the source":        ("客户：甲，一\n客服：乙\n\n客户：丙\n客服：丁\n",               {"roles": {"客户": "user", "客服": "assistant"}}, [[(U, "甲，一"), (A, "乙")], [(U, "丙"), (A, "丁")]]),
    "another name within":        ("Human: a\nAssistant: b:\n\nUser: x\nBot: y\n\nHuman: c\nAssistant: d\n", {},            [[(U, "a"), (A, "b:\n\nUser: x\nBot: y")], [(U, "c"), (A, "d")]]),
    "tags":                       ("<human>: a, b\n<bot>: c\n\n<human>: d\n<bot>: e\n",       {},                       [[(U, "a, b"), (A, "c")], [(U, "d"), (A, "e")]]),
    "sentence marks":             ("<s>Human: a\n</s><s>Assistant: b\n</s>\n\n<s>Human: c\n</s><s>Assistant: d\n</s>", {}, [[(U, "a"), (A, "b")], [(U, "c"), (A, "d")]]),
}
# fmt: on


@pytest.mark.parametrize(("text", "fields", "conversations"), TEXTS.values(), ids=TEXTS)
@pytest.mark.parametrize("window", [8 << 20, 10])
def test_a_dialogue_begins_after_a_separator_or_after_blank_lines(
    text: str,
    fields: dict[str, Any],
    conversations: list[list[tuple[str, str]]],
    window: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(plain_text, "WINDOW_BYTES", window)

    done = normalized(tmp_path, {"a.txt": text.encode()}, source("hugnlp", **fields))

    assert done.conversations == conversations
    assert done.ledger.is_empty()


def test_a_title_before_the_first_dialogue_is_a_ledger_row(tmp_path: Path) -> None:
    done = normalized(tmp_path, f"{ONE}\n{TWO}".encode(), source("hugnlp"))
    titled = normalized(tmp_path / "t", f"A title\n\n{ONE}\n{TWO}".encode(), source("hugnlp"))

    assert titled.conversations == done.conversations
    assert titled.ledger["offset"].to_list() == [0]


def test_a_dialogue_that_is_not_utf8_is_a_ledger_row_and_its_neighbours_stay(
    tmp_path: Path,
) -> None:
    raw = f"{ONE}\nHuman: @\nAssistant: b\n\n{TWO}".encode().replace(b"@", b"caf\xe9")

    done = normalized(tmp_path, raw, source("hugnlp"))

    (failed,) = done.ledger.to_dicts()
    assert done.conversations == SAID
    assert raw[failed["offset"] :].startswith(b"Human: caf\xe9")
    assert f"byte 0xe9 at offset {raw.index(0xE9)};" in failed["message"]
    assert failed["excerpt"].startswith("Human: caf\\xe9")
    assert done.manifest.note("invalid_utf8") == "1"


@pytest.mark.parametrize("limit", [30, 60])
def test_a_dialogue_beyond_all_bounds_is_cut_and_the_others_stay(
    limit: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plain_text, "WINDOW_BYTES", 10)
    monkeypatch.setattr(plain_text, "MAX_DIALOGUE_BYTES", limit)
    long = "Human: x\n" + "and on\n" * 50

    done = normalized(tmp_path, f"{ONE}\n{long}\n{ONE}".encode(), source("hugnlp"))

    assert [said for said in done.conversations if said == SAID[0]] == [SAID[0]] * 2


# fmt: off
OTHERS = {  #               text                                                layout     ledger messages
    "prose":              ("Once upon a time, there was\na fox.\n",              "hugnlp",  ["expected 0 fields (named in the first line), found 2", "expected 0 fields (named in the first line), found 1"]),
    "prose, no comma":    ("Once upon a time\nthere was a fox.\n",               "hugnlp",  ["expected JSON, JSON Lines, TSV, CSV, Parquet or Arrow, or text with speakers' names"]),
    "no place for it":    ("Human: a\nAssistant: b\n",                           "cot",     ["expected JSON, JSON Lines, TSV, CSV, Parquet or Arrow, or text with speakers' names"]),
}
# fmt: on


@pytest.mark.parametrize(("text", "layout", "messages"), OTHERS.values(), ids=OTHERS)
def test_other_text_is_damage(text: str, layout: str, messages: list[str], tmp_path: Path) -> None:
    good = {"hugnlp": b'{"text": "Human: a\\nBot: b"}', "cot": b'{"question": "a", "answer": "b"}'}

    done = normalized(tmp_path, {"a.txt": text.encode(), "b": good[layout]}, source(layout))

    assert done.ledger["message"].to_list() == messages
    assert done.records.height == 1


def test_delimited_text_that_quotes_a_dialogue_stays_delimited(tmp_path: Path) -> None:
    header = b'id,text\n1,"Human: a\nAssistant: b"\n'
    tsv = b"Human: 1 + 1?\t2\tOne and one.\nHuman: 2 + 1?\t3\tTwo and one.\n"

    csv = normalized(tmp_path / "csv", header, source("hugnlp"))
    rows = normalized(tmp_path / "tsv", tsv, source("cot"))

    assert csv.conversations == [[(U, "a"), (A, "b")]]
    assert rows.records.height == 2
