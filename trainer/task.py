"""The trainer as a Prefect task: a process of its own, whose memory and faults stay there."""

import collections
import json
import logging
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, cast
from uuid import UUID

import yaml
from httpx import HTTPError
from prefect import task
from prefect.artifacts import create_progress_artifact, update_progress_artifact
from prefect.cache_policies import NO_CACHE
from prefect.context import TaskRunContext
from prefect.exceptions import PrefectException

from schemas import errors
from schemas.ablation import ABLATION, Ablation
from schemas.adapter import TrainingRun
from schemas.errors import ConfigError, CorpusDamaged, StorageError, TrainingError, WinnowError
from schemas.printable import printable
from schemas.recipe import Recipe
from trainer.adapters import find_start
from trainer.corpus import Corpus
from trainer.files import write_text
from trainer.following import Following
from trainer.run import run_name

_log = logging.getLogger(__name__)
RECIPE = "recipe.yaml"
LAUNCH_VARIABLE = "WINNOW_LAUNCH"
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
    start = find_start(recipe.train, root)
    folder = root / "runs" / run_name(Corpus(manifest), recipe.train, recipe.seed, start)
    given = folder / RECIPE
    write_text(given, yaml.safe_dump(recipe.shown(), allow_unicode=True))
    command = [*launcher(), "-m", "trainer", "--json", "--manifest", manifest]
    command += ["--recipe", str(given), "--lake", str(root), "--run-folder", str(folder)]
    return _run_trainer(command, Following(folder, manifest, _Bar(folder.name).tell).look)


def launcher() -> list[str]:
    """What starts the trainer: this Python, or what WINNOW_LAUNCH says for several GPUs.

    It is a matter of the machine, so no recipe can name a command. As `torchrun --nproc-per-node 4`
    or `accelerate launch --config_file deployments/accelerate/ddp.yaml`; no shell reads it.

    Raises:
        ConfigError: it is no command of this machine.
    """
    given = os.environ.get(LAUNCH_VARIABLE, "")
    try:
        words = shlex.split(given) or [sys.executable]
    except ValueError as error:
        raise ConfigError(f"{LAUNCH_VARIABLE}={given!r} cannot be read: {error}.") from None
    beside = Path(sys.executable).parent
    found = shutil.which(words[0]) or shutil.which(words[0], path=str(beside))
    if found is None:
        raise ConfigError(
            f"{LAUNCH_VARIABLE}={given!r}: there is no {words[0]!r} on this machine. Install "
            "accelerate, or unset it to train in one process."
        )
    return [found, *words[1:]]


class _Bar:
    """The run's progress in the Prefect UI, where the task is a run of Prefect's."""

    def __init__(self, run: str) -> None:
        self._run = run
        self._artifact: UUID | None = None
        self._is_shown = TaskRunContext.get() is not None

    def tell(self, line: dict[str, float]) -> None:
        """Show a step; training does not end because the UI cannot be reached."""
        if not self._is_shown:
            return
        done = 100 * line["step"] / max(line.get("steps", 0), line["step"])
        text = f"{self._run}: step {line['step']:,}, loss {line['loss']:.4f}"
        try:
            if self._artifact is None:
                made = create_progress_artifact(done, key="training", description=text)
                self._artifact = cast("UUID", made)  # a coroutine only where one is running
            else:
                update_progress_artifact(self._artifact, done, description=text)
        except (HTTPError, PrefectException) as error:
            self._is_shown = False
            _log.warning("no more progress in the Prefect UI: %s", error)


@task(
    name="compare-trials",
    task_run_name="compare {plan.recipe}",
    tags=["training"],
    cache_policy=NO_CACHE,
    persist_result=False,
)
def compare_trials_task(plan: Ablation, recipe: str, lake: str, folder: str) -> Ablation:
    """The ablation with every trial measured, in a process of its own; written into `folder`.

    `recipe` is the file of the whole recipe, `lake` the folder that the runs are in.

    Raises:
        WinnowError: of the class that the process raised; TrainingError if it died.
    """
    write_text(Path(folder) / ABLATION, plan.model_dump_json(indent=1) + "\n")
    command = [sys.executable, "-m", "trainer.compare", "--folder", folder]
    return Ablation.model_validate(_answer([*command, "--recipe", recipe, "--lake", lake]))


def _run_trainer(command: list[str], look: Callable[[], None] = lambda: None) -> TrainingRun:
    """What the trainer's run came to; `look` is called whenever it says something."""
    return TrainingRun.model_validate(_answer(command, look))


def _answer(command: list[str], look: Callable[[], None] = lambda: None) -> dict[str, Any]:
    """The JSON object that a process of the trainer's ends with; raises the error it tells of."""
    with tempfile.TemporaryFile("w+", encoding="utf-8") as output:
        trainer = subprocess.Popen(  # noqa: S603 - our own module and paths
            command, stdout=output, stderr=subprocess.PIPE, text=True, errors="replace"
        )
        try:
            said = _follow(trainer.stderr, look)
            code = trainer.wait()
        finally:
            _stop(trainer)
        output.seek(0)
        answer = _last_json(output.read())
    if code == 0 and answer is not None:
        return answer
    raise _error_of(code, answer, said)


def _follow(stream: IO[str] | None, look: Callable[[], None]) -> list[str]:
    """Hand every line to the log; the last ones, for an error's message."""
    said: collections.deque[str] = collections.deque(maxlen=LAST_LINES)
    for line in stream or ():
        text = printable(line.rstrip())
        if text:
            said.append(text)
            _log.info("%s", text)
        look()
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
