"""Dialogues written as text: which names split them, and which only look like it."""

import json
from pathlib import Path

import pytest

from tests.normalize.lakes import normalized, source

U, A, S = "user", "assistant", "system"
ROLES = {"客户": "user", "客服": "assistant", "旁白": "system"}


def line(**row: str) -> bytes:
    """One row as a line of JSON."""
    return f"{json.dumps(row)}\n".encode()


# fmt: off
TEXTS = {  #                        text                                                                    turns
    "Human and HugChat":            ("Human: a\nHugChat: b\nHuman: c\nHugChat: d",                            [(U, "a"), (A, "b"), (U, "c"), (A, "d")]),
    "Human and Assistant":          ("\n\nHuman: a\n\nAssistant: b",                                          [(U, "a"), (A, "b")]),
    "User and Assistant":           ("User: a\nAssistant: b",                                                 [(U, "a"), (A, "b")]),
    "any case, spaces, wide colon": ("  USER ：a\n\tassistant : b",                                            [(U, "a"), (A, "b")]),
    "questions in Chinese":         ("问：甲\n答：乙",                                                           [(U, "甲"), (A, "乙")]),
    "people in Chinese":            ("用户：甲\n助手：乙\n用户: 丙\n助手: 丁",                                      [(U, "甲"), (A, "乙"), (U, "丙"), (A, "丁")]),
    "input and output":             ("Input: 1\nOutput: 2\n\nInput: 3\nOutput: 4",                            [(U, "1"), (A, "2"), (U, "3"), (A, "4")]),
    "tags":                         ("<human>: a\n<bot>: b",                                                  [(U, "a"), (A, "b")]),
    "tags on one line":             ("<human>: a <bot>: b <human>: c <bot>: d",                               [(U, "a"), (A, "b"), (U, "c"), (A, "d")]),
    "tags and text before":         ("Background.\n<human>: a <bot>: b",                                       [(U, "Background.\n\na"), (A, "b")]),
    "sentence marks":               ("<s>Human: a\n</s><s>Assistant: b\n</s>",                                [(U, "a"), (A, "b")]),
    "sentence marks, one line":     ("<s>Human: a</s><s>Assistant: b</s><s> Human: c</s><s>Assistant: d</s>",  [(U, "a"), (A, "b"), (U, "c"), (A, "d")]),
    "sentence marks on lines":      ("<s>\nHuman: a\n</s>\n<s>\nAssistant: b\n</s>",                           [(U, "a"), (A, "b")]),
    "end of text":                  ("<|endoftext|>Human: a\nBot: b<|endoftext|>\n",                          [(U, "a"), (A, "b")]),
    "marks within code":            ("Human: a\nBot: print('</s>', '<|endoftext|>', x)</s>",                   [(U, "a"), (A, "print('</s>', '<|endoftext|>', x)")]),
    "struck out in HTML":           ("Human: strike\nBot: so: <s>old</s>",                                      [(U, "strike"), (A, "so: <s>old</s>")]),
    "HTML and a mark":              ("<s>Human: strike</s><s>Assistant: so: <s>old</s></s>",                    [(U, "strike"), (A, "so: <s>old</s>")]),
    "a system text":                ("System: be kind\nUser: a\nAssistant: b",                                 [(S, "be kind"), (U, "a"), (A, "b")]),
    "a system log in an answer":    ("User: a\nAssistant: it said\nSystem: halted",                            [(U, "a"), (A, "it said\nSystem: halted")]),
    "another chat in an answer":    ("Human: a\nAssistant: like so:\nUser: hi\nBot: ho",                       [(U, "a"), (A, "like so:\nUser: hi\nBot: ho")]),
    "another family in an answer":  ("User: run\nAssistant: prints\nOutput: 5\nInput: 6\n问：x",                [(U, "run"), (A, "prints\nOutput: 5\nInput: 6\n问：x")]),
    "a tag in an answer":           ("User: a\nAssistant: write <human>: x",                                   [(U, "a"), (A, "write <human>: x")]),
    "names in the middle of lines": ("Human: say Assistant: twice\nAssistant: the Human: said",                 [(U, "say Assistant: twice"), (A, "the Human: said")]),
    "names in code":                ("Human: a\nAssistant: d = {\n  'x': 1,  # Human: y\n}\nuser = 3",          [(U, "a"), (A, "d = {\n  'x': 1,  # Human: y\n}\nuser = 3")]),
    "longer words":                 ("Human: a\nAssistant: b\nAssistants: c\nHumanity: d",                     [(U, "a"), (A, "b\nAssistants: c\nHumanity: d")]),
    "several lines":                ("Human: a\n  b\n\nc\nAssistant:\n- d\n- e",                               [(U, "a\n  b\n\nc"), (A, "- d\n- e")]),
    "the assistant first":          ("Assistant: hello\nUser: a\nAssistant: b",                                [(U, "a"), (A, "b")]),
}
# fmt: on


