"""Layout auto: the first rows decide, and what they decide is what was declared."""

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from schemas.errors import SourceEmpty, SourceError
from schemas.source import Layout
from tasks.normalize import auto
from tests.normalize.lakes import normalized, source
from tests.normalize.test_real_files import CORPORA, FILES

U, A = "user", "assistant"
TALK = [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}]
CHAT = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]
REPLY = [{"role": "assistant", "text": "a", "replies": []}]

# fmt: off
ROWS = {  #                       a row, as JSON                                                          decision
    "Alpaca":                   ({"instruction": "q", "input": "", "output": "a"},                         "alpaca: instruction, input, output"),
    "without input":            ({"instruction": "q", "output": "a"},                                      "alpaca: instruction, output"),
    "prompt and response":      ({"prompt": "q", "response": "a", "source": "x"},                          "alpaca: prompt, response"),
    "prompt and completion":    ({"prompt": "q", "completion": "a"},                                       "alpaca: prompt, completion"),
    "question and answer":      ({"question": "q", "answer": "a"},                                         "alpaca: question, answer"),
    "q and a":                  ({"q": "q", "a": "a"},                                                     "alpaca: q, a"),
    "instruction and response": ({"instruction": "q", "input": "", "response": "a"},                       "alpaca: instruction, input, response"),
    "prompt and context":       ({"prompt": "q", "context": "", "response": "a"},                          "alpaca: prompt, context, response"),
    "history":                  ({"instruction": "q", "output": "a", "history": [], "category": "x"},      "alpaca: instruction, output, history"),
    "BELLE, the old form":      ({"input": "q", "target": "a"},                                            "belle: input, target"),
    "BELLE, dialogues":         ({"instruction": "Human: q\nAssistant:", "input": "", "output": "a"},      "belle: instruction, input, output"),
    "Dolly":                    ({"instruction": "q", "context": "", "response": "a", "category": "x"},    "dolly: instruction, context, response"),
    "ShareGPT":                 ({"id": 1, "conversations": TALK},                                         "sharegpt: conversations"),
    "another name for it":      ({"conversation": CHAT},                                                   "sharegpt: conversation"),
    "messages":                 ({"messages": CHAT, "prompt": "q", "prompt_id": "x"},                      "messages: messages"),
    "marked text":              ({"text": "<human>: q <bot>: a", "metadata": {}},                          "hugnlp: text"),
    "rationale":                ({"question": "q", "answer": "a", "rationale": "so"},                      "cot: question, answer, rationale"),
    "options":                  ({"question": "q", "options": ["a", "b"], "answer": "A"},                  "multiple_choice: question, options, answer"),
    "choices":                  ({"question": "q", "choices": ["a", "b"], "answer": "A"},                  "multiple_choice: question, choices, answer"),
    "ARC":                      ({"question": "q", "choices": {"text": ["a", "b"], "label": ["A", "B"]}, "answerKey": "A"}, "multiple_choice: question, choices, answerKey"),
    "OpenBookQA":               ({"question_stem": "q", "choices": {"text": ["b", "a"], "label": ["B", "A"]}, "answerKey": "A"}, "multiple_choice: question_stem, choices, answerKey"),
    "option columns":           ({"question": "q", "opa": "a", "opb": "b", "cop": "A", "exp": "x"},        "multiple_choice: question, cop, exp, opa, opb"),
    "contexts":                 ({"question": "q", "contexts": ["x"], "answer": "a"},                      "question_contexts: question, contexts, answer"),
    "one context":              ({"question": "q", "context": "x", "answer": "a"},                         "question_contexts: question, context, answer"),
    "a tree":                   ({"prompt": {"role": "prompter", "text": "q", "replies": REPLY}},          "tree: prompt"),
    "DPO":                      ({"prompt": "q", "chosen": "a", "rejected": "b"},                          "preference: prompt, chosen, rejected"),
    "DPO with messages":        ({"prompt": "q", "chosen": CHAT, "rejected": CHAT, "messages": CHAT},      "preference: prompt, chosen, rejected, messages"),
    "KTO":                      ({"prompt": "q", "completion": "a", "label": True},                        "preference: prompt, label, completion"),
    "input and output":         ({"input": "q", "output": "a"},                                            "lmflow: input, output"),
}
# fmt: on


@pytest.mark.parametrize(("row", "decision"), ROWS.values(), ids=ROWS)
def test_the_first_rows_decide_and_the_manifest_says_so(
    row: dict[str, Any], decision: str, tmp_path: Path
) -> None:
    done = normalized(tmp_path, json.dumps([row] * 3).encode(), source("auto"))

    assert done.manifest.note("layout") == f"{decision} in 3 of 3 rows"
    assert done.records.height == 3
    assert done.conversations[0][-1][1].startswith(("a", "A. a", "B. a", "so"))


