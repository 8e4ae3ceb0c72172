"""Message trees: the path that a tree becomes, and the trees that become none."""

import json
from pathlib import Path
from typing import Any

import pytest

from tasks.normalize.tree import MAX_TURNS
from tests.normalize.lakes import normalized, source
from tests.normalize.tables import A, S, T, U, become, expected, note


def says(text: Any, *replies: Any, role: str = "assistant", **more: Any) -> dict[str, Any]:
    """A message of a tree."""
    return {"text": text, "role": role, "replies": list(replies), **more}


def asks(text: Any, *replies: Any, **more: Any) -> dict[str, Any]:
    """A message of somebody who asks."""
    return says(text, *replies, role="prompter", **more)


def chain(turns: int) -> dict[str, Any]:
    """A tree of one branch with so many turns, an even number."""
    node: dict[str, Any] = {"text": "0", "role": "assistant"}
    for number in range(1, turns):
        node = (asks if number % 2 else says)(str(number), node)
    return node


def deep(turns: int) -> list[tuple[str, str]]:
    """The conversation of such a branch."""
    return [(U if number % 2 else A, str(number)) for number in reversed(range(turns))]


TOO_DEEP = f"unreadable: replies are nested more than {MAX_TURNS} deep"
NO_REPLY = "no_response: no assistant turn"
# fmt: off
TREES = {  #                     root                                                                      conversation
    "one reply":                (asks("q", says("a")),                                                     [(U, "q"), (A, "a")]),
    "the lowest rank":          (asks("q", says("a", rank=1), says("b", rank=0), says("c", rank=2)),       [(U, "q"), (A, "b")]),
    "ranks as text and 10 > 9": (asks("q", says("a", rank="10"), says("b", rank="9")),                     [(U, "q"), (A, "b")]),
    "no rank after any rank":   (asks("q", says("a", rank=None), says("b", rank=7)),                       [(U, "q"), (A, "b")]),
    "a rank that is no number": (asks("q", says("a", rank="best"), says("b", rank=7)),                     [(U, "q"), (A, "b")]),
    "NaN is no rank":           (asks("q", says("a", rank=None), says("b", rank=float("nan"))),            [(U, "q"), (A, "a")]),
    "the first at a tie":       (asks("q", says("a", rank=1), says("b", rank=1)),                          [(U, "q"), (A, "a")]),
    "the first without ranks":  (asks("q", says("a"), says("b")),                                          [(U, "q"), (A, "a")]),
    "deleted is passed over":   (asks("q", says("a", rank=0, deleted=True), says("b", rank=1)),            [(U, "q"), (A, "b")]),
    "not deleted":              (asks("q", says("a", rank=0, deleted=False), says("b", rank=1)),           [(U, "q"), (A, "a")]),
    "failed its review":        (asks("q", says("a", rank=0, review_result=False), says("b", rank=1)),     [(U, "q"), (A, "b")]),
    "passed its review":        (asks("q", says("a", rank=0, review_result=True), says("b", rank=1)),      [(U, "q"), (A, "a")]),
    "not reviewed":             (asks("q", says("a", rank=0, review_result=None), says("b", rank=1)),      [(U, "q"), (A, "a")]),
    "as deep as it goes":       (asks("q", says("a", asks("r", says("b", asks("s", says("c")))))),          [(U, "q"), (A, "a"), (U, "r"), (A, "b"), (U, "s"), (A, "c")]),
    "back to the last answer":  (asks("q", says("a", asks("r"))),                                          [(U, "q"), (A, "a")]),
    "the best, though shorter": (asks("q", says("a", asks("r", says("b")), rank=1), says("c", rank=0)),    [(U, "q"), (A, "c")]),
    "a branch of the deleted":  (asks("q", says("a", asks("r", says("b")), deleted=True)),                 NO_REPLY),
    "all failed":               (asks("q", says("a", review_result=False)),                                NO_REPLY),
    "a deleted root":           (asks("q", says("a"), deleted=True),                                       NO_REPLY),
    "deeper by JSON in a text": (chain(100) | {"replies": [says("a") | {"replies": json.dumps([chain(128)])}]}, TOO_DEEP),
    "no reply":                 (asks("q"),                                                                NO_REPLY),
    "replies null":             (asks("q") | {"replies": None},                                            NO_REPLY),
    "replies as JSON text":     (asks("q") | {"replies": json.dumps([says("a")])},                         [(U, "q"), (A, "a")]),
    "other names of speakers":  (says("q", says("a", role="GPT"), role="Human"),                           [(U, "q"), (A, "a")]),
    "a system root":            (says("s", asks("q", says("a")), role="system"),                           [(S, "s"), (U, "q"), (A, "a")]),
    "a tool on the way":        (asks("q", says("a", says("t", says("b"), role="tool"))),                  [(U, "q"), (A, "a"), (T, "t"), (A, "b")]),
    "content for text":         ({"content": "q", "role": "user", "replies": [{"value": "a", "from": "gpt"}]}, [(U, "q"), (A, "a")]),
    "a text that is an object": (asks("q", says({"a": 1})),                                                [(U, "q"), (A, '{"a":1}')]),
    "a null text":              (asks("q", says(None)),                                                    [(U, "q"), (A, "")]),
    "texts with line ends":     (asks("q\nr", says('a "b"\n\\d')),                                         [(U, "q\nr"), (A, 'a "b"\n\\d')]),
    "an unknown role":          (asks("q", says("a", role="narrator")),                                    "unreadable: role 'narrator' is not known"),
    "an unknown role not taken":(asks("q", says("a", rank=0), says("b", role="narrator", rank=1)),         [(U, "q"), (A, "a")]),
    "no role":                  (asks("q", {"text": "a"}),                                                 "unreadable: role '' is not known"),
    "replies that are a text":  (asks("q") | {"replies": "a"},                                             "unreadable: replies holds no message"),
    "a reply that is a text":   (asks("q", "a"),                                                           "unreadable: replies holds no message"),
    "one reply, no list":       (asks("q") | {"replies": says("a")},                                       [(U, "q"), (A, "a")]),
    "as deep as may be":        (chain(MAX_TURNS),                                                         deep(MAX_TURNS)),
}
# fmt: on


