"""Placeholders that somebody has a text for are filled at the door; others are left as they are."""

import json
from pathlib import Path

import pytest

from tests.normalize.lakes import Normalized, normalized, source

# fmt: off
CASES = {  #                  as it came                                     as it is
    "a name":                ("I am {{name}}.",                               "I am Winnow."),
    "spaces inside":         ("I am {{ name }}.",                             "I am Winnow."),
    "twice, and another":    ("{{name}} by {{author}}: {{name}}",             "Winnow by $1 & co: Winnow"),
    "Chinese":               ("我是{{name}}，由 {{author}} 开发。",             "我是Winnow，由 $1 & co 开发。"),
    "a name in Chinese":     ("我是{{姓名}}。",                                 "我是小文。"),
    "no text for it":        ("I am {{who}}.",                                "I am {{who}}."),
    "another case":          ("I am {{NAME}}.",                               "I am {{NAME}}."),
    "a fence":               ("Hi {{name}}:\n```\nHi {{name}}\n```",           "Hi Winnow:\n```\nHi {{name}}\n```"),
    "a tag":                 ("<p>Hello {{name}}</p>",                        "<p>Hello {{name}}</p>"),
    "about templates":       ("In Jinja, {{name}} prints a variable.",        "In Jinja, {{name}} prints a variable."),
    "one brace":             ("Hello {name}",                                 "Hello {name}"),
}
# fmt: on
FILLED = {"name": "Winnow", "author": "$1 & co", "姓名": "小文"}


def filled(tmp_path: Path, *texts: str, **fields: object) -> Normalized:
    rows = [{"instruction": "Who are you?", "output": text} for text in texts]
    return normalized(tmp_path, json.dumps(rows).encode(), source("alpaca", **fields))


@pytest.mark.parametrize(("text", "expected"), CASES.values(), ids=CASES)
def test_the_source_fills_its_placeholders(text: str, expected: str, tmp_path: Path) -> None:
    done = filled(tmp_path, text, placeholders=FILLED)

    assert done.conversations[0][-1] == ("assistant", expected)
    assert done.manifest.note("placeholders_filled", "0") == str(int(text != expected))


def test_rows_are_counted_once_and_every_message_is_filled(tmp_path: Path) -> None:
    row = {"system": "You are {{name}}.", "instruction": "Hi {{name}}", "output": "I am {{name}}"}
    raw = json.dumps([row, row | {"output": "Hello"}]).encode()

    done = normalized(tmp_path, raw, source("alpaca", placeholders={"name": "Winnow"}))

    assert [text for _, text in done.conversations[0]] == [
        "You are Winnow.", "Hi Winnow", "I am Winnow",
    ]  # fmt: skip
    assert done.manifest.note("placeholders_filled") == "2"


@pytest.mark.parametrize("fields", [{}, {"placeholders": FILLED, "code": True}])
def test_without_texts_and_in_code_nothing_is_filled(fields: dict, tmp_path: Path) -> None:
    done = filled(tmp_path, "I am {{name}}.", **fields)

    assert done.conversations[0][-1][1] == "I am {{name}}."
    assert dict(done.manifest.notes) == {}
