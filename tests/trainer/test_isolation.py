"""Conversations of one pack: their logits are those that each has alone."""

from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM

from schemas.errors import ConfigError
from tests.trainer.families import FAMILIES, config_of
from trainer.attention import wants_flat_packs
from trainer.batches import PackingCollator
from trainer.isolation import isolating

BLIND = ("bloom", "falcon with alibi")
"""To positions and to a mask of pairs: ALiBi counts from the row's beginning."""
MASKED = ("opt", "falcon")
"""To positions only."""


def model_of(family: str) -> Any:
    torch.manual_seed(0)
    return AutoModelForCausalLM.from_config(config_of(family))


@pytest.mark.parametrize("family", [one for one in FAMILIES if one not in BLIND])
def test_a_packed_conversation_has_the_logits_that_it_has_alone(family):
    model = model_of(family).eval()
    collator = isolating(model, PackingCollator(pad_id=0), "tiny")
    assert collator.mask == (torch.float32 if family in MASKED else None)
    parts = [[11, 12, 13, 14], [21, 22], [31, 32, 33, 34, 35, 36]]
    pack = [{"input_ids": ids, "labels": ids} for ids in parts]
    batch = collator([pack, pack[:1]])
    batch.pop("labels")
    with torch.inference_mode():
        packed = model(**batch, use_cache=False).logits[0]
        alone = [model(input_ids=torch.tensor([ids])).logits[0] for ids in parts]
    assert torch.allclose(packed, torch.cat(alone), atol=1e-4)


@pytest.mark.parametrize("family", BLIND)
def test_a_model_that_cannot_keep_them_apart_is_refused_before_it_trains(family):
    with pytest.raises(ConfigError, match=r"train\.packing: tiny cannot keep .* to false"):
        isolating(model_of(family), PackingCollator(pad_id=0), "tiny")


@pytest.mark.parametrize(
    ("attention", "flat"),
    [("sdpa", False), ("flex_attention", False), ("flash_attention_2", True)],
)
def test_packs_lie_in_one_row_for_flash_attention_alone(attention, flat):
    model = model_of("llama")
    model.config._attn_implementation_internal = attention
    assert wants_flat_packs(model) is flat


def test_flat_packs_keep_conversations_apart_too():
    model = model_of("llama")
    assert isolating(model, PackingCollator(pad_id=0, flat=True), "tiny").flat


class Careless(torch.nn.Module):
    """Heeds positions in a batch of one row, and in others numbers them through."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = model_of("llama")

    def forward(self, input_ids: Any, position_ids: Any, **rest: Any) -> Any:
        if len(input_ids) > 1:
            position_ids = torch.arange(input_ids.shape[1]).expand_as(input_ids)
        return self.inner(input_ids=input_ids, position_ids=position_ids, **rest)


def test_the_proof_is_of_a_batch_of_several_packs():
    collator = isolating(Careless(), PackingCollator(pad_id=0), "tiny")
    assert collator.mask == torch.float32


def test_memory_that_runs_out_is_no_fault_of_the_model():
    model = model_of("llama")
    model.register_forward_pre_hook(lambda *_: torch.empty(2**60))
    with pytest.raises(RuntimeError, match="can't allocate memory"):
        isolating(model, PackingCollator(pad_id=0), "tiny")


def test_the_model_is_left_in_the_mode_it_was_in():
    model = model_of("llama").train()
    isolating(model, PackingCollator(pad_id=0), "tiny")
    assert model.training
