"""Rows that are lists: of fields in a known order, and of the turns of a conversation."""

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tasks.normalize import json_rows
from tasks.normalize.raw import OFFSET, Damage
from tasks.normalize.readers import read_file
from tests.normalize.lakes import normalized, source

SLOW = [HealthCheck.too_slow]
FIELDS = ("instruction", "output")


def read(
    folder: Path, raw: bytes, fields: tuple[str, ...] = FIELDS
) -> tuple[list[str], list[Damage]]:
    """The outputs of all rows that were read, and the damage."""
    path = folder / "rows"
    path.write_bytes(raw)
    batches = list(read_file(path, fields, fields))
    rows = [text for batch in batches for text in batch.rows["output"].to_list()]
    offsets = [offset for batch in batches for offset in batch.rows[OFFSET].to_list()]
    assert offsets == sorted(offsets)
    assert all(raw[offset : offset + 1] == b"[" for offset in offsets)
    return rows, [one for batch in batches for one in batch.damage]


A, B, C = '["Say", "a"]', '["Say", "b"]', '["Say", "c"]'
FOUND = "expected 2 fields (instruction, output), found"

# fmt: off
CASES = {  #                  bytes                                       rows             what the ledger says
    "array":                  (f"[{A}, {B}, {C}]",                        "abc",           []),
    "pretty array":           (json.dumps([["Say", "a"], ["Say", "b"]], indent=2), "ab",   []),
    "a line each in an array":(f"[\n{A},\n{B},\n{C}\n]\n",                "abc",           []),
    "JSON Lines":             (f"{A}\n{B}\n{C}\n",                        "abc",           []),
    "one line":               (A,                                         "a",             []),
    "commas after lines":     (f"{A},\n{B},\n",                           "ab",            []),
    "numbers and null":       ('[["Say", 1.5], ["Say", true], ["Say", null]]', ["1.5", "true", None], []),
    "a quote and a newline":  (json.dumps([["Say", 'a"\n\\b']]),          ['a"\n\\b'],     []),
    "a nested list":          ('[["Say", [["q", "a"]]], ["Say", "b"]]',   ['\x1e[["q","a"]]', "b"], []),
    "too few":                (f'[{A}, ["Say"], {C}]',                    "ac",            [f"{FOUND} 1"]),
    "none":                   (f"[{A}, [], {C}]",                         "ac",            [f"{FOUND} 0"]),
    "too many":               (f'[{A}, ["Say", "b", "x", "y"], {C}]',     "ac",            [f"{FOUND} 4"]),
    "too few on a line":      (f'{A}\n["Say"]\n{C}\n',                    "ac",            [f"{FOUND} 1"]),
    "too many on a line":     (f'{A}\n["Say", "b", 1]\n{C}\n',            "ac",            [f"{FOUND} 3"]),
    "an object":              (f'[{A}, {{"x": 1}}, {C}]',                 "ac",            ["not JSON, found b'{'"]),
    "an object on a line":    (f'{A}\n{{"x": 1}}\n{C}\n',                 "ac",            ["not JSON, found b'{'"]),
    "no closing bracket":     (f"[{A}, {B[:-1]}, {C}]",                   "ac",            [FOUND]),
    "no opening bracket":     (f"[{A}, {B[1:]}, {C}]",                    "ac",            ["not JSON"]),
    "no comma between":       (f"[{A} {B}, {C}]",                         "abc",           ["expected a comma"]),
    "a comma missing":        (f'[{A}, ["Say" "b"], {C}]',                "ac",            ["not JSON"]),
    "a quote missing":        (f'[{A}, ["Say", "b], {C}]',                "ac",            ["not JSON"]),
    "the first":              (f'[["Say" "a"], {B}, {C}]',                "bc",            ["not JSON"]),
    "cut":                    (f"[{A}, {B[:-3]}",                         "a",             ["ends inside a record"]),
    "cut after a comma":      (f"[{A}, {B},",                             "ab",            ["expected a record"]),
    "a line of prose":        (f"{A}\nprose\n{C}\n",                      "ac",            ["not JSON, found b'p'"]),
    "prose before":           (f"# rows\n{A}\n{B}\n{C}\n",                "abc",           ["not JSON, found b'#'"]),
    "a bracket in a text":    ('[["Say", "see ["], ["Say", "b"]]',        ["see [", "b"],  []),
    "raw newline in a text":  (f'[{A}, ["Say", "b\nb"], {C}]',            ["a", "b\nb", "c"], []),
}
# fmt: on


@pytest.mark.parametrize(("raw", "rows", "said"), CASES.values(), ids=CASES)
def test_lists_of_fields_are_rows_and_what_is_damaged_is_told_once(
    raw: str, rows: str | list[str], said: list[str], tmp_path: Path
) -> None:
    found, damage = read(tmp_path, raw.encode())

    assert found == list(rows)
    assert [part in one.message for part, one in zip(said, damage, strict=True)] == [True] * len(
        said
    )


