"""Several processes, as torchrun starts them: the same steps as one process makes."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from schemas.adapter import TrainingRun
from schemas.errors import ConfigError
from schemas.train import Lora
from tests.trainer.building import build_corpus, conversations, recipe_of, write_recipe
from trainer.progress import Progress
from trainer.run import run


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def launch(manifest: Path, recipe: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Two processes on this machine's CPU."""
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]
    command += ["--master-addr", "127.0.0.1", "--master-port", str(free_port())]
    command += ["-m", "trainer", "--json", "--manifest", str(manifest), "--recipe", str(recipe)]
    command += ["--lake", str(manifest.parents[3]), "--run-folder", str(folder)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=300, check=False
    )


def figures(folder: Path, name: str) -> list[float]:
    text = (folder / "metrics.jsonl").read_text("utf-8")
    return [json.loads(line)[name] for line in text.splitlines()]


def test_two_processes_learn_what_one_learns_from_batches_twice_as_large(tiny_model, tmp_path):
    """Packed, and with conversations of unlike lengths, so that the two have unlike tokens."""
    settings = {"packing": True, "max_tokens": 128, "max_steps": 5, "save_steps": 3}
    settings |= {"lora": Lora(rank=4, alpha=8, dropout=0.0)}
    one = recipe_of(tiny_model, batch_size=4, **settings)
    two = recipe_of(tiny_model, batch_size=2, **settings)
    rows = conversations(80)
    rows[::3] = [
        [question, {**answer, "content": answer["content"] * 3}] for question, answer in rows[::3]
    ]
    manifest = build_corpus(tmp_path / "lake", one, rows, conversations(8, start=80))
    run(manifest, one, tmp_path / "lake", tmp_path / "one", Progress())

    path = write_recipe(tmp_path / "two.yaml", two)
    launched = launch(manifest, path, tmp_path / "two")

    assert launched.returncode == 0, launched.stderr
    assert launched.stdout.count("\n") == 1
    assert TrainingRun.model_validate_json(launched.stdout).manifest.pushed
    assert launched.stderr.count("Label audit") == 1
    for name in ("loss", "grad_norm", "tokens", "learning_rate"):
        found, expected = (figures(tmp_path / place, name) for place in ("two", "one"))
        assert found == pytest.approx(expected, rel=1e-4)
    newest = tmp_path / "two" / "checkpoints" / "checkpoint-5"
    assert {f"rng_state_{rank}.pth" for rank in (0, 1)} <= json.loads(
        (newest / "complete.json").read_text("utf-8")
    ).keys()

    unfinish(tmp_path / "two")
    with pytest.raises(ConfigError, match=r"begun with 2 processes, and now there are 1"):
        run(manifest, two, tmp_path / "lake", tmp_path / "two", Progress())


def unfinish(folder: Path) -> None:
    """Leave a run as one that was killed before its last checkpoint."""
    (folder / "training_manifest.json").unlink()
    (folder / "adapter" / "training_manifest.json").unlink()
    (folder / "checkpoints" / "checkpoint-5" / "complete.json").unlink()
