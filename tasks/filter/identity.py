"""Rows whose response claims to be a named model."""

import polars as pl

from schemas.filter import ModelIdentity
from schemas.reasons import DropReason
from tasks.assistant.claims import identity_claim
from tasks.filter.evidence import Rules, matched


def identity_rules(identity: ModelIdentity) -> Rules:
    """The response claims to be a named model, in English or in Chinese.

    False positive, known: a play in which a character opens a line without a label and without
    quotation marks with "I am ChatGPT"; a person of a model's name who works as an assistant.
    """
    if not identity.enabled:
        return {}
    asked = pl.col("question").fill_null(pl.col("prompt"))
    claim = identity_claim(asked, pl.col("response"))
    return {DropReason.MODEL_IDENTITY: matched(claim, "no claim to be a named model")}
