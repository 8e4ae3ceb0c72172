"""One dataset repository of the Hugging Face Hub: what is asked of it, and what its answers mean.

The endpoint, the token and whether the network is switched off come from HF_ENDPOINT, HF_TOKEN and
HF_HUB_OFFLINE as they are when a repository is opened. A login that is stored on this machine is
not used, and nothing is written outside the folder that the caller names.

Bytes come over plain HTTP, which a mirror speaks too, and with our own patience: decision 0008.
"""

import contextlib
import hashlib
import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import partial
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar
from urllib.parse import quote, urljoin, urlsplit

from huggingface_hub import HfApi, constants, get_session, hf_hub_url
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.errors import HTTPError as TransportError  # type: ignore[attr-defined]
from huggingface_hub.hf_api import RepoFile
from huggingface_hub.utils import (  # type: ignore[attr-defined]
    build_hf_headers,
    hf_raise_for_status,
    parse_ratelimit_headers,
)

from schemas.errors import SourceError, SourceMissing
from schemas.upstream import HubUpstream
from schemas.urls import redacted, shown
from tasks.documents import EXACT_DOCUMENTS, is_document
from tasks.download.names import is_hidden, listing
from tasks.download.pace import Pace, getting_on
from tasks.download.patience import Patience, TryAgain, retry_after_s
from tasks.download.redact import redact_logs
from tasks.lake import CHUNK_BYTES, first_line, sha256_of

PUBLIC_ENDPOINT = "https://huggingface.co"
ANSWER_TIMEOUT_S = 30.0
PARQUET = ".parquet"
SHOWN_PATH_CHARS = 200
COMMIT = re.compile(r"[0-9a-f]{40}")
YES = frozenset({"1", "ON", "YES", "TRUE"})  # as huggingface_hub reads a switch

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


