"""Personal data that the recipe redacts becomes typed placeholders at the door, in every message."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml

from schemas.filter import Filter
from schemas.privacy import PersonalKind, Privacy
from schemas.recipe import Recipe, load_recipe
from tasks.filter.judge import judge
from tests.normalize.lakes import Normalized, normalized, source

MAIL, PHONE = "greta_l@posteo.net", "502-294-8258"

# fmt: off
CASES = {  #                as it came                                       as it is
    "an address":          (f"Write to {MAIL}.",                             "Write to [EMAIL]."),
    "twice":               (f"{MAIL}, {MAIL}",                               "[EMAIL], [EMAIL]"),
    "touching Chinese":    ("邮箱li.jun@qq.com，谢谢",                         "邮箱[EMAIL]，谢谢"),
    "another kind":        (f"Call {PHONE}.",                                f"Call {PHONE}."),
    "nobody's":            ("Write to john@example.com.",                    "Write to john@example.com."),
    "an entity":           ("Write to greta_l&#64;posteo.net.",              "Write to [EMAIL]."),
    "a line written out":  (r"Name: Greta\nMail: " + MAIL + r"\nEnd",        "Name: Greta\nMail: [EMAIL]\nEnd"),
    "in a fence":          (f"```py\nto = '{MAIL}'\n```",                    "```py\nto = '[EMAIL]'\n```"),
    "in JSON":             (f'{{"name": "send", "to": "{MAIL}"}}',           '{"name": "send", "to": "[EMAIL]"}'),
    "redacted before":     ("Write to [EMAIL].",                             "Write to [EMAIL]."),
}
# fmt: on


def redacted(folder: Path, *rows: dict[str, Any], **fields: object) -> Normalized:
    return normalized(folder, json.dumps(rows).encode(), source("alpaca", **fields))


def row(text: str, answer: str = "Yes.", **more: str) -> dict[str, str]:
    return {"instruction": text, "output": answer, **more}


@pytest.mark.parametrize(("text", "expected"), CASES.values(), ids=CASES)
def test_a_kind_becomes_its_placeholder(text, expected, tmp_path):
    done = redacted(tmp_path, row("Q", text), redact=["email"])

    assert done.conversations[0][-1] == ("assistant", expected)
    changed = "[EMAIL]" in expected and "[EMAIL]" not in text
    assert done.manifest.note("redacted_email", "0") == str(int(changed))


def test_code_is_redacted_and_its_indentation_and_escapes_stay(tmp_path):
    code = f'    to = "{MAIL}\\n"\n    key = "AKIA{"JTOOD3QHGJFJ3MC7"}"'
    done = redacted(tmp_path, row("Q", code), redact=["email", "secret"], code=True)
    assert done.conversations[0][-1][1] == '    to = "[EMAIL]\\n"\n    key = "[SECRET]"'


def test_every_message_is_redacted_and_a_row_counts_once_per_kind(tmp_path):
    held = row(f"I am {MAIL}", f"Hello {MAIL}", system=f"You write to {MAIL}, {PHONE}.")
    done = redacted(tmp_path, held, row("Hi"), row(MAIL), redact=["email", "phone"])

    assert [text for _, text in done.conversations[0]] == [
        "You write to [EMAIL], [PHONE].", "I am [EMAIL]", "Hello [EMAIL]",
    ]  # fmt: skip
    assert done.conversations[1] == [("user", "Hi"), ("assistant", "Yes.")]
    assert dict(done.manifest.notes) == {"redacted_email": "2", "redacted_phone": "1"}


def test_every_role_is_redacted(tmp_path):
    turns = [(role, f"{role}: {MAIL}") for role in ("system", "user", "assistant", "tool")]
    turns.append(("assistant", "Done."))
    held = {"messages": [{"role": role, "content": text} for role, text in turns]}
    made_of = source("messages", redact=["email"])
    done = normalized(tmp_path, json.dumps([held]).encode(), made_of)
    assert done.conversations[0] == [(role, text.replace(MAIL, "[EMAIL]")) for role, text in turns]


TALK = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello."}]
# fmt: off
TOOLS = {  #                  a definition                                                           as it is
    "in a description":      ({"name": "f", "description": f"ask {MAIL}"},                            {"name": "f", "description": "ask [EMAIL]"}),
    "a default":             ({"parameters": {"to": {"default": MAIL}}},                              {"parameters": {"to": {"default": "[EMAIL]"}}}),
    "a bare number":         ({"parameters": {"phone": {"default": 5022948258}}},                     {"parameters": {"phone": {"default": "[PHONE]"}}}),
    "nobody's":              ({"name": "f", "description": "as john@example.com"},                    {"name": "f", "description": "as john@example.com"}),
}
# fmt: on


@pytest.mark.parametrize(("given", "expected"), TOOLS.values(), ids=TOOLS)
def test_definitions_of_tools_are_redacted_and_stay_json(given, expected, tmp_path):
    rows = [{"messages": TALK, "tools": json.dumps([given])}, {"messages": TALK}]
    made_of = source("messages", redact=["email", "phone"])
    done = normalized(tmp_path, json.dumps(rows).encode(), made_of)
    first, second = done.records["tools"]
    assert json.loads(first) == [expected]
    assert second is None


def test_a_row_whose_tools_and_messages_are_redacted_counts_once(tmp_path):
    held = {
        "messages": [{"role": "user", "content": MAIL}, TALK[1]],
        "tools": f'[{{"to": "{MAIL}"}}]',
    }
    made_of = source("messages", redact=["email"])
    done = normalized(tmp_path, json.dumps([held, held, {"messages": TALK}]).encode(), made_of)
    assert dict(done.manifest.notes)["redacted_email"] == "2"
    assert done.records["record_id"].n_unique() == 2


def test_rows_that_differ_in_a_number_alone_are_one_record_then(tmp_path):
    rows = (row(f"Call {PHONE}"), row("Call 912-901-8020"))
    assert redacted(tmp_path / "a", *rows).records["record_id"].n_unique() == 2
    assert redacted(tmp_path / "b", *rows, redact=["phone"]).records["record_id"].n_unique() == 1


def test_what_was_redacted_no_longer_breaks_the_rule(tmp_path):
    rows = (row(MAIL, PHONE), row(f"{PHONE} or {MAIL}", "DE07 1904 2558 7239 8026 64"))
    before = redacted(tmp_path / "a", *rows)
    after = redacted(tmp_path / "b", *rows, redact=list(PersonalKind))
    rules = Filter(privacy=Privacy())
    assert judge(before.records.lazy(), rules).collect()["drop_reason"].null_count() == 0
    assert judge(after.records.lazy(), rules).collect()["drop_reason"].null_count() == 2


def test_what_a_source_does_not_ask_for_is_left(tmp_path):
    done = redacted(tmp_path, row(MAIL, PHONE))
    assert done.conversations[0] == [("user", MAIL), ("assistant", PHONE)]
    assert done.manifest.notes == ()


def test_a_stage_depends_on_the_kinds(tmp_path):
    folders = {
        redacted(tmp_path, row(MAIL), redact=kinds).manifest.digest
        for kinds in ([], ["email"], ["phone"], ["email", "phone"])
    }
    assert len(folders) == 4


def loaded(folder: Path, sources: list[Any], **privacy: object) -> Recipe:
    recipe = {"name": "small", "sources": sources, "filter": {"privacy": privacy}}
    (folder / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    return load_recipe(str(folder / "recipe.yaml"))


def kinds_of(recipe: Recipe) -> dict[str, tuple[PersonalKind, ...]]:
    return {one.name: one.redact for one in recipe.resolved_sources}


def test_the_recipes_policy_reaches_every_source_beside_its_own(tmp_path):
    own = {"source": "alpaca", "redact": ["secret"]}
    recipe = loaded(tmp_path, ["flan_cot", own], phone="redact", email="redact", iban="drop")
    assert kinds_of(recipe) == {
        "flan_cot": (PersonalKind.EMAIL, PersonalKind.PHONE),
        "alpaca": (PersonalKind.SECRET, PersonalKind.EMAIL, PersonalKind.PHONE),
    }


def test_a_recipe_that_only_drops_or_keeps_redacts_nothing(tmp_path):
    recipe = loaded(tmp_path, ["flan_cot"], phone="drop", email=False)
    assert kinds_of(recipe) == {"flan_cot": ()}


def test_a_stored_recipe_redacts_the_same(tmp_path):
    recipe = loaded(tmp_path, ["flan_cot"], phone="redact")
    (tmp_path / "stored.yaml").write_text(yaml.safe_dump(recipe.shown()))
    assert load_recipe(str(tmp_path / "stored.yaml")).shown() == recipe.shown()


def test_a_row_that_is_no_record_stands_beside_those_that_are(tmp_path):
    rows = [row("Hi", MAIL), {"instruction": "x"}, row("Ho", MAIL), row("Hu")]
    done = redacted(tmp_path, *rows, redact=["email"])
    answers = [turns[-1][1] for turns in done.conversations]
    assert answers == ["[EMAIL]", "[EMAIL]", "Yes."]
    assert done.records["source_row"].to_list() == [0, 2, 3]
    assert isinstance(done.records.schema["messages"], pl.List)
