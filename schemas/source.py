"""A source: one upstream corpus, where it is, what shape it has and whose it is."""

from enum import StrEnum
from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from schemas.frozen import Frozen

NAME_PATTERN = r"^[a-z0-9][a-z0-9_.]*$"
SHA256_PATTERN = r"^[0-9a-f]{64}$"


class Layout(StrEnum):
    """The native shape of a source's rows; a file of `tasks/normalize/` for each."""

    ALPACA = "alpaca"
    BELLE = "belle"
    DOLLY = "dolly"
    SHAREGPT = "sharegpt"
    MESSAGES = "messages"
    HUGNLP = "hugnlp"
    COT = "cot"
    MULTIPLE_CHOICE = "multiple_choice"
    QUESTION_CONTEXTS = "question_contexts"


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


class Columns(Frozen):
    """The names under which a source keeps the parts of a row; what it lacks stays as it is."""

    instruction: str = "instruction"
    input: str = "input"
    output: str = "output"
    system: str = "system"
    history: str = "history"
    category: str = "category"
    tools: str = "tools"
    conversations: str = "conversations"
    messages: str = "messages"
    text: str = "text"
    question: str = "question"
    options: str = "options"
    answer: str = "answer"
    explanation: str = "explanation"
    contexts: str = "contexts"


class RowBand(Frozen):
    """How many records a healthy download yields; both ends inclusive."""

    min: int = Field(1, ge=0)
    max: int = Field(2**32 - 1, ge=1)


class Upstream(Frozen):
    """Something to download under a name: exactly one of `local`, `http`, `hub` says from where."""

    name: str = Field(pattern=NAME_PATTERN)
    local: LocalUpstream | None = None
    http: HttpUpstream | None = None
    hub: HubUpstream | None = None

    @model_validator(mode="after")
    def _one_upstream(self) -> Self:
        given = [name for name in ("local", "http", "hub") if getattr(self, name) is not None]
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


class Source(Upstream):
    """One upstream corpus. Adding a corpus is adding one of these as a YAML file."""

    title: str = Field("", description="what people call it")
    layout: Layout
    columns: Columns = Columns()
    category: str | None = Field(None, description="for every row; `file` takes the file's stem")
    languages: tuple[str, ...] = Field((), description="ISO 639-1 codes of the text")
    licence: str = Field(description="SPDX identifier, or 'unknown'")
    citation: str = ""
    homepage: str = ""
    priority: int = Field(100, ge=0, description="lower wins when two rows are the same")
    code: bool = Field(False, description="white space and case are content: compare strictly")
    first_option: int | None = Field(
        None,
        ge=0,
        le=1,
        description="multiple choice: number of option A in answers; null: the answers must tell",
    )
    expected_rows: RowBand = RowBand()

    @classmethod
    def from_yaml(cls, path: Path) -> Self:
        """Read a source file; a relative local path is taken from the file's own folder."""
        return super().from_yaml(path).anchored(path.parent)
