"""How long to keep trying an upstream that does not answer, and how to read when it says wait."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TypeVar

from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    stop_after_attempt,
    wait_exponential_jitter,
)

from schemas.errors import SourceError, SourceUnreachable

T = TypeVar("T")


class TryAgain(Exception):
    """An attempt failed in a way that passes; `wait_s` where upstream said how long that takes."""

    def __init__(self, message: str, wait_s: float | None = None) -> None:
        """`message` says what happened, without a full stop."""
        super().__init__(message)
        self.wait_s = wait_s


@dataclass(frozen=True)
class Patience:
    """How often an attempt is made, and the seconds between: doubling, with up to 1 s of jitter."""

    attempts: int = 5
    first_wait_s: float = 1.0
    longest_wait_s: float = 30.0
    longest_retry_after_s: float = 120.0
    sleep: Callable[[float], None] = time.sleep

    def keep_trying(self, attempt: Callable[[], T], next_step: str) -> T:
        """What `attempt` returns, as soon as it does not raise TryAgain.

        Raises:
            SourceUnreachable: it did so every time; the message is that of the last failure, then
                `next_step`.
            SourceError: upstream asks to be left alone for longer than `longest_retry_after_s`.
        """
        retrying = Retrying(
            sleep=self.sleep,
            stop=self._is_over,
            wait=self._wait_s,
            retry=retry_if_exception_type(TryAgain),
            reraise=True,
        )
        try:
            return retrying(attempt)
        except TryAgain as failure:
            if self._is_too_long(failure.wait_s):
                raise SourceError(
                    f"{failure} and asks to wait {failure.wait_s:.0f} s. Run it again after that."
                ) from failure.__cause__
            tried = retrying.statistics["attempt_number"]
            raise SourceUnreachable(
                f"{failure} (attempt {tried}, the last). {next_step}"
            ) from failure.__cause__

    def _is_over(self, state: RetryCallState) -> bool:
        return self._is_too_long(_asked_wait_s(state)) or stop_after_attempt(self.attempts)(state)

    def _is_too_long(self, wait_s: float | None) -> bool:
        return wait_s is not None and wait_s > self.longest_retry_after_s

    def _wait_s(self, state: RetryCallState) -> float:
        asked = _asked_wait_s(state)
        if asked is not None:
            return asked
        backoff = wait_exponential_jitter(initial=self.first_wait_s, max=self.longest_wait_s)
        return backoff(state)


def retry_after_s(header: str | None) -> float | None:
    """Seconds that a Retry-After header asks for, as seconds or as a date (RFC 9110, 10.2.3)."""
    if header is None:
        return None
    if header.strip().isdecimal():
        return float(header)
    try:
        then = parsedate_to_datetime(header)
    except ValueError:
        return None
    if then.tzinfo is None:
        then = then.replace(tzinfo=UTC)
    return max(0.0, (then - datetime.now(UTC)).total_seconds())


def _asked_wait_s(state: RetryCallState) -> float | None:
    failure = state.outcome.exception() if state.outcome is not None else None
    return failure.wait_s if isinstance(failure, TryAgain) else None
