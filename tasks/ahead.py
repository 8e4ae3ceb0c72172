"""Work on several things at once, the results in order and memory bounded."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

Result = TypeVar("Result")


def map_ahead(
    pool: ThreadPoolExecutor,
    function: Callable[..., Result],
    arguments: Iterable[tuple[Any, ...]],
    ahead: int,
) -> Iterator[Result]:
    """The results in order, of which at most `ahead` are under way or wait to be taken.

    `pool.map` would start on all arguments at once and keep every result that nobody took yet.
    """
    coming: deque[Future[Result]] = deque()
    try:
        for given in arguments:
            if len(coming) == ahead:
                yield coming.popleft().result()
            coming.append(pool.submit(function, *given))
        while coming:
            yield coming.popleft().result()
    finally:
        for future in coming:
            future.cancel()