@pytest.mark.parametrize(("text", "turns"), TEXTS.values(), ids=TEXTS)
def test_a_text_is_split_by_the_names_of_its_first_family(
    text: str, turns: list[tuple[str, str]], tmp_path: Path
) -> None:
    done = normalized(tmp_path, line(text=text), source("hugnlp"))

    assert done.conversations == [turns]


# fmt: off
OWN = {
    "names of the source":          ("客户：甲\n客服：乙",                            [(U, "甲"), (A, "乙")]),
    "and known ones":               ("客户：甲\nAssistant: 乙",                      [(U, "甲"), (A, "乙")]),
    "a system's":                   ("旁白：夜\n客户：甲\n客服：乙",                  [(S, "夜"), (U, "甲"), (A, "乙")]),
    "known ones alone":             ("User: a\nBot: b\n",                           [(U, "a"), (A, "b")]),
    "tags":                         ("<human>: a <bot>: b",                         [(U, "a"), (A, "b")]),
}
# fmt: on


@pytest.mark.parametrize(("text", "turns"), OWN.values(), ids=OWN)
def test_a_source_adds_names_of_its_own(
    text: str, turns: list[tuple[str, str]], tmp_path: Path
) -> None:
    done = normalized(tmp_path, line(text=text), source("hugnlp", roles=ROLES))

    assert done.conversations == [turns]


# fmt: off
ROWS = {  #                      instruction                                     input                            turns before the answer
    "Guanaco":                   ("User: a\nAssistant: b\nUser: c",               "",                              [(U, "a"), (A, "b"), (U, "c")]),
    "an empty last turn":        ("User:a\nAssistant:b\nUser:c\nAssistant:",      "",                              [(U, "a"), (A, "b"), (U, "c")]),
    "a user alone":              ("User: a",                                      "",                              [(U, "a")]),
    "knowledge in the input":    ("User: a\nAssistant: b\n",                      "System: k\nUser: c",            [(S, "k"), (U, "a"), (A, "b"), (U, "c")]),
    "the next turn in the input":("User: a\nAssistant: b\n",                      "User: c",                       [(U, "a"), (A, "b"), (U, "c")]),
    "plain words in the input":  ("User: a\nAssistant: b\n",                      "c",                             [(U, "a"), (A, "b"), (U, "c")]),
    "tags":                      ("<human>: a <bot>: b <human>: c <bot>:",        "",                              [(U, "a"), (A, "b"), (U, "c")]),
    "people in Chinese":         ("用户：甲\n助手：",                                "",                              [(U, "甲")]),
    "question and answer":       ("问：甲\n答：乙\n问：丙\n答：",                     "",                              [(U, "甲"), (A, "乙"), (U, "丙")]),
    "a question alone":          ("问：加拿大的首都是哪里？\n回答",                     "",                              [(U, "问：加拿大的首都是哪里？\n回答")]),
    "an input alone":            ("Input: the text\nmore",                        "",                              [(U, "Input: the text\nmore")]),
    "prose before the names":    ("Go on:\nUser: a\nAssistant: b",                "",                              [(U, "Go on:\nUser: a\nAssistant: b")]),
    "a name within a line":      ("Say User: twice",                              "User: x",                       [(U, "Say User: twice\n\nUser: x")]),
}
# fmt: on


@pytest.mark.parametrize(("instruction", "more", "before"), ROWS.values(), ids=ROWS)
def test_an_instruction_that_begins_with_a_name_is_the_dialogue_so_far(
    instruction: str, more: str, before: list[tuple[str, str]], tmp_path: Path
) -> None:
    raw = line(instruction=instruction, input=more, output="z")

    assert normalized(tmp_path, raw, source("belle")).conversations == [[*before, (A, "z")]]


def test_rows_of_several_families_keep_their_order(tmp_path: Path) -> None:
    texts = ["Human: 0\nBot: x", "<human>: 1 <bot>: x", "User: 2\nBot: x", "Prose.", "问：4\n答：x"]
    raw = b"".join(line(text=text) for text in texts)

    done = normalized(tmp_path, raw, source("hugnlp"))

    assert [said[0][1] for said in done.conversations] == ["0", "1", "2", "4"]
    assert done.ledger["source_row"].to_list() == [3]
