"""The latest version moves forward only, or back because somebody said so."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import ConfigError, CorpusDamaged
from schemas.history import Latest
from schemas.manifest import number_of
from tasks.corpora import latest, promote, read_manifest, versions
from tasks.history.log import events
from tasks.history.rollback import roll_back
from tasks.lake import Lake
from tests.history.corpora import FAILED, MORE, OTHERS, TABLE, publish

SHA = "0" * 64


@pytest.fixture
def three(lake: Lake) -> Lake:
    for table in (TABLE, MORE, OTHERS):
        publish(lake, table)
    return lake


def back_to(lake: Lake, version: str) -> str | None:
    return roll_back(lake, read_manifest(lake, "tiny", version))


def test_after_a_rollback_the_older_version_is_the_latest(three: Lake) -> None:
    assert back_to(three, "v0001") == "v0003"
    assert latest(three, "tiny") == "v0001"
    assert versions(three, "tiny") == ("v0001", "v0002", "v0003")
    (event,) = events(three, "tiny")
    assert (event.action, event.version, event.before) == ("rollback", "v0001", "v0003")
    assert event.who
    assert event.host


def test_no_refresh_makes_a_version_the_latest_again_that_was_rolled_back_from(three: Lake) -> None:
    back_to(three, "v0001")
    for version in ("v0002", "v0003"):
        promote(three, read_manifest(three, "tiny", version))
        assert latest(three, "tiny") == "v0001"


def test_the_same_rows_after_a_rollback_are_a_new_version(three: Lake) -> None:
    back_to(three, "v0001")
    again = publish(three, OTHERS)
    assert (again.version, again.parent) == ("v0004", "v0001")
    assert again.digest == read_manifest(three, "tiny", "v0003").digest
    assert latest(three, "tiny") == "v0004"


def test_after_a_rollback_the_rows_of_the_latest_are_unchanged(three: Lake) -> None:
    back_to(three, "v0001")
    assert publish(three, TABLE).version == "v0001"
    assert versions(three, "tiny") == ("v0001", "v0002", "v0003")


def test_a_rollback_can_be_taken_back(three: Lake) -> None:
    back_to(three, "v0001")
    assert back_to(three, "v0003") == "v0001"
    assert latest(three, "tiny") == "v0003"
    assert publish(three, OTHERS).version == "v0003"


def test_a_rollback_to_the_latest_changes_nothing(three: Lake) -> None:
    assert back_to(three, "v0003") is None
    assert events(three, "tiny") == ()


def test_a_rejected_version_is_never_the_latest(lake: Lake) -> None:
    publish(lake)
    with pytest.raises(ConfigError, match="rejected by its gates, so it cannot be the latest"):
        roll_back(lake, publish(lake, MORE, FAILED))


def test_a_version_that_lost_a_file_is_not_rolled_back_to(three: Lake) -> None:
    first = read_manifest(three, "tiny", "v0001")
    three.delete([f"corpora/tiny/v0001/{first.ledger[0].uri}"])
    with pytest.raises(CorpusDamaged, match="Run: winnow verify tiny@v0001"):
        roll_back(three, first)


numbers = st.integers(1, 9).map("v{:04d}".format)
moves = st.lists(st.tuples(st.sampled_from(["promote", "roll back"]), numbers), max_size=8)


@given(numbers, moves)
def test_promotion_never_goes_back_whatever_was_rolled_back(
    first: str, moved: list[tuple[str, str]]
) -> None:
    points_to, highest = Latest(version=first, digest=SHA), first
    for how, version in moved:
        if how == "roll back":
            points_to = points_to.rolled_back_to(version, SHA)
            assert points_to.version == version
        elif points_to.may_become(version):
            is_same = version == points_to.version
            assert is_same or number_of(version) > number_of(highest)
            points_to = points_to if is_same else Latest(version=version, digest=SHA)
        else:
            assert points_to.withdraws(version) or number_of(version) < number_of(highest)
        highest = max(highest, points_to.version)
        assert max(points_to.highest or "", points_to.version) == highest


@pytest.mark.parametrize("page", ["README.md", "report.html", "croissant.json"])
def test_a_version_that_lost_a_page_is_not_rolled_back_to(three: Lake, page: str) -> None:
    three.delete([f"corpora/tiny/v0001/{page}"])
    with pytest.raises(CorpusDamaged, match="is not whole"):
        back_to(three, "v0001")
    assert latest(three, "tiny") == "v0003"
