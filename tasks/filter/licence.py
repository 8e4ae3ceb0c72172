"""Rows under a licence that the recipe does not want: a source may state one for each row."""

import polars as pl

from schemas.licences import Licences
from schemas.reasons import DropReason
from tasks.filter.evidence import Rules, matched


def licence_rules(licences: Licences) -> Rules:
    """The row's licence is refused; what is found is the licence.

    The column `licence` holds text of the raw data: a text that is no SPDX expression is a licence
    of which nothing is known.
    """
    if not licences.enabled:
        return {}
    found = pl.col("licence").map_batches(
        lambda rows: _refused(rows, licences), return_dtype=pl.String, is_elementwise=True
    )
    return {DropReason.LICENCE_NOT_ALLOWED: matched(found, licences.wanted)}


def _refused(rows: pl.Series, licences: Licences) -> pl.Series:
    """The licences that are refused, null for those that are not; each is looked at once."""
    refused = [one for one in rows.unique().to_list() if licences.refusal(one) is not None]
    return pl.select(pl.when(rows.is_in(refused)).then(rows)).to_series()
