"""From conversations to token ids and labels: what is inside the loss, and proof that it is.

A conversation is cut into texts before anything is tokenized: what the template and the user
wrote, and what the assistant said. Each text is tokenized by itself and the stop token is put in by
its id, so where a label begins does not depend on how a tokenizer joins characters, and the
prompt's tokens are those that the model is given in use.
"""

import contextlib
import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
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
from trainer.templates import Message, Template, Unrenderable, special_tokens

IGNORED = -100
"""Label of a token outside the loss (torch's `cross_entropy` default)."""

ABOUT = ("source", "category", "language")
"""What is told of a conversation beside what it says; null where the corpus does not know."""

TOKENS = pa.schema(
    {
        "input_ids": pa.list_(pa.int32()),
        "labels": pa.list_(pa.int32()),
        "length": pa.int32(),
        "row": pa.int64(),
        **dict.fromkeys(ABOUT, pa.string()),
    }
)
"""One row per kept conversation, or part of one that was split.

`labels` is as long as `input_ids`, `length` is their length, `row` its place in the split.
"""

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
        state = definition_of(tokenizer)
        opening, onward = json.dumps(state), json.dumps(_without_first_space(state))
        self._opening = Tokenizer.from_str(opening)
        self._onward = self._opening if onward == opening else Tokenizer.from_str(onward)
        self._verbatim = Tokenizer.from_str(onward)
        self._verbatim.encode_special_tokens = True  # as the text that they are
        self._token_bytes = _token_bytes(self._onward, state)
        self._anchor = self._onward.encode("a", add_special_tokens=False).ids
        self._anchor_text = self._onward.decode(self._anchor, skip_special_tokens=False)

    def opening(self, texts: Sequence[str]) -> Ids:
        """Tokens of texts that begin a conversation; a special token's text becomes the token."""
        return _encode(self._opening, texts)

    def onward(self, texts: Sequence[str]) -> Ids:
        """Tokens of template texts that go on from others; special tokens are recognised."""
        return _encode(self._onward, texts)

    def verbatim(self, texts: Sequence[str]) -> Ids:
        """Tokens of what somebody said: a special token that is spelled there stays text."""
        return _encode(self._verbatim, texts)

    def spells(
        self, ids: npt.NDArray[np.int32], counts: npt.NDArray[np.int64], texts: list[str]
    ) -> bool:
        """Whether the bytes of these tokens, so many of them for each text, are the texts'.

        Exact, and a fifth of what decoding them costs. False where it cannot be told so: then
        `decode` has to say.
        """
        if self._token_bytes is None or not ids.size:
            return False
        said = self._token_bytes.take(pa.array(ids))
        _, offsets, data = said.buffers()
        ends = np.frombuffer(offsets, np.int64)[np.cumsum(counts)]
        sizes = pl.Series(texts, dtype=pl.String).str.len_bytes().cast(pl.Int64)
        written = pa.py_buffer("".join(texts).encode())
        same_ends = np.array_equal(ends, sizes.cum_sum().to_numpy())
        return same_ends and data.slice(0, written.size).equals(written)

    def decode(self, ids: Sequence[Sequence[int]]) -> list[str]:
        """The text of tokens that stand inside a conversation, nothing cleaned or skipped."""
        anchored = [[*self._anchor, *one] for one in ids]
        texts = self._onward.decode_batch(anchored, skip_special_tokens=False)
        return [text.removeprefix(self._anchor_text) for text in texts]


def _token_bytes(tokenizer: Tokenizer, state: dict[str, Any]) -> pa.LargeBinaryArray | None:
    """The bytes of each token, by its id; None where decoding does more than to join them.

    Tokens of byte-level vocabularies are written with a printable character for each byte, as
    GPT-2's are: those of Latin-1 that are printable stand for themselves, the others are counted
    from U+0100 up.
    """
    if (state["decoder"] or {}).get("type") != "ByteLevel":
        return None
    itself = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = sorted(set(range(256)) - itself)
    byte_of = {0x100 + place: byte for place, byte in enumerate(others)}
    told = bytearray()
    ends = [0]
    added = {one["id"] for one in state["added_tokens"]}
    tokens = {place: token for token, place in tokenizer.get_vocab().items()}
    for place in range(max(tokens, default=-1) + 1):
        token = tokens.get(place, "")
        with contextlib.suppress(UnicodeEncodeError):  # no bytes: a text with it is decoded
            told += token.encode() if place in added else token.translate(byte_of).encode("latin-1")
        ends.append(len(told))
    offsets = pa.py_buffer(np.array(ends, np.int64))
    return pa.LargeBinaryArray.from_buffers(
        pa.large_binary(), len(ends) - 1, [None, offsets, pa.py_buffer(bytes(told))]
    )


