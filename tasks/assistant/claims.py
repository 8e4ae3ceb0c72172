"""Who the response says it is: claims to be a named model, or a named maker's assistant.

A claim is made in the response's own voice (`voice.py`), in the first person: by name ("I am
ChatGPT"), by maker ("OpenAI trained me"), by what only a model has ("my knowledge cutoff is
September 2021"), by agreeing ("Are you ChatGPT?" "Yes."), or, where the user asked for no letter
and no scene, by any sentence about itself that names a model or lab. Talking of models is no claim
("compare ChatGPT and Claude"), nor is denying, supposing, quoting, using ("I am a ChatGPT user"),
working on the user's text ("Translate: ...") or in his play ("Act as Siri"), nor refusing without a
name. A system prompt may say "You are ChatGPT": only the response is trained on.
"""

from types import ModuleType

import polars as pl

from tasks.assistant import chinese, english
from tasks.assistant.masks import masked, may_hold
from tasks.assistant.patterns import first_of
from tasks.assistant.questions import (
    asks_of_itself,
    asks_who_it_is,
    composes,
    plays_a_role,
    reworks_a_text,
    speaks_to_it,
)
from tasks.assistant.sentences import by_sentence, is_chinese
from tasks.assistant.simplified import as_written, simplified
from tasks.assistant.suspects import of_suspects
from tasks.assistant.voice import own_voice

LANGUAGES = (english, chinese)
AGREEMENT_CHARS = 24
I_AM = "(?i)i am|i'm|我是"
# What every claim holds one of; they are looked for all at once (Aho-Corasick).
NAME_PARTS = [
    *(english.NAME_PARTS + english.CUTOFF_PARTS),
    *(chinese.NAME_PARTS + chinese.CUTOFF_PARTS),
]


def identity_claim(question: pl.Expr, response: pl.Expr) -> pl.Expr:
    """The claim a response makes, as it stands there; null where it makes none."""
    return of_suspects(
        _holds_a_name(pl.col("response")) | _says_yes(pl.col("response")),
        _claims,
        pl.String(),
        question=question,
        response=response,
    )


def _claims(rows: pl.LazyFrame) -> pl.LazyFrame:
    read = (
        rows.rename({"response": "written"})
        .with_columns(
            question=simplified(pl.col("question").fill_null("")),
            response=simplified(pl.col("written")),
        )
        .with_row_index("row")
        .collect()
        .lazy()
    )
    claims = pl.concat([*_stated(read), _agreed(read)]).unique(
        "row", keep="first", maintain_order=True
    )
    claim = pl.col("claim").str.strip_chars()
    return read.join(claims, on="row", how="left", maintain_order="left").select(
        pl.coalesce(as_written(claim, pl.col("response"), pl.col("written")), claim)
    )


def _stated(read: pl.LazyFrame) -> list[pl.LazyFrame]:
    """One row per response of `read` that states a claim in its own voice: row, claim.

    In frames of falling weight, each read by itself: within one plan all would be read twice.
    """
    question, response = pl.col("question"), pl.col("response")
    others_words = (plays_a_role(question) & _names_a_model(question)) | (
        reworks_a_text(question) & (_names_a_model(question) | question.str.contains(I_AM))
    )
    own = (
        read.filter(_holds_a_name(response))
        .filter(_names_a_model(response) | _tells_a_cutoff(response))
        .filter(~others_words)
        .with_columns(said=own_voice(response))
        .collect()
        .lazy()
    )
    told = own.with_columns(telling=_telling(pl.col("said"), chinese)).select(
        "row",
        claim=pl.coalesce(first_of(pl.col("telling"), chinese.CLAIMS.values()), _fragment()),
    )
    frames = (_stated_in_english(own), told.drop_nulls(), _said_of_itself(own))
    return [frame.collect().lazy() for frame in frames]


def _stated_in_english(own: pl.LazyFrame) -> pl.LazyFrame:
    """One row per response that states a claim in English, in whatever text: row, claim."""
    suspects = (
        own.select("row", telling=_telling(pl.col("said"), english))
        .filter(pl.col("telling") != "")
        .with_columns(masked=masked(pl.col("telling")))
        .filter(may_hold(pl.col("masked"), english.CLAIMS.values()))
        .collect()
    )
    if suspects.is_empty():
        return suspects.lazy().select("row", claim="telling")
    claim = first_of(pl.col("telling"), english.CLAIMS.values())
    return suspects.lazy().select("row", claim=claim).drop_nulls()


def _agreed(read: pl.LazyFrame) -> pl.LazyFrame:
    """One row per response of `read` that only says yes to being a named model: row, claim."""
    says_yes = pl.any_horizontal(
        pl.col("response").str.contains(words.AGREES) for words in LANGUAGES
    )
    agreeing = read.filter(says_yes).filter(_holds_a_name(pl.col("question"))).collect()
    asked = agrees_to_a_claim(pl.col("question"), pl.col("response"))
    return agreeing.lazy().filter(asked).select("row", claim="response")


