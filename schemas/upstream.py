"""Where bytes come from: a folder of this machine, URLs, or a repository of the Hub."""

from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from schemas.frozen import Frozen

NAME_PATTERN = r"^[a-z0-9][a-z0-9_.]*$"
SHA256_PATTERN = r"^[0-9a-f]{64}$"
UPSTREAMS = ("local", "http", "hub")


class LocalUpstream(Frozen):
    """Files on this machine: one file, or a folder searched by patterns."""

    path: str = Field(description="file or folder; relative to the source's YAML file")
    files: tuple[str, ...] = Field(("**/*",), description="patterns inside a folder; sorted")
    sha256: str | None = Field(None, pattern=SHA256_PATTERN, description="pins a single file")


class HttpUpstream(Frozen):
    """One or more files over HTTP or HTTPS, read in the order given."""

    urls: tuple[str, ...] = Field(min_length=1)
    sha256: tuple[str, ...] = Field((), description="pins each URL's bytes, in the same order")

    @model_validator(mode="after")
    def _one_pin_per_url(self) -> Self:
        if self.sha256 and len(self.sha256) != len(self.urls):
            raise ValueError(f"{len(self.urls)} urls but {len(self.sha256)} sha256 pins")
        for url in self.urls:
            if not url.startswith(("http://", "https://")):
                raise ValueError(f"not an http(s) URL: {url!r}")
        return self


class HubUpstream(Frozen):
    """Files of a Hugging Face dataset repository, at a revision that is resolved to a commit."""

    repo: str = Field(pattern=r"^[\w.-]+/[\w.-]+$")
    revision: str = Field("main", description="branch, tag or commit")
    files: tuple[str, ...] = Field(min_length=1, description="patterns inside the repository")
    stream: bool = Field(
        False, description="Parquet only: read through `datasets`, and keep the columns in use"
    )
    max_rows: int | None = Field(None, ge=1, description="with stream: the first so many rows")

    @model_validator(mode="after")
    def _rows_are_counted_in_a_stream(self) -> Self:
        if self.max_rows is not None and not self.stream:
            raise ValueError("max_rows needs stream: true; whole files are downloaded without it")
        return self


class Upstream(Frozen):
    """Something to download under a name: exactly one of `local`, `http`, `hub` says from where."""

    name: str = Field(pattern=NAME_PATTERN)
    local: LocalUpstream | None = None
    http: HttpUpstream | None = None
    hub: HubUpstream | None = None

    @model_validator(mode="after")
    def _one_upstream(self) -> Self:
        given = [name for name in UPSTREAMS if getattr(self, name) is not None]
        if len(given) != 1:
            found = ", ".join(given) or "none"
            raise ValueError(f"expected exactly one of local, http, hub; found {found}")
        return self

    def anchored(self, folder: Path) -> Self:
        """The same with a relative `local.path` resolved against `folder`."""
        if self.local is None:
            return self
        path = str(folder / Path(self.local.path).expanduser())
        local = self.local.model_copy(update={"path": path})
        return self.model_copy(update={"local": local})

    def at(self, path: Path) -> Self:
        """The same read from a local copy: a file, or a folder of its files."""
        local = LocalUpstream(path=str(path.expanduser().absolute()))
        return self.model_copy(update={"local": local, "http": None, "hub": None})
