"""How a model is asked for answers, and the rows that `winnow generate` writes of them."""

from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator

from schemas.frozen import Frozen


class Decoding(Frozen):
    """How an answer's tokens are chosen: greedily, by sampling, or by beam search.

    The answer to a question depends on these and the question alone, whatever else is answered at
    the same time.
    """

    max_new_tokens: int = Field(256, ge=1, description="per answer, its stop token included")
    temperature: float = Field(
        0.0, ge=0, le=100, allow_inf_nan=False, description="0 takes the likeliest token"
    )
    top_p: float = Field(
        1.0, gt=0, le=1, description="sample among the likeliest tokens of this joint probability"
    )
    top_k: int = Field(0, ge=0, description="sample among this many likeliest tokens; 0: among all")
    beams: int = Field(1, ge=1, le=64, description="2 or more: beam search, the likeliest answer")
    repetition_penalty: float = Field(
        1.0,
        gt=0,
        le=100,
        description="above 1 makes tokens that the answer has already less likely "
        "(CTRL, Keskar et al. 2019)",
    )
    stop: tuple[Annotated[str, Field(min_length=1)], ...] = Field(
        (), description="texts that end an answer; they are not part of it"
    )
    seed: int = Field(0, ge=0, description="of the sampling")

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.beams > 1 and self.temperature > 0:
            raise ValueError(
                f"beam search takes the likeliest answer and does not sample: expected temperature "
                f"0 with beams {self.beams}, found {self.temperature:g}"
            )
        return self


class Finish(StrEnum):
    """What ended an answer."""

    STOP = "stop"
    """the stop token of training, or one of the model's own"""
    STOP_STRING = "stop_string"
    LENGTH = "length"
    """`max_new_tokens`"""
    INTERRUPTED = "interrupted"


class Turn(BaseModel):
    """Somebody's turn in a conversation; further keys are not read."""

    model_config = ConfigDict(frozen=True)

    role: Literal["system", "user", "assistant", "tool"]
    content: str


class Question(BaseModel):
    """One line of what `winnow generate` reads: one of prompt, messages and instruction.

    Further keys are not read, so that a line may be a row of a corpus.
    """

    model_config = ConfigDict(frozen=True)

    id: JsonValue = Field(None, description="goes to the answer's line as it is")
    prompt: str | None = None
    messages: tuple[Turn, ...] | None = Field(
        None, description="a conversation; an assistant's turn that ends it is not read"
    )
    instruction: str | None = None
    input: str | None = Field(None, description="stands below the instruction, after a blank line")

    @model_validator(mode="after")
    def _one_question(self) -> Self:
        names = ("prompt", "messages", "instruction")
        given = [name for name in names if getattr(self, name) is not None]
        if len(given) != 1:
            found = ", ".join(given) or "none"
            raise ValueError(f"expected exactly one of {', '.join(names)}; found {found}")
        turns = self.turns()
        if not turns or turns[-1]["role"] not in ("user", "tool"):
            raise ValueError("messages: expected a user's turn to answer")
        return self

    def turns(self) -> list[dict[str, str]]:
        """The conversation up to the turn that is to be answered."""
        if self.messages is not None:
            turns = [turn.model_dump() for turn in self.messages]
            return turns[:-1] if turns and turns[-1]["role"] == "assistant" else turns
        return [{"role": "user", "content": self._asked()}]

    def _asked(self) -> str:
        if self.prompt is not None:
            return self.prompt
        texts = (text.rstrip() for text in (self.instruction, self.input) if text)
        return "\n\n".join(text for text in texts if text)


class AnswerRow(Frozen):
    """One line of the file that `winnow generate` writes: the answer to a line, or why not."""

    row: int = Field(ge=0, description="of the line in the input, from 0; blank lines do not count")
    id: JsonValue = Field(None, description="the line's own id, where it has one")
    answer: str | None = None
    finish: Finish | None = None
    tokens: int = Field(0, ge=0, description="generated, the stop token included")
    score: float | None = Field(
        None,
        description="log-probability of these tokens in nats, under the model as it is: before "
        "temperature, top_p, top_k and repetition penalty",
    )
    mean_score: float | None = Field(None, description="score / tokens")
    error: str | None = Field(None, description="why the line has no answer")
