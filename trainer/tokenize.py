"""The tokenized corpus: made once per corpus, tokenizer, template and length, memory-mapped."""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
from datasets import Dataset
from transformers import PreTrainedTokenizerBase

from schemas.adapter import LabelAudit
from schemas.digests import digest_of
from schemas.train import Train
from trainer.corpus import Corpus
from trainer.files import new_folder, write_text
from trainer.labels import TOKENS, Labeller, TextEncoder, sum_audits
from trainer.templates import Template

LABELS_VERSION = 1
"""Raised whenever the same text would give other ids or labels: it is part of the cache's key."""

SPLITS = ("train", "validation")
RECEIPT = "tokenized.json"

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


def tokenizer_digest(tokenizer: PreTrainedTokenizerBase) -> str:
    """SHA-256 of the tokenizer's whole definition and of its named special tokens."""
    backend = json.loads(tokenizer.backend_tokenizer.to_str())
    named = {key: str(value) for key, value in tokenizer.special_tokens_map.items()}
    return digest_of([backend | {"truncation": None, "padding": None}, named])


def tokenize(
    corpus: Corpus, train: Train, template: Template, folder: Path, progress: Progress
) -> Tokenized:
    """The tokenized corpus from `<folder>/<digest>`, written there first if it is not.

    Raises:
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
        ]
    )
    place = folder / digest
    if not (place / RECEIPT).is_file():
        shutil.rmtree(place, ignore_errors=True)  # somebody took its receipt away
        labeller = Labeller(
            template,
            TextEncoder(template.tokenizer),
            train.max_tokens,
            train.over_long,
            train.supervise,
        )
        with new_folder(place) as staging:
            receipt = {
                split: _write_split(corpus, split, labeller, staging, progress) for split in SPLITS
            }
            write_text(staging / RECEIPT, json.dumps(receipt, indent=1))
    return _open(place)


def _write_split(
    corpus: Corpus, split: str, labeller: Labeller, folder: Path, progress: Progress
) -> list[dict[str, Any]]:
    """Write one split as an Arrow stream; its audits, one mapping per source."""
    rows = corpus.split(split).rows
    audits: list[pl.DataFrame] = []
    done = 0
    with (
        pa.OSFile(str(folder / f"{split}.arrow"), "wb") as sink,
        pa.ipc.new_stream(sink, TOKENS) as writer,
    ):
        for batch in corpus.batches(split):
            tokens, audit = labeller.label(batch)
            writer.write_batch(tokens)
            audits.append(audit)
            done += batch.num_rows
            progress(split, done, rows)
    return [audit.model_dump() for audit in sum_audits(audits)]


def _open(place: Path) -> Tokenized:
    receipt = json.loads((place / RECEIPT).read_text(encoding="utf-8"))
    train, validation = (
        Dataset.from_file(str(place / f"{split}.arrow")).with_format("numpy") for split in SPLITS
    )
    audit, validation_audit = (
        tuple(LabelAudit.model_validate(row) for row in receipt[split]) for split in SPLITS
    )
    return Tokenized(train, validation, audit, validation_audit)
