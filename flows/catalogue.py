"""docs/sources.md: the sources that Winnow knows as one table, made from their files."""

import re
from collections.abc import Sequence
from urllib.parse import urlsplit

from schemas.source import RowBand, Source
from schemas.urls import shown

SHOWN_LANGUAGES = 4
MAX_ROWS = RowBand.model_fields["max"].default

_PAGE = """\
# Sources

<!-- Made by `winnow sources list --markdown > docs/sources.md` from deployments/sources/*.yaml. -->

The {count} corpora that a recipe can name. Each is a file of that name in `deployments/sources/`,
with a citation, a homepage and comments on what is odd about it;
[Add a corpus](how-to/add-a-corpus.md) says how to write another. `winnow sources check` asks
upstream whether they are still there, and `winnow sources sample NAME` shows records of one without
downloading all of it.

Rows are records of a healthy download. Where rows of two sources are the same, the one with the
lower priority stays: originals come before what was made of them.

| priority | sources |
|---|---|
| 0 – 19 | English originals, those that people looked at first; Chinese ones reviewed by hand |
| 20 – 49 | Chinese originals, then translations |
| 50 – 69 | conversations, tool calls, chain of thought |
| 70 – 99 | medicine, finance, code, identity |
| 100 – 149 | large collections that models answered |
| 150 – 199 | preference data |
| 200 and more | copies of other sources, older forms and collections of them |

| source | title | upstream | layout | languages | licence | rows | priority |
|---|---|---|---|---|---|---:|---:|
{rows}
"""

_GITHUB = re.compile(r"https://raw\.githubusercontent\.com/([^/]+/[^/]+)/")


def catalogue(sources: Sequence[Source]) -> str:
    """The page, with one row per source in the order given."""
    return _PAGE.format(count=len(sources), rows="\n".join(map(_row, sources)))


def upstream(source: Source) -> str:
    """Where a source comes from, as a link."""
    if source.hub is not None:
        return f"[Hub {source.hub.repo}](https://huggingface.co/datasets/{source.hub.repo})"
    if source.http is not None:
        url = shown(source.http.urls[0])
        repository = _GITHUB.match(url)
        if repository:
            return f"[GitHub {repository[1]}](https://github.com/{repository[1]})"
        return f"[{urlsplit(url).hostname}]({source.homepage or url})"
    return "ships with Winnow"


def row_band(band: RowBand) -> str:
    """A band of rows as people write it."""
    if band.min == band.max:
        return f"{band.min:,}"
    return f"{band.min:,} and more" if band.max == MAX_ROWS else f"{band.min:,} – {band.max:,}"


def _row(source: Source) -> str:
    cells = (
        f"`{source.name}`",
        source.title,
        upstream(source),
        source.layout.value,
        shown_languages(source.languages),
        source.licence,
        row_band(source.expected_rows),
        str(source.priority),
    )
    return f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |"


def shown_languages(codes: Sequence[str], most: int = SHOWN_LANGUAGES) -> str:
    """The first few language codes, and how many there are besides."""
    more = len(codes) - most
    return " ".join(codes[:most]) + (f" +{more}" if more > 0 else "")
