"""What asking upstream told of a source, without a download."""

from enum import StrEnum

from pydantic import Field

from schemas.frozen import Frozen


class State(StrEnum):
    """How upstream stands to what the lake holds."""

    UNCHANGED = "unchanged"
    CHANGED = "changed"
    NEW = "new"
    GONE = "gone"
    UNREACHABLE = "unreachable"
    UNKNOWN = "unknown"


class Checked(Frozen):
    """One source, asked after.

    unchanged: upstream is what the lake holds; changed: a download would get other bytes;
    new: upstream is there, and the lake holds nothing of it; gone: upstream has it no more;
    unreachable: no answer, or a refusal; unknown: the answer does not tell.
    """

    source: str
    state: State
    detail: str = Field(description="one line: what was compared, then and now, or the error")
    requests: int = Field(0, ge=0, description="that were sent")


def counted(count: int) -> str:
    """So many files, as people write it."""
    return "1 file" if count == 1 else f"{count:,} files"
