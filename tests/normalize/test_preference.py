"""Preference data: the chosen answer and what was asked become the conversation, nothing else."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.normalize.lakes import normalized, source
from tests.normalize.tables import A, S, T, U, become, expected, note


def talk(*turns: tuple[str, Any]) -> list[dict[str, Any]]:
    """Turns as OpenAI writes them."""
    return [{"role": role, "content": content} for role, content in turns]


def share(*turns: tuple[str, Any]) -> list[dict[str, Any]]:
    """Turns as ShareGPT writes them."""
    return [{"from": role, "value": content} for role, content in turns]


REJECTED = "rejected_response: its only answer is one that people rejected"
SILENT = "no_response: no assistant turn"
UNJUDGED = "unreadable: neither chosen nor label tells whether the answer is wanted"
Q, QA = talk((U, "q")), [(U, "q"), (A, "a")]
LONG = talk((U, "q"), (A, "a"), (U, "r"))
LONG_QA = [(U, "q"), (A, "a"), (U, "r"), (A, "b")]
# fmt: off
PAIRS = {  #                       row                                                                                    conversation
    "texts":                      ({"prompt": "q", "chosen": "a", "rejected": "x"},                                       QA),
    "a question":                 ({"question": "q", "chosen": "a", "rejected": "x"},                                     QA),
    "a system text":              ({"system": "s", "prompt": "q", "chosen": "a", "rejected": "x"},                        [(S, "s"), *QA]),
    "nothing rejected":           ({"prompt": "q", "chosen": "a"},                                                        QA),
    "an empty answer stays":      ({"prompt": "q", "chosen": "", "rejected": "x"},                                        [(U, "q"), (A, "")]),
    "prompt of turns":            ({"prompt": Q, "chosen": "a", "rejected": "x"},                                         QA),
    "prompt of one turn":         ({"prompt": Q[0], "chosen": "a", "rejected": "x"},                                      QA),
    "all lists":                  ({"prompt": Q, "chosen": talk((A, "a")), "rejected": talk((A, "x"))},                   QA),
    "one turn each":              ({"conversations": share(("human", "q")), "chosen": share(("gpt", "a"))[0], "rejected": share(("gpt", "x"))[0]}, QA),
    "messages before":            ({"messages": LONG, "chosen": "b", "rejected": "x"},                                    LONG_QA),
    "Alpaca's columns":           ({"instruction": "q", "input": "i", "chosen": "a", "rejected": "x"},                    [(U, "q\n\ni"), (A, "a")]),
    "with a history":             ({"history": [["q", "a"]], "instruction": "r", "chosen": "b"},                          LONG_QA),
    "a list of outputs":          ({"instruction": "q", "input": "", "output": ["a", "x"]},                               QA),
    "a list of one output":       ({"instruction": "q", "output": ["a"]},                                                 QA),
    "a list of no output":        ({"instruction": "q", "output": []},                                                    SILENT),
    "outputs that are no texts":  ({"instruction": "q", "output": ["a", {"b": 1}]},                                       "unreadable: output is not a list of texts"),
    # The answer repeats the question, in part or whole.
    "the prompt again":           ({"prompt": "q", "chosen": talk((U, "q"), (A, "a")), "rejected": talk((U, "q"), (A, "x"))}, QA),
    "white space aside":          ({"prompt": "q\n", "chosen": talk((U, " q"), (A, "a"))},                                QA),
    "a long prompt again":        ({"prompt": LONG, "chosen": [*LONG, *talk((A, "b"))]},                                  LONG_QA),
    "the first of many again":    ({"prompt": "q", "chosen": [*LONG, *talk((A, "b"))]},                                   LONG_QA),
    "the last of many again":     ({"prompt": LONG, "chosen": talk((U, "r"), (A, "b"))},                                  LONG_QA),
    "again, white space aside":   ({"prompt": LONG, "chosen": talk((U, " r\n"), (A, "b"))},                              LONG_QA),
    "only the last was a prompt": ({"prompt": "r", "chosen": [*LONG, *talk((A, "b"))]},                                   LONG_QA),
    "another turn, no question":  ({"prompt": talk((U, "q"), (A, "a")), "chosen": talk((U, "r"), (A, "b"))},              LONG_QA),
    "the answer as asked":        ({"messages": talk((U, "q"), (A, "a")), "chosen": "a", "rejected": "x"},                QA),
    "a user who says the answer": ({"prompt": "a", "chosen": "a"},                                                        [(U, "a"), (A, "a")]),
    "a system turn again":        ({"prompt": talk((S, "s"), (U, "q")), "chosen": talk((S, "s"), (U, "q"), (A, "a"))},    [(S, "s"), *QA]),
    "a system turn not again":    ({"prompt": talk((S, "s"), (U, "q")), "chosen": talk((U, "q"), (A, "a"))},              [(S, "s"), *QA]),
    "a system turn of its own":   ({"prompt": "q", "chosen": talk((S, "s"), (U, "q"), (A, "a"))},                         [(S, "s"), *QA]),
    "prompt beside messages":     ({"prompt": "q", "messages": talk((U, "q"), (A, "a")), "chosen": talk((U, "q"), (A, "a"))}, QA),
    # Marked text.
    "HH-RLHF":                    ({"chosen": "\n\nHuman: q\n\nAssistant: a", "rejected": "\n\nHuman: q\n\nAssistant: x"}, QA),
    "HH-RLHF, longer":            ({"chosen": "\n\nHuman: q\n\nAssistant: a\n\nHuman: r\n\nAssistant: b", "rejected": "x"}, LONG_QA),
    "HH-RLHF, prompt apart":      ({"prompt": "\n\nHuman: q\n\nAssistant: a\n\nHuman: r\n\nAssistant:", "chosen": " b", "rejected": " x"}, LONG_QA),
    "markers within an answer":   ({"prompt": "q", "chosen": "Human: a"},                                                 [(U, "q"), (A, "Human: a")]),
    "unmarked and unasked":       ({"chosen": "a", "rejected": "x"},                                                      [(A, "a")]),
    # One answer and a label.
    "wanted":                     ({"prompt": "q", "completion": "a", "label": True},                                     QA),
    "wanted, as text":            ({"prompt": "q", "completion": "a", "label": " True "},                                 QA),
    "wanted, as a number":        ({"prompt": "q", "completion": "a", "label": 1.0},                                      QA),
    "unwanted":                   ({"prompt": "q", "completion": "a", "label": False},                                    REJECTED),
    "unwanted, as a number":      ({"prompt": "q", "completion": "a", "label": 0},                                        REJECTED),
    "turns, wanted":              ({"prompt": Q, "completion": talk((A, "a")), "label": True},                            QA),
    "turns, unwanted":            ({"prompt": Q, "completion": talk((A, "a")), "label": False},                           REJECTED),
    "messages, wanted":           ({"messages": [*LONG, *talk((A, "b"))], "label": True},                                 LONG_QA),
    "messages, unwanted":         ({"messages": [*LONG, *talk((A, "b"))], "label": False},                                REJECTED),
    "conversations, unwanted":    ({"conversations": share(("human", "q"), ("gpt", "a")), "label": False},                REJECTED),
    "no label":                   ({"prompt": "q", "completion": "a"},                                                    UNJUDGED),
    "an empty label":             ({"messages": [*LONG, *talk((A, "b"))], "label": ""},                                   UNJUDGED),
    "a label of its own":         ({"prompt": "q", "completion": "a", "label": "good"},                                   "unreadable: label good is neither true nor false"),
    "an unwanted one, compared":  ({"prompt": "q", "chosen": "a", "rejected": "x", "label": False},                       QA),
    # No answer.
    "only a rejected one":        ({"prompt": "q", "rejected": "x"},                                                      REJECTED),
    "chosen is null":             ({"prompt": LONG, "chosen": None, "rejected": "x"},                                     REJECTED),
    "chosen is no turn":          ({"prompt": LONG, "chosen": [], "rejected": "x"},                                       REJECTED),
    "chosen is a question":       ({"prompt": LONG, "chosen": Q},                                                         SILENT),
    "rejected is no turn":        ({"prompt": "q", "rejected": []},                                                       SILENT),
    "unwanted, but not said":     ({"prompt": "q", "label": False},                                                       SILENT),
}
DAMAGED = {
    "chosen is texts":            ({"prompt": "q", "chosen": ["a", "b"]},                                                 "unreadable: a turn is not an object"),
    "prompt is texts":            ({"prompt": ["q"], "chosen": "a"},                                                      "unreadable: a turn is not an object"),
    "conversations is text":      ({"conversations": "q", "chosen": "a"},                                                 "unreadable: conversations is not a list of turns"),
    "an unknown role":            ({"prompt": "q", "chosen": talk(("narrator", "a"))},                                    "unreadable: role 'narrator' is not known"),
    "an image":                   ({"prompt": talk((U, [{"type": "image"}])), "chosen": "a"},                             "unreadable: a part of a turn is not text"),
    "history of no pairs":        ({"history": ["q"], "prompt": "r", "chosen": "b"},                                      "unreadable: history is not a list of pairs of question and answer"),
    "numbers":                    ({"prompt": 1, "chosen": 2, "rejected": 3},                                             [(U, "1"), (A, "2")]),
    "rejected is anything":       ({"prompt": "q", "chosen": "a", "rejected": [1, {"role": "elf"}]},                      QA),
    "a score":                    ({"score_chosen": 1},                                                                   "unreadable: none of its columns is there: prompt, chosen, rejected, label, conversations, messages, instruction, input, output, history, system, category, tools, licence"),
    "a tool's answer":            ({"prompt": "q", "chosen": talk((A, "f"), (T, "1"), (A, "a"))},                         [(U, "q"), (A, "f"), (T, "1"), (A, "a")]),
}
COUNTS = {  #                  rows                                                                   rejected answers
    "one beside":             ([{"prompt": "q", "chosen": "a", "rejected": "x"}],                      "1"),
    "a list is one":          ([{"prompt": "q", "chosen": "a", "rejected": talk((U, "q"), (A, "x"))}], "1"),
    "two more outputs":       ([{"instruction": "q", "output": ["a", "x", "y"]}],                      "2"),
    "none":                   ([{"prompt": "q", "chosen": "a", "rejected": " "}],                      ""),
    "an unwanted one":        ([{"prompt": "q", "completion": "a", "label": 0}, {"prompt": "q", "completion": "b", "label": 1}], "1"),
}
# fmt: on


@pytest.mark.parametrize("table", [PAIRS, DAMAGED], ids=["pairs", "damaged"])
def test_a_row_becomes_question_and_chosen_answer_or_a_ledger_row(
    table: dict[str, Any], tmp_path: Path
) -> None:
    assert become(tmp_path, table, source("preference")) == expected(table)


@pytest.mark.parametrize(("rows", "count"), COUNTS.values(), ids=COUNTS)
def test_rejected_answers_are_counted_and_never_kept(
    rows: list[Any], count: str, tmp_path: Path
) -> None:
    assert note(tmp_path / "noted", rows, source("preference"), "rejected_answers") == count
    done = normalized(tmp_path, json.dumps(rows).encode(), source("preference"))
    assert "x" not in str(done.conversations)


def test_the_ledger_shows_the_answer_that_was_rejected(tmp_path: Path) -> None:
    rows = [
        {"prompt": "q", "completion": "bad", "label": False},
        {"prompt": "q", "completion": "a", "label": True},
    ]

    done = normalized(tmp_path, json.dumps(rows).encode(), source("preference"))

    (lost,) = done.ledger.to_dicts()
    assert lost["drop_reason"] == "rejected_response"
    assert lost["excerpt"] == "q\n\nbad"
    assert done.manifest.drops[0].reason == "rejected_response"


def test_columns_roles_and_keys_are_read_under_the_names_the_source_gives(tmp_path: Path) -> None:
    made_of = source(
        "preference",
        columns={"prompt": "ask", "chosen": "good", "rejected": "bad", "label": "verdict",
                 "role": "who", "content": "says"},
        roles={"Elf": "user", "orc": "assistant"},
    )  # fmt: skip
    rows = {
        "texts": ({"ask": "q", "good": "a", "bad": "x"}, QA),
        "labelled": ({"ask": "q", "good": "a", "verdict": False}, REJECTED),
        "turns": (
            {"ask": [{"who": " elf", "says": "q"}], "good": {"who": "ORC", "says": "a"}},
            QA,
        ),
    }

    assert become(tmp_path, rows, made_of) == expected(rows)
