"""Rows that hold a piece of an evaluation item, in prompt or response.

How much must agree depends on how long the item's text is (tokens as `ngrams` counts them: words,
or characters where a script has no spaces):

- `ngram` tokens or more: any run of `ngram` tokens, wherever it stands (Brown et al. 2020, n = 13);
- 5 or more, but fewer than `ngram`: the whole text, standing as whole sentences or lines;
- fewer than 5: the whole text is the whole prompt. ("Yes" is an answer in many evaluation sets.)

Runs that more than `MAX_SHARING_ITEMS` items of one set have in common are the set's scaffolding
(`def check(candidate): assert candidate(...`), and runs that are mostly figures are nobody's own
(primes in order): neither counts, unless an item has no others.
Prompt and response are looked at separately; no run reaches across their seam.

For Chinese, 13 characters are about 8 words and a proverb of two lines can be as long: a stricter
`ngram` suits corpora that are Chinese only.
"""

import functools
from dataclasses import dataclass

import polars as pl

from schemas.reasons import DropReason
from tasks.filter.evidence import EVIDENCE_CHARS, Rules, matched

MAX_SHARING_ITEMS = 5
EXCERPT_CHARS = 300
MATCH = pl.Struct({"found": pl.String, "expected": pl.String})


@dataclass(frozen=True)
class EvaluationIndex:
    """What rows are held against.

    `hashes`: one row per run of tokens, columns `hash` (UInt64, sorted, each once) and `item`
    (UInt32). `items`: one row per item, in the order of the recipe's sets and of their files,
    columns `item` (its place here), `set`, `row` (its place in its file) and `excerpt`.
    """

    ngram: int
    hashes: pl.DataFrame
    items: pl.DataFrame

    @functools.cached_property
    def labels(self) -> pl.Series:
        """How the ledger names each item: its set and its row there, as `gsm8k:17`."""
        return self.items.select(pl.format("{}:{}", "set", "row").alias("label")).to_series()


def index_texts(texts: pl.DataFrame, ngram: int) -> EvaluationIndex:
    """The index of evaluation texts: one row per text, columns `set`, `row`, `text`, in order."""
    from tasks.filter.ngrams import item_hashes
    from tasks.fold import text_buffers

    longest = pl.col("text").get(pl.col("text").str.len_chars().arg_max())
    items = (
        texts.group_by("set", "row", maintain_order=True)
        .agg(longest.str.head(EXCERPT_CHARS).alias("excerpt"))
        .with_row_index("item")
    )
    numbered = texts.join(items, on=["set", "row"], how="left", maintain_order="left")
    runs = item_hashes(text_buffers(texts["text"]), ngram)
    runs = runs.select("hash", "worded", *numbered.select("item", "set")[runs["text"]])
    return EvaluationIndex(
        ngram, _without_scaffolding(runs), items.select("item", "set", "row", "excerpt")
    )


def _without_scaffolding(runs: pl.DataFrame) -> pl.DataFrame:
    sharing = pl.col("item").n_unique().over("set", "hash")
    own = (sharing <= MAX_SHARING_ITEMS) & pl.col("worded")
    return (
        runs.unique()
        .with_columns(own=own)
        .filter(pl.col("own") | ~pl.col("own").any().over("item"))
        .group_by("hash")
        .agg(pl.col("item").min().cast(pl.UInt32))
        .sort("hash")
    )


def contamination_rules() -> Rules:
    """The row shares a run of tokens with an evaluation item; `expected` names it by set and row.

    Needs the column `overlap`, from `overlap(index)`.

    False positive, known: a quotation of 13 words that an item happens to quote too.
    """
    overlap = pl.col("overlap").struct
    return {
        DropReason.EVALUATION_OVERLAP: matched(overlap.field("found"), overlap.field("expected"))
    }


def overlap(index: EvaluationIndex) -> pl.Expr:
    """`{found, expected}` of the first match in `prompt`, else in `response`, else null."""
    parts = pl.struct("prompt", "response")
    return parts.map_batches(
        functools.partial(_overlap, index=index), return_dtype=MATCH, is_elementwise=True
    )


def _overlap(parts: pl.Series, index: EvaluationIndex) -> pl.Series:
    prompt = _matches(parts.struct.field("prompt"), index, whole=True)
    response = _matches(parts.struct.field("response"), index, whole=False)
    found = pl.select(pl.coalesce(prompt, response)).to_series()
    return found.rename(parts.name)


def _matches(texts: pl.Series, index: EvaluationIndex, *, whole: bool) -> pl.Series:
    from tasks.filter.ngrams import first_matches
    from tasks.fold import text_buffers

    owner, start, end = first_matches(
        text_buffers(texts),
        index.ngram,
        index.hashes["hash"].to_numpy(),
        index.hashes["item"].to_numpy(),
        whole,
    )
    item = pl.Series(owner)
    matches = pl.DataFrame(
        {
            "text": texts,
            "start": start,
            "size_bytes": end - start,
            "expected": index.labels.gather(item.set(item < 0, None)),
        }
    )
    piece = pl.col("text").cast(pl.Binary).bin.slice(pl.col("start"), pl.col("size_bytes"))
    found = piece.cast(pl.String).str.head(EVIDENCE_CHARS).alias("found")
    return matches.select(
        pl.when(pl.col("expected").is_not_null()).then(pl.struct(found, "expected"))
    ).to_series()
