import polars as pl
import pytest

from tasks.assistant.claims import identity_claim
from tests.assistant.assistant_cases import UNSEEN_ROUNDS, assistant_cases, shares

TARGET = 0.97


def claimed(prompt: str, response: str) -> str | None:
    frame = pl.DataFrame({"prompt": [prompt], "response": [response]})
    return frame.select(identity_claim(pl.col("prompt"), pl.col("response"))).item()


@pytest.fixture(scope="module")
def judged() -> pl.DataFrame:
    claim = identity_claim(pl.col("prompt"), pl.col("response"))
    return assistant_cases().with_columns(found=claim.is_not_null())


@pytest.mark.parametrize("number", UNSEEN_ROUNDS)
def test_what_was_mended_by_a_round_stays_mended(judged, number):
    cases = judged.filter(round=number)
    wrong = cases.filter(pl.col("identity") != pl.col("found"))["response"].to_list()
    precision, recall = shares(cases["identity"], cases["found"])
    assert precision >= TARGET, wrong
    assert recall >= TARGET, wrong


# fmt: off
CLAIMS = {  #                      prompt                          response                                      claim
    "a name, asked for":          ("Who's on the other end?",      "On this end it's Gemini.",                   "On this end it's Gemini."),
    "a name, not asked for":      ("Which model is best at chess?", "On this list it's GPT-4.",                   None),
    "a person who was asked":     ("Who are you?",                 "I'm a writer who uses OpenAI tools.",        None),
    "a question back":            ("Who are you?",                 "Have you tried ChatGPT?",                    None),
    "denied":                     ("Are you OpenAI's?",            "No, OpenAI has nothing to do with me.",      None),
    "a poem of itself":           ("Write a poem about yourself",  "OpenAI trained me,\nwords maintain me.",     "OpenAI trained me"),
    "a poem of another":          ("Write a poem about a parrot",  "A sailor trained me,\ncrackers sustain me.", None),
    "last learning":              ("Newest phone?",                "I stopped learning in late 2021.",           "I stopped learning in late 2021."),
    "a nurse's learning":         ("Write a nurse's CV",           "I stopped learning in late 2021.",           None),
    "an interview":               ("面试怎么自我介绍",                "我是工程师，曾在OpenAI实习。",                  None),
    "traditional, as it stands":  ("你是誰",                        "我是由阿里雲研發的通義千問。",                    "我是由阿里雲研發的通義千問"),
    "a Chinese maker":            ("Who built you?",               "I am an AI assistant built by 百度.",          "I am an AI assistant built by 百度"),
    "a Chinese maker's client":   ("Who are you?",                 "I am a driver hired by 百度.",                 None),
    "agreed without a mark":      ("你是必应吗",                     "是我没错。",                                  "是我没错。"),
    "supposed":                   ("Who are you?",                 "Imagine that you are ChatGPT, by OpenAI.",   None),
}
# fmt: on


@pytest.mark.parametrize(("prompt", "response", "claim"), CLAIMS.values(), ids=CLAIMS)
def test_a_claim_is_told_by_what_was_asked_and_quoted_as_it_stands(prompt, response, claim):
    assert claimed(prompt, response) == claim
