"""How many rows of each language or category a corpus may have, so that their shares are right."""

from collections.abc import Mapping
from fractions import Fraction

from schemas.sampling import Balance


def quotas(supply: Mapping[str, int], balance: Balance) -> dict[str, int]:
    """How many rows each value of `balance.shares` may have, of as many as `supply` says it has.

    All shares are those of one whole. It is as large as the scarcest value allows (rows of it by
    its share), or larger, where otherwise less than `min_kept_share` of all rows would be left;
    scarce values then give all they have. A value without a row does not count among the scarce.
    """
    shares = {value: Fraction(str(share)) for value, share in balance.shares}
    wanted = {value: share for value, share in shares.items() if share > 0}
    wholes = sorted((supply.get(value, 0) / share, value) for value, share in wanted.items())
    stocked = [(whole, value) for whole, value in wholes if whole > 0]
    if not stocked:
        return dict.fromkeys(shares, 0)
    at_least = Fraction(str(balance.min_kept_share)) * sum(supply[value] for _, value in stocked)
    whole = max(stocked[0][0], _whole_that_keeps(at_least, stocked, wanted, supply))
    return {value: int(whole * share) for value, share in shares.items()}


def _whole_that_keeps(
    rows: Fraction,
    stocked: list[tuple[Fraction, str]],
    wanted: Mapping[str, Fraction],
    supply: Mapping[str, int],
) -> Fraction:
    """The whole of which so many rows are left: sum over values of min(supply, whole * share).

    `stocked` is sorted by the whole that each value could fill alone. As the whole grows, values
    run out one after the other.
    """
    run_out = 0
    left = sum(wanted[value] for _, value in stocked)
    for whole, value in stocked:
        if run_out + whole * left >= rows:
            return (rows - run_out) / left
        run_out += supply[value]
        left -= wanted[value]
    return stocked[-1][0]
