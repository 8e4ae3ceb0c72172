"""Finding personal data: a labelled table, published check digits, and laws of finding.

In personal_cases.tsv `↵` is a line break, and a `¦` inside a key is taken out on reading: scanners
for leaked keys need not mistake the table for a leak. An empty `found` means nobody's.
"""

import json
from pathlib import Path
from typing import NamedTuple

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.privacy import PersonalKind
from tasks.personal.cards import TEST_CARDS
from tasks.personal.finder import luhn
from tasks.personal.ibans import LENGTHS, SAMPLE_IBANS, is_iban
from tasks.personal.id_numbers import PUBLISHED_RESIDENT_IDS, is_resident_id
from tasks.personal.kinds import PLACEHOLDERS, found, hidden, redacted

ENOUGH = 0.97
CASES_PER_KIND = 25
KINDS = tuple(PersonalKind)
FEW = settings(max_examples=40)


class Case(NamedTuple):
    kind: PersonalKind
    found: str
    text: str


def read_cases() -> list[Case]:
    lines = Path(__file__).with_name("personal_cases.tsv").read_text("utf-8").splitlines()[1:]
    cells = [line.replace("↵", "\n").replace("¦", "").split("\t") for line in lines]
    return [Case(PersonalKind(kind), what, text) for kind, what, text in cells]


CASES = read_cases()
HOLDING = [case for case in CASES if case.found]


def finds(kind: PersonalKind, *texts: str) -> list[list[str]]:
    """What is found in each text."""
    rows = found(pl.Series(texts, dtype=pl.String), kind).rows()
    return [[what for place, what in rows if place == number] for number in range(len(texts))]


def holds(test: pl.Expr) -> bool:
    return bool(pl.select(test).item())


@pytest.mark.parametrize("kind", KINDS)
def test_precision_and_recall_are_both_high_enough(kind):
    cases = [case for case in CASES if case.kind == kind]
    told = finds(kind, *(case.text for case in cases))
    right = sum(what == [case.found] for case, what in zip(cases, told, strict=True))
    wanted = sum(bool(case.found) for case in cases)
    given = sum(len(what) for what in told)
    wrong = [(case, what) for case, what in zip(cases, told, strict=True)
             if what != ([case.found] if case.found else [])]  # fmt: skip
    assert min(wanted, len(cases) - wanted) >= CASES_PER_KIND
    assert right / wanted >= ENOUGH, wrong
    assert right / given >= ENOUGH, wrong


# fmt: off
LUHN = {  #                         number                  holds
    "the standard's":            ("79927398713",           True),
    "its neighbour":             ("79927398710",           False),
    "a network's test number":   ("4111111111111111",      True),
    "fifteen digits":            ("378282246310005",       True),
    "nineteen digits":           ("6205500000000000004",   True),
    "two digits exchanged":      ("4111111111111112",      False),
    "one digit":                 ("0",                     True),
}
RESIDENT = {
    "the standard's":            ("11010519491231002X",    True),
    "the standard's second":     ("440524188001010014",    True),
    "small x":                   ("11010519491231002x",    True),
    "wrong check character":     ("110105194912310021",    False),
    "no such day":               ("110105194902300020",    False),
}
ACCOUNTS = {  # the registry's examples
    "Germany":                   ("DE89370400440532013000",           True),
    "Britain":                   ("GB29NWBK60161331926819",           True),
    "Norway, the shortest":      ("NO9386011117947",                  True),
    "Malta, letters within":     ("MT84MALT011000012345MTLCAST001S",  True),
    "Russia, the longest":       ("RU0204452560040702810412345678901", True),
    "wrong check digits":        ("DE88370400440532013000",           False),
    "a digit too few":           ("DE8937040044053201300",            False),
    "no such country":           ("XX89370400440532013000",           False),
}
# fmt: on


@pytest.mark.parametrize(("number", "right"), LUHN.values(), ids=LUHN)
def test_the_last_digit_of_a_card_checks_it(number, right):
    assert holds(luhn(pl.lit(number))) is right


@pytest.mark.parametrize(("number", "right"), RESIDENT.values(), ids=RESIDENT)
def test_the_last_character_of_a_resident_id_checks_it(number, right):
    assert holds(is_resident_id(pl.lit(number))) is right


