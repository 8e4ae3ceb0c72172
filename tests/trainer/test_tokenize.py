"""The tokenized cache: made once, and never a stale one."""

import os
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest

from schemas.digests import sha256_of
from schemas.errors import ConfigError
from schemas.manifest import CorpusManifest
from schemas.recipe import Recipe
from schemas.train import OverLong, Supervise
from tests.trainer.building import CHATML, build_corpus, build_tokenizer, conversations
from trainer.corpus import Corpus
from trainer.templates import choose_template
from trainer.tokenize import Tokenized, tokenize, tokenizer_digest


def tokenized(manifest: Path, recipe: Recipe, cache: Path, tokenizer: Any = None, **train: Any):
    calls: list[tuple[str, int, int]] = []
    settings = recipe.train.model_copy(update=train)
    template = choose_template(tokenizer or build_tokenizer(), settings.template, "t")
    made = tokenize(Corpus(manifest), settings, template, cache, lambda *call: calls.append(call))
    return made, calls


def rows(made: Tokenized) -> list[dict[str, Any]]:
    return made.train.with_format(None)[:]


def test_a_second_call_reads_what_the_first_wrote(manifest, recipe, tmp_path):
    first, calls = tokenized(manifest, recipe, tmp_path)
    again, silent = tokenized(manifest, recipe, tmp_path)
    assert calls == [("train", 64, 64), ("validation", 8, 8)]
    assert silent == []
    assert rows(again) == rows(first)
    assert again.audit == first.audit
    assert len(list(tmp_path.glob("*/tokenized.json"))) == 1


# fmt: off
KEYS = {              # another ...
    "length":         {"max_tokens": 63},
    "over-long rule": {"over_long": OverLong.TRUNCATE_PROMPT},
    "supervision":    {"supervise": Supervise.ALL},
    "template":       {"template": "plain"},
    "tokenizer":      {"tokenizer": build_tokenizer(CHATML, eos_token="<|pad|>")},
    "system message": {"system": "Be kind."},
    "own template":   {"tokenizer": build_tokenizer(CHATML + " ")},
}
SAME = {
    "learning rate":  {"learning_rate": 1.0},
    "batch":          {"batch_size": 1},
    "packing":        {"packing": True},
    "weights":        {"source_weights": (("things", 2.0),)},
}
# fmt: on


@pytest.mark.parametrize("change", KEYS.values(), ids=KEYS.keys())
def test_whatever_changes_ids_or_labels_makes_a_new_cache(change, manifest, recipe, tmp_path):
    tokenized(manifest, recipe, tmp_path)
    _, calls = tokenized(manifest, recipe, tmp_path, **change)
    assert calls


@pytest.mark.parametrize("change", SAME.values(), ids=SAME.keys())
def test_what_does_not_change_them_does_not(change, manifest, recipe, tmp_path):
    tokenized(manifest, recipe, tmp_path)
    _, calls = tokenized(manifest, recipe, tmp_path, **change)
    assert not calls


def test_another_corpus_is_another_cache(manifest, recipe, tmp_path):
    tokenized(manifest, recipe, tmp_path)
    other = build_corpus(tmp_path / "other", recipe, conversations(65), conversations(8))
    assert tokenized(other, recipe, tmp_path)[1]


def test_a_cache_that_was_not_finished_is_made_again(manifest, recipe, tmp_path):
    tokenized(manifest, recipe, tmp_path)
    next(tmp_path.glob("*/tokenized.json")).unlink()
    made, calls = tokenized(manifest, recipe, tmp_path)
    assert calls
    assert len(made.train) == 64


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 1
    path.write_bytes(content)


# fmt: off
DAMAGES = {                  # the file                what happens to it
    "cut off":               ("train.arrow",           lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])),
    "zeros":                 ("train.arrow",           lambda path: path.write_bytes(bytes(path.stat().st_size))),
    "one bit":               ("train.arrow",           flip),
    "gone":                  ("validation.arrow",      Path.unlink),
    "a receipt cut off":     ("tokenized.json",        lambda path: path.write_text(path.read_text("utf-8")[:20], "utf-8")),
    "a receipt of nothing":  ("tokenized.json",        lambda path: path.write_text("[]", "utf-8")),
}
# fmt: on


@pytest.mark.parametrize(("name", "damage"), DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_cache_is_made_again(name, damage, manifest, recipe, tmp_path):
    expected = rows(tokenized(manifest, recipe, tmp_path)[0])
    damage(next(tmp_path.glob(f"*/{name}")))
    made, calls = tokenized(manifest, recipe, tmp_path)
    assert calls == [("train", 64, 64), ("validation", 8, 8)]
    assert rows(made) == expected
    assert not tokenized(manifest, recipe, tmp_path)[1]


def test_the_rows_are_on_the_disk_before_the_receipt(manifest, recipe, tmp_path, monkeypatch):
    """After a power cut a receipt must not speak of bytes that never came there."""
    synced: list[str] = []

    def fsync(number: int) -> None:
        synced.append(Path(os.readlink(f"/proc/self/fd/{number}")).name)

    monkeypatch.setattr("os.fsync", fsync)
    tokenized(manifest, recipe, tmp_path)
    assert synced[:2] == ["train.arrow", "validation.arrow"]
    assert synced[2].startswith(".tokenized.json")


def test_a_tokenizer_without_a_fast_form_is_refused_in_words(manifest, recipe, tmp_path):
    from transformers import ByT5Tokenizer

    slow = ByT5Tokenizer()
    slow.chat_template = CHATML
    with pytest.raises(ConfigError, match="ByT5Tokenizer has no fast form"):
        tokenized(manifest, recipe, tmp_path, slow)
    with pytest.raises(ConfigError, match="ByT5Tokenizer has no fast form"):
        tokenizer_digest(slow)


def test_arrow_shards_read_like_parquet_ones(manifest, recipe, tmp_path):
    expected = rows(tokenized(manifest, recipe, tmp_path / "parquet")[0])
    written = CorpusManifest.model_validate_json(manifest.read_text("utf-8"))
    splits = []
    for split in written.splits:
        shard = split.shards[0]
        table = pl.read_parquet(manifest.parent / shard.uri).to_arrow()
        path = (manifest.parent / shard.uri).with_suffix(".arrow")
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table, max_chunksize=7)
        moved = shard.model_copy(update={"uri": f"data/{path.name}", "sha256": sha256_of(path)})
        splits.append(split.model_copy(update={"shards": (moved,)}))
    changed = written.model_copy(update={"splits": tuple(splits)})
    manifest.write_text(changed.model_dump_json(), "utf-8")
    Corpus(manifest).verify()
    assert rows(tokenized(manifest, recipe, tmp_path / "arrow")[0]) == expected


def test_the_order_of_rows_is_that_of_the_shards(manifest, recipe, tmp_path):
    made, _ = tokenized(manifest, recipe, tmp_path)
    texts = build_tokenizer().batch_decode(made.train.with_format(None)["input_ids"][:])
    assert all(f"thing {index}?" in text for index, text in enumerate(texts))


def test_places_count_over_the_whole_split_however_it_is_batched(
    manifest, recipe, tmp_path, monkeypatch
):
    monkeypatch.setattr("trainer.corpus.BATCH_ROWS", 7)
    made, calls = tokenized(manifest, recipe, tmp_path)
    assert made.train["row"][:].tolist() == list(range(64))
    assert len(calls) > 2
