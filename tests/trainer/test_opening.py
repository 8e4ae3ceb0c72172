"""A model to talk to: found by its name, over the base of its training, in its template."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from schemas.adapter import TrainingManifest
from schemas.answers import Decoding
from schemas.errors import ConfigError, CorpusDamaged, StorageError, UnknownName
from schemas.train import Method
from tests.trainer.building import build_corpus, conversations, recipe_of, write_recipe
from tests.trainer.hub_stand_in import hub_in_use
from trainer.files import CONFIG, WEIGHTS, write_text
from trainer.merge import merge
from trainer.opening import find_model, open_assistant
from trainer.progress import Progress
from trainer.run import run

FEW = Decoding(max_new_tokens=6)
ASKED = [{"role": "user", "content": "What colour is thing 1?"}]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> tuple[Path, Path]:
    """A lake and the run's folder in it; trained in ChatML under a system message."""
    lake = tmp_path_factory.mktemp("lake")
    recipe = recipe_of(tiny_model, max_steps=2, template="chatml", system="Be brief.")
    path = build_corpus(lake, recipe, conversations(12), conversations(4))
    return lake, Path(run(path, recipe, lake, None, Progress()).folder)


def test_a_model_is_found_by_folder_run_or_repository(trained, tiny_model):
    lake, folder = trained
    adapter = folder / "adapter"
    assert find_model(None, lake) == adapter
    assert find_model(str(adapter), lake) == adapter
    assert find_model(str(folder), lake) == adapter
    assert find_model(folder.name, lake) == adapter
    assert find_model("winnow/tiny", lake).parent.name == "commits"
    assert find_model(str(tiny_model), lake) == tiny_model
    with pytest.raises(UnknownName, match=rf"{folder.name}.*--base"):
        find_model("nothing", lake)
    with pytest.raises(UnknownName, match="no run in"):
        find_model(None, lake / "elsewhere")


def test_an_adapter_answers_in_its_template_under_its_system_message(trained):
    lake, _ = trained
    assistant = open_assistant(None, lake)
    assert (assistant.template.name, assistant.system) == ("chatml", "Be brief.")
    text = assistant.template.tokenizer.decode(assistant.prompt_ids(ASKED))
    assert text.startswith("<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nWhat colour")
    assert text.endswith("<|im_start|>assistant\n")


# fmt: off
SYSTEMS = {"of training": (None, "Be brief."), "given": ("Be kind.", "Be kind."), "none": ("", None)}
# fmt: on


@pytest.mark.parametrize(("given", "used"), SYSTEMS.values(), ids=SYSTEMS.keys())
def test_a_system_message_that_is_given_stands_in_for_that_of_training(given, used, trained):
    assert open_assistant(None, trained[0], system=given).system == used


def test_an_adapter_is_asked_in_no_other_template(trained):
    lake, folder = trained
    assert open_assistant(None, lake, template="chatml").template.name == "chatml"
    with pytest.raises(ConfigError, match=r"trained with the template chatml.*--template alpaca"):
        open_assistant(folder.name, lake, template="alpaca")


def test_a_bare_base_is_named_by_its_recipe_or_its_folder(trained, tiny_model, tmp_path):
    recipe = recipe_of(tiny_model, template="alpaca", system="Be brief.")
    path = write_recipe(tmp_path / "recipe.yaml", recipe)
    bare = open_assistant(base=str(path))
    assert (bare.template.name, bare.system) == ("alpaca", "Be brief.")
    folder = open_assistant(str(tiny_model), template="alpaca")
    assert (folder.template.name, folder.system) == ("alpaca", None)
    assert folder.digest == bare.digest
    assert folder.answer(ASKED, FEW).text == open_assistant(
        base=str(path), system=""
    ).answer(ASKED, FEW).text  # fmt: skip
    assert open_assistant(str(tiny_model)).digest != bare.digest, "in its own template"
    assert open_assistant(None, trained[0]).digest != bare.digest, "with an adapter"


@pytest.mark.parametrize("quantize", ["none", "nf4"])
def test_a_recipes_base_is_held_as_in_its_training(quantize, tiny_model, tmp_path):
    path = write_recipe(tmp_path / "recipe.yaml", recipe_of(tiny_model, quantize=quantize))
    model = open_assistant(base=str(path)).model
    assert getattr(model, "is_loaded_in_4bit", False) is (quantize == "nf4")


def test_one_model_at_a_time_and_one_that_the_recipe_names(tiny_model, tmp_path):
    untrained = recipe_of(tiny_model).model_copy(update={"train": None})
    path = write_recipe(tmp_path / "recipe.yaml", untrained)
    with pytest.raises(ConfigError, match="no train section"):
        open_assistant(base=str(path))
    with pytest.raises(ConfigError, match="name one of them"):
        open_assistant("run", base=str(path))


