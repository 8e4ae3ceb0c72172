"""The loop's options, each by what a run of it shows; and its faults."""

import json
import math
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from transformers import get_scheduler

from schemas.adapter import StepRows
from schemas.errors import ConfigError, StorageError, TrainingError
from schemas.recipe import Recipe
from schemas.train import Lora
from tests.trainer.building import build_corpus, conversations, recipe_of, write_recipe
from trainer.arguments import optimizer, recomputes_activations, training_arguments
from trainer.progress import Progress
from trainer.run import run

ROWS = StepRows(batch_size=4, accumulation=1, processes=1)
STILL = Lora(rank=4, alpha=8, dropout=0.0)


def train(manifest: Path, recipe: Recipe, folder: Path) -> Any:
    return run(manifest, recipe, manifest.parents[3], folder, Progress()).manifest


def lines(folder: Path) -> list[dict[str, float]]:
    text = (folder / "metrics.jsonl").read_text("utf-8")
    return [json.loads(line) for line in text.splitlines()]


def losses(folder: Path) -> list[float]:
    return [line["loss"] for line in lines(folder)]


# fmt: off
SAME = {                                # settings                              differs from the plain run by
    "activations are recomputed":       ({"gradient_checkpointing": "on"},      1e-6),
    "moments in 8 bits":                ({"optimizer": "adamw_8bit"},           0.05),
    "paged, which a CPU is not":        ({"optimizer": "paged_adamw_8bit"},     0.05),
    "auto is the eight rows of a step": ({"batch_size": "auto"},                1e-6),
}
# fmt: on


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Path:
    """Of 64 conversations, with a run `plain` of six steps beside it."""
    place = tmp_path_factory.mktemp("loop")
    recipe = recipe_of(tiny_model, batch_size=8, max_steps=6, lora=STILL)
    path = build_corpus(place / "lake", recipe, conversations(64), conversations(8, start=64))
    train(path, recipe, place / "plain")
    return path


@pytest.fixture
def plain(corpus: Path) -> list[float]:
    return losses(corpus.parents[4] / "plain")


@pytest.mark.parametrize(("settings", "difference"), SAME.values(), ids=SAME)
def test_what_saves_memory_changes_little(
    settings, difference, corpus, plain, tiny_model, tmp_path, capfd
):
    recipe = recipe_of(tiny_model, **{"batch_size": 8, "max_steps": 6, "lora": STILL} | settings)
    train(corpus, recipe, tmp_path)
    assert losses(tmp_path) == pytest.approx(plain, rel=difference)
    assert ("nothing to page" in capfd.readouterr().err) is ("paged" in str(settings))


# fmt: off
SCHEDULES = {               # of the first learning rate, as step `done` of six begins
    "polynomial":           lambda done: (1 - done / 6) ** 2,
    "linear":               lambda done: 1 - done / 6,
    "cosine":               lambda done: (1 + math.cos(math.pi * done / 6)) / 2,
    "constant_with_warmup": lambda done: 1.0,
}
# fmt: on


@pytest.mark.parametrize(("schedule", "share"), SCHEDULES.items(), ids=SCHEDULES)
def test_the_learning_rate_follows_its_schedule(schedule, share, tiny_model, tmp_path):
    recipe = recipe_of(tiny_model, max_steps=6, schedule=schedule, warmup_share=0.0)
    asked = training_arguments(recipe.train, ROWS, 17, tmp_path)
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    schedule = get_scheduler(
        asked.lr_scheduler_type,
        optimizer,
        asked.get_warmup_steps(6),
        6,
        scheduler_specific_kwargs=asked.lr_scheduler_kwargs,
    )
    for done in range(6):
        assert schedule.get_last_lr() == [pytest.approx(share(done))]
        optimizer.step()
        schedule.step()


# fmt: off
PRECISIONS = {              # bf16     what the launcher says   what is computed in
    "off":                  ("off",    "bf16",                  "no"),
    "on":                   ("on",     "no",                    "bf16"),
    "on, and fp16":         ("on",     "fp16",                  "bf16"),
}
# fmt: on


@pytest.mark.parametrize(("bf16", "told", "used"), PRECISIONS.values(), ids=PRECISIONS)
def test_the_recipe_decides_on_bfloat16_whatever_the_launcher_says(
    bf16, told, used, tiny_model, tmp_path, monkeypatch
):
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", told)
    train = recipe_of(tiny_model, bf16=bf16).train
    assert training_arguments(train, ROWS, 17, tmp_path).mixed_precision == used


@pytest.mark.parametrize("name", ["ddp", "fsdp"])
def test_the_accelerate_files_leave_the_precision_to_the_recipe(name):
    path = Path(__file__).parents[2] / "deployments" / "accelerate" / f"{name}.yaml"
    assert "mixed_precision" not in yaml.safe_load(path.read_text("utf-8"))


