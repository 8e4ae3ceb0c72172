"""An adapter merged into its base model is the adapted model, and loads without Winnow."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

from schemas.adapter import TrainingRun
from schemas.digests import sha256_of
from schemas.errors import AdapterRejected, ConfigError, UnknownName
from schemas.recipe import Recipe
from schemas.train import Lora, Train
from tests.trainer.building import build_corpus, conversations, recipe_of
from trainer.files import MANIFEST, WEIGHTS
from trainer.merge import merge
from trainer.model import load_model
from trainer.progress import Progress
from trainer.run import run
from trainer.weights import BaseFiles

# fmt: off
WAYS = {
    "LoRA":          {},
    "rsLoRA, DoRA":  {"lora": Lora(rank=4, rslora=True, dora=True)},
    "over 4 bits":   {"quantize": "nf4"},
    "over 8 bits":   {"quantize": "int8"},
}
# fmt: on


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("lake")


@pytest.fixture(scope="module")
def runs(lake: Path, tiny_model: Path) -> dict[str, TrainingRun]:
    """A run of each way, and one of all weights."""
    short = {"max_steps": 4, "batch_size": 8, "push": None, "template": "alpaca"}
    recipe = recipe_of(tiny_model, **short)
    corpus = build_corpus(lake, recipe, conversations(32), conversations(4, start=32))
    whole = {"method": "full", "learning_rate": 1e-3}
    return {
        name: run(corpus, changed(recipe, settings), lake, None, Progress())
        for name, settings in (WAYS | {"whole": whole}).items()
    }


def changed(recipe: Recipe, settings: dict[str, Any]) -> Recipe:
    assert recipe.train
    train = Train.model_validate(recipe.train.model_dump() | settings)
    return recipe.model_copy(update={"train": train})


@pytest.mark.parametrize("way", WAYS)
def test_a_merged_model_says_what_base_and_adapter_say(way, runs, lake, tmp_path):
    made = runs[way].manifest
    merged = merge(made.run, lake, tmp_path / "out")
    assert merged.logit_difference < 1e-4 < merged.adapter_difference
    assert merged.dtype == "float32"
    alone = load_model(BaseFiles("merged", tmp_path / "out", "local", None), bf16=False)
    assert not isinstance(alone, PeftModel)
    assert not [name for name, _ in alone.named_parameters() if "lora" in name]


def test_a_merged_model_brings_tokenizer_template_stop_card_and_manifest(runs, lake, tmp_path):
    from transformers import AutoTokenizer, GenerationConfig

    made = runs["LoRA"].manifest
    out = tmp_path / "out"
    merged = merge(made.run, lake, out)
    assert set(merged.files) == {path.name for path in out.iterdir()}
    assert merged.size_bytes == sum(path.stat().st_size for path in out.iterdir())
    tokenizer = AutoTokenizer.from_pretrained(out)
    said = [{"role": "user", "content": "Hi"}]
    asked = tokenizer.apply_chat_template(said, add_generation_prompt=True, tokenize=False)
    assert asked == "### Instruction:\nHi\n\n### Response:\n"
    assert tokenizer.eos_token_id in GenerationConfig.from_pretrained(out).eos_token_id
    card = (out / "README.md").read_text("utf-8")
    assert re.search(r"^library_name: transformers$", card, re.MULTILINE)
    assert re.search(r"^base_model_relation: merge$", card, re.MULTILINE)
    assert made.corpus_digest in card
    manifest = json.loads((out / MANIFEST).read_text("utf-8"))
    assert manifest["run"] == made.run
    assert manifest["train"]["base_model"]["path"] == ""


def test_weights_are_written_in_the_type_asked_for(runs, lake, tmp_path):
    merged = merge(runs["LoRA"].manifest.run, lake, tmp_path / "out", "bfloat16")
    tensors = load_file(tmp_path / "out" / "model.safetensors")
    assert merged.dtype == "bfloat16"
    assert {one.dtype for one in tensors.values()} == {torch.bfloat16}


def test_a_folder_that_is_taken_is_not_written_to(runs, lake, tmp_path):
    (tmp_path / "mine").write_text("x", "utf-8")
    with pytest.raises(ConfigError, match="is there already"):
        merge(runs["LoRA"].manifest.run, lake, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_a_whole_model_has_nothing_to_merge(runs, lake, tmp_path):
    with pytest.raises(ConfigError, match="nothing to merge"):
        merge(runs["whole"].manifest.run, lake, tmp_path / "out")


def test_an_adapter_that_is_not_there_lists_the_runs(runs, lake, tmp_path):
    with pytest.raises(UnknownName, match=runs["LoRA"].manifest.run):
        merge("nothing", lake, tmp_path / "out")


def test_rounding_that_loses_what_was_learnt_keeps_nothing(runs, lake, tmp_path):
    """An adapter too faint for bfloat16: what it adds is less than half a last place."""
    faint = tmp_path / "faint"
    shutil.copytree(Path(runs["LoRA"].folder) / "adapter", faint)
    shutil.copy(Path(runs["LoRA"].folder) / MANIFEST, faint / MANIFEST)
    weights = load_file(faint / WEIGHTS)
    dim = {name: one * (1e-3 if "lora_B" in name else 1) for name, one in weights.items()}
    save_file(dim, faint / WEIGHTS)
    told = json.loads((faint / MANIFEST).read_text("utf-8"))
    told["adapter_sha256"] = sha256_of(faint / WEIGHTS)
    (faint / MANIFEST).write_text(json.dumps(told), "utf-8")
    with pytest.raises(AdapterRejected, match="merge with --dtype float32"):
        merge(str(faint), lake, tmp_path / "out", "bfloat16")
    assert not (tmp_path / "out").exists()
    assert not list(tmp_path.glob(".out*"))
    assert merge(str(faint), lake, tmp_path / "out", "float32").adapter_difference > 0


def test_the_command_line_merges_and_tells_what_came_of_it(runs, lake, tmp_path):
    from flows.cli import app

    out = tmp_path / "out"
    arguments = ["--lake", str(lake), "merge", runs["LoRA"].manifest.run, "--out", str(out)]
    said = CliRunner().invoke(app, [*arguments, "--json"])
    assert said.exit_code == 0, said.output
    assert json.loads(said.stdout)["folder"] == str(out)
    again = CliRunner().invoke(app, arguments)
    assert isinstance(again.exception, ConfigError)
