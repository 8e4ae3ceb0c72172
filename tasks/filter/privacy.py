"""Personal data of somebody, by kind: found as `tasks/personal` finds it, quoted with a mask.

What the recipe redacts was rewritten before any stage judged it, and what it keeps is not looked
for; documentation's examples are nobody's.
"""

import polars as pl

from schemas.privacy import PersonalKind, Policy, Privacy
from schemas.reasons import DropReason
from tasks.filter.evidence import Rules, matched
from tasks.personal.kinds import first_masked

EXPECTED = {
    PersonalKind.EMAIL: "no e-mail address of a person",
    PersonalKind.PHONE: "no telephone number of a person",
    PersonalKind.ID_NUMBER: "no personal identity number",
    PersonalKind.BANK_CARD: "no bank card number",
    PersonalKind.CREDIT_CARD: "no credit card number",
    PersonalKind.IBAN: "no bank account number",
    PersonalKind.IP_ADDRESS: "no public IP address",
    PersonalKind.SECRET: "no key, token or password",
    PersonalKind.STREET_ADDRESS: "no street address",
}


PARTS = pl.col("^(prompt|response|tools)$")
"""Every text of a row: all messages whatever their role, and the definitions of its tools."""


def privacy_rules(privacy: Privacy) -> Rules:
    """One rule per kind of personal data whose policy is to drop the row, over all of its parts.

    The evidence is masked: a ledger is shared. False positives, known: see the finder of the kind.
    """
    return {
        DropReason(kind.value): matched(first_masked(PARTS, kind), EXPECTED[kind])
        for kind in privacy.kinds(Policy.DROP)
    }