def test_a_model_whose_weights_were_all_trained_answers(tiny_model, tmp_path):
    recipe = recipe_of(tiny_model, max_steps=2, method=Method.FULL, system="Be brief.", push=None)
    path = build_corpus(tmp_path, recipe, conversations(12), conversations(4))
    folder = Path(run(path, recipe, tmp_path, None, Progress()).folder)
    assistant = open_assistant(folder.name, tmp_path)
    assert (assistant.template.name, assistant.system) == ("model", "Be brief.")
    assert 0 < assistant.answer(ASKED, FEW).tokens <= 6
    with pytest.raises(ConfigError, match="the base model's own"):
        open_assistant(folder.name, tmp_path, template="alpaca")


def test_a_whole_model_on_the_hub_is_talked_to(trained, tiny_model, tmp_path, monkeypatch):
    recipe = recipe_of(tiny_model, max_steps=2, method=Method.FULL, push=None)
    path = build_corpus(tmp_path, recipe, conversations(12), conversations(4))
    made = Path(run(path, recipe, tmp_path, None, Progress()).folder) / "adapter"
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    with hub_in_use(monkeypatch) as hub:
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", hub.url)
        url = hub.url + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", url)
        monkeypatch.setenv("HF_TOKEN", hub.token)
        offered = {"me/whole": made, "me/adapter": trained[1] / "adapter", "me/base": tiny_model}
        for place, (name, folder) in enumerate(offered.items()):
            files = {one.name: one.read_bytes() for one in folder.iterdir()}
            hub.repos[name], hub.commits[name] = True, [(f"{place:040x}", "", files)]
        assistant = open_assistant("me/whole", tmp_path / "elsewhere")
        assert 0 < assistant.answer(ASKED, FEW).tokens <= 6
        assert open_assistant("me/adapter", trained[0]).system == "Be brief."
        with pytest.raises(ConfigError, match=r"me/base holds no .*neither an adapter nor a model"):
            open_assistant("me/base", tmp_path / "elsewhere")
        assert not [one for one in hub.asked if "base/resolve" in one and "safetensors" in one]


def test_the_base_of_a_pushed_adapter_is_found_through_the_lake_that_made_it(trained, tmp_path):
    lake, folder = trained
    copy = find_model("winnow/tiny", lake)
    assert open_assistant(str(copy), lake).system == "Be brief."
    stranger = tmp_path / "elsewhere"
    shutil.copytree(copy, stranger)
    with pytest.raises(ConfigError, match=r"tests/tiny.*base_model\.path of .*elsewhere"):
        open_assistant(str(stranger), tmp_path)
    own = json.loads((folder / "training_manifest.json").read_text("utf-8"))
    made = json.loads((stranger / "training_manifest.json").read_text("utf-8"))
    made["train"]["base_model"]["path"] = own["train"]["base_model"]["path"]
    write_text(stranger / "training_manifest.json", json.dumps(made))
    assert open_assistant(str(stranger), tmp_path).system == "Be brief."


def test_another_base_than_that_of_training_is_refused(trained, tmp_path):
    adapter = tmp_path / "adapter"
    shutil.copytree(trained[1] / "adapter", adapter)
    manifest = adapter / "training_manifest.json"
    text = (trained[1] / "training_manifest.json").read_text("utf-8")
    made = TrainingManifest.model_validate_json(text).model_copy(update={"base_digest": "0" * 64})
    write_text(manifest, made.model_dump_json())
    with pytest.raises(ConfigError, match="trained on other weights"):
        open_assistant(str(adapter), tmp_path)
    manifest.unlink()
    with pytest.raises(ConfigError, match=r"holds no training_manifest\.json"):
        open_assistant(str(adapter), tmp_path)


# fmt: off
DAMAGES = {            # the weights
    "gone":            Path.unlink,
    "torn":            lambda path: path.write_bytes(b"xx"),
    "others":          lambda path: path.write_bytes(path.read_bytes()[:-1] + b"x"),
}
# fmt: on


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_an_adapter_without_its_weights_is_refused_in_words(damage, trained, tmp_path):
    """And nobody else is asked for them."""
    folder = tmp_path / "adapter"
    shutil.copytree(trained[1] / "adapter", folder)
    damage(folder / WEIGHTS)
    with pytest.raises(
        CorpusDamaged, match=rf"{WEIGHTS} is not the adapter that was accepted.*Fetch"
    ):
        open_assistant(str(folder), trained[0])
    if (folder / WEIGHTS).exists():
        with pytest.raises(CorpusDamaged, match="is not the adapter that was accepted"):
            merge(str(folder), trained[0], tmp_path / "merged")


