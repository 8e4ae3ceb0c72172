"""The recipe's part on quality: signs that there is nothing to learn from an answer.

Every bound is inclusive: a row at the bound stays. A rule is on by default only where it dropped 30
rows of real corpora or more, 95 % of those that were read one by one (60, or all of them) deserved
it, and hardly anybody could want them; what was measured stands with each rule in `tasks/filter`.
"""

from typing import Self

from pydantic import Field, model_validator

from schemas.frozen import Frozen


class RepeatedNgrams(Frozen):
    """Runs of words that the response said before.

    A share of its words, after the duplicate n-gram fractions of Gopher (Rae et al. 2021, table
    A1), whose bounds of 0.10 to 0.15 are for web pages: songs, tables, plans and quizzes exceed
    them by far.
    """

    enabled: bool = False
    words: int = Field(5, ge=2, le=20, description="words per run")
    characters: int = Field(10, ge=2, le=40, description="the same where there are no spaces")
    min_words: int = Field(50, ge=1, description="shorter responses are not measured")
    max_share: float = Field(0.8, ge=0, lt=1, description="of the words, 0 to 1")


class RepeatedLines(Frozen):
    """Lines that stood in the response before; those without two letters do not count."""

    enabled: bool = False
    min_lines: int = Field(6, ge=2, description="responses of fewer lines are not measured")
    max_share: float = Field(0.6, ge=0, lt=1, description="of the lines, 0 to 1")


class CharacterRun(Frozen):
    """One character, or a unit of a few, over and over without a break: "hahahaha", "。。。。"."""

    enabled: bool = False
    max_repeats: int = Field(50, ge=40, description="times that the unit stands in a row")


class Truncation(Frozen):
    """A response that stops in the middle of a sentence, or right before a number."""

    enabled: bool = True
    min_chars: int = Field(
        60,
        ge=1,
        description="code points; in shorter responses only a missing number or a cut character",
    )


class UnfinishedTemplate(Frozen):
    """Gaps nobody filled, such as [Your Name] or [公司名称], where no template was asked for."""

    enabled: bool = False
    max_gaps: int = Field(0, ge=0, description="places left open")


class PromptRepeated(Frozen):
    """A response that begins with the question, word for word, before it says anything."""

    enabled: bool = False
    min_chars: int = Field(20, ge=8, description="code points of the question, folded")
    max_share: float = Field(0.99, gt=0, lt=1, description="of the question, 0 to 1")


class NoContent(Frozen):
    """A response that says there will be an answer, or none, and is none."""

    enabled: bool = True
    max_chars: int = Field(60, ge=1, le=200, description="code points; longer ones say something")


class BrokenFence(Frozen):
    """A ``` fence that is opened and never closed, or closed and never opened."""

    enabled: bool = False
    max_unmatched: int = Field(0, ge=0, description="fences without a partner")


class Symbols(Frozen):
    """Emoji, boxes, dingbats and stray accents; letters, digits, ASCII and punctuation are none."""

    enabled: bool = False
    min_symbols: int = Field(20, ge=1, description="fewer are not measured")
    max_per_letter: float = Field(1.0, gt=0, description="symbols per letter or digit")


class UnopenedUrl(Frozen):
    """A page that the response speaks of as if it had been opened: there is only its address."""

    enabled: bool = True
    max_given_chars: int = Field(
        200, ge=20, description="code points beside the address; a longer question holds the text"
    )


class MissingAttachment(Frozen):
    """A picture or file that the question shows, where no picture can be."""

    enabled: bool = True
    max_given_chars: int = Field(
        300, ge=20, description="code points; a longer question describes it, or holds its text"
    )


class LengthRatio(Frozen):
    """Code points of the response by those of the prompt."""

    enabled: bool = False
    min_ratio: float = Field(0.0, ge=0, description="response by prompt")
    max_ratio: float = Field(200.0, gt=0, description="response by prompt")

    @model_validator(mode="after")
    def _bounds_leave_room(self) -> Self:
        if self.min_ratio > self.max_ratio:
            raise ValueError(
                f"min_ratio is {self.min_ratio}, max_ratio is {self.max_ratio}: no row fits"
            )
        return self


class Quality(Frozen):
    """Rules on the text of prompt and response, each with its own bounds."""

    repeated_ngrams: RepeatedNgrams = RepeatedNgrams()
    repeated_lines: RepeatedLines = RepeatedLines()
    character_run: CharacterRun = CharacterRun()
    truncation: Truncation = Truncation()
    unfinished_template: UnfinishedTemplate = UnfinishedTemplate()
    prompt_repeated: PromptRepeated = PromptRepeated()
    no_content: NoContent = NoContent()
    broken_fence: BrokenFence = BrokenFence()
    symbols: Symbols = Symbols()
    unopened_url: UnopenedUrl = UnopenedUrl()
    missing_attachment: MissingAttachment = MissingAttachment()
    length_ratio: LengthRatio = LengthRatio()