# fmt: off
FORMS = {  #                      a file                                                              decision
    "LMFlow":                   ('{"type": "text2text", "instances": [{"input": "q", "output": "a"}]}',  "lmflow: input, output"),
    "LMFlow, texts":            ('{"type": "text_only", "instances": [{"text": "Input: q\\nOutput: a"}]}', "hugnlp: text"),
    "TSV without names":        ("1 + 1\t2\tso\n",                                                       "cot: question, answer, explanation"),
    "TSV of two":               ("1 + 1\ta\n",                                                           "alpaca: instruction, output"),
    "CSV":                      ("prompt,completion\nq,a\n",                                            "alpaca: prompt, completion"),
    "TSV of letters":           ("q\ta\nb\ta\n",                                                      "alpaca: q, a"),
    "CSV with semicolons":      ("Question;Answer\nq;a\n",                                              "alpaca: Question, Answer"),
    "CSV of dialogues":         ('text\n"<s>Human: q\n</s><s>Assistant: a\n</s>"\n',                    "hugnlp: text"),
    "plain text":               ("User: q, x\nAssistant: a\n",                                          "hugnlp: text"),
    "lists of two":             ('[["q", "a"]]',                                                        "alpaca: instruction, output"),
    "lists of turns":           (json.dumps([TALK]),                                                    "sharegpt: conversations"),
    "lists of messages":        (f"{json.dumps(CHAT)}\n{json.dumps(CHAT)}\n",                            "messages: messages"),
    "keyed":                    ('{"7": {"question": "q", "answer": "a"}}',                             "alpaca: question, answer"),
}
# fmt: on


@pytest.mark.parametrize(("raw", "decision"), FORMS.values(), ids=FORMS)
def test_it_decides_whatever_the_file_is(raw: str, decision: str, tmp_path: Path) -> None:
    done = normalized(tmp_path, raw.encode(), source("auto"))

    assert (done.manifest.note("layout") or "").startswith(f"{decision} in ")
    assert done.conversations[0][-1][1].startswith(("a", "so"))


def test_names_and_order_that_the_source_declares_stay(tmp_path: Path) -> None:
    row = {"ask": "q", "output": "no", "tell": "a", "context": "no", "more": "x"}
    columns = {"instruction": "ask", "output": "tell", "input": "more"}
    raw = json.dumps([row]).encode()

    named = normalized(tmp_path / "named", raw, source("auto", columns=columns))
    listed = normalized(
        tmp_path / "listed",
        b'[["a", "q", ""]]',
        source("auto", fields=("output", "instruction", "input")),
    )

    assert named.conversations == [[(U, "q\n\nx"), (A, "a")]]
    assert listed.conversations == [[(U, "q"), (A, "a")]]


@pytest.mark.parametrize(("odd", "decided"), [(100, True), (101, False)])
def test_half_of_the_first_200_rows_decide(odd: int, decided: bool, tmp_path: Path) -> None:
    rows = [{"title": "x"}] * odd + [{"instruction": "q", "output": "a"}] * (400 - odd)
    raw = json.dumps(rows).encode()

    if decided:
        done = normalized(tmp_path, raw, source("auto"))
        assert done.manifest.note("layout") == "alpaca: instruction, output in 100 of 200 rows"
        assert done.records.height == 300
    else:
        with pytest.raises(SourceError, match="layout auto knows no shape"):
            normalized(tmp_path, raw, source("auto"))


# fmt: off
UNKNOWN = {  #          a file                                          what the error says of it
    "other keys":     ('[{"title": "x", "body": "y"}]',                  "They have title, body; known are alpaca"),
    "prose":          ('[{"text": "Once upon a time."}]',                "They have text; known"),
    "lists of three": ('[["a", "b", "c"]]',                              "They have field 1, field 2, field 3; known"),
    "a header":       ("title\tbody\tdate\tplace\nx\ty\tz\tw\n",         "They have column 1, column 2, column 3, column 4; known"),
}
# fmt: on


@pytest.mark.parametrize(("raw", "said"), UNKNOWN.values(), ids=UNKNOWN)
def test_rows_of_no_known_shape_are_an_error_that_names_what_they_have(
    raw: str, said: str, tmp_path: Path
) -> None:
    with pytest.raises(SourceError) as caught:
        normalized(tmp_path, raw.encode(), source("auto"))

    assert said in str(caught.value)
    assert "set layout" in str(caught.value).lower()
    assert "layout: template" in str(caught.value)


def test_a_file_without_rows_tells_no_layout(tmp_path: Path) -> None:
    with pytest.raises(SourceEmpty, match="not one row that tells its layout: expected JSON"):
        normalized(tmp_path, b"<!DOCTYPE html><p>Not found", source("auto"))


def test_the_decision_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)

    normalized(tmp_path, b'{"q": "1", "a": "2"}', source("auto"))

    assert "source corpus has layout alpaca: q, a in 1 of 1 rows" in caplog.messages


def test_every_layout_is_decided_for_somewhere_or_needs_its_keys() -> None:
    assert {sign.layout for sign in auto.SIGNS} == {*Layout} - {Layout.AUTO, Layout.TEMPLATE}


@pytest.mark.skipif(not CORPORA.is_dir(), reason="../shared/corpora, the real files, is not here")
@pytest.mark.parametrize(("files", "layout", "fields", "records"), FILES.values(), ids=FILES)
def test_real_files_give_what_they_give_under_their_own_layout(
    files: str, layout: str, fields: dict[str, Any], records: int, tmp_path: Path
) -> None:
    raws = {path.name: path.read_bytes() for path in sorted(CORPORA.glob(files))}
    told = {name: value for name, value in fields.items() if name != "columns"}

    done = normalized(tmp_path / "auto", raws, source("auto", **told), shard_rows=60_000)
    declared = normalized(tmp_path / "own", raws, source(layout, **fields), shard_rows=60_000)

    assert (done.manifest.note("layout") or "").startswith(f"{layout}: ")
    assert done.records.height == records
    assert done.records.equals(declared.records)
