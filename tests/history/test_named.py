"""A version is named by number, by tag, as the latest, or by steps back from one of them."""

from pathlib import Path

import pytest

from schemas.errors import CorpusDamaged, UnknownName
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


def test_a_tag_does_not_pass_to_another_version_of_the_same_number(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path / "lake"))
    set_tag(lake, publish(lake, TABLE), "prod")
    lake.remove_folder("corpora/tiny/v0001")
    again = publish(lake, MORE)
    assert again.version == "v0001"
    with pytest.raises(
        CorpusDamaged, match=r"tiny@prod was given to a v0001 with digest .*--force"
    ):
        named_version(lake, "tiny@prod")
    set_tag(lake, again, "prod", force=True)
    assert named_version(lake, "tiny@prod") == again


def test_a_version_that_lost_its_manifest_is_damage_not_a_wrong_name(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path / "lake"))
    publish(lake)
    lake.delete(["corpora/tiny/v0001/manifest.json"])
    for name in ("tiny@v0001", "@v0001"):
        with pytest.raises(CorpusDamaged, match="Restore it from a copy of the lake"):
            named_version(lake, name)


@pytest.mark.parametrize("name", ["../tiny", "/tiny", "", "Tiny", "tiny/v0001"])
def test_what_no_corpus_may_be_called_is_unknown(history: Lake, name: str) -> None:
    publish(history, name="other")
    for reference in (f"{name}@v0001", f"{name}@prod", name):
        with pytest.raises(UnknownName):
            named_version(history, reference)
