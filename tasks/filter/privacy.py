"""Personal data: e-mail addresses, telephone numbers and identity numbers of somebody.

Each rule reads in two steps: a pattern proposes what looks like one, then what is known not to be a
person's is struck out. Documentation writes addresses and numbers too, and most of those in an
instruction corpus are of that kind: dropping them would lose the very rows that teach the format.
"""

from collections.abc import Callable

import polars as pl

from schemas.privacy import Privacy
from schemas.reasons import DropReason
from tasks.filter.evidence import Evidence, Rules, matched

# Rust's \b counts Chinese characters as word characters; between ASCII ones only, this does not.
EDGE = r"(?-u:\b)"


def privacy_rules(privacy: Privacy) -> Rules:
    """One rule per kind of personal data that the recipe switches on, over prompt and response."""
    table = {
        DropReason.EMAIL: (privacy.email, emails, "no e-mail address of a person"),
        DropReason.PHONE: (privacy.phone, phones, "no telephone number of a person"),
        DropReason.ID_NUMBER: (privacy.id_number, id_numbers, "no personal identity number"),
    }
    return {
        reason: _in_either_part(finder, expected)
        for reason, (enabled, finder, expected) in table.items()
        if enabled
    }


def _in_either_part(finder: Callable[[pl.Expr], pl.Expr], expected: str) -> Evidence:
    first = (finder(pl.col(part)).list.first() for part in ("prompt", "response"))
    return matched(pl.coalesce(first), expected)


# --- e-mail ---------------------------------------------------------------------------------------

ADDRESS = (
    r"(?:://[^\s/@]*)?"  # kept, so that the credentials of a URL can be told from an address
    r"[A-Za-z0-9][A-Za-z0-9._%+-]*"
    r"@(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?\.)+[A-Za-z]{2,24}" + EDGE
)

_ROLES = (  # RFC 2142, and what companies call their mailboxes: nobody in particular
    "abuse|accounts?|admin(?:istrator)?|alerts?|billing|careers|contact(?:us)?|customer.?(?:care|"
    "service|support)|do.?not.?reply|editor|enquir(?:y|ies)|events?|feedback|ftp|git|hello|help(?:"
    "desk)?|hi|hostmaster|hr|info(?:rmation)?|inquir(?:y|ies)|jobs|legal|list|mailer.?daemon|"
    "marketing|media|news(?:letter)?|noc|no.?reply|notifications?|offers?|office|orders?|"
    "postmaster|press|privacy|promo(?:tion)?s?|recruit(?:ing|ment)?|reservations?|returns?|root|"
    "sales|security|services?|subscribe|support|team|unsubscribe|uucp|webmaster|welcome|www"
)
_STAND_INS = (  # what documentation writes where a name would stand
    "abcd?e?f?|alice|any(?:one|body)|bar|baz|bob|boss|carol|client|customer|demo|dummy|e-?mail|mail|"
    ".*example.*|fake.*|first.?name.*|first.?last|foo(?:bar)?|friend|jane.?doe|j.?doe|john.?doe|"
    "last.?name|me|my.?(?:e?mail|name|gmail|address|account|user).*|name|nobody|person|placeholder|"
    "random|receiver|recipient|sample.*|sender|some(?:one|body)|test(?:er|ing|user)?|user|"
    "user.?name|x+|xyz|you|"
    "your(?:[._-].*|e?mail.*|name|user.*|address|account|company|id)?"
)
_STAND_IN_LABELS = (  # the part of a domain before its ending
    "abc|acme|acme.?corp|any(?:site|where)|bar|baz|business|company|company.?name|contoso|"
    "corp|corporation|domain|domain.?name|e-?mail|[a-z0-9-]*example[a-z0-9-]*|fabrikam|"
    "foo(?:bar)?|host(?:name)?|invalid|localhost|mail.?server|my-?(?:app|business|company|corp|"
    "domain|e?mail|org|server|site|store|web-?site)|organi[sz]ation|provider|sample|server|site|"
    "some-?(?:company|domain|organi[sz]ation|site|where)|test|the-?company|web-?site|x+|xyz|"
    "xyz-?(?:company|corp)|your-?[a-z-]*"
)
_RESERVED_ENDINGS = "example|internal|invalid|local|localhost|test"  # RFC 2606, RFC 6762, RFC 9476
_FILE_ENDINGS = "css|gif|html?|jpe?g|js|json|md|mp[34]|pdf|png|py|svg|txt|webp|ya?ml"

