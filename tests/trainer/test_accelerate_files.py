"""`deployments/accelerate/`: read by accelerate itself, and launched, two processes on a CPU."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from accelerate.commands.config.config_args import ClusterConfig, load_config_from_file
from accelerate.utils import DistributedType

from schemas.adapter import TrainingRun
from schemas.recipe import Recipe
from schemas.train import Lora, Method, Push
from tests.trainer.building import build_corpus, conversations, recipe_of, write_recipe
from tests.trainer.test_processes import figures, free_port
from trainer.progress import Progress
from trainer.run import run

FILES = Path(__file__).parents[2] / "deployments" / "accelerate"
LORA = {"lora": Lora(rank=4, alpha=8, dropout=0.0)}
PUSH = Push(repo="winnow/tiny", target="folder", checkpoints=1)
STEPS = {"max_steps": 6, "save_steps": 3, "keep_checkpoints": 3, "push": PUSH}
FULL = {"method": Method.FULL, "learning_rate": 1e-3}

# fmt: off
LAUNCHES = {    # what accelerate makes of it    what is trained   the whole model is loaded
    "ddp":      (DistributedType.MULTI_GPU,      LORA,             1),
    "fsdp":     (DistributedType.FSDP,           FULL,             2),
}
# fmt: on


@pytest.mark.parametrize("name", LAUNCHES)
def test_accelerate_reads_the_file_as_it_is_meant(name):
    """It raises for a key that it does not know."""
    found = load_config_from_file(str(FILES / f"{name}.yaml"))
    assert isinstance(found, ClusterConfig)
    assert found.distributed_type == LAUNCHES[name][0]
    assert (found.num_machines, found.num_processes) == (1, 2)
    assert not found.use_cpu
    if name == "fsdp":
        assert found.fsdp_config["fsdp_version"] == 2
        assert found.fsdp_config["fsdp_state_dict_type"] == "FULL_STATE_DICT"


def launch(name: str, manifest: Path, recipe: Recipe, folder: Path) -> tuple[TrainingRun, str]:
    """What a run of two processes comes to, and what it says on the way."""
    told = write_recipe(folder.with_suffix(".yaml"), recipe)
    command = [sys.executable, "-m", "accelerate.commands.launch"]
    command += ["--config_file", str(FILES / f"{name}.yaml"), "--main_process_port"]
    command += [str(free_port()), "-m", "trainer", "--json", "--manifest", str(manifest)]
    command += ["--recipe", str(told), "--lake", str(manifest.parents[3])]
    done = subprocess.run(
        [*command, "--run-folder", str(folder)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return TrainingRun.model_validate_json(done.stdout), done.stderr


@dataclass(frozen=True)
class Launched:
    """A finished run of two processes, and what it took."""

    name: str
    manifest: Path
    recipe: Recipe
    folder: Path
    done: TrainingRun
    said: str


@pytest.fixture(scope="module", params=LAUNCHES)
def launched(
    request: pytest.FixtureRequest, tiny_model: Path, tmp_path_factory: pytest.TempPathFactory
) -> Launched:
    lake = tmp_path_factory.mktemp("lake")
    recipe = recipe_of(tiny_model, batch_size=2, **STEPS, **LAUNCHES[request.param][1])
    manifest = build_corpus(lake, recipe, conversations(64), conversations(8, 64))
    done, said = launch(request.param, manifest, recipe, lake / "two")
    return Launched(request.param, manifest, recipe, lake / "two", done, said)


def test_launched_by_the_file_two_processes_learn_what_one_does(launched, tiny_model, tmp_path):
    """From batches half as large; a sharded model is loaded whole again to be measured.

    No process has all of it before, so none can push a checkpoint.
    """
    _, trained, loads = LAUNCHES[launched.name]
    recipe = recipe_of(tiny_model, batch_size=4, **STEPS, **trained)
    lake = launched.manifest.parents[3]
    alone = run(launched.manifest, recipe, lake, tmp_path / "one", Progress()).manifest
    made = launched.done.manifest
    assert made.step_rows.processes == 2
    assert launched.said.count("loading tests/tiny") == loads
    assert ("no process has the whole model" in launched.said) is (loads == 2)
    assert [one.step for one in made.checkpoints if one.pushed] == ([3] if loads == 1 else [])
    for figure in ("loss", "grad_norm", "tokens", "learning_rate"):
        found, expected = (figures(one, figure) for one in (launched.folder, tmp_path / "one"))
        assert found == pytest.approx(expected, rel=1e-3)
    assert made.after.loss == pytest.approx(alone.after.loss, rel=1e-3)


@pytest.mark.parametrize("launched", ["fsdp"], indirect=True)
def test_a_sharded_run_goes_on_from_its_checkpoint_to_the_same_weights(launched):
    for path in (Path("training_manifest.json"), Path("adapter", "training_manifest.json")):
        (launched.folder / path).unlink()
    (launched.folder / "checkpoints" / "checkpoint-6" / "complete.json").unlink()
    again, _ = launch(launched.name, launched.manifest, launched.recipe, launched.folder)
    assert again.manifest.adapter_sha256 == launched.done.manifest.adapter_sha256
