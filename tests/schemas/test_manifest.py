"""A manifest that lost a row cannot be constructed."""

import re

import pytest
from pydantic import ValidationError

from schemas.manifest import KEY_PATTERN, Drops, RawFile, ShardRef, StageManifest
from schemas.reasons import DropReason, Stage
from schemas.record import RECORD, Record

SHA = "0" * 64


def stage(rows_in: int, rows_out: int, *drops: int) -> StageManifest:
    return StageManifest(
        stage="filter",
        digest=SHA,
        uri="stages/filter/0",
        rows_in=rows_in,
        rows_out=rows_out,
        drops=tuple(Drops(stage="filter", reason="echo", source="a", rows=rows) for rows in drops),
    )


# fmt: off
BALANCED = {  #           in  out  drops
    "nothing":            (0,  0,  ()),
    "all kept":           (3,  3,  ()),
    "all dropped":        (3,  0,  (3,)),
    "some of each":       (6,  3,  (1, 2)),
}
LOST = {
    "one lost":           (3,  2,  ()),
    "one invented":       (2,  3,  ()),
    "dropped and kept":   (3,  3,  (1,)),
}
# fmt: on


@pytest.mark.parametrize(("rows_in", "rows_out", "drops"), BALANCED.values(), ids=BALANCED)
def test_a_stage_that_accounts_for_every_row_has_a_manifest(
    rows_in: int, rows_out: int, drops: tuple[int, ...]
) -> None:
    assert stage(rows_in, rows_out, *drops).rows_in == rows_in


@pytest.mark.parametrize(("rows_in", "rows_out", "drops"), LOST.values(), ids=LOST)
def test_a_stage_that_lost_a_row_has_none(
    rows_in: int, rows_out: int, drops: tuple[int, ...]
) -> None:
    with pytest.raises(ValidationError, match="lost rows"):
        stage(rows_in, rows_out, *drops)


@pytest.mark.parametrize("reason", DropReason)
def test_every_reason_has_a_stage_and_a_meaning(reason: DropReason) -> None:
    assert reason.stage in Stage
    assert reason.meaning.endswith(".")


def test_a_record_ends_with_the_assistant() -> None:
    import polars as pl

    ends_on = {"assistant": True, "user": False, "system": False, "tool": False}
    for role, valid in ends_on.items():
        messages = [[{"role": "user", "content": "q"}, {"role": role, "content": "a"}]]
        frame = pl.DataFrame(
            {
                "record_id": ["0" * 32],
                "source": ["a"],
                "source_row": [0],
                "messages": messages,
                "category": [None],
                "tools": [None],
                "licence": ["MIT"],
            },
            schema=RECORD,
        )
        assert Record.is_valid(frame) is valid, role


# fmt: off
PLACES = {  #               place               is it below its folder
    "a file":              ("a.json",           True),
    "in a folder":         ("a/b c/ü.json",     True),
    "three dots":          (".../a",            True),
    "hidden":              (".a/..b/c..",       True),
    "a line break":        ("a\nb",             True),
    "nothing":             ("",                 False),
    "above":               ("../a",             False),
    "above at the end":    ("a/..",             False),
    "above inside":        ("a/../b",           False),
    "here":                ("./a",              False),
    "anywhere":            ("/a",               False),
    "a folder":            ("a/",               False),
    "an empty part":       ("a//b",             False),
    "a zero":              ("a\0b",             False),
}
# fmt: on


@pytest.mark.parametrize(("place", "is_below"), PLACES.values(), ids=PLACES)
def test_files_are_below_the_folder_that_names_them(place: str, is_below: bool) -> None:
    sha = "0" * 64
    said = (
        lambda: ShardRef(uri=place, sha256=sha, rows=1, size_bytes=1),
        lambda: RawFile(name=place, sha256=sha, size_bytes=1),
    )
    for one in said:
        if is_below:
            one()
        else:
            with pytest.raises(ValidationError, match="pattern"):
                one()
    assert (re.fullmatch(KEY_PATTERN, place) is not None) is is_below
