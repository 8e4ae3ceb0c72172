"""Damage anywhere in a valid file of any layout: nothing raises, the account balances, and every
record that the damage did not touch is there."""

import csv
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.errors import SourceEmpty
from schemas.source import Layout, Source
from tests.normalize.lakes import normalized, source

ROWS = range(6)
SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large]

Row = dict[str, Any]


def asked(number: int) -> str:
    return f"Question {number}: what, if anything, is it?"


def answered(number: int) -> str:
    """What the last message of record `number` holds and that of no other does."""
    return f"It is <{number}>."


def turns(number: int, speaker: str, text: str, names: tuple[str, str]) -> list[Row]:
    return [
        {speaker: names[0], text: asked(number)},
        {speaker: names[1], text: answered(number)},
    ]


# fmt: off
LAYOUTS: dict[Layout, Callable[[int], Row]] = {
    Layout.ALPACA:            lambda n: {"instruction": asked(n), "input": "", "output": answered(n)},
    Layout.BELLE:             lambda n: {"instruction": f"Human: a\nAssistant: b\nHuman: {asked(n)}\nAssistant:", "input": "", "output": answered(n)},
    Layout.DOLLY:             lambda n: {"instruction": asked(n), "context": "in \"quotes\"", "response": answered(n), "category": "qa"},
    Layout.SHAREGPT:          lambda n: {"conversations": turns(n, "from", "value", ("human", "gpt"))},
    Layout.MESSAGES:          lambda n: {"messages": turns(n, "role", "content", ("user", "assistant"))},
    Layout.HUGNLP:            lambda n: {"text": f"Human: {asked(n)}\nHugChat: {answered(n)}"},
    Layout.COT:               lambda n: {"question": asked(n), "answer": "yes", "explanation": answered(n)},
    Layout.MULTIPLE_CHOICE:   lambda n: {"question": asked(n), "options": {"A": "no", "B": "yes"}, "answer": "B", "explanation": answered(n)},
    Layout.QUESTION_CONTEXTS: lambda n: {"question": asked(n), "contexts": ["one", "two"], "explanation": answered(n), "answer": "yes"},
    Layout.TREE:              lambda n: {"message_tree_id": str(n), "prompt": {"text": asked(n), "role": "prompter", "replies": [{"text": answered(n), "role": "assistant", "rank": 0, "replies": []}]}},
    Layout.PREFERENCE:        lambda n: {"prompt": asked(n), "chosen": answered(n), "rejected": "No."},
    Layout.LMFLOW:            lambda n: {"input": asked(n), "output": answered(n)},
    Layout.TEMPLATE:          lambda n: {"q": asked(n), "a": answered(n)},
}
# fmt: on
FLAT = tuple(
    layout
    for layout, row in LAYOUTS.items()
    if all(isinstance(value, str) for value in row(0).values())
)


ONE_LINE = tuple(
    layout for layout in FLAT if not any("\n" in v for v in LAYOUTS[layout](0).values())
)
BEARERS = {"comma": FLAT, "tab": ONE_LINE}
"""Layouts that a container can hold, where that is not all of them."""


@dataclass(frozen=True)
class Made:
    """A valid file: its bytes, and for each record the bytes that it cannot do without."""

    raw: bytes
    spans: tuple[tuple[int, int], ...]


def joined(rows: list[str], before: str, between: str, after: str, by_line: bool) -> Made:
    """Rows in a container. Where lines part them, a row's line ends belong to it."""
    raw = before.encode()
    spans = []
    for place, row in enumerate(rows):
        start = len(raw)
        raw += row.encode()
        spans.append((start - by_line, len(raw) + by_line))
        raw += (between if place + 1 < len(rows) else after).encode()
    return Made(raw, tuple(spans))


def delimited(rows: list[Row], delimiter: str) -> Made:
    def line(fields: list[str]) -> str:
        out = io.StringIO()
        csv.writer(out, delimiter=delimiter, lineterminator="").writerow(fields)
        return out.getvalue()

    header = line(list(rows[0]))
    return joined([line(list(row.values())) for row in rows], f"{header}\n", "\n", "\n", True)


def dumped(rows: list[Row]) -> list[str]:
    return [json.dumps(row, ensure_ascii=False) for row in rows]


# fmt: off
CONTAINERS: dict[str, Callable[[list[Row]], Made]] = {
    "array":        lambda rows: joined(dumped(rows), "[\n", ",\n", "\n]\n", False),
    "one line":     lambda rows: joined(dumped(rows), "[", ", ", "]", False),
    "indented":     lambda rows: joined([json.dumps(row, indent=2) for row in rows], "[\n", ",\n", "\n]", False),
    "lines":        lambda rows: joined(dumped(rows), "", "\n", "\n", True),
    "keyed":        lambda rows: joined([f'"id-{n}": {row}' for n, row in enumerate(dumped(rows))], "{", ", ", "}", False),
    "tab":          lambda rows: delimited(rows, "\t"),
    "comma":        lambda rows: delimited(rows, ","),
}
JUNK = st.sampled_from([
    b"", b"x", b'"', b"'", b"\\", b"{", b"}", b"[", b"]", b",", b":", b"\n", b"\r\n", b"\t", b"\0", b"\xff", b"\xe4\xb8",
    b'"}, {"', b"}{", b"[[", b"]]", b"null", b"\x1e[", b"</s>", b"Human: ", b"\xef\xbb\xbf", b"PAR1", b"```",
]) | st.binary(max_size=6)
# fmt: on


def of_layout(layout: Layout) -> Source:
    more: dict[str, Any] = {}
    if layout == Layout.TEMPLATE:
        more["template"] = {"user": "{q}", "assistant": "{a}"}
    return source(layout.value, **more)


@st.composite
def damaged(draw: Any) -> tuple[Layout, bytes, tuple[int, ...]]:
    """A layout, a damaged file of it, and the numbers of the records that are intact."""
    container = draw(st.sampled_from(sorted(CONTAINERS)))
    layout = draw(st.sampled_from(BEARERS.get(container, tuple(LAYOUTS))))
    rows = [LAYOUTS[layout](number) for number in ROWS]
    if container == "tab":
        rows = [{k: v.replace('"', "") for k, v in row.items()} for row in rows]
    made = CONTAINERS[container](rows)
    start = draw(st.integers(made.spans[0][0] + 1, len(made.raw)))
    stop = min(len(made.raw), start + draw(st.integers(0, 40)))
    raw = made.raw[:start] + draw(JUNK) + made.raw[stop:]
    intact = [
        number for number, (first, last) in enumerate(made.spans) if last <= start or stop <= first
    ]
    return layout, raw, tuple(intact)


@given(damaged())
@settings(max_examples=400, deadline=None, derandomize=True, suppress_health_check=SLOW)
def test_damage_costs_no_record_that_it_does_not_touch(
    tmp_path_factory: pytest.TempPathFactory, made: tuple[Layout, bytes, tuple[int, ...]]
) -> None:
    layout, raw, intact = made
    try:
        done = normalized(tmp_path_factory.mktemp("fuzz"), raw, of_layout(layout))
    except SourceEmpty:
        assert not intact
        return
    numbers = [*done.records["source_row"], *done.ledger["source_row"]]
    assert sorted(numbers) == list(range(done.manifest.rows_in))
    said = "\n".join(talk[-1][1] for talk in done.conversations)
    missing = [number for number in intact if answered(number) not in said]
    assert not missing
