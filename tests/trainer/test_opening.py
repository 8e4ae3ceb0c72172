"""A model to talk to: found by its name, over the base of its training, in its template."""

import json
import shutil
from pathlib import Path

import pytest

from schemas.adapter import TrainingManifest
from schemas.answers import Decoding
from schemas.errors import ConfigError, UnknownName
from schemas.train import Method
from tests.trainer.building import build_corpus, conversations, recipe_of, write_recipe
from trainer.files import write_text
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
