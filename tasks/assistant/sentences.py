"""A text, sentence by sentence: what is said of one thing is looked for in one place."""

import polars as pl

# Where a sentence ends: a full stop ends one only before white space, for GPT-3.5 has one too.
ENDS = r"([.!?…;]['’\")\]]*)\s+|([。！？；!?]+[”’」』）)]*)|\n+"


def by_sentence(rows: pl.LazyFrame, turn: str | None = None) -> pl.LazyFrame:
    """One row per sentence of `said`, with its row's other columns (`row` is one), and its `place`.

    `turn` is an expression for the words that turn from one thing to another ("However"): what
    they open is a sentence of its own. A row that says nothing has one sentence, null.
    """
    said = pl.col("said").str.replace_all(ENDS, "$1$2\n")
    if turn is not None:
        said = said.str.replace_all(turn, "\n$0")
    sentences = said.str.split("\n").list.eval(pl.element().str.strip_chars().pipe(_filled))
    return (
        rows.with_columns(said=sentences)
        .explode("said", empty_as_null=True)
        .with_columns(place=pl.int_range(pl.len()).over("row"))
    )


def is_chinese(sentence: pl.Expr) -> pl.Expr:
    """A sentence with a Chinese character is read as Chinese."""
    return sentence.str.contains(r"\p{Han}").fill_null(False)


def _filled(sentence: pl.Expr) -> pl.Expr:
    return sentence.filter(sentence.str.contains(r"\w"))
