"""Lists of turns as ShareGPT and OpenAI write them, roles and contents in many spellings."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import polars as pl

from schemas.source import Source
from tasks.normalize.alpaca import in_order
from tasks.normalize.json_rows import PARENT, explode_json
from tasks.normalize.markers import Style, styles
from tasks.normalize.scan import ELEMENT, NESTED
from tasks.normalize.turns import (
    PROBLEMS,
    TURNS,
    Parsed,
    paragraphs,
    turns_of,
    unknown_roles,
)

SPEAKERS = {
    **dict.fromkeys(("user", "human", "prompter"), "user"),
    **dict.fromkeys(("assistant", "gpt", "chatgpt", "bot", "chatbot", "bing", "bard"), "assistant"),
    **dict.fromkeys(("model", "ai", "function_call", "tool_call"), "assistant"),
    **dict.fromkeys(("system", "developer"), "system"),
    **dict.fromkeys(("tool", "observation", "function", "ipython"), "tool"),
    **dict.fromkeys(("function_response", "tool_response"), "tool"),
}
TEXT_PARTS = ("text", "input_text", "output_text", "tool_call", "function_call")
REASONING_PARTS = ("reasoning", "thinking")

_ROLE = ("role", "from")
_CONTENT = ("content", "value", "text")
_CALLS = ("tool_calls", "function_call")
_NO_CALL = ("", "null", "[]", "{}")
_REASONING = "reasoning_content"
_PART_TEXT = ("text", "value", "content", "thinking", "reasoning")


@dataclass(frozen=True)
class Spelling:
    """How a corpus writes a turn: the keys of who speaks and of what is said, and who is who.

    Of several keys the first that is there counts. `speakers` has the roles by a speaker's name in
    lower case, and `styles` the ways in which such names stand in dialogues written as text.
    """

    role: tuple[str, ...] = _ROLE
    content: tuple[str, ...] = _CONTENT
    speakers: Mapping[str, str] = field(default_factory=lambda: SPEAKERS)
    styles: tuple[Style, ...] = styles()

    @classmethod
    def of(cls, source: Source, text: str = "content") -> "Spelling":
        """The usual spelling, and before it what the source says of its own.

        `text` is the key under which turns of this layout usually say what is said.
        """
        named = {name.strip().lower(): role for name, role in source.roles}
        return cls(
            role=tuple(dict.fromkeys((source.columns.role, *_ROLE))),
            content=tuple(dict.fromkeys((source.columns.content, text, *_CONTENT))),
            speakers=SPEAKERS | named,
            styles=styles(source.roles),
        )

    def role_of(self, spoken: pl.Expr) -> pl.Expr:
        """The role of a speaker's name, whatever its case; null where nobody knows it."""
        folded = spoken.str.strip_chars().str.to_lowercase()
        return folded.replace_strict(self.speakers, default=None, return_dtype=pl.String)


USUAL = Spelling()


def conversation_turns(rows: pl.DataFrame, column: str, spelling: Spelling = USUAL) -> Parsed:
    """The turns of a list of `{from, value}` or `{role, content}`; one such turn is a list of it.

    One row per row of the batch: `row` and `column`. Function calls become the assistant's turn,
    a line of JSON each, and what the functions answered the tool's. Parts of a content are joined
    by blank lines; reasoning stands before the answer as `<think>…</think>`.
    """
    given = rows.select("row", pl.col(column).alias("list")).drop_nulls()
    keys = (*spelling.role, *spelling.content, *_CALLS, _REASONING, ELEMENT)
    listed, whole = explode_json(given["list"], tuple(dict.fromkeys(keys)))
    spoken = pl.coalesce([listed[key] for key in spelling.role]).str.strip_prefix(NESTED)
    turns = listed.select(
        pl.int_range(pl.len(), dtype=pl.UInt32).alias("turn"),
        row=given["row"].gather(listed[PARENT]),
        role=spelling.role_of(spoken),
        spoken=spoken,
        content=pl.coalesce([listed[key] for key in spelling.content]),
        calls=pl.coalesce(map(_call, _CALLS)),
        reasoning=plain(pl.col(_REASONING)),
        is_object=pl.col(ELEMENT).is_null(),
    )
    parts = _parts(turns)
    calls = _calls(turns)
    told = (
        turns.join(parts, on="turn", how="left", maintain_order="left")
        .join(calls, on="turn", how="left", maintain_order="left")
        .with_columns(content=pl.coalesce("parts", plain(pl.col("content"))))
    )
    spoken_otherwise = pl.col("reasoning").is_not_null() | pl.col("call").is_not_null()
    texts = paragraphs(thought(pl.col("reasoning")), pl.col("content"), pl.col("call"))
    told = told.with_columns(
        content=pl.when(spoken_otherwise).then(texts).otherwise("content").fill_null("")
    )
    objects = told.filter("is_object")
    problems = pl.concat(
        [
            problem(given.filter(~whole)["row"], f"{column} is not a list of turns"),
            problem(told.filter(~pl.col("is_object"))["row"], "a turn is not an object"),
            unknown_roles(objects, objects["spoken"]),
            problem(told.filter("strange")["row"], "a part of a turn is not text"),
            problem(told.filter("nameless")["row"], "a function call is no JSON that has a name"),
        ]
    ).unique("row", keep="first", maintain_order=True)
    return Parsed(told.select(TURNS.names()).cast(TURNS), problems)


