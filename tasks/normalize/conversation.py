"""Lists of turns as ShareGPT and OpenAI write them, roles and contents in many spellings."""

import polars as pl

from tasks.normalize.json_rows import explode_json
from tasks.normalize.scan import ELEMENT, NESTED
from tasks.normalize.turns import PROBLEMS, TURNS, Parsed, paragraphs, unknown_roles

SPEAKERS = {
    **dict.fromkeys(("user", "human", "prompter"), "user"),
    **dict.fromkeys(("assistant", "gpt", "chatgpt", "bot", "chatbot", "bing", "bard"), "assistant"),
    **dict.fromkeys(("model", "ai", "function_call", "tool_call"), "assistant"),
    **dict.fromkeys(("system", "developer"), "system"),
    **dict.fromkeys(("tool", "observation", "function", "function_response", "ipython"), "tool"),
}
TEXT_PARTS = ("text", "input_text", "output_text", "tool_call", "function_call")
REASONING_PARTS = ("reasoning", "thinking")

_ROLE = ("role", "from")
_CONTENT = ("content", "value", "text")
_CALLS = ("tool_calls", "function_call")
_REASONING = "reasoning_content"
_TURN = (*_ROLE, *_CONTENT, *_CALLS, _REASONING, ELEMENT)
_PART_TEXT = ("text", "value", "content", "thinking", "reasoning")


def conversation_turns(rows: pl.DataFrame, column: str) -> Parsed:
    """The turns of a list of `{from, value}` or `{role, content}`.

    One row per row of the batch: `row` and `column`. A function call becomes the assistant's turn
    with its JSON as text, and what the function answered the tool's. Parts of a content are joined
    by blank lines; reasoning stands before the answer as `<think>…</think>`.
    """
    given = rows.select("row", pl.col(column).alias("list")).drop_nulls()
    listed, whole = explode_json(given["list"], _TURN)
    spoken = pl.coalesce(_ROLE)
    turns = listed.select(
        pl.int_range(pl.len(), dtype=pl.UInt32).alias("turn"),
        row=given["row"].gather(listed["parent"]),
        role=spoken.str.strip_chars().str.to_lowercase().replace_strict(SPEAKERS, default=None),
        spoken=spoken,
        content=pl.coalesce(_CONTENT),
        calls=pl.coalesce(_CALLS),
        reasoning=_REASONING,
        is_object=pl.col(ELEMENT).is_null(),
    )
    parts = _parts(turns)
    calls = _calls(turns)
    told = (
        turns.join(parts, on="turn", how="left", maintain_order="left")
        .join(calls, on="turn", how="left", maintain_order="left")
        .with_columns(content=pl.coalesce("parts", _plain(pl.col("content"))))
    )
    spoken_otherwise = pl.col("reasoning").is_not_null() | pl.col("call").is_not_null()
    texts = paragraphs(thought(pl.col("reasoning")), pl.col("content"), pl.col("call"))
    told = told.with_columns(
        content=pl.when(spoken_otherwise).then(texts).otherwise("content").fill_null("")
    )
    objects = told.filter("is_object")
    problems = pl.concat(
        [
            _problems(given.filter(~whole)["row"], f"{column} is not a list of turns"),
            _problems(told.filter(~pl.col("is_object"))["row"], "a turn is not an object"),
            unknown_roles(objects, objects["spoken"]),
            _problems(told.filter("strange")["row"], "a part of a turn is not text"),
        ]
    ).unique("row", keep="first", maintain_order=True)
    return Parsed(told.select(TURNS.names()).cast(TURNS), problems)


def thought(text: pl.Expr) -> pl.Expr:
    """Reasoning as the open models that reason write it; null where there is none."""
    return pl.when(text.str.strip_chars() != "").then(
        pl.concat_str(pl.lit("<think>\n"), text.str.strip_chars(), pl.lit("\n</think>"))
    )


def _plain(content: pl.Expr) -> pl.Expr:
    """A content that is no list of parts: itself, or the text of its JSON."""
    text = content.str.strip_prefix(NESTED)
    return pl.when(content != f"{NESTED}[]").then(text)


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
        "parent",
        typed=kind.is_not_null(),
        strange=~kind.is_in([*TEXT_PARTS, *REASONING_PARTS]),
        text=pl.when(kind.is_in(REASONING_PARTS)).then(thought(text)).otherwise(text),
    )
    joined = shown.group_by("parent", maintain_order=True).agg(
        pl.col("typed").all(), pl.col("strange").any(), parts=pl.col("text").str.join("\n\n")
    )
    return (
        joined.with_columns(turn=lists["turn"].gather(joined["parent"]))
        .filter("typed")
        .select(*schema)
    )


def _calls(turns: pl.DataFrame) -> pl.DataFrame:
    """One row per turn that calls functions: `turn`, `call`, a line of JSON for each call.

    `{"name": …, "arguments": …}`, from OpenAI's `tool_calls` or its older `function_call`.
    """
    calling = turns.filter(pl.col("calls").str.starts_with(NESTED)).select("turn", "calls")
    if calling.is_empty():
        return pl.DataFrame(schema={"turn": pl.UInt32, "call": pl.String})
    calls, _ = explode_json(calling["calls"], ("function", "name", "arguments"))
    calls = calls.with_columns(turn=calling["turn"].gather(calls["parent"]))
    wrapped = calls.filter(pl.col("function").str.starts_with(NESTED))
    bare = calls.filter(pl.col("name").is_not_null()).select("turn", "name", "arguments")
    inner, _ = explode_json(wrapped["function"], ("name", "arguments"))
    inner = inner.select("name", "arguments", turn=wrapped["turn"].gather(inner["parent"]))
    name = pl.struct("name").struct.json_encode().str.strip_suffix("}")
    arguments = pl.col("arguments").str.strip_prefix(NESTED).replace("", "{}").fill_null("{}")
    line = pl.concat_str(name, pl.lit(', "arguments": '), arguments, pl.lit("}"))
    return (
        pl.concat(
            [bare.select("turn", "name", "arguments"), inner.select("turn", "name", "arguments")]
        )
        .sort("turn", maintain_order=True)
        .select("turn", line=line)
        .group_by("turn", maintain_order=True)
        .agg(call=pl.col("line").str.join("\n"))
    )


def _problems(rows: pl.Series, message: str) -> pl.DataFrame:
    return (
        pl.DataFrame({"row": rows}, schema={"row": pl.UInt32})
        .select("row", message=pl.lit(message))
        .cast(PROBLEMS)
    )
