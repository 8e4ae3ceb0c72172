"""The accounts of a corpus: what is said of each source's rows."""

import pytest

from schemas.source import RowBand
from tasks.accounts import unexpected_rows

# fmt: off
BANDS = {  #     records  expected      said
    "inside":   (6,       (6, 6),       ""),
    "too few":  (1_200,   (1_201, 9_000), "1,200 records, expected 1,201 to 9,000"),
    "too many": (6,       (1, 5),       "6 records, expected 1 to 5"),
}
# fmt: on


@pytest.mark.parametrize(("records", "band", "said"), BANDS.values(), ids=BANDS)
def test_too_few_or_too_many_records_are_told(records, band, said):
    assert unexpected_rows(records, RowBand(min=band[0], max=band[1])) == said
