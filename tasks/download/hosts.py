"""How many requests a host is sent at once, and when it asked to be left alone, process-wide.

Sources are downloaded by several threads at once, each with several connections. However many
there are, a host sees at most CONNECTIONS of them, and none while it wants to be left alone.
"""

import contextlib
import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

CONNECTIONS = 4  # per host; a browser's is 6
_LOOK_UP_S = 0.2  # how often somebody who waits for his turn asks whether he is still wanted

log = logging.getLogger(__name__)


@dataclass
class _Host:
    turns: threading.BoundedSemaphore
    quiet_until: float = 0.0


@dataclass(frozen=True)
class Hosts:
    """Every host that this process talks to, by name, whatever the port."""

    connections: int = CONNECTIONS
    _hosts: dict[str, _Host] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @contextlib.contextmanager
    def turn(
        self,
        name: str,
        clock: Callable[[], float],
        sleep: Callable[[float], None],
        still_wanted: Callable[[], None],
    ) -> Iterator[None]:
        """Hold one of a host's connections, once there is one and the host may be asked.

        `still_wanted` raises where nobody waits for the answer any more.
        """
        host = self._host(name)
        while True:
            waited_until = _wait_out(name, host, clock, sleep)
            while not host.turns.acquire(timeout=_LOOK_UP_S):
                still_wanted()
            if host.quiet_until <= max(waited_until, clock()):
                break
            host.turns.release()  # it asked to be left alone while others had their turn
        try:
            yield
        finally:
            host.turns.release()

    def pause(self, name: str, until: float) -> None:
        """Leave a host alone until then, by the clock that its turns are given."""
        host = self._host(name)
        with self._lock:
            host.quiet_until = max(host.quiet_until, until)

    def quiet_s(self, name: str, clock: Callable[[], float]) -> float:
        """How much longer a host wants to be left alone."""
        return max(0.0, self._host(name).quiet_until - clock())

    def _host(self, name: str) -> _Host:
        with self._lock:
            if name not in self._hosts:
                self._hosts[name] = _Host(threading.BoundedSemaphore(self.connections))
            return self._hosts[name]


def _wait_out(
    name: str, host: _Host, clock: Callable[[], float], sleep: Callable[[float], None]
) -> float:
    """Wait until a host may be asked again; until when that was."""
    until = host.quiet_until
    wait_s = until - clock()
    if wait_s > 0:
        log.warning("%s asked to be left alone: waiting for %.0f s", name, wait_s)
        sleep(wait_s)
    return until


HOSTS = Hosts()
"""The hosts of this process."""
