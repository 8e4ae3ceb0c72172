"""Whatever the bytes, normalize ends: with records and a ledger that balance, or SourceEmpty."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.errors import SourceEmpty
from schemas.source import Source
from tasks.normalize.layouts import shape_of
from tests.normalize.lakes import normalized, source

SLOW = [HealthCheck.too_slow]
LAYOUTS = [
    "alpaca",
    "belle",
    "dolly",
    "sharegpt",
    "messages",
    "hugnlp",
    "cot",
    "multiple_choice",
    "question_contexts",
    "tree",
    "preference",
    "lmflow",
    "template",
]
SAYS: dict[str, Any] = {
    "multiple_choice": {"first_option": 1},
    "template": {"template": {"user": "{q}{_}", "assistant": "{a}"}},
}
# fmt: off
WORDS = st.sampled_from([
    "", " ", "a", "Human: a\nAssistant: b", "Input: a \n Output: b", "<noinput>", "-1", "0", "2", "A", "[1]",
    "[[", '[["a", "b"]]', '["a", "b"]', "true", "false", '{"a": 1}', "&lt;", "\x1e[", "\x1d\x1f", "\0", "\ud800",
])
KEYS = st.sampled_from([
    "from", "value", "role", "content", "type", "text", "tool_calls", "function", "name", "arguments",
    "A", "B", "reasoning_content", "_", "", "human", "user", "assistant", "gpt",
    "replies", "rank", "deleted", "review_result",
])
# fmt: on
VALUES: Any = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-2, 5)
    | st.floats()
    | WORDS
    | KEYS
    | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=8,
)


def told(layout: str) -> Source:
    """A source of that layout that says what its answers may leave open."""
    return source(layout, **SAYS.get(layout, {}))


@st.composite
def files(draw: Any) -> tuple[str, bytes]:
    """A layout and a file with its columns, anything in them, and perhaps some bytes changed."""
    layout = draw(st.sampled_from(LAYOUTS))
    names = shape_of(told(layout)).wanted(told(layout))
    rows = draw(
        st.lists(
            st.dictionaries(st.sampled_from(names), VALUES, max_size=5), min_size=1, max_size=4
        )
    )
    ascii_only = draw(st.booleans())
    texts = [json.dumps(row, ensure_ascii=ascii_only) for row in rows]
    text = "\n".join(texts) if draw(st.booleans()) else f"[{','.join(texts)}]"
    raw = text.encode("utf-8", "surrogatepass")
    start = draw(st.integers(0, len(raw)))
    return layout, raw[:start] + draw(st.binary(max_size=4)) + raw[
        start + draw(st.integers(0, 4)) :
    ]


@given(files())
@settings(max_examples=80, derandomize=True, suppress_health_check=SLOW)
def test_no_row_of_any_layout_breaks_the_stage(
    tmp_path_factory: pytest.TempPathFactory, made: tuple[str, bytes]
) -> None:
    layout, raw = made
    good = json.dumps(
        {
            "alpaca": {"output": "b"},
            "belle": {"output": "b"},
            "dolly": {"response": "b"},
            "sharegpt": {"conversations": [{"from": "gpt", "value": "b"}]},
            "messages": {"messages": [{"role": "assistant", "content": "b"}]},
            "hugnlp": {"text": "Human: a\nHugChat: b"},
            "cot": {"answer": "b"},
            "multiple_choice": {"answer": "b"},
            "question_contexts": {"answer": "b"},
            "tree": {"prompt": {"role": "assistant", "text": "b"}},
            "preference": {"chosen": "b"},
            "lmflow": {"output": "b"},
            "template": {"a": "b"},
        }[layout]
    ).encode()

    done = normalized(tmp_path_factory.mktemp("any"), {"a": raw, "b": good}, told(layout))

    numbers = [*done.records["source_row"], *done.ledger["source_row"]]
    assert sorted(numbers) == list(range(done.manifest.rows_in))
    assert done.conversations[-1][-1] == ("assistant", "b")


@given(st.sampled_from(LAYOUTS), st.binary(max_size=200) | st.text(max_size=80).map(str.encode))
@settings(max_examples=50, derandomize=True, suppress_health_check=SLOW)
def test_no_bytes_at_all_break_the_stage(
    tmp_path_factory: pytest.TempPathFactory, layout: str, raw: bytes
) -> None:
    with contextlib.suppress(SourceEmpty):
        normalized(tmp_path_factory.mktemp("any"), raw, told(layout))
