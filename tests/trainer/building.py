"""Small real things to train on: a tokenizer, a model, a corpus, a recipe. All made offline."""

import hashlib
import json
from pathlib import Path
from typing import Any

import polars as pl

from schemas.manifest import CorpusManifest, ShardRef, SourceEntry, SplitEntry, Statistics
from schemas.recipe import Recipe
from schemas.source import Layout, Source
from schemas.train import BaseModel, Lora, Push, Train
from schemas.upstream import LocalUpstream

CHATML = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message.role + '\n' + message.content + '<|im_end|>\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
COLOURS = ("red", "green", "blue", "yellow", "brown", "white", "black", "grey")
Messages = list[dict[str, str]]


def build_tokenizer(chat_template: str | None = CHATML, **named: str) -> Any:
    """A byte-level tokenizer of some 300 tokens with ChatML's special tokens."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=300,
        special_tokens=["<|pad|>", "<|im_start|>", "<|im_end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    backend.train_from_iterator([f"What colour is it? {' '.join(COLOURS)}"] * 20, trainer)
    named = {"eos_token": "<|im_end|>", "pad_token": "<|pad|>"} | named
    return PreTrainedTokenizerFast(tokenizer_object=backend, chat_template=chat_template, **named)


def build_model(folder: Path, seed: int = 3, **changed: Any) -> Path:
    """A folder with a random two-layer LLaMA, its tokenizer and its chat template."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer = build_tokenizer()
    tokenizer.save_pretrained(folder)
    torch.manual_seed(seed)
    settings: dict[str, Any] = {
        "vocab_size": len(tokenizer),
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 256,
        "initializer_range": 0.2,  # its output layer, which stays frozen, is to say much
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
        "bos_token_id": None,
    }
    LlamaForCausalLM(LlamaConfig(**settings | changed)).save_pretrained(folder)
    return folder


def conversations(rows: int, start: int = 0) -> list[Messages]:
    """Questions whose answers can be learnt."""
    return [
        [
            {"role": "user", "content": f"What colour is thing {index}?"},
            {"role": "assistant", "content": f"It is {COLOURS[index % len(COLOURS)]}."},
        ]
        for index in range(start, start + rows)
    ]


def recipe_of(model: Path, **train: Any) -> Recipe:
    settings: dict[str, Any] = {
        "max_tokens": 64,
        "max_steps": 10,
        "batch_size": 4,
        "learning_rate": 1e-2,
        "save_steps": 5,
        "threads": 1,
        "lora": Lora(rank=4, alpha=8, dropout=0.1),
        "push": Push(repo="winnow/tiny", target="folder"),
    }
    source = Source(
        name="things", layout=Layout.MESSAGES, licence="CC0-1.0", local=LocalUpstream(path="/none")
    )
    return Recipe(
        name="tiny",
        sources=(source,),
        train=Train(base_model=BaseModel(name="tests/tiny", path=str(model)), **settings | train),
    )


def build_corpus(
    lake: Path,
    recipe: Recipe,
    train: list[Messages],
    validation: list[Messages],
    status: str = "published",
    tools: str | None = None,
) -> Path:
    """A published corpus version; every third row is of the source `others`."""
    folder = lake / "corpora" / recipe.name / "v0001"
    (folder / "data").mkdir(parents=True)
    frames = {"train": _frame(train, tools), "validation": _frame(validation, tools)}
    splits = tuple(_split(folder, name, frame) for name, frame in frames.items())
    everything = pl.concat(list(frames.values()))
    sources = tuple(
        SourceEntry(
            name=name,
            upstream="here",
            revision=None,
            raw_digest="0" * 64,
            files=(),
            licence="CC0-1.0",
            citation="",
            homepage="",
            rows_in=rows,
            rows_out=rows,
        )
        for name, rows in everything["source"].value_counts(sort=True).iter_rows()
    )
    manifest = CorpusManifest.model_validate(
        {
            "name": recipe.name,
            "version": "v0001",
            "digest": hashlib.sha256(everything.write_json().encode()).hexdigest(),
            "inputs_digest": "0" * 64,
            "recipe_digest": "0" * 64,
            "records_digest": "0" * 64,
            "status": status,
            "created_at": "2025-01-01T00:00:00Z",
            "host": "tests",
            "recipe": recipe.model_dump(mode="json"),
            "sources": sources,
            "rows_in": len(everything),
            "rows_out": len(everything),
            "drops": (),
            "splits": splits,
            "ledger": (),
            "statistics": Statistics(),
            "gates": (),
            "code_digest": "0" * 64,
        }
    )
    path = folder / "manifest.json"
    path.write_text(manifest.model_dump_json(), "utf-8")
    return path


def write_recipe(path: Path, recipe: Recipe) -> Path:
    path.write_text(json.dumps(recipe.model_dump(mode="json")), "utf-8")
    return path


def _frame(rows: list[Messages], tools: str | None) -> pl.DataFrame:
    message = pl.List(pl.Struct({"role": pl.String, "content": pl.String}))
    sources = ["others" if index % 3 == 2 else "things" for index in range(len(rows))]
    return pl.DataFrame(
        {"source": sources, "messages": rows, "tools": [tools] * len(rows)},
        schema={"source": pl.String, "messages": message, "tools": pl.String},
    )


def _split(folder: Path, name: str, frame: pl.DataFrame) -> SplitEntry:
    path = folder / "data" / f"{name}-00000-of-00001.parquet"
    frame.write_parquet(path)
    content = path.read_bytes()
    shard = ShardRef(
        uri=f"data/{path.name}",
        sha256=hashlib.sha256(content).hexdigest(),
        rows=len(frame),
        size_bytes=len(content),
    )
    return SplitEntry(name=name, rows=len(frame), shards=(shard,))
