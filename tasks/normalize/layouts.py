"""The layouts by name: the columns each reads, under which names, and how they become turns."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial

import polars as pl

from schemas.source import Layout, Source
from tasks.normalize.alpaca import alpaca_turns
from tasks.normalize.belle import belle_turns
from tasks.normalize.cot import cot_turns
from tasks.normalize.dolly import dolly_turns
from tasks.normalize.hugnlp import hugnlp_turns
from tasks.normalize.messages import messages_turns
from tasks.normalize.multiple_choice import (
    OPTION_COLUMNS,
    first_option,
    multiple_choice_turns,
)
from tasks.normalize.question_contexts import question_contexts_turns
from tasks.normalize.raw import OFFSET, Piece
from tasks.normalize.scan import NESTED
from tasks.normalize.sharegpt import sharegpt_turns
from tasks.normalize.turns import Parsed

ABOUT_THE_ROW = ("category", "tools", "licence")
LISTS = ("history", "conversations", "messages", "options", "contexts")
_INSTRUCTION = ("instruction", "input", "output", "system", "history")

Turns = Callable[[pl.DataFrame], Parsed]


@dataclass(frozen=True)
class Shape:
    """One layout: the columns it reads, their order where a file names none, and its turns.

    `aliases` are names under which corpora of this layout keep a column, tried after the source's.
    Where a row alone does not tell how to read it, `settle` makes `turns` from a source's name and
    all its rows, once for the whole source.
    """

    columns: tuple[str, ...]
    turns: Turns
    aliases: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    settle: Callable[[str, Iterable[Piece]], Turns] | None = None

    def names(self, source: Source) -> Mapping[str, tuple[str, ...]]:
        """For each column that is read, the names it may have in the raw data, in order."""
        return {
            column: (getattr(source.columns, column, column), *self.aliases.get(column, ()))
            for column in dict.fromkeys((*self.columns, *ABOUT_THE_ROW))
        }

    def wanted(self, source: Source) -> tuple[str, ...]:
        """Every name that is looked for in the raw data, once."""
        return tuple(dict.fromkeys(name for names in self.names(source).values() for name in names))

    def positional(self, source: Source) -> tuple[str, ...]:
        """The names of the fields of a file that names none."""
        if source.fields:
            return source.fields
        return tuple(names[0] for names in list(self.names(source).values())[: len(self.columns)])

    def filled(self, rows: pl.DataFrame, source: Source) -> pl.DataFrame:
        """The same rows; what says nothing in a column has the source's constant for it."""
        return rows.with_columns(
            pl.when(pl.col(column).str.strip_chars().fill_null("") == "")
            .then(pl.lit(constant))
            .otherwise(column)
            .alias(column)
            for column, constant in source.constants
            if column in rows.columns
        )

    def renamed(self, rows: pl.DataFrame, source: Source) -> pl.DataFrame:
        """Raw rows with the layout's own column names, and `row`, the number of each.

        Only the columns of `LISTS` tell JSON lists from texts, by `scan.NESTED`.
        """
        raw = {column: pl.coalesce(names) for column, names in self.names(source).items()}
        return rows.select(
            pl.int_range(pl.len(), dtype=pl.UInt32).alias("row"),
            OFFSET,
            *(
                (text if column in LISTS else text.str.strip_prefix(NESTED)).alias(column)
                for column, text in raw.items()
            ),
        )


def shape_of(source: Source) -> Shape:
    """The shape of a source's rows."""
    shape = _SHAPES[source.layout]
    if shape.settle is not None and source.first_option is not None:
        turns = partial(multiple_choice_turns, first_option=source.first_option)
        return replace(shape, turns=turns, settle=None)
    return shape


def _as_the_answers_count(source: str, pieces: Iterable[Piece]) -> Turns:
    return partial(multiple_choice_turns, first_option=first_option(source, pieces))


_SHAPES = {
    Layout.ALPACA: Shape(_INSTRUCTION, alpaca_turns),
    Layout.BELLE: Shape(_INSTRUCTION, belle_turns, {"output": ("target",)}),
    Layout.DOLLY: Shape(
        _INSTRUCTION, dolly_turns, {"input": ("context",), "output": ("response",)}
    ),
    Layout.SHAREGPT: Shape(("conversations",), sharegpt_turns),
    Layout.MESSAGES: Shape(("messages",), messages_turns),
    Layout.HUGNLP: Shape(("text",), hugnlp_turns),
    Layout.COT: Shape(("question", "answer", "explanation"), cot_turns),
    Layout.MULTIPLE_CHOICE: Shape(
        ("question", "options", "answer", "explanation", *OPTION_COLUMNS),
        multiple_choice_turns,
        {"answer": ("cop",), "explanation": ("exp",)},
        settle=_as_the_answers_count,
    ),
    Layout.QUESTION_CONTEXTS: Shape(
        ("question", "contexts", "explanation", "answer"),
        question_contexts_turns,
        {
            "question": ("QUESTION",),
            "contexts": ("CONTEXTS",),
            "explanation": ("LONG_ANSWER",),
            "answer": ("final_decision",),
        },
    ),
}
