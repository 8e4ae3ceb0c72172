"""Ways of training: LoRA and its kin, over 4 and 8 bits, all weights, and going on from before."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from schemas.adapter import TrainingRun
from schemas.errors import AdapterRejected, ConfigError, UnknownName
from schemas.recipe import Recipe
from schemas.train import Lora, Method, Quantize, Train
from tests.trainer.building import build_corpus, build_model, conversations, recipe_of
from trainer.accept import accept_copy, accept_model
from trainer.adapters import find_start
from trainer.files import CONFIG, MANIFEST, MODEL_WEIGHTS, WEIGHTS
from trainer.model import load_model
from trainer.progress import Progress
from trainer.run import run
from trainer.weights import BaseFiles


def with_train(recipe: Recipe, **settings: Any) -> Recipe:
    assert recipe.train
    train = Train.model_validate(recipe.train.model_dump() | settings)
    return recipe.model_copy(update={"train": train})


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("lake")


@pytest.fixture(scope="module")
def short(tiny_model: Path) -> Recipe:
    """Six steps on the tiny model, pushed nowhere."""
    return recipe_of(tiny_model, max_steps=6, batch_size=8, push=None)


@pytest.fixture(scope="module")
def corpus(lake: Path, short: Recipe) -> Path:
    return build_corpus(lake, short, conversations(48), conversations(8, start=48))


@pytest.fixture(scope="module")
def first(lake: Path, short: Recipe, corpus: Path) -> TrainingRun:
    """A LoRA adapter to go on from."""
    return run(corpus, short, lake, None, Progress())


def adapter_of(done: TrainingRun) -> Path:
    return Path(done.folder) / "adapter"


# fmt: off
METHODS = {                   # settings                                                    a setting of the saved adapter
    "LoRA over 4 bits":       ({"quantize": "nf4"},                                         ("use_dora", False)),
    "LoRA over 8 bits":       ({"quantize": "int8"},                                        ("use_dora", False)),
    "rsLoRA":                 ({"lora": Lora(rank=4, rslora=True)},                         ("use_rslora", True)),
    "DoRA":                   ({"lora": Lora(rank=4, dora=True)},                           ("use_dora", True)),
    "DoRA over 4 bits":       ({"quantize": "nf4", "lora": Lora(rank=4, dora=True)},        ("use_dora", True)),
}
# fmt: on


@pytest.mark.parametrize(("settings", "setting"), METHODS.values(), ids=METHODS.keys())
def test_a_method_learns_on_a_cpu_and_is_accepted(settings, setting, lake, short, corpus):
    done = run(corpus, with_train(short, **settings), lake, None, Progress())
    made = done.manifest
    assert made.before
    assert made.after
    assert made.after.loss < made.before.loss - 0.5
    assert made.acceptance.nonzero_lora_b == 14
    saved = json.loads((adapter_of(done) / CONFIG).read_text("utf-8"))
    assert saved[setting[0]] is setting[1]
    quantized = made.train.quantize is not Quantize.NONE
    assert ("bitsandbytes" in dict(made.libraries)) == quantized


def test_4_bits_are_nf4_with_double_quantisation_and_nothing_else_changes(tiny_model):
    files = BaseFiles("t", tiny_model, "local", None)
    model: Any = load_model(files, bf16=True, quantize=Quantize.NF4)
    projection = model.model.layers[0].self_attn.q_proj.weight.quant_state
    assert (projection.quant_type, projection.nested) == ("nf4", True)
    others = {name: one.dtype for name, one in model.named_parameters() if one.is_floating_point()}
    assert {name.split(".")[-2] for name in others} == {
        *("embed_tokens", "norm", "lm_head"),
        *("input_layernorm", "post_attention_layernorm"),
    }
    assert set(others.values()) == {torch.bfloat16}


def test_evaluating_4_bits_leaves_them_as_they_were_loaded(tiny_model):
    files = BaseFiles("t", tiny_model, "local", None)
    model: Any = load_model(files, bf16=False, quantize=Quantize.NF4)
    weight = model.model.layers[0].self_attn.q_proj.weight
    before = weight.data.clone()
    with torch.inference_mode():
        model(input_ids=torch.tensor([[3, 4, 5]]))
    assert torch.equal(weight.data, before)
    assert weight.quant_state.nested


# fmt: off
MISFITS = {                             # settings                                                            what is said
    "all weights, but frozen":          ({"method": "full", "quantize": "nf4"},                               "use method lora"),
    "all weights, from an adapter":     ({"method": "full", "start_from": "x"},                               "leave start_from out"),
    "DoRA over 8 bits":                 ({"quantize": "int8", "lora": {"dora": True}},                        "use quantize nf4"),
}
# fmt: on


@pytest.mark.parametrize(("settings", "said"), MISFITS.values(), ids=MISFITS.keys())
def test_methods_that_do_not_go_together_are_refused_by_the_recipe(settings, said, short):
    with pytest.raises(ValueError, match=said):
        with_train(short, **settings)


@pytest.fixture(scope="module")
def whole(lake: Path, short: Recipe, corpus: Path) -> TrainingRun:
    """A model all of whose weights were trained, pushed to the lake's own hub."""
    push = {"repo": "winnow/whole", "target": "folder"}
    recipe = with_train(short, method="full", learning_rate=1e-3, template="alpaca", push=push)
    return run(corpus, recipe, lake, None, Progress())


