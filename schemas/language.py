"""The recipe's part on languages: which are wanted, and whether the answer is in the right one."""

from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, PlainSerializer

from schemas.frozen import Frozen

Code = Annotated[str, Field(pattern=r"^[a-z]{2}$")]


def _pairs(value: Any) -> Any:
    return tuple(sorted(value.items())) if isinstance(value, dict) else value


LanguagesBySource = Annotated[
    tuple[tuple[str, tuple[Code, ...]], ...],
    BeforeValidator(_pairs, json_schema_input_type=dict[str, list[str]]),
    PlainSerializer(dict, return_type=dict[str, tuple[str, ...]]),
]
"""Frozen pairs here, a mapping from a source's name to its languages in YAML."""


class Languages(Frozen):
    """Rules on the languages of prompt and response; what cannot be told for certain passes.

    Codes are those of ISO 639-1.
    """

    allowed: tuple[Code, ...] = Field((), description="of prompt and response; empty: every one")
    drop_unknown: bool = Field(
        False, description="with `allowed`: also rows of which neither part's language can be told"
    )
    match_prompt: bool = Field(
        False, description="the response is in the prompt's language, unless another is asked for"
    )
    untranslated: bool = Field(
        False, description="prompt and response are both in a language that the source is not in"
    )
    declared: LanguagesBySource = Field(
        (), description="a source's languages, where they are not those its own file says"
    )

    @property
    def enabled(self) -> bool:
        """Whether any rule is on, so that languages have to be told."""
        return bool(self.allowed) or self.match_prompt or self.untranslated

    def told_of(self, sources: Mapping[str, tuple[str, ...]]) -> Self:
        """The same rules, told the languages of the recipe's sources where `untranslated` asks."""
        if not self.untranslated:
            return self
        known = {name: languages for name, languages in sources.items() if languages}
        declared = tuple(sorted((known | dict(self.declared)).items()))
        return self.model_copy(update={"declared": declared})