def definition_of(tokenizer: PreTrainedTokenizerBase) -> dict[str, Any]:
    """The whole definition of a tokenizer, as its `tokenizer.json` has it, but never cutting.

    Raises:
        ConfigError: it is one of the few that the `tokenizers` library cannot run.
    """
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if not isinstance(backend, Tokenizer):
        raise ConfigError(
            f"{type(tokenizer).__name__} has no fast form, and Winnow needs one. Choose a base "
            "model that comes with a tokenizer.json."
        )
    found: dict[str, Any] = json.loads(backend.to_str())
    return found | {"truncation": None, "padding": None}


@dataclass(frozen=True)
class Part:
    """A conversation of a batch, or some of its exchanges."""

    row: int
    first: int
    """its first message's place in the conversation; 0 begins it"""
    messages: list[Message]
    tools: str | None

    def halves(self) -> list["Part"]:
        """The part cut at the user's turn nearest to its middle; none where there is only one.

        The system message stands before both.
        """
        head = self.messages[:1] if self.messages[0]["role"] == "system" else []
        said = self.messages[len(head) :]
        sizes = np.cumsum([0, *(len(message["content"]) for message in said)])
        cuts = [
            place
            for place in range(1, len(said))
            if (said[place - 1]["role"], said[place]["role"]) == ("assistant", "user")
        ]
        if not cuts:
            return []
        cut = min(cuts, key=lambda place: abs(2 * int(sizes[place]) - int(sizes[-1])))
        return [
            replace(self, messages=[*head, *said[:cut]]),
            replace(self, messages=[*head, *said[cut:]], first=self.first + cut),
        ]


@dataclass(frozen=True)
class Labelled:
    """What became of the parts of a batch, in their order."""

    tokens: pl.DataFrame
    """one row per part that is kept: input_ids, labels, length, row, first"""
    judged: pl.DataFrame
    """one row per part that counts: row, first, and the counts of `LabelAudit` as flags"""


@dataclass(frozen=True)
class Labeller:
    """Everything that turns a conversation into ids and labels."""

    template: Template
    encoder: TextEncoder
    max_tokens: int
    over_long: OverLong
    supervise: Supervise
    system: str | None = None

    def label(self, batch: pa.RecordBatch) -> tuple[pa.RecordBatch, pl.DataFrame]:
        """Rows of `TOKENS` for the conversations kept, and one audit row per source.

        `row` counts from 0 in the batch. The audit has the columns of `LabelAudit`.
        """
        frame = pl.DataFrame(pa.Table.from_batches([batch]))
        asked = zip(_conversations(frame["messages"]), frame["tools"].to_list(), strict=True)
        labelled = self._label_all(
            [
                Part(row, 0, with_system(messages, self.system), tools)
                for row, (messages, tools) in enumerate(asked)
            ]
        )
        spelled = frame.select(_spells(special_tokens(self.template.tokenizer))).to_series()
        about = frame.select("source", spelled.alias("special_in_text"))
        return _with_about(labelled.tokens, frame), _audit(labelled.judged, about)

    def _label_all(self, parts: list[Part]) -> Labelled:
        """The parts labelled; those too long for `max_tokens` split until they fit or are one."""
        found = self._label(parts)
        if self.over_long is not OverLong.SPLIT:
            return found
        long = found.judged.filter("dropped_over_long")["part"].to_list()
        halves = {index: parts[index].halves() for index in long}
        split = [index for index, cut in halves.items() if cut]
        if not split:
            return found
        rest = self._label_all([half for index in split for half in halves[index]])
        whole = found.judged.filter(~pl.col("part").is_in(split))
        begin = (pl.col("first") == 0).alias("split")
        return Labelled(
            pl.concat([found.tokens, rest.tokens]).sort("row", "first"),
            pl.concat([whole, rest.judged.with_columns(begin)], how="diagonal"),
        )

    def _label(self, parts: list[Part]) -> Labelled:
        rendered = [self._segments(part.messages, part.tools) for part in parts]
        written = [segments for segments in rendered if segments is not None]
        tokens, judged = self._assemble(_Turns.of(written, self.template))
        places = pl.DataFrame(
            {"row": [part.row for part in parts], "first": [part.first for part in parts]},
            schema={"row": pl.Int64, "first": pl.Int64},
        ).with_row_index("part")
        good = pl.Series([segments is not None for segments in rendered], dtype=pl.Boolean)
        kept = places.filter(good).filter(judged["kept"]).drop("part")
        refused = places.filter(~good).with_columns(refused_by_template=pl.lit(True))
        return Labelled(
            pl.DataFrame(pa.Table.from_batches([tokens])).hstack(kept),
            pl.concat([places.filter(good).hstack(judged), refused], how="diagonal"),
        )

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
        spoken = self.encoder.spells(
            ids[np.repeat(np.tile([False, True, False], len(responses)), lengths)],
            lengths[1::3],
            turns.responses,
        )
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
                "altered_responses": kept & self._altered(turns, responses, spoken),
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
        if self.over_long is not OverLong.TRUNCATE_PROMPT:
            return excess == 0, np.zeros_like(excess)
        kept = excess <= prompt_lengths - np.maximum(heads, 1)
        kept |= excess == 0
        return kept, np.where(kept, excess, 0)

    def _altered(self, turns: "_Turns", responses: Ids, spoken: bool) -> npt.NDArray[np.bool_]:
        """Rows of which a response does not come back from its tokens character for character.

        `spoken` is what `spells` says of all of them.
        """
        if spoken:
            return np.zeros(turns.count, np.bool_)
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
        f"nothing to learn from: of {total.conversations:,} training conversations, "
        f"{_of_no_use(total, max_tokens)}. Raise train.max_tokens, set train.over_long to "
        "truncate_prompt, or choose another train.template."
    )


