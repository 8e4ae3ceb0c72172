"""Quotas: the right shares, the most rows that have them, and a floor under what is lost."""

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from schemas.sampling import Balance
from tasks.sample.balance import quotas

SUPPLY = st.fixed_dictionaries({value: st.integers(0, 1000) for value in "abc"})
WEIGHTS = st.fixed_dictionaries({value: st.integers(0, 9) for value in "abc"}).filter(
    lambda weights: sum(weights.values()) > 0
)


def balance(weights: dict[str, int], min_kept_share: float) -> Balance:
    whole = sum(weights.values())
    shares = {value: weight / whole for value, weight in weights.items()}
    given = {"by": "language", "shares": shares, "min_kept_share": min_kept_share}
    return Balance.model_validate(given)


def taken(supply: dict[str, int], asked: Balance) -> dict[str, int]:
    return {value: min(supply[value], quota) for value, quota in quotas(supply, asked).items()}


@given(SUPPLY, WEIGHTS)
def test_without_a_floor_every_share_of_what_is_there_is_right_to_a_row(
    supply: dict[str, int], weights: dict[str, int]
) -> None:
    there = {value: weight for value, weight in weights.items() if supply[value] and weight}
    rows = taken(supply, balance(weights, 0))
    assert all(rows[value] == 0 for value in weights if value not in there)
    if there:
        whole = min(Fraction(supply[value], weight) for value, weight in there.items())
        assert all(abs(rows[value] - whole * weight) <= 1 for value, weight in there.items())
        assert any(rows[value] >= supply[value] - 1 for value in there)


@given(SUPPLY, WEIGHTS, st.floats(0, 1))
def test_the_floor_holds_to_a_row_of_each_value(
    supply: dict[str, int], weights: dict[str, int], floor: float
) -> None:
    rows = taken(supply, balance(weights, floor))
    counted = sum(supply[value] for value, weight in weights.items() if weight)
    assert sum(rows.values()) >= floor * counted - len(weights)


@given(SUPPLY, WEIGHTS, st.floats(0, 1), st.floats(0, 1))
def test_a_higher_floor_takes_no_row_away(
    supply: dict[str, int], weights: dict[str, int], one: float, other: float
) -> None:
    low, high = (taken(supply, balance(weights, floor)) for floor in sorted((one, other)))
    assert all(low[value] <= high[value] for value in weights)


@given(SUPPLY, WEIGHTS)
def test_a_floor_of_all_takes_every_row_that_has_a_share(
    supply: dict[str, int], weights: dict[str, int]
) -> None:
    rows = taken(supply, balance(weights, 1))
    assert all(rows[v] >= supply[v] - 1 for v, weight in weights.items() if weight)
