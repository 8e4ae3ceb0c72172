"""Preference data (DPO, KTO, HH-RLHF): the answer that people chose is the response."""

import polars as pl

from schemas.cleaning import Cleaning
from tasks.normalize.alpaca import history_turns, in_order
from tasks.normalize.conversation import USUAL, Spelling, conversation_turns, problem
from tasks.normalize.json_rows import PARENT, explode_json
from tasks.normalize.markers import holds_dialogue, split_dialogues
from tasks.normalize.scan import ELEMENT, NESTED
from tasks.normalize.turns import PROBLEMS, TURNS, Parsed, paragraphs, turns_of

QUESTIONS = ("prompt", "conversations", "messages", "instruction")
WANTED, UNWANTED = ("true", "1", "1.0"), ("false", "0", "0.0")


def preference_turns(rows: pl.DataFrame, spelling: Spelling = USUAL) -> Parsed:
    """What was asked, then the chosen answer; where the answer says the question again, once.

    One row per row of the batch: `row` and
    - the question: `prompt` (text, marked text or turns), else `conversations`, else `messages`,
      else `instruction` and `input`; before it `history`;
    - the answer: `chosen` (text or turns; the whole dialogue as marked text where nothing is
      asked), else `output` (the first of a list of texts; one text or turns), else the last turns
      of `messages` or `conversations`;
    - `rejected`, and `label`: whether an answer that is compared with none is wanted.

    Rows whose answer is not wanted, or which have only a rejected one, are `rejected`. Answers that
    people rejected are counted.
    """
    parts, others, odd = _parts(rows)
    asked, no_question = _asked(parts, spelling)
    said, no_answer = _answers(parts, spelling)
    problems = pl.concat([odd, no_question, no_answer, _unjudged(parts)])
    problems = problems.unique("row", keep="first", maintain_order=True)
    answered = said.filter(pl.col("role") == "assistant")["row"].unique().implode()
    refused = parts.filter(~pl.col("row").is_in(problems["row"].implode())).filter(
        pl.when(pl.col("row").is_in(answered)).then("unwanted").otherwise("compared")
    )["row"]
    turns = _without_repeats(asked, said).filter(pl.col("row").is_in(answered))
    unwanted = parts.filter(pl.col("unwanted") & pl.col("row").is_in(answered)).height
    rejected = int(parts["compared"].sum()) + unwanted + others
    return Parsed(turns, problems, {Cleaning.REJECTED_ANSWERS.value: rejected}, refused)


def _parts(rows: pl.DataFrame) -> tuple[pl.DataFrame, int, pl.DataFrame]:
    """Which column is whose, how many more answers lists hold, and PROBLEMS of such lists.

    One row per row: `row`, `history`, the parts of the question, of which one at most is
    not null (`prompt`, `conversations`, `messages`, `instruction`), those of the answer, likewise
    (`chosen`, `talk`), `label`, and whether the row has a rejected answer (`compared`), one that is
    unwanted (`unwanted`), one that nobody named the chosen one (`bare`).
    """
    output = pl.col("output")
    lists = rows.select("row", "output").filter(_lists_texts(output))
    listed, _ = explode_json(lists["output"], (ELEMENT,))
    texts = listed.select(row=lists["row"].gather(listed[PARENT]), first=ELEMENT)
    odd = problem(texts.filter(pl.col("first").is_null())["row"], "output is not a list of texts")
    first = texts.unique("row", keep="first", maintain_order=True)
    label = pl.col("label").str.strip_chars().str.to_lowercase()
    rejected = pl.col("rejected").str.strip_prefix(NESTED).str.strip_chars()
    named = pl.coalesce("chosen", "first")
    single = pl.when(~_lists_texts(output)).then(output)
    talks = named.is_null() & single.is_null()
    question = _first_there(
        prompt=pl.col("prompt"),
        conversations=pl.when(~talks).then("conversations"),
        messages=pl.when(~talks).then("messages"),
        instruction=paragraphs(pl.col("instruction"), pl.col("input")),
    )
    parts = (
        rows.join(first, on="row", how="left", maintain_order="left")
        .select(
            *("row", "history"),
            **question,
            chosen=pl.coalesce(named, single),
            talk=pl.when(talks).then(pl.coalesce("messages", "conversations")),
            bare=named.is_null(),
            label=pl.when(label != "").then(label),
            compared=(~rejected.is_in(["", "[]", "{}"])).fill_null(False),
        )
        .with_columns(
            unwanted=(pl.col("label").is_in(UNWANTED) & ~pl.col("compared")).fill_null(False)
        )
    )
    return parts, texts.height - first.height, odd


def _lists_texts(column: pl.Expr) -> pl.Expr:
    """Whether a value is a list, and not one of turns."""
    return column.str.starts_with(f"{NESTED}[") & ~column.str.starts_with(f"{NESTED}[{{")


def _first_there(**columns: pl.Expr) -> dict[str, pl.Expr]:
    """Each of the columns, null where one before it is not."""
    alone, first = pl.lit(True), dict[str, pl.Expr]()
    for name, column in columns.items():
        first[name] = pl.when(alone).then(column)
        alone = alone & column.is_null()
    return first


