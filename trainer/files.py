"""Files of a run: their names, and writes of which a reader sees all or nothing."""

import contextlib
import errno
import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout
from pydantic import ValidationError

from schemas.adapter import TrainingManifest
from schemas.errors import StorageError

WEIGHTS = "adapter_model.safetensors"
CONFIG = "adapter_config.json"
CARD = "README.md"
MANIFEST = "training_manifest.json"
METRICS = "metrics.jsonl"
ADAPTER_FILES = (WEIGHTS, CONFIG, CARD, MANIFEST)
"""All that an adapter's folder holds, and all that Winnow writes or deletes in a repository."""

MODEL_WEIGHTS = "model.safetensors"
MODEL_CONFIG = "config.json"
MODEL_FILES = (
    *(MODEL_WEIGHTS, MODEL_CONFIG, "generation_config.json"),
    *("tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "special_tokens_map.json"),
    *(CARD, MANIFEST),
)
"""The same where all weights were trained: a model that loads without its base."""


def weights_of(folder: Path) -> Path:
    """The safetensors file of what a run trained: an adapter's, or a whole model's."""
    model = folder / MODEL_WEIGHTS
    return model if model.is_file() else folder / WEIGHTS


def files_of(folder: Path) -> tuple[str, ...]:
    """The names that the files of what a run trained may have."""
    return MODEL_FILES if weights_of(folder).name == MODEL_WEIGHTS else ADAPTER_FILES


def write_text(path: Path, text: str) -> None:
    """Write a file so that it holds the old text or all of the new, even after a power cut."""
    with storage_errors("write", path):
        path.parent.mkdir(parents=True, exist_ok=True)
        staging = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
        try:
            with staging.open("w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            staging.replace(path)
        finally:
            staging.unlink(missing_ok=True)


@contextlib.contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """A staging folder that becomes `folder` if the block ends well, else vanishes.

    If another writer made `folder` meanwhile, theirs stays: both hold the same content.
    """
    staging = folder.with_name(f".{folder.name}.{uuid.uuid4().hex}")
    with storage_errors("write", folder):
        staging.mkdir(parents=True)
        try:
            yield staging
            try:
                staging.rename(folder)
            except OSError as error:
                if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                    raise
        finally:
            shutil.rmtree(staging, ignore_errors=True)


@contextlib.contextmanager
def only_writer(lock: Path, taken: str) -> Iterator[None]:
    """Hold a lock; the operating system lets go of it when a process dies.

    Raises:
        StorageError: another process holds it, which `taken` says; or it cannot be written.
    """
    held = FileLock(lock)
    with storage_errors("write", lock):
        lock.parent.mkdir(parents=True, exist_ok=True)
        try:
            held.acquire(timeout=0)
        except Timeout:
            raise StorageError(f"{taken}. Wait for it, or stop it first.") from None
    try:
        yield
    finally:
        held.release()


@contextlib.contextmanager
def storage_errors(verb: str, where: Path | str) -> Iterator[None]:
    """Turn what the operating system says into a StorageError with a next step."""
    try:
        yield
    except OSError as error:
        raise StorageError(
            f"cannot {verb} {where}: {error.strerror or error}. {_next_step(error)}"
        ) from error


def _next_step(error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return "Free some space and run the same command again; it continues where it stopped."
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return "Give this user write access there, or choose another place with --lake."
    return "Check the path and run the same command again."


def read_manifest(path: Path, name: str | None = None) -> TrainingManifest | None:
    """A training manifest; None where there is none, or it is of a run of another name.

    With a `name` it is that of the user's own run, which can be done again.
    """
    try:
        found = TrainingManifest.model_validate_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        mend = (
            "Fetch the adapter again." if name is None else "Delete it to have the run done again."
        )
        raise StorageError(
            f"{path} cannot be read as a training manifest: {str(error).splitlines()[0]}. {mend}"
        ) from None
    return found if name in (None, found.run) else None
