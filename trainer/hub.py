"""Where adapters are pushed: the Hugging Face Hub, or a folder that keeps commits the same way."""

import hashlib
import json
import logging
import os
import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import httpx2  # what huggingface_hub speaks HTTP with
from huggingface_hub import HfApi, snapshot_download
from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError
from tenacity import Retrying, before_sleep_log, retry_if_exception, stop_after_attempt
from tenacity.wait import wait_base

from schemas.adapter import PushedTo
from schemas.errors import ConfigError, StorageError
from schemas.train import Push
from trainer.files import (
    ADAPTER_FILES,
    MODEL_FILES,
    files_of,
    new_folder,
    storage_errors,
    write_text,
)

TOKEN_VARIABLE = "HF_TOKEN"  # noqa: S105 - the name of a variable, not a token
TOKENS_PAGE = "https://huggingface.co/settings/tokens"
ATTEMPTS = 5
MAX_WAIT_S = 120.0
"""Longest wait between two attempts; the Hub's rate limits are per five minutes or per hour."""

MAIN = "main"
"""The branch that has finished adapters only."""

_log = logging.getLogger(__name__)


class Hub(Protocol):
    """A place that keeps immutable commits of a repository and branches, which name the newest."""

    def prepare(self, repo: str, private: bool) -> None:
        """Make sure that `repo` is there and can be pushed to."""
        ...

    def push(
        self, folder: Path, repo: str, message: str, private: bool, branch: str = MAIN
    ) -> PushedTo:
        """Make the files of `folder` one new commit of a branch; the same files, the same one.

        A branch that is not there begins at `main`.
        """
        ...

    def fetch(self, repo: str, commit: str, into: Path) -> None:
        """Write the files of a commit into a folder."""
        ...


def chosen_target(push: Push) -> str:
    """`hub`, `folder` or `none`: what `auto` comes to depends on a token in the environment."""
    if push.target != "auto":
        return push.target
    return "hub" if os.environ.get(TOKEN_VARIABLE) else "folder"


def choose_hub(push: Push, lake: Path, attempts: int = ATTEMPTS) -> Hub | None:
    """The hub that a recipe asks for; None where it asks for no push.

    `attempts` is how often a request is sent that may succeed later.

    Raises:
        ConfigError: it asks for the Hugging Face Hub and there is no token in the environment.
    """
    target = chosen_target(push)
    if target == "none":
        return None
    if target == "folder":
        return FolderHub(lake / "hub")
    token = os.environ.get(TOKEN_VARIABLE)
    if not token:
        raise ConfigError(
            f"train.push.target is hub, but {TOKEN_VARIABLE} is not set. Set it to a token that "
            f"may write to {push.repo}, or set train.push.target to folder."
        )
    return HuggingFaceHub(token, attempts=attempts)


