"""Rows that hold a piece of an evaluation item, in prompt or response, or ask nearly the same.

How much must agree depends on how long the item's text is (tokens as `ngrams` counts them: words,
or characters where a script has no spaces):

- `ngram` tokens or more: any run of `ngram` tokens, wherever it stands (Brown et al. 2020, n = 13);
- 8 words or more, but fewer than `ngram` tokens: the whole text, wherever it stands;
- 5 words (10 Chinese characters) or more: the whole text, standing as whole sentences or lines;
- 3 words (6 Chinese characters) or more, and a question: the same, but in prompts only;
- fewer: the whole text is the whole prompt. ("Yes" is an answer in many evaluation sets.)

An item is its question, all of it, and may be the answer too. A text is a question that ends with a
question mark, or that is all its item asks (`read_evaluation` says by which columns). The latter is
found too where it stands alone, but for a label as `### Instruction:`, if it has a word and is of

- 2 words (4 Chinese characters) or more: as a block between blank lines in a prompt;
- 3 words (6 Chinese characters) or more, or with a question mark as many as that: as the response;
- any length: as the last message of the user, or with one of its answers right after it, as if both
  were one text.

So every copy of an item's question as a prompt is found, and as a response if it has 3 words.
A short answer alone is not an item, and a response that is "42" or "Yes" is nobody's copy.

Every text is looked for as it is written, and as it is written in JSON.

Beside this a whole prompt, or the last question of a talk, may be nearly an item's text or all of
its texts together (`questions`): words changed here and there, options in another order.

Numbers are words: an item with other numbers is another item, unless it is so long that `ngram`
words in a row hold none of them. Runs that more than `MAX_SHARING_ITEMS` items of one set have in
common are the set's scaffolding (`def check(candidate): assert candidate(...`), and runs that are
mostly figures are nobody's own (primes in order): neither counts, unless a text of `ngram` tokens
or an item has no others. So "All of the above", which is in many items, is never looked for alone.
Prompt and response are looked at separately; no run reaches across their seam.

For Chinese, 13 characters are about 8 words and a proverb of two lines can be as long: a stricter
`ngram` suits corpora that are Chinese only. Signs are not compared: "3 + 4" is "3 * 4" here.
"""

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from schemas.contamination import HIT, EvaluationCounts
from schemas.filter import Contamination
from schemas.reasons import DropReason
from tasks.filter.evidence import EVIDENCE_CHARS, Rules, matched
from tasks.filter.spellings import Spelling, spellings

if TYPE_CHECKING:
    import numpy as np

    from tasks.filter.ngrams import Runs

MAX_SHARING_ITEMS = 5
EXCERPT_CHARS = 300
LOADED_INDEXES = 2  # a refresh uses one
MATCH = pl.Struct({"found": pl.String, "expected": pl.String})
COUNTED = (Spelling.GIVEN, Spelling.WHOLE)
MAX_LAST_CHARS = 200  # of a message that may be a short question
QUESTIONS = {"item": pl.UInt32, "shingles": pl.List(pl.UInt64), "numbers": pl.UInt64}


@dataclass(frozen=True, eq=False)
class EvaluationIndex:
    """What rows are held against.

    `hashes`: one row per item and run of tokens, columns `hash` (UInt64, sorted) and `item`
    (UInt32). `items`: one row per item, in the order of the recipe's sets and of their files,
    columns `item` (its place here), `set`, `row` (its place in its file) and `excerpt`.
    `questions`: one row per text that prompts may nearly be, columns `item`, `shingles`, `numbers`.
    `counts`: one per set, how its items are compared.
    """

    ngram: int
    hashes: pl.DataFrame
    items: pl.DataFrame
    questions: pl.DataFrame
    counts: tuple[EvaluationCounts, ...]

    @functools.cached_property
    def labels(self) -> pl.Series:
        """How the ledger names each item: its set and its row there, as `gsm8k:17`."""
        return self.items.select(pl.format("{}:{}", "set", "row").alias("label")).to_series()

    @functools.cached_property
    def runs(self) -> "Runs":
        """`hashes` as texts are held against them."""
        from tasks.filter.ngrams import Runs

        return Runs.of(self.ngram, self.hashes["hash"], self.hashes["item"])


