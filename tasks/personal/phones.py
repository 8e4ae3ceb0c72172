"""Telephone numbers of somebody: international, North American, European, Chinese."""

import polars as pl

from tasks.personal.finder import AFTER, BEFORE, DIGITS, ESCAPED, PIECE, Finder, says

_AREA = r"0(?:10|2[0-9]|[3-9][0-9]{2})"
_AREA_FROM_ABROAD = r"(?:10|2[0-9]|[3-9][0-9]{2})"
_SUBSCRIBER = r"[2-8][0-9]{2,3}-?[0-9]{4}"
SHAPES = {  # that tell a telephone number by themselves
    # ITU E.164 with + and country code: 8 to 15 digits, and 10 or more in one piece.
    "international": (
        r"\+ ?[1-9][0-9]{0,2}(?:[ .-][0-9]{5}[ .-][0-9]{5}"
        r"|(?:[ .-]?\([0-9]{1,4}\))?(?:[ .-][0-9])?(?:[ .-]?[0-9]{2,4}){2,5})"
    ),
    # North American Numbering Plan: area code and exchange begin with 2 to 9.
    "north american": (
        r"(?:1[ .-]?)?(?:\([2-9][0-9]{2}\)[ -]?|[2-9][0-9]{2}[-.])[2-9][0-9]{2}[-. ][0-9]{4}"
    ),
    # Chinese mobile, 11 digits from 13 to 19, whole or in groups of 3, 4, 4 or 4, 3, 4.
    "chinese mobile": (
        r"(?:(?:00)?86[ -]?)?1[3-9][0-9]"
        r"(?:[0-9]{8}|-[0-9]{4}-[0-9]{4}| [0-9]{4} [0-9]{4}|[0-9] [0-9]{3} [0-9]{4})"
    ),
    # Chinese landline: area code 010, 02x or 0[3-9]xx, then 7 or 8 digits from 2 to 8.
    "chinese landline": (
        rf"(?:\({_AREA}\) ?|{_AREA}[- ]|(?:00)?86[ -]{_AREA_FROM_ABROAD}[ -]){_SUBSCRIBER}"
    ),
}
SPOKEN_OF = {  # figures like others: the text must speak of a telephone
    # 020 8123 4567, 07911 123456, 0171 1234567, 089/123456, 01 42 68 53 00; and with 00 abroad.
    "with trunk prefix": r"\(?0[1-9][0-9]{0,4}\)?(?:[ ./-]{0,3}[0-9]{2,8}){1,5}",
    "abroad": r"00[1-9][0-9](?:[ -]?\(0\))?(?:[ .-]?[0-9]{2,8}){2,5}",
    # 612 34 56 78, 912 345 678: Spain, Portugal, Italy and Poland have no trunk prefix.
    "without": r"[36789][0-9]{2}(?:[ .-][0-9]{2,3}){2,3}|[679][0-9]{8}",
    "north american": r"(?:1 ?)?[2-9][0-9]{2}[ /]?[2-9][0-9]{2}[ -]?[0-9]{4}",
    "chinese": f"{_AREA}[2-8][0-9]{{6,7}}|{_SUBSCRIBER}",
}
NUMBER = f"(?:{'|'.join(SHAPES.values())})"
PROPOSAL = f"{NUMBER}|{'|'.join(SPOKEN_OF.values())}"

PHONE_WORDS = (
    r"(?i)(?-u:\b)(?:tele?phones?|tel|phones?|mobiles?|mobil|cell(?:phone)?|whats ?app|landline"
    r"|call|text|dial|ring|fax|hotline|contact number|telefon\w*|handy\w*|rufnummer|portable"
    r"|cellulare|fijo|ruf(?:en)?|anruf\w*|appele[rz]|llam[ae]\w*|chiam[ai]\w*)(?-u:\b)"
    r"|t[ée]l[ée]phone|t[ée]l\.?(?-u:\b)|tel[ée]fon|m[óo]vil|telem[óo]vel|☎|📞"
)
CHINESE_PHONE_WORDS = "电话|手机|座机|号码|致电|拨打|拨通|传真|热线|联系方式|来电|电話|手機"