@pytest.mark.parametrize(("number", "right"), ACCOUNTS.values(), ids=ACCOUNTS)
def test_an_account_has_its_countrys_length_and_leaves_1(number, right):
    assert holds(is_iban(pl.lit(number))) is right


def test_published_samples_are_what_they_pretend_to_be():
    samples = pl.DataFrame({"account": SAMPLE_IBANS})
    assert samples.filter(~is_iban(pl.col("account")))["account"].to_list() == []
    cards = pl.DataFrame({"card": TEST_CARDS})
    assert cards.filter(~luhn(pl.col("card")))["card"].to_list() == []
    numbers = pl.DataFrame({"number": PUBLISHED_RESIDENT_IDS})
    assert numbers.filter(~is_resident_id(pl.col("number")))["number"].to_list() == []


@FEW
@given(st.sampled_from(sorted(LENGTHS)), st.integers(0, 10**30), st.integers(1, 96))
def test_another_check_number_never_fits_an_account(country, account, off):
    digits = f"{account:030d}"[: LENGTHS[country] - 4].ljust(LENGTHS[country] - 4, "7")
    value = int("".join(str(int(char, 36)) for char in f"{digits}{country}00"))
    check = 98 - value % 97
    right, wrong = (f"{country}{one:02d}{digits}" for one in (check, (check + off - 2) % 97 + 2))
    assert holds(is_iban(pl.lit(right)))
    assert wrong == right or not holds(is_iban(pl.lit(wrong)))


# fmt: off
IN_JSON = {  #              a tool call                                              redacted
    "a number":          ('{"to": 15810427396, "n": 3}',                          '{"to": "[PHONE]", "n": 3}'),
    "the last value":    ('{"n": 3, "to": 15810427396}',                          '{"n": 3, "to": "[PHONE]"}'),
    "a list of numbers": ('{"to": [15810427396, 13976245189]}',                   '{"to": ["[PHONE]", "[PHONE]"]}'),
    "a bare list":       ('[15810427396]',                                        '["[PHONE]"]'),
    "a string":          ('{"to": "15810427396"}',                                '{"to": "[PHONE]"}'),
    "escaped characters": (r'{"to": "\u4f60\nli.jun@qq.com\n15810427396\t"}',     r'{"to": "\u4f60\n[EMAIL]\n[PHONE]\t"}'),
    "a list within":     ('["a, b", {"x": [0, 15810427396]}, 15810427396]',      '["a, b", {"x": [0, "[PHONE]"]}, "[PHONE]"]'),
    "commas in a string": ('{"to": "a\\\\", "b": "1, 15810427396, 2"}',               '{"to": "a\\\\", "b": "1, [PHONE], 2"}'),
    "within prose":      ('Call `{"to": 15810427396}`.',                          'Call `{"to": "[PHONE]"}`.'),
    "no JSON":           ('His number: 15810427396, or so',                       'His number: [PHONE], or so'),
    "a fence":           ('```py\nsend("li.jun@qq.com")\n```',                    '```py\nsend("[EMAIL]")\n```'),
}
# fmt: on


@pytest.mark.parametrize(("text", "expected"), IN_JSON.values(), ids=IN_JSON)
def test_redaction_leaves_json_and_fences_whole(text, expected):
    written, _ = redacted(pl.Series([text]), KINDS)
    assert written.to_list() == [expected]


@st.composite
def prose(draw):
    """A text with personal data, examples, words that speak of it, and whatever else."""
    parts = st.one_of(
        st.sampled_from(HOLDING).map(lambda case: case.text),
        st.sampled_from(CASES).map(lambda case: case.text),
        st.sampled_from([" ", "\n", "\n\n", ", ", "。", "电话：", "SSN: ", "card ", "|", "555"]),
        st.text(max_size=8),
    )
    return " ".join(draw(st.lists(parts, max_size=6))).replace("\0", "")


