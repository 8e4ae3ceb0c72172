"""Working ahead: results in order, bounded, errors in their place."""

import threading
from collections.abc import Iterator

import pytest

from tasks.normalize.ordered import in_order

THREADS = 2


def test_results_come_in_the_order_of_the_items_however_they_finish() -> None:
    first_may_end = threading.Event()

    def work(number: int) -> int:
        if number == 0:
            assert first_may_end.wait(5)
        elif number == 1:
            first_may_end.set()
        return number * number

    assert list(in_order(work, range(5), THREADS)) == [0, 1, 4, 9, 16]


def test_no_more_items_are_drawn_than_threads_can_work_on_beside_the_one_in_hand() -> None:
    drawn: list[int] = []

    def items() -> Iterator[int]:
        for number in range(100):
            drawn.append(number)
            yield number

    results = in_order(lambda number: number, items(), THREADS)
    assert next(results) == 0
    assert len(drawn) == THREADS + 1
    results.close()  # type: ignore[attr-defined]
    assert len(drawn) == THREADS + 1


def test_an_error_is_raised_in_the_place_of_its_result() -> None:
    def work(number: int) -> int:
        return 10 // (2 - number)

    results = in_order(work, range(4), THREADS)
    assert [next(results), next(results)] == [5, 10]
    with pytest.raises(ZeroDivisionError):
        next(results)
