"""Documents that people put beside data: they lie in the same folder, and are no data."""

import re

EXACT_DOCUMENTS = "A document (README, LICENSE …) is read where a pattern is its whole path."
"""To be said where no file matches."""

_DOCUMENT = re.compile(
    r"(?:readme|licen[sc]e|copying|notice|changelog|citation|authors)[\w-]*"
    r"(?:\.(?:md|txt|rst|html?|pdf|bib|cff))?",
    re.IGNORECASE,
)


def is_document(name: str) -> bool:
    """Whether a file's name is that of a document (`README.md`, `LICENSE`), by convention."""
    return _DOCUMENT.fullmatch(name) is not None
