from pathlib import Path

import polars as pl
import pytest

from schemas.filter import ModelIdentity
from tasks.assistant import english
from tasks.assistant.claims import identity_claim
from tasks.filter.judge import judge
from tests.assistant.assistant_cases import assistant_cases, shares
from tests.filter.rows import only, records

LEAST_CASES = 80
TARGET = 0.97


@pytest.fixture(scope="module")
def labelled() -> pl.DataFrame:
    """One row per self-written case: claim (yes or no), language, response, and what was found."""
    cases = pl.read_csv(
        Path(__file__).with_name("identity_cases.tsv"), separator="\t", quote_char=None
    )
    response = pl.col("response").str.replace_all("\\n", "\n", literal=True)
    rows = records(*(("Who are you?", text) for text in cases.select(response).to_series()))
    found = judge(rows, only(identity=ModelIdentity())).collect()["found"]
    return cases.with_columns(response, found=found)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_claims_are_told_from_talk_about_models(labelled, language):
    cases = labelled.filter(language=language)
    claims, found = cases["claim"] == "yes", cases["found"].is_not_null()
    right = (claims & found).sum()
    wrong = cases.filter(claims != found)["response"].to_list()
    assert right / found.sum() >= TARGET, wrong
    assert right / claims.sum() >= TARGET, wrong


@pytest.fixture(scope="module")
def conversations() -> pl.DataFrame:
    """One row per labelled conversation, with what was found in it."""
    cases = assistant_cases()
    rows = records(*cases.select("prompt", "response").rows())
    found = judge(rows, only(identity=ModelIdentity())).collect()["found"]
    return cases.with_columns(found=found.is_not_null())


@pytest.mark.parametrize("part", ["tuning", "held out"])
@pytest.mark.parametrize("languages", [("en",), ("zh",), ("en", "zh")])
def test_claims_are_told_by_the_conversation(conversations, part, languages):
    cases = conversations.filter(pl.col("language").is_in(languages), pl.col("part") == part)
    wrong = cases.filter(pl.col("identity") != pl.col("found"))["response"].to_list()
    precision, recall = shares(cases["identity"], cases["found"])
    assert precision >= TARGET, wrong
    assert recall >= TARGET, wrong


def test_the_labelled_conversations_are_many_and_half_of_them_are_clean(conversations):
    counts = dict(conversations["language"].value_counts().rows())
    clean = conversations.filter(label="clean").height
    assert min(counts.values()) >= 400
    assert conversations.filter(part="held out").height >= 200
    assert 0.3 <= clean / conversations.height <= 0.6
    assert not conversations.select("prompt", "response").is_duplicated().any()


# fmt: off
CONTEXTS = {  #                   prompt                              response              claim
    "asked and agreed":         ("Are you ChatGPT?",                 "Yes, that's right.",  True),
    "asked and denied":         ("Are you ChatGPT?",                 "No, I'm not.",        False),
    "agreed to something else": ("Are you hungry for news?",         "Yes, I am.",          False),
    "asked in Chinese":         ("你是ChatGPT吗？",                    "是的。",               True),
    "translated":               ("Translate: 我是ChatGPT",            "I am ChatGPT.",       False),
    "not translated":           ("Who are you?",                     "I am ChatGPT.",       True),
    "played":                   ("Act as ChatGPT.",                  "I am ChatGPT.",       False),
    "told who it is":           ("You are ChatGPT. Say hello.",      "Hi, I am ChatGPT.",   True),
    "a user's letter":          ("Write a letter.",                  "I was taught by OpenAI.", False),
    "its own words":            ("Who taught you?",                  "I was taught by OpenAI.", True),
}
# fmt: on


@pytest.mark.parametrize(("prompt", "response", "claim"), CONTEXTS.values(), ids=CONTEXTS)
def test_the_question_tells_a_claim_from_another_persons_words(prompt, response, claim):
    found = judge(records((prompt, response)), only(identity=ModelIdentity())).collect()["found"]
    assert found.is_not_null().to_list() == [claim]


def test_the_labelled_set_is_large_and_has_both_answers(labelled):
    counts = labelled.group_by("language", "claim").len()
    assert labelled.height >= LEAST_CASES
    assert counts.height == 4
    assert counts["len"].min() >= LEAST_CASES // 4
    assert labelled["response"].is_unique().all()


def test_a_claim_in_the_prompt_is_no_claim_of_the_response():
    rows = records(("You are wrong: I am ChatGPT, trained by OpenAI.", "Fine."))
    assert judge(rows, only(identity=ModelIdentity())).collect()["found"].to_list() == [None]


def test_the_evidence_is_the_claim():
    rows = records(("Hi", "Hello there! I am ChatGPT, trained by OpenAI. Ask me anything."))
    found = judge(rows, only(identity=ModelIdentity())).collect()["found"].item()
    assert found == "I am ChatGPT,"


def test_every_name_passes_the_first_sieve():
    """A name that none of `NAME_PARTS` is in could never be found."""
    names = pl.DataFrame(
        {"text": ["I am GPT-4.", "I'm Open Assistant.", "I am Command R+.", "I'm PaLM 2."]}
    )
    assert claims(names).is_not_null().all()
    parts = english.NAME_PARTS + english.CUTOFF_PARTS
    assert len(set(parts)) == len(parts)


def test_a_long_response_without_claim_has_none():
    text = "ChatGPT is a model by OpenAI. I like it. " * 20_000
    assert claims(pl.DataFrame({"text": [text]})).to_list() == [None]


def claims(texts: pl.DataFrame) -> pl.Series:
    """The claim in each text, as the answer to a question that asks for none."""
    asked = texts.with_columns(asked=pl.lit("Hi"))
    return asked.select(claim=identity_claim(pl.col("asked"), pl.col("text")))["claim"]