def refuse_nothing_to_measure(audits: tuple[LabelAudit, ...], max_tokens: int) -> None:
    """Raise ConfigError where there is a validation split, and no token of it inside the loss.

    An adapter would be pushed then that was never held against its base model.
    """
    total = LabelAudit.total(audits)
    if total.conversations == 0 or total.trainable_tokens > 0:
        return
    raise ConfigError(
        f"nothing to measure the adapter by: of {total.conversations:,} validation conversations, "
        f"{_of_no_use(total, max_tokens)}. Raise train.max_tokens, choose another train.template, "
        "or refresh the corpus with split.validation_share 0 to train without being measured."
    )


def _of_no_use(total: LabelAudit, max_tokens: int) -> str:
    """Why a split's conversations have no token inside the loss."""
    return (
        f"{total.kept:,} are kept and no token of them is inside the loss "
        f"({total.dropped_over_long:,} are longer than {max_tokens} tokens, "
        f"{total.refused_by_template:,} were refused by the chat template, "
        f"{total.fully_masked:,} are wholly masked)"
    )


def _conversations(messages: pl.Series) -> list[list[Message]]:
    """The messages of each conversation; column by column, a tenth of what row by row takes."""
    said = messages.explode(empty_as_null=False).struct.unnest()
    flat = [
        {"role": role, "content": content}
        for role, content in zip(said["role"].to_list(), said["content"].to_list(), strict=True)
    ]
    ends = messages.list.len().cast(pl.Int64).cum_sum().to_list()
    return [flat[first:end] for first, end in zip([0, *ends], ends, strict=False)]


def with_system(messages: list[Message], system: str | None) -> list[Message]:
    """The conversation under a system message: its own where it has one."""
    if system is None or (messages and messages[0]["role"] == "system"):
        return messages
    return [{"role": "system", "content": system}, *messages]


def _with_about(tokens: pl.DataFrame, frame: pl.DataFrame) -> pa.RecordBatch:
    """Rows of `TOKENS`, from those of `Labelled` and the conversations that they are of."""
    told = [
        (frame[name] if name in frame.columns else pl.repeat(None, frame.height, eager=True))
        .cast(pl.String)
        .alias(name)
        for name in ABOUT
    ]
    about = pl.DataFrame(told).select(pl.all().gather(tokens["row"]))
    table = tokens.drop("first").hstack(about).select(TOKENS.names).to_arrow().cast(TOKENS)
    return pa.RecordBatch.from_arrays(
        [column.combine_chunks() for column in table.columns], schema=TOKENS
    )


def _audit(judged: pl.DataFrame, about: pl.DataFrame) -> pl.DataFrame:
    """One row per source from one row per part; `about` has one row per conversation."""
    empty = empty_audit()
    of_rows = about.select(pl.all().gather(judged["row"]))
    begins = (judged["first"] == 0).alias("conversations")
    spelled = of_rows["special_in_text"] & judged["kept"].fill_null(value=False)
    rows = judged.with_columns(of_rows["source"], begins, spelled.alias("special_in_text"))
    counts = [
        pl.col(name).cast(pl.Int64).fill_null(0) if name in rows.columns else _NONE.alias(name)
        for name in empty.columns[1:]
    ]
    counted = pl.concat([empty, rows.select("source", *counts)])
    return counted.group_by("source").sum().sort("source")


_NONE = pl.lit(0, pl.Int64)


def _spells(specials: dict[str, int]) -> pl.Expr:
    """Whether any message's text spells one of the tokenizer's special tokens."""
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
    """`input_ids`, `labels` and `length` of the conversations that these tokens are of."""
    offsets = pa.array(np.concatenate([[0], np.cumsum(lengths)]), pa.int32())
    return pa.RecordBatch.from_arrays(
        [
            pa.ListArray.from_arrays(offsets, pa.array(ids)),
            pa.ListArray.from_arrays(offsets, pa.array(labels)),
            pa.array(lengths, pa.int32()),
        ],
        names=["input_ids", "labels", "length"],
    )


def _encode(tokenizer: Tokenizer, texts: Sequence[str]) -> Ids:
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
