"""Whether a response turns its user down: "As an AI language model, I cannot ...".

A refusal says that it will not or cannot (rules, no access, no opinions, nothing given) and leaves
it at that, or at advice to ask elsewhere. A disclaimer that an answer follows is a hedge and stays.
So do letters, scenes and excuses that the user asked for, and texts he gave to be translated.
"""

import polars as pl

from tasks.assistant import chinese, english
from tasks.assistant.patterns import RefusalWords
from tasks.assistant.suspects import of_suspects
from tasks.assistant.voice import composes, own_voice, reworks_a_text

SUSPECT_CHARS = 300
SUSPECTS = [*english.REFUSAL_PARTS, *chinese.REFUSAL_PARTS]


def is_refusal(question: pl.Expr, response: pl.Expr) -> pl.Expr:
    """True where the response turns the question down, in English or in Chinese; never null.

    False positive, known: a first-person story without quotation marks that opens with a refusal.
    """
    opening = pl.col("response").str.head(SUSPECT_CHARS)
    suspected = opening.str.contains_any(SUSPECTS, ascii_case_insensitive=True)
    return of_suspects(
        suspected, _refusals, pl.Boolean(), question=question, response=response
    ).fill_null(False)


def _refusals(rows: pl.LazyFrame) -> pl.LazyFrame:
    languages = (english.REFUSAL, chinese.REFUSAL)
    return (
        rows.with_columns(
            said=own_voice(pl.col("response")), question=pl.col("question").fill_null("")
        )
        .with_columns(
            composes=composes(pl.col("question")), reworks=reworks_a_text(pl.col("question"))
        )
        .select(pl.any_horizontal(_turned_down(words) for words in languages))
    )


def _turned_down(words: RefusalWords) -> pl.Expr:
    return _refuses(words) & ~_answers_all_the_same(pl.col("response"), words)


def _refuses(words: RefusalWords) -> pl.Expr:
    opening = pl.col("said").str.head(words.opening_chars)
    flat = opening.str.contains(words.flat)
    unanswerable = opening.str.contains(words.unanswerable)
    opens = opening.str.contains(words.opening) & ~pl.col("composes")
    return unanswerable | ((flat | opens) & ~pl.col("reworks"))


def _answers_all_the_same(response: pl.Expr, words: RefusalWords) -> pl.Expr:
    """What the response says after its refusal, advice to ask elsewhere aside, is an answer."""
    after = response
    for refusal in (words.flat, words.unanswerable, words.opening):
        after = after.str.replace(rf"^[\s\S]*?{refusal}", "")
    turned = after.str.extract(rf"{words.turn}([\s\S]*)", 1).fill_null("")
    return (_substance(turned, words) >= words.answer_chars) | (
        _substance(after, words) >= words.max_chars
    )


def _substance(text: pl.Expr, words: RefusalWords) -> pl.Expr:
    """Characters of the text without its sentences of advice."""
    return text.str.replace_all(words.advice, "").str.strip_chars().str.len_chars()
