import polars as pl
import pytest

from tasks.assistant import english
from tasks.assistant.masks import masked, may_hold
from tasks.assistant.patterns import first_of
from tests.assistant.assistant_cases import assistant_cases

# fmt: off
MASKED = {  #           text                              with tokens
    "a model's":       ("I am OpenAI's GPT-4 Turbo.",     "I am zqm."),
    "a shared name's": ("I am Claude, by Anthropic.",     "I am zqs, by zql."),
    "a firm's":        ("Google made me.",                "zqf made me."),
    "part of a word":  ("Claudette is a metaphor.",       "Claudette is a metaphor."),
}
# fmt: on


@pytest.mark.parametrize(("text", "tokens"), MASKED.values(), ids=MASKED)
def test_a_name_becomes_a_token(text, tokens):
    assert pl.select(masked(pl.lit(text))).item() == tokens


def test_what_the_patterns_find_the_masked_ones_find_too():
    claims = english.CLAIMS.values()
    found = assistant_cases().select(
        found=first_of(pl.col("response"), claims).is_not_null(),
        suspected=may_hold(masked(pl.col("response")), claims),
    )
    assert found.filter(pl.col("found"), ~pl.col("suspected")).is_empty()
    assert found["found"].sum() > 200
    assert found["suspected"].sum() < 2 * found["found"].sum()