def index_texts(texts: pl.DataFrame, ngram: int) -> EvaluationIndex:
    """The index of evaluation texts: one row per text, in order.

    Columns: `set`, `row`, `text`, `asked` (whether the text is of what its item asks).
    """
    from tasks.filter.ngrams import item_hashes
    from tasks.fold import text_buffers

    longest = pl.col("text").get(pl.col("text").str.len_chars().arg_max())
    items = (
        texts.group_by("set", "row", maintain_order=True)
        .agg(longest.str.head(EXCERPT_CHARS).alias("excerpt"))
        .with_row_index("item")
        .select(pl.col("item").cast(pl.UInt32), "set", "row", "excerpt")
    )
    numbered = texts.join(items, on=["set", "row"], how="left", maintain_order="left")
    spelled = spellings(numbered)
    asks = spelled["text"].str.contains(r"[?？]\W*$").to_numpy()
    whole = spelled["whole"].to_numpy()
    runs = item_hashes(text_buffers(spelled["text"]), ngram, asks, whole)
    runs = runs.hstack(spelled.select("item", "set", "spelling")[runs["text"]])
    questions = _questions(spelled)
    counts = _counts(items, runs.filter(pl.col("spelling").is_in(COUNTED)), questions)
    return EvaluationIndex(ngram, _without_scaffolding(runs), items, questions, counts)


def _without_scaffolding(runs: pl.DataFrame) -> pl.DataFrame:
    """The runs that are an item's own; all of a long text's or of an item's that has none."""
    from tasks.filter.ngrams import NGRAM, OPENING

    sharing = pl.col("item").n_unique().over("set", "hash")
    own = (sharing <= MAX_SHARING_ITEMS) & pl.col("worded")
    long, opening = (pl.col("kind") == kind for kind in (NGRAM, OPENING))
    return (
        runs.select("hash", "kind", "worded", "text", "item", "set", "spelling")
        .with_columns(own=own & ~opening)
        .filter(
            pl.col("own")
            | opening
            | ~pl.col("own").any().over("item")
            | (long & ~pl.col("own").any().over("text"))
        )
        .filter(_needed())
        .select("hash", "item")
        .unique()
        .sort("hash", "item")
    )


def _needed() -> pl.Expr:
    """Whether a text in JSON is not found by a run that the item has anyhow; true of the others."""
    in_json = pl.col("spelling") == Spelling.JSON
    known = pl.col("own") & in_json.not_().any().over("item", "hash")
    return ~in_json | ~known.any().over("text")


def _questions(texts: pl.DataFrame) -> pl.DataFrame:
    """QUESTIONS of the items: each of their texts, all that they ask, and all of them together."""
    from tasks.filter.questions import MIN_SHINGLES, shingle_sets

    given = texts.filter(pl.col("spelling") == Spelling.GIVEN)
    several = given.filter(pl.len().over("item") > 1)
    together = several.group_by("item", maintain_order=True).agg(pl.col("text").str.join("\n"))
    each = texts.filter(pl.col("spelling").is_in(COUNTED)).select("item", "text")
    asked = pl.concat([each, together])
    sets = asked.select("item").hstack(shingle_sets(asked["text"]))
    return (
        sets.filter(pl.col("shingles").list.len() >= MIN_SHINGLES)
        .sort("item", maintain_order=True)
        .cast(QUESTIONS)  # type: ignore[arg-type]
    )


