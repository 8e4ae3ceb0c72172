"""The recipe's part on duplicates: which rows say the same, and which of them stays."""

from enum import StrEnum
from typing import Self

from pydantic import Field, model_validator

from schemas.frozen import Frozen


class ExactDedupe(Frozen):
    """Rows that are equal after folding case, width and white space count as one."""

    enabled: bool = True


class NearOverride(Frozen):
    """A looser or stricter test for the rows of one source; what is null stays as it is.

    Of two rows from different sources the stricter test holds. Whether white space and case count
    is the source's own `code`, which the recipe changes where it names the source: `sources:
    [{source: NAME, code: false}]`.
    """

    source: str
    threshold: float | None = Field(None, gt=0, le=1)
    compare_numbers: bool | None = None
    compare_answers: bool | None = None


class NearDedupe(Frozen):
    """Near-duplicate search: MinHash LSH proposes, exact Jaccard disposes (Broder 1997).

    A row falls only to a kept row whose prompt and response both reach `threshold`, whose tools
    are the same, and which is code where it is code: code is compared with its indentation and
    case, prose without.
    """

    enabled: bool = True
    threshold: float = Field(0.8, gt=0, le=1, description="exact Jaccard, prompt and response each")
    ngram: int = Field(5, ge=2, le=16, description="characters per shingle")
    bands: int = Field(20, ge=1, le=20)
    rows: int = Field(6, ge=1, le=16, description="hashes per band; bands x rows is at most 128")
    bucket: int = Field(32, ge=1, le=1024, description="kept rows that one bucket remembers")
    candidates: int = Field(16, ge=1, le=256, description="exact comparisons per row, at most")
    compare_numbers: bool = Field(True, description="rows whose numbers differ are not duplicates")
    compare_answers: bool = Field(
        True, description="rows whose responses come to different answers (yes, no) are not either"
    )
    overrides: tuple[NearOverride, ...] = ()

    @model_validator(mode="after")
    def _fits_the_signature(self) -> Self:
        if self.bands * self.rows > 128:
            raise ValueError(f"bands x rows is {self.bands * self.rows}, the signature has 128")
        return self

    def recall(self, jaccard: float) -> float:
        """Chance that a pair of this Jaccard similarity shares a band: 1 - (1 - s^rows)^bands."""
        return 1.0 - (1.0 - jaccard**self.rows) ** self.bands


class ConflictPolicy(StrEnum):
    """What becomes of rows that answer one prompt differently."""

    KEEP_ALL = "keep_all"
    KEEP_BEST = "keep_best"
    KEEP_LONGEST = "keep_longest"


class Conflicts(Frozen):
    """Rows with one prompt, folded, system and earlier turns included, and different responses.

    keep_best keeps the one of the source of best priority, then of the smallest record id;
    keep_longest the one with the longest response in code points, ties as keep_best decides them.
    Rows whose tools differ do not conflict. They are counted and listed under every policy.
    """

    policy: ConflictPolicy = ConflictPolicy.KEEP_ALL


class Dedupe(Frozen):
    """Exact duplicates first, near duplicates and conflicts among what the filter leaves."""

    exact: ExactDedupe = ExactDedupe()
    near: NearDedupe = NearDedupe()
    conflicts: Conflicts = Conflicts()
