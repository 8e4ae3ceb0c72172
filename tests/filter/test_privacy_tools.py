"""Personal data in the definitions of tools, and in messages of any role."""

import json
from typing import Any

import polars as pl
import pytest

from schemas.privacy import PersonalKind, Policy, Privacy
from schemas.record import ROLES
from tasks.filter.judge import judge
from tasks.filter.privacy import privacy_rules
from tests.filter.rows import only, talks
from tests.filter.test_privacy import HELD, NOTHING

TALK = [("user", "What?"), ("assistant", "That.")]
MAIL = "greta_l@posteo.net"


def definition(text: str) -> str:
    parameters = {"type": "object", "properties": {"to": {"type": "string", "default": text}}}
    return json.dumps([{"name": "send", "description": "Sends it.", "parameters": parameters}])


def evidence(privacy: Privacy, *tools: str | None, response: str = "That.") -> list[Any]:
    """What each rule that is on finds in rows with these tools, by row."""
    rows = pl.DataFrame(
        {"prompt": "What?", "response": response, "tools": tools},
        schema_overrides={"tools": pl.String},
    )
    found = [rule.found.alias(reason) for reason, rule in privacy_rules(privacy).items()]
    return rows.select(found).rows()


@pytest.mark.parametrize("kind", HELD)
def test_a_kind_in_the_definition_of_a_tool_is_found_and_masked(kind: PersonalKind) -> None:
    text, told = HELD[kind]
    privacy = Privacy(**NOTHING | {kind: Policy.DROP})
    rows = (definition(text), None, definition("nothing"))
    assert evidence(privacy, *rows) == [(told,), (None,), (None,)]


@pytest.mark.parametrize("policy", [Policy.KEEP, Policy.REDACT])
def test_what_is_kept_or_was_redacted_has_no_rule(policy: Policy) -> None:
    assert privacy_rules(Privacy(**NOTHING | {"email": policy})) == {}


def test_prompt_and_response_come_before_the_tools() -> None:
    privacy = Privacy(**NOTHING | {"email": Policy.DROP})
    assert evidence(privacy, definition(MAIL), response="li.jun@qq.com") == [("l…@q….com",)]


@pytest.mark.parametrize("role", ROLES)
def test_every_role_is_read(role: str) -> None:
    rows = talks([(role, f"I am {MAIL}"), *TALK])
    privacy = Privacy(**NOTHING | {"email": Policy.DROP})
    judged = judge(rows, only(privacy=privacy)).collect()
    assert judged["drop_reason"].to_list() == [PersonalKind.EMAIL]


@pytest.mark.parametrize("kind", HELD)
def test_a_row_goes_for_what_the_definitions_of_its_tools_hold(kind: PersonalKind) -> None:
    text, told = HELD[kind]
    tools = pl.Series([definition(text), None, definition("nothing")], dtype=pl.String)
    rows = talks(TALK, TALK, TALK).with_columns(tools=tools)
    privacy = Privacy(**NOTHING | {kind: Policy.DROP})
    judged = judge(rows, only(privacy=privacy)).collect()
    assert judged.select("drop_reason", "found").rows() == [(kind, told)] + [(None, None)] * 2
