"""Who the response says it is: claims to be a named model, or a named maker's assistant.

A claim is made in the response's own voice (`voice.py`), in the first person: by name ("I am
ChatGPT"), by maker ("OpenAI trained me"), by what only a model has ("my knowledge cutoff is
September 2021"), by agreeing ("Are you ChatGPT?" "Yes."), or, where the user asked for no letter
and no scene, by any sentence about itself that names a model or lab. Talking of models is no claim
("compare ChatGPT and Claude"), nor is denying, supposing, quoting, using ("I am a ChatGPT user"),
working on the user's text ("Translate: ...") or in his play ("Act as Siri"), nor refusing without a
name. A system prompt may say "You are ChatGPT": only the response is trained on.
"""

import polars as pl

from tasks.assistant import chinese, english
from tasks.assistant.suspects import of_suspects
from tasks.assistant.voice import composes, own_voice, plays_a_role, reworks_a_text

AGREEMENT_CHARS = 16
I_AM = "(?i)i am|i'm|我是"
# What every claim holds one of; they are looked for all at once (Aho-Corasick).
NAME_PARTS = [
    *(english.NAME_PARTS + english.CUTOFF_PARTS),
    *(chinese.NAME_PARTS + chinese.CUTOFF_PARTS),
]


def identity_claim(question: pl.Expr, response: pl.Expr) -> pl.Expr:
    """The claim a response makes, as it stands there; null where it makes none."""
    named = pl.col("response").str.contains_any(NAME_PARTS, ascii_case_insensitive=True)
    return of_suspects(
        named | _says_yes(pl.col("response")),
        _claims,
        pl.String(),
        question=question,
        response=response,
    )


def _claims(rows: pl.LazyFrame) -> pl.LazyFrame:
    question, response, claim = pl.col("question"), pl.col("response"), pl.col("claim")
    others_words = (plays_a_role(question) & _names_a_model(question)) | (
        reworks_a_text(question) & (_names_a_model(question) | question.str.contains(I_AM))
    )
    claimed = pl.coalesce(
        english_claim(response),
        chinese_claim(response),
        said_of_itself(question, response, english.OF_OTHERS, english.SAYS_OF_ITSELF),
        said_of_itself(question, response, chinese.OF_OTHERS, chinese.SAYS_OF_ITSELF),
    )
    agreed = pl.when(agrees_to_a_claim(question, response)).then(response.str.strip_chars())
    return rows.with_columns(claim=claimed).select(
        pl.coalesce(pl.when(~others_words.fill_null(False)).then(claim), agreed)
    )


def said_of_itself(
    question: pl.Expr, response: pl.Expr, of_others: str, says_of_itself: str
) -> pl.Expr:
    """Where no letter or scene was asked for: the first sentence that names itself, else null."""
    said = own_voice(_where(~composes(question).fill_null(False), response))
    return said.str.replace_all(of_others, "|").str.extract(says_of_itself, 1).str.strip_chars()


def english_claim(text: pl.Expr) -> pl.Expr:
    """The first English claim of a text in its own voice, null where there is none."""
    return _claim(text, english.FIRST_PERSON, english.NAMED, english.CUTOFF_PARTS, english.CLAIM)


def chinese_claim(text: pl.Expr) -> pl.Expr:
    """The first Chinese claim of a text in its own voice, null where there is none."""
    return _claim(text, chinese.FIRST_PERSON, chinese.NAMED, chinese.CUTOFF_PARTS, chinese.CLAIM)


def agrees_to_a_claim(question: pl.Expr, response: pl.Expr) -> pl.Expr:
    """The user asks whether it is a named model, and the response says yes."""
    return (response.str.contains(english.AGREES) & question.str.contains(english.ASKED_WHO)) | (
        response.str.contains(chinese.AGREES) & question.str.contains(chinese.ASKED_WHO)
    )


def _says_yes(response: pl.Expr) -> pl.Expr:
    return response.str.head(AGREEMENT_CHARS).str.contains_any(
        [*english.YES, *chinese.YES], ascii_case_insensitive=True
    )


def _claim(
    text: pl.Expr, first_person: str, named: str, cutoff_parts: list[str], claim: str
) -> pl.Expr:
    personal = _where(text.str.contains(first_person), text)
    dated = personal.str.contains_any(cutoff_parts, ascii_case_insensitive=True)
    said = own_voice(_where(dated | personal.str.contains(named), personal))
    return said.str.extract(claim, 1).str.strip_chars()


def _names_a_model(text: pl.Expr) -> pl.Expr:
    return text.str.contains(english.NAMED) | text.str.contains(chinese.NAMED)


def _where(condition: pl.Expr, text: pl.Expr) -> pl.Expr:
    """The text where the condition holds, else nothing: patterns are run under a null too."""
    return pl.when(condition).then(text).otherwise(pl.lit(""))
