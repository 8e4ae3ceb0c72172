"""Whether a response turns its user down: "As an AI language model, I cannot ...".

A refusal says that it will not or cannot (rules, no access, no opinions, nothing given) and leaves
it at that, or at advice to ask elsewhere. A disclaimer that an answer follows is a hedge and stays.
So do letters, scenes and excuses that the user asked for, and texts he gave to be translated.

The opening is read sentence by sentence. A sentence refuses by what it says (`refusals.py`) and by
what was asked: that nothing was given counts always; words that only an assistant uses count unless
it works on the user's text; words that people use too ("I can't come") count where nobody asked for
a letter or a scene; that the speaker, in a short response, says no of itself in whatever words
counts where nobody asked about a sentence either. What then remains of the response, beside more of
the same and advice, is its answer.
"""

import polars as pl

from tasks.assistant import refusals
from tasks.assistant.questions import (
    asks_its_name,
    asks_of_a_sentence,
    asks_what_it_is,
    composes,
    reworks_a_text,
    speaks_to_it,
    weighs_a_text,
)
from tasks.assistant.refusals import CHINESE, ENGLISH, READINGS, Words, said
from tasks.assistant.sentences import by_sentence, is_chinese
from tasks.assistant.simplified import simplified
from tasks.assistant.suspects import of_suspects
from tasks.assistant.voice import is_letter_or_verse, own_voice

SUSPECT_CHARS = 300
OPENING_CHARS = 400
OPENING_SENTENCES = 3
READ_CHARS = 1500  # a response that is longer has answered, or has refused at length
SHORT_BYTES = 300
# In letters; a Chinese character says as much as five.
HAN_WORTH = 5
SHORT_LETTERS = 250
PREAMBLE_LETTERS = 45  # an answer before the refusal
ANSWER_LETTERS = 80  # an answer after a turn ("However, ...")
LONG_ANSWER_LETTERS = 500  # an answer anywhere, after words that only an assistant uses
SOME_ANSWER_LETTERS = 140  # after words that people use too
STOPS = " .!?。！？"


def is_refusal(question: pl.Expr, response: pl.Expr) -> pl.Expr:
    """True where the response turns the question down, in English or in Chinese; never null.

    False positive, known: a first-person story without quotation marks that opens with a refusal.
    """
    return refusal(question, response).is_not_null()


def refusal(question: pl.Expr, response: pl.Expr) -> pl.Expr:
    """The words by which the response turns the question down; null where it does not."""
    opening = pl.col("response").str.head(SUSPECT_CHARS)
    short = pl.col("response").str.len_bytes() <= SHORT_BYTES
    suspected = opening.str.contains_any(refusals.PARTS, ascii_case_insensitive=True) | (
        short & opening.str.contains_any(refusals.SHORT_PARTS, ascii_case_insensitive=True)
    )
    return of_suspects(suspected, _refusals, pl.String(), question=question, response=response)


def _refusals(rows: pl.LazyFrame) -> pl.LazyFrame:
    concerned = pl.col("response").str.head(SUSPECT_CHARS).str.contains(refusals.CONCERNS)
    asked = rows.with_row_index("row").filter(concerned).pipe(_asked).collect().lazy()
    refused = asked.pipe(_refused_in_the_opening)
    return (
        rows.select(row=pl.int_range(pl.len(), dtype=pl.UInt32))
        .join(refused, on="row", how="left", maintain_order="left")
        .join(asked.pipe(_answered, refused), on="row", how="left", maintain_order="left")
        .select(pl.when(~pl.col("answers").fill_null(False)).then("refused"))
    )


def _asked(rows: pl.LazyFrame) -> pl.LazyFrame:
    """One row per row: row, response (its first `READ_CHARS`), question, and what it asks for."""
    question, response = pl.col("question"), pl.col("response")
    named = response.str.contains(refusals.NAMED)
    return rows.select(
        "row",
        question=simplified(question.fill_null("")),
        response=simplified(response.str.head(READ_CHARS)),
    ).with_columns(
        at_work=~reworks_a_text(question),
        unbidden=~reworks_a_text(question) & ~composes(question),
        letter=composes(question) & is_letter_or_verse(response),
        weighs=weighs_a_text(question),
        of_a_sentence=asks_of_a_sentence(question),
        addressed=speaks_to_it(question),
        asks_what_it_is=asks_what_it_is(question) | (asks_its_name(question) & named),
        short=(_letters(response) <= SHORT_LETTERS) & ~named,
    )


def _refused_in_the_opening(asked: pl.LazyFrame) -> pl.LazyFrame:
    """One row per row that refuses in its first sentences: row, refused (the words)."""
    return (
        asked.with_columns(said=_own_words(pl.col("response").str.head(OPENING_CHARS)))
        .pipe(by_sentence, refusals.TURN)
        .filter(pl.col("place") < OPENING_SENTENCES, _hints(pl.col("said")))
        .pipe(_read, READINGS)
        .select("row", refused=_refused())
        .collect()
        .drop_nulls()
        .unique("row", keep="first", maintain_order=True)
        .lazy()
    )


