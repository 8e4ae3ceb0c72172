"""`python -m trainer.compare`: the trials of an ablation, measured on the same validation rows."""

import argparse
import json
import math
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
import torch
from pydantic import ValidationError

from schemas.ablation import ABLATION, REPORT, Ablation, Trial
from schemas.adapter import AnswerScores, LabelAudit
from schemas.errors import ConfigError, StorageError, WinnowError
from schemas.recipe import Recipe, load_recipe
from trainer.ablation_report import ablation_markdown
from trainer.answers import score
from trainer.corpus import Corpus
from trainer.evaluate import evaluation_of
from trainer.exam import Exam, set_exam
from trainer.files import MANIFEST, read_manifest, storage_errors, write_text
from trainer.generation import Assistant
from trainer.opening import open_assistant
from trainer.progress import Progress
from trainer.quiet import hush, hush_transformers
from trainer.tokenize import tokenize

TRAIN, VALIDATION = "train", "validation"
IDENTITY = ("record_id", "cluster")
Ints = npt.NDArray[np.int64]


def main(arguments: list[str] | None = None) -> int:
    """Measure the plan of a folder and print it filled in, or the error, as one JSON object."""
    parser = argparse.ArgumentParser(prog="python -m trainer.compare", description=__doc__)
    parser.add_argument("--folder", required=True, help=f"holds {ABLATION}, which is filled in")
    parser.add_argument("--recipe", required=True, help="the whole recipe's YAML file")
    parser.add_argument("--lake", required=True, help="holds the runs")
    options = parser.parse_args(arguments)
    hush()
    progress = Progress()
    try:
        found = compare(Path(options.folder), options.recipe, Path(options.lake), progress)
    except WinnowError as error:
        told = {"error": type(error).__name__, "message": str(error)}
        sys.stdout.write(json.dumps(told, ensure_ascii=False) + "\n")
        return error.exit_code
    finally:
        progress.close()
    sys.stdout.write(found.model_dump_json() + "\n")
    return 0


def compare(folder: Path, recipe: str, lake: Path, progress: Progress) -> Ablation:
    """Fill in the plan that lies in `folder`, and write its report beside it.

    All trials are measured on the same rows of the whole recipe's validation split: those that no
    variant was trained on, nor on a near copy of. Leaving a source out may bring such rows into
    another's training split, since what they were duplicates of is gone.

    Raises:
        StorageError: the plan cannot be read or the result not be written.
        ConfigError: a base model is not the one that an adapter was trained on.
        CorpusDamaged: a shard is not the one that its manifest names.
    """
    hush_transformers()
    plan = _read_plan(folder / ABLATION)
    whole = load_recipe(recipe)
    corpus = Corpus(plan.manifest)
    corpus.verify()
    unseen = unseen_rows(corpus, [Corpus(trial.manifest) for trial in plan.trials])
    room = _Room(whole, corpus, lake, unseen, progress)
    progress.say("measuring the base model")
    base_losses, base_answers = room.sat(open_assistant(base=recipe))
    measured = [room.measured(trial) for trial in plan.trials]
    found = plan.model_copy(
        update={
            "trials": tuple(with_changes(measured)),
            "conversations": base_losses.height,
            "seen_by_a_variant": corpus.split(VALIDATION).rows - unseen.size,
            "base_model": evaluation_of(base_losses),
            "base_answers": base_answers,
        }
    )
    write_text(folder / REPORT, ablation_markdown(found))
    write_text(folder / ABLATION, found.model_dump_json(indent=1) + "\n")
    return found


def unseen_rows(corpus: Corpus, others: Sequence[Corpus]) -> Ints:
    """Places in the validation split of rows that no other corpus trains on, ascending.

    A row of the same record, or of the same cluster of near duplicates, counts as the row.
    """
    wanted = _identities(corpus, VALIDATION).with_row_index("row")
    for other in {str(one.path): one for one in others if one.path != corpus.path}.values():
        other.verify()
        trained = _identities(other, TRAIN)
        for name in IDENTITY:
            wanted = wanted.filter(~pl.col(name).is_in(trained[name].implode()))
    return wanted["row"].cast(pl.Int64).to_numpy()


