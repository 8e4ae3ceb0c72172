"""Where two texts differ, word by word, for people who judge a pair of near duplicates."""

import difflib
import re
from collections.abc import Iterator, Sequence

MAX_WORDS = 3_000  # of both texts; the comparison takes time by their product
CONTEXT_WORDS = 8  # shown on either side of a difference

_WORD = re.compile(r"[a-zA-Z0-9_\u00c0-\u024f]+|\s+|.", re.DOTALL)


def word_diff(kept: str, dropped: str) -> str:
    """The dropped text beside the kept one: `[-only in the kept-]`, `{+only in the dropped+}`.

    What both have is cut to a few words around each difference. Empty where they are equal.
    """
    old, new = _WORD.findall(kept), _WORD.findall(dropped)
    if len(old) + len(new) > MAX_WORDS:
        return f"(too long to compare word by word: {len(kept):,} and {len(dropped):,} characters)"
    if old == new:
        return ""
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
    return "".join(_pieces(old, new, matcher.get_opcodes()))


def _pieces(
    old: Sequence[str], new: Sequence[str], steps: Sequence[tuple[str, int, int, int, int]]
) -> Iterator[str]:
    for place, (step, start, end, new_start, new_end) in enumerate(steps):
        if step == "equal":
            yield _cut(old[start:end], first=place == 0, last=place == len(steps) - 1)
            continue
        if end > start:
            yield f"[-{''.join(old[start:end])}-]"
        if new_end > new_start:
            yield f"{{+{''.join(new[new_start:new_end])}+}}"


def _cut(words: Sequence[str], *, first: bool, last: bool) -> str:
    """The words next to the differences; at the text's own ends one side has none."""
    before = [] if last else words[-CONTEXT_WORDS:]
    after = [] if first else words[:CONTEXT_WORDS]
    if len(words) <= len(before) + len(after):
        return "".join(words)
    return "".join(after) + " … " + "".join(before)
