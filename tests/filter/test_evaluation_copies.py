"""Copies of an evaluation set inside a corpus are found, every one, however they are dressed."""

import functools
from pathlib import Path

import polars as pl
import pytest

from schemas.filter import Contamination, EvaluationSet
from tasks.filter.contamination import MAX_SHARING_ITEMS, EvaluationIndex, index_texts, list_hits
from tasks.filter.evaluations import read_evaluation
from tasks.filter.judge import judge_with_hits
from tasks.text import prompt, question, response
from tests.filter.rows import only, records

EVALUATIONS = Path(__file__).resolve().parents[3] / "shared" / "evaluations"
FULL_WIDTH = str.maketrans({chr(point): chr(point + 0xFEE0) for point in range(0x21, 0x7F)})

MADE = [  # question, answer
    (
        "A baker fills 12 trays with 8 rolls each and sells all but 5 of the rolls. How many rolls are sold?",
        "He bakes 12 * 8 = 96 rolls and sells 96 - 5 = 91 of them, so the answer is 91.",
    ),
    (
        "Which gas do green plants take from the air when they grow in the light?",
        "Green plants take carbon dioxide.",
    ),
    ("Who wrote the first printed book about bees?", "Nobody knows who was the first."),
    ("Can pigs fly?", "No"),
    (
        "Write a function that returns the second largest of a list of whole numbers.",
        "def second(numbers):\n    largest = sorted(set(numbers))\n    return largest[-2] if len(largest) > 1 else None",
    ),
    (
        "小明有十二个苹果，他给了弟弟五个，又买了三个，现在他一共有多少个苹果？",
        "小明现在一共有十个苹果，因为十二减五加三等于十。",
    ),
    ("水在零度以下会变成什么？", "水会变成冰。"),
    (
        "The word 苹果 means apple; what does the word 香蕉 mean in English, and how is it said?",
        "It means banana, and one says xiāngjiāo.",
    ),
]
SETS = {
    "gsm8k": ("gsm8k_test.jsonl", "question", "answer"),
    "humaneval": ("HumanEval.jsonl.gz", "prompt", "canonical_solution"),
    "truthfulqa": ("TruthfulQA.csv", "Question", "Best Answer"),
}

# fmt: off
DRESSES = {
    "as it is":              lambda text: text,
    "other case":            lambda text: text.swapcase(),
    "one line":              lambda text: " ".join(text.split()),
    "wide spaces":           lambda text: "\u3000" + text.replace(" ", " \t\u00a0") + "\n",
    "no punctuation":        lambda text: "".join(char if char.isalnum() or char.isspace() else " " for char in text),
    "full width":            lambda text: text.translate(FULL_WIDTH),
    "inside an instruction": lambda text: f"Please read this with care.\n\nQuestion: {text}\nThink step by step, then answer.",
    "in quotation marks":    lambda text: f"What would you say to \u201c{text}\u201d, and why?",
    "few-shot":              lambda text: f"Q: What is two and two?\nA: Four.\n\nQ: {text}\nA:",
    "zero-width spaces":     lambda text: text.replace(" ", " \u200b"),
}
# fmt: on


@functools.cache
def made_or_real(name: str) -> tuple[EvaluationIndex, pl.DataFrame]:
    """The index of a set, and its items: `row`, `question`, `answer`."""
    if name == "made":
        rows = [(row, *item) for row, item in enumerate(MADE)]
        items = pl.DataFrame(rows, schema=["row", "question", "answer"], orient="row")
        texts = items.unpivot(index="row", variable_name="column", value_name="text")
        texts = texts.sort("row", maintain_order=True)
        texts = texts.select("row", "text", asked=pl.col("column") == "question")
    else:
        file, *columns = SETS[name]
        given = [
            read_evaluation(
                EvaluationSet(name=name, path=str(EVALUATIONS / file), columns=(column,))
            )
            for column in columns
        ]
        asked, answered = (one.group_by("row").agg(pl.col("text").first()) for one in given)
        items = asked.join(answered, on="row", how="left").sort("row")
        items = items.select("row", question="text", answer="text_right")
        asked_first = (one.with_columns(asked=pl.lit(at == 0)) for at, one in enumerate(given))
        texts = pl.concat(asked_first).sort("row", maintain_order=True)
    texts = texts.select(pl.lit(name).alias("set"), pl.col("row").cast(pl.UInt32), "text", "asked")
    return index_texts(texts, 13), items


def missed(name: str, column: str, dress: str) -> list[str]:
    """The texts of a column that are not found in a corpus of their copies."""
    index, items = made_or_real(name)
    texts = [DRESSES[dress](text) for text in items[column].fill_null("")]
    pairs = [(text, "Yes.") if column == "question" else ("Go on.", text) for text in texts]
    judged = judge_with_hits(records(*pairs), only(contamination=Contamination()), index).collect()
    return items.filter(~judged["is_hit"])[column].to_list()


@pytest.fixture(params=["made", *SETS])
def evaluation(request) -> str:
    if request.param != "made" and not EVALUATIONS.is_dir():
        pytest.skip(f"the real evaluation sets are not there: {EVALUATIONS}")
    return request.param


@pytest.mark.parametrize("dress", DRESSES)
def test_every_question_is_found_in_a_prompt(evaluation, dress):
    assert missed(evaluation, "question", dress) == []


# A short answer ("No", "Nothing happens") is anybody's, and so is one that more than five items of
# a set share ("I have no comment"): only their questions can be found.
@pytest.mark.parametrize("dress", ["as it is", "other case", "one line", "full width", "few-shot"])
def test_every_answer_of_five_words_is_found_in_a_response(evaluation, dress):
    _, items = made_or_real(evaluation)
    mine = items.filter(pl.len().over(pl.col("answer").str.to_lowercase()) <= MAX_SHARING_ITEMS)
    long = mine.filter(pl.col("answer").str.count_matches(r"\w+") >= 6)["answer"].to_list()
    assert set(missed(evaluation, "answer", dress)) & set(long) == set()


def test_every_item_is_named_by_the_hit_table(evaluation):
    index, items = made_or_real(evaluation)
    rows = records(*((text, "Yes.") for text in items["question"])).select(
        "record_id", "source_row", prompt=prompt(), response=response(), question=question()
    )
    hits = list_hits(rows.collect(), index, Contamination())
    named = set(hits.select("source_row", "row").rows())
    assert {(place, row) for place, row in enumerate(items["row"])} <= named
    assert set(hits["set"]) == {evaluation}


def test_counts_say_how_each_item_is_compared():
    index, _ = made_or_real("made")
    (counts,) = index.counts
    assert counts.model_dump() == {
        "name": "made",
        "items": 8,
        "items_by_ngram": 5,
        "items_by_sentence": 2,
        "items_by_prompt": 1,
        "items_by_whole": 0,
        "items_without_words": 0,
        "items_as_questions": 8,
    }
