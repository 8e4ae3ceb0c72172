"""Names of speakers and keys of turns that a source file gives to its corpus."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from tasks.normalize.conversation import SPEAKERS
from tests.normalize.lakes import source
from tests.normalize.tables import A, S, T, U, become, expected

ROLES = {"narrator": "system", " Elf ": "user", "orc": "assistant", "Bot": "user"}
# fmt: off
SPOKEN = {  #                    turns by speaker                              conversation
    "as the source spells":     ([("Elf", "q"), ("orc", "a")],                 [(U, "q"), (A, "a")]),
    "in capitals, with spaces": ([(" ELF", "q"), ("Orc ", "a")],               [(U, "q"), (A, "a")]),
    "the usual names too":      ([("human", "q"), ("gpt", "a")],               [(U, "q"), (A, "a")]),
    "the source knows better":  ([("bot", "q"), ("gpt", "a")],                 [(U, "q"), (A, "a")]),
    "a system of its own":      ([("narrator", "s"), ("elf", "q"), ("orc", "a")], [(S, "s"), (U, "q"), (A, "a")]),
    "nobody knows":             ([("elf", "q"), ("troll", "a")],               "unreadable: role 'troll' is not known"),
    "no name":                  ([("elf", "q"), (None, "a")],                  "unreadable: role '' is not known"),
    "a name that is a number":  ([("elf", "q"), (7, "a")],                     "unreadable: role '7' is not known"),
    "a name that is a list":    ([("elf", "q"), (["orc"], "a")],               "unreadable: role '[\"orc\"]' is not known"),
}
# fmt: on


@pytest.mark.parametrize(
    ("layout", "column", "role", "content"),
    [
        ("sharegpt", "conversations", "from", "value"),
        ("messages", "messages", "role", "content"),
        ("lmflow", "messages", "role", "content"),
    ],
)
def test_a_speaker_has_the_role_that_the_source_gives_before_the_usual_one(
    layout: str, column: str, role: str, content: str, tmp_path: Path
) -> None:
    table = {
        name: ({column: [{role: who, content: text} for who, text in turns]}, said)
        for name, (turns, said) in SPOKEN.items()
    }

    assert become(tmp_path, table, source(layout, roles=ROLES)) == expected(SPOKEN)


def test_without_roles_of_the_source_its_names_are_not_known(tmp_path: Path) -> None:
    turns = [{"from": "elf", "value": "q"}, {"from": "bot", "value": "a"}]
    good = [{"from": "human", "value": "q"}, {"from": "bot", "value": "a"}]
    table = {
        "theirs": ({"conversations": turns}, "unreadable: role 'elf' is not known"),
        "ours": ({"conversations": good}, [(U, "q"), (A, "a")]),
    }

    assert become(tmp_path, table, source("sharegpt")) == expected(table)


# fmt: off
KEYS = {  #                      columns                                        turns
    "the usual keys":           ({},                                            [{"role": U, "content": "q"}, {"from": A, "value": "a"}]),
    "keys of its own":          ({"role": "who", "content": "says"},            [{"who": U, "says": "q"}, {"who": A, "says": "a"}]),
    "usual ones beside":        ({"role": "who", "content": "says"},            [{"who": U, "says": "q"}, {"role": A, "value": "a"}]),
    "its own come first":       ({"role": "who", "content": "says"},            [{"who": U, "role": A, "says": "q", "text": "x"}, {"who": A, "role": U, "says": "a"}]),
    "one key for another":      ({"role": "content", "content": "role"},        [{"content": U, "role": "q"}, {"content": A, "role": "a"}]),
}
# fmt: on


@pytest.mark.parametrize(("columns", "turns"), KEYS.values(), ids=KEYS)
def test_the_keys_of_a_turn_are_the_sources_and_then_the_usual_ones(
    columns: dict[str, str], turns: list[Any], tmp_path: Path
) -> None:
    table = {"it": ({"messages": turns}, [(U, "q"), (A, "a")])}

    assert become(tmp_path, table, source("messages", columns=columns)) == expected(table)


def test_a_role_that_is_not_ours_is_refused_in_the_source_file() -> None:
    with pytest.raises(ValidationError, match="'elf' is mapped to 'wizard', expected one of"):
        source("sharegpt", roles={"elf": "wizard"})


def test_every_usual_name_of_a_speaker_has_one_of_our_roles() -> None:
    assert set(SPEAKERS.values()) == {U, A, S, T}
    assert all(name == name.strip().lower() for name in SPEAKERS)