def test_all_weights_are_trained_and_saved_as_a_model_that_loads_on_its_own(whole, tiny_model):
    made = whole.manifest
    assert made.train.method is Method.FULL
    assert made.before
    assert made.after
    assert made.after.loss < made.before.loss - 0.5
    assert made.acceptance.changed_tensors == made.acceptance.tensors == 21
    assert made.acceptance.nonzero_lora_b is None
    folder = adapter_of(whole)
    base, trained = load_file(tiny_model / MODEL_WEIGHTS), load_file(folder / MODEL_WEIGHTS)
    assert base.keys() == trained.keys()
    assert not any(torch.equal(base[name], one) for name, one in trained.items())
    card = (folder / "README.md").read_text("utf-8")
    assert "library_name: transformers" in card
    assert "fine-tuned" in card
    assert "| method | all weights |" in card
    assert made.pushed
    assert (Path(made.pushed.uri) / MODEL_WEIGHTS).is_file()


def test_a_model_of_a_named_template_is_asked_in_it_by_whoever_loads_it(whole):
    from transformers import AutoTokenizer, GenerationConfig

    folder = adapter_of(whole)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    said = [{"role": "user", "content": "Hi"}]
    asked = tokenizer.apply_chat_template(said, add_generation_prompt=True, tokenize=False)
    assert asked == "### Instruction:\nHi\n\n### Response:\n"
    assert tokenizer.eos_token_id in GenerationConfig.from_pretrained(folder).eos_token_id


def test_all_weights_go_on_from_a_checkpoint_to_the_same_model(
    whole, lake, short, corpus, tmp_path
):
    folder = tmp_path / "run"
    recipe = with_train(short, method="full", learning_rate=1e-3, template="alpaca", save_steps=3)
    straight = run(corpus, recipe, lake, None, Progress())
    shutil.copytree(straight.folder, folder)
    shutil.rmtree(folder / "adapter")
    (folder / MANIFEST).unlink()
    shutil.rmtree(folder / "checkpoints" / "checkpoint-6")
    resumed = run(corpus, recipe, lake, folder, Progress())
    assert resumed.manifest.adapter_sha256 == straight.manifest.adapter_sha256
    shutil.rmtree(folder / "adapter")
    (folder / MANIFEST).unlink()
    saved_anew = run(corpus, recipe, lake, folder, Progress())
    assert saved_anew.manifest.adapter_sha256 == straight.manifest.adapter_sha256


def spoilt(folder: Path, change: str, base: Path) -> None:
    path = folder / MODEL_WEIGHTS
    tensors = load_file(path)
    if change == "bare":
        tensors = load_file(base / MODEL_WEIGHTS)
    elif change == "short":
        tensors.pop("lm_head.weight")
    elif change == "nan":
        tensors["lm_head.weight"].fill_(float("nan"))
    save_file(tensors, path, metadata={"format": "pt"})
    if change == "gone":
        path.unlink()


# fmt: off
FAULTS = {
    "bare":  "every weight is the base model's",
    "short": "1 tensors are missing.*lm_head.weight",
    "nan":   "not finite",
    "gone":  "it was not saved",
}
# fmt: on


