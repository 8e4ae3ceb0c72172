"""Models that are Python of their own: at a pinned commit, run only where the recipe trusts them.

`remote_code/` has two small ones of our own, with the layouts whose names LoRA has to know.
"""

import contextlib
import importlib.util
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest
import torch
from safetensors.torch import load_file

from schemas.answers import Decoding
from schemas.errors import ConfigError
from schemas.train import BaseModel, Lora
from tests.trainer.building import build_tokenizer
from tests.trainer.hub_stand_in import HubStandIn
from tests.trainer.test_families import train_tiny
from trainer.model import load_model
from trainer.opening import open_assistant
from trainer.weights import find_base

CODE = Path(__file__).parent / "remote_code"


@dataclass(frozen=True)
class Foreign:
    """A model of its own code: where it lies, what it is called in there, and what LoRA learns."""

    file: str
    config: str
    model: str
    targets: frozenset[str]
    linears: frozenset[str]


# fmt: off
FOREIGN = {
    "W_pack, Baichuan": Foreign(
        "modeling_baichuan", "BaichuanConfig", "BaichuanForCausalLM",
        frozenset({"W_pack"}),
        frozenset({"W_pack", "o_proj", "up_proj", "down_proj"}),
    ),
    "query_key_value, ChatGLM": Foreign(
        "modeling_chatglm", "ChatGLMConfig", "ChatGLMForConditionalGeneration",
        frozenset({"query_key_value"}),
        frozenset({"query_key_value", "dense", "dense_h_to_4h", "dense_4h_to_h"}),
    ),
}
# fmt: on


def module_of(one: Foreign) -> ModuleType:
    found = importlib.util.spec_from_file_location(one.file, CODE / f"{one.file}.py")
    assert found
    assert found.loader
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


def written(one: Foreign, folder: Path) -> dict[str, bytes]:
    """The files of a repository with random weights, the code, and where `Auto` classes find it."""
    module = module_of(one)
    torch.manual_seed(0)
    tokenizer = build_tokenizer()
    config = getattr(module, one.config)(eos_token_id=tokenizer.eos_token_id)
    getattr(module, one.model)(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    told = json.loads((folder / "config.json").read_text("utf-8"))
    told["auto_map"] = {
        "AutoConfig": f"{one.file}.{one.config}",
        "AutoModelForCausalLM": f"{one.file}.{one.model}",
    }
    (folder / "config.json").write_text(json.dumps(told), "utf-8")
    (folder / f"{one.file}.py").write_bytes((CODE / f"{one.file}.py").read_bytes())
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def runnable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A place of the test's own to run a model's code from."""
    monkeypatch.setattr("transformers.dynamic_module_utils.HF_MODULES_CACHE", str(tmp_path / "run"))
    monkeypatch.syspath_prepend(str(tmp_path / "run"))


@pytest.fixture(params=FOREIGN.values(), ids=FOREIGN.keys())
def family(request: pytest.FixtureRequest) -> Foreign:
    return request.param


@pytest.fixture
def foreign_code(tmp_path: Path, runnable: None) -> dict[str, bytes]:
    """The files of the first of them."""
    return written(FOREIGN["W_pack, Baichuan"], tmp_path / "written")


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


def adapted(folder: Path) -> set[str]:
    """The modules that a saved adapter is of."""
    names = load_file(folder / "adapter" / "adapter_model.safetensors")
    return {name.split(".lora_")[0].rpartition(".")[2] for name in names}


@pytest.mark.parametrize("targets", ["family", "all-linear"])
def test_code_of_a_model_is_run_at_the_pinned_commit_and_trained(
    targets, family, runnable, tmp_path, monkeypatch
):
    files = written(family, tmp_path / "written")
    with on_the_hub(files, tmp_path / "cache", monkeypatch) as (hub, commit):
        lora = Lora(rank=4, alpha=8, targets=(targets,))
        done = train_tiny(foreign(commit), tmp_path / "lake", lora=lora, max_steps=12)
        assert [line for line in hub.asked if line.endswith(f"{family.file}.py")]
        assistant = open_assistant(done.folder, tmp_path / "lake")
    made = done.manifest
    assert made.base_revision == commit
    assert made.after.loss < made.before.loss - 0.05
    assert made.acceptance.nonzero_lora_b == made.acceptance.tensors // 2
    assert adapted(Path(done.folder)) == (family.targets if targets == "family" else family.linears)
    questions = ["Why?", "What colour is thing 3?", "a " * 30]
    prompts = [assistant.prompt_ids([{"role": "user", "content": one}]) for one in questions]
    greedy = Decoding(max_new_tokens=6)
    together = assistant.answer_all(prompts, greedy, range(3))
    alone = [assistant.answer_all([prompt], greedy, [0])[0] for prompt in prompts]
    assert [one.text for one in together] == [one.text for one in alone]


def test_code_of_a_model_is_neither_fetched_nor_run_unless_trusted(
    family, runnable, tmp_path, monkeypatch
):
    files = written(family, tmp_path / "written")
    files[f"{family.file}.py"] = b"raise SystemExit('a stranger ran')"
    with on_the_hub(files, tmp_path / "cache", monkeypatch) as (hub, commit):
        found = find_base(foreign(commit, trust=False))
        assert not [line for line in hub.asked if line.endswith(".py")]
        with pytest.raises(ConfigError, match="only with trust_remote_code and a pinned revision"):
            load_model(found, bf16=False)


def test_code_that_lies_in_a_folder_of_ones_own_is_not_run_either(family, runnable, tmp_path):
    written(family, tmp_path / "written")
    (tmp_path / "written" / f"{family.file}.py").write_text("raise SystemExit('it ran')", "utf-8")
    found = find_base(BaseModel(name="tests/foreign", path=str(tmp_path / "written")))
    with pytest.raises(ConfigError, match="only with trust_remote_code and a pinned revision"):
        load_model(found, bf16=False)


def test_a_model_of_its_own_code_that_heeds_no_mask_is_not_packed(
    family, runnable, tmp_path, monkeypatch
):
    files = written(family, tmp_path / "written")
    refused = pytest.raises(ConfigError, match="cannot keep the conversations of a pack apart")
    with on_the_hub(files, tmp_path / "cache", monkeypatch) as (_, commit), refused:
        train_tiny(foreign(commit), tmp_path / "lake", packing=True)


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
