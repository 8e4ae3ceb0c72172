"""The Prefect task: a real process, its lines in the log, its errors as themselves."""

import logging
import sys
from pathlib import Path

import pytest

from schemas.errors import ConfigError, CorpusDamaged, StorageError, TrainingError
from schemas.recipe import load_recipe
from tests.trainer.building import build_corpus, conversations
from trainer.task import (
    LAUNCH_VARIABLE,
    _is_worth_another_try,
    _run_trainer,
    launcher,
    train_adapter_task,
)


def test_the_task_trains_in_a_process_of_its_own(manifest, recipe, caplog):
    lake = str(manifest.parents[3])
    with caplog.at_level(logging.INFO, logger="trainer.task"):
        done = train_adapter_task.fn(str(manifest), recipe, lake)
    assert done.status == "trained"
    assert done.manifest.pushed
    assert any("validation loss" in line for line in caplog.messages)
    given = load_recipe(str(Path(done.folder) / "recipe.yaml"))
    assert given == recipe


def test_an_error_of_the_trainer_is_raised_as_itself(tmp_path, recipe):
    path = build_corpus(tmp_path, recipe, conversations(4), conversations(2))
    shard = next(path.parent.glob("data/train-*"))
    shard.write_bytes(shard.read_bytes() + b"x")
    with pytest.raises(CorpusDamaged, match="expected sha256"):
        train_adapter_task.fn(str(path), recipe, str(tmp_path))


def test_a_recipe_that_trains_nothing_starts_no_process(manifest, recipe):
    with pytest.raises(ConfigError, match="no train section"):
        train_adapter_task.fn(str(manifest), recipe.model_copy(update={"train": None}), "/none")


# fmt: off
DEATHS = {             # what the process does                                     what is said
    "killed":          ("import os; os.kill(os.getpid(), 9)",                      "killed by signal 9"),
    "traceback":       ("raise SystemError('torn')",                               "exit code 1.*SystemError: torn"),
    "silence":         ("import sys; sys.exit(7)",                                 "exit code 7.*it said nothing"),
    "no answer":       ("print('hello')",                                          "exit code 0"),
}
# fmt: on


@pytest.mark.parametrize(("program", "said"), DEATHS.values(), ids=DEATHS.keys())
def test_a_process_that_dies_is_a_training_error(program, said):
    with pytest.raises(TrainingError, match=said):
        _run_trainer([sys.executable, "-c", program])


def test_what_the_process_says_cannot_steer_the_log(caplog):
    program = r"import sys; sys.stderr.write('loss \x1b[2J\n'); sys.exit(1)"
    with (
        caplog.at_level(logging.INFO, logger="trainer.task"),
        pytest.raises(TrainingError, match="loss \ufffd"),
    ):
        _run_trainer([sys.executable, "-c", program])
    assert caplog.messages == ["loss \ufffd[2J"]


# fmt: off
RETRIES = {               # error                   tried again
    "hub is down":        (StorageError("x"),        True),
    "shard is damaged":   (CorpusDamaged("x"),       False),
    "recipe is wrong":    (ConfigError("x"),         False),
    "loss is no number":  (TrainingError("x"),       False),
}
# fmt: on


@pytest.mark.parametrize(("error", "again"), RETRIES.values(), ids=RETRIES.keys())
def test_only_storage_is_worth_another_try(error, again):
    from prefect.states import Failed

    assert _is_worth_another_try(None, None, Failed(data=error)) is again


# fmt: off
LAUNCHES = {              # WINNOW_LAUNCH                              what starts the trainer
    "nothing":            ("",                                         [sys.executable]),
    "this Python":        (f"'{sys.executable}' -X dev",               [sys.executable, "-X", "dev"]),
    "no shell reads it":  (f"{sys.executable} '$HOME;' `id`",          [sys.executable, "$HOME;", "`id`"]),
    "beside this Python": ("torchrun --nproc-per-node 2",              [str(Path(sys.executable).with_name("torchrun")), "--nproc-per-node", "2"]),
}
# fmt: on


@pytest.mark.parametrize(("given", "command"), LAUNCHES.values(), ids=LAUNCHES)
def test_the_machine_says_how_the_trainer_is_launched(given, command, monkeypatch):
    monkeypatch.setenv(LAUNCH_VARIABLE, given)
    assert launcher() == command


@pytest.mark.parametrize(
    ("given", "said"), [("/none/launch", "there is no"), ("'open", "cannot be read")]
)
def test_a_launcher_that_is_not_there_is_refused(given, said, monkeypatch):
    monkeypatch.setenv(LAUNCH_VARIABLE, given)
    with pytest.raises(ConfigError, match=f"WINNOW_LAUNCH=.*{said}"):
        launcher()


def test_the_newest_step_is_looked_at_whenever_the_trainer_speaks():
    looks = []
    program = "import sys; sys.stderr.write('one\\ntwo\\n'); sys.exit(1)"
    with pytest.raises(TrainingError):
        _run_trainer([sys.executable, "-c", program], lambda: looks.append(1))
    assert len(looks) == 2
