"""A version is named by number, by tag, as the latest, or by steps back from one of them."""

import pytest

from schemas.errors import UnknownName
from tasks.history.named import named_version
from tasks.history.tags import set_tag
from tasks.lake import Lake
from tests.history.corpora import FAILED, MORE, OTHERS, TABLE, publish

# fmt: off
NAMED = {  #                    reference          version
    "the corpus alone":        ("tiny",            "v0004"),
    "a version":               ("tiny@v0001",      "v0001"),
    "the latest":              ("tiny@latest",     "v0004"),
    "no steps back":           ("tiny@latest~0",   "v0004"),
    "rejected ones are none":  ("tiny@latest~1",   "v0002"),
    "two steps back":          ("tiny@latest~2",   "v0001"),
    "a tag":                   ("tiny@prod",       "v0002"),
    "a step back from a tag":  ("tiny@prod~1",     "v0001"),
    "the only corpus":         ("@prod",           "v0002"),
    "a rejected version":      ("tiny@v0003",      "v0003"),
}
REFUSED = {  #                  reference          says
    "another corpus":          ("tinny@prod",      r"no corpus in .* did you mean 'tiny'\?"),
    "another version":         ("tiny@v0009",      "no version or tag of corpus 'tiny'.*v0004"),
    "another tag":             ("tiny@prdo",       "did you mean 'prod'"),
    "before the first":        ("tiny@v0001~1",    "v0001 has no published versions before it"),
    "far before the first":    ("tiny@prod~7",     "v0002 has fewer than 7 published versions"),
}
# fmt: on


@pytest.fixture
def history(lake: Lake) -> Lake:
    for table, gates in ((TABLE, ()), (MORE, ()), (OTHERS, FAILED), (OTHERS, ())):
        made = publish(lake, table, gates)
        if made.version == "v0002":
            set_tag(lake, made, "prod")
    return lake


@pytest.mark.parametrize(("reference", "version"), NAMED.values(), ids=NAMED)
def test_a_reference_names_one_version(history: Lake, reference: str, version: str) -> None:
    assert named_version(history, reference).version == version


@pytest.mark.parametrize(("reference", "says"), REFUSED.values(), ids=REFUSED)
def test_a_reference_to_nothing_is_refused_with_what_there_is(
    history: Lake, reference: str, says: str
) -> None:
    with pytest.raises(UnknownName, match=says):
        named_version(history, reference)


def test_a_tag_of_a_version_that_was_removed_says_so(history: Lake) -> None:
    history.remove_folder("corpora/tiny/v0002")
    with pytest.raises(UnknownName, match=r"tiny@prod is v0002, which is not in .* any more"):
        named_version(history, "tiny@prod")
