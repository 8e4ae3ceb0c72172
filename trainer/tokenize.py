"""The tokenized corpus: made once per corpus, tokenizer, template and length, memory-mapped.

Packing is no part of its key: packs are rows of it put together, which takes no time (pack.py).
"""

import collections
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from datasets import Dataset
from transformers import PreTrainedTokenizerBase

from schemas.adapter import LabelAudit, TokenHistogram, TokenLengths
from schemas.digests import digest_of, sha256_of
from schemas.errors import StorageError
from schemas.train import Train
from trainer.corpus import Corpus
from trainer.files import new_folder, write_text
from trainer.labels import TOKENS, Labeller, TextEncoder, definition_of, sum_audits
from trainer.templates import Template

LABELS_VERSION = 3
"""Raised whenever the same text would give other ids or labels: it is part of the cache's key."""

SPLITS = ("train", "validation")
BINS = 40
"""Of the histogram of token lengths, at most."""
AHEAD = 2
"""Batches that are labelled at the same time: while one is rendered and put together in Python,
another's texts are with the `tokenizers` library, which takes all cores."""
RECEIPT = "tokenized.json"
"""Written last: the audits of both splits, and the SHA-256 of their files."""

Progress = Callable[[str, int, int], None]
"""Called with a split, the conversations done and the conversations there are."""


@dataclass(frozen=True)
class Tokenized:
    """Token ids and labels of both splits, memory-mapped; columns are those of `labels.TOKENS`."""

    train: Dataset
    validation: Dataset
    audit: tuple[LabelAudit, ...]
    """of the training split, one per source"""
    validation_audit: tuple[LabelAudit, ...]


def token_lengths(lengths: npt.NDArray[np.int64]) -> TokenLengths | None:
    """What there is to know of them; None where there are none."""
    if not lengths.size:
        return None
    p50, p90, p99 = np.percentile(lengths, (50, 90, 99), method="inverted_cdf").tolist()
    return TokenLengths(
        rows=lengths.size,
        mean=float(lengths.mean()),
        min=int(lengths.min()),
        p50=p50,
        p90=p90,
        p99=p99,
        max=int(lengths.max()),
        histogram=_histogram(lengths),
    )


def _histogram(lengths: npt.NDArray[np.int64]) -> TokenHistogram:
    """Rows by length in at most `BINS` bins of one width, from 0 up."""
    width = int(lengths.max()) // BINS + 1
    rows = np.bincount(lengths // width)
    edges = range(0, (len(rows) + 1) * width, width)
    return TokenHistogram(edges=tuple(edges), rows=tuple(rows.tolist()))


def tokenizer_digest(tokenizer: PreTrainedTokenizerBase) -> str:
    """SHA-256 of the tokenizer's whole definition and of its named special tokens.

    Raises:
        ConfigError: it is one of the few that the `tokenizers` library cannot run.
    """
    named = {key: str(value) for key, value in tokenizer.special_tokens_map.items()}
    return digest_of([definition_of(tokenizer), named])


def tokenize(
    corpus: Corpus, train: Train, template: Template, folder: Path, progress: Progress
) -> Tokenized:
    """The tokenized corpus from `<folder>/<digest>`, written there first if it is not, or damaged.

    Raises:
        ConfigError: the tokenizer is one of the few that cannot be used.
        StorageError: it cannot be written.
    """
    digest = digest_of(
        [
            LABELS_VERSION,
            corpus.digest,
            [shard.sha256 for name in SPLITS for shard in corpus.split(name).shards],
            tokenizer_digest(template.tokenizer),
            template.digest,
            train.max_tokens,
            train.over_long.value,
            train.supervise.value,
            train.system,
        ]
    )
    place = folder / digest
    found = _open(place)
    if found is None:
        shutil.rmtree(place, ignore_errors=True)
        _write(place, corpus, train, template, progress)
        found = _open(place)
    if found is None:
        raise StorageError(
            f"{place} does not read back as it was written. Delete it, check the disk and run the "
            "same command again."
        )
    return found


def _write(
    place: Path, corpus: Corpus, train: Train, template: Template, progress: Progress
) -> None:
    """Write both splits and, once they are on the disk, the receipt."""
    labeller = Labeller(
        template,
        TextEncoder(template.tokenizer),
        train.max_tokens,
        train.over_long,
        train.supervise,
        train.system,
    )
    with new_folder(place) as staging:
        audits = {
            split: _write_split(corpus, split, labeller, staging, progress) for split in SPLITS
        }
        receipt = {"audits": audits, "sha256": _sums(staging)}
        write_text(staging / RECEIPT, json.dumps(receipt, indent=1))


def _write_split(
    corpus: Corpus, split: str, labeller: Labeller, folder: Path, progress: Progress
) -> list[dict[str, Any]]:
    """Write one split as an Arrow stream; its audits, one mapping per source."""
    rows = corpus.split(split).rows
    audits: list[pl.DataFrame] = []
    done = 0
    with (folder / f"{split}.arrow").open("wb") as file:
        with pa.ipc.new_stream(file, TOKENS) as writer:
            for count, tokens, audit in _labelled(labeller, corpus.batches(split)):
                writer.write_batch(_counting_from(done, tokens))
                audits.append(audit)
                done += count
                progress(split, done, rows)
        file.flush()
        os.fsync(file.fileno())
    return [audit.model_dump() for audit in sum_audits(audits)]


def _labelled(
    labeller: Labeller, batches: Iterable[pa.RecordBatch]
) -> Iterator[tuple[int, pa.RecordBatch, pl.DataFrame]]:
    """The conversations of each batch, and what `Labeller.label` makes of it, in their order."""
    ahead: collections.deque[tuple[int, Future[tuple[pa.RecordBatch, pl.DataFrame]]]]
    ahead = collections.deque()
    with ThreadPoolExecutor(AHEAD, thread_name_prefix="tokenize") as pool:
        for batch in batches:
            ahead.append((batch.num_rows, pool.submit(labeller.label, batch)))
            if len(ahead) > AHEAD:
                count, made = ahead.popleft()
                yield count, *made.result()
        for count, made in ahead:
            yield count, *made.result()


def _counting_from(first: int, tokens: pa.RecordBatch) -> pa.RecordBatch:
    """The same rows, their places counted from the beginning of the split."""
    place = TOKENS.get_field_index("row")
    return tokens.set_column(place, TOKENS.field(place), pc.add(tokens.column(place), first))


def _sums(place: Path) -> dict[str, str]:
    """SHA-256 of each split's file."""
    return {split: sha256_of(place / f"{split}.arrow") for split in SPLITS}


def _open(place: Path) -> Tokenized | None:
    """What `_write` left there; None where that is nothing, or not what it was."""
    try:
        receipt = json.loads((place / RECEIPT).read_text(encoding="utf-8"))
        if receipt["sha256"] != _sums(place):
            return None
    except (OSError, ValueError, KeyError, TypeError):
        return None
    train, validation = (
        Dataset.from_file(str(place / f"{split}.arrow")).with_format("numpy") for split in SPLITS
    )
    audit, validation_audit = (
        tuple(LabelAudit.model_validate(row) for row in receipt["audits"][split])
        for split in SPLITS
    )
    return Tokenized(train, validation, audit, validation_audit)