def test_a_line_says_how_far_how_fast_and_how_large(corpus):
    found = lines(corpus.parents[4] / "plain")
    assert [line["step"] for line in found] == [1, 2, 3, 4, 5, 6]
    assert {line["steps"] for line in found} == {6}
    assert all(line["memory_bytes"] > 1e7 for line in found)
    assert all(line["tokens_per_s"] > 0 for line in found)
    assert "mfu" not in found[0]  # a CPU has no peak that anyone publishes


def test_liger_that_cannot_be_had_is_refused_or_left_out(corpus, tiny_model, tmp_path):
    recipe = recipe_of(tiny_model, max_steps=1, liger="on")
    with pytest.raises(ConfigError, match=r"train.liger is on, but .*no GPU"):
        train(corpus, recipe, tmp_path)


def test_on_a_cpu_nothing_is_recomputed_unless_asked_for(tiny_model):
    found = [
        recomputes_activations(recipe_of(tiny_model, gradient_checkpointing=one).train)
        for one in ("auto", "on", "off")
    ]
    assert found == [False, True, False]


def test_an_optimizer_without_its_package_is_refused(tiny_model, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match="needs bitsandbytes"):
        optimizer(recipe_of(tiny_model, optimizer="adamw_8bit").train)
    assert optimizer(recipe_of(tiny_model).train) == "adamw_torch_fused"


def test_tensorboard_gets_every_step(corpus, tiny_model, tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    train(corpus, recipe_of(tiny_model, max_steps=3), tmp_path)
    board = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    shown = [(one.step, one.value) for one in board.Scalars("train/loss")]
    assert [step for step, _ in shown] == [1, 2, 3]
    assert [loss for _, loss in shown] == pytest.approx(losses(tmp_path), rel=1e-6)


def child(
    manifest: Path, recipe: Recipe, folder: Path, until: Callable[[], bool], act: Any
) -> subprocess.CompletedProcess[str]:
    """Train in a process of its own, and do something to it once `until` holds."""
    path = write_recipe(folder.with_suffix(".yaml"), recipe)
    command = [sys.executable, "-m", "trainer", "--json", "--manifest", str(manifest)]
    command += ["--recipe", str(path), "--lake", str(manifest.parents[3])]
    with subprocess.Popen(
        [*command, "--run-folder", str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        while process.poll() is None and not until():
            try:
                process.wait(0.005)
            except subprocess.TimeoutExpired:
                continue
        act(process)
        out, _ = process.communicate()
    return subprocess.CompletedProcess(command, process.returncode, out)


def test_sigterm_keeps_the_step_and_a_second_run_ends_bitwise_the_same(
    corpus, tiny_model, tmp_path
):
    """No checkpoint is due before the last step, so the one that is found is the signal's."""
    recipe = recipe_of(tiny_model, max_steps=150, save_steps=150, schedule="polynomial")
    straight = train(corpus, recipe, tmp_path / "straight")
    folder = tmp_path / "stopped"
    metrics = folder / "metrics.jsonl"
    ended = child(
        corpus,
        recipe,
        folder,
        lambda: metrics.is_file() and metrics.stat().st_size > 0,
        lambda process: process.send_signal(signal.SIGTERM),
    )
    assert ended.returncode == TrainingError.exit_code
    answer = json.loads(ended.stdout)
    assert answer["error"] == "TrainingError"
    done = len(losses(folder))
    assert 0 < done < 150
    assert f"stopped by SIGTERM after step {done} of 150" in answer["message"]
    assert [one.name for one in (folder / "checkpoints").iterdir()] == [f"checkpoint-{done}"]

    resumed = train(corpus, recipe, folder)
    assert losses(folder) == losses(tmp_path / "straight")
    assert resumed.adapter_sha256 == straight.adapter_sha256


def test_a_full_disk_is_told_and_a_second_run_goes_on(corpus, tiny_model, tmp_path):
    """The disk is full once a checkpoint is whole: no file may grow to an adapter's size."""
    wide = Lora(rank=64, alpha=64, dropout=0.1)
    recipe = recipe_of(tiny_model, max_steps=90, save_steps=30, keep_checkpoints=1, lora=wide)
    straight = train(corpus, recipe, tmp_path / "straight")
    folder = tmp_path / "full"
    size = (tmp_path / "straight" / "adapter" / "adapter_model.safetensors").stat().st_size
    ended = child(
        corpus,
        recipe,
        folder,
        lambda: bool(list(folder.glob("checkpoints/*/complete.json"))),
        lambda process: resource.prlimit(
            process.pid, resource.RLIMIT_FSIZE, (size // 2, size // 2)
        ),
    )
    assert ended.returncode == StorageError.exit_code
    message = json.loads(ended.stdout)["message"]
    assert "Free some space and run the same command again; it continues from the last" in message
    resumed = train(corpus, recipe, folder)
    assert resumed.adapter_sha256 == straight.adapter_sha256
    assert losses(folder) == losses(tmp_path / "straight")
