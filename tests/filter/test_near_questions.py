"""Prompts that ask nearly what an evaluation item asks: exact, whatever the search skips."""

import re

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.filter import Contamination, NearQuestions
from tasks.filter.contamination import EvaluationIndex, index_texts
from tasks.filter.judge import judge
from tasks.filter.questions import as_questions, nearest, shingle_sets
from tests.filter.rows import only, talks

STAMPS = (
    "Max bought stamps at the post office. Some of the stamps had a snowflake design, some had a "
    "truck design, and some had a rose design. He bought 16 snowflake stamps, and 13 rose stamps."
)
OPTIONS = (
    "Which planet of our solar system is the largest?\n"
    "A. the planet Jupiter\nB. the planet Mercury\nC. the planet Neptune"
)
ZH = "小明在商店里买了三支铅笔和两本练习本，每支铅笔两元，每本练习本五元，请问小明一共花了多少钱？"


def index(*items: str, ngram: int = 50) -> EvaluationIndex:
    texts = pl.DataFrame(
        {"set": "made", "row": range(len(items)), "text": items, "asked": True},
        schema={"set": pl.String, "row": pl.UInt32, "text": pl.String, "asked": pl.Boolean},
    )
    return index_texts(texts, ngram)


def similarity(item: str, prompt: str, **rule: object) -> str | None:
    """What the ledger says of a prompt held against one item, as the index of 50-grams sees it."""
    contamination = Contamination(ngram=50, questions=NearQuestions(**rule))
    rows = talks([("user", prompt), ("assistant", "Yes.")])
    verdict = judge(rows, only(contamination=contamination), index(item)).collect()
    return verdict["expected"].item()


