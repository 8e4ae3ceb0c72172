"""Records beyond all bounds: damage, told once, while memory stays small and the rest is read."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.normalize import delimited, json_rows, plain_text
from tasks.normalize.readers import read_file
from tests.normalize.lakes import normalized, source

WANTED = ("instruction", "input", "output")
MIB = 1 << 20
A = '{"instruction": "Say", "output": "a"}'
HUGE = '{"instruction": "Say", "output": "%s"}'

# fmt: off
FORMS = {  #                   around            between
    "array":                   ("[%s]",           ",\n"),
    "array in one line":       ("[%s]",           ", "),
    "lines":                   ("%s\n",           "\n"),
    "under a key":             ('{"data": [%s]}', ", "),
    "joined":                  ("%s",             "\n\n"),
}
TEXTS = {
    "plain":                   "x",
    "braces and quotes":       '}, {\\"instruction\\": \\"x\\"}, ',
    "lists":                   "[[]] \\\\",
}
# fmt: on


@pytest.fixture(autouse=True)
def _small_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (json_rows, delimited):
        monkeypatch.setattr(module, "MAX_RECORD_BYTES", MIB)
        monkeypatch.setattr(module, "WINDOW_BYTES", MIB // 16)
    monkeypatch.setattr(delimited, "MAX_FIELD_BYTES", MIB // 2)
    monkeypatch.setattr(plain_text, "MAX_DIALOGUE_BYTES", MIB)
    monkeypatch.setattr(plain_text, "WINDOW_BYTES", MIB // 16)


def read(folder: Path, text: str) -> tuple[list[str], list[tuple[int, str]]]:
    """The outputs of all rows, and where damage begins and what it is."""
    path = folder / "rows"
    path.write_text(text, newline="")
    batches = list(read_file(path, WANTED, WANTED))
    outputs = [row for batch in batches for row in batch.rows["output"]]
    return outputs, [(one.offset, one.message) for batch in batches for one in batch.damage]


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
@pytest.mark.parametrize(("around", "between"), FORMS.values(), ids=FORMS)
def test_a_record_too_long_is_damage_and_those_around_it_are_read(
    around: str, between: str, text: str, tmp_path: Path
) -> None:
    indented = A.replace(", ", ",\n") if between == "\n\n" else A
    huge = HUGE % (text * (2 * MIB // len(text)))
    raw = around % between.join([indented, A, huge, A, A])

    rows, damage = read(tmp_path, raw)

    assert rows == ["a"] * 4
    assert damage == [(raw.index(huge), "a record longer than 1 MiB")]


def test_a_keyed_record_too_long_is_damage_too(tmp_path: Path) -> None:
    raw = '{"1": %s, "2": %s, "3": %s}' % (A, HUGE % ("x" * 2 * MIB), A)  # noqa: UP031

    rows, damage = read(tmp_path, raw)

    assert rows == ["a"] * 2
    assert damage == [(raw.index('"2"'), "a record longer than 1 MiB")]


def test_a_list_of_fields_too_long_is_damage_too(tmp_path: Path) -> None:
    raw = '[["a", "b", "c"], ["a", "%s", "c"], ["d", "e", "f"]]' % ("x" * 2 * MIB)

    rows, damage = read(tmp_path, raw)

    assert rows == ["c", "f"]
    assert damage == [(18, "a record longer than 1 MiB")]


# fmt: off
SIZES = {  #                 bytes of the record      rows    messages
    "as long as may be":    (MIB,                     "aba",  []),
    "longer":               (MIB + 1,                 "aa",   ["a record longer than 1 MiB"]),
}
# fmt: on


@pytest.mark.parametrize(("size", "rows", "messages"), SIZES.values(), ids=SIZES)
def test_a_record_may_be_as_long_as_the_bound_and_no_longer(
    size: int, rows: str, messages: list[str], tmp_path: Path
) -> None:
    empty = HUGE % ""
    raw = f"[{A},{HUGE % ('b' * (size - len(empty)))},{A}]"

    found, damage = read(tmp_path, raw)

    assert [output[0] for output in found] == list(rows)
    assert [message for _, message in damage] == messages


def never_closed() -> Iterator[tuple[str, str, list[str]]]:
    """What is in a file, and the rows that are read of it."""
    text = "x" * 3 * MIB
    yield "a string in an array", f'[{A}, {{"instruction": "{text}', ["a"]
    yield "a string, lines after it", f'{A}\n{{"instruction": "{text}\n{A}\n', ["a", "a"]
    yield "a key", f'{A}\n{{"{text}\n{A}\n', ["a", "a"]
    yield "a value of no record", f'{{"about": "{text}', []
    yield "a list", f'[{A}, {{"instruction": {"[1," * MIB}', ["a"]
    yield "a line of garbage", f"{A}\n{text}\n{A}\n", ["a", "a"]
    yield "garbage in an array", f"[{A}, {text}, {A}]", ["a", "a"]
    yield "white space", f"[{A}, {' ' * 3 * MIB}, {A}]", ["a", "a"]


@pytest.mark.parametrize(
    ("raw", "rows"), [pytest.param(*case, id=name) for name, *case in never_closed()]
)
def test_what_never_ends_is_damage_once(raw: str, rows: list[str], tmp_path: Path) -> None:
    found, damage = read(tmp_path, raw)

    assert found == rows
    assert len(damage) == 1


# fmt: off
DELIMITED = {  #          text behind the first row                          rows          what the ledger says
    "a line":             ("b,b,{x}\nc,c,c\n",                                ["a", "c"],   ["a record longer than 1 MiB"]),
    "the last line":      ("b,b,{x}",                                         ["a"],        ["a record longer than 1 MiB"]),
    "a quoted field":     ('b,b,"{half}x{half}"\nc,c,c\n',                    ["a", "c"],   ["a quote is opened and never closed"]),
    "quoted fields":      ('"{half}","{half}","{half}"\nc,c,c\n',             ["a", "c"],   ["a record longer than 1 MiB"]),
    "never closed":       ('b,b,"{x}\nc,c,c\n',                               ["a", "c"],   ["a record longer than 1 MiB"]),
}
# fmt: on


@pytest.mark.parametrize(("body", "rows", "messages"), DELIMITED.values(), ids=DELIMITED)
def test_a_delimited_record_too_long_costs_its_line(
    body: str, rows: list[str], messages: list[str], tmp_path: Path
) -> None:
    filled = body.format(x="x" * 3 * MIB, half="x" * (MIB // 2 - 20))
    raw = f"instruction,input,output\na,a,a\n{filled}"

    found, damage = read(tmp_path, raw)

    assert found == rows
    assert [message for _, message in damage] == messages
    assert damage[0][0] == raw.index(filled)


def test_a_tab_separated_line_too_long_is_damage(tmp_path: Path) -> None:
    raw = f"instruction\tinput\toutput\na\ta\ta\nb\t{'x' * 2 * MIB}\tb\nc\tc\tc\n"

    assert read(tmp_path, raw) == (["a", "c"], [(31, "a record longer than 1 MiB")])


def test_a_dialogue_too_long_is_damage_and_the_next_one_is_read(tmp_path: Path) -> None:
    one = "Human: {}\nAssistant: {}\n\n"
    raw = one.format("a", "b") + one.format("c", "line\n" * (MIB // 2)) + one.format("e", "f")

    done = normalized(tmp_path, {"a.txt": raw.encode()}, source("hugnlp"))

    assert [talk[-1][1] for talk in done.conversations] == ["b", "f"]
    assert done.ledger["message"].to_list() == ["a dialogue longer than 1 MiB"]
    assert done.ledger["offset"].to_list() == [raw.index("Human: c")]


READ = r"""
import re, sys
from pathlib import Path
from tasks.normalize import delimited, json_rows
from tasks.normalize.readers import read_file
for module in (json_rows, delimited):
    module.MAX_RECORD_BYTES, module.WINDOW_BYTES = 4 << 20, 1 << 20
