"""Markdown of what others wrote: inert, whatever it holds."""

from collections.abc import Iterable, Sequence


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; its cells are Markdown already."""
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def inert(value: str) -> str:
    """A value as Markdown that says nothing but itself: one line, no markup, no HTML, no bars."""
    flat = one_line(value)
    for sign in "\\`*_{}[]<>#|!~$":
        flat = flat.replace(sign, f"\\{sign}" if sign not in "<>" else f"&#{ord(sign)};")
    return flat


def one_line(value: str) -> str:
    """The words of a text with single spaces between them."""
    return " ".join(value.split())
