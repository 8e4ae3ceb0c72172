"""Function calls, what the functions answered, and the definitions of the functions."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.normalize.lakes import normalized, source
from tests.normalize.tables import A, T, U, become, expected


def call(arguments: Any, name: Any = "f", **more: Any) -> dict[str, Any]:
    """One of `tool_calls`."""
    return {
        "id": "1",
        "type": "function",
        "function": {"name": name, "arguments": arguments},
    } | more


def calls(*made: Any, **turn: Any) -> list[dict[str, Any]]:
    """A question and the assistant's turn that calls."""
    said = {"role": "assistant", "content": None, "tool_calls": list(made)} | turn
    return [{"role": "user", "content": "q"}, said]


def says(*lines: str) -> list[tuple[str, str]]:
    """The conversation in which the assistant says these lines."""
    return [(U, "q"), (A, "\n".join(lines))]


ONE, TWO = '{"name":"f", "arguments": {"x": 1}}', '{"name":"g", "arguments": {"y":2}}'
NONE, BAD = (
    '{"name":"f", "arguments": {}}',
    "unreadable: a function call is no JSON that has a name",
)
# fmt: off
CALLS = {  #                      turns                                                          conversation
    "arguments as text":         (calls(call('{"x": 1}')),                                       says(ONE)),
    "arguments as an object":    (calls(call({"y": 2}, "g")),                                    says(TWO)),
    "several at once, in order": (calls(call('{"x": 1}'), call({"y": 2}, "g")),                  says(ONE, TWO)),
    "bare ones among wrapped":   (calls(call('{"x": 1}'), {"name": "g", "arguments": {"y": 2}}, call('{"x": 1}')), says(ONE, TWO, ONE)),
    "no arguments":              (calls(call("")),                                               says(NONE)),
    "null arguments":            (calls(call(None)),                                             says(NONE)),
    "null as text":              (calls(call("null")),                                           says(NONE)),
    "arguments that are prose":  (calls(call('x is "1"')),                                       says('{"name":"f", "arguments": "x is \\"1\\""}')),
    "arguments of a number":     (calls(call(5)),                                                says('{"name":"f", "arguments": "5"}')),
    "cut arguments":             (calls(call('{"x": ')),                                         says('{"name":"f", "arguments": "{\\"x\\":"}')),
    "arguments in many lines":   (calls(call('{\n  "x": 1\n}')),                                 says('{"name":"f", "arguments": { "x": 1 }}')),
    "a line end within a text":  (calls(call('{"x": "a\\nb"}')),                                 says('{"name":"f", "arguments": {"x": "a\\nb"}}')),
    "a name with a quote":       (calls(call('{"x": 1}', 'f"')),                                 says('{"name":"f\\"", "arguments": {"x": 1}}')),
    "beside a text":             (calls(call('{"x": 1}'), content="I call."),                    says("I call.", "", ONE)),
    "beside an empty text":      (calls(call('{"x": 1}'), content=""),                           says(ONE)),
    "after reasoning":           (calls(call('{"x": 1}'), reasoning_content="hm"),               says("<think>", "hm", "</think>", "", ONE)),
    "the list as text":          (calls(tool_calls=json.dumps([call({"y": 2}, "g")])),           says(TWO)),
    "the function as text":      (calls({"function": '{"name": "g", "arguments": {"y":2}}'}),    says(TWO)),
    "the older form":            (calls(tool_calls=None, function_call={"name": "g", "arguments": {"y": 2}}), says(TWO)),
    "the older form beside []":  (calls(function_call={"name": "g", "arguments": {"y": 2}}),     says(TWO)),
    "an empty list":             (calls(content="a"),                                            says("a")),
    "an empty list as text":     (calls(content="a", tool_calls=" [ ] "),                        says("a")),
    "null":                      (calls(content="a", tool_calls=None, function_call=None),       says("a")),
    "an empty object":           (calls(content="a", function_call={}),                          says("a")),
    "no name":                   (calls({"id": "1", "type": "code_interpreter"}),                BAD),
    "one without a name":        (calls(call('{"x": 1}'), call('{"x": 1}', None)),               BAD),
    "a blank name":             (calls(call('{"x": 1}', " ")),                                   BAD),
    "a name that is a list":    (calls(call('{"x": 1}', ["f"])),                                 BAD),
    "reasoning that is a list": (calls(call('{"x": 1}'), reasoning_content=["hm"]),              says("<think>", '["hm"]', "</think>", "", ONE)),
    "calls that are texts":      (calls("f"),                                                    BAD),
    "prose":                     (calls(content="a", function_call="auto"),                      BAD),
}
ANSWERS = {
    "by id":                     ([{"role": "tool", "tool_call_id": "1", "name": "f", "content": "2"}],  [(T, "2")]),
    "the older role":            ([{"role": "function", "name": "f", "content": "2"}],                   [(T, "2")]),
    "an object":                 ([{"role": "tool", "content": {"x": 1}}],                               [(T, '{"x":1}')]),
    "a list of objects":         ([{"role": "tool", "content": [{"x": 1}]}],                             [(T, '[{"x":1}]')]),
    "typed parts":               ([{"role": "tool", "content": [{"type": "text", "text": "2"}]}],        [(T, "2")]),
    "nothing":                   ([{"role": "tool", "content": None}],                                   [(T, "")]),
    "one for each call":         ([{"role": "tool", "content": "2"}, {"role": "tool", "content": "3"}],  [(T, "2\n\n3")]),
}
SHARED = {  #                     turns                                                          conversation
    "call and observation":      ([("human", "q"), ("function_call", ONE), ("observation", "2"), ("gpt", "a")], [(U, "q"), (A, ONE), (T, "2"), (A, "a")]),
    "a call that is an object":  ([("human", "q"), ("function_call", {"name": "f"}), ("observation", [2]), ("gpt", "a")], [(U, "q"), (A, '{"name":"f"}'), (T, "[2]"), (A, "a")]),
    "calls at once":             ([("human", "q"), ("tool_call", "[1, 2]"), ("tool_response", "3"), ("gpt", "a")], [(U, "q"), (A, "[1, 2]"), (T, "3"), (A, "a")]),
    "cut back to the call":      ([("human", "q"), ("function_call", ONE), ("observation", "2")],  [(U, "q"), (A, ONE)]),
    "only an observation":       ([("human", "q"), ("observation", "2")],                        "no_response: no assistant turn"),
}
# fmt: on


