"""The recipe's part on personal data: which kinds, and what becomes of a row that holds one."""

from enum import StrEnum
from typing import Any

from pydantic import field_validator

from schemas.frozen import Frozen


class PersonalKind(StrEnum):
    """A kind of personal data, in the order of redaction: what became one is no other."""

    SECRET = "secret"  # noqa: S105 (a kind, not one)
    EMAIL = "email"
    IBAN = "iban"
    ID_NUMBER = "id_number"
    CREDIT_CARD = "credit_card"
    BANK_CARD = "bank_card"
    PHONE = "phone"
    IP_ADDRESS = "ip_address"
    STREET_ADDRESS = "street_address"


class Policy(StrEnum):
    """What becomes of a row with personal data: it goes, is rewritten before dedupe, or stays."""

    DROP = "drop"
    REDACT = "redact"
    KEEP = "keep"


class Privacy(Frozen):
    """Personal data by kind; documentation examples (example.com, 555-01xx) are not people.

    In YAML a kind may also be `true` (drop) or `false` (keep).
    """

    email: Policy = Policy.DROP
    phone: Policy = Policy.DROP
    id_number: Policy = Policy.DROP
    bank_card: Policy = Policy.DROP
    credit_card: Policy = Policy.DROP
    iban: Policy = Policy.DROP
    ip_address: Policy = Policy.KEEP
    secret: Policy = Policy.DROP
    street_address: Policy = Policy.KEEP

    @field_validator("*", mode="before")
    @classmethod
    def _switch(cls, value: Any) -> Any:
        if isinstance(value, bool):
            return Policy.DROP if value else Policy.KEEP
        return value

    def kinds(self, policy: Policy) -> tuple[PersonalKind, ...]:
        """The kinds that the policy is for, in the order of `PersonalKind`."""
        return tuple(kind for kind in PersonalKind if getattr(self, kind) == policy)
