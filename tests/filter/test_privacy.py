"""What the recipe's policies make of rows with personal data, and what evidence tells of it."""

import pytest

from schemas.errors import ConfigError
from schemas.privacy import PersonalKind, Policy, Privacy
from schemas.reasons import DropReason
from tasks.filter.judge import judge
from tests.filter.rows import only, records

NOTHING = dict.fromkeys(Privacy.model_fields, False)
KEY = "sk_live_" + "xy9hiFLs9vyKJluXbunDh9sD"

# fmt: off
HELD = {  #                         what stands in a row                             what the ledger tells
    PersonalKind.EMAIL:          ("greta_l@posteo.net",                              "g…@p….net"),
    PersonalKind.PHONE:          ("502-294-8258",                                    "502…58"),
    PersonalKind.ID_NUMBER:      ("110105198704232512",                              "110…12"),
    PersonalKind.BANK_CARD:      ("6217 0067 2499 1232 276",                         "621…76"),
    PersonalKind.CREDIT_CARD:    ("4010 9281 5901 3962",                             "401…62"),
    PersonalKind.IBAN:           ("DE07 1904 2558 7239 8026 64",                     "DE0…64"),
    PersonalKind.IP_ADDRESS:     ("91.198.174.192",                                  "91.…92"),
    PersonalKind.SECRET:         (KEY,                                               "sk_l…"),
    PersonalKind.STREET_ADDRESS: ("2719 Ridge Rd Unit 8, Ann Arbor, MI 48103",       "271…03"),
}
POLICIES = {  #           in YAML       verdict
    "drop":             ("drop",        DropReason.EMAIL),
    "true":             (True,          DropReason.EMAIL),
    "keep":             ("keep",        None),
    "false":            (False,         None),
    "redact: no rule":  ("redact",      None),
}
# fmt: on


@pytest.mark.parametrize("kind", HELD)
def test_a_row_goes_for_its_kind_alone_and_the_evidence_is_masked(kind):
    text, told = HELD[kind]
    rules = only(privacy=Privacy(**NOTHING | {kind: Policy.DROP}))
    rows = records((f"What is {text}?", "Yes."), ("What?", text), ("What?", "Nothing."))
    verdicts = judge(rows, rules).collect()
    assert verdicts.select("drop_reason", "found").rows() == [(kind, told)] * 2 + [(None, None)]
    assert text not in str(verdicts.to_dicts())


@pytest.mark.parametrize("kind", HELD)
def test_every_other_kind_leaves_it_alone(kind):
    others = dict.fromkeys(Privacy.model_fields, True) | {kind: False}
    rows = records(("What?", HELD[kind][0]))
    verdicts = judge(rows, only(privacy=Privacy(**others))).collect()
    assert verdicts["drop_reason"].to_list() == [None]


@pytest.mark.parametrize(("policy", "reason"), POLICIES.values(), ids=POLICIES)
def test_a_policy_may_be_a_word_or_a_switch(policy, reason):
    rules = only(privacy=Privacy(**NOTHING | {"email": policy}))
    verdict = judge(records(("Whose?", "greta_l@posteo.net")), rules).collect()
    assert verdict["drop_reason"].to_list() == [reason]


def test_another_word_is_an_error_that_names_the_nearest():
    with pytest.raises(ConfigError, match="email: unknown value 'redcat'; did you mean 'redact'"):
        Privacy.from_mapping({"email": "redcat"}, "recipe.yaml")


def test_addresses_of_machines_and_streets_are_kept_unless_the_recipe_says_otherwise():
    privacy = Privacy()
    assert privacy.kinds(Policy.KEEP) == (PersonalKind.IP_ADDRESS, PersonalKind.STREET_ADDRESS)
    assert privacy.kinds(Policy.REDACT) == ()


def test_the_first_reason_in_the_glossary_has_the_word():
    text = "SSN 219-12-3456, 502-294-8258, greta_l@posteo.net"
    verdict = judge(records(("Whose?", text)), only(privacy=Privacy())).collect()
    assert verdict["drop_reason"].to_list() == [DropReason.EMAIL]


def test_every_kind_has_a_policy_and_a_reason():
    assert set(Privacy.model_fields) == set(PersonalKind)
    assert set(PersonalKind) <= set(DropReason)
