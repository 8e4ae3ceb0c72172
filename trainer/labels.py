"""From conversations to token ids and labels: what is inside the loss, and proof that it is.

A conversation is cut into texts before anything is tokenized: what the template and the user
wrote, and what the assistant said. Each text is tokenized by itself and the stop token is put in by
its id, so where a label begins does not depend on how a tokenizer joins characters, and the
prompt's tokens are those that the model is given in use.
"""

import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerBase

from schemas.adapter import LabelAudit
from schemas.errors import ConfigError
from schemas.train import OverLong, Supervise
from trainer.templates import Template, Unrenderable, special_tokens

IGNORED = -100
"""Label of a token outside the loss (torch's `cross_entropy` default)."""

TOKENS = pa.schema(
    {"input_ids": pa.list_(pa.int32()), "labels": pa.list_(pa.int32()), "length": pa.int32()}
)
"""One row per kept conversation; `labels` is as long as `input_ids`, `length` is their length."""

Ids = list[list[int]]


class TextEncoder:
    """Tokenizes the beginning of a conversation, and what goes on from there.

    SentencePiece tokenizers put a space before every text. `onward` and `verbatim` do without it,
    since their text stands inside a conversation.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        """Take a tokenizer apart; it stays as it was.

        Raises:
            ConfigError: it is one of the few that the `tokenizers` library cannot run.
        """
        backend = getattr(tokenizer, "backend_tokenizer", None)
        if not isinstance(backend, Tokenizer):
            raise ConfigError(
                f"{type(tokenizer).__name__} has no fast form, and Winnow needs one. Choose a base "
                "model that comes with a tokenizer.json."
            )
        state = json.loads(backend.to_str()) | {"truncation": None, "padding": None}
        self._opening = Tokenizer.from_str(json.dumps(state))
        self._onward = Tokenizer.from_str(json.dumps(_without_first_space(state)))
        self._anchor = self._onward.encode("a", add_special_tokens=False).ids
        self._anchor_text = self._onward.decode(self._anchor, skip_special_tokens=False)

    def opening(self, texts: Sequence[str]) -> Ids:
        """Tokens of texts that begin a conversation; a special token's text becomes the token."""
        return _encode(self._opening, texts, specials=True)

    def onward(self, texts: Sequence[str]) -> Ids:
        """Tokens of template texts that go on from others; special tokens are recognised."""
        return _encode(self._onward, texts, specials=True)

    def verbatim(self, texts: Sequence[str]) -> Ids:
        """Tokens of what somebody said: a special token that is spelled there stays text."""
        return _encode(self._onward, texts, specials=False)

    def decode(self, ids: Sequence[Sequence[int]]) -> list[str]:
        """The text of tokens that stand inside a conversation, nothing cleaned or skipped."""
        anchored = [[*self._anchor, *one] for one in ids]
        texts = self._onward.decode_batch(anchored, skip_special_tokens=False)
        return [text.removeprefix(self._anchor_text) for text in texts]


