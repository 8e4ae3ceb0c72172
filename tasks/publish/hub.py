"""Versions on the Hugging Face Hub: each one commit and one tag, of which only what is new travels.

A push that broke off is done again from the start: what is there by then is found and kept. Why
the ledger and the report stay in the lake: decision 0012.
"""

import itertools
import logging
import os
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

import httpx2  # what huggingface_hub speaks HTTP with
from huggingface_hub import HfApi, constants
from huggingface_hub.errors import HfHubHTTPError
from huggingface_hub.utils import logging as hub_logging
from huggingface_hub.utils import parse_ratelimit_headers  # type: ignore[attr-defined]
from pydantic import ValidationError

from schemas.errors import ConfigError, StorageError, WinnowError
from schemas.manifest import CorpusManifest
from schemas.pushed import PushedVersion
from schemas.recipe import Publish
from schemas.urls import redacted
from tasks.lake import Lake, first_line
from tasks.publish.repository import DatasetRepository
from tasks.publish.token import TOKEN_VARIABLE, TOKENS_PAGE

PUBLIC_ENDPOINT = "https://huggingface.co"
ATTEMPTS = 6
FIRST_WAIT_S = 1.0
MAX_WAIT_S = 300.0
"""Longest wait between two attempts: the Hub's rate limits are per five minutes."""

_MOVED = 412  # another commit came between looking and committing

T = TypeVar("T")

log = logging.getLogger(__name__)


def push_version(
    lake: Lake, manifest: CorpusManifest, publish: Publish, token: str, again: bool = False
) -> tuple[PushedVersion, bool]:
    """Have a published version on the Hub, at `publish.hub`; returns where it is and if it is new.

    One that was pushed from this lake is not asked for again, unless `again` says so.

    Raises:
        ConfigError: the version was rejected, the token may not write there, the repository is
            public and the recipe wants a private one, or it holds something else.
        StorageError: the Hub does not answer, or keeps refusing; the same call goes on.
        CorpusDamaged: a file of the version is not the one that its manifest names.
    """
    if manifest.status != "published":
        raise ConfigError(
            f"{manifest.name} {manifest.version} was rejected by its gates, so it is not pushed."
        )
    repo = publish.hub or ""
    key = f"pushes/{repo}/{manifest.name}-{manifest.version}.json"
    known = None if again else _pushed(lake.read_if_any(key))
    if known is not None and known.digest == manifest.digest:
        return known, False
    endpoint = os.environ.get("HF_ENDPOINT", "").strip().rstrip("/") or PUBLIC_ENDPOINT
    pushed, is_new = DatasetHub(token, endpoint).push(lake, manifest, repo, publish.private)
    lake.put(key, (pushed.model_dump_json(indent=1) + "\n").encode())
    return pushed, is_new


def _pushed(receipt: bytes | None) -> PushedVersion | None:
    """What a receipt says; None without one, or for a damaged one: the Hub is asked again."""
    try:
        return PushedVersion.model_validate_json(receipt or b"")
    except ValidationError:
        return None


