"""Adapters that were trained before: where they are, and what they were made from.

Nothing here imports torch.
"""

import os
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from schemas.adapter import StartedFrom, TrainingManifest
from schemas.digests import sha256_of
from schemas.errors import ConfigError, StorageError, UnknownName
from schemas.train import Train
from trainer.files import ADAPTER_FILES, CONFIG, MANIFEST, WEIGHTS, read_manifest, weights_of
from trainer.weights import BaseFiles, find_base, first_line

_REPO = re.compile(r"[\w.-]+/[\w.-]+")


@dataclass(frozen=True)
class StartAdapter:
    """An adapter that training goes on from: what the recipe calls it, and its folder."""

    name: str
    folder: Path

    @cached_property
    def digest(self) -> str:
        """SHA-256 of its weights."""
        return sha256_of(self.folder / WEIGHTS)

    @cached_property
    def manifest(self) -> TrainingManifest | None:
        """What it was made from; None where Winnow did not train it."""
        return read_manifest(self.folder / MANIFEST)

    @property
    def is_place(self) -> bool:
        """Whether its name is a folder of this machine."""
        return Path(self.name).exists()

    @property
    def record(self) -> StartedFrom:
        """What a training manifest says of it; no place on this machine."""
        made = self.manifest
        return StartedFrom(
            name=Path(self.name).name if self.is_place else self.name,
            adapter_sha256=self.digest,
            run=made and made.run,
            corpus=made and made.corpus,
            corpus_version=made and made.corpus_version,
            corpus_digest=made and made.corpus_digest,
        )


def find_start(train: Train, lake: Path) -> StartAdapter | None:
    """The adapter that `train.start_from` names; None where it names none.

    It is looked for as in `named_adapter`.

    Raises:
        ConfigError: nothing of that name holds a LoRA adapter in safetensors.
        StorageError: the Hub cannot be reached.
    """
    name = train.start_from
    if name is None:
        return None
    folder = named_adapter(name, lake)
    if not (folder / WEIGHTS).is_file():
        raise ConfigError(
            f"train.start_from: {folder} holds no {WEIGHTS}. Name a LoRA adapter; a model whose "
            "weights were all trained is a base_model of its own."
        )
    return StartAdapter(name, folder)


def find_adapter(name: str | None, lake: Path) -> Path:
    """The folder of what a run trained.

    `name` is such a folder, a run's folder, the name of a run in the lake, or a repository of its
    folder hub, of which the newest commit is meant; None means the run that finished last.

    Raises:
        UnknownName: nothing of that name holds an adapter.
    """
    runs = lake / "runs"
    if name is None:
        done = sorted(runs.glob(f"*/{MANIFEST}"), key=os.path.getmtime)
        if not done:
            raise UnknownName(f"no run in {runs} is finished. Train one first: winnow train")
        return done[-1].parent / "adapter"
    candidates = [Path(name), Path(name) / "adapter", runs / name / "adapter"]
    reference = lake / "hub" / name / "refs" / "main"
    if reference.is_file():
        commit = reference.read_text(encoding="utf-8").strip()
        candidates.append(lake / "hub" / name / "commits" / commit)
    for folder in candidates:
        if (folder / CONFIG).is_file() or _is_trained_model(folder):
            return folder
    known = ", ".join(sorted(path.parent.name for path in runs.glob(f"*/{MANIFEST}"))) or "none"
    raise UnknownName(f"{name!r} holds no adapter; finished runs in {runs}: {known}")


def _is_trained_model(folder: Path) -> bool:
    """Whether a folder is that of a model all of whose weights a run trained."""
    return (folder / MANIFEST).is_file() and weights_of(folder).is_file()


def named_adapter(name: str | None, lake: Path) -> Path:
    """The folder of an adapter, as for `find_adapter`, or of a Hugging Face Hub repository.

    Raises:
        UnknownName: nothing of that name holds an adapter.
        ConfigError: the Hub has no such repository, or it may not be read.
        StorageError: the Hub cannot be reached.
    """
    try:
        return find_adapter(name, lake)
    except UnknownName:
        if name is None or not _REPO.fullmatch(name):
            raise
        return fetch_adapter(name)


def manifest_of(folder: Path, lake: Path) -> TrainingManifest:
    """The manifest of what a run trained, with the place of its base model.

    `lake` may hold the run that made it, which knows where a base model's folder is.

    Raises:
        ConfigError: there is none, or nothing says where the base model's folder is.
    """
    made = read_manifest(folder / MANIFEST)
    if made is None:
        raise ConfigError(
            f"{folder} holds no {MANIFEST}, so its base model and template are not known. "
            "Give an adapter that Winnow trained."
        )
    if made.train.base_model.path != "":
        return made
    for run in (folder.absolute().parent, lake / "runs" / made.run):
        own = read_manifest(run / MANIFEST, made.run)
        if own and own.adapter_sha256 == made.adapter_sha256:
            return own
    raise ConfigError(
        f"{folder} was trained on {made.base_model} from a folder, and no run here says where that "
        f"folder is. Put the model with weights of sha256 {made.base_digest} on this machine and "
        f"its folder into train.base_model.path of {folder / MANIFEST}."
    )


def base_of(made: TrainingManifest, folder: Path) -> BaseFiles:
    """The base model that an adapter in `folder` was trained on (raises ConfigError)."""
    base = find_base(made.train.base_model)
    if base.digest != made.base_digest:
        raise ConfigError(
            f"{folder} was trained on other weights of {made.base_model}: expected sha256 "
            f"{made.base_digest}, found {base.digest}. Install revision {made.base_revision}."
        )
    return base


def fetch_adapter(repo: str) -> Path:
    """An adapter's files from the newest commit of a Hugging Face Hub repository.

    Raises:
        ConfigError: there is no such repository, or it may not be read.
        StorageError: the Hub cannot be reached, and it was not fetched before.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(repo, allow_patterns=list(ADAPTER_FILES)))
    except LocalEntryNotFoundError:
        raise StorageError(
            f"adapter {repo} is not on this machine and the Hub cannot be reached. Check the "
            "network, or download it and name its folder."
        ) from None
    except HfHubHTTPError as error:
        raise ConfigError(
            f"adapter {repo}: {first_line(error)}. Check its name; a private one needs HF_TOKEN."
        ) from None
