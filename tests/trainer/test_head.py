"""The loss of labelled positions alone is the loss of all logits, and its gradients are theirs."""

import warnings
from functools import partial
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import (
    BloomConfig,
    BloomForCausalLM,
    Gemma2Config,
    Gemma2ForCausalLM,
    GPT2Config,
    GPT2LMHeadModel,
    GraniteConfig,
    GraniteForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
)

from trainer import head
from trainer.batch_size import kept_bytes
from trainer.batches import token_loss
from trainer.head import Head, Way

VOCABULARY = 97
SHAPE: dict[str, Any] = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}


def llama(**more: Any) -> Any:
    return LlamaForCausalLM(LlamaConfig(**SHAPE | more))


def gpt2() -> Any:
    ids = {"vocab_size": VOCABULARY, "bos_token_id": 1, "eos_token_id": 2}
    quiet = {"resid_pdrop": 0, "embd_pdrop": 0, "attn_pdrop": 0}
    return GPT2LMHeadModel(GPT2Config(n_embd=32, n_layer=2, n_head=4, **ids, **quiet))


def bloom() -> Any:
    return BloomForCausalLM(BloomConfig(vocab_size=VOCABULARY, hidden_size=32, n_layer=2, n_head=4))


def turned_around() -> Any:
    """A model whose output layer is given tokens x rows, as ChatGLM's own code does."""
    model = llama()

    def turned(_module: Any, _given: Any, output: Any, name: str) -> Any:
        output[name] = output[name].transpose(0, 1)
        return output

    model.model.register_forward_hook(partial(turned, name="last_hidden_state"))
    model.register_forward_hook(partial(turned, name="logits"))
    return model


def capped() -> Any:
    return Gemma2ForCausalLM(Gemma2Config(**SHAPE, final_logit_softcapping=0.1))


def scaled() -> Any:
    return GraniteForCausalLM(GraniteConfig(**SHAPE, logits_scaling=4.0))


# fmt: off
MODELS = {                                 # model                                    way
    "llama":                               (llama,                                    Way.CHUNKS),
    "llama, one matrix in and out":        (lambda: llama(tie_word_embeddings=True),  Way.CHUNKS),
    "gpt2":                                (gpt2,                                     Way.CHUNKS),
    "bloom":                               (bloom,                                    Way.CHUNKS),
    "logits are capped":                   (capped,                                   Way.LABELLED),
    "logits are scaled":                   (scaled,                                   Way.LABELLED),
    "tokens x rows":                       (turned_around,                            Way.WHOLE),
}
# fmt: on


def adapted(model: Any, targets: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # peft: lm_head is tied to the input embeddings
        return get_peft_model(
            model,
            LoraConfig(r=4, target_modules=targets, task_type="CAUSAL_LM", init_lora_weights=False),
        )


LEARNING = {
    "all weights": lambda model: model,
    "an adapter of the layers": lambda model: adapted(model, "all-linear"),
    "an adapter of the output": lambda model: adapted(model, ["lm_head"]),
}


def gradients(model: Any, loss: torch.Tensor) -> dict[str, torch.Tensor]:
    model.zero_grad()
    (loss / 7).backward()
    return {
        name: one.grad.clone() for name, one in model.named_parameters() if one.grad is not None
    }


@pytest.fixture
def batch() -> tuple[torch.Tensor, torch.Tensor]:
    ids = torch.randint(0, VOCABULARY, (3, 11), generator=torch.Generator().manual_seed(5))
    labels = ids.clone()
    labels[:, :4] = -100
    labels[1, 8:] = -100
    return ids, labels


@pytest.mark.parametrize("learning", LEARNING.values(), ids=LEARNING)
@pytest.mark.parametrize(("build", "way"), MODELS.values(), ids=MODELS)
def test_loss_and_gradients_are_those_of_all_logits(build, way, learning, batch, monkeypatch):
    monkeypatch.setattr(head, "CHUNK_CPU", 5 * VOCABULARY)  # several chunks, the last not full
    torch.manual_seed(1)
    model = learning(build())
    model.train()
    ids, labels = batch
    found = Head(model)
    assert found.way is way
    expected = token_loss(model(input_ids=ids), labels)
    wanted = gradients(model, expected)
    with found.installed(), found.over(labels):
        loss = found.loss(model(input_ids=ids), labels)
        given = gradients(model, loss)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    assert given.keys() == wanted.keys()
    for name, one in wanted.items():
        torch.testing.assert_close(given[name], one, rtol=1e-3, atol=1e-5)


def test_a_model_is_as_it_was_afterwards(batch):
    model = llama()
    before = model(input_ids=batch[0]).logits
    found = Head(model)
    with found.installed():
        assert torch.equal(model(input_ids=batch[0]).logits, before)  # over no labels
    assert "forward" not in model.lm_head.__dict__
    assert torch.equal(model(input_ids=batch[0]).logits, before)


def test_a_batch_without_labels_has_no_loss_and_no_gradient(batch):
    model = llama()
    labels = torch.full_like(batch[0], -100)
    found = Head(model)
    with found.installed(), found.over(labels):
        loss = found.loss(model(input_ids=batch[0]), labels)
        loss.backward()
    assert loss.item() == 0
    assert not model.lm_head.weight.grad.any()


def test_a_sharded_model_keeps_to_its_own_backward_pass():
    assert Head(llama(), sharded=True).way is Way.LABELLED


def test_the_logits_are_not_kept(batch):
    """Of a vocabulary that outweighs the model, a fraction of what plain training keeps."""
    model = adapted(llama(vocab_size=8_000), ["q_proj"])
    ids = batch[0]
    labels = torch.where(torch.arange(11) < 9, -100, ids)
    found = Head(model)

    def plain(given: Any) -> torch.Tensor:
        return token_loss(model(input_ids=given["input_ids"]), labels)

    def ours(given: Any) -> torch.Tensor:
        with found.installed(), found.over(labels):
            return found.loss(model(input_ids=given["input_ids"]), labels)

    logits = 2 * 3 * 8_000 * 4  # of the labelled positions alone
    kept = [kept_bytes(model, loss, {"input_ids": ids}) for loss in (plain, ours)]
    assert kept[0] - kept[1] >= 0.99 * logits  # what is kept is a gradient of the width


def test_memory_that_runs_out_is_no_reason_for_all_the_logits():
    """They would want more of it."""
    model, calls = llama(), []

    def exhaust(*_: Any) -> None:
        calls.append(1)
        if len(calls) > 1:
            torch.empty(2**60)

    model.register_forward_pre_hook(exhaust)
    with pytest.raises(RuntimeError, match="can't allocate memory"):
        Head(model)