# fmt: off
NOT_A_PERSONS_ADDRESS = "|".join((
    r"^://",
    rf"^(?:{_ROLES})(?:[._+-][a-z]{{2}})?\d{{0,3}}@",
    rf"^(?:{_STAND_INS})[._+-]?\d{{0,6}}@",
    rf"@(?:[a-z0-9-]+\.)*(?:[a-z0-9]|(?:{_STAND_IN_LABELS})\d{{0,3}})\.(?:[a-z]{{2,3}}\.)?[a-z]+$",
    rf"\.(?:{_RESERVED_ENDINGS}|{_FILE_ENDINGS})$",
))
# fmt: on


def emails(text: pl.Expr) -> pl.Expr:
    """The e-mail addresses of persons in a text, as a list in order.

    Struck out: reserved and stand-in domains (example.org, anything under .test, domain.com,
    email.com, yourcompany.com), stand-in names (user123@, jane.doe@, your_name@), role mailboxes
    (info@, no-reply@, sales@), credentials of a URL, and image names such as icon@2x.png.

    False positive, known: an invented address at a real provider (emma.watson@gmail.com in a
    made-up registration); nothing in the text tells it from a real one.
    """
    return _without(text.str.extract_all(ADDRESS), f"(?i){NOT_A_PERSONS_ADDRESS}")


# --- telephone ------------------------------------------------------------------------------------

# Not after a letter, digit or the signs that make a number part of a longer one, a sum or a path.
_BEFORE = r"(?:^|[^A-Za-z0-9.,/+=#%$€£¥^-])"
# What follows is taken along, so that a number inside a longer one does not match as a whole.
_AFTER = r"(?:[-./]?[0-9A-Za-z]+)*"

# fmt: off
_NATIONAL = {
    # ITU E.164 with + and country code: 8 to 15 digits, and 10 or more in one piece.
    "international": r"\+ ?[1-9]\d{0,2}(?:[ .-]?\(\d{1,4}\))?(?:[ .-]?\d{2,4}){2,5}",
    # North American Numbering Plan: area code and exchange begin with 2 to 9.
    "north american": r"(?:1[ .-]?)?(?:\([2-9]\d{2}\)[ -]?|[2-9]\d{2}[-.])[2-9]\d{2}[-. ]\d{4}",
    # Chinese mobile, 11 digits from 13 to 19, whole or in groups of 3, 4, 4.
    "chinese mobile": r"(?:(?:00)?86[ -]?)?1[3-9]\d(?:\d{8}|-\d{4}-\d{4}| \d{4} \d{4})",
    # Chinese landline: area code 010, 02x or 0[3-9]xx, then 7 or 8 digits from 2 to 8.
    "chinese landline": r"(?:\(0(?:10|2\d|[3-9]\d{2})\) ?|0(?:10|2\d|[3-9]\d{2})[- ])[2-8]\d{6,7}",
}
NUMBER = f"(?:{'|'.join(_NATIONAL.values())})"
NOT_A_PERSONS_NUMBER = "|".join((
    # 555 is fiction's exchange (ATIS-0300115 reserves 555-0100 to 555-0199), and no area code.
    r"^(?:\+? ?1[ .-]?)?\(?\d{3}\)?[-. ]?555[-. ]?\d{4}$",
    r"^(?:\+? ?1[ .-]?)?\(?555\)?[-. ]?\d{3}[-. ]?\d{4}$",
    # Toll-free, premium and Chinese hotline (400) numbers ring at companies.
    r"^(?:\+? ?1[ .-]?)?\(?(?:400|8(?:00|33|44|55|66|77|88)|900)\)?[-. ]?\d{3}[-. ]?\d{4}$",
    # Ofcom's numbers for drama.
    r"^\+44 ?\(?0?\)?(?:20 ?7946 ?0\d{3}|7700 ?900\d{3}|1632 ?960\d{3}|1\d1 ?496 ?0\d{3})$",
    # Counted up or down, and China Mobile's own example.
    r"(?:123|234|345)[)]?[-. ]?(?:456|567|678)[-. ]?(?:7890|8901|9012)$",
    r"987[)]?[-. ]?654[-. ]?3210$",
    r"1[3-9]\d-?1234-?5678$", r"1[3-9]\d ?1234 ?5678$", r"138-?0013-?8000$", r"138 ?0013 ?8000$",
    # One digit over and over.
    *(rf"(?:{d}[-. ()]*){{7}}$" for d in range(10)),
    # The next term of a sum: groups of thousands, or too few digits in one piece.
    r"^\+ ?\d{1,3}(?: \d{3})+$", r"^\+ \d+$", r"^\+\d{8,9}$",
))
# fmt: on


