"""Scores of lm-evaluation-harness, where the recipe asks for them and its package is installed."""

import importlib.util
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from schemas.adapter import TaskScore
from schemas.errors import ConfigError
from schemas.train import Harness
from trainer.generation import Assistant
from trainer.undisturbed import undisturbed
from trainer.weights import first_line

PACKAGE = "lm_eval"
BOOTSTRAP = 1_000
"""Samples drawn for the standard error of a metric that has no formula for it."""


@dataclass(frozen=True)
class HarnessExam:
    """Tasks that base model and adapter are both put to."""

    asked: Harness
    tasks: Any
    """the harness's own TaskManager"""

    def sit(self, assistant: Assistant, seed: int) -> tuple[TaskScore, ...]:
        """What the model comes to as it is now; it and the random numbers are left as they were.

        The same seed chooses the same worked examples.
        """
        from lm_eval import simple_evaluate

        from trainer.harness_model import AssistantModel

        asked = self.asked
        with undisturbed(assistant.model):
            found = simple_evaluate(
                model=AssistantModel(assistant, asked.chat),
                tasks=list(asked.tasks),
                num_fewshot=asked.shots,
                limit=asked.limit,
                apply_chat_template=asked.chat,
                bootstrap_iters=BOOTSTRAP,
                log_samples=False,
                task_manager=self.tasks,
                random_seed=seed,
                numpy_random_seed=seed,
                torch_random_seed=seed,
                fewshot_random_seed=seed,
            )
        return scores_of(found)


def open_harness(asked: Harness | None) -> HarnessExam | None:
    """The exam that a recipe asks for; None where it asks for none.

    Every task is loaded once, with its documents, so that nothing is found out after training.

    Raises:
        ConfigError: the harness is not installed, has no such task, or cannot give its documents.
    """
    if asked is None:
        return None
    if importlib.util.find_spec(PACKAGE) is None:
        raise ConfigError(
            "train.harness needs lm-evaluation-harness, which is not installed. Install it with "
            "`pip install 'winnow[harness]'`, or take harness out of the recipe."
        )
    logging.getLogger(PACKAGE).setLevel(logging.ERROR)
    if asked.folder is not None and not Path(asked.folder).is_dir():
        raise ConfigError(f"train.harness.folder: {asked.folder} is no folder. Correct its path.")
    tasks = _task_manager(asked)
    _refuse_unknown(asked, tasks.all_tasks)
    _refuse_unfit(tasks, asked)
    return HarnessExam(asked, tasks)


def scores_of(found: Mapping[str, Any]) -> tuple[TaskScore, ...]:
    """The metrics of every task and group in the harness's results, in its order.

    It names a metric `name,filter`, `none` for no filter, and its standard error `name_stderr`.
    """
    counts = found.get("n-samples", {})
    return tuple(
        TaskScore(
            task=task,
            metric=metric if filtered == "none" else f"{metric},{filtered}",
            value=float(value),
            error=_number(measured.get(f"{metric}_stderr,{filtered}")),
            documents=counts.get(task, {}).get("effective"),
            version=str(found.get("versions", {}).get(task, "")),
        )
        for task, measured in found["results"].items()
        for key, value in measured.items()
        for metric, comma, filtered in [key.partition(",")]
        if comma and not metric.endswith("_stderr") and _number(value) is not None
    )


def _number(value: Any) -> float | None:
    is_one = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_one else None


def _task_manager(asked: Harness) -> Any:
    """An index of the recipe's own tasks, and of the harness's thousands where it names of those.

    Those take seconds to look through.
    """
    from lm_eval.tasks import TaskManager

    if asked.folder is not None:
        own = TaskManager(include_path=asked.folder, include_defaults=False)
        if set(asked.tasks) <= set(own.all_tasks):
            return own
    return TaskManager(include_path=asked.folder)


def _refuse_unknown(asked: Harness, known: list[str]) -> None:
    unknown = [name for name in asked.tasks if name not in known]
    if unknown:
        raise ConfigError(
            f"train.harness.tasks: the harness has no {', '.join(unknown)}. See what it has with "
            "`lm_eval ls tasks`, or name the folder of a task of your own in train.harness.folder."
        )


def _refuse_unfit(tasks: Any, asked: Harness) -> None:
    try:
        loaded = tasks.load(list(asked.tasks))["tasks"]
    except Exception as error:  # whatever a task's own file, the Hub or `datasets` raises
        raise ConfigError(
            f"train.harness: {', '.join(asked.tasks)} cannot be loaded: {first_line(error)}. The "
            "harness fetches documents from the Hugging Face Hub: check the network, or take the "
            "task out."
        ) from error
    unsafe = [name for name, task in loaded.items() if getattr(task, "UNSAFE_CODE", False)]
    if unsafe:
        raise ConfigError(
            f"train.harness.tasks: {', '.join(unsafe)} would run code that the model writes. Take "
            "it out, and run it where nothing can be harmed."
        )
