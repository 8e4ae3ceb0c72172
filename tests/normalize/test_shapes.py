"""What a source says for all its rows, what a row says for itself, and the names layouts look for."""

import json
from pathlib import Path
from typing import Any

import pytest

from schemas.errors import ConfigError
from schemas.source import Columns, Layout
from tasks.normalize.layouts import every_name, shape_of, shapes
from tests.normalize.lakes import normalized, source
from tests.normalize.tables import A, S, U, become, expected

QA = [(U, "q"), (A, "a")]
# fmt: off
ONE_ROW = {
    "alpaca":            {"instruction": "q", "output": "a"},
    "belle":             {"instruction": "q", "output": "a"},
    "dolly":             {"instruction": "q", "response": "a"},
    "sharegpt":          {"conversations": [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}]},
    "messages":          {"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]},
    "hugnlp":            {"text": "Human: q\nHugChat: a"},
    "multiple_choice":   {"question": "q", "answer": "a"},
    "question_contexts": {"question": "q", "answer": "a"},
    "tree":              {"prompt": {"text": "q", "role": "prompter", "replies": [{"text": "a", "role": "assistant"}]}},
    "preference":        {"prompt": "q", "chosen": "a", "rejected": "x"},
    "lmflow":            {"input": "q", "output": "a"},
}
# fmt: on


@pytest.mark.parametrize("layout", ONE_ROW)
def test_a_system_text_of_the_source_opens_every_dialogue_that_has_none(
    layout: str, tmp_path: Path
) -> None:
    own, blank = ONE_ROW[layout] | {"system": "t"}, ONE_ROW[layout] | {"system": " "}
    rows = {
        "none": (ONE_ROW[layout], [(S, "s"), *QA]),
        "a blank one": (blank, [(S, "s"), *QA]),
        "its own": (own, [(S, "t"), *QA]),
    }

    said = become(tmp_path / "said", rows, source(layout, constants={"system": "s"}))
    unsaid = become(tmp_path / "unsaid", rows, source(layout))

    assert said == expected(rows)
    assert unsaid == {"none": QA, "a blank one": QA, "its own": [(S, "t"), *QA]}


def test_a_system_turn_of_the_dialogue_comes_before_any_system_text(tmp_path: Path) -> None:
    turns = [{"role": "system", "content": "own"}, {"role": "user", "content": "q"},
             {"role": "assistant", "content": "a"}]  # fmt: skip
    blank = [turns[0] | {"content": " "}, *turns[1:]]
    rows = {
        "own": ({"messages": turns, "system": "t"}, [(S, "own"), *QA]),
        "blank": ({"messages": blank, "system": "t"}, [(S, "t"), *QA]),
    }

    assert become(tmp_path, rows, source("messages", constants={"system": "s"})) == expected(rows)


def test_a_constant_stands_where_a_row_says_nothing_and_only_there(tmp_path: Path) -> None:
    made_of = source(
        "alpaca", columns={"output": "text"}, constants={"instruction": "Go on.", "category": "c"}
    )
    rows = [
        {"text": "a"},
        {"text": "a", "instruction": None, "category": "  "},
        {"text": "a", "instruction": "Stop.", "category": "own"},
    ]

    done = normalized(tmp_path, json.dumps(rows).encode(), made_of)

    assert [turns[0] for turns in done.conversations] == [
        (U, "Go on."),
        (U, "Go on."),
        (U, "Stop."),
    ]
    assert done.records["category"].to_list() == ["c", "c", "own"]


def test_constants_make_no_record_of_a_row_with_none_of_its_columns(tmp_path: Path) -> None:
    made_of = source("alpaca", constants={"instruction": "q", "output": "a", "system": "s"})
    rows: list[Any] = [{"other": "x"}, {"system": "t"}, {"input": "x"}]

    done = normalized(tmp_path, json.dumps(rows).encode(), made_of)

    assert [done.records["source_row"].to_list(), done.reasons] == [[1, 2], ["unreadable"]]
    message = done.ledger["message"].item()
    assert message.startswith("none of its columns is there: instruction, input")
    assert message.endswith("; the first row here has other")


def test_a_row_in_the_middle_is_not_said_to_have_the_columns_of_the_first(tmp_path: Path) -> None:
    rows = [{"instruction": "q", "output": "a"}, {"other": "x"}]
    done = normalized(tmp_path, json.dumps(rows).encode(), source("alpaca"))
    assert "the first row" not in done.ledger["message"].item()


@pytest.mark.parametrize(
    ("layout", "column"),
    [("sharegpt", "instruction"), ("alpaca", "question"), ("template", "system")],
)
def test_a_constant_of_a_column_that_the_layout_does_not_read_is_refused(
    layout: str, column: str
) -> None:
    template = {"user": "{q}", "assistant": "{a}"} if layout == "template" else None
    made_of = source(layout, template=template, constants={column: "x"})

    with pytest.raises(ConfigError, match=f"for '{column}', which layout '{layout}' does not read"):
        shape_of(made_of)


def test_a_row_that_nobody_answers_is_shown_and_not_its_system_text(tmp_path: Path) -> None:
    rows = [{"prompt": "why", "system": "t"}, ONE_ROW["preference"]]

    done = normalized(tmp_path, json.dumps(rows).encode(), source("preference"))

    assert (done.reasons, done.ledger["excerpt"].to_list()) == (["no_response"], ["prompt: why"])


def test_the_licence_of_a_row_comes_before_the_sources(tmp_path: Path) -> None:
    rows = [
        ONE_ROW["alpaca"] | {"license": licence} for licence in ("CC0-1.0", " ", None, " MIT-0 ")
    ]
    raw = json.dumps([*rows, ONE_ROW["alpaca"]]).encode()

    named = normalized(tmp_path / "a", raw, source("alpaca", columns={"licence": "license"}))
    plain = normalized(tmp_path / "b", raw, source("alpaca"))
    constant = normalized(
        tmp_path / "c",
        raw,
        source("alpaca", columns={"licence": "license"}, constants={"licence": "CC-BY-4.0"}),
    )

    assert named.records["licence"].to_list() == ["CC0-1.0", "MIT", "MIT", "MIT-0", "MIT"]
    assert plain.records["licence"].to_list() == ["MIT"] * 5
    assert constant.records["licence"].to_list()[:2] == ["CC0-1.0", "CC-BY-4.0"]


def test_layout_auto_has_no_shape_until_the_rows_have_decided_it() -> None:
    with pytest.raises(ConfigError, match="'corpus' has layout auto, which its rows must decide"):
        shape_of(source("auto"))


def test_every_layout_but_auto_and_template_is_told_by_its_rows() -> None:
    assert set(shapes()) == set(Layout) - {Layout.AUTO, Layout.TEMPLATE}


def test_every_name_is_each_name_that_any_layout_looks_for_once() -> None:
    names = every_name()

    assert len(set(names)) == len(names)
    for layout, shape in shapes().items():
        assert set(shape.wanted(source(layout.value))) <= set(names)
    renamed = every_name(Columns(output="reply"))
    assert set(renamed) ^ set(names) <= {"reply", "output"}