def of_prompts() -> dict[str, Any]:
    """The same trees with an id, as OASST's files have them."""
    return {
        name: ({"message_tree_id": "1", "prompt": root}, said)
        for name, (root, said) in TREES.items()
    }


def test_a_tree_becomes_its_best_path_or_a_ledger_row(tmp_path: Path) -> None:
    assert become(tmp_path, of_prompts(), source("tree")) == expected(TREES)


def test_a_root_without_a_tree_around_it_is_read_the_same(tmp_path: Path) -> None:
    bare = {name: case for name, case in TREES.items() if name != "content for text"}

    assert become(tmp_path, bare, source("tree")) == expected(bare)


# fmt: off
DAMAGED = {
    "a prompt that is text":    ({"prompt": "q"},                          "unreadable: prompt holds no message"),
    "a number":                 ({"prompt": 1},                            "unreadable: prompt holds no message"),
    "two roots":                ({"prompt": [asks("q"), asks("r")]},       "unreadable: prompt is not one message"),
    "a list of texts":          ({"prompt": ["q"]},                        "unreadable: prompt holds no message"),
    "an empty list":            ({"prompt": []},                           NO_REPLY),
    "an empty root":            ({"prompt": {}},                           "unreadable: role '' is not known"),
    "none of its columns":      ({"message_tree_id": "1"},                 "unreadable: none of its columns is there: prompt, text, role, replies, deleted, review_result, system, category, tools, licence"),
    "a good one":               ({"prompt": asks("q", says("a"))},         [(U, "q"), (A, "a")]),
}
# fmt: on


def test_a_damaged_tree_is_a_ledger_row_and_its_neighbours_stay(tmp_path: Path) -> None:
    assert become(tmp_path, DAMAGED, source("tree")) == expected(DAMAGED)


def test_a_tree_deeper_than_any_dialogue_is_not_read(tmp_path: Path) -> None:
    good = {"prompt": asks("q", says("a"))}
    raw = "\n".join(json.dumps(row) for row in [{"prompt": chain(MAX_TURNS + 1)}, good])

    done = normalized(tmp_path, raw.encode(), source("tree"))

    assert (done.reasons, done.conversations) == (["unreadable"], [[(U, "q"), (A, "a")]])
    assert "nested" in done.ledger["message"].item()
    assert done.ledger["message"].item() not in TOO_DEEP


@pytest.mark.parametrize(
    ("root", "count"),
    [
        (asks("q", says("a")), ""),
        (asks("q", says("a"), says("b"), says("c")), "2"),
        (asks("q", says("a", asks("r", says("b"), says("c"))), says("d", asks("e"))), "2"),
        (asks("q", says("a"), says("b", deleted=True)), "1"),
    ],
    ids=["no other", "two beside", "beside the path only", "a deleted one too"],
)
def test_replies_that_are_not_taken_are_counted(
    root: dict[str, Any], count: str, tmp_path: Path
) -> None:
    assert note(tmp_path, [{"prompt": root}], source("tree"), "other_replies") == count


def test_a_tree_is_read_under_the_names_the_source_gives(tmp_path: Path) -> None:
    root = {"body": "q", "who": "fragend", "replies": [{"body": "a", "who": " Antwort "}]}
    made_of = source(
        "tree",
        columns={"prompt": "root", "text": "body", "role": "who"},
        roles={"fragend": "user", "antwort": "assistant"},
    )
    rows = {"inside": ({"root": root}, None), "bare": (root, None)}

    found = become(tmp_path, rows, made_of)

    assert list(found.values()) == [[(U, "q"), (A, "a")]] * 2
