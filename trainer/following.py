"""A run as others see it while it works: its last line of `metrics.jsonl`, here and in a bucket."""

import json
import logging
import time
from collections.abc import Callable
from pathlib import Path

from schemas.stores import is_bucket, open_store
from trainer.files import METRICS

_log = logging.getLogger(__name__)
SEND_EVERY_S = 60.0
"""Between two copies of `metrics.jsonl` to a lake in a bucket."""


class Following:
    """Looks at a run's metrics whenever it is asked to, and hands on what is new."""

    def __init__(self, folder: Path, corpus: str, tell: Callable[[dict[str, float]], None]) -> None:
        """Of the run in `folder`, on the corpus version at `corpus`, a path or a bucket's URI."""
        self._path = folder / METRICS
        self._tell = tell
        lake = corpus.partition("/corpora/")[0] if is_bucket(corpus) else None
        self._place = f"{lake}/runs/{folder.name}" if lake else None
        self._step = 0.0
        self._sent = 0.0

    def look(self) -> None:
        """Tell of the newest step, if there is one since the last look."""
        line = newest_line(self._path)
        if line is None or line["step"] == self._step:
            return
        self._step = line["step"]
        self._tell(line)
        if self._place and time.monotonic() - self._sent >= SEND_EVERY_S:
            self._sent = time.monotonic()
            self._send(self._place)

    def _send(self, place: str) -> None:
        """Copy the metrics so far to the lake; training does not end for want of it."""
        from obstore import put
        from obstore.exceptions import BaseError

        try:
            put(open_store(place), METRICS, self._path.read_bytes())
        except (BaseError, OSError) as error:
            _log.warning("cannot copy %s to %s: %s", METRICS, place, str(error).splitlines()[0])


def newest_line(path: Path) -> dict[str, float] | None:
    """The last whole line; None where there is none yet."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - 4096))
            whole = file.read().rpartition(b"\n")[0]
        found = json.loads(whole.rpartition(b"\n")[2])
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) and "step" in found else None