def test_other_settings_of_an_adapter_are_another_model(trained, tmp_path):
    lake, folder = trained
    louder = tmp_path / "adapter"
    shutil.copytree(folder / "adapter", louder)
    settings = json.loads((louder / CONFIG).read_text("utf-8"))
    write_text(louder / CONFIG, json.dumps(settings | {"lora_alpha": 64}))
    one, other = (open_assistant(str(place), lake) for place in (folder, louder))
    assert one.digest != other.digest
    assert one.digest == open_assistant(folder.name, lake).digest


def test_a_model_held_in_other_numbers_is_another_model(tiny_model, tmp_path):
    digests = []
    for name, settings in enumerate(({"bf16": "off"}, {"bf16": "on"}, {"quantize": "int8"})):
        path = write_recipe(tmp_path / f"{name}.yaml", recipe_of(tiny_model, **settings))
        digests.append(open_assistant(base=str(path)).digest)
    assert len(set(digests)) == 3


REVISION = "a" * 40
OWN_CODE = """
from pathlib import Path
from transformers import LlamaForCausalLM
Path({mark!r}).write_text("ran")
class Tiny(LlamaForCausalLM): ...
"""


@pytest.fixture
def strangers(trained, tiny_model, tmp_path, monkeypatch) -> Path:
    """An adapter from elsewhere, whose manifest says to trust the Python of its base model."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    modules = str(tmp_path / "modules")
    monkeypatch.setattr("transformers.dynamic_module_utils.HF_MODULES_CACHE", modules)
    monkeypatch.syspath_prepend(modules)
    base = tmp_path / "hub" / "models--stranger--base" / "snapshots" / REVISION
    shutil.copytree(tiny_model, base)
    code = OWN_CODE.format(mark=str(tmp_path / "mark"))
    write_text(base / "modeling_tiny.py", code)
    config = json.loads((base / "config.json").read_text("utf-8"))
    config["auto_map"] = {"AutoModelForCausalLM": "modeling_tiny.Tiny"}
    write_text(base / "config.json", json.dumps(config))
    folder = tmp_path / "downloads" / "adapter"
    shutil.copytree(trained[1] / "adapter", folder)
    retold(folder, path=None, repo="stranger/base", revision=REVISION, trust_remote_code=True)
    return folder


def retold(folder: Path, run: str | None = None, **base: Any) -> None:
    """Have an adapter's manifest say something else of its base model, or of its run."""
    made = json.loads((folder / "training_manifest.json").read_text("utf-8"))
    made["train"]["base_model"].update(base)
    made["run"] = run or made["run"]
    write_text(folder / "training_manifest.json", json.dumps(made))


def as_run(adapter: Path, lake: Path, **base: Any) -> None:
    """Put what an adapter's manifest says into the lake, as the run that it names."""
    made = json.loads((adapter / "training_manifest.json").read_text("utf-8"))
    own = lake / "runs" / made["run"]
    write_text(own / "training_manifest.json", json.dumps(made))
    retold(own, **base)


def test_a_strangers_python_is_not_run_because_a_stranger_says_so(strangers, tmp_path):
    lake = tmp_path / "lake"
    with pytest.raises(ConfigError, match=r"stranger/base.*a{40}.*--trust-remote-code"):
        open_assistant(str(strangers), lake)
    shutil.copy(strangers / "training_manifest.json", strangers.parent)  # as of a run beside it
    as_run(strangers, lake, revision="b" * 40)
    with pytest.raises(ConfigError, match="--trust-remote-code"):
        open_assistant(str(strangers), lake)
    with pytest.raises(ConfigError, match="its own Python"):
        merge(str(strangers), lake, tmp_path / "merged")
    assert not (tmp_path / "mark").exists()


def test_no_run_outside_the_lake_vouches_for_a_strangers_python(strangers, tmp_path):
    (tmp_path / "lake" / "runs").mkdir(parents=True)
    retold(strangers, run="../../downloads/adapter")
    with pytest.raises(StorageError, match="cannot be read as a training manifest"):
        open_assistant(str(strangers), tmp_path / "lake")
    assert not (tmp_path / "mark").exists()


@pytest.mark.parametrize("trusted_by", ["a run of the own lake", "the option"])
def test_python_that_the_user_trusts_is_run(trusted_by, strangers, tmp_path):
    lake, by_option = tmp_path / "lake", trusted_by == "the option"
    if not by_option:
        as_run(strangers, lake)
    assistant = open_assistant(str(strangers), lake, trusts_code=by_option)
    assert 0 < assistant.answer(ASKED, FEW).tokens <= 6
    assert (tmp_path / "mark").read_text("utf-8") == "ran"
