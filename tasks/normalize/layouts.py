"""The layouts by name: the columns each reads, under which names, and how they become turns."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain
from types import MappingProxyType

import polars as pl

from schemas.errors import ConfigError
from schemas.source import Columns, Layout, Source, Template
from tasks.normalize.alpaca import alpaca_turns
from tasks.normalize.belle import belle_turns
from tasks.normalize.conversation import Spelling, with_system
from tasks.normalize.cot import cot_turns
from tasks.normalize.dolly import dolly_turns
from tasks.normalize.hugnlp import hugnlp_turns
from tasks.normalize.lmflow import lmflow_turns
from tasks.normalize.messages import messages_turns
from tasks.normalize.multiple_choice import (
    OPTION_COLUMNS,
    first_option,
    multiple_choice_turns,
)
from tasks.normalize.preference import preference_turns
from tasks.normalize.question_contexts import question_contexts_turns
from tasks.normalize.raw import OFFSET, Piece
from tasks.normalize.scan import NESTED
from tasks.normalize.sharegpt import sharegpt_turns
from tasks.normalize.template import column_of, template_turns
from tasks.normalize.tree import NODE, tree_turns
from tasks.normalize.turns import Parsed

ABOUT_THE_ROW = ("category", "tools", "licence")
BESIDE = ("system", *ABOUT_THE_ROW)
_FUNCTIONS = {"tools": ("functions",)}  # as OpenAI called them first
_INSTRUCTION = ("instruction", "input", "output", "system", "history")

Turns = Callable[[pl.DataFrame], Parsed]


@dataclass(frozen=True)
class Shape:
    """One layout: the columns it reads, their order where a file names none, and its turns.

    `nested` are the columns in which `turns` tells lists and objects from texts, by `scan.NESTED`;
    `aliases` the names under which corpora of this layout keep a column, tried after the source's;
    `raw` the names of columns that no source renames; `beside` what rows of every layout may have.
    Where a source says more of its rows than names of columns, `heed` makes `turns` from it; where
    a row alone does not tell how to read it, `settle` makes them from a source's name and all its
    rows, once for the whole source.
    """

    columns: tuple[str, ...]
    turns: Turns
    nested: tuple[str, ...] = ()
    aliases: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    raw: Mapping[str, str] = field(default_factory=dict)
    beside: tuple[str, ...] = BESIDE
    heed: Callable[[Source], Turns] | None = None
    settle: Callable[[str, Iterable[Piece]], Turns] | None = None

    def names(self, source: Source) -> Mapping[str, tuple[str, ...]]:
        """For each column that is read, the names it may have in the raw data, in order."""
        return self.named(source.columns)

    def named(self, columns: Columns) -> Mapping[str, tuple[str, ...]]:
        """The same by the names that a source gives to columns."""
        return {
            column: (
                self.raw.get(column, getattr(columns, column, column)),
                *self.aliases.get(column, ()),
            )
            for column in dict.fromkeys((*self.columns, *self.beside))
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

    def parsed(self, rows: pl.DataFrame) -> Parsed:
        """What renamed rows become, behind their system text unless the turns have their own."""
        parsed = self.turns(rows)
        return with_system(rows, parsed) if "system" in rows.columns else parsed

    def renamed(self, rows: pl.DataFrame, source: Source) -> pl.DataFrame:
        """Raw rows with the layout's own column names, and `row`, the number of each.

        Only the columns of `nested` tell JSON lists and objects from texts, by `scan.NESTED`.
        """
        # Polars takes some names for patterns: these columns are found by what they are called.
        raw = rows.select(
            pl.int_range(pl.len(), dtype=pl.UInt32).alias("row"),
            OFFSET,
            *(
                pl.coalesce([rows[name] for name in names]).alias(column)
                for column, names in self.names(source).items()
            ),
        )
        plain = [raw[column] for column in self.names(source) if column not in self.nested]
        return raw.with_columns(_unmarked(texts) for texts in plain)


def _unmarked(texts: pl.Series) -> pl.Series:
    """The texts without the mark of nested values, which few columns have anywhere."""
    if texts.null_count() == texts.len() or not texts.str.starts_with(NESTED).any():
        return texts
    return texts.str.strip_prefix(NESTED)


def shape_of(source: Source) -> Shape:
    """The shape of a source's rows.

    Raises:
        ConfigError: the layout is `auto`, which names none until somebody looked at the rows; or
            a constant is of a column that the layout does not read.
    """
    if source.layout == Layout.AUTO:
        raise ConfigError(
            f"source {source.name!r} has layout auto, which its rows must decide before they are "
            f"read; expected one of {', '.join(_SHAPES)}"
        )
    shape = _of_template(source.template) if source.template else _SHAPES[source.layout]
    read = shape.names(source)
    for column, _ in source.constants:
        if column not in read:
            raise ConfigError(
                f"source {source.name!r} has a constant for {column!r}, which layout "
                f"{source.layout.value!r} does not read; expected one of {', '.join(read)}"
            )
    if shape.settle is not None and source.first_option is not None:
        turns = partial(multiple_choice_turns, first_option=source.first_option)
        return replace(shape, turns=turns, settle=None)
    return replace(shape, turns=shape.heed(source)) if shape.heed is not None else shape


def shapes() -> Mapping[Layout, Shape]:
    """The shapes that rows are told by, as they are before a source says more."""
    return MappingProxyType(_SHAPES)


def every_name(columns: Columns | None = None) -> tuple[str, ...]:
    """Every name under which any layout looks for a column, once."""
    told = columns or Columns()
    named = (shape.named(told).values() for shape in _SHAPES.values())
    return tuple(dict.fromkeys(name for names in chain.from_iterable(named) for name in names))


def _of_template(template: Template) -> Shape:
    raw = {column_of(name): name for name in template.columns}
    turns = partial(template_turns, template=template)
    return Shape(tuple(raw), turns, raw=raw, beside=ABOUT_THE_ROW)


def _spelt(turns: Callable[..., Parsed]) -> Callable[[Source], Turns]:
    """Turns with the roles and the keys of turns that a source names."""
    return lambda source: partial(turns, spelling=Spelling.of(source))


def _rationales(source: Source) -> Turns:
    return partial(cot_turns, answer_only=source.answer_only)


def _as_the_answers_count(source: str, pieces: Iterable[Piece]) -> Turns:
    return partial(multiple_choice_turns, first_option=first_option(source, pieces))


_SHAPES = {
    Layout.ALPACA: Shape(_INSTRUCTION, alpaca_turns, nested=("history",)),
    Layout.BELLE: Shape(
        _INSTRUCTION,
        belle_turns,
        nested=("history",),
        aliases={"output": ("target",)},
        heed=_spelt(belle_turns),
    ),
    Layout.DOLLY: Shape(
        _INSTRUCTION,
        dolly_turns,
        nested=("history",),
        aliases={"input": ("context",), "output": ("response",)},
    ),
    Layout.SHAREGPT: Shape(
        ("conversations",),
        sharegpt_turns,
        nested=("conversations",),
        aliases=_FUNCTIONS,
        heed=_spelt(sharegpt_turns),
    ),
    Layout.MESSAGES: Shape(
        ("messages",),
        messages_turns,
        nested=("messages",),
        aliases=_FUNCTIONS,
        heed=_spelt(messages_turns),
    ),
    Layout.HUGNLP: Shape(("text",), hugnlp_turns, heed=_spelt(hugnlp_turns)),
    Layout.COT: Shape(("question", "answer", "explanation"), cot_turns, heed=_rationales),
    Layout.MULTIPLE_CHOICE: Shape(
        ("question", "options", "answer", "explanation", *OPTION_COLUMNS),
        multiple_choice_turns,
        nested=("options",),
        aliases={"answer": ("cop",), "explanation": ("exp",)},
        settle=_as_the_answers_count,
    ),
    Layout.QUESTION_CONTEXTS: Shape(
        ("question", "contexts", "explanation", "answer"),
        question_contexts_turns,
        nested=("contexts",),
        aliases={
            "question": ("QUESTION",),
            "contexts": ("CONTEXTS",),
            "explanation": ("LONG_ANSWER",),
            "answer": ("final_decision",),
        },
    ),
    Layout.TREE: Shape(
        ("prompt", *NODE),
        tree_turns,
        nested=("prompt", "replies"),
        heed=lambda source: partial(
            tree_turns, spelling=Spelling.of(source, text=source.columns.text)
        ),
    ),
    Layout.PREFERENCE: Shape(
        (
            *("prompt", "chosen", "rejected", "label", "conversations", "messages"),
            *("instruction", "input", "output", "history"),
        ),
        preference_turns,
        nested=(
            *("prompt", "chosen", "rejected", "conversations", "messages"),
            *("output", "history"),
        ),
        aliases={"prompt": ("question",), "output": ("completion", "response"), **_FUNCTIONS},
        heed=_spelt(preference_turns),
    ),
    Layout.LMFLOW: Shape(
        ("input", "output", "text", "messages"),
        lmflow_turns,
        nested=("messages",),
        aliases=_FUNCTIONS,
        heed=_spelt(lmflow_turns),
    ),
}
