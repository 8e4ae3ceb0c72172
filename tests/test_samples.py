"""The samples that ship with Winnow: whole files parse, and each planted fault is where it is listed."""

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Callable
from functools import cache
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from schemas.reasons import DropReason
from schemas.recipe import DEPLOYMENTS, load_recipe, load_source

SAMPLES = DEPLOYMENTS / "samples"
LISTED = yaml.safe_load((SAMPLES / "faults.yaml").read_text(encoding="utf-8"))
FILES: dict[str, dict[str, Any]] = LISTED["files"]
FAULTS: list[dict[str, Any]] = LISTED["faults"]
DROPPED = [fault for fault in FAULTS if fault["expect"] != "kept"]
NGRAM, OVERLAP_NGRAM, NEAR = 5, 13, 0.85


class Row(NamedTuple):
    """Prompt (system and earlier turns included), response and what stood in the input field."""

    prompt: str
    response: str
    input: str = ""


# --- plain readers, independent of the pipeline's own


def decoded_lines(path: Path) -> list[Any]:
    return [parsed(line) for line in path.read_text(encoding="utf-8-sig").splitlines()]


def parsed(line: str) -> Any:
    try:
        return json.loads(line)
    except json.JSONDecodeError:
        return None


def whole_records(path: Path) -> list[Any]:
    """The records of a JSON array up to where it breaks off; None stands for the broken one."""
    text, decoder, at = path.read_text(encoding="utf-8"), json.JSONDecoder(), 1
    records: list[Any] = []
    while at < len(text):
        at += len(text[at:]) - len(text[at:].lstrip(", \n"))
        try:
            record, at = decoder.raw_decode(text, at)
        except json.JSONDecodeError:
            return records if text[at] == "]" else [*records, None]
        records.append(record)
    return records


def tab_separated(path: Path) -> list[Any]:
    return [
        line.split("\t") for line in path.read_bytes().decode().removesuffix("\r\n").split("\r\n")
    ]


def of_instruction(record: dict[str, str]) -> Row:
    prompt = "\n".join(part for part in (record["instruction"], record["input"]) if part)
    return Row(prompt, record["output"], record["input"])


def of_context(record: dict[str, str]) -> Row:
    prompt = "\n".join(part for part in (record["instruction"], record["context"]) if part)
    return Row(prompt, record["response"], record["context"])


def of_turns(turns: list[tuple[str, str]], assistant: str) -> Row | None:
    answers = [at for at, (role, _) in enumerate(turns) if role == assistant]
    if not answers:
        return None
    return Row("\n".join(text for _, text in turns[: answers[-1]]), turns[answers[-1]][1])


def of_dialogue(record: dict[str, str]) -> Row:
    turns = re.split(r"(?:^|\s)(?:Human|HugChat|Input|Output):", record["text"])[1:]
    return Row("\n".join(turns[:-1]), turns[-1])


READERS: dict[str, Callable[[Path], list[Any]]] = {
    "alpaca": whole_records,
    "belle": decoded_lines,
    "sharegpt": whole_records,
    "messages": decoded_lines,
    "dolly": decoded_lines,
    "hugnlp": decoded_lines,
    "cot": tab_separated,
}
ROWS: dict[str, Callable[[Any], Row | None]] = {
    "alpaca": of_instruction,
    "belle": of_instruction,
    "sharegpt": lambda record: of_turns(
        [(turn["from"], turn["value"]) for turn in record["conversations"]], "gpt"
    ),
    "messages": lambda record: of_turns(
        [(message["role"], message["content"]) for message in record["messages"]], "assistant"
    ),
    "dolly": of_context,
    "hugnlp": of_dialogue,
    "cot": lambda record: Row(record[0], f"{record[2]} {record[1]}"),
}


@cache
def records(file: str) -> list[Any]:
    return READERS[FILES[file]["layout"]](SAMPLES / file)


def row_at(file: str, row: int) -> Row | None:
    record = records(file)[row]
    return None if record is None else ROWS[FILES[file]["layout"]](record)


