"""The one base of every configuration and receipt: frozen, and a typo is an error."""

import difflib
import re
from pathlib import Path
from typing import Annotated, Any, Self

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    PlainSerializer,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails

from schemas.errors import ConfigError

_QUOTED = re.compile(r"'([^']*)'")


def pairs(value: Any) -> Any:
    """A mapping as sorted pairs, which are frozen; anything else as it is."""
    return tuple(sorted(value.items())) if isinstance(value, dict) else value


StrMap = Annotated[
    tuple[tuple[str, str], ...],
    BeforeValidator(pairs, json_schema_input_type=dict[str, str]),
    PlainSerializer(dict, return_type=dict[str, str]),
]
"""A mapping from text to text that is frozen as well: sorted pairs here, a mapping in YAML."""


class Frozen(BaseModel):
    """A value: immutable, compared by content, with no key beyond its fields."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    @model_validator(mode="before")
    @classmethod
    def _name_the_nearest_key(cls, data: Any) -> Any:
        if isinstance(data, dict):
            known = [field.alias or name for name, field in cls.model_fields.items()]
            for key in data:
                if str(key) not in known:
                    raise ValueError(unknown_key(str(key), known))
        return data

    @classmethod
    def from_yaml(cls, path: Path) -> Self:
        """Read one YAML mapping.

        Raises:
            ConfigError: the file is missing, is not YAML, or a key or value is wrong; names the
                file, the key and what was expected.
        """
        return cls.from_mapping(read_yaml(path), where=str(path))

    @classmethod
    def from_mapping(cls, data: Any, where: str) -> Self:
        """Build from parsed YAML; errors say `where` it came from (raises ConfigError)."""
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            raise ConfigError(f"{where}: {_explain(error)}") from None


def read_yaml(path: Path) -> Any:
    """The parsed content of one YAML file; raises ConfigError naming file, line and column."""
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read as UTF-8 text: {error}") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise ConfigError(f"{path}{place}: not valid YAML: {error.problem}") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: not valid YAML: {error}") from None


_TAGGED = "sources"  # its entries are a union, whose tag pydantic puts behind their number
_TAGS = ("inline", "name", "change")  # not a user's words; a key may have the same name


def unknown_key(key: str, known: list[str]) -> str:
    """What to say of a key that is none of the known: the nearest, or all of them."""
    return f"unknown key {key!r}; {_nearest(key, known, 'known keys')}"


def _nearest(given: str, known: list[str], all_of_them: str) -> str:
    nearest = difflib.get_close_matches(given, known, n=1, cutoff=0.6)
    return f"did you mean {nearest[0]!r}?" if nearest else f"{all_of_them}: {', '.join(known)}"


def _explain(error: ValidationError) -> str:
    errors = error.errors(include_url=False)
    places = [one["loc"] for one in errors]
    return "; ".join(_line(one) for one in errors if not _only_follows(one, places))


def _only_follows(one: ErrorDetails, places: list[tuple[int | str, ...]]) -> bool:
    """Whether a tuple is too short only because its items are wrong, which is said already."""
    here = one["loc"]
    inside = any(len(place) > len(here) and place[: len(here)] == here for place in places)
    return one["type"] == "too_short" and inside


def _place(found: tuple[int | str, ...]) -> tuple[int | str, ...]:
    is_tagged = found[:1] == (_TAGGED,) and found[2:3] and found[2] in _TAGS
    return (*found[:2], *found[3:]) if is_tagged else found


def _line(one: ErrorDetails) -> str:
    place = ".".join(map(str, _place(one["loc"]))) or "top level"
    if one["type"] == "enum" and isinstance(one["input"], str):
        known = _QUOTED.findall(one["ctx"]["expected"])
        hint = _nearest(one["input"], known, "known")
        return f"{place}: unknown value {one['input']!r}; {hint}"
    message = one["msg"].removeprefix("Value error, ")
    found = "" if one["type"] in ("missing", "value_error") else f" (found {one['input']!r:.80})"
    return f"{place}: {message}{found}"
