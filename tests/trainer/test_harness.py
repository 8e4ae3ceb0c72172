"""lm-evaluation-harness: asked for by the recipe, answered by our assistant.

What needs the package runs where it is installed (`pip install 'winnow[harness]'`), on tasks of the
tests' own, offline.
"""

import importlib.util
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import yaml

from schemas.adapter import TaskScore, paired_scores
from schemas.answers import Decoding
from schemas.errors import ConfigError
from schemas.recipe import load_recipe
from schemas.train import Harness
from tests.trainer.building import COLOURS, build_corpus, conversations, recipe_of, write_recipe
from trainer.generation import Assistant
from trainer.harness import open_harness, scores_of
from trainer.model import load_model
from trainer.opening import open_assistant
from trainer.progress import Progress
from trainer.run import run
from trainer.undisturbed import undisturbed
from trainer.weights import BaseFiles

installed = pytest.mark.skipif(
    importlib.util.find_spec("lm_eval") is None,
    reason="lm-eval is not installed: pip install 'winnow[harness]'",
)
others_habits = pytest.mark.filterwarnings("ignore")  # of the harness and what it imports

RESULTS: dict[str, Any] = {
    "results": {
        "arc": {
            "alias": "arc",
            "acc,none": 0.25,
            "acc_stderr,none": 0.125,
            "exact_match,strict-match": 1,
            "exact_match_stderr,strict-match": "N/A",
            "sample_len": 4,
            "bypass,none": " ",
        },
        "all": {"acc,none": 0.5},
    },
    "versions": {"arc": 1.0},
    "n-samples": {"arc": {"original": 100, "effective": 4}},
}


def test_the_harness_results_are_read_metric_by_metric():
    assert scores_of(RESULTS) == (
        TaskScore(task="arc", metric="acc", value=0.25, error=0.125, documents=4, version="1.0"),
        TaskScore(
            task="arc", metric="exact_match,strict-match", value=1, documents=4, version="1.0"
        ),
        TaskScore(task="all", metric="acc", value=0.5),
    )


def test_a_score_stands_beside_that_of_the_same_task_and_metric():
    after = scores_of(RESULTS)
    assert paired_scores(after[::-1], after) == tuple((one, one) for one in after)
    assert paired_scores((), after) == tuple((None, one) for one in after)


def test_without_the_package_the_recipe_is_refused_before_any_work(
    manifest, tiny_model, monkeypatch
):
    monkeypatch.setattr("trainer.harness.PACKAGE", "a_package_that_is_not_there")
    recipe = recipe_of(tiny_model, harness=Harness(tasks=("arc_easy",)))
    lake = manifest.parents[3]
    refused = pytest.raises(ConfigError, match=r"not installed.*winnow\[harness\]")
    with refused:
        run(manifest, recipe, lake, None, Progress())
    assert not (lake / "tokenized").exists()
    assert not (lake / "hub").exists()


def test_the_folder_of_tasks_is_relative_to_the_recipe(tiny_model, tmp_path):
    recipe = recipe_of(tiny_model, harness=Harness(tasks=("colours",), folder="tasks"))
    path = write_recipe(tmp_path / "recipe.yaml", recipe)
    assert load_recipe(str(path)).train.harness.folder == str(tmp_path / "tasks")


def test_what_is_tried_while_a_model_trains_leaves_it_and_the_random_numbers_alone(tiny_model):
    model = load_model(BaseFiles("t", tiny_model, "local", None), bf16=False).train()
    model.config.use_cache = False
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    with undisturbed(model):
        model.eval()
        model.config.use_cache = True
        model.generation_config.eos_token_id = [1, 2]
        torch.manual_seed(99)
    assert torch.equal(torch.rand(3), expected)
    assert model.training
    assert model.config.use_cache is False
    assert model.generation_config.eos_token_id == 2


def write_task(folder: Path, name: str, **settings: Any) -> None:
    """A task about the colours of things that no training row asks for."""
    folder.mkdir(exist_ok=True)
    rows = [
        {"index": index, "answer": f"It is {COLOURS[index % len(COLOURS)]}."}
        for index in range(200, 216)
    ]
    data = folder / f"{name}.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    task = {
        "task": name,
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": str(data)}},
        "test_split": "test",
        "doc_to_text": "What colour is thing {{index}}?",
        "metadata": {"version": 1.0},
    }
    (folder / f"{name}.yaml").write_text(yaml.safe_dump(task | settings), "utf-8")


