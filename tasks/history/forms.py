"""Forms of an export: what of a row stands in each, and which rows it has no place for."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import polars as pl

from schemas.history import ExportFormat
from schemas.ledger import PUBLISHED

_SYSTEM = "(?:system )?"
_PAIRS = "(?:user assistant )"
_SPEAKER = r"(?im)(?:^|<\|endoftext\|>)[ \t]*(?:human|hugchat)[ \t]*[:：]"
"""What reads HugNLP's text takes for the beginning of a turn."""


@dataclass(frozen=True)
class Form:
    """How rows stand in files: `columns` of PUBLISHED, those that `fits` (all, where it is None).

    `ending` is the files' name's; where `is_array` is true a file is one JSON array, else JSON
    Lines. `loses` says in words what of a record is not there.
    """

    ending: str
    columns: Callable[[], list[pl.Expr]]
    fits: Callable[[], pl.Expr] | None = None
    is_array: bool = False
    loses: str = ""
    llama_factory: dict[str, Any] | None = None


def _every_column() -> list[pl.Expr]:
    return [pl.col(name) for name in PUBLISHED]


def _messages() -> list[pl.Expr]:
    return [pl.col("messages"), pl.col("tools")]


def _alpaca() -> list[pl.Expr]:
    """The last question and answer, the pairs before them as `history`."""
    contents = _contents(_turns())
    earlier = contents.list.head(contents.list.len() - 2)
    questions, answers = pl.element().gather_every(2), pl.element().gather_every(2, offset=1)
    return [
        contents.list.get(-2).alias("instruction"),
        pl.lit("").alias("input"),
        contents.list.get(-1).alias("output"),
        _system_text(),
        earlier.list.eval(pl.concat_list(questions, answers)).alias("history"),
    ]


def _sharegpt() -> list[pl.Expr]:
    """Turns as `from` and `value`; what an assistant says to a tool is a `function_call`."""
    role = pl.element().struct.field("role")
    speakers = {"user": "human", "assistant": "gpt", "tool": "observation"}
    speaker = (
        pl.when(role.shift(-1) == "tool")
        .then(pl.lit("function_call"))
        .otherwise(role.replace_strict(speakers, default=None, return_dtype=pl.String))
    )
    turn = pl.struct(speaker.alias("from"), pl.element().struct.field("content").alias("value"))
    return [
        _turns().list.eval(turn).alias("conversations"),
        _system_text(),
        pl.col("tools").fill_null(""),
    ]


def _hugnlp() -> list[pl.Expr]:
    """One text, each turn behind the name of its speaker."""
    role, content = (pl.element().struct.field(name) for name in ("role", "content"))
    name = pl.when(role == "user").then(pl.lit("Human: ")).otherwise(pl.lit("HugChat: "))
    turn = pl.concat_str(name, content, pl.lit(" \n "))
    text = pl.col("messages").list.eval(turn).list.join("")
    return [pl.concat_str(text.str.strip_suffix(" "), pl.lit("\n")).alias("text")]


def _fits_alpaca() -> pl.Expr:
    return _speak_in_turn(f"^{_SYSTEM}{_PAIRS}+$") & pl.col("tools").is_null()


def _fits_sharegpt() -> pl.Expr:
    return _speak_in_turn(f"^{_SYSTEM}user assistant (?:(?:user|tool) assistant )*$")


def _fits_hugnlp() -> pl.Expr:
    said = pl.col("messages").list.eval(pl.element().struct.field("content").str.contains(_SPEAKER))
    in_turn = _speak_in_turn(f"^{_PAIRS}+$") & pl.col("tools").is_null()
    return in_turn & ~said.list.any()


def _speak_in_turn(pattern: str) -> pl.Expr:
    """Whether the roles of a conversation, each with a space behind it, match a pattern."""
    roles = pl.col("messages").list.eval(pl.element().struct.field("role") + " ")
    return roles.list.join("").str.contains(pattern)


def _turns() -> pl.Expr:
    """The messages without a system message at the beginning."""
    return pl.col("messages").list.slice(_has_system().cast(pl.Int64))


def _has_system() -> pl.Expr:
    return pl.col("messages").list.first().struct.field("role") == "system"


def _system_text() -> pl.Expr:
    first = pl.col("messages").list.first().struct.field("content")
    return pl.when(_has_system()).then(first).otherwise(pl.lit("")).alias("system")


def _contents(messages: pl.Expr) -> pl.Expr:
    return messages.list.eval(pl.element().struct.field("content"))


_ABOUT = "record ids, sources, licences, categories and measures"
FORMS = {
    ExportFormat.ARROW: Form("arrow", _every_column),
    ExportFormat.JSONL: Form("jsonl", _every_column),
    ExportFormat.MESSAGES: Form("jsonl", _messages, loses=_ABOUT),
    ExportFormat.ALPACA: Form(
        "json",
        _alpaca,
        _fits_alpaca,
        is_array=True,
        loses=f"{_ABOUT}; conversations with tools, or in which two turns of one role follow",
        llama_factory={
            "columns": {
                "prompt": "instruction",
                "query": "input",
                "response": "output",
                "system": "system",
                "history": "history",
            }
        },
    ),
    ExportFormat.SHAREGPT: Form(
        "json",
        _sharegpt,
        _fits_sharegpt,
        is_array=True,
        loses=f"{_ABOUT}; conversations in which two turns of one side follow",
        llama_factory={
            "formatting": "sharegpt",
            "columns": {"messages": "conversations", "system": "system", "tools": "tools"},
        },
    ),
    ExportFormat.HUGNLP: Form(
        "jsonl",
        _hugnlp,
        _fits_hugnlp,
        loses=f"{_ABOUT}; conversations with tools, a system text, two turns of one role in a row "
        "or a line that begins with Human: or HugChat:",
    ),
}
"""Every form; LLaMA-Factory's entry is what its dataset_info.json says of the files."""
