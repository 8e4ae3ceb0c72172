r"""Dialogues written as plain text, each turn behind the name of its speaker.

A style is a way to write names. The first marker of a text decides its style, and only the two
names that the text uses first split it: an answer that quotes a chat (`User: …`) in a dialogue of
`Human:` and `Assistant:` stays one turn. Most names count only where a line begins, or behind
`<|endoftext|>`; `<human>:` and `<s>Human:`, which no prose holds, count anywhere. `System:` counts
only where a text begins.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

import polars as pl

from tasks.normalize.turns import TURNS

Speakers = dict[str, str]

USER, ASSISTANT, SYSTEM = "user", "assistant", "system"

_COLON = "[ \t]*[:：][ \t]?"
_OPENS_LINE = r"(?:^|<\|endoftext\|>)[ \t]*"
_SYSTEM: Speakers = {"system": SYSTEM, "系统": SYSTEM}
_SYSTEM_FIRST = rf"(?i)\A\s*({'|'.join(_SYSTEM)}){_COLON}"
_TURN, _WORD = "\x1d", "\x1f"


@dataclass(frozen=True)
class Style:
    """A way to write speakers' names: the role of each, and what stands around it.

    `before` and `after` are patterns. Where `people` is true the names are those of somebody who
    speaks, which one turn shows; `Input:` and `Output:` are no dialogue without each other.
    """

    speakers: Speakers
    before: str = _OPENS_LINE
    after: str = ""
    people: bool = True

    def marker(self, names: Iterable[str]) -> str:
        """The pattern of a marker with one of the names, which is captured."""
        longest_first = sorted(names, key=lambda name: (-len(name), name))
        return f"{self.before}({'|'.join(map(re.escape, longest_first))}){self.after}{_COLON}"

    def of(self, *roles: str) -> tuple[str, ...]:
        """The names of speakers in these roles."""
        return tuple(name for name, role in self.speakers.items() if role in roles)


_PEOPLE: Speakers = {
    **dict.fromkeys(("human", "user"), USER),
    **dict.fromkeys(("assistant", "hugchat", "chatbot", "bot"), ASSISTANT),
}
_TAGS = (
    Style(_PEOPLE, before=r"<s>[ \t]*"),
    Style({"human": USER, "bot": ASSISTANT}, before="<", after=">"),
)
_LINES = (
    Style(_PEOPLE),
    Style({"用户": USER, "助手": ASSISTANT}),
    Style({"input": USER, "output": ASSISTANT}, people=False),
    Style({"问": USER, "答": ASSISTANT}, people=False),
)
STYLES = _TAGS + _LINES


def styles(roles: Iterable[tuple[str, str]] = ()) -> tuple[Style, ...]:
    """The known styles; a source's own names of speakers join all that begin lines."""
    own = {name.strip().lower(): role for name, role in roles}
    if not own:
        return STYLES
    everyone = {name: role for style in _LINES for name, role in style.speakers.items()}
    return (*_TAGS, Style(everyone | own))


def split_dialogues(
    rows: pl.DataFrame, known: tuple[Style, ...] = STYLES
) -> tuple[pl.DataFrame, pl.Series]:
    """TURNS of dialogues, each split by the style of its first marker; rows that have none.

    One row per row: `row` and `text`. What stands before the first marker is the user's.
    Contents may be empty.
    """
    spoken = _with_names(rows.select(pl.col("row").cast(pl.UInt32), _plain()), known)
    groups = spoken.drop_nulls("style").partition_by(
        "style", USER, ASSISTANT, as_dict=True, maintain_order=True
    )
    turns = [TURNS.to_frame()]
    for (number, *names), dialogues in groups.items():
        style = known[int(number)]
        told = (*(name for name in names if name is not None), *style.of(SYSTEM))
        speakers = {name: style.speakers[name] for name in told}
        turns.append(_split(dialogues, style, speakers))
    return (
        pl.concat(turns).sort("row", maintain_order=True),
        spoken.filter(pl.col("style").is_null())["row"],
    )


def holds_dialogue(text: pl.Expr, known: tuple[Style, ...] = STYLES) -> pl.Expr:
    """Whether a text begins with a marker; where names are not people's, with an answer to it."""
    return pl.any_horizontal(
        text.str.contains(
            rf"(?im)\A\s*{style.marker(style.speakers)}"
            if style.people
            else rf"(?ims)\A\s*{style.marker(style.of(USER))}.*?"
            rf"{style.marker(style.of(ASSISTANT))}"
        )
        for style in known
    )