wanted = ("instruction", "input", "output")
rows = damage = 0
for batch in read_file(Path(sys.argv[1]), wanted, wanted):
    rows, damage = rows + batch.rows.height, damage + len(batch.damage)
peak_kb = re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1]
print(rows, damage, int(peak_kb) // 1000)
"""
BIG_MB = 150
# fmt: off
ENDLESS = {  #                before it                                    of it             behind it
    "a line of garbage":     (f"{A}\n".encode(),                           b"garbage ",      f"\n{A}\n".encode()),
    "a string":              (f'[{A}, {{"instruction": "'.encode(),        b"\\n text ",     b""),
    "a key":                 (f'{A}\n{{"'.encode(),                        b"key ",          f"\n{A}\n".encode()),
    "white space":           (f"[{A},".encode(),                           b"        ",      f"{A}]".encode()),
    "a list under a key":    (b'{"data": [1, ',                            b"1, ",           f"]}}\n{A}".encode()),
    "a line of CSV":         (b"instruction,input,output\na,b,c\n",        b"a, b, c, ",     b"\na,b,c\n"),
}
# fmt: on


def peak_mb(path: Path, form: str, megabytes: int) -> int:
    """The most memory of a process that reads a file of this size, libraries included."""
    before, piece, after = ENDLESS[form]
    path.write_bytes(before + piece * (megabytes * 1_000_000 // len(piece)) + after)
    command = [sys.executable, "-c", READ, str(path)]
    done = subprocess.run(command, capture_output=True, check=True)
    rows, damage, peak = map(int, done.stdout.split())
    assert rows + damage >= 1
    return peak


@pytest.fixture(scope="module")
def small_mb(tmp_path_factory: pytest.TempPathFactory) -> int:
    """What a small file takes."""
    return peak_mb(tmp_path_factory.mktemp("small") / "rows", "a string", 1)


@pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="this system does not tell a process its peak"
)
@pytest.mark.parametrize("form", ENDLESS)
def test_memory_does_not_grow_with_what_never_ends(
    form: str, small_mb: int, tmp_path: Path
) -> None:
    assert peak_mb(tmp_path / "rows", form, BIG_MB) - small_mb < BIG_MB // 2