def change_of(whole: pl.DataFrame, other: pl.DataFrame) -> tuple[float | None, float | None]:
    """The loss of `other` less that of `whole`, in nats per token, and its standard error.

    Both have the same rows, as `row_losses` makes them. The error is that of a ratio of sums over
    conversations, by the delta method; None of fewer than two. Without a token there is no change.
    """
    tokens = whole["tokens"].to_numpy()
    if not tokens.sum():
        return None, None
    by_row = (other["loss"] - whole["loss"]).to_numpy()
    change = float(by_row.sum() / tokens.sum())
    rows = len(by_row)
    if rows < 2:
        return change, None
    spread = float(np.square(by_row - change * tokens).sum()) * rows / (rows - 1)
    return change, math.sqrt(spread) / float(tokens.sum())


def with_changes(measured: Sequence[tuple[Trial, pl.DataFrame | None]]) -> Iterator[Trial]:
    """The trials, each with what it differs from the whole recipe's of the same seed."""
    whole = {trial.seed: losses for trial, losses in measured if trial.variant.is_whole}
    for trial, losses in measured:
        reference = whole.get(trial.seed)
        if trial.variant.is_whole or losses is None or reference is None:
            yield trial
            continue
        change, error = change_of(reference, losses)
        yield trial.model_copy(update={"change": change, "change_error": error})


class _Room:
    """Where every model sits the same exam."""

    def __init__(
        self, recipe: Recipe, corpus: Corpus, lake: Path, unseen: Ints, progress: Progress
    ) -> None:
        if recipe.train is None:
            raise ConfigError(f"recipe {recipe.name!r} has no train section, so nothing is trained")
        self._train, self._seed = recipe.train, recipe.seed
        self._corpus, self._lake = corpus, lake
        self._unseen = unseen
        self._progress = progress
        if recipe.train.threads:
            torch.set_num_threads(recipe.train.threads)

    def sat(self, assistant: Assistant) -> tuple[pl.DataFrame, AnswerScores | None]:
        """A model's losses, row by row, and what its answers come to; it is not held on to."""
        exam = self._exam(assistant)
        return exam.losses(), score(exam.quiz, exam.quiz.ask(exam.assistant))

    def _exam(self, assistant: Assistant) -> Exam:
        """The exam for a model, on the rows that no variant has seen."""
        folder = self._lake / "tokenized"
        say = self._progress.tokenized
        tokenized = tokenize(self._corpus, self._train, assistant.template, folder, say)
        rows = tokenized.validation
        places = np.asarray(rows.with_format("numpy")["row"][:], np.int64)
        rows = rows.select(np.flatnonzero(np.isin(places, self._unseen)))
        model, template = assistant.model, assistant.template
        return set_exam(model, template, self._corpus, rows, self._train, self._seed)

    def measured(self, trial: Trial) -> tuple[Trial, pl.DataFrame | None]:
        """A trial with what it came to, and its losses; as it is where it was rejected."""
        if trial.run is None:
            return trial, None
        self._progress.say(f"measuring {trial.variant.title}, seed {trial.seed}")
        losses, answers = self.sat(open_assistant(trial.run, self._lake))
        found = {
            **self._made(trial.run),
            "evaluation": evaluation_of(losses),
            "answers": answers,
        }
        return trial.model_copy(update=found), losses

    def _made(self, run: str) -> dict[str, int]:
        """What the run's manifest says of its training."""
        made = read_manifest(self._lake / "runs" / run / MANIFEST)
        if made is None:
            return {}
        total = LabelAudit.total(made.audit)
        return {
            "rows": total.kept,
            "trainable_tokens": total.trainable_tokens,
            "steps": made.steps,
        }


def _identities(corpus: Corpus, split: str) -> pl.DataFrame:
    """One row per row of a split, in its order: `record_id` and `cluster`."""
    paths = [corpus.folder / shard.uri for shard in corpus.split(split).shards]
    frames = [
        (pl.read_parquet if path.suffix == ".parquet" else pl.read_ipc)(path, columns=[*IDENTITY])
        for path in paths
    ]
    return pl.concat(frames) if frames else pl.DataFrame(schema=dict.fromkeys(IDENTITY, pl.String))


def _read_plan(path: Path) -> Ablation:
    with storage_errors("read", path):
        text = path.read_text(encoding="utf-8")
    try:
        return Ablation.model_validate_json(text)
    except ValidationError as error:
        raise StorageError(
            f"{path} is not the plan of an ablation: {str(error).splitlines()[0]}. Run `winnow "
            "ablate` again."
        ) from None


if __name__ == "__main__":
    sys.exit(main())
