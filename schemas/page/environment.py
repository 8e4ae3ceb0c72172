"""The Jinja environment of every page: what is put into one is escaped, and a typo is an error."""

from pathlib import Path
from typing import Any

from schemas.page import words

FOLDER = Path(__file__).parent
"""Holds `page.css`, which a page includes."""

_WORDS = (
    words.number,
    words.signed,
    words.quantity,
    words.decimal,
    words.percent,
    words.size,
    words.excerpt,
    words.when,
    words.language,
)


def environment(templates: Path) -> Any:
    """An environment for the templates of a folder and for what all pages share."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    found = Environment(
        loader=FileSystemLoader([templates, FOLDER]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters.update({word.__name__: word for word in _WORDS})
    return found
