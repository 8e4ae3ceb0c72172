"""From the text of generated tokens to an answer: what can be shown of it, and where it ends."""

from dataclasses import dataclass

_INCOMPLETE = "\N{REPLACEMENT CHARACTER}"
"""What a tokenizer writes for the bytes of a character that is not all there."""


@dataclass(frozen=True)
class AnswerText:
    """Cuts an answer out of the text of its tokens, while it grows and when it is whole.

    `lead` and `tail` are the template's, as in `trainer.templates.Template`; `stops` are the texts
    that end an answer.
    """

    lead: str
    tail: str
    stops: tuple[str, ...]

    def has_stop(self, text: str) -> bool:
        """Whether a stop string is in the text."""
        return any(stop in text.removeprefix(self.lead) for stop in self.stops)

    def whole(self, text: str) -> str:
        """The answer, from the text of all its tokens: less lead, tail and the first stop string.

        The tail is not there where an answer ends too early; of a stop string that begins where
        the answer ends too early, the beginning stays.
        """
        said = text.removeprefix(self.lead)
        ends = [said.find(stop) for stop in self.stops if stop in said]
        return said[: min(ends)] if ends else said.removesuffix(self.tail)

    def settled(self, text: str) -> str:
        """The beginning of the answer that no further token can change or take away.

        A character whose bytes are not all there, the beginning of a stop string and the tail are
        held back: the next token may complete them.
        """
        if self.lead.startswith(text):
            return ""
        said = self.whole(text) if self.has_stop(text) else text.removeprefix(self.lead)
        said = said.rstrip(_INCOMPLETE)
        held = max((_begun(said, ending) for ending in (*self.stops, self.tail)), default=0)
        return said[: len(said) - held]


def _begun(text: str, ending: str) -> int:
    """How many characters at the end of a text are the beginning of `ending`."""
    longest = min(len(text), len(ending))
    return next((size for size in range(longest, 0, -1) if text.endswith(ending[:size])), 0)