def _unjudged(parts: pl.DataFrame) -> pl.DataFrame:
    """PROBLEMS of rows in which nothing tells whether people wanted the answer."""
    label = pl.col("label")
    strange = parts.filter(~label.is_in([*WANTED, *UNWANTED]) & ~pl.col("compared"))
    answer = pl.any_horizontal(pl.col("chosen", "talk").is_not_null())
    silent = parts.filter(pl.col("bare") & answer & label.is_null())
    return pl.concat(
        [
            strange.select(
                "row",
                message=pl.format("label {} is neither true nor false", label.str.head(40)),
            ).cast(PROBLEMS),
            problem(silent["row"], "neither chosen nor label tells whether the answer is wanted"),
        ]
    )


def _asked(parts: pl.DataFrame, spelling: Spelling) -> tuple[pl.DataFrame, pl.DataFrame]:
    """TURNS of histories and questions, and PROBLEMS."""
    before, no_pairs = history_turns(parts)
    prompts, no_prompt = _texts_or_turns(parts, "prompt", "user", spelling)
    talks = [conversation_turns(parts, name, spelling) for name in ("conversations", "messages")]
    turns = in_order(
        before,
        prompts,
        *(talk.turns for talk in talks),
        turns_of(parts, [("user", pl.col("instruction"))]),
    )
    return turns, pl.concat([no_pairs, no_prompt, *(talk.problems for talk in talks)])


def _answers(parts: pl.DataFrame, spelling: Spelling) -> tuple[pl.DataFrame, pl.DataFrame]:
    """TURNS of the answers, and PROBLEMS."""
    whole = pl.all_horizontal(pl.col(QUESTIONS).is_null()) & ~_nested(pl.col("chosen"))
    dialogues = parts.filter(whole).select("row", text="chosen").drop_nulls()
    told, unmarked = split_dialogues(dialogues, spelling.styles)
    answers = parts.filter(~whole.fill_null(False) | pl.col("row").is_in(unmarked.implode()))
    chosen, no_turns = _texts_or_turns(answers, "chosen", "assistant", spelling)
    talk = conversation_turns(parts, "talk", spelling)
    return in_order(told, chosen, talk.turns), pl.concat([no_turns, talk.problems])


def _texts_or_turns(
    rows: pl.DataFrame, column: str, role: str, spelling: Spelling
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """TURNS of a column of texts, which are of that role or marked, and of turns; and PROBLEMS."""
    listed = conversation_turns(rows.filter(_nested(pl.col(column))), column, spelling)
    texts = rows.filter(~_nested(pl.col(column)))
    marked = pl.lit(role == "user") & holds_dialogue(pl.col(column), spelling.styles)
    dialogues, _ = split_dialogues(texts.filter(marked).select("row", text=column), spelling.styles)
    plain = turns_of(texts.filter(~marked), [(role, pl.col(column))])
    told = in_order(listed.turns, dialogues.filter(pl.col("content") != ""), plain)
    return told, listed.problems


def _nested(column: pl.Expr) -> pl.Expr:
    return column.str.starts_with(NESTED)


def _without_repeats(asked: pl.DataFrame, said: pl.DataFrame) -> pl.DataFrame:
    """TURNS of question and answer, without what the answer says again of the question.

    An answer that opens with the question's first turn, or with a turn of its own before which
    somebody was still waiting for an answer, is the whole dialogue. One that opens with the
    question's last turn goes on from there.
    """
    ends = _ends(asked).join(_ends(said), on="row", suffix="_said")
    user_opens = ~pl.col("first_said").str.starts_with("assistant")
    waiting = ~pl.col("last").str.starts_with("assistant")
    again = pl.col("first_said") == pl.col("first")
    goes_on = pl.col("first_said") == pl.col("last")
    whole = user_opens & (again | (waiting & ~goes_on))
    judged = ends.select("row", whole=whole, goes_on=goes_on & ~whole)
    own_system = said.filter(pl.col("role") == "system")["row"].unique().implode()
    last = pl.int_range(pl.len()).over("row") == pl.len().over("row") - 1
    kept = (
        asked.with_columns(last=last)
        .join(judged, on="row", how="left", maintain_order="left")
        .filter(
            pl.when(pl.col("role") == "system")
            .then(~pl.col("row").is_in(own_system))
            .otherwise(~((pl.col("whole") | (pl.col("goes_on") & pl.col("last"))).fill_null(False)))
        )
    )
    return in_order(kept.select(TURNS.names()), said)


def _ends(turns: pl.DataFrame) -> pl.DataFrame:
    """One row per row that speaks: its `first` and its `last` turn but the system's, as a text."""
    turn = pl.concat_str("role", pl.lit(" "), pl.col("content").str.strip_chars())
    return (
        turns.filter(pl.col("role") != "system")
        .group_by("row", maintain_order=True)
        .agg(first=turn.first(), last=turn.last())
    )
