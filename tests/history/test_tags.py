"""A tag names a version until somebody moves it on purpose."""

import pytest

from schemas.errors import ConfigError, CorpusDamaged, UnknownName
from schemas.history import is_tag
from tasks.history.log import events
from tasks.history.tags import remove_tag, set_tag, tags
from tasks.lake import Lake
from tests.history.corpora import FAILED, MORE, publish

# fmt: off
NAMES = {  #                 name            may it be
    "one letter":           ("a",            True),
    "64 letters":           ("a" * 64,       True),
    "65 letters":           ("a" * 65,       False),
    "points and dashes":    ("v1.2-rc_1",    True),
    "nothing":              ("",             False),
    "a version":            ("v0003",        False),
    "three digits":         ("v003",         True),
    "the latest":           ("latest",       False),
    "capitals":             ("Prod",         False),
    "a path":               ("a/b",          False),
    "a parent":             ("..",           False),
    "a step back":          ("prod~1",       False),
    "a newline":            ("prod\n",       False),
    "a point at its end":   ("prod.",        False),
}
# fmt: on


@pytest.mark.parametrize(("name", "may_be"), NAMES.values(), ids=NAMES)
def test_names_of_tags(name: str, may_be: bool) -> None:
    assert is_tag(name) is may_be


def test_a_tag_stands_and_is_written_down(lake: Lake) -> None:
    first = publish(lake)
    assert set_tag(lake, first, "prod") is None
    assert {name: tag.version for name, tag in tags(lake, "tiny").items()} == {"prod": "v0001"}
    (event,) = events(lake, "tiny")
    assert (event.action, event.tag, event.version, event.before) == ("tag", "prod", "v0001", None)
    assert set_tag(lake, first, "prod") == "v0001"
    assert len(events(lake, "tiny")) == 1


def test_a_tag_moves_by_force_alone(lake: Lake) -> None:
    set_tag(lake, publish(lake), "prod")
    second = publish(lake, MORE)
    with pytest.raises(ConfigError, match=r"stands on v0001. Give --force to move it to v0002"):
        set_tag(lake, second, "prod")
    assert tags(lake, "tiny")["prod"].version == "v0001"
    assert set_tag(lake, second, "prod", force=True) == "v0001"
    assert tags(lake, "tiny")["prod"].digest == second.digest
    assert [event.before for event in events(lake, "tiny")] == [None, "v0001"]


def test_a_rejected_version_is_tagged_by_force_alone(lake: Lake) -> None:
    rejected = publish(lake, gates=FAILED)
    with pytest.raises(ConfigError, match="rejected by its gates"):
        set_tag(lake, rejected, "bad")
    set_tag(lake, rejected, "bad", force=True)
    assert tags(lake, "tiny")["bad"].version == "v0001"


def test_a_tag_that_is_taken_away_is_gone(lake: Lake) -> None:
    set_tag(lake, publish(lake), "prod")
    assert remove_tag(lake, "tiny", "prod") == "v0001"
    assert tags(lake, "tiny") == {}
    with pytest.raises(UnknownName, match="no tag of corpus 'tiny'"):
        remove_tag(lake, "tiny", "prod")


def test_a_damaged_tag_says_what_to_do(lake: Lake) -> None:
    publish(lake)
    lake.put("corpora/tiny/tags/prod.json", b"{")
    with pytest.raises(CorpusDamaged, match=r"is not a tag.*Remove it, then set the tag again"):
        tags(lake, "tiny")