def _refused() -> pl.Expr:
    """The words by which a sentence of the opening refuses; null where it does not."""
    at_work, says_ai = pl.col("at_work") & ~pl.col("letter"), pl.col("speaks_as_ai").is_not_null()
    of_itself = pl.col("unbidden") & ~pl.col("asks_what_it_is")
    bidden = at_work & ~pl.col("asks_what_it_is")
    early = pl.col("place") <= 1
    known_ai = says_ai | says_ai.shift(1).over("row").fill_null(False)
    echoed = pl.col("question").str.contains(pl.col("said").str.strip_chars(STOPS), literal=True)
    return pl.when(~echoed.fill_null(False)).then(
        pl.coalesce(
            "missing",
            pl.when(at_work).then("flat"),
            pl.when(at_work & _in_the_opening("harm")).then("flatly"),
            pl.when((of_itself & known_ai) | (bidden & says_ai & early)).then("as_ai"),
            pl.when(of_itself & pl.col("addressed")).then("of_its_kind"),
            pl.when(of_itself & (~pl.col("of_a_sentence") | _in_the_opening("regret"))).then(
                "plain"
            ),
            pl.when(of_itself & pl.col("short") & early & ~pl.col("weighs")).then("denies"),
            pl.when(at_work & pl.col("short") & _in_the_opening("condemns")).then(
                pl.coalesce("plain", "denies")
            ),
            pl.when(of_itself & pl.col("short") & _in_the_opening("negates")).then("speaks_as_ai"),
        )
    )


def _in_the_opening(reading: str) -> pl.Expr:
    return pl.col(reading).is_not_null().any().over("row")


def _answered(asked: pl.LazyFrame, refused: pl.LazyFrame) -> pl.LazyFrame:
    """One row per row of `refused`: row, answers (whether it answers all the same)."""
    return (
        asked.join(refused, on="row", how="inner", maintain_order="left")
        .select("row", "refused", said=_own_words(pl.col("response")))
        .pipe(by_sentence, refusals.TURN)
        .pipe(_read, ("missing", "flat", "plain", "speaks_as_ai", "regret", "harm"))
        .with_columns(
            worth=_worth(),
            place_of_words=pl.col("said").str.find(pl.col("refused"), literal=True),
        )
        .with_columns(here=pl.col("place_of_words").is_not_null())
        .with_columns(since=(pl.col("here").cum_sum() > 0).over("row"), then=_after_the_words())
        .group_by("row", maintain_order=True)
        .agg(answers=_answers_all_the_same())
    )


def _after_the_words() -> pl.Expr:
    """What a sentence says after the words that refuse; all of it where they are not in it."""
    start = pl.col("place_of_words") + pl.col("refused").str.len_bytes()
    return pl.col("said").cast(pl.Binary).bin.slice(start.fill_null(0)).cast(pl.String)


def _worth() -> pl.Expr:
    """How many letters of an answer a sentence holds: none if it refuses, regrets or condemns."""
    idle = pl.any_horizontal(
        pl.col("missing", "flat", "plain", "speaks_as_ai", "regret", "harm").is_not_null()
    )
    left = pl.col("said").str.replace_all(refusals.ADVICE, "")
    return pl.when(~idle).then(_letters(left)).otherwise(0)


def _answers_all_the_same() -> pl.Expr:
    told, worth, since = pl.col("said"), pl.col("worth"), pl.col("since")
    flat = pl.any_horizontal(pl.col("missing", "flat").is_not_null()) & pl.col("here")
    turned = since & ~pl.col("here") & told.str.contains(refusals.TURNS)
    names_itself = since & pl.any_horizontal(
        pl.col("then").str.contains(words) for words in refusals.NAMES_ITSELF
    )
    enough = pl.when(flat.any()).then(LONG_ANSWER_LETTERS).otherwise(SOME_ANSWER_LETTERS)
    return (
        (worth.filter(turned.cum_max()).sum() >= ANSWER_LETTERS)
        | (worth.sum() >= enough)
        | (worth.filter(~since).sum() >= PREAMBLE_LETTERS)
        | names_itself.any()
    )


def _read(sentences: pl.LazyFrame, readings: tuple[str, ...]) -> pl.LazyFrame:
    """The sentences with what each says, in its language: a String column per reading, or null."""
    sentences = sentences.collect().lazy()  # both languages read them
    han = is_chinese(pl.col("said"))

    def in_words(words: Words) -> dict[str, pl.Expr]:
        return {name: said(pl.col("said"), getattr(words, name)) for name in readings}

    read = (
        sentences.filter(~han).with_columns(**in_words(ENGLISH)),
        sentences.filter(han).with_columns(**in_words(CHINESE)),
    )
    return pl.concat([frame.collect() for frame in read]).sort("row", "place").lazy()


def _hints(sentence: pl.Expr) -> pl.Expr:
    return sentence.str.contains_any(refusals.HINTS, ascii_case_insensitive=True)


def _own_words(response: pl.Expr) -> pl.Expr:
    """What the response says for itself, idioms aside; 我们 is not 我."""
    return (
        own_voice(response)
        .str.replace_all("我们", "众人", literal=True)
        .str.replace_all(refusals.IDIOM, " ")
    )


def _letters(text: pl.Expr) -> pl.Expr:
    """Length in letters; a Chinese character counts as `HAN_WORTH` of them."""
    return text.str.len_chars() + (HAN_WORTH - 1) * text.str.count_matches(r"\p{Han}")
