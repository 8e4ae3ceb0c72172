"""Items of an evaluation set inside rows of a corpus: which are found, and what is nobody's copy."""

import functools
import gzip
import io
import json
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from schemas.filter import Contamination, EvaluationSet, NearQuestions
from tasks.filter.contamination import EvaluationIndex, index_texts
from tasks.filter.judge import judge_with_hits
from tasks.filter.stage import index_sets, judge_rows
from tasks.lake import Lake
from tasks.normalize.normalize import normalize
from tasks.shards import scan_shard
from tests.filter.rows import only, talks
from tests.normalize.lakes import receipt, source
from tests.real import EVALUATIONS

Talk = list[tuple[str, str]]

MADE = [  # question, answer: from one word on
    ("Entropy", "Disorder"),
    ("12 * 7 =", "84"),
    ("Define enthalpy.", "Heat"),
    ("Thank you.", "Danke"),
    ("Name a primate.", "Lemur"),
    ("Why me?", "Nobody else was there."),
    ("Can pigs fly?", "No"),
    ("水是什么？", "氢和氧"),
    ("为什么天是蓝的？", "散射"),
    ("Who wrote the first printed book about bees?", "Nobody knows"),
    (
        "A baker fills 12 trays with 8 rolls each and sells all but 5 of them. How many is that?",
        "He bakes 12 * 8 = 96 rolls and sells 96 - 5 = 91 of them, so the answer is 91.",
    ),
    (
        "小明有十二个苹果，他给了弟弟五个，又买了三个，现在他一共有多少个苹果？",
        "小明现在一共有十个苹果，因为十二减五加三等于十。",
    ),
]
SETS = {
    "gsm8k": ("gsm8k_test.jsonl", "question", "answer"),
    "humaneval": ("HumanEval.jsonl.gz", "prompt", "canonical_solution"),
    "truthfulqa": ("TruthfulQA.csv", "Question", "Best Answer"),
}
SYSTEM = ("system", "You are a helpful assistant.")
BEFORE: Talk = [("user", "Good morning to you"), ("assistant", "What can I do?")]
AFTER: Talk = [("user", "And then?"), ("assistant", "Then we go on.")]


def asks(text: str) -> Talk:
    return [("user", text), ("assistant", "Hm.")]


def told(text: str) -> Talk:
    return [("user", "Please go on"), ("assistant", text)]


# fmt: off
ANY_LENGTH: dict[str, Callable[[str, str], Talk]] = {  # rows that hold a question, whatever its length
    "as the prompt":            lambda q, a: asks(q),
    "with its answer":          lambda q, a: [("user", q), ("assistant", a)],
    "behind a system message":  lambda q, a: [SYSTEM, *asks(q)],
    "at the end of a talk":     lambda q, a: [SYSTEM, *BEFORE, *asks(q)],
    "other case":               lambda q, a: asks(q.swapcase()),
    "full width":               lambda q, a: asks(q.translate({point: point + 0xFEE0 for point in range(0x21, 0x7F)})),
    "white space":              lambda q, a: asks("\u3000" + q.replace(" ", " \t\u00a0") + "\n"),
    "no punctuation":           lambda q, a: asks("".join(char if char.isalnum() or char.isspace() else " " for char in q)),
    "zero-width spaces":        lambda q, a: asks(q.replace(" ", " \u200b")),
    "in a fence":               lambda q, a: asks(f"```\n{q}\n```"),
    "as Markdown":              lambda q, a: asks(f"**{q}**"),
}
TWO_WORDS = {
    "labelled":                 lambda q, a: [SYSTEM, *asks(f"Question: {q}\nAnswer:")],
    "in angle brackets":        lambda q, a: asks(f"<p>{q}</p>"),
    "as the first turn":        lambda q, a: [*asks(q), *AFTER],
    "in the middle of a talk":  lambda q, a: [*BEFORE, *asks(q), *AFTER],
    "said by the assistant":    lambda q, a: [*BEFORE, ("user", "Hm"), ("assistant", q), *AFTER],
    "said by a tool":           lambda q, a: [("user", "Look it up"), ("tool", q), ("assistant", "Hm")],
    "in the system message":    lambda q, a: [("system", f"You answer this:\n\n{q}"), *asks("Now then")],
    "Alpaca's template":        lambda q, a: asks(f"Below is an instruction.\n\n### Instruction:\n{q}\n\n### Response:\n"),
    "Llama's template":         lambda q, a: asks(f"<s>[INST] {q} [/INST]"),
    "ChatML":                   lambda q, a: asks(f"<|im_start|>user\n{q}<|im_end|>\n"),
    "few-shot":                 lambda q, a: asks(f"Q: What is two and two?\nA: Four.\n\nQ: {q}\nA:"),
    "Q and A as the response":  lambda q, a: told(f"Q: {q}\nA: {a}"),
}
THREE_WORDS = {
    "as the response":          lambda q, a: told(q),
    "as a fenced response":     lambda q, a: told(f"```text\n{q}\n```"),
    "as a labelled response":   lambda q, a: told(f"Question: {q}"),
    "with its answer, told":    lambda q, a: told(f"{q} {a}"),
    "among sentences":          lambda q, a: asks(f"Hello there. {q} Let us think step by step."),
    "after a demand":           lambda q, a: asks(f"Answer the following question: {q}"),
    "in a numbered list":       lambda q, a: asks(f"1. {q}\n2. Next one"),
    "in brackets":              lambda q, a: asks(f"(1) {q} (2) Why"),
    "in single quotes":         lambda q, a: asks(f"What of '{q}'"),
    "as JSON":                  lambda q, a: asks(json.dumps({"question": q, "answer": a})),
    "options behind it":        lambda q, a: asks(f"{q}\n(A) something else\n(B) {a}\n(C) nothing"),
    "options in another order": lambda q, a: asks(f"{q}\nB. nothing\nC. {a}\nA. something else"),
}
FIVE_WORDS = {
    "among other sentences":    lambda q, a: told(f"I made one up.\n{q}\nDo you like it?"),
    "as JSON in the response":  lambda q, a: told(json.dumps([{"question": q}], ensure_ascii=False)),
}
# fmt: on
WAYS = ANY_LENGTH | TWO_WORDS | THREE_WORDS | FIVE_WORDS
LEAST = {  # half-words of a question from which a way of writing it down is found
    **dict.fromkeys(ANY_LENGTH, 0),
    **dict.fromkeys(TWO_WORDS, 4),
    **dict.fromkeys(THREE_WORDS, 6),
    **dict.fromkeys(FIVE_WORDS, 10),
}


