"""Files of a Hugging Face dataset repository, all of one commit."""

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import TypeVar

from huggingface_hub import HfApi, constants, hf_hub_url
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
    XetDownloadError,
)
from huggingface_hub.errors import HTTPError as TransportError  # type: ignore[attr-defined]
from huggingface_hub.hf_api import RepoFile
from huggingface_hub.utils.tqdm import disable_progress_bars

from schemas.errors import SourceError, SourceMissing, SourceUnreachable
from schemas.manifest import RawFile, RawReceipt
from schemas.upstream import HubUpstream
from schemas.urls import redacted, shown
from tasks.download.names import is_hidden, kept_name, listing, unique_names
from tasks.download.patience import Patience, TryAgain, retry_after_s
from tasks.download.progress import Progress, Tally
from tasks.download.raw import Obtained, RawFolder
from tasks.download.redact import redact_logs
from tasks.lake import digest_of, first_line, sha256_of

ANSWER_TIMEOUT_S = 30.0
COMMIT = re.compile(r"[0-9a-f]{40}")
DOWNLOAD_BARS = ("huggingface_hub.http_get", "huggingface_hub.xet_get")

ANSWERS: tuple[tuple[type[Exception], type[SourceError], str], ...] = (
    (
        OfflineModeIsEnabled,
        SourceError,
        "was not asked, for HF_HUB_OFFLINE switches the network off. Unset it.",
    ),
    (
        GatedRepoError,
        SourceError,
        (
            "is open to those who asked for access. Ask for it on that page while logged in, then "
            "put your token into the environment variable HF_TOKEN."
        ),
    ),
    (
        RepositoryNotFoundError,
        SourceMissing,
        (
            "does not exist, or is private. Correct hub.repo in the source's file, or put a token "
            "that may read it into the environment variable HF_TOKEN."
        ),
    ),
    (
        RevisionNotFoundError,
        SourceMissing,
        "has no such revision. Name one of its branches, tags or commits in hub.revision.",
    ),
)
"""What huggingface_hub raises, what it means here, and what to do; the first that fits."""

T = TypeVar("T")


def fetch_hub(
    upstream: HubUpstream, raw: RawFolder, patience: Patience, progress: Progress | None = None
) -> RawReceipt:
    """Download the files that match, of the commit that the revision is now, into the lake.

    An unchanged commit costs one request, a commit that is named in full and is in the lake none;
    of a changed one, only the files that differ are downloaded.

    Raises:
        SourceMissing: no such repository, revision or file, or the repository is private.
        SourceUnreachable: no answer, or 429 and 5xx, until patience ran out.
        SourceError: access is refused or has to be asked for, or the network is switched off.
        StorageError: the lake cannot be written, or its disk is too full for the download.
    """
    redact_logs()
    _be_quiet()
    hub = _Repository(raw.source, upstream, patience, HfApi(token=_token()))
    definition = digest_of(["hub", hub.api.endpoint, upstream.repo, list(upstream.files)])
    with raw.partial(definition[:16]) as folder:
        past = raw.remembered(definition)
        commit = hub.commit()
        if past is not None and past[0].revision == commit:
            return past[1]
        listed = hub.matching_files(commit)
        names = unique_names(kept_name(PurePosixPath(file.path)) for file in listed)
        known = {file.name: file for file in past[0].files} if past is not None else {}
        raw.check_space(sum(file.size for file in listed) - _bytes_below(folder / commit))
        tally = Tally(progress, {name: file.size for name, file in zip(names, listed, strict=True)})
        obtained: list[Obtained] = []
        for name, listed_file in zip(names, listed, strict=True):
            before = known.get(name)
            if past is not None and before is not None and before.etag == _etag(listed_file):
                one = Obtained(before, key=raw.key_of(past[0].digest, name))
            else:
                one = hub.download(listed_file, name, commit, folder / commit)
            tally.at(name, one.file.size_bytes)
            obtained.append(one)
        return raw.keep(obtained, f"{hub.page}/tree/{commit}", definition, revision=commit)


