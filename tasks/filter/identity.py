"""Who the response says it is: claims to be a named model, or a named maker's assistant.

A claim is a sentence of the response in the first person. Talking about models is no claim
("compare ChatGPT and Claude"), nor is denying ("I am not ChatGPT"), supposing ("if I were Claude"),
quoting (between quotation marks, after a speaker's label), using ("I am a ChatGPT user") or
refusing without a name ("As an AI language model, I cannot ..."). Only the response is judged, for
only that is trained on; a system prompt may say "You are ChatGPT".
"""

import polars as pl

from schemas.reasons import DropReason
from schemas.filter import ModelIdentity
from tasks.filter import chinese, english
from tasks.filter.evidence import Rules, matched


def identity_rules(identity: ModelIdentity) -> Rules:
    """The response claims to be a named model, in English or in Chinese.

    False positive, known: a play in which a character opens a line without a label and without
    quotation marks with "I am ChatGPT"; a person of a model's name who works as an assistant.
    """
    if not identity.enabled:
        return {}
    response = pl.col("response")
    claim = pl.coalesce(english_claim(response), chinese_claim(response))
    return {DropReason.MODEL_IDENTITY: matched(claim, "no claim to be a named model")}


def english_claim(text: pl.Expr) -> pl.Expr:
    """The first English claim of a text, null where there is none."""
    named = _where(
        text.str.contains_any(english.NAME_PARTS, ascii_case_insensitive=True)
        & text.str.contains(f"(?i){english.FIRST_PERSON}"),
        text,
    )
    suspect = _where(named.str.contains(f"(?i){english.NAMED}"), named)
    return suspect.str.extract(english.CLAIM, 1).str.strip_chars()


def chinese_claim(text: pl.Expr) -> pl.Expr:
    """The first Chinese claim of a text, null where there is none."""
    named = text.str.contains(chinese.FIRST_PERSON) & text.str.contains(chinese.NAMED)
    return _where(named, text).str.extract(chinese.CLAIM, 1).str.strip_chars()


def _where(condition: pl.Expr, text: pl.Expr) -> pl.Expr:
    """The text where the condition holds, else nothing: patterns are run under a null too."""
    return pl.when(condition).then(text).otherwise(pl.lit(""))
