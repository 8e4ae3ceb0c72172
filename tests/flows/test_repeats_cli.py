"""What a refresh says of rows that its recipe repeats."""

import pytest

from flows.cli import _show_outcome
from schemas.outcome import Outcome, Status


@pytest.mark.parametrize(
    ("repeated", "says"),
    [(0, "9 rows in, 8 rows out\n"), (1_200, "9 rows in, 8 rows out, 1,200 of them repeated\n")],
)
def test_repeated_rows_are_told_where_there_are_any(
    repeated: int, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    outcome = Outcome(
        status=Status.PUBLISHED,
        corpus="small",
        version="v0001",
        digest="0" * 64,
        path="lake/corpora/small/v0001",
        rows_in=9,
        rows_out=8,
        rows_repeated=repeated,
        dropped={},
        sources={},
        failed_sources={},
    )
    _show_outcome(outcome, json=False)
    assert capsys.readouterr().out.startswith(f"small v0001 published: {says}")
