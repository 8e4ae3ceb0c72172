"""What is kept beside a corpus's versions: which is the latest, tags, events, exports."""

import re
from enum import StrEnum
from typing import Self

from pydantic import Field

from schemas.frozen import Frozen
from schemas.manifest import (
    CORPUS_PATTERN,
    FORMAT_VERSION,
    VERSION_PATTERN,
    RawFile,
    is_version,
    number_of,
)
from schemas.upstream import SHA256_PATTERN

TAG_PATTERN = r"[a-z](?:[a-z0-9._-]{0,62}[a-z0-9])?"
LATEST = "latest"


def is_tag(name: str) -> bool:
    """Whether a tag may be called that: not as a version is, nor `latest`."""
    is_taken = name == LATEST or is_version(name)
    return not is_taken and re.fullmatch(TAG_PATTERN, name) is not None


class Latest(Frozen):
    """`corpora/<name>/latest.json`: the version that readers take who name none.

    It moves forward only, but for a rollback, which withdraws the versions above the chosen one.
    """

    version: str = Field(pattern=VERSION_PATTERN)
    digest: str = Field(pattern=SHA256_PATTERN)
    highest: str | None = Field(
        None, pattern=VERSION_PATTERN, description="that ever was the latest, after a rollback"
    )

    def withdraws(self, version: str) -> bool:
        """Whether a version was rolled back from: it is no longer what a refresh compares with."""
        highest = number_of(self.highest or self.version)
        return number_of(self.version) < number_of(version) <= highest

    def may_become(self, version: str) -> bool:
        """Whether a refresh may make this version the latest: forward, or where it stands."""
        forward = number_of(version) > number_of(self.highest or self.version)
        return forward or version == self.version

    def rolled_back_to(self, version: str, digest: str) -> Self:
        """The pointer after a rollback to a version, older or newer than the one it names."""
        highest = max(self.highest or self.version, self.version, version, key=number_of)
        return type(self)(
            version=version, digest=digest, highest=None if highest == version else highest
        )


class Tag(Frozen):
    """`corpora/<name>/tags/<tag>.json`: a name that people gave to a version."""

    version: str = Field(pattern=VERSION_PATTERN)
    digest: str = Field(pattern=SHA256_PATTERN)


class Action(StrEnum):
    """What people did to a corpus's versions."""

    ROLLBACK = "rollback"
    TAG = "tag"
    UNTAG = "untag"
    GC = "gc"
    IMPORT = "import"


class Event(Frozen):
    """`corpora/<name>/log/<time>-<action>-<chance>.json`: who did what to which version, and when.

    Refreshes are not among them: a version's manifest says when and where it was made.
    """

    at: str = Field(description="ISO 8601, UTC")
    who: str
    host: str
    action: Action
    version: str = Field(description="that it is about: rolled back to, tagged, removed, imported")
    before: str | None = Field(None, description="the version that stood there before")
    tag: str | None = None


class ExportFormat(StrEnum):
    """Forms of an export; `is_whole` says which can be imported again."""

    ARROW = "arrow"
    JSONL = "jsonl"
    ALPACA = "alpaca"
    SHAREGPT = "sharegpt"
    MESSAGES = "messages"
    HUGNLP = "hugnlp"

    @property
    def is_whole(self) -> bool:
        """Whether it holds every column of every row."""
        return self in (ExportFormat.ARROW, ExportFormat.JSONL)


class ExportedFile(RawFile):
    """One file of an export with rows."""

    split: str
    rows: int = Field(ge=0)
    left_out: int = Field(0, ge=0, description="rows that this form has no place for")


class Export(Frozen):
    """`export.json`, written last of an export's files."""

    format_version: int = FORMAT_VERSION
    form: ExportFormat
    corpus: str = Field(pattern=CORPUS_PATTERN)
    version: str = Field(pattern=VERSION_PATTERN)
    digest: str = Field(pattern=SHA256_PATTERN)
    files: tuple[ExportedFile, ...]
    others: tuple[RawFile, ...] = Field(description="manifest, ledger and pages, as in the lake")
