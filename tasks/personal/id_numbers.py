"""Personal identity numbers: Chinese resident identity cards, United States social security."""

import polars as pl

from tasks.personal.finder import AFTER, BEFORE, DIGITS, ESCAPED, PIECE, Finder, says

_DAY = r"(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])"
_DATE = rf"(?:19|20)[0-9]{{2}}{_DAY}"
_PROVINCE = r"(?:1[1-5]|2[1-3]|3[1-7]|4[1-6]|5[0-4]|6[1-5]|71|8[1-3])"
RESIDENT_ID = rf"{_PROVINCE}[0-9]{{4}}{_DATE}[0-9]{{3}}[0-9Xx]"
# Cards issued before 1999 wrote the year of birth with two digits and had no check character.
OLD_RESIDENT_ID = rf"{_PROVINCE}[0-9]{{6}}{_DAY}[0-9]{{3}}"
SOCIAL_SECURITY = r"[0-8][0-9]{2}(?:-[0-9]{2}-| [0-9]{2} |[0-9]{2})[0-9]{4}"

RESIDENT_WORDS = r"(?i)身份证|證件|证件号|公民身份|resident id|id card|identity (?:card|number)"
SOCIAL_WORDS = (
    r"(?i)(?-u:\b)(?:ssn|social[ -]?security|tax(?:payer)? id|itin)|社会安全|社保号|社会保障号"
)

# GB 11643-1999, 4.3: weight of position i (from the right, from 1) is 2^(i-1) mod 11.
WEIGHTS = tuple(pow(2, 18 - position, 11) for position in range(1, 18))
CHECK_CHARACTERS = "10X98765432"
# The standard's examples, and those of the encyclopaedias and tutorials.
PUBLISHED_RESIDENT_IDS = ("11010519491231002X", "440524188001010014", "34052419800101001X")
# Never issued (000, 666, group 00, serial 0000), or printed on sample cards and in advertisements.
# fmt: off
NOT_A_PERSONS_SOCIAL_SECURITY = "|".join((
    "^000", "^666", "^...00", "0000$",
    "^078051120$", "^219099999$", "^457555462$", "^123456789$",
    "^98765432", "^01234567", "^12345678",
    *(f"^{d}{{9}}$" for d in range(10)), "^111223333$", "^111223344$",
))
# fmt: on


def is_resident_id(number: pl.Expr) -> pl.Expr:
    """Whether 18 characters hold a date that exists and end with their check character.

    The check character is CHECK_CHARACTERS[sum(weight x digit) mod 11] (GB 11643-1999, 4.3).
    """
    weighted = pl.sum_horizontal(
        number.str.slice(position, 1).cast(pl.Int32, strict=False) * weight
        for position, weight in enumerate(WEIGHTS)
    )
    check = (weighted % 11).replace_strict(
        list(range(11)), list(CHECK_CHARACTERS), return_dtype=pl.String
    )
    born = number.str.slice(6, 8).str.to_date("%Y%m%d", strict=False)
    return born.is_not_null() & (number.str.slice(17, 1).str.to_uppercase() == check)


def _resident() -> pl.Expr:
    chars = PIECE.str.len_chars()
    new = (chars == 18) & is_resident_id(PIECE)
    born = (pl.lit("19") + PIECE.str.slice(6, 6)).str.to_date("%Y%m%d", strict=False)
    old = PIECE.str.contains(r"^[0-9]{15}$") & born.is_not_null() & says(RESIDENT_WORDS)
    published = PIECE.str.to_uppercase().is_in(PUBLISHED_RESIDENT_IDS)
    counted = PIECE.str.contains("12345678|1234$") & ~PIECE.str.contains(r"^.{6}(?:19|20)")
    return (new | old) & ~published & ~counted & ~AFTER.str.contains("^[0-9A-Za-z]")


def _social_security() -> pl.Expr:
    """A number is nine digits like any other: the text must speak of social security."""
    written = PIECE.str.contains(f"^{SOCIAL_SECURITY}$")
    about = says(SOCIAL_WORDS) | AFTER.str.contains(f"^[^\\n]{{0,40}}(?:{SOCIAL_WORDS})")
    joined = BEFORE.str.contains(r"[.,/+=-]$") | AFTER.str.contains(r"^[-./]?[0-9A-Za-z]")
    return written & about & ~joined & ~DIGITS.str.contains(NOT_A_PERSONS_SOCIAL_SECURITY)


# False positive, known: any invented social security number; it has no check digit.
ID_NUMBERS = Finder(
    hints=(r"[0-9]{15}|[0-9]{3}[- ]?[0-9]{2}[- ]?[0-9]{4}",),
    patterns=(
        (rf"^|{ESCAPED}|[^0-9A-Za-z.]", f"{RESIDENT_ID}|{OLD_RESIDENT_ID}|{SOCIAL_SECURITY}"),
    ),
    holds=_resident() | _social_security(),
)