class DatasetHub:
    """The Hugging Face Hub's dataset repositories; busy answers are waited out."""

    def __init__(
        self, token: str, endpoint: str, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        """`sleep` differs from the real one in tests only."""
        hub_logging.set_verbosity_error()  # type: ignore[no-untyped-call]
        # its warnings hold signed URLs; ours tell of every wait
        constants.HF_HUB_DISABLE_TELEMETRY = True
        self._api = HfApi(endpoint=endpoint, token=token)
        self._token = token
        self._sleep = sleep

    def push(
        self, lake: Lake, manifest: CorpusManifest, repo: str, private: bool
    ) -> tuple[PushedVersion, bool]:
        """See `push_version`. Files of the repository that no version wrote stay as they are."""
        repository = DatasetRepository(self._api, lake, manifest, repo)

        def attempt() -> tuple[str, bool]:
            repository.open(private)
            there = repository.tagged()
            return (there, False) if there else (repository.tag(repository.committed()), True)

        commit, is_new = self._patiently(repo, attempt)
        uri = f"{self._api.endpoint}/datasets/{repo}/tree/{manifest.version}"
        pushed = PushedVersion(
            corpus=manifest.name,
            version=manifest.version,
            digest=manifest.digest,
            repo=repo,
            commit=commit,
            uri=uri,
        )
        return pushed, is_new

    def _patiently(self, repo: str, attempt: Callable[[], T]) -> T:
        """What `attempt` returns, made again after answers that pass."""
        for number in itertools.count(1):
            try:
                return attempt()
            except WinnowError:
                raise
            except (httpx2.HTTPError, OSError, RuntimeError, ValueError) as error:
                refusal = _refusal(error)
                passes = _passes(error, refusal)
                if not passes or number == ATTEMPTS:
                    raise self._explained(repo, error, refusal, number) from None
                wait_s = _wait_s(refusal, number)
                said = self._shown(error if refusal is None else refusal)
            log.warning(
                "%s: %s; attempt %d of %d, the next in %.0f s", repo, said, number, ATTEMPTS, wait_s
            )
            self._sleep(wait_s)
        raise AssertionError

    def _explained(
        self, repo: str, error: Exception, refusal: HfHubHTTPError | None, attempts: int
    ) -> WinnowError:
        again = "The version is published in the lake; the same command again goes on from there."
        if refusal is None:
            return StorageError(
                f"the Hub does not answer for {repo} as expected, after {attempts} attempts: "
                f"{self._shown(_deepest(error))}. {again}"
            )
        status, said = _status(refusal), self._shown(refusal)
        if status in (401, 403, 404):
            return ConfigError(
                f"the Hub refuses {repo} with {status}: {said}. Check publish.hub, and set "
                f"{TOKEN_VARIABLE} to a token that may write there (see {TOKENS_PAGE}). {again}"
            )
        return StorageError(
            f"the Hub could not take {repo}, status {status}, after {attempts} attempts: {said}. "
            f"{again}"
        )

    def _shown(self, error: BaseException) -> str:
        text = redacted(first_line(error)).rstrip(".")
        return text.replace(self._token, "…") if self._token else text


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error and what caused it: uploads of large files wrap the Hub's answer in their own."""
    while error is not None:
        yield error
        error = error.__cause__


def _refusal(error: BaseException) -> HfHubHTTPError | None:
    """The Hub's answer behind an error, if it gave one."""
    return next((one for one in _chain(error) if isinstance(one, HfHubHTTPError)), None)


def _deepest(error: BaseException) -> BaseException:
    return list(_chain(error))[-1]


def _status(refusal: HfHubHTTPError) -> int:
    return refusal.response.status_code if refusal.response is not None else 0


def _passes(error: BaseException, refusal: HfHubHTTPError | None) -> bool:
    """Whether the same may succeed later: rate limits, server faults, races, dropped lines."""
    if refusal is not None:
        status = _status(refusal)
        return status in (408, 429, _MOVED) or status >= 500
    return any(isinstance(one, httpx2.TransportError) for one in _chain(error))


def _wait_s(refusal: HfHubHTTPError | None, number: int) -> float:
    """Seconds before the next attempt: what the Hub asks for in either of its headers, or 1, 2, 4.

    Its `RateLimit` is of the IETF's draft-ietf-httpapi-ratelimit-headers.
    """
    response = refusal.response if refusal is not None else None
    headers = response.headers if response is not None else {}
    asked, limit = headers.get("Retry-After", ""), parse_ratelimit_headers(headers)
    if asked.isdecimal():
        wait_s = float(asked)
    elif limit is not None and not limit.remaining:
        wait_s = float(limit.reset_in_seconds)
    else:
        wait_s = FIRST_WAIT_S * 2.0 ** (number - 1)
    return min(wait_s, MAX_WAIT_S)
