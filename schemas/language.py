"""The recipe's part on languages: which are wanted, and whether the answer is in the right one."""

from schemas.frozen import Frozen


class Languages(Frozen):
    """Rules on the languages of prompt and response."""
