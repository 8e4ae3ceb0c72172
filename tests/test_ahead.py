"""Working ahead: results in order, bounded, errors in their place."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tasks.ahead import map_ahead


def test_results_come_in_the_order_of_the_arguments_however_they_finish() -> None:
    first_may_end = threading.Event()

    def work(number: int) -> int:
        if number == 0:
            assert first_may_end.wait(5)
        elif number == 1:
            first_may_end.set()
        return number * number

    with ThreadPoolExecutor(2) as pool:
        results = list(map_ahead(pool, work, ((number,) for number in range(5)), ahead=2))
    assert results == [0, 1, 4, 9, 16]


def test_nothing_more_is_drawn_for_one_who_stops_taking() -> None:
    drawn: list[int] = []

    def numbers() -> Iterator[tuple[int]]:
        for number in range(100):
            drawn.append(number)
            yield (number,)

    with ThreadPoolExecutor(2) as pool:
        results = map_ahead(pool, lambda number: number, numbers(), ahead=2)
        assert next(results) == 0
        assert len(drawn) == 3
        results.close()  # type: ignore[attr-defined]
    assert len(drawn) == 3


def test_an_error_is_raised_in_the_place_of_its_result() -> None:
    def work(number: int) -> int:
        return 10 // (2 - number)

    with ThreadPoolExecutor(2) as pool:
        results = map_ahead(pool, work, ((number,) for number in range(4)), ahead=2)
        assert [next(results), next(results)] == [5, 10]
        with pytest.raises(ZeroDivisionError):
            next(results)


def test_work_is_handed_out_no_further_than_a_window_ahead_of_its_results():
    drawn = []

    def numbers() -> Iterator[tuple[int]]:
        for number in range(20):
            drawn.append(number)
            yield (number,)

    with ThreadPoolExecutor(2) as pool:
        for taken, result in enumerate(map_ahead(pool, lambda n: n * n, numbers(), ahead=4), 1):
            assert result == (taken - 1) ** 2
            assert len(drawn) <= taken + 4
    assert len(drawn) == taken == 20


def test_what_one_piece_of_work_raises_is_raised_and_what_has_not_begun_is_not_done():
    raised = threading.Event()
    done = []

    def work(number: int) -> None:
        if number == 0:
            raise ArithmeticError
        raised.wait(10)
        done.append(number)

    with ThreadPoolExecutor(1) as pool:
        with pytest.raises(ArithmeticError):
            list(map_ahead(pool, work, [(0,), (1,), (2,), (3,)], ahead=3))
        raised.set()
    assert set(done) <= {1}
