"""The recipe's part on sampling: how much of each source is taken, how often, how balanced."""

from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, PlainSerializer, TypeAdapter, model_validator

from schemas.frozen import Frozen

OTHER = "(other)"
SHARE_TOLERANCE = 0.001


class SourceSampling(Frozen):
    """How much of one source is taken of what dedupe and filter leave of it.

    First refusals beyond their share go, then `fraction`, then the caps, then `repeat`. Rows are
    chosen by a hash of the recipe's seed and their record id: a larger fraction or cap holds the
    rows of a smaller one, whatever the order of the rows.
    """

    max_refusal_share: float | None = Field(
        None, ge=0, le=1, description="of its rows; null: what the recipe says for all sources"
    )
    fraction: float = Field(1.0, ge=0, le=1, description="of its rows; each row has that chance")
    max_rows: int | None = Field(None, ge=1, description="rows taken, at most; null: all of them")
    max_rows_per_category: int | None = Field(
        None, ge=1, description="the same for each category; rows without one are not counted"
    )
    repeat: float = Field(
        1.0,
        ge=1,
        le=100,
        description=(
            "how often a row stands in train; 2.5: every row twice and half of them a third time. "
            "Rows held out for validation stand there once"
        ),
    )


_SOURCES: TypeAdapter[dict[str, SourceSampling]] = TypeAdapter(dict[str, SourceSampling])
_SHARES: TypeAdapter[dict[str, float]] = TypeAdapter(dict[str, Annotated[float, Field(ge=0, le=1)]])


def _by_source(value: Any) -> Any:
    """Sorted pairs of a mapping, those left out that say nothing."""
    if not isinstance(value, dict):
        return value
    given = _SOURCES.validate_python(value)
    return tuple((name, one) for name, one in sorted(given.items()) if one != SourceSampling())


def _by_value(value: Any) -> Any:
    return (
        tuple(sorted(_SHARES.validate_python(value).items())) if isinstance(value, dict) else value
    )


SamplingBySource = Annotated[
    tuple[tuple[str, SourceSampling], ...],
    BeforeValidator(_by_source, json_schema_input_type=dict[str, SourceSampling]),
    PlainSerializer(dict, return_type=dict[str, SourceSampling]),
]
Shares = Annotated[
    tuple[tuple[str, float], ...],
    BeforeValidator(_by_value, json_schema_input_type=dict[str, float]),
    PlainSerializer(dict, return_type=dict[str, float]),
]


class BalanceKey(StrEnum):
    """What rows are balanced by."""

    LANGUAGE = "language"
    CATEGORY = "category"


class Balance(Frozen):
    """The shares that languages or categories are to have of a corpus, repeats included.

    What has too many rows for its share is cut down to it, in proportion to the scarcest; nothing
    is repeated to fill a share. A value that has no row, or fewer than `min_kept_share` lets the
    others be cut down to, falls short; the manifest's notes and the report say by how much.
    """

    by: BalanceKey
    shares: Shares = Field(
        min_length=1,
        description=(
            "from 0 to 1 by value, 1 together: {en: 0.5, zh: 0.5}. 'unknown' is a language that "
            "could not be told, '(none)' no category, '(other)' every value that is not named; "
            "without it, rows of other values stay as they are and do not count"
        ),
    )
    min_kept_share: float = Field(
        0.1,
        ge=0,
        le=1,
        description=(
            "of the rows whose value has a share: so many stay at the least. To lose nine of ten "
            "is more often a mistyped or scarce value than a wish"
        ),
    )

    @model_validator(mode="after")
    def _shares_are_of_one_whole(self) -> Self:
        together = sum(share for _, share in self.shares)
        if abs(together - 1) > SHARE_TOLERANCE:
            raise ValueError(
                f"the shares are {together:g} together, expected 1; '{OTHER}' names the rest"
            )
        return self


class Sampling(Frozen):
    """What is taken of the rows that dedupe and filter leave: all of them once, unless it says so.

    Each source's own part first, then the cap per category over all of them, then the balance.
    """

    sources: SamplingBySource = Field((), description="by the name of a source of the recipe")
    max_refusal_share: float = Field(
        1.0, ge=0, le=1, description="of each source's rows: responses that turn their user down"
    )
    max_rows_per_category: int | None = Field(
        None, ge=1, description="of all sources together; rows without a category are not counted"
    )
    balance: Balance | None = None

    @property
    def is_on(self) -> bool:
        """Whether it takes anything but every row once."""
        return self != Sampling()

    @property
    def repeats(self) -> bool:
        """Whether some rows are to stand in the corpus more than once."""
        return any(one.repeat > 1 for _, one in self.sources)
