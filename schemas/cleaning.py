"""What the door changes in texts and conversations: every kind it counts, and what it means."""

from enum import StrEnum


class Cleaning(StrEnum):
    """A kind of cleaning; a manifest counts the rows of each, `kind.meaning` explains it."""

    BYTE_ORDER_MARKS = "byte_order_marks"
    NUL_CHARACTERS = "nul_characters"
    CARRIAGE_RETURNS = "carriage_returns"
    MOJIBAKE = "mojibake"
    LITERAL_NEWLINES = "literal_newlines"
    HTML_ENTITIES = "html_entities"
    OUTER_WHITE_SPACE = "outer_white_space"
    REPLACEMENT_CHARACTERS = "replacement_characters"
    NO_INPUT_SPELLINGS = "no_input_spellings"
    NO_INPUT_MARKED_UP = "no_input_marked_up"
    PLACEHOLDERS_FILLED = "placeholders_filled"
    REDACTED_EMAIL = "redacted_email"
    REDACTED_PHONE = "redacted_phone"
    REDACTED_ID_NUMBER = "redacted_id_number"
    REDACTED_BANK_CARD = "redacted_bank_card"
    REDACTED_CREDIT_CARD = "redacted_credit_card"
    REDACTED_IBAN = "redacted_iban"
    REDACTED_IP_ADDRESS = "redacted_ip_address"
    REDACTED_SECRET = "redacted_secret"  # noqa: S105 (a kind, not one)
    REDACTED_STREET_ADDRESS = "redacted_street_address"
    CUT_TO_LAST_ASSISTANT_TURN = "cut_to_last_assistant_turn"
    LEADING_ASSISTANT_TURNS_DROPPED = "leading_assistant_turns_dropped"
    REJECTED_ANSWERS = "rejected_answers"
    OTHER_REPLIES = "other_replies"
    NEIGHBOURS_MERGED = "neighbours_merged"
    INVALID_UTF8 = "invalid_utf8"

    @property
    def meaning(self) -> str:
        """One sentence for a report's reader."""
        return _MEANINGS[self]


# fmt: off
_MEANINGS = {
    Cleaning.BYTE_ORDER_MARKS:                "Byte order marks (U+FEFF) were taken out.",
    Cleaning.NUL_CHARACTERS:                  "NUL characters were taken out.",
    Cleaning.CARRIAGE_RETURNS:                "CR and CRLF line ends became LF.",
    Cleaning.MOJIBAKE:                        "UTF-8 that had been read as Windows-1252 was read anew: “cafÃ©” became “café”.",
    Cleaning.LITERAL_NEWLINES:                "Line breaks written out as backslash and n became line breaks.",
    Cleaning.HTML_ENTITIES:                   "HTML entities became the characters they name.",
    Cleaning.OUTER_WHITE_SPACE:               "White space was taken from the ends of a message.",
    Cleaning.REPLACEMENT_CHARACTERS:          "It holds U+FFFD: a character was lost before or in reading. Nothing was changed.",
    Cleaning.NO_INPUT_SPELLINGS:              "An input that only said there was none was left out.",
    Cleaning.NO_INPUT_MARKED_UP:              "So was one that said it in backticks, backslashes or stray punctuation.",
    Cleaning.PLACEHOLDERS_FILLED:             "A {{placeholder}} was filled with the recipe's or the source's text for it.",
    Cleaning.REDACTED_EMAIL:                  "An e-mail address of a person became [EMAIL], as the recipe asks.",
    Cleaning.REDACTED_PHONE:                  "A telephone number of a person became [PHONE], as the recipe asks.",
    Cleaning.REDACTED_ID_NUMBER:              "A personal identity number became [ID_NUMBER], as the recipe asks.",
    Cleaning.REDACTED_BANK_CARD:              "A bank card number became [CARD], as the recipe asks.",
    Cleaning.REDACTED_CREDIT_CARD:            "A credit card number became [CARD], as the recipe asks.",
    Cleaning.REDACTED_IBAN:                   "An international bank account number became [IBAN], as the recipe asks.",
    Cleaning.REDACTED_IP_ADDRESS:             "A public IP address became [IP_ADDRESS], as the recipe asks.",
    Cleaning.REDACTED_SECRET:                 "A key, token or password became [SECRET], as the recipe asks.",
    Cleaning.REDACTED_STREET_ADDRESS:         "A street address became [ADDRESS], as the recipe asks.",
    Cleaning.REJECTED_ANSWERS:                "Answers that people rejected were left out.",
    Cleaning.OTHER_REPLIES:                   "Replies of a message tree beside the best ones were left out.",
    Cleaning.CUT_TO_LAST_ASSISTANT_TURN:      "Turns after the assistant's last were cut off.",
    Cleaning.LEADING_ASSISTANT_TURNS_DROPPED: "Assistant turns before anybody had spoken to it were dropped.",
    Cleaning.NEIGHBOURS_MERGED:               "Neighbouring turns of one role became one.",
    Cleaning.INVALID_UTF8:                    "Its raw bytes are not valid UTF-8; such a row is in the ledger.",
}
# fmt: on
