"""Payment cards: issuer ranges and check digit (ISO/IEC 7812-1), UnionPay apart from the others."""

import polars as pl

from tasks.personal.finder import AFTER, DIGITS, ESCAPED, PIECE, Finder, luhn, says
from tasks.personal.id_numbers import RESIDENT_ID, is_resident_id

# 13 to 19 digits, whole or in the groups in which cards are embossed.
_GROUPS = (
    r"[0-9]{4}(?: [0-9]{4}){3}(?: [0-9]{1,3})?|[0-9]{4}(?:-[0-9]{4}){3}(?:-[0-9]{1,3})?"
    r"|[0-9]{6} [0-9]{10,13}"
    r"|[0-9]{4}[ -][0-9]{6}[ -][0-9]{4,5}"
    r"|[0-9]{13,19}"
)
_PATTERNS = ((rf"^|{ESCAPED}|[^0-9A-Za-z.,/+*_#%-]", _GROUPS),)
_HINTS = (r"[0-9](?:[ -]?[0-9]){12}",)
# Part of a longer number, of an identifier, of a sum or of a decimal.
_GOES_ON = r"^(?:[0-9A-Za-z_]|[-./ ,][0-9]|\s*(?:[*+/×÷^=]|mod\b))"

# fmt: off
ISSUERS = {  # the ranges that are issued
    "Visa":             r"^4(?:.{12}|.{15}|.{18})$",
    "Mastercard":       r"^(?:5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720).*$",
    "American Express": r"^3[47].{13}$",
    "Discover":         r"^(?:6011|64[4-9]|65)",
    "Diners Club":      r"^3(?:0[0-5]|[689]).{11,16}$",
    "JCB":              r"^35(?:2[89]|[3-8])",
    "Mir":              r"^220[0-4]",
}
# fmt: on
_LENGTHS = {"Mastercard": [16], **{name: [16, 17, 18, 19] for name in ("Discover", "JCB", "Mir")}}

# Numbers that the networks and payment services publish for tests, and those of tutorials.
TEST_CARDS = (
    *("4111111111111111", "4012888888881881", "4222222222222", "4242424242424242"),
    *("4000056655665556", "4012000033330026", "4012000077777777", "4005519200000004"),
    *("4009348888881881", "4217651111111119", "4500600000000061", "4007000000027"),
    *("4012888818888", "4263970000005262", "4263982640269299", "4917484589897107"),
    *("4001919257537193", "4007702835532454", "4917610000000000", "4462030000000000"),
    *("4917300800000000", "4484070000000000", "4988438843884305", "4166676667666746"),
    *("4646464646464644", "4444333322221111", "4400000000000008", "4539578763621486"),
    *("4532015112830366", "4556737586899855", "4539148803436467", "4716461583322103"),
    *("4024007103939509", "4485275742308327", "4532756279624064", "4916338506082832"),
    *("5555555555554444", "5105105105105100", "5200828282828210", "5454545454545454"),
    *("5425233430109903", "5424000000000015", "5111111111111118"),
    *("5500000000000004", "5555341244441115", "5577000055770004", "5136333333333335"),
    *("5585558555855583", "5555444433331111", "5100290029002909", "5399999999999999"),
    *("5200533989557118", "5555550130659057", "5457623898234113"),
    *("2223003122003222", "2223000048400011", "2223000048410010", "2222420000001113"),
    *("2223016768739313", "2222400070000005", "2222410740360010"),
    *("378282246310005", "371449635398431", "378734493671000", "370000000000002"),
    *("371144371144376", "341134113411347", "340000000000009", "374251018720018"),
    *("374101000000608", "376680816376961", "343434343434343", "377777777777770"),
    *("6011111111111117", "6011000990139424", "6011981111111113", "6011000400000000"),
    *("6011514433546201", "6011601160116611", "6445644564456445", "6550000000000001"),
    *("6011000000000004", "6011000000000012", "6510000000000034"),
    *("30569309025904", "38520000023237", "3056930009020004", "36227206271667"),
    *("30000000000004", "36006666333344", "36148900647913", "36070500001020"),
    *("3530111333300000", "3566002020360505", "3569990010095841", "3566111111111113"),
    *("3528000000000007", "3088000000000017", "3530111333300000"),
    *("6200000000000005", "6200000000000047", "6205500000000000004", "6250941006528599"),
    *("6250946000000016", "6250947000000014", "6243030000000001"),
    *("6212345678901265", "6212345678901232", "6212345678900000003"),
    *("6221260000000000", "6216261000000000018", "6243030000000001", "8171999927660000"),
)
_MADE_UP = (  # counted, or filled with one digit: nobody's
    "12345678|23456789|0123456|98765432|87654321|0{6}|1{6}|2{6}|3{6}|4{6}|5{6}|6{6}|7{6}|8{6}|9{6}"
)

CARD_WORDS = (
    r"(?i)(?:(?-u:\b)|_)(?:card|visa|master ?card|amex|american express|debit|credit|account|acct"
    r"|pan)"
    r"|卡号|银行卡|信用卡|储蓄卡|借记卡|账号|帐号|账户|卡"
)
_CHINESE_ISSUERS = (  # before UnionPay's 62: the banks' own ranges
    r"^(?:955880|955881|955888|9558[0-9]{2}|95599[0-9]|436742|436728|456351|601382|601428|405512"
    r"|622[0-9]{3}|621[0-9]{3}|623[0-9]{3}|620[0-9]{3})"
)


def _is_nobodys(number: pl.Expr) -> pl.Expr:
    return number.is_in(TEST_CARDS) | number.str.contains(_MADE_UP)


def _whole() -> pl.Expr:
    return ~AFTER.str.contains(_GOES_ON)


def _spoken_of() -> pl.Expr:
    """It is written in groups, or a card is named beside it."""
    named = says(CARD_WORDS) | AFTER.str.head(24).str.contains(CARD_WORDS)
    return PIECE.str.contains("[ -]") | named


def _is_issued(number: pl.Expr) -> pl.Expr:
    chars = number.str.len_chars()
    return pl.any_horizontal(
        number.str.contains(ranges)
        & (chars.is_in(_LENGTHS[name]) if name in _LENGTHS else pl.lit(True))
        for name, ranges in ISSUERS.items()
    )


def _credit_card() -> pl.Expr:
    """A tenth of all numbers pass the check digit: one written in a piece needs a word for it."""
    number = DIGITS
    return _is_issued(number) & luhn(number) & _spoken_of() & ~_is_nobodys(number) & _whole()


def _bank_card() -> pl.Expr:
    """UnionPay's range 62 with 16 to 19 digits, and the older ranges of Chinese banks."""
    number = DIGITS
    union_pay = number.str.contains(r"^62[0-9]{14,17}$")
    older = number.str.contains(_CHINESE_ISSUERS) & number.str.len_chars().is_in([16, 18, 19])
    resident = PIECE.str.contains(f"^{RESIDENT_ID}$") & is_resident_id(PIECE)
    issued = (union_pay | older) & _spoken_of()
    return issued & luhn(number) & ~resident & ~_is_nobodys(number) & _whole()


# False positive, known: an invented number whose check digit somebody took the trouble to compute.
CREDIT_CARDS = Finder(hints=_HINTS, patterns=_PATTERNS, holds=_credit_card())
BANK_CARDS = Finder(hints=_HINTS, patterns=_PATTERNS, holds=_bank_card())
