"""The recipe's part on quality: signs that there is nothing to learn from an answer."""

from schemas.frozen import Frozen


class Quality(Frozen):
    """Rules on the text of prompt and response, each with its own bounds."""
