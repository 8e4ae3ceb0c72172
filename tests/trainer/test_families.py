"""Every family behind one interface: built tiny from its configuration, trained, saved, accepted."""

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from schemas.adapter import TrainingRun
from schemas.errors import ConfigError
from schemas.train import BaseModel, Lora, Supervise
from tests.trainer.building import (
    build_corpus,
    build_model,
    build_tokenizer,
    conversations,
    recipe_of,
)
from tests.trainer.families import config_of
from trainer.labels import TextEncoder
from trainer.model import attach_lora, family_targets, load_model, load_tokenizer
from trainer.progress import Progress
from trainer.run import run
from trainer.templates import choose_template
from trainer.weights import BaseFiles, find_base

# fmt: off
FAMILY_TARGETS = {  # of `family`
    "gpt2":    {"c_attn"},
    "gpt_neo": {"q_proj", "v_proj"},
    "opt":     {"q_proj", "v_proj"},
    "llama":   {"q_proj", "v_proj"},
    "qwen2":   {"q_proj", "v_proj"},
    "mistral": {"q_proj", "v_proj"},
    "falcon":  {"query_key_value"},
    "bloom":   {"query_key_value"},
    "glm":     {"q_proj", "v_proj"},
}
# fmt: on


def build_family(family: str, folder: Path) -> Path:
    """A tiny random model of a family, with the tests' tokenizer, from its configuration alone."""
    from transformers import AutoModelForCausalLM

    tokenizer = build_tokenizer()
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    config = config_of(
        family,
        vocab_size=len(tokenizer),
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    return folder


def train_tiny(base: BaseModel, lake: Path, **settings: Any) -> TrainingRun:
    few = {"max_steps": 6, "save_steps": 6, "batch_size": 8, "push": None}
    recipe = recipe_of(lake, **few | settings)
    assert recipe.train
    train = recipe.train.model_copy(update={"base_model": base})
    recipe = recipe.model_copy(update={"train": train})
    manifest = build_corpus(lake, recipe, conversations(24), conversations(8, start=24))
    return run(manifest, recipe, lake, None, Progress())


@pytest.mark.parametrize("family", FAMILY_TARGETS)
def test_a_family_is_trained_and_its_adapter_accepted(family, tmp_path):
    model = build_family(family, tmp_path / "model")
    base = BaseModel(name="tests/tiny", path=str(model))
    done = train_tiny(base, tmp_path / "lake", lora=Lora(rank=4, alpha=8, targets=("family",)))
    made = done.manifest
    assert made.before
    assert made.after
    assert made.after.loss < made.before.loss - 0.05
    assert made.acceptance.nonzero_lora_b == made.acceptance.tensors // 2
    assert 1 <= made.acceptance.generated_tokens <= 8
    names = load_file(Path(done.folder) / "adapter" / "adapter_model.safetensors")
    assert {name.split(".lora_")[0].rpartition(".")[2] for name in names} == FAMILY_TARGETS[family]


@pytest.mark.parametrize("family", FAMILY_TARGETS)
def test_all_linear_layers_take_an_adapter_that_changes_nothing_yet(family, tmp_path):
    model = build_family(family, tmp_path)
    files = BaseFiles("t", model, "local", None)
    bare = load_model(files, bf16=False)
    ids = torch.tensor([[3, 4, 5]])
    before = bare(input_ids=ids).logits
    adapted = attach_lora(bare, Lora(rank=2, alpha=4, targets=("all-linear",)), files)
    assert torch.equal(adapted(input_ids=ids).logits, before)
    adapted.save_pretrained(tmp_path / "adapter", save_embedding_layers=False)
    names = load_file(tmp_path / "adapter" / "adapter_model.safetensors")
    assert names
    assert not [name for name in names if "lm_head" in name or "embed_out" in name]


# fmt: off
TARGETS = {
    "chatglm":       ["query_key_value"],
    "baichuan":      ["W_pack"],
    "glm4":          ["q_proj", "v_proj"],
    "qwen":          ["c_attn"],
    "never heard of": "all-linear",
}
# fmt: on


@pytest.mark.parametrize(("model_type", "targets"), TARGETS.items(), ids=TARGETS.keys())
def test_families_that_are_code_of_their_own_have_targets_too(model_type, targets):
    assert family_targets(model_type) == targets


# fmt: off
TOKENIZERS = {    # folder       template    what ends a response
    "gpt2":      ("vicuna",   "<|endoftext|>"),
    "llama2":    ("alpaca",   "</s>"),
    "qwen2_5":   (None,       "<|im_end|>"),
    "baichuan2": ("hugchat",  "</s>"),
    "chatglm3":  ("instruct", "</s>"),
}
# fmt: on


@pytest.mark.parametrize("name", TOKENIZERS)
def test_a_real_tokenizer_is_told_what_chat_will_ask(name, shared):
    template, stop = TOKENIZERS[name]
    tokenizer = load_tokenizer(BaseFiles(name, shared(f"tokenizers/{name}"), "local", None))
    chosen = choose_template(tokenizer, template, name)
    assert chosen.stop == stop
    said = [{"role": "user", "content": "你好, how is 3 + 4?"}]
    answered = [*said, {"role": "assistant", "content": "It is 7.\n好的。"}]
    prompt, answer = chosen.segments(answered, Supervise.LAST)
    assert prompt == chosen.prompt(said)
    assert answer == "It is 7.\n好的。"
    ids = TextEncoder(tokenizer).opening([prompt])[0]
    assert len(ids) > 5


def test_a_model_of_a_format_that_can_run_code_is_refused(tmp_path):
    build_model(tmp_path / "model")
    (tmp_path / "model" / "model.safetensors").rename(tmp_path / "model" / "pytorch_model.bin")
    with pytest.raises(ConfigError, match="pickled weights can run code"):
        find_base(BaseModel(name="t", path=str(tmp_path / "model")))
