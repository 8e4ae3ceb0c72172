"""Every layout: what a row of it becomes, and what it does not."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from schemas.errors import SourceError
from tasks.normalize.alpaca import no_input
from tests.normalize.lakes import normalized, source

U, A, S, T = "user", "assistant", "system", "tool"

# fmt: off
ALPACA = {  #                    row                                                                  conversation
    "instruction alone":         ({"instruction": "Hi", "input": "", "output": "Ho"},                 [(U, "Hi"), (A, "Ho")]),
    "with an input":             ({"instruction": "Add", "input": "1 2", "output": "3"},              [(U, "Add\n\n1 2"), (A, "3")]),
    "input alone":               ({"input": "1 2", "output": "3"},                                    [(U, "1 2"), (A, "3")]),
    "no input said":             ({"instruction": "Hi", "input": "<noinput>", "output": "Ho"},        [(U, "Hi"), (A, "Ho")]),
    "empty output stays":        ({"instruction": "Hi", "output": ""},                                [(U, "Hi"), (A, "")]),
    "empty prompt stays":        ({"instruction": "", "input": "", "output": "Ho"},                   [(U, ""), (A, "Ho")]),
    "no output":                 ({"instruction": "Hi", "input": ""},                                 None),
    "null output":               ({"instruction": "Hi", "output": None},                              None),
    "numbers are text":          ({"instruction": 1.5, "output": True},                               [(U, "1.5"), (A, "true")]),
    "a list is its JSON":        ({"instruction": "Hi", "output": ["a", {"b": 1}]},                   [(U, "Hi"), (A, '["a",{"b":1}]')]),
    "system text":               ({"system": "Be brief.", "instruction": "Hi", "output": "Ho"},       [(S, "Be brief."), (U, "Hi"), (A, "Ho")]),
    "empty system text":         ({"system": " ", "instruction": "Hi", "output": "Ho"},               [(U, "Hi"), (A, "Ho")]),
    "history of pairs":          ({"history": [["q", "a"], ["r", "b"]], "instruction": "Hi", "output": "Ho"}, [(U, "q"), (A, "a"), (U, "r"), (A, "b"), (U, "Hi"), (A, "Ho")]),
    "history as text":           ({"history": '[["q", "a\\"b"]]', "instruction": "Hi", "output": "Ho"}, [(U, "q"), (A, 'a"b'), (U, "Hi"), (A, "Ho")]),
    "empty list of history":     ({"history": [], "instruction": "Hi", "output": "Ho"},               [(U, "Hi"), (A, "Ho")]),
    "empty text of history":     ({"history": "", "instruction": "Hi", "output": "Ho"},               [(U, "Hi"), (A, "Ho")]),
    "system before history":     ({"system": "Be.", "history": [["q", "a"]], "instruction": "Hi", "output": "Ho"}, [(S, "Be."), (U, "q"), (A, "a"), (U, "Hi"), (A, "Ho")]),
    "history that is no list":   ({"history": "earlier", "instruction": "Hi", "output": "Ho"},        None),
    "history of one side":       ({"history": [["q"]], "instruction": "Hi", "output": "Ho"},          None),
    "history of plain texts":    ({"history": ["q", "a"], "instruction": "Hi", "output": "Ho"},       None),
}
BELLE = {
    "one turn":                  ({"instruction": "你好", "input": "", "output": "好"},                [(U, "你好"), (A, "好")]),
    "the old form":              ({"input": "你好", "target": "好"},                                   [(U, "你好"), (A, "好")]),
    "a dialogue so far":         ({"instruction": "Human:甲\nAssistant:乙\nHuman:丙\nAssistant:", "input": "", "output": "丁"}, [(U, "甲"), (A, "乙"), (U, "丙"), (A, "丁")]),
    "wide colons":               ({"instruction": "Human：甲\nAssistant：", "output": "乙"},            [(U, "甲"), (A, "乙")]),
    "several lines in a turn":   ({"instruction": "Human: a\nb\nAssistant: c\n\nd\nHuman: e\nAssistant:", "output": "f"}, [(U, "a\nb"), (A, "c\n\nd"), (U, "e"), (A, "f")]),
    "Human: within a text":      ({"instruction": "Say Human: twice", "output": "ok"},               [(U, "Say Human: twice"), (A, "ok")]),
    "dialogue and no answer":    ({"instruction": "Human: a\nAssistant:", "output": None},            None),
}
DOLLY = {
    "context after":             ({"instruction": "Who?", "context": "Ada did.", "response": "Ada", "category": "qa"}, [(U, "Who?\n\nAda did."), (A, "Ada")]),
    "no context":                ({"instruction": "Who?", "context": "", "response": "Ada"},          [(U, "Who?"), (A, "Ada")]),
}
HUGNLP = {
    "one exchange":              ({"text": "Human: Hi there \n HugChat: Ho \n\n"},                    [(U, "Hi there"), (A, "Ho")]),
    "several":                   ({"text": "Human: a \n HugChat: b \n\n Human: c \n HugChat: d \n\n"}, [(U, "a"), (A, "b"), (U, "c"), (A, "d")]),
    "input and output":          ({"text": "Input: 1+1 \n Output: 2 \n\n"},                           [(U, "1+1"), (A, "2")]),
    "Output: in an answer":      ({"text": "Human: run it \n HugChat: prints\nOutput: 5 \n\n"},       [(U, "run it"), (A, "prints\nOutput: 5")]),
    "tags":                      ({"text": "<human>: a\n<bot>: b"},                                   [(U, "a"), (A, "b")]),
    "text before the markers":   ({"text": "Context. \n Human: a \n HugChat: b"},                     [(U, "Context.\n\na"), (A, "b")]),
    "an empty answer stays":     ({"text": "Human: a \n HugChat: \n\n"},                              [(U, "a"), (A, "")]),
    "unanswered":                ({"text": "Human: a \n HugChat: b \n Human: c"},                     [(U, "a"), (A, "b")]),
    "only a question":           ({"text": "Human: a \n\n"},                                          None),
    "no marker":                 ({"text": "Once upon a time."},                                      None),
}
SHAREGPT = {
    "human and gpt":             ([("human", "a"), ("gpt", "b")],                                     [(U, "a"), (A, "b")]),
    "user and assistant":        ([("user", "a"), ("assistant", "b")],                                [(U, "a"), (A, "b")]),
    "spelt in capitals":         ([("Human", "a"), (" GPT ", "b")],                                   [(U, "a"), (A, "b")]),
    "chatgpt":                   ([("human", "a"), ("chatgpt", "b")],                                 [(U, "a"), (A, "b")]),
    "bot":                       ([("human", "a"), ("bot", "b")],                                     [(U, "a"), (A, "b")]),
    "system":                    ([("system", "s"), ("human", "a"), ("gpt", "b")],                    [(S, "s"), (U, "a"), (A, "b")]),
    "empty system":              ([("system", ""), ("human", "a"), ("gpt", "b")],                     [(U, "a"), (A, "b")]),
    "a call and its answer":     ([("human", "a"), ("function_call", '{"name": "f"}'), ("observation", "1"), ("gpt", "b")],
                                  [(U, "a"), (A, '{"name": "f"}'), (T, "1"), (A, "b")]),
    "ends on a call":            ([("human", "a"), ("function_call", '{"name": "f"}')],               [(U, "a"), (A, '{"name": "f"}')]),
    "ends on the human":         ([("human", "a"), ("gpt", "b"), ("human", "c")],                     [(U, "a"), (A, "b")]),
    "only the human":            ([("human", "a"), ("human", "c")],                                   None),
    "starts with the assistant": ([("gpt", "hello"), ("human", "a"), ("gpt", "b")],                   [(U, "a"), (A, "b")]),
    "system, then assistant":    ([("system", "s"), ("gpt", "hello"), ("human", "a"), ("gpt", "b")],  [(S, "s"), (U, "a"), (A, "b")]),
    "only the assistant":        ([("gpt", "b")],                                                     [(A, "b")]),
    "two human turns":           ([("human", "a"), ("human", "b"), ("gpt", "c")],                     [(U, "a\n\nb"), (A, "c")]),
    "two assistant turns":       ([("human", "a"), ("gpt", "b"), ("gpt", "c")],                       [(U, "a"), (A, "b\n\nc")]),
    "no turn":                   ([],                                                                 None),
    "an unknown role":           ([("human", "a"), ("narrator", "b"), ("gpt", "c")],                  None),
    "a value that is an object": ([("human", "a"), ("gpt", {"x": 1})],                                [(U, "a"), (A, '{"x":1}')]),
    "a null value":              ([("human", "a"), ("gpt", None)],                                    [(U, "a"), (A, "")]),
}
CALL = {"id": "1", "type": "function", "function": {"name": "add", "arguments": '{"a": 1}'}}
MESSAGES = {
    "plain contents":            ([{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}], [(U, "a"), (A, "b")]),
    "a bracket is only text":    ([{"role": "user", "content": "[1]"}, {"role": "assistant", "content": "[{}]"}], [(U, "[1]"), (A, "[{}]")]),
    "parts with text":           ([{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}, {"role": "assistant", "content": "c"}], [(U, "a\n\nb"), (A, "c")]),
    "parts with value":          ([{"role": "user", "content": [{"type": "text", "value": "a"}]}, {"role": "assistant", "content": "c"}], [(U, "a"), (A, "c")]),
    "no parts":                  ([{"role": "user", "content": []}, {"role": "assistant", "content": "c"}], [(U, ""), (A, "c")]),
    "reasoning parts":           ([{"role": "user", "content": "a"}, {"role": "assistant", "content": [{"type": "reasoning", "value": "hm"}, {"type": "text", "value": "c"}]}], [(U, "a"), (A, "<think>\nhm\n</think>\n\nc")]),
    "reasoning beside":          ([{"role": "user", "content": "a"}, {"role": "assistant", "reasoning_content": "hm", "content": "c"}], [(U, "a"), (A, "<think>\nhm\n</think>\n\nc")]),
    "an image":                  ([{"role": "user", "content": [{"type": "image_url", "image_url": "x"}]}, {"role": "assistant", "content": "c"}], None),
    "a list without types":      ([{"role": "user", "content": "a"}, {"role": "tool", "content": [{"id": 1}]}, {"role": "assistant", "content": "c"}], [(U, "a"), (T, '[{"id":1}]'), (A, "c")]),
    "some parts without types":  ([{"role": "tool", "content": [{"type": "text", "text": "a"}, {"id": 1}]}, {"role": "assistant", "content": "c"}], [(T, '[{"type":"text","text":"a"},{"id":1}]'), (A, "c")]),
    "tool calls":                ([{"role": "user", "content": "a"}, {"role": "assistant", "content": None, "tool_calls": [CALL, CALL]}], [(U, "a"), (A, '{"name":"add", "arguments": {"a": 1}}\n{"name":"add", "arguments": {"a": 1}}')]),
    "a call beside text":        ([{"role": "user", "content": "a"}, {"role": "assistant", "content": "I add.", "function_call": {"name": "add", "arguments": {"a": 1}}}], [(U, "a"), (A, 'I add.\n\n{"name":"add", "arguments": {"a":1}}')]),
    "tool message":              ([{"role": "user", "content": "a"}, {"role": "tool", "content": "2"}, {"role": "assistant", "content": "b"}], [(U, "a"), (T, "2"), (A, "b")]),
    "turns that are texts":      (["a", "b"],                                                         None),
    "no list":                   ("a then b",                                                         None),
    "a list as text":            ('[{"role": "user", "content": "a"},\n {"role": "assistant", "content": "b"}]', [(U, "a"), (A, "b")]),
}
CHOICE = {
    "numbered from one":         ({"question": "Q", "opa": "x", "opb": "y", "opc": "z", "opd": "w", "cop": 1}, [(U, "Q\n\nA. x\nB. y\nC. z\nD. w"), (A, "A. x")]),
    "the last option":           ({"question": "Q", "opa": "x", "opb": "y", "cop": 2},                [(U, "Q\n\nA. x\nB. y"), (A, "B. y")]),
    "before the first":          ({"question": "Q", "opa": "x", "opb": "y", "cop": 0},                None),
    "beyond the last":           ({"question": "Q", "opa": "x", "opb": "y", "cop": 3},                None),
    "options that are numbers":  ({"question": "Q", "opa": "2", "opb": "1", "cop": 2},                [(U, "Q\n\nA. 2\nB. 1"), (A, "B. 1")]),
    "explained":                 ({"question": "Q", "opa": "x", "opb": "y", "cop": 2, "exp": "Why"},   [(U, "Q\n\nA. x\nB. y"), (A, "B. y\n\nWhy")]),
    "explained by null":         ({"question": "Q", "opa": "x", "opb": "y", "cop": 2, "exp": None},    [(U, "Q\n\nA. x\nB. y"), (A, "B. y")]),
    "unlabelled":                ({"question": "Q", "opa": "x", "opb": "y", "cop": -1},               None),
    "object of options":         ({"question": "Q", "options": {"A": "x", "B": "y"}, "answer": "y"},   [(U, "Q\n\nA. x\nB. y"), (A, "B. y")]),
    "answer by letter":          ({"question": "Q", "options": {"A": "x", "B": "y"}, "answer": "(b)"}, [(U, "Q\n\nA. x\nB. y"), (A, "B. y")]),
    "list of options":           ({"question": "Q", "options": ["x", "y"], "answer": "x"},            [(U, "Q\n\nA. x\nB. y"), (A, "A. x")]),
    "list of numbers":           ({"question": "Q", "options": ["2", "1"], "answer": "2"},            [(U, "Q\n\nA. 2\nB. 1"), (A, "A. 2")]),
    "an answer of its own":      ({"question": "Q", "options": ["x", "y"], "answer": "neither"},      [(U, "Q\n\nA. x\nB. y"), (A, "neither")]),
    "no options":                ({"question": "Q", "answer": "x"},                                   [(U, "Q"), (A, "x")]),
    "options that are none":     ({"question": "Q", "options": "x or y", "answer": "x"},              None),
    "parallel lists":           ({"question": "Q", "options": {"text": ["x", "y"], "label": ["A", "B"]}, "answer": "B"}, [(U, "Q\n\nA. x\nB. y"), (A, "B. y")]),
    "numbered labels":          ({"question": "Q", "options": {"label": ["1", "2", "3"], "text": ["x", "3", "z"]}, "answer": "3"}, [(U, "Q\n\nA. x\nB. 3\nC. z"), (A, "C. z")]),
    "beyond numbered labels":   ({"question": "Q", "options": {"label": ["1", "2"], "text": ["x", "y"]}, "answer": "3"}, None),
    "labels in another order":  ({"question": "Q", "options": {"label": ["D", "C"], "text": ["x", "y"]}, "answer": "D"}, [(U, "Q\n\nD. x\nC. y"), (A, "D. x")]),
    "texts without labels":     ({"question": "Q", "options": {"text": ["x", None, "z"]}, "answer": "C"}, [(U, "Q\n\nA. x\nC. z"), (A, "C. z")]),
    "parallel lists of none":   ({"question": "Q", "options": {"text": [], "label": []}, "answer": "x"}, [(U, "Q"), (A, "x")]),
    "lower-case keys":          ({"question": "Q", "options": {"a": "x", "b": "y"}, "answer": "b"},   [(U, "Q\n\nA. x\nB. y"), (A, "B. y")]),
    "keys of both cases":       ({"question": "Q", "options": {"A": "x", "b": "y"}, "answer": "B"},   [(U, "Q\n\nA. x\nB. y"), (A, "B. y")]),
    "numbers for keys":         ({"question": "Q", "options": {"1": "x", "2": "1"}, "answer": 1},     [(U, "Q\n\nA. x\nB. 1"), (A, "A. x")]),
    "keys from nought":         ({"question": "Q", "options": {"0": "x", "1": "y"}, "answer": "1"},   [(U, "Q\n\nA. x\nB. y"), (A, "B. y")]),
    "a letter after J":         ({"question": "Q", "options": {"A": "x", "K": "y", "Z": "z"}, "answer": "z"}, [(U, "Q\n\nA. x\nK. y\nZ. z"), (A, "Z. z")]),
    "objects of key and option": ({"question": "Q", "options": [{"key": "B", "option": "x"}, {"key": "A", "option": "y"}], "answer": "A"}, [(U, "Q\n\nB. x\nA. y"), (A, "A. y")]),
    "objects of label and text": ({"question": "Q", "options": [{"label": "A", "text": "x"}, {"label": "B", "text": "y"}], "answer": "B"}, [(U, "Q\n\nA. x\nB. y"), (A, "B. y")]),
    "objects of other keys":    ({"question": "Q", "options": [{"said": "x"}, {"said": "y"}], "answer": "B"}, None),
    "keys that are no labels":  ({"question": "Q", "options": {"first": "x", "second": "y"}, "answer": "x"}, None),
    "options all null":         ({"question": "Q", "options": [None, None], "answer": "x"},           None),
    "an empty object":          ({"question": "Q", "options": {}, "answer": "x"},                     [(U, "Q"), (A, "x")]),
    "as many as letters":       ({"question": "Q", "options": [*"abcdefghijklmnopqrstuvwxyz"], "answer": "Z"}, [(U, "Q\n\n" + "\n".join(f"{c.upper()}. {c}" for c in "abcdefghijklmnopqrstuvwxyz")), (A, "Z. z")]),
    "more than letters":        ({"question": "Q", "options": [str(n) for n in range(27)], "answer": "A"}, None),
    "a letter beyond the last": ({"question": "Q", "options": ["x", "y"], "answer": "C"},             None),
}
CONTEXTS = {
    "contexts, then question":   ({"QUESTION": "Q?", "CONTEXTS": ["c", "d"], "LONG_ANSWER": "Because.", "final_decision": "yes"}, [(U, "c\n\nd\n\nQ?"), (A, "Because.\n\nThe answer is yes.")]),
    "one context":               ({"question": "Q?", "contexts": "c", "answer": "yes"},               [(U, "c\n\nQ?"), (A, "yes")]),
    "no verdict":                ({"question": "Q?", "contexts": [], "explanation": "Because."},      [(U, "Q?"), (A, "Because.")]),
    "no answer at all":          ({"question": "Q?", "contexts": ["c"]},                              None),
}
# fmt: on


def wrapped(column: str, cases: dict[str, Any]) -> dict[str, Any]:
    return {name: ({column: row}, expected) for name, (row, expected) in cases.items()}


def of_pairs(cases: dict[str, Any]) -> dict[str, Any]:
    return {
        name: ([{"from": role, "value": value} for role, value in turns], expected)
        for name, (turns, expected) in cases.items()
    }


TABLES: dict[str, dict[str, Any]] = {
    "alpaca": ALPACA,
    "belle": BELLE,
    "dolly": DOLLY,
    "hugnlp": HUGNLP,
    "sharegpt": wrapped("conversations", of_pairs(SHAREGPT)),
    "messages": wrapped("messages", MESSAGES),
    "multiple_choice": CHOICE,
    "question_contexts": CONTEXTS,
}


@pytest.mark.parametrize("layout", TABLES)
def test_a_row_becomes_its_conversation_or_a_ledger_row(layout: str, tmp_path: Path) -> None:
    table = TABLES[layout]
    raw = json.dumps([row for row, _ in table.values()], ensure_ascii=False).encode()

    fields = {"first_option": 1} if layout == "multiple_choice" else {}
    done = normalized(tmp_path, raw, source(layout, **fields))

    found: dict[str, Any] = dict.fromkeys(table)
    names = list(table)
    for number, conversation in zip(
        done.records["source_row"].to_list(), done.conversations, strict=True
    ):
        found[names[number]] = conversation
    assert found == {name: expected for name, (_, expected) in table.items()}
    assert done.manifest.rows_in == len(table)


@pytest.mark.parametrize(
    ("layout", "row", "reason", "message", "excerpt"),
    [
        ("alpaca", {"instruction": "Hi", "input": ""}, "no_response", "no assistant turn", "Hi"),
        ("alpaca", {"other": "x"}, "unreadable", "none of its columns is there", ""),
        ("alpaca", {"history": "x", "output": "y"}, "unreadable", "history is not a list", "y"),
        ("hugnlp", {"text": "Prose."}, "unreadable", "no speaker's name", "text: Prose."),
        ("messages", {"messages": "x"}, "unreadable", "not a list of turns", "messages: x"),
        (
            "sharegpt",
            {"conversations": [{"from": "elf", "value": "x"}]},
            "unreadable",
            "role 'elf' is not known",
            "x",
        ),
    ],
)
def test_a_row_that_is_no_record_says_why_and_what_stood_there(
    layout: str, row: Any, reason: str, message: str, excerpt: str, tmp_path: Path
) -> None:
    good = {
        "alpaca": {"instruction": "Hi", "output": "Ho"},
        "hugnlp": {"text": "Human: a\nHugChat: b"},
        "messages": {"messages": [{"role": "assistant", "content": "b"}]},
        "sharegpt": {"conversations": [{"from": "gpt", "value": "b"}]},
    }[layout]
    done = normalized(tmp_path, json.dumps([good, row, good]).encode(), source(layout))

    (failed,) = done.ledger.to_dicts()
    assert (failed["drop_reason"], failed["source_row"]) == (reason, 1)
    assert message in failed["message"]
    assert failed["excerpt"] == excerpt
    assert done.records["source_row"].to_list() == [0, 2]


# fmt: off
NO_INPUT = {
    "<noinput>": True, "< noinput >": True, "<no input>": True, "No Input.": True, "[No Input]": True,
    "(noinput)": True, '"<noinput>"': True, "No input required.": True, "No input needed.": True,
    "<noinput": True, "noinput <noinput>": False, "<noinput> 8": False, "The <noinput>": False, "None": False,
    "no inputs": False, "input": False, "": False,
    "无输入": True, "<无输入>": True, "&lt;无输入&gt;": True, "“&lt;无输入&gt;”": True, "`<无输入>`": True,
    "（无输入）": True, "[无输入]": True, "<无输入>。": True, "<无输入": True, "没有输入。": True, "没有输入": True,
    "无需输入。": True, "&lt;无输入&gt; 8": False, "无输入设备": False, "他没有输入。": False, "没有": False,
    "<无>": True, "（无）": True, "【无】。": True, "无": False, "“无”": False, "无。": False, "<无情>": False, "<无）": False,
}
# fmt: on


@pytest.mark.parametrize(("text", "expected"), NO_INPUT.items(), ids=repr)
def test_only_a_text_that_says_nothing_else_means_no_input(text: str, expected: bool) -> None:
    assert pl.select(no_input(pl.lit(text))).item() is expected


def test_columns_are_read_under_the_names_the_source_gives(tmp_path: Path) -> None:
    columns = {"instruction": "ask", "input": "with", "output": "reply", "category": "kind"}
    raw = json.dumps([{"ask": "a", "with": "b", "reply": "c", "kind": "math"}]).encode()

    done = normalized(tmp_path, raw, source("alpaca", columns=columns))

    assert done.conversations == [[(U, "a\n\nb"), (A, "c")]]
    assert done.records["category"].to_list() == ["math"]


def test_the_category_is_the_rows_then_the_sources_and_file_means_the_file(tmp_path: Path) -> None:
    def row(category: str | None) -> bytes:
        return json.dumps(
            {"messages": [{"role": "assistant", "content": "b"}], "category": category}
        ).encode()

    files = {"full/code.generation.jsonl": row(None), "full/ethics.json.gz": row("own")}
    by_file = normalized(tmp_path / "a", files, source("messages", category="file"))
    named = normalized(tmp_path / "b", files, source("messages", category="chat"))
    plain = normalized(tmp_path / "c", files, source("messages"))

    assert by_file.records["category"].to_list() == ["code.generation", "own"]
    assert named.records["category"].to_list() == ["chat", "own"]
    assert plain.records["category"].to_list() == [None, "own"]


@pytest.mark.parametrize(
    ("tools", "expected"),
    [
        ('[{"name": "f"}]', '[{"name": "f"}]'),
        ([{"name": "f"}], '[{"name":"f"}]'),
        ("[]", None),
        ("", None),
        (None, None),
    ],
)
def test_tool_definitions_are_kept_as_json(
    tools: Any, expected: str | None, tmp_path: Path
) -> None:
    row = {"conversations": [{"from": "gpt", "value": "b"}], "tools": tools}

    done = normalized(tmp_path, json.dumps([row]).encode(), source("sharegpt"))

    assert done.records["tools"].to_list() == [expected]


def choices(*answers: object, options: int = 3) -> bytes:
    """Rows of multiple choice with these answers, options w, x, y, z as far as wanted."""
    columns = dict(zip(("opa", "opb", "opc", "opd"), "wxyz"[:options], strict=False))
    return json.dumps([{"question": "Q", **columns, "cop": answer} for answer in answers]).encode()


# fmt: off
COUNTED = {  #                        files                                                          answers
    "the last option tells":          ({"a": choices(1, 2, 3)},                                      "wxy"),
    "a nought tells":                 ({"a": choices(1, 0, 2)},                                      "xwy"),
    "a nought in a later file tells": ({"a": choices(2, 2), "b": choices(1, 0)},                     "yyxw"),
    "a nought in an earlier one":     ({"a": choices(0, 1), "b": choices(2, 2)},                     "wxyy"),
    "the last one of a later file":   ({"a": choices(2, 2), "b": choices(3)},                        "xxy"),
    "fewer options, the last one":    ({"a": choices(2, 2), "b": choices(2, options=2)},             "xxx"),
    "whole numbers as fractions":     ({"a": choices(2.0, 0.0), "b": choices("1.0")},                "ywx"),
    "nothing but letters":            ({"a": choices("b", "(C)")},                                   "xy"),
    "an unlabelled row tells nothing":({"a": choices(-1, 2, 0)},                                     "yw"),
    "one beyond tells nothing":       ({"a": choices(4, 2, 3)},                                      "xy"),
}
# fmt: on


@pytest.mark.parametrize(("files", "expected"), COUNTED.values(), ids=COUNTED)
def test_all_files_of_a_source_count_options_alike_and_any_of_them_may_tell_how(
    files: dict[str, bytes], expected: str, tmp_path: Path
) -> None:
    done = normalized(tmp_path, files, source("multiple_choice"))

    assert [conversation[-1][1][-1] for conversation in done.conversations] == list(expected)


def test_an_answer_nought_far_behind_the_first_batch_tells(tmp_path: Path) -> None:
    rows = pl.DataFrame({"cop": [2] * 20_001 + [0]}).with_columns(
        question=pl.lit("Q"), opa=pl.lit("w"), opb=pl.lit("x"), opc=pl.lit("y")
    )
    rows.write_parquet(tmp_path / "rows.parquet")

    done = normalized(
        tmp_path, (tmp_path / "rows.parquet").read_bytes(), source("multiple_choice"), 100_000
    )

    said = done.records["messages"].list.last().struct.field("content")
    assert dict(said.value_counts().rows()) == {"C. y": 20_001, "A. w": 1}
    also = {"a.parquet": (tmp_path / "rows.parquet").read_bytes(), "b": choices(3)}
    with pytest.raises(SourceError, match=r"from 0 in a\.parquet row 20002 .* from 1 in b row 1 "):
        normalized(tmp_path / "b", also, source("multiple_choice"))


def test_answers_that_are_texts_of_options_need_no_number_of_the_first(tmp_path: Path) -> None:
    rows = [{"question": "1+1", "options": ["1", "2", "3"], "answer": 2}, {"answer": 7}]

    done = normalized(tmp_path, json.dumps(rows).encode(), source("multiple_choice"))

    assert [conversation[-1][1] for conversation in done.conversations] == ["B. 2", "7"]


LABELLED = {
    "two lists": {"label": ["1", "2", "3"], "text": ["x", "y", "z"]},
    "numbers for keys": {"1": "x", "2": "y", "3": "z"},
    "objects": [{"label": str(n), "text": text} for n, text in enumerate("xyz", 1)],
}


@pytest.mark.parametrize("options", LABELLED.values(), ids=LABELLED)
def test_answers_that_are_labels_need_no_number_of_the_first(options: Any, tmp_path: Path) -> None:
    rows = [{"question": "Q", "options": options, "answer": answer} for answer in ("2", 1, 3.0)]

    done = normalized(tmp_path, json.dumps(rows).encode(), source("multiple_choice"))

    said = [conversation[-1][1] for conversation in done.conversations]
    assert said == ["B. y", "A. x", "C. z"]


@pytest.mark.parametrize(
    ("options", "answer", "expected"),
    [
        (["w", None, "y"], 2, "C. y"),
        ([*"abcdefghijk"], 10, "K. k"),
        ({"A": "w", "B": None, "C": "y"}, 2, "C. y"),
    ],
    ids=["an option is null", "the eleventh", "a letter has no option"],
)
def test_a_number_means_the_place_of_an_option_whatever_the_others_are(
    options: object, answer: int, expected: str, tmp_path: Path
) -> None:
    row = {"question": "Q", "options": options, "answer": answer}
    made_of = source("multiple_choice", first_option=0)

    done = normalized(tmp_path, json.dumps([row]).encode(), made_of)

    assert done.conversations[0][-1] == (A, expected)


# fmt: off
UNDECIDED = {  #           files                                          said
    "both, in two files":  ({"a": choices(2, 3), "b": choices(1, 2, 0)},  r"two ways: from 0 in b row 3 \(answer 0 of 3 options\), from 1 in a row 2 \(answer 3 of 3"),
    "both, in one file":   ({"a": choices(0, 3)},                         r"two ways: from 0 in a row 1 .* from 1 in a row 2 "),
    "neither":             ({"a": choices("b", 2), "b": choices(1)},      r"of 2 answers .* none is 0 .* the first is a row 2 \(answer 2 of 3 options\)"),
}
# fmt: on


@pytest.mark.parametrize(("files", "said"), UNDECIDED.values(), ids=UNDECIDED)
def test_a_source_whose_answers_do_not_tell_how_they_count_is_not_read(
    files: dict[str, bytes], said: str, tmp_path: Path
) -> None:
    with pytest.raises(SourceError, match=said + r".*Set first_option: 0 or 1 .*corpus\.yaml"):
        normalized(tmp_path, files, source("multiple_choice"))


@pytest.mark.parametrize(
    ("first_option", "expected", "outside"),
    [(0, "wx", "answer 3 is not one of the 3 options, which count from 0"),
     (1, "wy", "answer 0 is not one of the 3 options, which count from 1")],
)  # fmt: skip
def test_what_the_source_says_holds_and_answers_outside_go_to_the_ledger(
    first_option: int, expected: str, outside: str, tmp_path: Path
) -> None:
    made_of = source("multiple_choice", first_option=first_option)

    done = normalized(tmp_path, choices(0, 1, 3), made_of)

    assert [conversation[-1][1][-1] for conversation in done.conversations] == list(expected)
    assert done.ledger["message"].to_list() == [outside]


def test_chain_of_thought_reasons_before_it_answers(tmp_path: Path) -> None:
    rows = [f"What is {n}+1?\\nThink.\t{n + 1}.\tAdd one to {n}.\\nDone." for n in range(40)]

    done = normalized(tmp_path, {"sums.tsv": "\n".join(rows).encode()}, source("cot"))

    asked = [conversation[0][1] for conversation in done.conversations]
    said = [conversation[1][1] for conversation in done.conversations]
    assert all(f"What is {n}+1?\nThink." in text for n, text in enumerate(asked))
    assert all(text.startswith(f"Add one to {n}.\nDone.\n\n") for n, text in enumerate(said))
    assert all(f" {n + 1}" in text.split("\n\n")[1] for n, text in enumerate(said))
    assert not any(".." in text for text in said)
    assert len({text.replace(str(n), "") for n, text in enumerate(asked)}) > 2


def test_a_template_depends_on_the_text_of_the_row_alone(tmp_path: Path) -> None:
    row = "What is 1+1?\t2\tAdd."
    one = normalized(tmp_path / "a", {"x.tsv": row.encode()}, source("cot"))
    many = normalized(tmp_path / "b", {"y.tsv": f"other\t1\twhy\n{row}".encode()}, source("cot"))

    assert one.records["record_id"].item() == many.records["record_id"].to_list()[1]


def test_question_without_rationale_is_answered_plainly_and_without_answer_not_at_all(
    tmp_path: Path,
) -> None:
    raw = b"q1\ta1\t\nq2\t\twhy\n"

    done = normalized(tmp_path, {"x.tsv": raw}, source("cot"))

    assert [conversation[-1] for conversation in done.conversations] == [(A, "a1")]
    assert done.reasons == ["no_response"]