@cache
def readable_rows() -> dict[tuple[str, int], Row]:
    places = [(file, row) for file in FILES for row in range(len(records(file)))]
    found = {place: row_at(*place) for place in places}
    return {place: row for place, row in found.items() if row}


@cache
def evaluation_items() -> list[dict[str, str]]:
    return decoded_lines(SAMPLES / "evaluation.jsonl")


# --- measures, from their definitions


def folded(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).lower().split())


def shingles(text: str) -> set[str]:
    text = folded(text)
    return {text[at : at + NGRAM] for at in range(max(1, len(text) - NGRAM + 1))}


def jaccard(one: str, other: str) -> float:
    return len(shingles(one) & shingles(other)) / len(shingles(one) | shingles(other))


def numbers(row: Row) -> list[str]:
    return sorted(re.findall(r"\d+", unicodedata.normalize("NFKC", row.prompt + row.response)))


def ngrams(text: str) -> set[str]:
    """13 words running; 13 Chinese characters, where there are no spaces."""
    words = re.findall(r"[a-z0-9']+", folded(text))
    characters = re.findall(r"[\u4e00-\u9fff]", text)
    return {
        unit.join(tokens[at : at + OVERLAP_NGRAM])
        for tokens, unit in ((words, " "), (characters, ""))
        for at in range(len(tokens) - OVERLAP_NGRAM + 1)
    }


def is_chinese(row: Row) -> bool:
    text = row.prompt + row.response
    return len(re.findall(r"[\u4e00-\u9fff]", text)) > 0.25 * len(re.findall(r"\w", text))


def identity_check_character(number: str) -> str:
    """GB 11643-1999: weights 2^(18-i) mod 11 of the first 17 digits."""
    total = sum(int(digit) * (2 ** (17 - at) % 11) for at, digit in enumerate(number[:17]))
    return "10X98765432"[total % 11]


# --- the files


@pytest.mark.parametrize("file", FILES)
def test_a_file_holds_the_rows_that_are_listed(file: str) -> None:
    assert len(records(file)) == FILES[file]["rows"]
    assert sum(record is None for record in records(file)) == FILES[file]["unreadable"]


@pytest.mark.parametrize("file", FILES)
def test_the_readme_states_the_same_rows(file: str) -> None:
    readme = (SAMPLES / "README.md").read_text(encoding="utf-8")
    assert re.search(rf"^\| {re.escape(file)} \|.*\| {FILES[file]['rows']} \|$", readme, re.M)


def test_there_are_two_thousand_rows_in_two_megabytes_and_both_languages() -> None:
    rows = readable_rows().values()
    assert len(rows) >= 2_000
    assert 0.35 <= sum(map(is_chinese, rows)) / len(rows) <= 0.65
    assert sum((SAMPLES / file).stat().st_size for file in FILES) <= 2_000_000


def test_evaluation_items_are_long_enough_to_be_recognised() -> None:
    questions = [item["question"] for item in evaluation_items()]
    assert len(questions) == len(set(questions)) == 20
    assert all(ngrams(question) for question in questions)


# --- the faults

Claim = Callable[[dict[str, Any], Row], bool]


def original(fault: dict[str, Any]) -> Row:
    return readable_rows()[fault["of"]["file"], fault["of"]["row"]]


def texts(row: Row) -> str:
    return f"{row.prompt}\n{row.response}"


def is_copy(fault: dict[str, Any], row: Row) -> bool:
    return tuple(map(folded, row[:2])) == tuple(map(folded, original(fault)[:2]))


def is_near(fault: dict[str, Any], row: Row) -> bool:
    near = all(jaccard(*pair) >= NEAR for pair in zip(row[:2], original(fault)[:2], strict=True))
    return near and numbers(row) == numbers(original(fault)) and not is_copy(fault, row)


