"""LMFlow's instances: pairs, texts and conversations."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.normalize.lakes import normalized, source
from tests.normalize.tables import A, S, U, become, expected

TURNS = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]
QA = [(U, "q"), (A, "a")]
SILENT = "no_response: no assistant turn"
# fmt: off
INSTANCES = {  #              instance                                                conversation
    "text2text":             ({"input": "q", "output": "a"},                         QA),
    "an empty output stays": ({"input": "q", "output": ""},                          [(U, "q"), (A, "")]),
    "output alone":          ({"output": "a"},                                       [(A, "a")]),
    "input alone":           ({"input": "q"},                                        SILENT),
    "a list is its JSON":    ({"input": ["q"], "output": {"a": 1}},                  [(U, '["q"]'), (A, '{"a":1}')]),
    "text by markers":       ({"text": "Input: q \n Output: a \n\n"},                QA),
    "text by other markers": ({"text": "Human: q\nAssistant: a"},                    QA),
    "text that nobody says": ({"text": "Aspirin inhibits COX."},                     SILENT),
    "an empty text":         ({"text": ""},                                          SILENT),
    "a conversation":        ({"conversation_id": "1", "messages": TURNS},           QA),
    "with a system text":    ({"system": "s", "messages": TURNS},                    [(S, "s"), *QA]),
    "an empty system text":  ({"system": "", "messages": TURNS},                     QA),
    "its own system turn":   ({"system": "s", "messages": [{"role": "system", "content": "t"}, *TURNS]}, [(S, "t"), *QA]),
    "messages before pairs": ({"messages": TURNS, "input": "r", "output": "b"},      QA),
    "a pair before a text":  ({"input": "q", "output": "a", "text": "Input: r"},     QA),
    "no turn":               ({"messages": []},                                      SILENT),
    "messages that are text":({"messages": "q"},                                     "unreadable: messages is not a list of turns"),
    "turns that are texts":  ({"messages": ["q", "a"]},                              "unreadable: a turn is not an object"),
    "an unknown role":       ({"messages": [{"role": "elf", "content": "a"}]},       "unreadable: role 'elf' is not known"),
    "nothing of it":         ({"id": 1},                                             "unreadable: none of its columns is there: input, output, text, messages, system, category, tools, licence"),
}
# fmt: on


def test_an_instance_becomes_its_conversation_or_a_ledger_row(tmp_path: Path) -> None:
    assert become(tmp_path, INSTANCES, source("lmflow")) == expected(INSTANCES)


@pytest.mark.parametrize(
    ("tools", "kept"),
    [(["f(x): adds"], '["f(x): adds"]'), ([], None), ('[{"name":"f"}]', '[{"name":"f"}]')],
    ids=["a list", "an empty list", "JSON text"],
)
def test_tools_of_a_conversation_are_kept_as_json(
    tools: Any, kept: str | None, tmp_path: Path
) -> None:
    raw = json.dumps([{"messages": TURNS, "tools": tools}]).encode()

    assert normalized(tmp_path, raw, source("lmflow")).records["tools"].to_list() == [kept]


def test_instances_are_read_under_the_names_the_source_gives(tmp_path: Path) -> None:
    made_of = source(
        "lmflow",
        columns={"input": "ask", "output": "reply", "text": "body", "messages": "talk",
                 "role": "who", "content": "says"},
        roles={"doctor": "assistant"},
    )  # fmt: skip
    rows = {
        "pair": ({"ask": "q", "reply": "a"}, QA),
        "text": ({"body": "Input: q\nOutput: a"}, QA),
        "talk": ({"talk": [{"who": "user", "says": "q"}, {"who": "Doctor", "says": "a"}]}, QA),
    }

    assert become(tmp_path, rows, made_of) == expected(rows)
