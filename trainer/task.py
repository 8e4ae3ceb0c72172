"""The trainer as a Prefect task: a process of its own, whose memory and faults stay there."""

import collections
import json
import logging
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import IO, Any

import yaml
from prefect import task
from prefect.cache_policies import NO_CACHE

from schemas import errors
from schemas.adapter import TrainingRun
from schemas.errors import ConfigError, CorpusDamaged, StorageError, TrainingError, WinnowError
from schemas.printable import printable
from schemas.recipe import Recipe
from trainer.corpus import Corpus
from trainer.files import write_text
from trainer.run import run_name

_log = logging.getLogger(__name__)
RECIPE = "recipe.yaml"
LAST_LINES = 20
GRACE_S = 30
"""Between asking the trainer to stop and killing it."""


def _is_worth_another_try(_task: Any, _run: Any, state: Any) -> bool:
    """Whether the trainer failed for want of storage or hub: it goes on from where it stopped."""
    error = state.result(raise_on_failure=False)
    return isinstance(error, StorageError) and not isinstance(error, CorpusDamaged)


@task(
    name="train-adapter",
    task_run_name="train {manifest}",
    tags=["training"],
    cache_policy=NO_CACHE,
    persist_result=False,
    retries=2,
    retry_delay_seconds=[30, 120],
    retry_condition_fn=_is_worth_another_try,
)
def train_adapter_task(manifest: str, recipe: Recipe, lake: str) -> TrainingRun:
    """Train, accept and push an adapter in a process of its own; its output goes to the run's log.

    `recipe` is as the flow resolved it: it is written into the run's folder and read from there.

    Raises:
        WinnowError: of the class that the trainer raised; TrainingError if it died.
    """
    if recipe.train is None:
        raise ConfigError(f"recipe {recipe.name!r} has no train section, so nothing is trained.")
    root = Path(lake).expanduser().absolute()
    folder = root / "runs" / run_name(Corpus(Path(manifest)), recipe.train, recipe.seed)
    given = folder / RECIPE
    write_text(given, yaml.safe_dump(recipe.shown(), allow_unicode=True))
    command = [sys.executable, "-m", "trainer", "--json", "--manifest", manifest]
    command += ["--recipe", str(given), "--lake", str(root), "--run-folder", str(folder)]
    return _run_trainer(command)


def _run_trainer(command: list[str]) -> TrainingRun:
    with tempfile.TemporaryFile("w+", encoding="utf-8") as output:
        trainer = subprocess.Popen(  # noqa: S603 - our own module and paths
            command, stdout=output, stderr=subprocess.PIPE, text=True, errors="replace"
        )
        try:
            said = _follow(trainer.stderr)
            code = trainer.wait()
        finally:
            _stop(trainer)
        output.seek(0)
        answer = _last_json(output.read())
    if code == 0 and answer is not None:
        return TrainingRun.model_validate(answer)
    raise _error_of(code, answer, said)


def _follow(stream: IO[str] | None) -> list[str]:
    """Hand every line to the log; the last ones, for an error's message."""
    said: collections.deque[str] = collections.deque(maxlen=LAST_LINES)
    for line in stream or ():
        text = printable(line.rstrip())
        if text:
            said.append(text)
            _log.info("%s", text)
    return list(said)


def _stop(trainer: "subprocess.Popen[str]") -> None:
    """End the trainer if the task is ended before it."""
    if trainer.poll() is None:
        trainer.terminate()
        try:
            trainer.wait(GRACE_S)
        except subprocess.TimeoutExpired:
            trainer.kill()
            trainer.wait()
    if trainer.stderr:
        trainer.stderr.close()


def _last_json(text: str) -> dict[str, Any] | None:
    lines = [line for line in text.splitlines() if line.strip()]
    try:
        found = json.loads(lines[-1]) if lines else None
    except json.JSONDecodeError:
        return None
    return found if isinstance(found, dict) else None


def _error_of(code: int, answer: dict[str, Any] | None, said: list[str]) -> WinnowError:
    """The error that the trainer raised, as its own class; TrainingError where it could not say."""
    if answer and "error" in answer:
        kind = getattr(errors, str(answer["error"]), TrainingError)
        return kind(str(answer["message"]))
    last = said[-1] if said else "it said nothing"
    if code < 0:
        return TrainingError(
            f"the trainer was killed by signal {-code} (9 is often the system short of memory); "
            f"the last it said: {last}. Lower train.batch_size or train.max_tokens, then run "
            "again: it continues from its last checkpoint."
        )
    return TrainingError(f"the trainer ended with exit code {code}; the last it said: {last}")
