"""Alpaca: instruction, input, output; with an optional system text and earlier turns."""

import polars as pl

from schemas.cleaning import Cleaning
from tasks.normalize.fences import replaced
from tasks.normalize.joining import joined
from tasks.normalize.json_rows import PARENT, explode_json
from tasks.normalize.scan import ELEMENT, NESTED
from tasks.normalize.turns import PROBLEMS, TURNS, Parsed, turns_of

NO_INPUT = ("noinput", "no input", "no input required", "no input needed")
_AROUND = ' <>[]()."'
_MARKS = "`\\{}?,:\n"
NO_INPUT_ZH = ("无输入", "没有输入", "无需输入")
_AROUND_ZH = _AROUND + "`;＜＞（）［］【】“”。；"
_NOTHING_ZH = r"^(?:<无>|＜无＞|\(无\)|（无）|\[无\]|［无］|【无】)[.。]?$"  # bare it may be a word
_MAX_BYTES = 64
_MAY_SAY_SO = "[Ii][Nn][Pp][Uu][Tt]|无|没有"  # what every spelling holds
_ENTITIES = {"&lt;": "<", "&gt;": ">"}  # what a text means is asked before it is cleaned


def no_input(text: pl.Expr) -> pl.Expr:
    """Whether a text only says that there is no input, as `<noinput>` and `No Input.` do.

    In the 52,002 rows of Alpaca this is true of 621, in 27 spellings; in 245 of the 20,465 of its
    Chinese translation, which says `无输入`, `&lt;无输入&gt;` and `没有输入。`.
    """
    text = _short(text)
    english = text.str.strip_chars(_AROUND).str.to_lowercase()
    chinese = text.str.replace_many(_ENTITIES).str.strip_chars()
    return (
        english.is_in(NO_INPUT)
        | chinese.str.strip_chars(_AROUND_ZH).is_in(NO_INPUT_ZH)
        | chinese.str.contains(_NOTHING_ZH)
    )


def no_input_marked_up(text: pl.Expr) -> pl.Expr:
    r"""Whether a text only says so in marks that `no_input` does not know: `` `<noinput>` ``.

    In Alpaca's 52,002 rows this is true of 16 more, as `\<noinput\>`, `<noinput>,` and `<noinput?`;
    not of `N/A` and `<none>`, which may be an answer or a value.
    """
    bare = _short(text).str.strip_chars(_AROUND + _MARKS).str.to_lowercase()
    return bare.is_in(NO_INPUT) & ~no_input(text)


def _short(text: pl.Expr) -> pl.Expr:
    """The text where it is short enough to say nothing but that, else null."""
    return pl.when(text.str.len_bytes() <= _MAX_BYTES).then(text)


def alpaca_turns(rows: pl.DataFrame) -> Parsed:
    """System text and history where there are any, then instruction and input, then output.

    One row per row of the batch: `row`, `instruction`, `input`, `output`, `system`, `history`.
    Instruction and input become one user turn with a blank line between them.
    """
    told, counts = _with_inputs_that_say_something(rows)
    asked = told.select("row", "output", asked=joined(told["instruction"], told["input"]))
    now = turns_of(asked, [("user", pl.col("asked")), ("assistant", pl.col("output"))])
    before, problems = history_turns(rows)
    system = turns_of(rows.drop_nulls("system"), [("system", pl.col("system"))])
    return Parsed(in_order(system, before, now), problems, counts)


def _with_inputs_that_say_something(rows: pl.DataFrame) -> tuple[pl.DataFrame, dict[str, int]]:
    """The rows with `input` null where it says that there is none, and how many of which kind."""
    inputs = rows["input"]
    short = inputs.str.len_bytes().is_between(1, _MAX_BYTES).arg_true()
    places = short.filter(inputs.gather(short).str.contains(_MAY_SAY_SO))
    if places.is_empty():
        return rows, {}
    nothing = (
        inputs.gather(places)
        .to_frame()
        .select(
            no_input(pl.col("input")).alias(Cleaning.NO_INPUT_SPELLINGS),
            no_input_marked_up(pl.col("input")).alias(Cleaning.NO_INPUT_MARKED_UP),
        )
        .fill_null(False)
    )
    silent = places.filter(nothing.select(pl.any_horizontal(pl.all())).to_series())
    counts = nothing.sum().row(0, named=True)
    if silent.is_empty():
        return rows, counts
    nulls = inputs.clear(silent.len())
    return rows.with_columns(replaced(inputs, silent, nulls)), counts


def history_turns(rows: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """TURNS of earlier question and answer pairs, and PROBLEMS of rows whose history is none.

    `history` is a list of pairs, the same list as text, or an empty text.
    """
    given = rows.select("row", "history").drop_nulls("history")
    if given.height:
        given = given.filter(pl.col("history").str.strip_chars() != "")
    if given.is_empty():
        return pl.DataFrame(schema=TURNS), pl.DataFrame(schema=PROBLEMS)
    pairs, listed = explode_json(given["history"], (ELEMENT,))
    pairs = pairs.select(row=given["row"].gather(pairs[PARENT]), pair=ELEMENT)
    nested = pairs["pair"].str.starts_with(NESTED).fill_null(False)
    sides, paired = explode_json(pairs.filter(nested)["pair"], (ELEMENT,))
    order = pl.int_range(pl.len()).over(PARENT)
    sides = sides.with_columns(row=pairs.filter(nested)["row"].gather(sides[PARENT]), side=order)
    uneven = sides.group_by("row", PARENT).len().filter(pl.col("len") != 2)["row"]
    bad = pl.concat(
        [
            given.filter(~listed)["row"],
            pairs.filter(~nested)["row"],
            pairs.filter(nested).filter(~paired)["row"],
            uneven,
        ]
    ).unique()
    roles = pl.when(pl.col("side") == 0).then(pl.lit("user")).otherwise(pl.lit("assistant"))
    turns = sides.select("row", role=roles, content=pl.col(ELEMENT).fill_null(""))
    message = pl.lit("history is not a list of pairs of question and answer")
    problems = pl.DataFrame({"row": bad}, schema={"row": pl.UInt32}).with_columns(message=message)
    return turns.cast(TURNS), problems


def in_order(*turns: pl.DataFrame) -> pl.DataFrame:
    """One TURNS of several, which speak in the order given within each row."""
    told = [part for part in turns if part.height]
    if len(told) == 1:
        return told[0]
    if not told:
        return pl.DataFrame(schema=TURNS)
    return pl.concat(told).sort("row", maintain_order=True)