@FEW
@given(st.lists(prose(), min_size=1, max_size=4), st.sets(st.sampled_from(KINDS), min_size=1))
def test_after_redaction_nothing_is_found_and_nothing_changes_again(texts, kinds):
    chosen = tuple(sorted(kinds))
    once, changed = redacted(pl.Series(texts, dtype=pl.String), chosen)
    again, changed_again = redacted(once, chosen)
    assert again.to_list() == once.to_list()
    assert changed_again == {}
    assert all(found(once, kind).is_empty() for kind in chosen)
    places = {place for part in changed.values() for place in part.to_list()}
    same = [one for one in range(len(texts)) if once[one] == texts[one]]
    assert places.isdisjoint(same)
    assert len(places) + len(same) == len(texts)


def test_what_came_nearer_by_redaction_is_read_again():
    street = "2719 Ridge Rd Unit 8, Ann Arbor, MI 48103"
    text = f"SSN, {street} is where I live, my number is 401-55-8293"
    assert redacted(pl.Series([text]), [PersonalKind.ID_NUMBER])[1] == {}
    written, _ = redacted(pl.Series([text]), KINDS)
    assert written[0] == "SSN, [ADDRESS] is where I live, my number is [ID_NUMBER]"


NEXT_MESSAGE = [
    ('"to": [', "15810427396, 2"),
    ("My SSN", "401-55-8293"),
    ('{"to": 15810427396', "}"),
]


@pytest.mark.parametrize("messages", NEXT_MESSAGE)
def test_a_message_does_not_speak_of_the_next(messages):
    apart, _ = redacted(pl.Series(messages), KINDS)
    joined, _ = redacted(pl.Series(["\n\n".join(messages)]), KINDS)
    assert "\n\n".join(apart.to_list()) == joined[0]


@FEW
@given(st.lists(st.sampled_from(HOLDING), min_size=1, max_size=4))
def test_redaction_of_messages_is_redaction_of_the_prompt_they_make(cases):
    messages = [case.text.strip() for case in cases]
    apart, _ = redacted(pl.Series(messages), KINDS)
    joined, _ = redacted(pl.Series(["\n\n".join(messages)]), KINDS)
    assert "\n\n".join(apart.to_list()) == joined[0]


@FEW
@given(st.recursive(
    st.one_of(st.integers(), st.booleans(), st.none(), prose(), st.just(15810427396)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(prose(), inner, max_size=3)),
    max_leaves=6,
), st.booleans())  # fmt: skip
def test_json_stays_json(value, ascii_only):
    written, _ = redacted(
        pl.Series([json.dumps({"value": value, "": [value]}, ensure_ascii=ascii_only)]), KINDS
    )
    json.loads(written[0])


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_hidden_is_no_longer_there_and_the_rest_is(kind):
    cases = [case for case in HOLDING if case.kind == kind]
    told = hidden(pl.Series([case.text for case in cases]), [kind])
    for case, text in zip(cases, told, strict=True):
        assert case.found not in text
        start, end = case.text.split(case.found, 1)
        assert text.startswith(start)
        assert text.endswith(end)


def test_placeholders_tell_the_kind_and_fit_into_json():
    assert set(PLACEHOLDERS) == set(PersonalKind)
    assert all(json.loads(f'"{placeholder}"') for placeholder in PLACEHOLDERS.values())


# fmt: off
ODD = {
    "nothing":              "",
    "one character":        "a",
    "one word a lot":       "a@" * 200_000,
    "digits a lot":         "1234 " * 40_000,
    "letters a lot":        "x" * 1_000_000 + "@",
    "points a lot":         "1." * 300_000,
    "zero-width":           "\u200b\u200e@\u200f",
    "right to left":        "\u200f\u0627\u062a\u0635\u0644\u202e",
    "NUL":                  "a\0b",
}
# fmt: on


@pytest.mark.parametrize("text", ODD.values(), ids=ODD)
def test_odd_texts_are_read_and_left_alone(text):
    texts = pl.Series([None, text], dtype=pl.String)
    written, changed = redacted(texts, KINDS)
    assert written.to_list() == [None, text]
    assert changed == {}


def test_no_texts_at_all():
    written, changed = redacted(pl.Series([], dtype=pl.String), KINDS)
    assert (written.to_list(), changed) == ([], {})
