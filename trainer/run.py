"""A training run as its caller sees it: named by what it depends on, done once, resumable."""

from pathlib import Path

from schemas.adapter import TrainingManifest, TrainingRun
from schemas.adapter import run_name as name_of_run
from schemas.digests import sha256_of
from schemas.errors import ConfigError
from schemas.recipe import Recipe
from schemas.train import Push, Train
from trainer import processes
from trainer.adapters import StartAdapter, find_start
from trainer.corpus import Corpus
from trainer.files import MANIFEST, only_writer, read_manifest, weights_of
from trainer.progress import Progress
from trainer.weights import is_base_unchanged


def run_name(corpus: Corpus, train: Train, seed: int, start: StartAdapter | None = None) -> str:
    """The name of a version's run, as `schemas.adapter` makes it; `start` is as in `find_start`."""
    digest = start.digest if start else None
    return name_of_run(corpus.name, corpus.digest, train, seed, digest)


def run(
    manifest: str | Path, recipe: Recipe, lake: Path, folder: Path | None, progress: Progress
) -> TrainingRun:
    """Train, accept and push the adapter of a corpus version; or find that it is done.

    Writes `checkpoints/`, `metrics.jsonl`, `adapter/` and, last, `training_manifest.json` into
    `folder`, by default `<lake>/runs/<run>`. Killed at any moment and run again, it goes on from
    there: an adapter that is trained and accepted is only pushed. Where the base model's weights
    are others than before, the run is done over. Of a launch of several processes the first calls
    this, the others `assist`.

    Raises:
        ConfigError: the recipe has no usable `train` part, or leaves nothing to learn from.
        CorpusDamaged: a shard is not the one that the manifest names.
        AdapterRejected: the adapter is worse than the bare base model, or fails its acceptance.
        TrainingError: the loss is no number, or memory ran out.
        StorageError: the run cannot be written, or the hub does not take the adapter.
    """
    train = _train_of(recipe)
    processes.join()
    corpus = Corpus(manifest)
    start = find_start(train, lake)
    name = run_name(corpus, train, recipe.seed, start)
    folder = _folder_of(name, lake, folder)
    with only_writer(folder / ".lock", f"{folder}: another process is training this run"):
        done = read_manifest(folder / MANIFEST, name)
        if done and _is_current(done, train, folder):
            processes.told(None)
            return TrainingRun(status="unchanged", folder=str(folder), manifest=done)
        corpus.verify()
        from trainer.job import Job  # torch and its kin, which an unchanged run does without

        place = lake.expanduser().absolute()
        job = Job(corpus, train, recipe.seed, name, place, folder, progress, start)
        return TrainingRun(status="trained", folder=str(folder), manifest=job.finish())


def assist(recipe: Recipe, lake: Path, folder: Path | None, progress: Progress) -> None:
    """Do another process's share of what the first does in `run`, if there is any to do.

    The raised errors are those of `run`.
    """
    train = _train_of(recipe)
    processes.join()
    manifest = processes.told()
    if manifest is None:
        return
    from trainer.job import Job

    corpus = Corpus(manifest)
    start = find_start(train, lake)
    name = run_name(corpus, train, recipe.seed, start)
    folder, place = _folder_of(name, lake, folder), lake.expanduser().absolute()
    Job(corpus, train, recipe.seed, name, place, folder, progress, start).assist()


def _train_of(recipe: Recipe) -> Train:
    if recipe.train is None:
        raise ConfigError(
            f"recipe {recipe.name!r} has no train section. Add one with at least a base_model."
        )
    return recipe.train


def _folder_of(name: str, lake: Path, folder: Path | None) -> Path:
    return (folder or lake / "runs" / name).expanduser().absolute()


def _is_current(done: TrainingManifest, train: Train, folder: Path) -> bool:
    """Whether a finished run needs neither a push nor, its base and adapter as then, training."""
    return (
        _is_where_it_belongs(done, train.push)
        and is_base_unchanged(train.base_model, folder, done.base_digest, done.base_revision)
        and _has_adapter(done, folder)
    )


def _has_adapter(done: TrainingManifest, folder: Path) -> bool:
    """Whether the weights that a finished run trained lie where it left them."""
    weights = weights_of(folder / "adapter")
    return weights.is_file() and sha256_of(weights) == done.adapter_sha256


def _is_where_it_belongs(done: TrainingManifest, push: Push | None) -> bool:
    """Whether a finished run needs no push: none is asked for, or it was pushed there."""
    if push is None or push.target == "none":
        return True
    if done.pushed is None or done.pushed.repo != push.repo:
        return False
    from trainer.hub import chosen_target

    return done.pushed.target == chosen_target(push)
