"""Every family behind one interface: built tiny from its configuration, trained, saved, accepted."""

import contextlib
import json
from collections.abc import Iterator
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
from tests.trainer.hub_stand_in import HubStandIn
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


CODE = """
import torch
from torch import nn
from transformers import GenerationMixin, PretrainedConfig, PreTrainedModel
from transformers.modeling_outputs import CausalLMOutput


class BaichuanConfig(PretrainedConfig):
    model_type = "baichuan"

    def __init__(self, vocab_size=300, hidden_size=32, **rest):
        self.vocab_size, self.hidden_size = vocab_size, hidden_size
        self.num_hidden_layers, self.use_cache = 1, False
        super().__init__(**rest)


class BaichuanForCausalLM(PreTrainedModel, GenerationMixin):
    config_class = BaichuanConfig

    def __init__(self, config):
        super().__init__(config)
        self.embed = nn.Embedding(config.vocab_size, config.hidden_size)
        self.W_pack = nn.Linear(config.hidden_size, 3 * config.hidden_size, bias=False)
        self.lm_head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        self.post_init()

    def get_output_embeddings(self):
        return self.lm_head

    def _init_weights(self, module):
        if hasattr(module, "weight"):
            nn.init.normal_(module.weight, std=0.3)

    def forward(self, input_ids=None, attention_mask=None, labels=None, **_):
        heard = self.embed(input_ids)
        query, key, value = self.W_pack(heard).chunk(3, dim=-1)
        said = nn.functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        return CausalLMOutput(logits=self.lm_head(heard + said))
"""


@pytest.fixture
def foreign_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """The files of a repository whose model is code of its own, and a place to run it from."""
    monkeypatch.setattr("transformers.dynamic_module_utils.HF_MODULES_CACHE", str(tmp_path / "run"))
    monkeypatch.syspath_prepend(str(tmp_path / "run"))
    spelled = tmp_path / "spelled"
    spelled.mkdir()
    space: dict[str, Any] = {}
    exec(CODE, space)
    torch.manual_seed(0)
    space["BaichuanForCausalLM"](space["BaichuanConfig"]()).save_pretrained(spelled)
    build_tokenizer().save_pretrained(spelled)
    config = json.loads((spelled / "config.json").read_text("utf-8"))
    config["auto_map"] = {
        "AutoConfig": "modeling_baichuan.BaichuanConfig",
        "AutoModelForCausalLM": "modeling_baichuan.BaichuanForCausalLM",
    }
    (spelled / "config.json").write_text(json.dumps(config), "utf-8")
    (spelled / "modeling_baichuan.py").write_text(CODE, "utf-8")
    return {path.name: path.read_bytes() for path in spelled.iterdir()}


@contextlib.contextmanager
def on_the_hub(
    files: dict[str, bytes], cache: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[HubStandIn, str]]:
    """A repository `winnow/foreign` and its commit, on a Hub that huggingface_hub reaches."""
    with HubStandIn().running() as hub:
        hub.repos["winnow/foreign"] = False
        commit = "c" * 40
        hub.commits["winnow/foreign"] = [(commit, "first", files)]
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        monkeypatch.setenv("HF_TOKEN", hub.reader)
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(cache))
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", hub.url)
        resolve = hub.url + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", resolve)
        yield hub, commit


def foreign(revision: str, trust: bool = True) -> BaseModel:
    return BaseModel(
        name="tests/foreign", repo="winnow/foreign", revision=revision, trust_remote_code=trust
    )


def test_code_of_a_model_is_run_at_the_pinned_commit_and_trained(
    foreign_code, tmp_path, monkeypatch
):
    with on_the_hub(foreign_code, tmp_path / "cache", monkeypatch) as (hub, commit):
        lora = Lora(rank=4, targets=("family",))
        done = train_tiny(foreign(commit), tmp_path / "lake", lora=lora)
        assert [line for line in hub.asked if line.endswith("modeling_baichuan.py")]
    made = done.manifest
    assert made.base_revision == commit
    assert made.before
    assert made.after
    assert made.after.loss < made.before.loss
    assert made.acceptance.generated_tokens >= 1
    names = load_file(Path(done.folder) / "adapter" / "adapter_model.safetensors")
    assert all("W_pack" in name for name in names)


def test_code_of_a_model_is_neither_fetched_nor_run_unless_trusted(
    foreign_code, tmp_path, monkeypatch
):
    with on_the_hub(foreign_code, tmp_path / "cache", monkeypatch) as (hub, commit):
        files = find_base(foreign(commit, trust=False))
        assert not [line for line in hub.asked if line.endswith(".py")]
        with pytest.raises(ConfigError, match="only with trust_remote_code and a pinned revision"):
            load_model(files, bf16=False)


def test_code_of_another_repository_is_not_pinned_and_refused(foreign_code, tmp_path, monkeypatch):
    config = json.loads(foreign_code["config.json"])
    config["auto_map"]["AutoModelForCausalLM"] = "other/repo--modeling.Model"
    changed = foreign_code | {"config.json": json.dumps(config).encode()}
    refused = pytest.raises(ConfigError, match=r"other/repo--modeling.*no revision pins")
    with on_the_hub(changed, tmp_path / "cache", monkeypatch) as (_, commit), refused:
        find_base(foreign(commit))


def test_all_weights_of_a_model_that_is_code_are_not_trained(foreign_code, tmp_path, monkeypatch):
    refused = pytest.raises(ConfigError, match="method full: tests/foreign is code of its own")
    with on_the_hub(foreign_code, tmp_path / "cache", monkeypatch) as (_, commit), refused:
        train_tiny(foreign(commit), tmp_path / "lake", method="full")


def test_trusting_code_without_a_commit_is_refused_by_the_recipe():
    with pytest.raises(ValueError, match="40 hex digits"):
        foreign("main")


def test_a_model_of_a_format_that_can_run_code_is_refused(tmp_path):
    build_model(tmp_path / "model")
    (tmp_path / "model" / "model.safetensors").rename(tmp_path / "model" / "pytorch_model.bin")
    with pytest.raises(ConfigError, match="pickled weights can run code"):
        find_base(BaseModel(name="t", path=str(tmp_path / "model")))
