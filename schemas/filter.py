"""The recipe's part on rules: what a row must be to stay, each rule with its bounds."""

from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from schemas.errors import ConfigError
from schemas.frozen import Frozen
from schemas.language import Languages
from schemas.licences import Licences
from schemas.privacy import Privacy
from schemas.quality import Quality
from schemas.upstream import NAME_PATTERN, HttpUpstream, Upstream


class Lengths(Frozen):
    """Bounds in Unicode code points, inclusive; white space at the ends does not count."""

    enabled: bool = True
    min_prompt_chars: int = Field(1, ge=0)
    max_prompt_chars: int = Field(20_000, ge=1)
    min_response_chars: int = Field(1, ge=0)
    max_response_chars: int = Field(20_000, ge=1)

    @model_validator(mode="after")
    def _bounds_leave_room(self) -> Self:
        for part in ("prompt", "response"):
            low, high = getattr(self, f"min_{part}_chars"), getattr(self, f"max_{part}_chars")
            if low > high:
                raise ValueError(
                    f"min_{part}_chars is {low}, max_{part}_chars is {high}: no row fits"
                )
        return self


class Echo(Frozen):
    """A response that is only the prompt again, after folding."""

    enabled: bool = True
    min_chars: int = Field(8, ge=1, description="shorter prompts may be answered by themselves")


class Placeholders(Frozen):
    """An unrendered {{placeholder}} in prose that nothing filled."""

    enabled: bool = True


class ModelIdentity(Frozen):
    """A response that says it is another maker's assistant."""

    enabled: bool = True


class EvaluationSet(Frozen):
    """Evaluation items that must not be in the corpus: a JSON Lines, JSON, CSV or Parquet file.

    It lies at `path`, or is downloaded from `url` like a source; `--from NAME=PATH` points it at a
    local copy.
    """

    name: str = Field(pattern=NAME_PATTERN)
    path: str | None = Field(None, description="relative to the recipe's YAML file")
    url: str | None = Field(None, pattern=r"^https?://")
    columns: tuple[str, ...] = Field((), description="text columns; empty means every text column")

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.path is None) == (self.url is None):
            raise ValueError("an evaluation set has exactly one of path, url")
        return self

    @property
    def upstream(self) -> Upstream | None:
        """What to download, where it is not a file of this machine."""
        if self.url is None:
            return None
        return Upstream(name=f"evaluation.{self.name}", http=HttpUpstream(urls=(self.url,)))

    @property
    def place(self) -> str:
        """The path of its file; raises ConfigError before it was downloaded."""
        if self.path is None:
            raise ConfigError(
                f"evaluation set {self.name!r} has not been downloaded from {self.url}"
            )
        return self.path

    def at(self, path: Path | str) -> Self:
        """The same set, read from a file of this machine."""
        place = str(Path(path).expanduser().absolute())
        return self.model_copy(update={"path": place, "url": None})


class NearQuestions(Frozen):
    """Prompts that ask nearly what an item asks: words changed, options in another order."""

    enabled: bool = True
    threshold: float = Field(
        0.8, ge=0.5, le=1, description="exact Jaccard on shingles of three characters, inclusive"
    )
    compare_numbers: bool = Field(True, description="a question with other numbers is another one")


class Contamination(Frozen):
    """Rows that share an n-gram with an evaluation item, or ask nearly the same."""

    enabled: bool = True
    ngram: int = Field(
        13, ge=4, le=50, description="words, or characters where there are no spaces"
    )
    questions: NearQuestions = NearQuestions()
    sets: tuple[EvaluationSet, ...] = ()


class Filter(Frozen):
    """The rules a row must pass; each can be switched off and bounded."""

    lengths: Lengths = Lengths()
    echo: Echo = Echo()
    placeholders: Placeholders = Placeholders()
    quality: Quality = Quality()
    language: Languages = Languages()
    identity: ModelIdentity = ModelIdentity()
    privacy: Privacy = Privacy()
    contamination: Contamination = Contamination()
    licences: Licences = Licences()
