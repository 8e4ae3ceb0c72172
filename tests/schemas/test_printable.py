"""What a terminal would obey is not shown to it."""

import pytest

from schemas.printable import printable

# fmt: off
TEXTS = {                        # text                     shown
    "words":                    ("Grüße, 你好 [bold]",       "Grüße, 你好 [bold]"),
    "newline and tab":          ("a\n\tb",                  "a\n\tb"),
    "escape sequence":          ("\x1b[2Jx",                "\ufffd[2Jx"),
    "title by a C1 control":    ("\x9d0;x\x9c",             "\ufffd0;x\ufffd"),
    "carriage return":          ("good\rbad",               "good\ufffdbad"),
    "delete and the next":      ("\x7f\xa0",                "\ufffd\xa0"),
    "right-to-left override":   ("a\u202eb\u2066c\u061cd",  "a\ufffdb\ufffdc\ufffdd"),
    "beside the bidi marks":    ("\u200d\u2010\u2065",      "\u200d\u2010\u2065"),
    "half a surrogate pair":    ("a\ud83d",                 "a\ufffd"),
}
# fmt: on


@pytest.mark.parametrize(("text", "shown"), TEXTS.values(), ids=TEXTS)
def test_text_is_shown_without_what_a_terminal_obeys(text: str, shown: str) -> None:
    assert printable(text) == shown
    assert "".join(printable(piece) for piece in text) == shown
