"""The `auto` layout: a source's first rows say which of the known shapes they have.

Signs are asked in their order, the most particular first: a row of preference data has a prompt and
perhaps messages too, one of multiple choice a question and an answer. The first sign that half of
the rows show decides.
"""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

import polars as pl

from schemas.errors import SourceEmpty, SourceError
from schemas.source import Columns, Layout, Source
from tasks.normalize.layouts import every_name, shape_of
from tasks.normalize.markers import holds_dialogue, styles
from tasks.normalize.raw import Batch, unnamed
from tasks.normalize.scan import NESTED

LOOK_ROWS = 200
MIN_SHARE = 0.5
MIN_DIALOGUES = 0.05
"""Of rows of instructions: so many that are dialogues make it BELLE's layout."""

ASKED = ("instruction", "prompt", "question", "query", "problem", "Question", "q")
ANSWERED = ("output", "response", "completion", "answer", "target", "solution", "Answer", "a")
MORE = ("input", "context")
RATIONALES = ("explanation", "rationale", "chain_of_thought", "reasoning")
TALKS = ("conversations", "conversation", "dialogue", "dialog")
OPTIONS = ("options", "choices")
STEMS = ("question", "question_stem")
KEYS = ("answer", "answerKey")
PASSAGES = ("contexts", "CONTEXTS", "context")
_PAIR = ("instruction", "output")
_RATIONALE = ("question", "answer", "explanation")
_FIELDS, _COLUMNS = unnamed("field", 4), unnamed("column", 4)

log = logging.getLogger(__name__)


class Decision(NamedTuple):
    """A source with the layout that its rows have, and in words why."""

    source: Source
    why: str


@dataclass(frozen=True)
class Sign:
    """What rows of a layout have: one name at least of each of the columns.

    `shown` is what must be true of the values besides, and `without` are names that rows do not
    have. Columns of the layout take the first of their names that the rows have; so do those that
    rows have `perhaps`. `fields` are the columns, in order, of rows that name none.
    """

    layout: Layout
    columns: dict[str, tuple[str, ...]]
    shown: Callable[[Source], pl.Expr] | None = None
    perhaps: dict[str, tuple[str, ...]] = field(default_factory=dict)
    without: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()

    def fits(self, source: Source) -> pl.Expr:
        """Whether a row shows it."""
        there = [
            pl.any_horizontal(map(said, self.named(source, column))) for column in self.columns
        ]
        absent = [pl.col(name).is_null() for name in self.without]
        shown = [] if self.shown is None else [self.shown(source).fill_null(value=False)]
        return pl.all_horizontal(*there, *absent, *shown)

    def named(self, source: Source, column: str) -> tuple[str, ...]:
        """The names of a column, that which the source gives it first."""
        own = getattr(source.columns, column, column)
        return (own,) if own != column else (self.columns | self.perhaps)[column]


def _each(names: Iterable[str]) -> dict[str, tuple[str, ...]]:
    return {name: (name,) for name in names}


def said(name: str) -> pl.Expr:
    """Whether a row has that name."""
    return pl.col(name).is_not_null()


def _is_list(*names: str) -> pl.Expr:
    return pl.coalesce(names).str.starts_with(f"{NESTED}[")


def _is_tree(source: Source) -> pl.Expr:
    root = pl.col(source.columns.prompt)
    inside = root.str.starts_with(f"{NESTED}{{") & root.str.contains('"replies":', literal=True)
    return inside.fill_null(value=False) | (_is_list("replies") & said("role"))


def _is_judged(source: Source) -> pl.Expr:
    columns = source.columns
    label = pl.col(columns.label).str.to_lowercase().is_in(["true", "false", "1", "0"])
    asked = (columns.prompt, columns.instruction, columns.messages, columns.conversations)
    return said(columns.chosen) | (label & pl.any_horizontal(map(said, asked)))


def _is_chat(source: Source) -> pl.Expr:
    return _is_list(source.columns.messages)


def _is_talk(source: Source) -> pl.Expr:
    talk = pl.coalesce(_names(source.columns.conversations, *TALKS))
    return talk.str.contains(rf'^{NESTED}\[(?:\]|\{{.*"(?:from|value|role|content)":)')


def _has_options(source: Source) -> pl.Expr:
    options = pl.coalesce(_names(source.columns.options, *OPTIONS))
    return options.str.starts_with(NESTED).fill_null(value=False) | said("opa")


def _is_dialogue(column: str) -> Callable[[Source], pl.Expr]:
    return lambda source: holds_dialogue(
        pl.col(getattr(source.columns, column)), styles(source.roles)
    )