def _said_of_itself(own: pl.LazyFrame) -> pl.LazyFrame:
    """One row per sentence in which a response speaks of itself by a model's name: row, claim.

    Only where the user asked for no letter and no scene, unless one about the assistant: there
    "I" is the assistant. A sentence that denies, compares, uses or recommends is about others.
    """
    question, own_words = pl.col("question"), pl.col("said")
    about_it = speaks_to_it(
        question.str.replace_all(english.REQUESTS, "|").str.replace_all(chinese.REQUESTS, "|")
    )
    for words in LANGUAGES:
        own_words = own_words.str.replace_all(words.OF_OTHERS, "|")
    return (
        own.filter(~composes(question) | asks_of_itself(question))
        .select("row", "said", asked=about_it)
        .pipe(by_sentence)
        .filter(_holds_a_name(pl.col("said")))
        .with_columns(own=own_words)
        .select(
            "row",
            claim=pl.when(is_chinese(pl.col("said")))
            .then(pl.coalesce(_of_itself(chinese), _of_itself(english)))
            .otherwise(_of_itself(english)),
        )
        .collect()
        .drop_nulls()
        .lazy()
    )


def _of_itself(words: ModuleType) -> pl.Expr:
    """A sentence's words that name itself, or its own last learning; null where it does not.

    `own` is the sentence without what it says of others.
    """
    said, own = pl.col("said"), pl.col("own")
    of_others = pl.any_horizontal(
        said.str.contains(others)
        for others in (english.PERSON, chinese.PERSON, english.MODEL_ACTS, r"[?？]\s*$")
    )
    acts = said.str.contains(english.OF_THE_NAME) | said.str.contains(chinese.OF_THE_NAME)
    opening = own.str.extract(r"^([^|]*\|?)", 1)
    named_first = opening.str.contains(words.NAMES) & ~acts & (pl.col("place") <= 1)
    told = (
        pl.col("asked")
        & ~of_others
        & (own.str.contains(words.NAMES_ITSELF) | named_first | own.str.contains(words.MAKES))
    )
    learnt = pl.all_horizontal(
        said.str.contains(part)
        for part in (words.ITSELF, words.LEARNING, words.UNTIL_THEN, english.YEAR)
    )
    return pl.coalesce(own.str.extract(words.SAYS_OF_ITSELF, 1), pl.when(told | learnt).then(said))


def _fragment() -> pl.Expr:
    """A name without a sentence, in answer to who it is; null where there is none."""
    response = pl.col("response")
    return pl.when(asks_who_it_is(pl.col("question"))).then(
        pl.coalesce(response.str.extract(words.FRAGMENT, 1) for words in LANGUAGES)
    )


def agrees_to_a_claim(question: pl.Expr, response: pl.Expr) -> pl.Expr:
    """The user asks whether it is a named model, and the response says yes."""
    asked = question.str.contains(english.ASKED_WHO)
    asked &= ~question.str.contains(english.ASKED_OTHERWISE)
    asked_in_chinese = question.str.contains(chinese.ASKED_WHO)
    asked_in_chinese &= ~question.str.contains(chinese.ASKED_OTHERWISE)
    return (response.str.contains(english.AGREES) & asked) | (
        response.str.contains(chinese.AGREES) & asked_in_chinese
    )


def _holds_a_name(text: pl.Expr) -> pl.Expr:
    return text.str.contains_any(NAME_PARTS, ascii_case_insensitive=True).fill_null(False)


def _says_yes(response: pl.Expr) -> pl.Expr:
    return response.str.head(AGREEMENT_CHARS).str.contains_any(
        [*english.YES, *chinese.YES], ascii_case_insensitive=True
    )


def _telling(said: pl.Expr, words: ModuleType) -> pl.Expr:
    """What a text says where it is in the first person and of models, else nothing."""
    personal = _where(said.str.contains(words.FIRST_PERSON), said)
    dated = personal.str.contains_any(words.CUTOFF_PARTS, ascii_case_insensitive=True)
    telling = _where(dated | personal.str.contains(words.NAMED), personal)
    return telling.str.replace_all(english.OF_IT, "|")


def _tells_a_cutoff(text: pl.Expr) -> pl.Expr:
    parts = [*english.CUTOFF_PARTS, *chinese.CUTOFF_PARTS]
    return text.str.contains_any(parts, ascii_case_insensitive=True)


def _names_a_model(text: pl.Expr) -> pl.Expr:
    return text.str.contains(english.NAMED) | text.str.contains(chinese.NAMED)


def _where(condition: pl.Expr, text: pl.Expr) -> pl.Expr:
    """The text where the condition holds, else nothing: patterns are run under a null too."""
    return pl.when(condition).then(text).otherwise(pl.lit(""))