def _counts(
    items: pl.DataFrame, runs: pl.DataFrame, questions: pl.DataFrame
) -> tuple[EvaluationCounts, ...]:
    """How many items of each set are compared in which way, by the best of their texts."""
    from tasks.filter.ngrams import MIN_SENTENCE_WEIGHT, NGRAM, SENTENCE, WHOLE

    way = (
        pl.when(pl.col("kind") == NGRAM)
        .then(0)
        .when((pl.col("kind") == SENTENCE) & (pl.col("weight") >= MIN_SENTENCE_WEIGHT))
        .then(1)
        .when(pl.col("kind") == SENTENCE)
        .then(2)
        .when(pl.col("kind") == WHOLE)
        .then(3)
    )
    best = runs.group_by("item").agg(way.min().alias("way"))
    compared = items.join(best, on="item", how="left").with_columns(
        pl.col("way").fill_null(4), asked=pl.col("item").is_in(questions["item"].implode())
    )
    ways = ("ngram", "sentence", "prompt", "whole")
    counts = [
        (pl.col("way") == number).sum().alias(f"items_by_{name}")
        for number, name in enumerate(ways)
    ]
    counted = compared.group_by("set", maintain_order=True).agg(
        pl.len().alias("items"),
        *counts,
        (pl.col("way") == len(ways)).sum().alias("items_without_words"),
        pl.col("asked").sum().alias("items_as_questions"),
    )
    return tuple(EvaluationCounts(name=line.pop("set"), **line) for line in counted.to_dicts())


def contamination_rules() -> Rules:
    """The row holds a piece of an evaluation item or nearly asks it; `expected` names the item.

    Needs the column `overlap`, from `overlap(index, contamination)`.

    False positive, known: a quotation of 13 words that an item happens to quote too.
    """
    overlap = pl.col("overlap").struct
    return {
        DropReason.EVALUATION_OVERLAP: matched(overlap.field("found"), overlap.field("expected"))
    }


def overlap(index: EvaluationIndex, contamination: Contamination) -> pl.Expr:
    """`{found, expected}` of the first match in `prompt`, else in `response`, else null.

    A near match comes last; of it `expected` says the similarity too.
    """
    parts = pl.struct("prompt", "response", "question")
    judge = functools.partial(_overlap, index=index, contamination=contamination)
    return parts.map_batches(judge, return_dtype=MATCH, is_elementwise=True)


def _overlap(parts: pl.Series, index: EvaluationIndex, contamination: Contamination) -> pl.Series:
    texts = parts.struct.unnest()
    found = [_first_match(part, index, kind) for part, kind in _parts(texts)]
    if contamination.questions.enabled:
        near = near_questions(texts, index, contamination)
        found_there = pl.col("asked").str.head(EVIDENCE_CHARS).alias("found")
        said = pl.format("{} (similarity {})", "label", pl.col("similarity").round(2))
        labelled = near.with_columns(label=index.labels.gather(near["item"])).select(
            pl.when(pl.col("item").is_not_null()).then(
                pl.struct(found_there, said.alias("expected"))
            )
        )
        found.append(labelled.to_series())
    return pl.select(pl.coalesce(found).alias(parts.name)).to_series()


def _parts(texts: pl.DataFrame) -> "tuple[tuple[pl.Series, np.uint64], ...]":
    """What is looked through of `prompt`, `question` and `response`, and as which part of a row."""
    from tasks.filter.ngrams import LAST_MESSAGE, PROMPT, RESPONSE

    question = pl.col("question")
    short = (question != pl.col("prompt")) & (question.str.len_chars() <= MAX_LAST_CHARS)
    last = texts.select(pl.when(short).then(question)).to_series()
    return (texts["prompt"], PROMPT), (last, LAST_MESSAGE), (texts["response"], RESPONSE)