SIGNS = (
    Sign(Layout.TREE, {}, _is_tree),
    Sign(Layout.PREFERENCE, {}, _is_judged),
    Sign(Layout.MESSAGES, {"messages": ("messages",)}, _is_chat),
    Sign(Layout.SHAREGPT, {"conversations": TALKS}, _is_talk),
    Sign(
        Layout.MULTIPLE_CHOICE,
        {"question": STEMS},
        _has_options,
        {"options": OPTIONS, "answer": KEYS},
    ),
    Sign(Layout.QUESTION_CONTEXTS, {"question": ("question", "QUESTION"), "contexts": PASSAGES}),
    Sign(Layout.COT, {"question": ASKED, "answer": ("answer",), "explanation": RATIONALES}),
    Sign(Layout.COT, _each(_COLUMNS[:3]), without=_COLUMNS[3:], fields=_RATIONALE),
    Sign(Layout.DOLLY, _each(("instruction", "context", "response"))),
    Sign(Layout.BELLE, _each(("input", "target")), without=("instruction",)),
    Sign(Layout.HUGNLP, {"text": ("text",)}, _is_dialogue("text")),
    Sign(Layout.ALPACA, {"instruction": ASKED, "output": ANSWERED}, perhaps={"input": MORE}),
    Sign(Layout.ALPACA, _each(_FIELDS[:2]), without=_FIELDS[2:], fields=_PAIR),
    Sign(Layout.ALPACA, _each(_COLUMNS[:2]), without=_COLUMNS[2:], fields=_PAIR),
    Sign(Layout.LMFLOW, _each(("input", "output"))),
)
KNOWN = (
    "alpaca (instruction, input, output), belle (input, target), dolly (instruction, context, "
    "response), sharegpt (conversations), messages (messages), hugnlp (text in which speakers are "
    "named), cot (question, answer, explanation), multiple_choice (question, options, answer), "
    "question_contexts (question, contexts, answer), tree (prompt with replies), preference "
    "(prompt, chosen, rejected; or label), lmflow (input, output)"
)


def names_in(source: Source) -> tuple[str, ...]:
    """Every name that is looked for in rows whose layout nobody knows yet."""
    others = (*ASKED, *ANSWERED, *MORE, *RATIONALES, *TALKS, *OPTIONS, *STEMS, *KEYS, *PASSAGES)
    return _names(*every_name(source.columns), *others, *_FIELDS, *_COLUMNS)


def decided(source: Source, batches: Iterable[Batch]) -> Decision:
    """The source with the layout of its first `LOOK_ROWS` rows, and names of columns to match.

    The batches hold the names of `names_in`. Names that the source gives to columns stay.

    Raises:
        SourceError: the rows have no shape that is known; says what they have.
        SourceEmpty: there is not one row.
    """
    rows, keys, trouble = _first_rows(batches)
    if rows.is_empty():
        raise SourceEmpty(
            f"source {source.name!r} has not one row that tells its layout{trouble}. Check whether "
            f"upstream answered with another page, or set layout in {source.name}.yaml."
        )
    for sign in SIGNS:
        fitting = int(rows.select(sign.fits(source).sum()).item())
        if fitting >= MIN_SHARE * rows.height:
            found = _with_layout(source, sign, rows)
            why = f"{found.layout.value}: {_shown(found, rows)} in {fitting} of {rows.height} rows"
            log.info("source %s has layout %s", source.name, why)
            return Decision(found, why)
    raise SourceError(
        f"source {source.name!r}: layout auto knows no shape that half of the first {rows.height} "
        f"rows have. They have {', '.join(keys) or 'no keys'}; known are {KNOWN}. Set layout and "
        f"columns in {source.name}.yaml, fields where values have no names, or layout: template, "
        "which makes turns of any columns."
    )


def _first_rows(batches: Iterable[Batch]) -> tuple[pl.DataFrame, tuple[str, ...], str]:
    """The first rows, every key of theirs that is known, and the first damage in words."""
    pieces: list[pl.DataFrame] = []
    keys: dict[str, None] = {}
    trouble = ""
    for batch in batches:
        pieces.append(batch.rows.head(LOOK_ROWS))
        keys |= dict.fromkeys(batch.keys)
        if batch.damage and not trouble:
            trouble = f": {batch.damage[0].message}"
        if sum(piece.height for piece in pieces) >= LOOK_ROWS:
            break
    rows = pl.concat(pieces).head(LOOK_ROWS) if pieces else pl.DataFrame()
    return rows, tuple(keys), trouble


def _with_layout(source: Source, sign: Sign, rows: pl.DataFrame) -> Source:
    """The source with the layout of a sign, its columns under the names that the rows have."""
    if sign.fields:
        fields = source.fields or sign.fields
        return source.model_copy(update={"layout": sign.layout, "fields": fields})
    columns: dict[str, str] = {}
    for column in filter(Columns.model_fields.__contains__, sign.columns | sign.perhaps):
        names = [name for name in sign.named(source, column) if name not in columns.values()]
        columns[column] = max(names, key=lambda name: rows[name].count(), default=column)
    named = source.model_copy(update={"columns": source.columns.model_copy(update=columns)})
    dialogues = sign.layout == Layout.ALPACA and _dialogues(named, rows) >= MIN_DIALOGUES
    return named.model_copy(update={"layout": Layout.BELLE if dialogues else sign.layout})


def _dialogues(source: Source, rows: pl.DataFrame) -> float:
    """The share of instructions that are dialogues, from 0 to 1."""
    marked = _is_dialogue("instruction")(source).fill_null(value=False)
    return float(rows.select(marked.mean()).item())


def _shown(source: Source, rows: pl.DataFrame) -> str:
    """The columns of the source's layout that the rows have, under their own names."""
    shape = shape_of(source)
    named = [name for column in shape.columns for name in shape.names(source)[column]]
    there = [name for name in dict.fromkeys(named) if name in rows and rows[name].count()]
    return ", ".join(there or source.fields)


def _names(*names: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))