def test_calls_become_a_line_of_json_each(tmp_path: Path) -> None:
    table = {name: ({"messages": turns}, said) for name, (turns, said) in CALLS.items()}

    assert become(tmp_path, table, source("messages")) == expected(CALLS)


def test_a_line_of_a_call_is_json_whatever_its_arguments_are(tmp_path: Path) -> None:
    table = {name: ({"messages": turns}, said) for name, (turns, said) in CALLS.items()}
    found = become(tmp_path, table, source("messages"))

    lines = [
        json.loads(line)
        for said in found.values()
        if not isinstance(said, str)
        for line in said[-1][1].splitlines()
        if line.startswith("{")
    ]
    assert all(line.keys() == {"name", "arguments"} for line in lines)
    assert len(lines) > len(CALLS) / 2


def test_what_functions_answered_is_the_tools_turn(tmp_path: Path) -> None:
    end = {"role": "assistant", "content": "a"}
    table = {
        name: ({"messages": [*calls(call('{"x": 1}')), *turns, end]}, [*says(ONE), *said, (A, "a")])
        for name, (turns, said) in ANSWERS.items()
    }

    assert become(tmp_path, table, source("messages")) == expected(table)


def test_sharegpt_calls_and_observations_are_turns_as_they_stand(tmp_path: Path) -> None:
    table = {
        name: ({"conversations": [{"from": who, "value": text} for who, text in turns]}, said)
        for name, (turns, said) in SHARED.items()
    }

    assert become(tmp_path, table, source("sharegpt")) == expected(SHARED)


# fmt: off
DEFINED = {  #               columns                                             tools
    "a list":               ({"tools": [{"name": "f"}]},                         '[{"name":"f"}]'),
    "JSON text":            ({"tools": '[{"name": "f"}]'},                       '[{"name": "f"}]'),
    "one object":           ({"tools": {"name": "f"}},                           '{"name":"f"}'),
    "the older name":       ({"functions": [{"name": "f"}]},                     '[{"name":"f"}]'),
    "the new before it":    ({"functions": [{"name": "f"}], "tools": [{"name": "g"}]}, '[{"name":"g"}]'),
    "an empty list":        ({"tools": []},                                      None),
    "null":                 ({"tools": None},                                    None),
    "blank":                ({"tools": " "},                                     None),
}
# fmt: on


@pytest.mark.parametrize(("columns", "tools"), DEFINED.values(), ids=DEFINED)
@pytest.mark.parametrize("column", ["messages", "conversations"])
def test_definitions_of_functions_are_kept_as_json_text(
    column: str, columns: dict[str, Any], tools: str | None, tmp_path: Path
) -> None:
    layout = {"messages": "messages", "conversations": "sharegpt"}[column]
    row = {column: [{"role": "assistant", "content": "a"}]} | columns

    done = normalized(tmp_path, json.dumps([row]).encode(), source(layout))

    assert done.records["tools"].to_list() == [tools]


def test_definitions_are_read_under_the_name_the_source_gives(tmp_path: Path) -> None:
    row = {"messages": calls(call('{"x": 1}')), "api": [{"name": "f"}]}

    done = normalized(
        tmp_path, json.dumps([row]).encode(), source("messages", columns={"tools": "api"})
    )

    assert done.records["tools"].to_list() == ['[{"name":"f"}]']
