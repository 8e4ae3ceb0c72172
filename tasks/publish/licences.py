"""Published rows by the licence they state: what manifest, card and Croissant say of licences."""

from collections.abc import Sequence
from typing import NamedTuple

import polars as pl

from schemas.licences import Terms, names_in, terms_of
from schemas.manifest import CorpusManifest, SourceEntry


class LicenceRows(NamedTuple):
    """One licence of a version: its published rows, and the sources they are from, sorted."""

    licence: str
    rows: int
    sources: tuple[str, ...]

    @property
    def terms(self) -> tuple[Terms | None, ...]:
        """What is known of each part of the expression, in its order."""
        return tuple(terms_of(name) for name in names_in(self.licence))


def with_licences(
    entries: Sequence[SourceEntry], published: pl.DataFrame
) -> tuple[SourceEntry, ...]:
    """The same entries with their rows by licence, most rows first, equal ones by name.

    `published` has one row per published row, each copy of a repeated one, with `source` and
    `licence`.
    """
    counted = published.group_by("source", "licence").len("rows")
    by_source = counted.sort(["rows", "licence"], descending=[True, False]).partition_by(
        "source", as_dict=True, include_key=False
    )
    nothing = counted.clear().drop("source")
    return tuple(
        entry.model_copy(update={"licences": tuple(by_source.get((entry.name,), nothing).rows())})
        for entry in entries
    )


def licence_rows(manifest: CorpusManifest) -> tuple[LicenceRows, ...]:
    """The licences of a version, most rows first, equal ones by name; their rows are all of it."""
    rows: dict[str, int] = {}
    sources: dict[str, set[str]] = {}
    for source in manifest.sources:
        for licence, count in source.rows_by_licence:
            rows[licence] = rows.get(licence, 0) + count
            sources.setdefault(licence, set()).add(source.name)
    found = [LicenceRows(one, rows[one], tuple(sorted(sources[one]))) for one in rows]
    return tuple(sorted(found, key=lambda one: (-one.rows, one.licence)))