@dataclass(frozen=True)
class Labeller:
    """Everything that turns a conversation into ids and labels."""

    template: Template
    encoder: TextEncoder
    max_tokens: int
    over_long: OverLong
    supervise: Supervise

    def label(self, batch: pa.RecordBatch) -> tuple[pa.RecordBatch, pl.DataFrame]:
        """Rows of `TOKENS` for the conversations kept, and one audit row per source.

        The audit has the columns of `LabelAudit`.
        """
        frame = pl.DataFrame(pa.Table.from_batches([batch]))
        rendered = [
            self._segments(row["messages"], row["tools"])
            for row in batch.select(["messages", "tools"]).to_pylist()
        ]
        good = np.array([segments is not None for segments in rendered], dtype=bool)
        turns = _Turns.of([segments for segments in rendered if segments], self.template)
        tokens, judged = self._assemble(turns)
        spelled = frame.select(_spells(special_tokens(self.template.tokenizer))).to_series()
        judged = judged.with_columns(
            source=frame["source"].filter(good), special_in_text=spelled.filter(good)
        )
        refused = frame.filter(~good).select("source", refused_by_template=pl.lit(True))
        rows = pl.concat([judged, refused], how="diagonal").fill_null(False)
        return tokens, _audit(rows)

    def _segments(self, messages: list[dict[str, str]], tools: str | None) -> list[str] | None:
        try:
            given = json.loads(tools) if tools else None
            return self.template.segments(messages, self.supervise, given)
        except (Unrenderable, json.JSONDecodeError):
            return None

    def _assemble(self, turns: "_Turns") -> tuple[pa.RecordBatch, pl.DataFrame]:
        """Ids and labels of the rows that fit, and one row per conversation of what was seen."""
        responses = self.encoder.verbatim(turns.responses)
        pieces: Ids = [[]] * (3 * len(responses))
        pieces[0::3] = turns.encode_texts(self.encoder)
        pieces[1::3] = responses
        pieces[2::3] = [[self.template.stop_id] if ends else [] for ends in turns.stopped]

        lengths = np.fromiter(map(len, pieces), np.int64, len(pieces))
        ids = np.fromiter(itertools.chain.from_iterable(pieces), np.int32, lengths.sum())
        supervised = np.repeat(np.tile([False, True, True], len(responses)), lengths)
        row_lengths = np.bincount(
            np.repeat(turns.rows, 3), weights=lengths, minlength=turns.count
        ).astype(np.int64)
        row_of = np.repeat(np.arange(turns.count), row_lengths)
        starts = np.cumsum(row_lengths) - row_lengths
        place = np.arange(ids.size) - starts[row_of]

        first_turn = np.flatnonzero(np.diff(turns.rows, prepend=-1))
        prompt_lengths = lengths[3 * first_turn]
        heads = self._begins_with_bos(ids, starts, prompt_lengths)
        kept, cut = self._fit(row_lengths, prompt_lengths, heads)
        stays = kept[row_of] & ((place < heads[row_of]) | (place >= (heads + cut)[row_of]))
        supervised &= place > 0  # nothing predicts the first token

        labels = np.where(supervised, ids, IGNORED).astype(np.int32)
        new_lengths = np.where(kept, row_lengths - cut, 0)
        trainable = np.bincount(row_of[stays & supervised], minlength=turns.count)
        ends = np.cumsum(row_lengths) - 1
        judged = pl.DataFrame(
            {
                "kept": kept,
                "tokens": new_lengths,
                "trainable_tokens": trainable,
                "fully_masked": kept & (trainable == 0),
                "dropped_over_long": ~kept,
                "truncated_prompts": kept & (cut > 0),
                "stop_supervised": kept & (labels[ends] == self.template.stop_id),
                "altered_responses": kept & self._altered(turns, responses),
            }
        )
        batch = _token_batch(ids[stays], labels[stays], new_lengths[kept])
        return batch, judged

    def _begins_with_bos(
        self, ids: npt.NDArray[np.int32], starts: npt.NDArray[Any], lengths: npt.NDArray[Any]
    ) -> npt.NDArray[np.int64]:
        """1 where a prompt begins with the begin token, which truncation must leave; else 0."""
        bos = self.template.tokenizer.bos_token_id
        if bos is None or ids.size == 0:
            return np.zeros(len(starts), np.int64)
        begins = (lengths > 0) & (ids[starts] == bos)
        return np.asarray(begins, np.int64)

    def _fit(
        self,
        lengths: npt.NDArray[np.int64],
        prompt_lengths: npt.NDArray[np.int64],
        heads: npt.NDArray[np.int64],
    ) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.int64]]:
        """Which rows stay, and how many tokens of their prompt go from its left.

        One token of the prompt always stays: it predicts the first of the response.
        """
        excess = np.maximum(lengths - self.max_tokens, 0)
        if self.over_long is OverLong.DROP:
            return excess == 0, np.zeros_like(excess)
        kept = excess <= prompt_lengths - np.maximum(heads, 1)
        kept |= excess == 0
        return kept, np.where(kept, excess, 0)

    def _altered(self, turns: "_Turns", responses: Ids) -> npt.NDArray[np.bool_]:
        """Rows of which a response does not come back from its tokens character for character."""
        decoded = self.encoder.decode(responses)
        differs = np.fromiter(
            map(str.__ne__, decoded, turns.responses), np.int64, len(turns.responses)
        )
        return np.bincount(turns.rows, weights=differs, minlength=turns.count) > 0