@pytest.mark.parametrize("container", ["[{}, {}]", "{}\n{}\n"])
def test_lists_are_read_in_the_order_of_the_layout_unless_the_source_declares_another(
    container: str, tmp_path: Path
) -> None:
    raw = container.format('["1 + 1?", "2", "One and one."]', '["2 + 1?", "3", "Two and one."]')

    own = normalized(tmp_path / "own", raw.encode(), source("cot"))
    declared = normalized(
        tmp_path / "declared",
        raw.encode(),
        source("alpaca", fields=("output", "system", "instruction")),
    )

    assert [said[-1][1].split("\n")[0] for said in own.conversations] == [
        "One and one.",
        "Two and one.",
    ]
    assert declared.conversations[0] == [
        ("system", "2"),
        ("user", "One and one."),
        ("assistant", "1 + 1?"),
    ]


def test_a_list_of_the_wrong_length_says_how_many_fields_were_expected(tmp_path: Path) -> None:
    raw = b'[["a", "b"], ["q", "", "a"]]'

    done = normalized(tmp_path, raw, source("alpaca", fields=("instruction", "input", "output")))

    (failed,) = done.ledger.to_dicts()
    assert failed["message"] == "expected 3 fields (instruction, input, output), found 2"
    assert (failed["offset"], failed["excerpt"].strip(", ")) == (1, '["a", "b"]')


TALK = [{"from": "human", "value": "x"}, {"from": "gpt", "value": "y [z"}]
CHAT = [{"role": "user", "content": "x"}, {"role": "assistant", "content": "y [z"}]
SAID = [("user", "x"), ("assistant", "y [z")]


@pytest.mark.parametrize("container", ["[{}, {}]", "[\n{},\n{}\n]", "{}\n{}\n"])
@pytest.mark.parametrize(
    ("layout", "turns"), [("sharegpt", TALK), ("messages", CHAT), ("messages", TALK)]
)
def test_a_list_of_turns_is_a_conversation(
    layout: str, turns: list[dict[str, str]], container: str, tmp_path: Path
) -> None:
    raw = container.format(json.dumps(turns), json.dumps(turns))

    assert normalized(tmp_path, raw.encode(), source(layout)).conversations == [SAID, SAID]


def test_damage_among_lists_of_turns_costs_one_conversation(tmp_path: Path) -> None:
    one = json.dumps(TALK)
    raw = f"[{one}, {one[:-1]}, {one}, {one.replace(':', ';', 1)}, {one}]"

    done = normalized(tmp_path, raw.encode(), source("sharegpt"))

    assert done.conversations == [SAID] * 3
    assert done.reasons == ["unreadable"] * 2


def test_small_windows_and_batches_change_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [["Say", "x" * number] for number in range(40)]
    raws = [json.dumps(rows).encode(), "\n".join(map(json.dumps, rows)).encode()]
    raws += [raw.replace(b'"xxx"', b'"xxx', 1) for raw in raws]
    whole = [read(tmp_path, raw) for raw in raws]

    monkeypatch.setattr(json_rows, "WINDOW_BYTES", 30)
    monkeypatch.setattr(json_rows, "BATCH_ROWS", 7)

    assert [len(found) for found, _ in whole] == [40, 40, 39, 39]
    assert [read(tmp_path, raw) for raw in raws] == whole


TEXTS = ["plain", 'a "quoted" [word]', "two\nlines \\", "中文，。", '["x", "y"]', "x" * 40, ""]


@given(
    lines=st.booleans(),
    place=st.floats(0, 1),
    removed=st.integers(0, 30),
    inserted=st.sampled_from(
        [b"", b"[", b"]", b'"', b",", b"{", b"\\", b"\xff", b'["', b"\n", b"],["]
    ),
)
@settings(max_examples=200, derandomize=True, suppress_health_check=SLOW)
def test_what_is_damaged_costs_only_the_records_it_touches(
    lines: bool,
    place: float,
    removed: int,
    inserted: bytes,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    records = [json.dumps([f"Say {text}", f"{n}: {text}"]).encode() for n, text in enumerate(TEXTS)]
    first, between, last = (b"", b"\n", b"\n") if lines else (b"[", b",", b"]")
    raw = first + between.join(records) + last
    start = min(int(place * (len(raw) + 1)), len(raw))
    end = min(start + removed, len(raw))
    intact, at = [], len(first)
    for number, record in enumerate(records):
        if at + len(record) < start or end < at - 1:
            intact.append(f"{number}: {TEXTS[number]}")
        at += len(record) + len(between)

    rows, damage = read(tmp_path_factory.getbasetemp(), raw[:start] + inserted + raw[end:])

    assert [row for row in intact if row not in rows] == []
    assert len(damage) <= len(TEXTS) + len(inserted)
