"""Conversations of one pack: their logits are those that each has alone."""

import copy
from typing import Any

import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    BloomConfig,
    FalconConfig,
    GlmConfig,
    GPT2Config,
    GPTNeoConfig,
    LlamaConfig,
    MistralConfig,
    OPTConfig,
    Qwen2Config,
)

from schemas.errors import ConfigError
from trainer.attention import wants_flat_packs
from trainer.batches import PackingCollator
from trainer.isolation import isolating

_SIZES = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
_GATED = {**_SIZES, "intermediate_size": 64, "num_key_value_heads": 2}
_ENDS = {"bos_token_id": 1, "eos_token_id": 2, "vocab_size": 64}
# fmt: off
FAMILIES = {
    "llama":   (LlamaConfig(**_GATED, **_ENDS, initializer_range=0.2), None),
    "qwen2":   (Qwen2Config(**_GATED, **_ENDS, initializer_range=0.2), None),
    "mistral": (MistralConfig(**_GATED, **_ENDS, initializer_range=0.2), None),
    "glm":     (GlmConfig(**_GATED, **_ENDS, head_dim=8, pad_token_id=0, initializer_range=0.2),
                None),
    "gpt2":    (GPT2Config(n_embd=32, n_layer=2, n_head=4, **_ENDS, initializer_range=0.2), None),
    "gpt_neo": (GPTNeoConfig(hidden_size=32, num_layers=2, num_heads=4, intermediate_size=64,
                             attention_types=[[["global", "local"], 1]], **_ENDS,
                             initializer_range=0.2), None),
    "opt":     (OPTConfig(**_SIZES, ffn_dim=64, word_embed_proj_dim=32, **_ENDS, init_std=0.2),
                torch.float32),
    "falcon":  (FalconConfig(**_SIZES, **_ENDS, initializer_range=0.2), torch.float32),
}
# fmt: on


def model_of(config: Any) -> Any:
    torch.manual_seed(0)
    return AutoModelForCausalLM.from_config(copy.deepcopy(config))


@pytest.mark.parametrize(("config", "mask"), FAMILIES.values(), ids=FAMILIES.keys())
def test_a_packed_conversation_has_the_logits_that_it_has_alone(config, mask):
    model = model_of(config).eval()
    collator = isolating(model, PackingCollator(pad_id=0), "tiny")
    assert collator.mask == mask
    parts = [[11, 12, 13, 14], [21, 22], [31, 32, 33, 34, 35, 36]]
    pack = [{"input_ids": ids, "labels": ids} for ids in parts]
    batch = collator([pack, pack[:1]])
    batch.pop("labels")
    with torch.inference_mode():
        packed = model(**batch, use_cache=False).logits[0]
        alone = [model(input_ids=torch.tensor([ids])).logits[0] for ids in parts]
    assert torch.allclose(packed, torch.cat(alone), atol=1e-4)


# fmt: off
BLIND = {   # to positions, and to a mask of pairs: ALiBi counts from the row's beginning
    "bloom":             BloomConfig(hidden_size=32, n_layer=2, n_head=4, **_ENDS,
                                     initializer_range=0.2),
    "falcon with alibi": FalconConfig(**_SIZES, alibi=True, **_ENDS, initializer_range=0.2),
}
# fmt: on


@pytest.mark.parametrize("config", BLIND.values(), ids=BLIND.keys())
def test_a_model_that_cannot_keep_them_apart_is_refused_before_it_trains(config):
    with pytest.raises(ConfigError, match=r"train\.packing: tiny cannot keep .* to false"):
        isolating(model_of(config), PackingCollator(pad_id=0), "tiny")


@pytest.mark.parametrize(
    ("attention", "flat"),
    [("sdpa", False), ("flex_attention", False), ("flash_attention_2", True)],
)
def test_packs_lie_in_one_row_for_flash_attention_alone(attention, flat):
    model = model_of(FAMILIES["llama"][0])
    model.config._attn_implementation_internal = attention
    assert wants_flat_packs(model) is flat


def test_flat_packs_keep_conversations_apart_too():
    model = model_of(FAMILIES["llama"][0])
    assert isolating(model, PackingCollator(pad_id=0, flat=True), "tiny").flat


def test_the_model_is_left_in_the_mode_it_was_in():
    model = model_of(FAMILIES["llama"][0]).train()
    isolating(model, PackingCollator(pad_id=0), "tiny")
    assert model.training