@dataclass(frozen=True)
class _Turns:
    """The supervised turns of a batch of conversations: equally long lists, one item per turn."""

    count: int
    """conversations"""
    rows: npt.NDArray[np.int64]
    """the conversation that a turn belongs to, ascending from 0"""
    texts: list[str]
    """what stands before the response, from the last supervised turn on"""
    responses: list[str]
    """what the assistant said, with the template's lead and tail"""
    stopped: list[bool]
    """whether the stop token ends it"""

    @classmethod
    def of(cls, rendered: list[list[str]], template: Template) -> "_Turns":
        counts = np.fromiter((len(one) // 2 for one in rendered), np.int64, len(rendered))
        rows = np.repeat(np.arange(len(rendered)), counts)
        texts = list(itertools.chain.from_iterable(one[0::2] for one in rendered))
        said = list(itertools.chain.from_iterable(one[1::2] for one in rendered))
        is_last = np.diff(rows, append=len(rendered)) > 0
        ending = template.tail + template.stop
        following = [*texts, ""][1:]
        stopped = [
            bool(last) or text.startswith(ending)
            for last, text in zip(is_last, following, strict=True)
        ]
        goes_on = np.diff(rows, prepend=-1) == 0
        texts = [
            text.removeprefix(ending) if inner else text
            for text, inner in zip(texts, goes_on, strict=True)
        ]
        responses = [
            template.lead + text + (template.tail if ends else "")
            for text, ends in zip(said, stopped, strict=True)
        ]
        return cls(len(rendered), rows, texts, responses, stopped)

    def encode_texts(self, encoder: TextEncoder) -> Ids:
        """Tokens of `texts`: the first of a conversation opens it, the others go on."""
        first = np.diff(self.rows, prepend=-1) > 0
        opening = iter(encoder.opening(list(itertools.compress(self.texts, first))))
        onward = iter(encoder.onward(list(itertools.compress(self.texts, ~first))))
        return [next(opening) if opens else next(onward) for opens in first]


def empty_audit() -> pl.DataFrame:
    """No row, with the columns of `LabelAudit`."""
    counts = [name for name in LabelAudit.model_fields if name != "source"]
    return pl.DataFrame(schema={"source": pl.String} | dict.fromkeys(counts, pl.Int64))


def sum_audits(parts: Sequence[pl.DataFrame]) -> tuple[LabelAudit, ...]:
    """One audit per source, sorted by name, from the audits of batches."""
    summed = pl.concat([empty_audit(), *parts]).group_by("source").sum().sort("source")
    return tuple(LabelAudit.model_validate(row) for row in summed.to_dicts())


def refuse_nothing_to_learn(audits: tuple[LabelAudit, ...], max_tokens: int) -> None:
    """Raise ConfigError where no token of the training split is inside the loss."""
    total = LabelAudit.total(audits)
    if total.trainable_tokens > 0:
        return
    raise ConfigError(
        f"nothing to learn from: of {total.conversations:,} training conversations, {total.kept:,} "
        f"are kept and no token of them is inside the loss ({total.dropped_over_long:,} are longer "
        f"than {max_tokens} tokens, {total.refused_by_template:,} were refused by the chat "
        f"template, {total.fully_masked:,} are wholly masked). Raise train.max_tokens, set "
        "train.over_long to truncate_prompt, or choose another train.template."
    )


def _audit(rows: pl.DataFrame) -> pl.DataFrame:
    """One row per source from one row per conversation."""
    empty = empty_audit()
    counted = pl.concat(
        [
            empty,
            rows.cast({pl.Boolean: pl.Int64}).select(
                "source",
                pl.lit(1, pl.Int64).alias("conversations"),
                *(
                    pl.col(name) if name in rows.columns else pl.lit(0, pl.Int64).alias(name)
                    for name in empty.columns[2:]
                ),
            ),
        ]
    )
    return counted.group_by("source").sum().sort("source")


def _spells(specials: dict[str, int]) -> pl.Expr:
    """Whether any message's text spells one of the tokenizer's special tokens."""
    if not specials:
        return pl.lit(False).repeat_by(1).list.first().alias("spelled")
    content = pl.element().struct.field("content")
    return (
        pl.col("messages")
        .list.eval(content.str.contains_any(sorted(specials)))
        .list.any()
        .alias("spelled")
    )


def _token_batch(
    ids: npt.NDArray[np.int32], labels: npt.NDArray[np.int32], lengths: npt.NDArray[np.int64]
) -> pa.RecordBatch:
    offsets = pa.array(np.concatenate([[0], np.cumsum(lengths)]), pa.int32())
    return pa.RecordBatch.from_arrays(
        [
            pa.ListArray.from_arrays(offsets, pa.array(ids)),
            pa.ListArray.from_arrays(offsets, pa.array(labels)),
            pa.array(lengths, pa.int32()),
        ],
        schema=TOKENS,
    )


def _encode(tokenizer: Tokenizer, texts: Sequence[str], specials: bool) -> Ids:
    tokenizer.encode_special_tokens = not specials
    return [one.ids for one in tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)]


def _without_first_space(state: dict[str, Any]) -> dict[str, Any]:
    """A tokenizer's JSON less the parts that put a space before a text."""
    normalizer = state["normalizer"]
    if normalizer and normalizer["type"] == "Prepend":
        normalizer = None
    elif normalizer and normalizer["type"] == "Sequence":
        parts = [part for part in normalizer["normalizers"] if part["type"] != "Prepend"]
        normalizer = normalizer | {"normalizers": parts}
    splitter = state["pre_tokenizer"]
    if splitter and splitter["type"] == "Sequence":
        parts = [_no_prefix(part) for part in splitter["pretokenizers"]]
        splitter = splitter | {"pretokenizers": parts}
    elif splitter:
        splitter = _no_prefix(splitter)
    return state | {"normalizer": normalizer, "pre_tokenizer": splitter}


def _no_prefix(splitter: dict[str, Any]) -> dict[str, Any]:
    if splitter["type"] == "Metaspace":
        return splitter | {"prepend_scheme": "never"}
    if "add_prefix_space" in splitter:
        return splitter | {"add_prefix_space": False}
    return splitter