def begins_dialogue(text: pl.Expr, known: tuple[Style, ...] = STYLES) -> pl.Expr:
    """Whether a text begins with the marker of somebody who opens a dialogue."""
    return text.str.contains(_SYSTEM_FIRST) | pl.any_horizontal(
        text.str.contains(rf"(?im)\A\s*{style.marker(style.of(USER, SYSTEM))}") for style in known
    )


def opened_by(text: str, known: tuple[Style, ...] = STYLES) -> tuple[Style, ...]:
    """The style of a text's first marker, its first name for the user alone; all where none is."""
    rows = pl.DataFrame({"row": [0], "text": [text]}, schema_overrides={"row": pl.UInt32})
    number, user = _with_names(rows, known).select("style", USER).row(0)
    if number is None or user is None:
        return known
    style = known[number]
    speakers = {name: role for name, role in style.speakers.items() if role != USER or name == user}
    return (replace(style, speakers=speakers),)


def _plain() -> pl.Expr:
    return pl.col("text").str.replace_all(f"[{_TURN}{_WORD}]", "")


def _with_names(rows: pl.DataFrame, known: tuple[Style, ...]) -> pl.DataFrame:
    """The rows with the number of their `style`, and its first name for `user` and `assistant`."""
    markers = "|".join(style.marker(style.speakers) for style in known)
    first = pl.col("text").str.extract(f"(?im)({markers})", 1)
    numbers = [
        pl.when(first.str.contains(f"(?im){style.marker(style.speakers)}")).then(
            pl.lit(number, pl.UInt8)
        )
        for number, style in enumerate(known)
    ]
    found = rows.with_columns(style=pl.coalesce(numbers))
    return found.with_columns(_first_name(known, USER), _first_name(known, ASSISTANT))


def _first_name(known: tuple[Style, ...], role: str) -> pl.Expr:
    return (
        pl.coalesce(
            pl.when(pl.col("style") == number).then(
                pl.col("text").str.extract(f"(?im){style.marker(style.of(role))}", 1)
            )
            for number, style in enumerate(known)
        )
        .str.to_lowercase()
        .alias(role)
    )


def _split(rows: pl.DataFrame, style: Style, speakers: Speakers) -> pl.DataFrame:
    """TURNS of dialogues of one style, split at some of its names."""
    roles = _SYSTEM | speakers
    marked = (
        pl.col("text")
        .str.replace(_SYSTEM_FIRST, f"{_TURN}${{1}}{_WORD}")
        .str.replace_all(f"(?im){style.marker(speakers)}", f"{_TURN}${{1}}{_WORD}")
    )
    pieces = rows.select("row", piece=marked.str.split(_TURN)).explode("piece")
    halves = pl.col("piece").str.split_exact(_WORD, 1).struct
    told = pieces.select("row", word=halves.field("field_0"), said=halves.field("field_1"))
    before = pl.col("said").is_null()
    role = pl.col("word").str.to_lowercase().replace_strict(roles, default=USER)
    return (
        told.select(
            "row",
            before=before,
            role=pl.when(before).then(pl.lit(USER)).otherwise(role),
            content=_without_ends(pl.when(before).then("word").otherwise("said")),
        )
        .filter(~pl.col("before") | (pl.col("content") != ""))
        .select(TURNS.names())
        .cast(TURNS)
    )


def _without_ends(text: pl.Expr) -> pl.Expr:
    """A turn without white space and without the marks of its beginning and end around it.

    `</s>` is such a mark where it closes no `<s>` of the turn, which in HTML strikes text out.
    """
    bare = text.str.replace_all(r"\A(?:\s*<\|endoftext\|>)+|(?:<\|endoftext\|>\s*)+\z", "")
    bare = bare.str.replace(r"(?:</s>\s*)?<s>\s*\z", "").str.strip_chars()
    opened, closed = (bare.str.count_matches(mark, literal=True) for mark in ("<s>", "</s>"))
    return (
        pl.when(closed > opened)
        .then(bare.str.strip_suffix("</s>"))
        .when(opened > closed)
        .then(bare.str.strip_prefix("<s>"))
        .otherwise(bare)
        .str.strip_chars()
    )
