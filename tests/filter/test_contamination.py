import re
import string

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.filter import Contamination, NearQuestions
from schemas.reasons import DropReason
from tasks.filter.contamination import EvaluationIndex, index_texts
from tasks.filter.judge import judge
from tasks.filter.ngrams import MIN_SENTENCE_WEIGHT
from tests.filter.rows import only, records

WORDS = string.ascii_lowercase
LONG = "one two three four five six seven eight"
SHORT = "Who invented the steam engine?"
TINY = "Name it."
EXACT = Contamination(ngram=6, questions=NearQuestions(enabled=False))
HAN = "今天天气很好我们去公园"


def index(*items: str | tuple[str, ...], ngram: int = 6) -> EvaluationIndex:
    """An index of one set called `made`; an item is a text or several, the first its question."""
    texts = [
        ("made", row, text, place == 0)
        for row, item in enumerate(items)
        for place, text in enumerate((item,) if isinstance(item, str) else item)
    ]
    schema = {"set": pl.String, "row": pl.UInt32, "text": pl.String, "asked": pl.Boolean}
    return index_texts(pl.DataFrame(texts, schema=schema, orient="row"), ngram)


def overlaps(items: EvaluationIndex, *rows: tuple[str, str]) -> list[tuple[str, str]]:
    verdicts = judge(records(*rows), only(contamination=EXACT), items)
    return verdicts.select("found", "expected").collect().rows()


# fmt: off
CASES = {  #                                 text                                                   found
    "the whole item":                      (LONG,                                                   LONG),
    "n words of it":                       ("x two three four five six seven y",                    "two three four five six seven"),
    "n - 1 words of it":                   ("x two three four five six y",                          None),
    "other case, width, punctuation":      ("ONE, two... ＴＨＲＥＥ (four) five-six!",                 "ONE, two... ＴＨＲＥＥ (four) five-six"),
    "with accents":                        ("óne twò three fóur fi\u0301ve six",                     "óne twò three fóur fi\u0301ve six"),
    "over line ends":                      ("one two\nthree\tfour\r\n\r\nfive six",                 "one two\nthree\tfour\r\n\r\nfive six"),
    "with zero-width characters":          ("one two\u200b three fo\u00adur five six",               "one two\u200b three fo\u00adur five six"),
    "a word differs":                      ("one two three 4 five six seven eight",                 None),
    "words run together":                  ("onetwo three four five six seven",                     None),
    "a short item":                        (SHORT,                                                  SHORT[:-1]),
    "a short item after a label":          ("Question: who invented the steam engine\nAnswer:",     "who invented the steam engine"),
    "a short item among sentences":        ("Hi! Who invented the steam engine? Tell me.",          "Who invented the steam engine"),
    "a short item inside a sentence":      ("I ask who invented the steam engine.",                 None),
    "a short item and more":               ("Who invented the steam engine in 1712?",               None),
    "n characters of Chinese":             ("他说今天天气很好，走吧",                                   "今天天气很好"),
    "n - 1 characters of Chinese":         ("他说今天天气很糟",                                        None),
    "nothing":                             ("",                                                     None),
    "punctuation alone":                   ("... !?",                                               None),
}
# fmt: on


@pytest.mark.parametrize(("text", "found"), CASES.values(), ids=CASES)
def test_items_are_found_in_prompt_and_response(text, found):
    items = index("unrelated words that nobody else would ever use", LONG, SHORT, HAN)
    in_prompt, in_response = overlaps(items, (text, "Yes."), ("What?", text))
    assert in_prompt[0] == in_response[0] == found


def test_a_tiny_item_counts_as_a_whole_prompt_only():
    rows = (("name it", "A."), ("Please. Name it.", "A."), ("What?", "Name it."))
    found = [found for found, _ in overlaps(index(TINY), *rows)]
    assert found == ["name it", None, None]


def test_the_item_is_named_by_its_set_and_row():
    items = index("nothing of the kind is in any of the rows", (SHORT, LONG))
    assert overlaps(items, (LONG, "x")) == [(LONG, "made:1")]


def test_no_run_reaches_from_the_prompt_into_the_response():
    first, second = "one two three four", "five six seven eight"
    assert overlaps(index(LONG), (first, second)) == [(None, None)]


def test_scaffolding_that_many_items_share_is_not_counted():
    scaffold = "def check the candidate and then assert that it holds"
    items = index(*(f"{scaffold} {word} {word} and some more of it" for word in WORDS))
    (shared,), (own,) = (
        overlaps(items, (text, "x")) for text in (scaffold, "holds q q and some more of it")
    )
    assert shared == (None, None)
    assert own[1] == "made:16"


def test_an_item_that_is_all_scaffolding_is_still_found():
    items = index(*([LONG] * 20))
    assert overlaps(items, (LONG, "x")) == [(LONG, "made:0")]


def test_figures_in_a_row_are_nobodys_own():
    items = index("The primes are 2 3 5 7 11 13 17 19 23 and they go on for ever")
    rows = (("2, 3, 5, 7, 11, 13, 17, 19, 23", "x"), ("23 and they go on for ever", "x"))
    assert [found for found, _ in overlaps(items, *rows)] == [None, rows[1][0]]


def test_evidence_is_cut_to_200_characters():
    item = " ".join(f"{word}word{number}" for number, word in enumerate(WORDS * 4))
    ((found, _),) = overlaps(index(item), (item, "x"))
    assert len(found) == 200
    assert item.startswith(found)


def test_a_row_of_five_megabytes_is_looked_through_to_its_end():
    filler = "some filler text without an end. " * 160_000
    ((found, _),) = overlaps(index(LONG), (filler + LONG, "x"))
    assert found == LONG


words = st.text(st.sampled_from("abcdeé中文字ก"), min_size=1, max_size=4)
fillers = st.lists(words, max_size=12).map(" ".join)


@settings(max_examples=40)
@given(st.lists(words, min_size=1, max_size=20).map(" ".join), fillers, fillers, st.booleans())
def test_a_planted_item_is_found_wherever_it_stands(item, before, after, in_prompt):
    items = index(item)
    text = f"{before}.\n{item}.\n{after}"
    row = (text, "x") if in_prompt else ("x", text)
    found = overlaps(items, row)[0][0]
    weight = sum(
        2 if token.isalpha() and token < "ก" else 1
        for token in re.findall("[a-eé]+|[中文字ก]", item)
    )
    assert overlaps(items, (item, "x"))[0][0] is not None
    assert found is not None or weight < MIN_SENTENCE_WEIGHT


@settings(max_examples=30)
@given(
    st.lists(
        st.tuples(fillers, st.sampled_from(["", LONG, SHORT, HAN, "x y z"])), min_size=1, max_size=8
    ),
    st.randoms(),
)
def test_a_row_is_judged_alike_in_any_order_and_shard(rows, random):
    items = index(LONG, SHORT, HAN)
    together = overlaps(items, *rows)
    order = random.sample(range(len(rows)), len(rows))
    assert overlaps(items, *(rows[at] for at in order)) == [together[at] for at in order]
    assert [overlaps(items, row)[0] for row in rows] == together


def test_the_reason_is_evaluation_overlap():
    verdict = judge(records((LONG, "x")), only(contamination=Contamination(ngram=6)), index(LONG))
    assert verdict.collect()["drop_reason"].to_list() == [DropReason.EVALUATION_OVERLAP]