@pytest.mark.parametrize(("change", "said"), FAULTS.items(), ids=FAULTS.keys())
def test_a_model_that_is_not_the_trained_one_is_refused(change, said, whole, tiny_model, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(adapter_of(whole), copy)
    spoilt(copy, change, tiny_model)
    base = BaseFiles("tests/tiny", tiny_model, "local", None)
    with pytest.raises(AdapterRejected, match=said):
        accept_model(base, copy, [5, 6, 7], torch.float32)
    with pytest.raises(AdapterRejected, match=r"read back|missing"):
        accept_copy(adapter_of(whole), copy)


def test_training_goes_on_from_an_adapter_and_says_so(first, lake, short, corpus):
    again = run(corpus, with_train(short, start_from=first.manifest.run), lake, None, Progress())
    made = again.manifest
    assert made.after
    assert first.manifest.after
    assert made.after.loss < first.manifest.after.loss
    assert made.before == first.manifest.before
    assert made.started_from
    assert made.started_from.adapter_sha256 == first.manifest.adapter_sha256
    assert made.started_from.run == first.manifest.run
    assert made.started_from.corpus_digest == first.manifest.corpus_digest
    assert made.acceptance.changed_tensors == made.acceptance.tensors
    card = (adapter_of(again) / "README.md").read_text("utf-8")
    assert first.manifest.adapter_sha256 in card


def test_the_first_step_starts_where_the_adapter_left_off(first, lake, short, corpus):
    again = run(corpus, with_train(short, start_from=first.manifest.run), lake, None, Progress())
    began, went_on = (
        json.loads((Path(done.folder) / "metrics.jsonl").read_text("utf-8").splitlines()[0])
        for done in (first, again)
    )
    assert went_on["loss"] < began["loss"] - 0.5


def test_a_run_is_named_by_the_weights_it_starts_from_not_by_what_they_are_called(
    first, lake, short, corpus, tmp_path
):
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(adapter_of(first), elsewhere)
    recipe = with_train(short, start_from=first.manifest.run)
    done = run(corpus, recipe, lake, None, Progress())
    same = run(corpus, with_train(short, start_from=str(elsewhere)), lake, None, Progress())
    assert same.status == "unchanged"
    assert same.manifest.run == done.manifest.run != first.manifest.run
    weights = load_file(elsewhere / WEIGHTS)
    save_file({name: one * 1.5 for name, one in weights.items()}, elsewhere / WEIGHTS)
    other = run(corpus, with_train(short, start_from=str(elsewhere)), lake, None, Progress())
    assert other.status == "trained"
    assert other.manifest.run != done.manifest.run
    pushed = json.loads((adapter_of(other) / MANIFEST).read_text("utf-8"))
    assert str(tmp_path) not in json.dumps(pushed)


# fmt: off
STARTS = {                     # the recipe's LoRA                               what is said
    "another rank":            (Lora(rank=8, alpha=8, dropout=0.1),               r"other LoRA settings.*set train\.lora\.rank: 4\."),
    "another scale":           (Lora(rank=4, alpha=16, rslora=True),              r"train\.lora\.alpha: 8, train\.lora\.rslora: False"),
    "other targets":           (Lora(rank=4, alpha=8, targets=("q_proj",)),       r"of 4 tensors 24 differ.*lora\.targets"),
}
# fmt: on


@pytest.mark.parametrize(("lora", "said"), STARTS.values(), ids=STARTS.keys())
def test_an_adapter_of_other_settings_is_not_gone_on_from(lora, said, first, lake, short, corpus):
    recipe = with_train(short, start_from=first.manifest.run, lora=lora)
    caches = set((lake / "tokenized").iterdir())
    unseen = with_train(recipe, max_tokens=61)  # nobody has tokenized the corpus to that length
    with pytest.raises(ConfigError, match=said):
        run(corpus, unseen, lake, None, Progress())
    assert set((lake / "tokenized").iterdir()) == caches


def test_an_adapter_over_other_weights_is_not_gone_on_from(first, lake, short, corpus, tmp_path):
    other = build_model(tmp_path / "other", seed=4)
    assert short.train
    base = short.train.base_model.model_copy(update={"path": str(other)})
    recipe = with_train(short, start_from=first.manifest.run, base_model=base)
    with pytest.raises(ConfigError, match="trained over other weights of tests/tiny"):
        run(corpus, recipe, lake, None, Progress())


def test_a_start_that_is_not_there_lists_the_runs(first, lake, short):
    train = with_train(short, start_from="nothing").train
    assert train
    with pytest.raises(UnknownName, match=first.manifest.run):
        find_start(train, lake)


def test_a_whole_model_is_no_adapter_to_start_from(whole, lake, short):
    train = with_train(short, start_from=whole.manifest.run).train
    assert train
    with pytest.raises(ConfigError, match=r"holds no adapter_model\.safetensors"):
        find_start(train, lake)
