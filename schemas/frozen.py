"""The one base of every configuration and receipt: frozen, and a typo is an error."""

import difflib
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

from schemas.errors import ConfigError


def _pairs(value: Any) -> Any:
    return tuple(sorted(value.items())) if isinstance(value, dict) else value


StrMap = Annotated[
    tuple[tuple[str, str], ...],
    BeforeValidator(_pairs, json_schema_input_type=dict[str, str]),
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
                    raise ValueError(_unknown_key(str(key), known))
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


_TAGS = ("inline", "name")  # of the union that a recipe's source is; nothing a user wrote


def _unknown_key(key: str, known: list[str]) -> str:
    nearest = difflib.get_close_matches(key, known, n=1, cutoff=0.6)
    hint = f"did you mean {nearest[0]!r}?" if nearest else f"known keys: {', '.join(known)}"
    return f"unknown key {key!r}; {hint}"


def _explain(error: ValidationError) -> str:
    lines = []
    for one in error.errors(include_url=False):
        place = ".".join(str(part) for part in one["loc"] if part not in _TAGS) or "top level"
        message = one["msg"].removeprefix("Value error, ")
        found = (
            "" if one["type"] in ("missing", "value_error") else f" (found {one['input']!r:.80})"
        )
        lines.append(f"{place}: {message}{found}")
    return "; ".join(lines)