# fmt: off
CASES = {  #                     item      prompt                                                            hit
    "case and punctuation":     (STAMPS,   STAMPS.upper().replace(".", " !").replace(",", ""),               True),
    "a few words changed":      (STAMPS,   STAMPS.replace("bought", "got").replace("Max", "Bella"),          True),
    "half of it only":          (STAMPS,   STAMPS[: len(STAMPS) // 2],                                       False),
    "other numbers":            (STAMPS,   STAMPS.replace("16", "18"),                                       False),
    "numbers swapped":          (STAMPS,   STAMPS.replace("16", "#").replace("13", "16").replace("#", "13"), True),
    "another story":            (STAMPS,   "Max sold apples at the market. Some of them were red, some green, and he had 16 of the one and 13 of the other.", False),
    "options in another order": (OPTIONS,  "Which planet of our solar system is the largest?\nA. the planet Neptune\nB. the planet Jupiter\nC. the planet Mercury", True),
    "Chinese, a word changed":       (ZH,       ZH.replace("商店", "超市"),                     True),
    "Chinese, punctuation":     (ZH,       ZH.replace("，", " ").replace("？", "?"),                          True),
    "Chinese, another story":   (ZH,       "小红在书店里买了三本小说和两本词典，每本小说二十元，每本词典五十元，请问她花了多少钱？", False),
}
# fmt: on


@pytest.mark.parametrize(("item", "prompt", "hit"), CASES.values(), ids=CASES)
def test_a_light_paraphrase_is_the_same_question(item, prompt, hit):
    said = similarity(item, prompt)
    assert (said is not None) == hit


def test_numbers_count_unless_the_recipe_says_otherwise():
    other = STAMPS.replace("16", "18")
    assert similarity(STAMPS, other) is None
    assert similarity(STAMPS, other, compare_numbers=False) is not None


def test_a_thousand_is_written_with_and_without_a_comma():
    item = "How much is left of 1,000 dollars when a third of it has been spent on food?"
    assert similarity(item, item.replace("1,000", "1000").replace("food", "foods")) is not None
    assert similarity(item, item.replace("1,000", "10.00").replace("food", "foods")) is None


def test_the_threshold_is_inclusive():
    item, prompt = "abcdefghijklmnopqrstu", "abcdefghijklmnopqrs"  # 17 shingles of 19
    bound = 17 / 19
    assert similarity(item, prompt, threshold=bound) is not None
    assert similarity(item, prompt, threshold=bound + 0.001) is None


def test_the_last_question_of_a_talk_is_compared_too():
    turns = [
        ("user", "Hello, who are you?"),
        ("assistant", "A helper."),
        ("user", STAMPS.replace("Max", "Ann")),
    ]
    rules = only(contamination=Contamination(ngram=50))
    verdict = judge(talks([*turns, ("assistant", "Yes.")]), rules, index(STAMPS)).collect()
    assert verdict["expected"].item().startswith("made:0 (similarity 0.9")


def test_an_item_of_several_texts_is_compared_as_one_question_too():
    texts = [("made", 0, text, False) for text in OPTIONS.split("\n")]
    schema = {"set": pl.String, "row": pl.UInt32, "text": pl.String, "asked": pl.Boolean}
    items = index_texts(pl.DataFrame(texts, schema=schema, orient="row"), 50)
    rows = talks(
        [
            ("user", OPTIONS.replace("B. the planet Mercury\n", "").replace("A.", "(A)")),
            ("assistant", "A"),
        ]
    )
    near = NearQuestions(threshold=0.6)
    rules = only(contamination=Contamination(ngram=50, questions=near))
    assert judge(rows, rules, items).collect()["drop_reason"].item() is not None


def test_a_question_of_few_characters_is_left_to_the_exact_rules():
    assert similarity("Who is he?", "Who is she?", threshold=0.5) is None


def shingles(text: str) -> set[str]:
    spaced = re.sub("([中文字])", r" \1 ", text)
    spaced = " ".join(spaced.split())
    return {spaced[at : at + 3] for at in range(len(spaced) - 2)}


words = st.lists(
    st.sampled_from(["ab", "abc", "bca", "cab", "dd", "e", "abcabc", "中文", "字中", "e文"]),
    max_size=12,
)
texts = st.lists(words.map(" ".join), min_size=1, max_size=8)


@settings(max_examples=200)
@given(texts, texts, st.sampled_from([0.5, 0.7, 0.8, 0.95, 1.0]))
def test_every_pair_that_reaches_the_threshold_is_found_and_no_other(items, prompts, threshold):
    questions = as_questions(shingle_sets(pl.Series(items)), threshold)
    found = nearest(pl.Series(prompts), questions, compare_numbers=True)
    for prompt, question, similarity in zip(prompts, *found.get_columns(), strict=True):
        mine = shingles(prompt)
        pairs = [
            len(mine & shingles(item)) / len(mine | shingles(item)) if mine or shingles(item) else 0
            for item in items
        ]
        best = max(pairs)
        if best > 0 and best >= threshold:
            assert similarity == pytest.approx(best)
            assert question == pairs.index(best)
        else:
            assert question is None


def test_no_questions_and_no_prompts_are_no_matches():
    none = as_questions(shingle_sets(pl.Series([], dtype=pl.String)), 0.8)
    assert nearest(pl.Series(["abc"]), none, compare_numbers=True)["question"].to_list() == [None]
    some = as_questions(shingle_sets(pl.Series([STAMPS])), 0.8)
    assert nearest(pl.Series([], dtype=pl.String), some, compare_numbers=True).is_empty()


ODD = [
    "",
    "a",
    "ab",
    "\u200b\u200f\ufeff",
    "a " * 300_000,
    "雨" * 300_000,
    "🌧" * 99,
    STAMPS * 3_000,
]


def test_odd_prompts_match_nothing():
    questions = as_questions(shingle_sets(pl.Series([STAMPS, ZH])), 0.8)
    found = nearest(pl.Series(ODD[:-1]), questions, compare_numbers=True)
    assert found["question"].null_count() == len(ODD) - 1
