"""Damage anywhere in a valid file of any layout: nothing raises, the account balances, and every
record that the damage did not touch is there."""

import contextlib
import csv
import gzip
import io
import json
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.errors import SourceEmpty, SourceError
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
BEARERS = {
    "comma": FLAT,
    "semicolon": FLAT,
    "tab": ONE_LINE,
    "lists": FLAT,
    # One text in brackets on a line is no list of fields: prose has such lines.
    "lists, a line each": tuple(layout for layout in FLAT if len(LAYOUTS[layout](0)) > 1),
    "dialogues": (Layout.HUGNLP,),
}
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


def listed(rows: list[Row]) -> list[str]:
    return [json.dumps(list(row.values()), ensure_ascii=False) for row in rows]


def dialogues(rows: list[Row]) -> Made:
    """Plain text; the blank lines around a dialogue belong to it, and the line that opens it."""
    made = joined([row["text"] for row in rows], "", "\n\n", "\n", by_line=False)
    ends = [*(start for start, _ in made.spans[1:]), len(made.raw)]
    spans = [
        (max(0, start - 2), end + len("Human: "))
        for (start, _), end in zip(made.spans, ends, strict=True)
    ]
    return Made(made.raw, tuple(spans))


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
    "semicolon":    lambda rows: delimited(rows, ";"),
    "instances":    lambda rows: joined(dumped(rows), '{"type": "text2text", "instances": [', ", ", "]}", False),
    "data":         lambda rows: joined(dumped(rows), '{"data": [\n', ",\n", "\n]}\n", False),
    "lists":        lambda rows: joined(listed(rows), "[\n", ",\n", "\n]\n", False),
    "lists, a line each": lambda rows: joined(listed(rows), "", "\n", "\n", True),
    "dialogues":    dialogues,
}
JUNK = st.sampled_from([
    b"", b"x", b'"', b"'", b"\\", b"{", b"}", b"[", b"]", b",", b":", b"\n", b"\r\n", b"\t", b"\0", b"\xff", b"\xe4\xb8",
    b'"}, {"', b"}{", b"[[", b"]]", b"null", b"\x1e[", b"</s>", b"Human: ", b"\xef\xbb\xbf", b"PAR1", b"```",
]) | st.binary(max_size=6)
# fmt: on


def of_layout(layout: Layout, container: str = "") -> Source:
    more: dict[str, Any] = {}
    if container.startswith("lists"):
        more["fields"] = list(LAYOUTS[layout](0))
    if layout == Layout.TEMPLATE:
        more["template"] = {"user": "{q}", "assistant": "{a}"}
    return source(layout.value, **more)


def made_of(container: str, layout: Layout) -> Made:
    rows = [LAYOUTS[layout](number) for number in ROWS]
    if container == "tab":
        rows = [{k: v.replace('"', "") for k, v in row.items()} for row in rows]
    return CONTAINERS[container](rows)


@dataclass(frozen=True)
class Case:
    """A damaged file, the source that reads it, and the numbers of the records that are intact."""

    raw: bytes
    source: Source
    intact: tuple[int, ...]


@st.composite
def damaged(draw: Any) -> Case:
    container = draw(st.sampled_from(sorted(CONTAINERS)))
    layout = draw(st.sampled_from(BEARERS.get(container, tuple(LAYOUTS))))
    made = made_of(container, layout)
    start = draw(st.integers(made.spans[0][0] + 1, len(made.raw)))
    stop = min(len(made.raw), start + draw(st.integers(0, 40)))
    raw = made.raw[:start] + draw(JUNK) + made.raw[stop:]
    intact = [
        number for number, (first, last) in enumerate(made.spans) if last <= start or stop <= first
    ]
    return Case(raw, of_layout(layout, container), tuple(intact))


def check(folder: Path, case: Case) -> None:
    """Nothing raises, the account balances, intact records are there."""
    try:
        done = normalized(folder, case.raw, case.source)
    except SourceEmpty:
        assert not case.intact
        return
    numbers = [*done.records["source_row"], *done.ledger["source_row"]]
    assert sorted(numbers) == list(range(done.manifest.rows_in))
    said = "\n".join(talk[-1][1] for talk in done.conversations)
    missing = [number for number in case.intact if answered(number) not in said]
    assert not missing


@given(damaged())
@settings(max_examples=200, derandomize=True, suppress_health_check=SLOW)
def test_damage_costs_no_record_that_it_does_not_touch(
    tmp_path_factory: pytest.TempPathFactory, case: Case
) -> None:
    check(tmp_path_factory.mktemp("fuzz"), case)


@st.composite
def cut_gzip(draw: Any) -> Case:
    """A gzip file of two members, damaged in the second one: the first is intact."""
    layout = draw(st.sampled_from(sorted(LAYOUTS)))
    made = made_of("lines", layout)
    cut = made.spans[3][0] + 1
    first, second = gzip.compress(made.raw[:cut]), gzip.compress(made.raw[cut:])
    start = draw(st.integers(0, len(second) - 1))
    stop = min(len(second), start + draw(st.integers(0, 40)))
    raw = first + second[:start] + draw(JUNK) + second[stop:]
    return Case(raw, of_layout(layout), (0, 1, 2))


@given(cut_gzip())
@settings(max_examples=30, derandomize=True, suppress_health_check=SLOW)
def test_what_stands_before_the_damage_of_a_packed_file_is_read(
    tmp_path_factory: pytest.TempPathFactory, case: Case
) -> None:
    check(tmp_path_factory.mktemp("fuzz"), case)


def zipped(rows: list[Row]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/rows.json", made_of("lines", Layout.ALPACA).raw)
        archive.writestr("b.json", json.dumps(rows))
    return out.getvalue()


def parquet(rows: list[Row]) -> bytes:
    out = io.BytesIO()
    pl.DataFrame(rows).write_parquet(out)
    return out.getvalue()


def arrow(rows: list[Row]) -> bytes:
    out = io.BytesIO()
    pl.DataFrame(rows).write_ipc(out)
    return out.getvalue()


@st.composite
def spoilt_whole(draw: Any) -> Case:
    """A file whose parts hang together, damaged: any record may be lost."""
    pack = draw(st.sampled_from([zipped, parquet, arrow]))
    layout = Layout.ALPACA if pack is zipped else draw(st.sampled_from(sorted(LAYOUTS)))
    whole = pack([LAYOUTS[layout](number) for number in ROWS])
    start = draw(st.integers(4, len(whole)))
    stop = min(len(whole), start + draw(st.integers(0, 40)))
    return Case(whole[:start] + draw(JUNK) + whole[stop:], of_layout(layout), ())


@given(spoilt_whole())
@settings(max_examples=60, derandomize=True, suppress_health_check=SLOW)
def test_no_damage_of_a_file_whose_parts_hang_together_raises(
    tmp_path_factory: pytest.TempPathFactory, case: Case
) -> None:
    with contextlib.suppress(SourceError):  # an archive that is not what it says may be refused
        check(tmp_path_factory.mktemp("fuzz"), case)
