"""A source: one upstream corpus, where it is, what shape it has and whose it is."""

from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from string import Formatter
from typing import Self

from pydantic import Field, field_validator, model_validator

from schemas.frozen import Frozen, StrMap
from schemas.licences import checked_licence
from schemas.privacy import PersonalKind
from schemas.upstream import Upstream

ROLE_NAMES = ("system", "user", "assistant", "tool")
ALL_SOURCES = "all"
"""What stands in the place of a source's name where something is said of all of them."""


class Layout(StrEnum):
    """The native shape of a source's rows; a file of `tasks/normalize/` for each."""

    AUTO = "auto"
    ALPACA = "alpaca"
    BELLE = "belle"
    DOLLY = "dolly"
    SHAREGPT = "sharegpt"
    MESSAGES = "messages"
    HUGNLP = "hugnlp"
    COT = "cot"
    MULTIPLE_CHOICE = "multiple_choice"
    QUESTION_CONTEXTS = "question_contexts"
    TREE = "tree"
    PREFERENCE = "preference"
    LMFLOW = "lmflow"
    TEMPLATE = "template"


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
    role: str = Field("role", description="of a turn in conversations or messages")
    content: str = Field("content", description="of a turn in conversations or messages")
    text: str = "text"
    question: str = "question"
    options: str = "options"
    answer: str = "answer"
    explanation: str = "explanation"
    contexts: str = "contexts"
    prompt: str = Field("prompt", description="preference: what is answered; tree: its root")
    chosen: str = "chosen"
    rejected: str = "rejected"
    label: str = Field("label", description="preference: whether the one answer is wanted")
    licence: str = Field("licence", description="of one row, where a source says so")


def parts_of(text: str) -> Iterator[tuple[str, str | None]]:
    """A template's text in pieces: what is written, and the column whose value follows, if any.

    Raises:
        ValueError: a brace stands alone, or says more than the name of a column.
    """
    for literal, name, form, conversion in Formatter().parse(text):
        if name is not None and (
            not name or name != name.strip() or form or conversion or set(name) & set(".[]")
        ):
            whole = f"{name}{'!' + conversion if conversion else ''}{':' + form if form else ''}"
            raise ValueError(
                f"{{{whole}}} is not the name of a column; expected {{column}}, with no format, "
                "attribute or index, and {{ or }} for a brace itself"
            )
        yield literal, name


def columns_of(text: str) -> tuple[str, ...]:
    """The columns that a template's text names, each once, in the order of the text."""
    return tuple(dict.fromkeys(name for _, name in parts_of(text) if name is not None))


class Template(Frozen):
    """A row's turns as texts in which `{column}` stands for a column of the raw data.

    `{{` and `}}` are braces. A turn all of whose columns are empty is left out.
    """

    system: str | None = None
    user: str
    assistant: str

    @field_validator("system", "user", "assistant")
    @classmethod
    def _braces_name_columns(cls, text: str | None) -> str | None:
        columns_of(text or "")
        return text

    @field_validator("assistant")
    @classmethod
    def _answers_differ(cls, text: str) -> str:
        if not columns_of(text):
            raise ValueError(f"{text!r} names no {{column}}: every row would have the same answer")
        return text

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the raw data that it names, each once."""
        return columns_of(f"{self.system or ''}{self.user}{self.assistant}")


class Unpacking(Frozen):
    """How much may come out of one compressed file or archive: more is taken for a bomb."""

    max_ratio: float = Field(200.0, ge=1, description="bytes out per byte in")
    max_bytes: int = Field(200 << 30, ge=1, description="bytes out, all members together")


class RowBand(Frozen):
    """How many records a healthy download yields; both ends inclusive."""

    min: int = Field(1, ge=0)
    max: int = Field(2**32 - 1, ge=1)


class Source(Upstream):
    """One upstream corpus. Adding a corpus is adding one of these as a YAML file."""

    title: str = Field("", description="what people call it")
    layout: Layout
    columns: Columns = Columns()
    fields: tuple[str, ...] = Field(
        (),
        description="columns in order, where files name none: arrays of arrays, TSV, CSV",
    )
    constants: StrMap = Field(
        (), description="by column of the layout: what a row has that says nothing there"
    )
    roles: StrMap = Field((), description="by this source's name of a speaker: the role")
    template: Template | None = Field(None, description="for layout template")
    placeholders: StrMap = Field(
        (), description="by name: what stands in the place of {{name}} in the texts"
    )
    redact: tuple[PersonalKind, ...] = Field(
        (), description="kinds of personal data replaced by [EMAIL] and the like; the recipe's too"
    )
    answer_only: bool = Field(
        False, description="chain of thought: the answer without its rationale"
    )
    separator: str | None = Field(
        None, description="plain text: the line between two dialogues; null: blank lines"
    )
    members: tuple[str, ...] = Field(
        ("**/*",), description="patterns of the files that are read inside archives"
    )
    unpacking: Unpacking = Unpacking()
    category: str | None = Field(None, description="for every row; `file` takes the file's stem")
    languages: tuple[str, ...] = Field((), description="ISO 639-1 codes of the text")
    licence: str = Field(
        description="SPDX expression, LicenseRef-NAME or 'unknown'; of rows that state none"
    )
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

    @field_validator("name")
    @classmethod
    def _name_is_free(cls, name: str) -> str:
        if name == ALL_SOURCES:
            raise ValueError(f"{name!r} stands for all sources of a recipe: choose another name")
        return name

    @field_validator("roles")
    @classmethod
    def _roles_are_ours(cls, roles: StrMap) -> StrMap:
        for name, role in roles:
            if role not in ROLE_NAMES:
                raise ValueError(
                    f"{name!r} is mapped to {role!r}, expected one of {', '.join(ROLE_NAMES)}"
                )
        return roles

    @field_validator("licence")
    @classmethod
    def _licence_is_known(cls, licence: str) -> str:
        return checked_licence(licence)

    @field_validator("constants")
    @classmethod
    def _constants_are_of_columns(cls, constants: StrMap) -> StrMap:
        for column, _ in constants:
            if column not in Columns.model_fields:
                raise ValueError(
                    f"{column!r} is no column, expected one of {', '.join(Columns.model_fields)}"
                )
        return constants

    @model_validator(mode="after")
    def _template_where_it_is_read(self) -> Self:
        if (self.layout == Layout.TEMPLATE) != (self.template is not None):
            raise ValueError("layout template and the key `template` go together")
        return self

    @classmethod
    def from_yaml(cls, path: Path) -> Self:
        """Read a source file; a relative local path is taken from the file's own folder."""
        return super().from_yaml(path).anchored(path.parent)