@pytest.fixture
def tasks(tmp_path: Path) -> Path:
    folder = tmp_path / "tasks"
    write_task(
        folder,
        "choice",
        output_type="multiple_choice",
        doc_to_choice=[f"It is {colour}." for colour in COLOURS],
        doc_to_target="{{index % 8}}",
    )
    write_task(
        folder,
        "answer",
        output_type="generate_until",
        doc_to_target="{{answer}}",
        generation_kwargs={"until": ["."], "max_gen_toks": 8},
    )
    write_task(folder, "text", output_type="loglikelihood_rolling", doc_to_target="{{answer}}")
    return folder


@installed
@others_habits
def test_base_and_adapter_are_put_to_the_same_documents(tasks, tiny_model, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HOME", str(tmp_path / "cache"))
    asked = Harness(tasks=("choice", "answer", "text"), folder=str(tasks), limit=8)
    recipe = recipe_of(tiny_model, max_steps=60, harness=asked)
    manifest = build_corpus(tmp_path / "lake", recipe, conversations(64), conversations(8, 64))
    done = run(manifest, recipe, tmp_path / "lake", None, Progress())
    made = done.manifest
    assert {one.documents for one in (*made.harness_before, *made.harness_after)} == {8}
    pairs = {
        (one.task, one.metric): (before, one)
        for before, one in paired_scores(made.harness_before, made.harness_after)
    }
    assert {task for task, _ in pairs} == {"choice", "answer", "text"}
    before, after = pairs["text", "byte_perplexity"]
    assert before.value != after.value
    assert dict(made.libraries)["lm-eval"]
    card = (Path(done.folder) / "adapter" / "README.md").read_text("utf-8")
    report = (Path(done.folder) / "report.html").read_text("utf-8")
    for page in (card, report):
        assert "lm-evaluation-harness" in page
        assert f"{pairs['choice', 'acc'][1].value:.4f}" in page

    folder = Path(done.folder)  # killed before it was accepted: the base is not asked again
    for path in (folder / "training_manifest.json", folder / "adapter" / "training_manifest.json"):
        path.unlink()
    again = run(manifest, recipe, tmp_path / "lake", None, Progress()).manifest
    assert again.harness_before == made.harness_before
    assert again.harness_after == made.harness_after


@installed
@others_habits
def test_training_goes_on_bitwise_as_without_the_harness(tasks, tiny_model, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HOME", str(tmp_path / "cache"))
    asked = Harness(tasks=("choice",), folder=str(tasks), limit=2)
    found = []
    for place, harness in (("with", asked), ("without", None)):
        recipe = recipe_of(tiny_model, harness=harness)
        lake = tmp_path / place
        manifest = build_corpus(lake, recipe, conversations(64), conversations(8, 64))
        found.append(run(manifest, recipe, lake, None, Progress()).manifest.adapter_sha256)
    assert found[0] == found[1]


# fmt: off
REFUSED = {                        # tasks              folder   what is said
    "an unknown task":             (("no_such_task",),  True,    "the harness has no no_such_task"),
    "no such folder":              (("choice",),        False,   "is no folder"),
}
# fmt: on


@installed
@others_habits
@pytest.mark.parametrize(("names", "there", "said"), REFUSED.values(), ids=REFUSED.keys())
def test_what_the_harness_cannot_do_is_said_at_once(names, there, said, tasks, tmp_path):
    folder = tasks if there else tmp_path / "none"
    with pytest.raises(ConfigError, match=said):
        open_harness(Harness(tasks=names, folder=str(folder)))


@installed
@others_habits
def test_documents_that_cannot_be_had_are_missed_before_training(tasks):
    (tasks / "choice.jsonl").unlink()
    with pytest.raises(ConfigError, match=r"choice cannot be loaded.*check the network"):
        open_harness(Harness(tasks=("choice",), folder=str(tasks)))


@pytest.fixture
def assistant(tiny_model: Path) -> Assistant:
    return open_assistant(str(tiny_model))


def asking(*arguments: Any) -> SimpleNamespace:
    return SimpleNamespace(args=arguments)


def direct(assistant: Assistant, heard: list[int], said: list[int]) -> tuple[float, bool]:
    """Log-probability and likeliest tokens, one row alone in the plainest way."""
    with torch.inference_mode():
        logits = assistant.model(input_ids=torch.tensor([heard + said])).logits[0].double()
    chances = logits.log_softmax(-1)[len(heard) - 1 : -1]
    wanted = torch.tensor(said)
    return float(chances.gather(1, wanted[:, None]).sum()), bool(
        (chances.argmax(1) == wanted).all()
    )


@installed
@others_habits
def test_log_probabilities_are_of_the_tokens_of_training(assistant):
    """In batches of unlike lengths; an answer is what the assistant would say there."""
    from trainer.harness_model import AssistantModel

    model = AssistantModel(assistant, chat=True)
    prompts = [
        model.apply_chat_template([{"role": "user", "content": "Why? " * times}])
        for times in (1, 9, 3)
    ]
    found = model.loglikelihood([asking(prompt, "It is red.") for prompt in prompts])
    encoder = assistant.encoder
    for prompt, one in zip(prompts, found, strict=True):
        heard, said = encoder.opening([prompt])[0], encoder.verbatim(["It is red."])[0]
        chance, likeliest = direct(assistant, heard, said)
        assert one == (pytest.approx(chance, abs=1e-3), likeliest)

    question = {"role": "user", "content": "Why? "}
    prompt = model.apply_chat_template([question])
    some, most = (assistant.answer([question], Decoding(max_new_tokens=n)).text for n in (8, 128))
    asked = [
        asking(prompt, {"max_gen_toks": 8}),
        asking(prompt, {}),
        asking(prompt, {"until": "q"}),
    ]
    assert model.generate_until(asked) == [some, most, most.partition("q")[0]]


# fmt: off
BORDERS = {                                   # context        continuation   heard          said
    "a space before the continuation":        ("Is it so?",    " yes",        "Is it so?",   " yes"),
    "a space at the end of the context":      ("Is it so? ",   "yes",         "Is it so?",   " yes"),
    "a line break there":                     ("Is it so?\n",  "yes",         "Is it so?",   "\nyes"),
}
# fmt: on


@installed
@others_habits
@pytest.mark.parametrize(
    ("context", "continuation", "heard", "said"), BORDERS.values(), ids=BORDERS.keys()
)
def test_running_text_is_cut_where_a_word_begins(context, continuation, heard, said, assistant):
    from trainer.harness_model import AssistantModel

    (found,) = AssistantModel(assistant, chat=False).loglikelihood([asking(context, continuation)])
    ids = assistant.encoder.opening([heard])[0], assistant.encoder.onward([said])[0]
    chance, likeliest = direct(assistant, *ids)
    assert found == (pytest.approx(chance, abs=1e-3), likeliest)


@installed
@others_habits
def test_of_a_text_with_nothing_before_it_every_token_is_predicted(assistant):
    from trainer.harness_model import AssistantModel

    said = assistant.encoder.onward(["yes"])[0]
    expected = direct(assistant, [assistant.template.stop_id], said)[0]
    for chat in (True, False):
        (found,) = AssistantModel(assistant, chat).loglikelihood([asking("", "yes")])
        assert found[0] == pytest.approx(expected, abs=1e-3)


@installed
@others_habits
def test_a_long_text_is_read_window_by_window_every_token_once(assistant):
    from trainer.harness_model import AssistantModel

    model = AssistantModel(assistant, chat=False)
    assert model._window == 256
    for length in (1, 255, 256, 700):
        text = "a" * length
        (ids,) = assistant.encoder.opening([text])
        assert len(ids) == length
        (found,) = model.loglikelihood_rolling([asking(text)])
        expected = 0.0
        prefix = [assistant.template.stop_id]
        for start in range(0, length, 255):
            said = ids[start : start + 255]
            heard = prefix if start == 0 else ids[max(0, start + len(said) - 256) : start]
            expected += direct(assistant, heard, said)[0]
        assert found == pytest.approx(expected, rel=1e-4)


@installed
@others_habits
def test_a_context_that_is_too_long_loses_its_beginning(assistant):
    from trainer.harness_model import AssistantModel

    model = AssistantModel(assistant, chat=False)
    (cut,) = model.loglikelihood([asking("b" * 400 + "a" * 250, " is")])
    said = assistant.encoder.onward([" is"])[0]
    heard = assistant.encoder.opening(["b" * 400 + "a" * 250])[0][-(256 - len(said)) :]
    assert cut[0] == pytest.approx(direct(assistant, heard, said)[0], abs=1e-3)
    model.generate_until([asking("a" * 700, {"until": "x", "max_gen_toks": 4})])


@installed
@others_habits
def test_what_begins_an_answer_stands_after_the_prompt(assistant):
    from trainer.harness_model import AssistantModel

    model = AssistantModel(assistant, chat=True)
    question = {"role": "user", "content": "Why?"}
    begun = [question, {"role": "assistant", "content": "Because"}]
    prompt = model.apply_chat_template([question])
    assert prompt == assistant.template.prompt([question])
    assert model.apply_chat_template(begun, add_generation_prompt=False) == prompt + "Because"