class FolderHub:
    """`<root>/<repo>/commits/<commit>/` and `<root>/<repo>/refs/<branch>`, which holds a commit.

    A commit is the SHA-256 of its files' names and contents, cut to 40 hex characters as in git;
    `commits/<commit>.json` says what it is and what came before it. It is written whole before
    a branch moves, so a reader of `main` never sees half an adapter.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def prepare(self, repo: str, private: bool) -> None:
        """See `Hub.prepare`: a folder is there once something is pushed to it."""

    def push(
        self,
        folder: Path,
        repo: str,
        message: str,
        private: bool,  # noqa: ARG002
        branch: str = MAIN,
    ) -> PushedTo:
        """See `Hub.push`; `private` has no meaning for a folder (raises StorageError)."""
        commit = _content_digest(folder)
        place = self._root / repo
        target = place / "commits" / commit
        with storage_errors("push to", place):
            parent = self.head(repo, branch) or self.head(repo)
            if target.is_dir() and _content_digest(target) != commit:
                shutil.rmtree(target)  # somebody altered it
            if not target.is_dir():
                with new_folder(target) as staging:
                    _copy_files(folder, staging)
            if self.head(repo, branch) != commit:
                about = {"commit": commit, "parent": parent, "message": message}
                write_text(place / "commits" / f"{commit}.json", json.dumps(about, indent=1) + "\n")
                write_text(place / "refs" / branch, commit + "\n")
        return PushedTo(repo=repo, target="folder", commit=commit, uri=str(target))

    def fetch(self, repo: str, commit: str, into: Path) -> None:
        """See `Hub.fetch` (raises StorageError where it is missing or was altered)."""
        source = self._root / repo / "commits" / commit
        with storage_errors("read", source):
            _copy_files(source, into)
        found = _content_digest(into)
        if found != commit:
            raise StorageError(
                f"{source} was altered: expected content {commit}, found {found}. Push again."
            )

    def head(self, repo: str, branch: str = MAIN) -> str | None:
        """The commit that a branch names; None before the first push."""
        reference = self._root / repo / "refs" / branch
        return reference.read_text(encoding="utf-8").strip() if reference.is_file() else None


class HuggingFaceHub:
    """The Hugging Face Hub. One push is one commit; busy answers are waited out."""

    def __init__(
        self,
        token: str,
        endpoint: str | None = None,
        sleep: Callable[[float], None] = time.sleep,
        attempts: int = ATTEMPTS,
    ) -> None:
        """`endpoint` and `sleep` differ from the real ones in tests only."""
        self._attempts = attempts
        self._api = HfApi(endpoint=endpoint, token=token)
        self._token = token
        self._retrying = Retrying(
            retry=retry_if_exception(_is_passing),
            wait=_AsTheServerAsks(),
            stop=stop_after_attempt(attempts),
            before_sleep=before_sleep_log(_log, logging.WARNING),
            reraise=True,
            sleep=sleep,
        )

    def prepare(self, repo: str, private: bool) -> None:
        """See `Hub.prepare`: ask for leave to write, or create it where it is missing.

        Creating alone would not tell: for a repository that is there already it also succeeds with
        a token that can only read. Errors as for `push`.
        """
        self._call(repo, lambda: self._open(repo, private))

    def push(
        self, folder: Path, repo: str, message: str, private: bool, branch: str = MAIN
    ) -> PushedTo:
        """See `Hub.push`: files of `repo` that Winnow does not write itself stay as they are.

        Raises:
            ConfigError: the Hub does not let this token write there.
            StorageError: the Hub cannot be reached or keeps refusing.
        """
        self.prepare(repo, private)
        if branch != MAIN:
            self._call(repo, lambda: self._api.create_branch(repo, branch=branch, exist_ok=True))
        info: Any = self._call(
            repo,
            lambda: self._api.upload_folder(
                repo_id=repo,
                revision=branch,
                folder_path=folder,
                commit_message=message,
                allow_patterns=list(files_of(folder)),
                delete_patterns=list({*ADAPTER_FILES, *files_of(folder)}),
            ),
        )
        uri = f"{self._api.endpoint}/{repo}/tree/{info.oid}"
        return PushedTo(repo=repo, target="hub", commit=info.oid, uri=uri)

    def fetch(self, repo: str, commit: str, into: Path) -> None:
        """See `Hub.fetch`: of the files that Winnow writes; errors as for `push`."""
        self._call(
            repo,
            lambda: snapshot_download(
                repo,
                revision=commit,
                local_dir=into,
                allow_patterns=[*ADAPTER_FILES, *MODEL_FILES],
                token=self._token,
                endpoint=self._api.endpoint,
            ),
        )

    def _open(self, repo: str, private: bool) -> None:
        try:
            self._api.auth_check(repo, write=True)
        except RepositoryNotFoundError:
            self._api.create_repo(repo, private=private, exist_ok=True)

    def _call(self, repo: str, action: Callable[[], Any]) -> Any:
        try:
            return self._retrying(action)
        except HfHubHTTPError as error:
            raise self._explained(repo, error) from None
        except (httpx2.HTTPError, OSError, RuntimeError) as error:
            refusal = _refusal(error)
            if refusal is not None:
                raise self._explained(repo, refusal) from None
            raise StorageError(
                f"the Hub does not answer for {repo}: {self._without_token(_deepest(error))}. "
                "What was trained is kept; run the same command again to go on."
            ) from None

    def _explained(self, repo: str, error: HfHubHTTPError) -> ConfigError | StorageError:
        status = error.response.status_code if error.response is not None else 0
        said = self._without_token(str(error).splitlines()[0])
        if status in (401, 403, 404):
            return ConfigError(
                f"the Hub refuses {repo} with {status}: {said}. Check train.push.repo, set "
                f"{TOKEN_VARIABLE} to a token that may write there (see {TOKENS_PAGE}), or set "
                "train.push.target to folder. What was trained is kept; run again to go on."
            )
        tries = f", after {self._attempts} attempts" if _is_passing(error) else ""
        return StorageError(
            f"the Hub could not take {repo}, status {status}{tries}: {said}. "
            "What was trained is kept; run the same command again to go on."
        )

    def _without_token(self, text: str) -> str:
        return re.sub(r"hf_\w+", "hf_…", text.replace(self._token, "…"))


class _AsTheServerAsks(wait_base):
    """The `Retry-After` of the answer if there is one, else 1, 2, 4, ... seconds."""

    def __call__(self, retry_state: Any) -> float:
        error = retry_state.outcome.exception()
        response = getattr(error, "response", None)
        asked = response.headers.get("Retry-After", "") if response is not None else ""
        wait_s = float(asked) if asked.isdigit() else 2.0 ** (retry_state.attempt_number - 1)
        return min(wait_s, MAX_WAIT_S)


def _is_passing(error: BaseException) -> bool:
    """Whether the same request may succeed later: rate limits, server faults, dropped lines."""
    refusal = _refusal(error)
    if refusal is not None:
        status = refusal.response.status_code if refusal.response is not None else 0
        return status == 429 or status >= 500
    return isinstance(error, httpx2.TransportError) or isinstance(
        error.__cause__, httpx2.TransportError
    )


def _deepest(error: BaseException) -> str:
    """The first line of what went wrong at the bottom of a chain of errors."""
    while error.__cause__ is not None:
        error = error.__cause__
    return (str(error) or type(error).__name__).splitlines()[0].rstrip(".")


def _refusal(error: BaseException | None) -> HfHubHTTPError | None:
    """The Hub's answer behind an error: uploads of large files wrap it in a RuntimeError."""
    while error is not None:
        if isinstance(error, HfHubHTTPError):
            return error
        error = error.__cause__
    return None


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _copy_files(source: Path, target: Path) -> None:
    for path in _files(source):
        copy = target / path.relative_to(source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)


def _content_digest(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in _files(folder):
        name = path.relative_to(folder).as_posix().encode("utf-8")
        content = path.read_bytes()
        digest.update(b"%d %d " % (len(name), len(content)) + name + content)
    return digest.hexdigest()[:40]