def would_fall_to_the_dirty_row(fault: dict[str, Any], row: Row) -> bool:
    first = original(fault)
    alike = folded(row.prompt) == folded(first.prompt) and jaccard(row.response, first.response)
    return alike >= 0.8 and "@" in first.response and "@" not in row.response


def overlaps(row: Row) -> bool:
    wanted = set().union(*(ngrams(item["question"]) for item in evaluation_items()))
    return bool(wanted & (ngrams(row.prompt) | ngrams(row.response)))


# fmt: off
CLAIMS: dict[str, Claim] = {
    "exact_duplicate":      is_copy,
    "near_duplicate":       is_near,
    "clean_near_duplicate_of_a_dirty_row": would_fall_to_the_dirty_row,
    "same_prompt_different_answer": lambda fault, row: "of" not in fault or (
        row.prompt == original(fault).prompt and jaccard(row.response, original(fault).response) < 0.5),
    "numbers_differ":       lambda fault, row: "of" not in fault or numbers(row) != numbers(original(fault)),
    "empty_output":         lambda _, row: not row.response.strip(),
    "echo":                 lambda _, row: folded(row.prompt) == folded(row.response),
    "model_identity":       lambda _, row: bool(re.search(r"I am ChatGPT|我是ChatGPT", row.response)),
    "model_names_compared": lambda _, row: "ChatGPT" in row.prompt and "Claude" in row.prompt,
    "email":                lambda _, row: bool(re.search(r"\w@\w+\.net\b", row.response)),
    "example_email":        lambda _, row: "@example.com" in row.response,
    "phone":                lambda _, row: bool(re.search(r"(?<!\d)1[3-9]\d{9}(?!\d)", row.response)),
    "example_phone":        lambda _, row: bool(re.search(r"555-01\d\d|13800138000", row.response)),
    "id_number":            lambda _, row: any(map(has_valid_check, eighteen_digits(row))),
    "order_number":         lambda _, row: not any(map(has_valid_check, eighteen_digits(row))),
    "script_tag":           lambda _, row: "<script>alert(1)</script>" in texts(row),
    "evaluation_overlap":   lambda _, row: overlaps(row),
    "evaluation_phrase":    lambda _, row: not overlaps(row) and "seven rows of lavender" in row.prompt,
    "html_entities":        lambda _, row: bool(re.search(r"&(lt|gt|amp|quot|#39);", texts(row))),
    "no_input":             lambda _, row: bool(re.search(r"no ?input", row.input, re.I)),
    "no_input_zh":          lambda _, row: bool(re.search(r"无输入|没有输入", row.input)),
    "ends_on_human_turn":   lambda fault, _: records(fault["file"])[fault["row"]]["conversations"][-1]["from"] == "human",
    "byte_order_mark":      lambda fault, _: (SAMPLES / fault["file"]).read_bytes().startswith(b"\xef\xbb\xbf"),
    "crlf":                 lambda fault, _: every_line_ends_in_crlf(SAMPLES / fault["file"]),
}
# fmt: on


def eighteen_digits(row: Row) -> list[str]:
    return re.findall(r"(?<!\d)\d{17}[\dX](?!\d)", row.response)


def has_valid_check(number: str) -> bool:
    return identity_check_character(number) == number[17]


def every_line_ends_in_crlf(path: Path) -> bool:
    data = path.read_bytes()
    return data.endswith(b"\r\n") and data.count(b"\r") == data.count(b"\n") == data.count(b"\r\n")


def place(fault: dict[str, Any]) -> str:
    return f"{fault['fault']} in {fault['file']}:{fault['row']}"


READABLE = [fault for fault in FAULTS if fault["expect"] not in ("unreadable", "no_response")]


@pytest.mark.parametrize("fault", READABLE, ids=place)
def test_a_planted_fault_is_where_it_is_listed(fault: dict[str, Any]) -> None:
    row = readable_rows()[fault["file"], fault["row"]]
    assert CLAIMS[fault["fault"]](fault, row), row