_NORTH_AMERICA = r"^(?:\+? ?1[ .-]?)?"
NOT_A_PERSONS_NUMBER = "|".join(
    (
        # 555 is fiction's exchange (ATIS-0300115 reserves 555-0100 to 555-0199), and no area code.
        _NORTH_AMERICA + r"\(?[0-9]{3}\)?[-. ]?555[-. ]?[0-9]{4}$",
        _NORTH_AMERICA + r"\(?555\)?[-. ]?[0-9]{3}[-. ]?[0-9]{4}$",
        # Toll-free, premium and Chinese hotline (400) numbers ring at companies.
        _NORTH_AMERICA
        + r"\(?(?:400|8(?:00|33|44|55|66|77|88)|900)\)?[-. ]?[0-9]{3}[-. ]?[0-9]{4}$",
        # The next term of a sum: groups of thousands, or too few digits in one piece.
        r"^\+ [0-9]{1,3}(?: [0-9]{3})+$|^\+ [0-9]+$|^\+[0-9]{8,9}$",
    )
)
_BRITAIN, _FRANCE, _GERMANY = (f"^(?:0|{code}0?|00{code}0?)" for code in ("44", "33", "49"))
NOT_A_PERSONS_DIGITS = "|".join(
    (
        # For drama: Ofcom's, ARCEP's and the Bundesnetzagentur's.
        _BRITAIN + "(?:2079460|7700900|1632960|1[0-9]1496)[0-9]{3}$",
        _BRITAIN + "(?:306999|808157|909879)[0-9]{4}$",
        _FRANCE + "(?:19900|26191|35301|46571|53649|63998)[0-9]{4}$",
        _GERMANY + "(?:3023125|699000|4066969|2214710|8999998)[0-9]{2,3}$",
        _GERMANY + "17(?:139200|29925904|64)[0-9]{0,5}$",
        # Freephone, shared cost and premium numbers ring at companies.
        "^(?:0|440?)8[0-8][0-9]{7,8}$|^440?[39][0-9]{8,9}$|^(?:00)?800[0-9]{7,8}$",
        # Counted up or down, in pairs and triples, one digit over and over.
        "1234567|2345678|3456789|7654321|9876543|456?7890$|5678901|^1?2345678901$",
        "1231234|1234123|1122334|1112222|2223333|^0*(?:12345|123456)0*$|0{6}",
        *(f"{digit}{{6}}$" for digit in range(1, 10)),
        # China Mobile's own example, and numbers of its kind.
        "^(?:86)?13800138000$",
        "^1[3-9][0-9](?:1234|0000|1111|8888)(?:5678|0000|1111|8888|1234)$",
    )
)


def _joined() -> pl.Expr:
    """A longer number, an identifier or the end of a path goes on after it."""
    extension = AFTER.str.contains(r"^ ?(?:x|ext)\.? ?[0-9]")
    goes_on = r"^(?:[0-9A-Za-z_]|[-.][0-9A-Za-z]|/[0-9]{1,4}(?:[^0-9]|$)|,[0-9]{3})"
    return ~extension & AFTER.str.contains(goes_on)


def _shaped() -> pl.Expr:
    """A number in one of `SHAPES`."""
    return PIECE.str.contains(f"^{NUMBER}$")


def _spoken_of() -> pl.Expr:
    """Grouped or bare figures of a national plan behind a word for telephone."""
    number = DIGITS
    chars = number.str.len_chars()
    trunk = number.str.contains("^0[1-9]") & chars.is_between(9, 12)
    abroad = number.str.contains("^00[1-9]") & chars.is_between(11, 15)
    southern = number.str.contains("^[36789]") & (chars == 9)
    american = number.str.contains("^1?[2-9][0-9]{2}[2-9]") & chars.is_between(10, 11)
    chinese = (
        says(CHINESE_PHONE_WORDS) & chars.is_between(7, 12) & number.str.contains("^(?:0|[2-8])")
    )
    dated = PIECE.str.contains(r"^[0-9]{2}[./-][0-9]{2}[./-][0-9]{2,4}$|^(?:19|20)[0-9]{2}[ -]")
    western = says(PHONE_WORDS) & (trunk | abroad | southern | american)
    return (western | chinese) & ~dated


def _phone() -> pl.Expr:
    number = DIGITS
    nobodys = PIECE.str.contains(NOT_A_PERSONS_NUMBER) | number.str.contains(NOT_A_PERSONS_DIGITS)
    # What follows another number is the next term of a sum.
    added = PIECE.str.contains(r"^\+") & BEFORE.str.contains(r"[0-9)]\s?$")
    long_enough = number.str.len_chars().is_between(7, 15)
    shaped = _shaped() & (number.str.len_chars() >= 8)
    return long_enough & (shaped | _spoken_of()) & ~nobodys & ~added & ~_joined()


# Struck out: fiction's numbers, toll-free and premium lines, Chinese 400 lines, 123-456-7890 and
# its kin, 13800138000, one digit over and over.
# False positive, known: a bank's published switchboard number.
PHONES = Finder(
    hints=(r"[0-9](?:[-. ()/]{0,3}[0-9]){6}",),
    # Not after a letter, digit or a sign that makes it part of a longer number, a sum or a path.
    patterns=((rf"^|{ESCAPED}|[^A-Za-z0-9.,/+=#%$€£¥^_-]", PROPOSAL),),
    holds=_phone(),
)