def _first_match(texts: pl.Series, index: EvaluationIndex, part: "np.uint64") -> pl.Series:
    from tasks.filter.ngrams import first_matches
    from tasks.fold import text_buffers

    matches = first_matches(text_buffers(texts), index.runs, part)
    piece = (
        pl.col("whole").cast(pl.Binary).bin.slice(pl.col("start"), pl.col("end") - pl.col("start"))
    )
    found = matches.with_columns(
        whole=texts.gather(matches["text"]), expected=index.labels.gather(matches["item"])
    ).select(pl.struct(piece.cast(pl.String).str.head(EVIDENCE_CHARS).alias("found"), "expected"))
    nothing = pl.repeat(None, len(texts), dtype=MATCH, eager=True)
    if not matches.height:
        return nothing
    rows = pl.DataFrame({"text": matches["text"], "match": found.to_series()})
    every = pl.DataFrame({"text": pl.int_range(len(texts), eager=True)})
    return every.join(rows, on="text", how="left", maintain_order="left")["match"]


def near_questions(
    texts: pl.DataFrame, index: EvaluationIndex, contamination: Contamination
) -> pl.DataFrame:
    """One row per row of `texts` (prompt, question), in order: `asked`, `item`, `similarity`.

    The whole prompt, else the last question of a longer talk, that nearly is an item's; all null
    where neither is.
    """
    from tasks.filter.questions import nearest

    rule = contamination.questions
    questions, item = _as_questions(index, rule.threshold), index.questions["item"]

    def matches(asked: pl.Series) -> pl.DataFrame:
        found = nearest(asked, questions, compare_numbers=rule.compare_numbers)
        return found.select(
            pl.when(pl.col("question").is_not_null()).then(asked).alias("asked"),
            item.gather(found["question"]).alias("item"),
            "similarity",
        )

    whole = matches(texts["prompt"])
    longer = (texts["question"] != texts["prompt"]) & whole["item"].is_null()
    talks = longer.fill_null(False).arg_true()
    if not len(talks):
        return whole
    last = matches(texts["question"].gather(talks))
    return whole.with_columns(whole[name].scatter(talks, last[name]) for name in whole.columns)


@functools.lru_cache(maxsize=LOADED_INDEXES)
def _as_questions(index: EvaluationIndex, threshold: float) -> Any:
    from tasks.filter.questions import as_questions

    return as_questions(index.questions, threshold)


def list_hits(
    rows: pl.DataFrame, index: EvaluationIndex, contamination: Contamination
) -> pl.DataFrame:
    """HIT: every item found in every one of the rows, by row, part and item.

    `rows`: columns `record_id`, `source_row`, `prompt`, `response`, `question`.
    """
    from tasks.filter.ngrams import NGRAM, RESPONSE, SENTENCE, all_matches
    from tasks.fold import text_buffers

    how = (
        pl.when(pl.col("kind") == NGRAM)
        .then(pl.lit("ngram"))
        .when(pl.col("kind") == SENTENCE)
        .then(pl.lit("sentence"))
        .otherwise(pl.lit("whole"))
    )
    parts = [
        matches.group_by("text", "item")
        .agg(how.first().alias("how"), pl.len().alias("runs"))
        .select(
            *("text", "item", "how", "runs"),
            similarity=pl.lit(None, pl.Float32),
            part=pl.lit("response" if part == RESPONSE else "prompt"),
        )
        for texts, part in _parts(rows)
        if (matches := all_matches(text_buffers(texts), index.runs, part)).height
    ]
    if contamination.questions.enabled:
        near = near_questions(rows, index, contamination).with_row_index("text")
        parts.append(
            near.filter(pl.col("item").is_not_null()).select(
                pl.col("text").cast(pl.Int64),
                "item",
                how=pl.lit("near"),
                runs=pl.lit(1, pl.UInt32),
                similarity="similarity",
                part=pl.lit("prompt"),
            )
        )
    if not parts:
        return pl.DataFrame(schema=HIT)
    found = pl.concat(parts, how="diagonal_relaxed").unique(
        ["text", "item", "part"], keep="first", maintain_order=True
    )
    named = found.hstack(rows.select("record_id", "source_row")[found["text"]]).join(
        index.items, on="item", how="left", maintain_order="left"
    )
    return named.sort("text", "part", "item").select(HIT.names()).cast(HIT)
