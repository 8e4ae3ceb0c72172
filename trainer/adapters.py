"""Adapters that were trained before: where they are, and what they were made from.

Nothing here imports torch.
"""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from schemas.adapter import StartedFrom, TrainingManifest
from schemas.digests import sha256_of
from schemas.errors import ConfigError, CorpusDamaged, StorageError, UnknownName
from schemas.train import REPO_PATTERN, Train
from trainer.files import (
    ADAPTER_FILES,
    CONFIG,
    MANIFEST,
    MODEL_FILES,
    WEIGHTS,
    read_manifest,
    weights_of,
)
from trainer.weights import BaseFiles, find_base, first_line

_REPO = re.compile(REPO_PATTERN)


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


def refuse_altered(
    path: Path,
    made: TrainingManifest,
    mend: str = "Fetch the adapter again, or train it anew.",
) -> None:
    """Raise CorpusDamaged, with a next step, unless weights are those that a manifest names."""
    found = sha256_of(path) if path.is_file() else "no such file"
    if found != made.adapter_sha256:
        raise CorpusDamaged(
            f"{path} is not the adapter that was accepted: expected sha256 {made.adapter_sha256}, "
            f"found {found}. {mend}"
        )


def base_of(
    made: TrainingManifest, folder: Path, lake: Path, trusts_code: bool = False
) -> BaseFiles:
    """The base model that an adapter in `folder` was trained on.

    An adapter may come from anybody, so its manifest alone has no Python run: a run of this lake
    over the very same base model does, or `trusts_code`.

    Raises:
        ConfigError: the base model brings code that nobody here trusts, or it is not the one on
            this machine.
    """
    base_model = made.train.base_model
    if base_model.trust_remote_code and not (trusts_code or _is_trusted(made, lake)):
        raise ConfigError(
            f"{folder} asks for {base_model.repo} at {base_model.revision}, a base model that runs "
            "its own Python, and no run of this lake trusts it. Look at that code first, then "
            "allow it with --trust-remote-code."
        )
    base = find_base(base_model)
    if base.digest != made.base_digest:
        raise ConfigError(
            f"{folder} was trained on other weights of {made.base_model}: expected sha256 "
            f"{made.base_digest}, found {base.digest}. Install revision {made.base_revision}."
        )
    return base


def _is_trusted(made: TrainingManifest, lake: Path) -> bool:
    """Whether a run of the lake, which the user's own recipe began, has the same base model."""
    own = read_manifest(lake / "runs" / made.run / MANIFEST, made.run)
    return own is not None and own.train.base_model == made.train.base_model


def fetch_adapter(repo: str) -> Path:
    """The files of what a run trained, from the newest commit of a Hugging Face Hub repository.

    Weights of a whole model are fetched only where a manifest says that a run trained them.

    Raises:
        ConfigError: there is no such repository, it may not be read, or no run trained what is
            there.
        StorageError: the Hub cannot be reached, and it was not fetched before.
    """
    folder = _snapshot(repo, ADAPTER_FILES)
    if (folder / CONFIG).is_file():
        return folder
    if not (folder / MANIFEST).is_file():
        raise ConfigError(
            f"{repo} holds no {CONFIG} and no {MANIFEST}: it is neither an adapter nor a model "
            "that Winnow trained. A base model is named by a recipe: --base."
        )
    return _snapshot(repo, MODEL_FILES, revision=folder.name)


def _snapshot(repo: str, names: Sequence[str], revision: str | None = None) -> Path:
    """The folder of a commit, the newest where none is named, with those of its files."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(repo, revision=revision, allow_patterns=list(names)))
    except LocalEntryNotFoundError:
        raise StorageError(
            f"adapter {repo} is not on this machine and the Hub cannot be reached. Check the "
            "network, or download it and name its folder."
        ) from None
    except HfHubHTTPError as error:
        raise ConfigError(
            f"adapter {repo}: {first_line(error)}. Check its name; a private one needs HF_TOKEN."
        ) from None