@dataclass(frozen=True)
class _Repository:
    """One dataset repository, as this source sees it."""

    source: str
    upstream: HubUpstream
    patience: Patience
    api: HfApi

    @property
    def page(self) -> str:
        """Where people look at the repository."""
        return f"{shown(str(self.api.endpoint))}/datasets/{self.upstream.repo}"

    def commit(self) -> str:
        """The commit that the revision is now."""
        revision = self.upstream.revision
        if COMMIT.fullmatch(revision):
            return revision
        info = self._ask(
            lambda: self.api.dataset_info(
                self.upstream.repo, revision=revision, expand=["sha"], timeout=ANSWER_TIMEOUT_S
            )
        )
        if info.sha is None or not COMMIT.fullmatch(info.sha):
            raise SourceError(
                f"source {self.source!r}: {self.page} names no commit for the revision "
                f"{revision!r}. Check HF_ENDPOINT: it must be a Hub."
            )
        return info.sha

    def matching_files(self, commit: str) -> list[RepoFile]:
        """The files that a pattern matches, sorted by the parts of their paths; at least one.

        A `*` matches across folders, as the Hub's own patterns do. Hidden files are skipped.
        """
        there = self._ask(lambda: self._files(commit))
        matching = [
            file
            for file in there
            if any(fnmatchcase(file.path, pattern) for pattern in self.upstream.files)
        ]
        if not matching:
            patterns = ", ".join(map(repr, self.upstream.files))
            raise SourceMissing(
                f"source {self.source!r}: no file of {self.page} at commit {commit[:12]} matches "
                f"{patterns}. {listing([file.path for file in there])} Correct hub.files in the "
                "source's file."
            )
        return matching

    def download(self, listed: RepoFile, name: str, commit: str, folder: Path) -> Obtained:
        """One file, resumed from what is in `folder`; its size and LFS digest are checked."""
        path = Path(
            self._ask(
                lambda: self.api.hf_hub_download(
                    self.upstream.repo,
                    listed.path,
                    repo_type="dataset",
                    revision=commit,
                    local_dir=folder,
                )
            )
        )
        sha256, size_bytes = sha256_of(path), path.stat().st_size
        expected = listed.lfs.sha256 if listed.lfs is not None else sha256
        if (sha256, size_bytes) != (expected, listed.size):
            path.unlink()
            raise SourceError(
                f"source {self.source!r}: {listed.path} of {self.page} did not arrive as listed: "
                f"{size_bytes:,} bytes with sha256 {sha256[:12]}…, expected {listed.size:,} bytes "
                f"with {expected[:12]}…. Run it again; if it stays so, tell the repository's owner."
            )
        url = hf_hub_url(
            self.upstream.repo,
            listed.path,
            repo_type="dataset",
            revision=commit,
            endpoint=self.api.endpoint,
        )
        file = RawFile(
            name=name, sha256=sha256, size_bytes=size_bytes, url=shown(url), etag=_etag(listed)
        )
        return Obtained(file, path=path)

    def _files(self, commit: str) -> list[RepoFile]:
        tree = self.api.list_repo_tree(
            self.upstream.repo, recursive=True, revision=commit, repo_type="dataset"
        )
        files = [
            file
            for file in tree
            if isinstance(file, RepoFile) and not is_hidden(PurePosixPath(file.path))
        ]
        return sorted(files, key=lambda file: PurePosixPath(file.path).parts)

    def _ask(self, question: Callable[[], T]) -> T:
        """The Hub's answer, asked for until patience runs out."""

        def attempt() -> T:
            try:
                return question()
            except (TransportError, OSError, EntryNotFoundError, XetDownloadError) as error:
                raise self._in_our_words(error) from None  # theirs may hold a signed URL
            except (ValueError, KeyError, TypeError) as error:
                raise SourceError(
                    f"source {self.source!r}: {self.page} did not answer as a Hub does: "
                    f"{redacted(first_line(error))}. Check HF_ENDPOINT and hub.repo."
                ) from None

        return self.patience.keep_trying(attempt, self._next_step())

    def _next_step(self) -> str:
        return (
            "Check the network, then run it again: files that are there are kept. Or download it "
            f"by hand and give it with --from {self.source}=PATH."
        )

    def _in_our_words(self, error: Exception) -> Exception:
        """The error to raise for one of huggingface_hub's."""
        cause = error.__cause__
        if isinstance(error, LocalEntryNotFoundError) and isinstance(cause, Exception):
            reason = self._in_our_words(cause)
            if isinstance(reason, TryAgain):  # it has been tried for half a minute already
                return SourceUnreachable(f"{reason}. {self._next_step()}")
            return reason
        what = f"source {self.source!r}: {self.page} (revision {self.upstream.revision!r})"
        copy = f"Or give a copy with --from {self.source}=PATH."
        for kind, remedy, words in ANSWERS:
            if isinstance(error, kind):
                return remedy(f"{what} {words} {copy}")
        if isinstance(error, HfHubHTTPError):
            return self._refused(error, f"{what} answered {error.response.status_code}", copy)
        if isinstance(error, OSError) and error.errno is not None:
            return error  # this machine's: the disk is full, or may not be written
        return TryAgain(
            f"{what} cannot be read: {type(error).__name__}, {redacted(first_line(error))}"
        )

    def _refused(self, error: HfHubHTTPError, what: str, copy: str) -> Exception:
        status = error.response.status_code
        if status in (404, 410):
            return SourceMissing(f"{what}, expected a file of it. Correct hub.files. {copy}")
        if status in (401, 403):
            return SourceError(
                f"{what}: it wants a token that may read it, or refuses the one it was given. Open "
                f"that page while logged in, and put such a token into HF_TOKEN. {copy}"
            )
        if status in (408, 425, 429) or status >= 500:
            return TryAgain(what, retry_after_s(error.response.headers.get("Retry-After")))
        return SourceError(f"{what}, expected 200. Check HF_ENDPOINT and hub.repo. {copy}")


def _token() -> str | bool:
    """The token from the environment, and from nowhere else; False sends none."""
    return os.environ.get("HF_TOKEN") or False


def _be_quiet() -> None:
    """No telemetry, and no progress bars beside our own."""
    constants.HF_HUB_DISABLE_TELEMETRY = True
    if constants.HF_HUB_DISABLE_PROGRESS_BARS is None:
        for bar in DOWNLOAD_BARS:
            disable_progress_bars(bar)


def _etag(listed: RepoFile) -> str:
    """What identifies the file's bytes: the SHA-256 of an LFS file, else the git object's id."""
    return listed.lfs.sha256 if listed.lfs is not None else listed.blob_id


def _bytes_below(folder: Path) -> int:
    """Bytes of all files below a folder that may not exist."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