@dataclass(frozen=True)
class Repository:
    """One dataset repository, as a source sees it; every question is asked with patience.

    What its methods raise: SourceMissing where there is no such repository, revision or file;
    SourceUnreachable where nothing but time-outs, 429 and 5xx came until patience ran out;
    SourceError where access is refused or the network is switched off.
    """

    source: str
    upstream: HubUpstream
    patience: Patience
    api: HfApi
    offline: bool = False

    @classmethod
    def open(cls, source: str, upstream: HubUpstream, patience: Patience) -> "Repository":
        """The repository at the endpoint that the environment names now; nothing is asked yet."""
        redact_logs()
        constants.HF_HUB_DISABLE_TELEMETRY = True
        endpoint = os.environ.get("HF_ENDPOINT", "").strip().rstrip("/") or PUBLIC_ENDPOINT
        offline = os.environ.get("HF_HUB_OFFLINE", "").upper() in YES
        api = HfApi(endpoint=endpoint, token=_token())
        return cls(source, upstream, patience, api, offline or constants.is_offline_mode())

    @property
    def endpoint(self) -> str:
        """The Hub's address, without a slash at its end."""
        return str(self.api.endpoint)

    @property
    def _what(self) -> str:
        return f"source {self.source!r}: {self.page} (revision {self.upstream.revision!r})"

    @property
    def page(self) -> str:
        """Where people look at the repository."""
        return f"{shown(self.endpoint)}/datasets/{self.upstream.repo}"

    def commit(self) -> str:
        """The commit that the revision is now; not asked where the revision is one in full."""
        revision = self.upstream.revision
        if COMMIT.fullmatch(revision):
            return revision
        where = f"{self._about}/revision/{quote(revision, safe='')}?expand=sha"
        commit: object = self._ask(lambda: self._get(where).json()["sha"])
        if not isinstance(commit, str) or not COMMIT.fullmatch(commit):
            raise SourceError(
                f"source {self.source!r}: {self.page} names no commit for the revision "
                f"{revision!r}. Check HF_ENDPOINT: it must be a Hub."
            )
        return commit

    def matching_files(self, commit: str) -> list[RepoFile]:
        """The files that a pattern matches, sorted by the parts of their paths; at least one.

        A `*` matches across folders, as the Hub's own patterns do. Hidden files are skipped, and
        so are documents (`README.md`), unless `files` has the very path of one.
        """
        there = self._files(commit)
        matching = [file for file in there if self._is_wanted(file.path)]
        if not matching:
            patterns = ", ".join(map(repr, self.upstream.files))
            raise SourceMissing(
                f"source {self.source!r}: no file of {self.page} at commit {commit[:12]} matches "
                f"{patterns}. {listing([file.path for file in there])} Correct hub.files in the "
                f"source's file. {EXACT_DOCUMENTS}"
            )
        return matching

    def url(self, listed: RepoFile, commit: str) -> str:
        """Where one file of a commit is."""
        return hf_hub_url(
            self.upstream.repo,
            listed.path,
            repo_type="dataset",
            revision=commit,
            endpoint=self.endpoint,
        )

    def download(
        self,
        listed: RepoFile,
        commit: str,
        path: Path,
        tell: Callable[[int], None] = lambda _: None,
    ) -> str:
        """One file, appended to what is at `path` already; returns its SHA-256.

        Its size and digest are held against the listing's. `tell` is called with the bytes that
        are there.
        """
        path.touch()
        if path.stat().st_size > listed.size:
            path.write_bytes(b"")

        def question() -> None:
            with getting_on(lambda: path.stat().st_size):
                self._append(listed, commit, path, tell)

        self._ask(question)
        sha256, expected = sha256_of(path), etag(listed)
        found = sha256 if listed.lfs is not None else _git_id(path)
        if (found, path.stat().st_size) != (expected, listed.size):
            size_bytes = path.stat().st_size
            path.unlink()
            raise SourceError(
                f"source {self.source!r}: {listed.path} of {self.page} did not arrive as listed: "
                f"{size_bytes:,} bytes with digest {found[:12]}…, expected {listed.size:,} bytes "
                f"with {expected[:12]}…. Run it again; if it stays so, tell the repository's owner."
            )
        return sha256

    def read(self, listed: RepoFile, commit: str, start: int, end: int) -> bytes:
        """Bytes `start` to `end`, exclusive, of one file; asked for again until they are whole."""

        def question() -> bytes:
            body = bytearray()
            with self._part(listed, commit, start, end) as response:
                if response.status_code != 206:
                    raise self._gives_no_parts(listed, response)
                for chunk in self._chunks(response, listed):
                    body += chunk
            if len(body) != end - start:
                raise TryAgain(f"{self._what}: {len(body):,} of {end - start:,} bytes arrived")
            return bytes(body)

        return self._ask(question) if start < end else b""

    def _append(
        self, listed: RepoFile, commit: str, path: Path, tell: Callable[[int], None]
    ) -> None:
        """Let the file at `path` grow to its size; raise TryAgain where one answer ends before."""
        there = path.stat().st_size
        reason = "the answer ended"
        if there < listed.size:
            try:
                with self._part(listed, commit, there, listed.size) as response:
                    if response.status_code != 206:
                        path.write_bytes(b"")
                        there = 0
                    with path.open("ab") as file:
                        for chunk in self._chunks(response, listed):  # as they come: none is lost
                            file.write(chunk)
                            there += len(chunk)
                            tell(there)
                            if there > listed.size:
                                break
            except TransportError as error:
                if isinstance(error, HfHubHTTPError):
                    raise
                reason = type(error).__name__
        if there < listed.size:
            raise TryAgain(
                f"{self._what}: {there:,} of {listed.size:,} bytes of {listed.path} arrived, then "
                f"{reason}"
            )

    @contextlib.contextmanager
    def _part(self, listed: RepoFile, commit: str, start: int, end: int) -> Iterator[Any]:
        """The answer to a request for a part of a file: 206 with that part, or 200 with all."""
        headers = {
            **build_hf_headers(token=self.api.token),
            "Range": f"bytes={start}-{end - 1}",
            "Accept-Encoding": "identity",
        }
        with get_session().stream(
            "GET",
            self.url(listed, commit),
            headers=headers,
            timeout=ANSWER_TIMEOUT_S,
            follow_redirects=True,  # which leaves the token behind where the host is another
        ) as response:
            self._check_answer(response)
            span = f"bytes {start}-{end - 1}/{listed.size}"
            if response.status_code == 206 and response.headers.get("Content-Range") != span:
                raise self._gives_no_parts(listed, response)
            yield response

    def _chunks(self, response: Any, listed: RepoFile) -> Iterator[bytes]:
        """The body as it comes (raises TryAgain where it only drips)."""
        pace = Pace(f"{self._what}: {listed.path}", self.patience)
        for chunk in response.iter_bytes():
            yield chunk
            pace.add(len(chunk))

    @property
    def _host(self) -> str:
        return urlsplit(self.endpoint).hostname or ""

    def _gives_no_parts(self, listed: RepoFile, response: Any) -> SourceError:
        found = response.headers.get("Content-Range", "the whole file")
        return SourceError(
            f"{self._what} was asked for a part of {listed.path}, of {listed.size:,} bytes, and "
            f"gave {found}. Check HF_ENDPOINT: it must be a Hub."
        )

    def _files(self, commit: str) -> list[RepoFile]:
        """Every file of a commit but the hidden ones, sorted by the parts of its path.

        Asked for page by page with our own patience: that of huggingface_hub waits by itself.
        """
        page = f"{self._about}/tree/{commit}?recursive=true"
        files: list[RepoFile] = []
        while page:
            more, page = self._ask(partial(self._page_of_files, page))
            files += more
        self._check_paths(files)
        shown_ones = [file for file in files if not is_hidden(PurePosixPath(file.path))]
        return sorted(shown_ones, key=lambda file: PurePosixPath(file.path).parts)

    def _page_of_files(self, page: str) -> tuple[list[RepoFile], str]:
        """The files on one page of a listing, and where the next page is, empty after the last."""
        response = self._get(page)
        files = [
            RepoFile(**entry)  # type: ignore[no-untyped-call]
            for entry in response.json()
            if entry["type"] == "file"
        ]
        link = response.links.get("next", {}).get("url", "")
        return files, self._further(urljoin(page, link)) if link else ""

    def _further(self, page: str) -> str:
        """The same page of the listing, if it is one to show the token to."""
        if _origin(page) != _origin(self.endpoint):
            raise SourceError(
                f"{self._what} has a listing that goes on at another host, {redacted(page)}, which "
                "is not asked, for it would see the token. Check HF_ENDPOINT."
            )
        return page

    def _check_paths(self, files: Sequence[RepoFile]) -> None:
        for file in files:
            path = PurePosixPath(file.path)
            if path.is_absolute() or ".." in path.parts or not path.name:
                raise SourceError(
                    f"{self._what} lists {file.path[:SHOWN_PATH_CHARS]!r}, which is no path in it. "
                    "Check HF_ENDPOINT: it must be a Hub."
                )

    @property
    def _about(self) -> str:
        """Where the Hub answers questions about the repository."""
        return f"{self.endpoint}/api/datasets/{self.upstream.repo}"

    def _get(self, url: str) -> Any:
        """The Hub's answer to one question, which is a short one."""
        response = get_session().get(
            url,
            headers=build_hf_headers(token=self.api.token),
            timeout=ANSWER_TIMEOUT_S,
            follow_redirects=True,  # which leaves the token behind where the host is another
        )
        self._check_answer(response)
        return response

    def _check_answer(self, response: Any) -> None:
        """Raise unless it is an answer, on whose way nobody could change it."""
        schemes = [hop.url.scheme for hop in (*response.history, response)]
        if ("https", "http") in pairwise(schemes):
            raise SourceError(
                f"{self._what} is redirected from https to http, where anybody on the way could "
                "change what comes. Check HF_ENDPOINT."
            )
        hf_raise_for_status(response)

    def _is_wanted(self, path: str) -> bool:
        """Whether a pattern matches; of a document (`README.md`), only its own path does."""
        patterns = self.upstream.files
        if is_document(PurePosixPath(path).name):
            return path in patterns
        return any(fnmatchcase(path, pattern) for pattern in patterns)

    def _ask(self, question: Callable[[], T]) -> T:
        """The Hub's answer, asked for until patience runs out."""

        def attempt() -> T:
            try:
                if self.offline:
                    raise OfflineModeIsEnabled
                with self.patience.turn(self._host, self._what):
                    return question()
            except (TransportError, OSError, EntryNotFoundError) as error:
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
        what = self._what
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
            wait_s = _wait_s(error.response)
            self.patience.heed(self._host, status, wait_s)
            return TryAgain(what, wait_s)
        return SourceError(f"{what}, expected 200. Check HF_ENDPOINT and hub.repo. {copy}")


def etag(listed: RepoFile) -> str:
    """What identifies the file's bytes: the SHA-256 of an LFS file, else the git object's id."""
    return listed.lfs.sha256 if listed.lfs is not None else listed.blob_id


def _wait_s(response: Any) -> float | None:
    """Seconds that the Hub asks to wait, in one of the two headers by which it does."""
    told = retry_after_s(response.headers.get("Retry-After"))
    if told is not None or response.status_code != 429:
        return told
    limit = parse_ratelimit_headers(response.headers)
    return None if limit is None or limit.remaining else float(limit.reset_in_seconds)


def _origin(url: str) -> tuple[str, str, int | None]:
    """Scheme, host and port of a URL, whoever logs in there."""
    parts = urlsplit(url)
    port = parts.port or {"https": 443, "http": 80}.get(parts.scheme)
    return parts.scheme, parts.hostname or "", port


def _token() -> str | bool:
    """The token from the environment, and from nowhere else; False sends none."""
    return os.environ.get("HF_TOKEN", "").strip() or False


def _git_id(path: Path) -> str:
    """What git calls these bytes: SHA-1 over a header and them."""
    digest = hashlib.sha1(b"blob %d\0" % path.stat().st_size, usedforsecurity=False)
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()
