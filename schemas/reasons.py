"""Why a row is not in the corpus: every reason, the stage that gives it, and what it means."""

from enum import StrEnum


class Stage(StrEnum):
    """The stages that may drop a row, in the order in which the ledger asks them."""

    NORMALIZE = "normalize"
    DEDUPE_EXACT = "dedupe_exact"
    FILTER = "filter"
    DEDUPE_NEAR = "dedupe_near"
    SAMPLE = "sample"


class DropReason(StrEnum):
    """A reason in the ledger; `reason.stage` gives it and `reason.meaning` explains it."""

    UNREADABLE = "unreadable"
    NO_RESPONSE = "no_response"
    REJECTED_RESPONSE = "rejected_response"
    EXACT_DUPLICATE = "exact_duplicate"
    LICENCE_NOT_ALLOWED = "licence_not_allowed"
    EMPTY_PROMPT = "empty_prompt"
    EMPTY_RESPONSE = "empty_response"
    SHORT_PROMPT = "short_prompt"
    LONG_PROMPT = "long_prompt"
    SHORT_RESPONSE = "short_response"
    LONG_RESPONSE = "long_response"
    ECHO = "echo"
    PLACEHOLDER = "placeholder"
    NO_CONTENT = "no_content"
    PROMPT_REPEATED = "prompt_repeated"
    CHARACTER_RUN = "character_run"
    REPEATED_LINES = "repeated_lines"
    REPEATED_NGRAMS = "repeated_ngrams"
    SYMBOLS = "symbols"
    BROKEN_FENCE = "broken_fence"
    TRUNCATED = "truncated"
    UNFINISHED_TEMPLATE = "unfinished_template"
    UNOPENED_URL = "unopened_url"
    MISSING_ATTACHMENT = "missing_attachment"
    LENGTH_RATIO = "length_ratio"
    UNTRANSLATED = "untranslated"
    LANGUAGE = "language"
    LANGUAGE_MISMATCH = "language_mismatch"
    MODEL_IDENTITY = "model_identity"
    EMAIL = "email"
    PHONE = "phone"
    ID_NUMBER = "id_number"
    BANK_CARD = "bank_card"
    CREDIT_CARD = "credit_card"
    IBAN = "iban"
    IP_ADDRESS = "ip_address"
    SECRET = "secret"  # noqa: S105 (a reason, not one)
    STREET_ADDRESS = "street_address"
    EVALUATION_OVERLAP = "evaluation_overlap"
    NEAR_DUPLICATE = "near_duplicate"
    CONFLICTING_RESPONSE = "conflicting_response"
    NOT_SAMPLED = "not_sampled"

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
    DropReason.LICENCE_NOT_ALLOWED: (Stage.FILTER,       "The recipe does not want rows under its licence."),
    DropReason.EMPTY_PROMPT:       (Stage.FILTER,       "Nothing stands before the response."),
    DropReason.EMPTY_RESPONSE:     (Stage.FILTER,       "The response is empty or white space."),
    DropReason.SHORT_PROMPT:       (Stage.FILTER,       "The prompt has fewer characters than the recipe asks for."),
    DropReason.LONG_PROMPT:        (Stage.FILTER,       "The prompt has more characters than the recipe allows."),
    DropReason.SHORT_RESPONSE:     (Stage.FILTER,       "The response has fewer characters than the recipe asks for."),
    DropReason.LONG_RESPONSE:      (Stage.FILTER,       "The response has more characters than the recipe allows."),
    DropReason.ECHO:               (Stage.FILTER,       "The response only repeats the prompt."),
    DropReason.PLACEHOLDER:        (Stage.FILTER,       "A {{placeholder}} that nothing filled stands where a name should."),
    DropReason.NO_CONTENT:         (Stage.FILTER,       "The response announces an answer or says there is none, and is none."),
    DropReason.PROMPT_REPEATED:    (Stage.FILTER,       "The response begins with the question again."),
    DropReason.CHARACTER_RUN:      (Stage.FILTER,       "The response holds one character or short unit over and over."),
    DropReason.REPEATED_LINES:     (Stage.FILTER,       "Too many of the response's lines stood in it before."),
    DropReason.REPEATED_NGRAMS:    (Stage.FILTER,       "Too many of the response's words stand in runs that it said before."),
    DropReason.SYMBOLS:            (Stage.FILTER,       "The response has more symbols to a letter than the recipe allows."),
    DropReason.BROKEN_FENCE:       (Stage.FILTER,       "A ``` fence of the response has no partner."),
    DropReason.TRUNCATED:          (Stage.FILTER,       "The response stops in the middle of a sentence."),
    DropReason.UNFINISHED_TEMPLATE: (Stage.FILTER,       "The response leaves gaps like [Your Name] open that nobody asked for."),
    DropReason.UNOPENED_URL:       (Stage.FILTER,       "The response speaks of a page of which there is only the address."),
    DropReason.MISSING_ATTACHMENT: (Stage.FILTER,       "The question shows a picture or file that is not there."),
    DropReason.LENGTH_RATIO:       (Stage.FILTER,       "The response is too short or too long for the length of its prompt."),
    DropReason.UNTRANSLATED:       (Stage.FILTER,       "Prompt and response are in a language that its source is not in."),
    DropReason.LANGUAGE:           (Stage.FILTER,       "It is in a language that the recipe does not allow."),
    DropReason.LANGUAGE_MISMATCH:  (Stage.FILTER,       "The response is in another language than the prompt, which asked for none."),
    DropReason.MODEL_IDENTITY:     (Stage.FILTER,       "The response claims to be another model or another maker's assistant."),
    DropReason.EMAIL:              (Stage.FILTER,       "It holds somebody's e-mail address."),
    DropReason.PHONE:              (Stage.FILTER,       "It holds somebody's telephone number."),
    DropReason.ID_NUMBER:          (Stage.FILTER,       "It holds a personal identity number."),
    DropReason.BANK_CARD:          (Stage.FILTER,       "It holds a bank card number with its check digit."),
    DropReason.CREDIT_CARD:        (Stage.FILTER,       "It holds a credit card number with its check digit."),
    DropReason.IBAN:               (Stage.FILTER,       "It holds an international bank account number."),
    DropReason.IP_ADDRESS:         (Stage.FILTER,       "It holds a public IP address."),
    DropReason.SECRET:             (Stage.FILTER,       "It holds a key, token or password."),
    DropReason.STREET_ADDRESS:     (Stage.FILTER,       "It holds a street address."),
    DropReason.EVALUATION_OVERLAP: (Stage.FILTER,       "It holds a piece of an evaluation item, or asks nearly the same."),
    DropReason.NEAR_DUPLICATE:     (Stage.DEDUPE_NEAR,  "Prompt and response are both nearly those of a kept row."),
    DropReason.CONFLICTING_RESPONSE: (Stage.DEDUPE_NEAR,  "It answers a prompt differently from the row that the recipe prefers."),
    DropReason.NOT_SAMPLED:        (Stage.SAMPLE,       "The recipe takes a part of such rows, and the hash of this one is not in it."),
}
# fmt: on