def weight(text: str) -> int:
    """Half-words: two a word, one a Chinese character; nothing where there is no word."""
    points = pl.Series([text])
    han = points.str.count_matches(r"\p{Han}").item()
    words = points.str.replace_all(r"\p{Han}", " ").str.count_matches(r"[\p{L}\p{N}]+").item()
    has_word = points.str.contains(r"\p{Han}|\p{L}{2}").item()
    return int(han + 2 * words) if has_word else 0


@functools.cache
def items_of(name: str) -> pl.DataFrame:
    """One row per item: `question`, `answer`, `weight` of the question."""
    if name == "made":
        rows = pl.DataFrame(MADE, schema=["question", "answer"], orient="row")
    else:
        file, *columns = SETS[name]
        read = pl.read_csv if file.endswith("csv") else _read_lines
        rows = read(EVALUATIONS / file).select(
            pl.col(column).alias(name)
            for column, name in zip(columns, ("question", "answer"), strict=True)
        )
    weights = pl.Series("weight", [weight(text) for text in rows["question"]])
    return rows.with_columns(weights)


def _read_lines(path: Path) -> pl.DataFrame:
    data = path.read_bytes()
    return pl.read_ndjson(gzip.decompress(data) if path.suffix == ".gz" else data)


@functools.cache
def index_of(name: str) -> EvaluationIndex:
    """The index of a set of these items, its column of questions first."""
    items = items_of(name).select("question", "answer").with_row_index("row")
    texts = items.unpivot(index="row", variable_name="column", value_name="text")
    texts = texts.sort("row", maintain_order=True).select(
        pl.lit(name).alias("set"), "row", "text", asked=pl.col("column") == "question"
    )
    return index_texts(texts, 13)


def held(name: str, *rows: Talk, near: bool = False) -> list[bool]:
    """Which rows are hit, by the exact rules alone unless told otherwise."""
    contamination = Contamination(questions=NearQuestions(enabled=near))
    judged = judge_with_hits(talks(*rows), only(contamination=contamination), index_of(name))
    return judged.collect()["is_hit"].to_list()


@pytest.fixture(params=["made", *SETS])
def evaluation(request) -> str:
    if request.param != "made" and not EVALUATIONS.is_dir():
        pytest.skip(f"the real evaluation sets are not there: {EVALUATIONS}")
    return request.param


@pytest.mark.parametrize("way", WAYS)
def test_every_copy_of_a_question_is_found(evaluation, way):
    items = items_of(evaluation).filter(pl.col("weight") >= LEAST[way])
    found = held(evaluation, *(WAYS[way](q, a) for q, a, _ in items.rows()))
    assert items.filter(~pl.Series(found))["question"].to_list() == []


# fmt: off
NOBODYS = {  #                           a row that is no copy of an item
    "an answer as the response":        told("No"),
    "a number as the response":         told("84"),
    "an answer with a sign":            told("**Lemur**."),
    "an answer as the last message":    [*BEFORE, *asks("No")],
    "an answer in a list":              told("Lemur\n\nNo\n\nDisorder"),
    "figures of a question, told":      told("12.7"),
    "figures in a block":               asks("Round this.\n\n12.7"),
    "one word as the response":         told("Entropy"),
    "one word as a block":              asks("Define this word.\n\nEntropy"),
    "two words as the response":        told("Thank you."),
    "two words as a sentence":          asks("Make it polite. Thank you. Then send it."),
    "three words in a story":           told("He looked up.\n\nCan pigs fly?\n\nNobody said a word."),
    "a question and more":              asks("Can pigs fly higher?"),
    "a question with a bracket":        asks("Can pigs fly (in a plane)?"),
    "a possessive":                     asks("Whose is it? Name a primate's food."),
    "four Chinese characters, told":    told("水是水什么？"),
}
# fmt: on


