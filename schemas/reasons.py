"""Why a row is not in the corpus: every reason, the stage that gives it, and what it means."""

from enum import StrEnum


class Stage(StrEnum):
    """The stages that may drop a row, in the order in which the ledger asks them."""

    NORMALIZE = "normalize"
    DEDUPE_EXACT = "dedupe_exact"
    FILTER = "filter"
    DEDUPE_NEAR = "dedupe_near"


class DropReason(StrEnum):
    """A reason in the ledger; `reason.stage` gives it and `reason.meaning` explains it."""

    UNREADABLE = "unreadable"
    NO_RESPONSE = "no_response"
    REJECTED_RESPONSE = "rejected_response"
    EXACT_DUPLICATE = "exact_duplicate"
    EMPTY_PROMPT = "empty_prompt"
    EMPTY_RESPONSE = "empty_response"
    SHORT_PROMPT = "short_prompt"
    LONG_PROMPT = "long_prompt"
    SHORT_RESPONSE = "short_response"
    LONG_RESPONSE = "long_response"
    ECHO = "echo"
    PLACEHOLDER = "placeholder"
    MODEL_IDENTITY = "model_identity"
    EMAIL = "email"
    PHONE = "phone"
    ID_NUMBER = "id_number"
    EVALUATION_OVERLAP = "evaluation_overlap"
    NEAR_DUPLICATE = "near_duplicate"

    @property
    def stage(self) -> Stage:
        """The stage that gives this reason."""
        return _TABLE[self][0]

    @property
    def meaning(self) -> str:
        """One sentence for a report's reader."""
        return _TABLE[self][1]


# fmt: off
_TABLE = {
    DropReason.UNREADABLE:         (Stage.NORMALIZE,    "The raw bytes there are not a row of the source's layout."),
    DropReason.NO_RESPONSE:        (Stage.NORMALIZE,    "The conversation holds no assistant turn to learn from."),
    DropReason.REJECTED_RESPONSE:  (Stage.NORMALIZE,    "The only answer is one that people rejected."),
    DropReason.EXACT_DUPLICATE:    (Stage.DEDUPE_EXACT, "After folding case, width and white space, it equals a row of higher priority."),
    DropReason.EMPTY_PROMPT:       (Stage.FILTER,       "Nothing stands before the response."),
    DropReason.EMPTY_RESPONSE:     (Stage.FILTER,       "The response is empty or white space."),
    DropReason.SHORT_PROMPT:       (Stage.FILTER,       "The prompt has fewer characters than the recipe asks for."),
    DropReason.LONG_PROMPT:        (Stage.FILTER,       "The prompt has more characters than the recipe allows."),
    DropReason.SHORT_RESPONSE:     (Stage.FILTER,       "The response has fewer characters than the recipe asks for."),
    DropReason.LONG_RESPONSE:      (Stage.FILTER,       "The response has more characters than the recipe allows."),
    DropReason.ECHO:               (Stage.FILTER,       "The response only repeats the prompt."),
    DropReason.PLACEHOLDER:        (Stage.FILTER,       "A {{placeholder}} that nothing filled stands where a name should."),
    DropReason.MODEL_IDENTITY:     (Stage.FILTER,       "The response claims to be another model or another maker's assistant."),
    DropReason.EMAIL:              (Stage.FILTER,       "It holds somebody's e-mail address."),
    DropReason.PHONE:              (Stage.FILTER,       "It holds somebody's telephone number."),
    DropReason.ID_NUMBER:          (Stage.FILTER,       "It holds a personal identity number."),
    DropReason.EVALUATION_OVERLAP: (Stage.FILTER,       "It shares an n-gram with an item of an evaluation set."),
    DropReason.NEAR_DUPLICATE:     (Stage.DEDUPE_NEAR,  "Prompt and response are both nearly those of a kept row."),
}
# fmt: on