def with_system(rows: pl.DataFrame, parsed: Parsed) -> Parsed:
    """The same, with a row's `system` text before its turns where none of them is the system's.

    One row per row of the batch: `row`, `system`. Rows that say nothing else say no system text.
    """
    turns = parsed.turns
    if rows["system"].null_count() == rows.height:
        return parsed
    own = turns.filter((pl.col("role") == "system") & (pl.col("content").str.strip_chars() != ""))
    texts = rows.select("row", "system").filter(
        pl.col("system").str.strip_chars() != "",
        pl.col("row").is_in(turns["row"].implode()),
        ~pl.col("row").is_in(own["row"].implode()),
    )
    if texts.is_empty():
        return parsed
    return replace(parsed, turns=in_order(turns_of(texts, [("system", pl.col("system"))]), turns))


def thought(text: pl.Expr) -> pl.Expr:
    """Reasoning as the open models that reason write it; null where there is none."""
    return pl.when(text.str.strip_chars() != "").then(
        pl.concat_str(pl.lit("<think>\n"), text.str.strip_chars(), pl.lit("\n</think>"))
    )


def plain(content: pl.Expr) -> pl.Expr:
    """A content that is no list of parts: itself, or the text of its JSON."""
    text = content.str.strip_prefix(NESTED)
    return pl.when(content != f"{NESTED}[]").then(text)


def problem(rows: pl.Series, message: str) -> pl.DataFrame:
    """PROBLEMS that say the same of these rows."""
    return (
        pl.DataFrame({"row": rows}, schema={"row": pl.UInt32})
        .select("row", message=pl.lit(message))
        .cast(PROBLEMS)
    )


def _parts(turns: pl.DataFrame) -> pl.DataFrame:
    """One row per turn whose content is a list of typed parts: `turn`, `parts`, `strange`.

    `strange` is true where a part is of a type that is not text.
    """
    schema = {"turn": pl.UInt32, "parts": pl.String, "strange": pl.Boolean}
    lists = turns.filter(pl.col("content").str.starts_with(f"{NESTED}["))
    if lists.is_empty():
        return pl.DataFrame(schema=schema)
    parts, _ = explode_json(lists["content"], ("type", *_PART_TEXT))
    kind = pl.col("type").str.to_lowercase()
    text = pl.coalesce(_PART_TEXT).str.strip_prefix(NESTED).fill_null("")
    shown = parts.select(
        PARENT,
        typed=kind.is_not_null(),
        strange=~kind.is_in([*TEXT_PARTS, *REASONING_PARTS]),
        text=pl.when(kind.is_in(REASONING_PARTS)).then(thought(text)).otherwise(text),
    )
    joined = shown.group_by(PARENT, maintain_order=True).agg(
        pl.col("typed").all(), pl.col("strange").any(), parts=pl.col("text").str.join("\n\n")
    )
    return (
        joined.with_columns(turn=lists["turn"].gather(joined[PARENT]))
        .filter("typed")
        .select(*schema)
    )


def _call(key: str) -> pl.Expr:
    """The value of a key for function calls; null where it says that there are none."""
    said = pl.col(key).str.strip_prefix(NESTED).str.replace_all(r"\s+", "")
    return pl.when(~said.is_in(_NO_CALL)).then(key)


def _calls(turns: pl.DataFrame) -> pl.DataFrame:
    """One row per turn that calls functions: `turn`, `call`, a line of JSON for each call.

    `{"name": …, "arguments": …}`, from OpenAI's `tool_calls` or its older `function_call`, either
    of them JSON or a text that holds it. `nameless` is true where it is none, or no name is told.
    """
    calling = turns.select("turn", "calls").drop_nulls()
    if calling.is_empty():
        schema = {"turn": pl.UInt32, "call": pl.String, "nameless": pl.Boolean}
        return pl.DataFrame(schema=schema)
    calls, _ = explode_json(calling["calls"], ("function", "name", "arguments"))
    calls = calls.with_columns(number=pl.int_range(pl.len(), dtype=pl.UInt32))
    wrapped = calls.select("number", "function").drop_nulls()
    inner, _ = explode_json(wrapped["function"], ("name", "arguments"))
    inner = inner.with_columns(number=wrapped["number"].gather(inner[PARENT])).unique(
        "number", keep="first", maintain_order=True
    )
    told = calls.join(
        inner, on="number", how="left", maintain_order="left", suffix="_inside"
    ).with_columns(
        turn=calling["turn"].gather(calls[PARENT]),
        name=_text(pl.coalesce("name_inside", "name")),
    )
    line = pl.concat_str(
        pl.struct("name").struct.json_encode().str.strip_suffix("}"),
        pl.lit(', "arguments": '),
        _arguments(told.select(pl.coalesce("arguments_inside", "arguments")).to_series()),
        pl.lit("}"),
    )
    lines = (
        told.select("turn", line=line, nameless=pl.col("name").is_null())
        .group_by("turn", maintain_order=True)
        .agg(call=pl.col("line").str.join("\n"), nameless=pl.col("nameless").any())
    )
    return (
        calling.select("turn")
        .join(lines, on="turn", how="left", maintain_order="left")
        .select("turn", "call", pl.col("nameless").fill_null(True))
    )


def _text(value: pl.Expr) -> pl.Expr:
    """A value that is a text and not a blank one; null for any other."""
    return pl.when(~value.str.starts_with(NESTED) & (value.str.strip_chars() != "")).then(value)


def _arguments(texts: pl.Series) -> pl.Series:
    """Arguments of calls as JSON in one line: objects as they are, none as `{}`, text in quotes."""
    lines = texts.str.strip_prefix(NESTED).str.replace_all(r"[\r\n]+\s*", " ").str.strip_chars()
    given = lines.fill_null("").replace(["", "null"], "{}")
    _, whole = explode_json(given, (ELEMENT,))
    quoted = given.to_frame("it").select(
        pl.struct("it").struct.json_encode().str.strip_prefix('{"it":').str.strip_suffix("}")
    )
    return given.to_frame("it").select(
        arguments=pl.when(whole).then("it").otherwise(quoted.to_series())
    )["arguments"]