@pytest.mark.parametrize("row", NOBODYS.values(), ids=NOBODYS)
def test_what_anybody_may_say_is_nobodys_copy(row):
    assert held("made", row, near=True) == [False]


def test_a_question_in_several_columns_is_all_of_them_together():
    texts = [("Translate to French.", True), ("Cat", True), ("Chat", False)]
    rows = [("made", 0, *text) for text in texts]
    schema = {"set": pl.String, "row": pl.UInt32, "text": pl.String, "asked": pl.Boolean}
    index = index_texts(pl.DataFrame(rows, schema=schema, orient="row"), 13)
    given = talks(
        asks("Translate to French.\n\nCat"),
        asks("Translate to French.\n\nA dog that barks"),
        [SYSTEM, *asks("Cat")],
        told("Translate to French: Cat"),
    )
    judged = judge_with_hits(given, only(contamination=Contamination()), index).collect()
    assert judged["is_hit"].to_list() == [True, False, False, True]


@pytest.mark.parametrize("item", [("???", "Yes"), ("Really?", "!"), ("\u200b", ".")])
def test_a_label_alone_is_no_item(item):
    texts = [("made", 0, text, place == 0) for place, text in enumerate(item)]
    schema = {"set": pl.String, "row": pl.UInt32, "text": pl.String, "asked": pl.Boolean}
    index = index_texts(pl.DataFrame(texts, schema=schema, orient="row"), 13)
    given = talks(
        asks("A:"), asks("Answer"), told("Answer:"), asks("Response: yes"), told("A: yes")
    )
    judged = judge_with_hits(given, only(contamination=Contamination()), index).collect()
    assert judged["is_hit"].to_list() == [False] * 5


def test_a_separator_or_an_escape_inside_an_item_does_no_harm():
    texts = [
        'He wrote ", " and \\u0000 and \\',
        "A nul \0 stood in it",
        "Und so weiter und so fort",
    ]
    rows = [("made", row, text, True) for row, text in enumerate(texts)]
    schema = {"set": pl.String, "row": pl.UInt32, "text": pl.String, "asked": pl.Boolean}
    index = index_texts(pl.DataFrame(rows, schema=schema, orient="row"), 13)
    given = talks(*(asks(json.dumps({"q": text})) for text in texts))
    judged = judge_with_hits(given, only(contamination=Contamination()), index).collect()
    assert judged["is_hit"].to_list() == [True] * 3


# --- through files -------------------------------------------------------------------------------


def lines(rows: pl.DataFrame) -> bytes:
    return "\n".join(json.dumps(row, ensure_ascii=False) for row in rows.to_dicts()).encode()


def parquet(rows: pl.DataFrame) -> bytes:
    file = io.BytesIO()
    rows.write_parquet(file)
    return file.getvalue()


FORMATS: dict[str, Callable[[pl.DataFrame], bytes]] = {
    "rows.jsonl": lines,
    "rows.json": lambda rows: json.dumps(rows.to_dicts()).encode(),
    "rows.csv": lambda rows: rows.write_csv().encode(),
    "rows.parquet": parquet,
    "rows.jsonl.gz": lambda rows: gzip.compress(lines(rows)),
    "rows.csv.gz": lambda rows: gzip.compress(rows.write_csv().encode()),
}
TWO_TURNS = [name for name in WAYS if len(WAYS[name]("q", "a")) == 2]


@pytest.mark.parametrize("of_rows", FORMATS)
def test_copies_are_found_whatever_files_they_come_in(evaluation, of_rows, tmp_path):
    """Every item in every way of two turns, as a corpus of that format against a set of another."""
    items = items_of(evaluation)
    if items.height > 100:
        items = items.filter((pl.int_range(pl.len()) % 13 == 0) | (pl.col("weight") < 10))
    rows = [
        {"instruction": talk[0][1], "input": "", "output": talk[1][1]}
        for way in TWO_TURNS
        for q, a, _ in items.filter(pl.col("weight") >= LEAST[way]).rows()
        for talk in (WAYS[way](q, a),)
    ]
    lake = Lake(str(tmp_path / "lake"))
    made_of = source("alpaca")
    raw = receipt(lake, {of_rows: FORMATS[of_rows](pl.DataFrame(rows))})
    normalized = normalize(raw, made_of, lake, 20_000)
    of_set = list(FORMATS)[::-1][list(FORMATS).index(of_rows)]
    (tmp_path / of_set).write_bytes(FORMATS[of_set](items_of(evaluation).drop("weight")))
    sets = (EvaluationSet(name=evaluation, path=str(tmp_path / of_set)),)
    rules = only(contamination=Contamination(sets=sets))
    index = index_sets(lake, rules.contamination)
    verdicts = scan_shard(
        lake, judge_rows(lake, normalized.shards[0], rules, index).shards[0]
    ).collect()
    missed = verdicts["drop_reason"].is_null()
    assert normalized.rows_out == len(rows)
    assert [row for row, lost in zip(rows, missed, strict=True) if lost] == []