@pytest.mark.parametrize("fault", [f for f in FAULTS if f not in READABLE], ids=place)
def test_a_row_that_yields_no_record_is_where_it_is_listed(fault: dict[str, Any]) -> None:
    record = records(fault["file"])[fault["row"]]
    assert (record is None) == (fault["expect"] == DropReason.UNREADABLE)
    assert row_at(fault["file"], fault["row"]) is None


def test_every_expectation_is_a_reason_or_kept() -> None:
    assert {fault["expect"] for fault in FAULTS} <= {*DropReason, "kept"}


def test_every_kind_of_fault_is_planted_as_often_as_the_readme_promises() -> None:
    readme = (SAMPLES / "README.md").read_text(encoding="utf-8")
    promised = re.findall(r"^\| (\w+) \| (\w+) \| (\d+) \|", readme, re.M)
    planted = Counter((fault["fault"], fault["expect"]) for fault in FAULTS)
    assert {(name, expect): int(count) for name, expect, count in promised} == planted
    assert len({row_input(fault) for fault in FAULTS if fault["fault"] == "no_input"}) >= 6


def row_input(fault: dict[str, Any]) -> str:
    return readable_rows()[fault["file"], fault["row"]].input


def test_a_duplicate_stands_in_a_file_of_lower_priority_than_its_original() -> None:
    recipe = load_recipe("quickstart")
    priority = {Path(s.local.path).name: s.priority for s in recipe.resolved_sources if s.local}
    for fault in DROPPED:
        if "of" in fault:
            assert priority[fault["file"]] > priority[fault["of"]["file"]], place(fault)


# --- and nothing else is wrong with them

LISTED_PLACES = {(fault["file"], fault["row"]) for fault in DROPPED}


def others() -> list[Row]:
    return [row for place, row in readable_rows().items() if place not in LISTED_PLACES]


def test_no_other_row_is_empty_or_an_echo_or_holds_an_evaluation_item() -> None:
    for row in others():
        assert row.prompt.strip(), row
        assert row.response.strip(), row
        assert folded(row.prompt) != folded(row.response), row
        assert not overlaps(row), row


def test_no_other_row_is_an_exact_duplicate() -> None:
    counts = Counter((folded(row.prompt), folded(row.response)) for row in others())
    assert [pair for pair, count in counts.items() if count > 1] == []


def test_no_other_row_is_a_near_duplicate() -> None:
    groups: dict[tuple[str, ...], list[Row]] = {}
    for row in others():
        groups.setdefault(tuple(numbers(row)), []).append(row)
    pairs = [
        (one, other)
        for rows in groups.values()
        for one, other in combinations(rows, 2)
        if all(alike(one[part], other[part]) for part in (1, 0))
    ]
    assert pairs == []


def alike(one: str, other: str) -> bool:
    """Jaccard of 0.8 or more; texts whose lengths are further apart than that cannot reach it."""
    if 0.75 * max(len(one), len(other)) > min(len(one), len(other)):
        return False
    first, second = cached_shingles(one), cached_shingles(other)
    return len(first & second) >= 0.8 * len(first | second)


@cache
def cached_shingles(text: str) -> frozenset[str]:
    return frozenset(shingles(text))


# --- the source files and the recipe


def test_the_quickstart_recipe_reads_every_sample() -> None:
    recipe = load_recipe("quickstart")
    local = {Path(s.local.path).resolve() for s in recipe.resolved_sources if s.local}
    assert local == {SAMPLES / file for file in FILES}
    (evaluation,) = recipe.filter.contamination.sets
    assert Path(evaluation.path).resolve() == SAMPLES / "evaluation.jsonl"


@pytest.mark.parametrize("file", FILES)
def test_a_source_file_describes_its_sample(file: str) -> None:
    source = load_source(f"sample_{Path(file).stem}", SAMPLES)
    assert source.layout == FILES[file]["layout"]
    assert source.licence == "Apache-2.0"
    assert source.expected_rows.min <= FILES[file]["rows"] <= source.expected_rows.max
