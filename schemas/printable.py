"""Text of unknown origin, made safe to show in a terminal."""

import re

_UNPRINTABLE = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f"  # C0 and C1 controls, escape among them; not tab, not newline
    r"\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # marks that turn the direction of what follows
    r"\ud800-\udfff]"  # halves of a surrogate pair, which no terminal's encoding can write
)


def printable(text: str) -> str:
    """The text with every character that a terminal would obey replaced by U+FFFD.

    Newline and tab stay. Safe piece by piece: each character is judged on its own.
    """
    return _UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", text)