def phones(text: pl.Expr) -> pl.Expr:
    """The telephone numbers of persons in a text, as a list in order.

    International numbers with +, North American ones in their usual groups, Chinese mobile and
    landline numbers. Other national forms without a country code are not told from other figures.
    Struck out: fiction's 555, drama numbers, toll-free, premium and Chinese 400 lines,
    123-456-7890 and its kin, 13800138000, one digit over and over.

    False positive, known: a bank's published switchboard number.
    """
    proposed = text.str.extract_all(f"{_BEFORE}{NUMBER}{_AFTER}")
    whole = _only(_trimmed(proposed, r"^[^+(0-9]+"), f"^{NUMBER}$")
    return _without(_only(whole, r"^(?:[^0-9]*[0-9]){8,15}[^0-9]*$"), NOT_A_PERSONS_NUMBER)


# --- identity numbers -----------------------------------------------------------------------------

_DATE = r"(?:19|20)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])"
_PROVINCE = r"(?:1[1-5]|2[1-3]|3[1-7]|4[1-6]|5[0-4]|6[1-5]|71|8[1-3])"
RESIDENT_ID = rf"{_PROVINCE}\d{{4}}{_DATE}\d{{3}}[0-9Xx]"
SOCIAL_SECURITY = r"[0-8]\d{2}-\d{2}-\d{4}"

# GB 11643-1999, 4.3: weight of position i (from the right, from 1) is 2^(i-1) mod 11.
WEIGHTS = tuple(pow(2, 18 - position, 11) for position in range(1, 18))
CHECK_CHARACTERS = "10X98765432"
PUBLISHED_RESIDENT_IDS = ("11010519491231002X", "440524188001010014")  # the standard's examples
# Never issued (000, 666, group 00, serial 0000), or printed on sample cards and in advertisements.
# fmt: off
NOT_A_PERSONS_SOCIAL_SECURITY = "|".join((
    "^000", "^666", "-00-", "-0000$",
    "^078-05-1120$", "^219-09-9999$", "^457-55-5462$", "^123-45-6789$",
    *(rf"^{d}{d}{d}-{d}{d}-{d}{d}{d}{d}$" for d in range(10)),
))
# fmt: on


def id_numbers(text: pl.Expr) -> pl.Expr:
    """The personal identity numbers in a text, as a list.

    Chinese resident identity numbers (GB 11643: 18 characters, province, an existing date of birth,
    check character) and United States social security numbers written 3-2-4. Struck out: numbers
    that were never issued and those known from specimens.

    False positive, known: any invented social security number; it has no check digit.
    """
    resident = _trimmed(
        text.str.extract_all(f"(?:^|[^0-9A-Za-z.]){RESIDENT_ID}{EDGE}"), r"^[^0-9]+"
    )
    security = _trimmed(
        text.str.extract_all(rf"(?:^|[^0-9A-Za-z.,/+=-]){SOCIAL_SECURITY}{_AFTER}"), r"^[^0-9]+"
    )
    resident = resident.list.eval(pl.element().filter(is_resident_id(pl.element())))
    security = _without(_only(security, f"^{SOCIAL_SECURITY}$"), NOT_A_PERSONS_SOCIAL_SECURITY)
    return pl.concat_list(resident, security)


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
    return (
        born.is_not_null()
        & (number.str.slice(17, 1).str.to_uppercase() == check)
        & ~number.str.to_uppercase().is_in(PUBLISHED_RESIDENT_IDS)
    )


# --- lists of matches -----------------------------------------------------------------------------


def _only(texts: pl.Expr, pattern: str) -> pl.Expr:
    return texts.list.eval(pl.element().filter(pl.element().str.contains(pattern)))


def _without(texts: pl.Expr, pattern: str) -> pl.Expr:
    return texts.list.eval(pl.element().filter(~pl.element().str.contains(pattern)))


def _trimmed(texts: pl.Expr, pattern: str) -> pl.Expr:
    return texts.list.eval(pl.element().str.replace(pattern, ""))
