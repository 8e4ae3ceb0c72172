"""How long to keep trying an upstream that does not answer, and how to read when it says wait."""

import contextlib
import logging
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TypeVar

from schemas.errors import SourceError, SourceUnreachable
from tasks.download.hosts import HOSTS, Hosts

T = TypeVar("T")

log = logging.getLogger(__name__)


class TryAgain(Exception):
    """An attempt failed in a way that passes; `wait_s` where upstream said how long that takes.

    One that got something done all the same does not count against those before it.
    """

    def __init__(self, message: str, wait_s: float | None = None, got_on: bool = False) -> None:
        """`message` says what happened, without a full stop."""
        super().__init__(message)
        self.wait_s = wait_s
        self.got_on = got_on


@dataclass(frozen=True)
class Patience:
    """How often an attempt is made, and the seconds between: doubling, with up to 1 s of jitter.

    `attempts` counts those in a row that got nothing done: a large file over a bad line arrives in
    as many pieces as it takes. A body that comes at less than `slowest_bytes_per_s` over
    `window_s` is given up, as one that does not come at all.
    """

    attempts: int = 5
    first_wait_s: float = 1.0
    longest_wait_s: float = 30.0
    longest_retry_after_s: float = 120.0
    slowest_bytes_per_s: int = 1024
    window_s: float = 60.0
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    hosts: Hosts = HOSTS

    def keep_trying(self, attempt: Callable[[], T], next_step: str) -> T:
        """What `attempt` returns, as soon as it does not raise TryAgain.

        Every wait is logged: what failed, how long the wait is, and which attempt it was.

        Raises:
            SourceUnreachable: it did so every time; the message is that of the last failure, then
                `next_step`.
            SourceError: upstream asks to be left alone for longer than `longest_retry_after_s`.
        """
        failures = 0
        while True:
            try:
                return attempt()
            except TryAgain as failure:
                failures = 1 if failure.got_on else failures + 1
                if failure.wait_s is not None and failure.wait_s > self.longest_retry_after_s:
                    raise SourceError(
                        f"{failure} and asks to wait {failure.wait_s:.0f} s. Run it again after "
                        "that."
                    ) from failure.__cause__
                if failures >= self.attempts:
                    raise SourceUnreachable(
                        f"{failure} (attempt {failures}, the last). {next_step}"
                    ) from failure.__cause__
                wait_s = self._backoff_s(failures) if failure.wait_s is None else failure.wait_s
                what = str(failure)
            log.warning(
                "%s; attempt %d of %d, the next in %.0f s", what, failures, self.attempts, wait_s
            )
            self.sleep(wait_s)

    @contextlib.contextmanager
    def turn(
        self, host: str, what: str, still_wanted: Callable[[], None] = lambda: None
    ) -> Iterator[None]:
        """Hold one of a host's connections, once there is one and the host may be asked.

        Raises:
            TryAgain: it asked to be left alone for longer than `longest_retry_after_s`.
        """
        quiet_s = self.hosts.quiet_s(host, self.clock)
        if quiet_s > self.longest_retry_after_s:
            raise TryAgain(f"{what} was not asked, for {host} is too busy", wait_s=quiet_s)
        with self.hosts.turn(host, self.clock, self.sleep, still_wanted):
            yield

    def heed(self, host: str, status: int, wait_s: float | None) -> None:
        """Leave the whole host alone where it asks for that: its other files are no different."""
        if status in (429, 503) and wait_s is not None:
            self.hosts.pause(host, self.clock() + wait_s)

    def _backoff_s(self, failures: int) -> float:
        jitter_s = random.uniform(0, 1)  # noqa: S311 - so that many who wait do not wake as one
        doubled_s: float = self.first_wait_s * 2 ** (failures - 1)
        return min(self.longest_wait_s, doubled_s + jitter_s)


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
