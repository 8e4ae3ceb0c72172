"""The receipt of a push: which version is where on the Hub."""

from pydantic import Field

from schemas.frozen import Frozen
from schemas.upstream import SHA256_PATTERN


class PushedVersion(Frozen):
    """A corpus version on the Hub: one commit of a dataset repository, tagged with its number."""

    corpus: str
    version: str
    digest: str = Field(pattern=SHA256_PATTERN, description="of the version")
    repo: str
    commit: str
    uri: str = Field(description="for people and loaders")
