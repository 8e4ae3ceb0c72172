"""What the door changed reaches people: in the manifest, in the report, in the glossary."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from schemas.cleaning import Cleaning
from schemas.manifest import CorpusManifest, StageManifest
from tasks.accounts import cleaned_rows
from tasks.measure.report.page import cleaned_lines, render_report
from tests.measure.corpora import manifest, source
from tests.normalize.lakes import normalized
from tests.normalize.lakes import source as upstream

ROOT = Path(__file__).resolve().parents[2]
CLEANED = {
    "alpaca": (("html_entities", 3), ("no_input_spellings", 1_621)),
    "belle": (("html_entities", 40),),
}


def version(cleaned: dict[str, tuple[tuple[str, int], ...]]) -> CorpusManifest:
    sources = tuple(
        source(name, 2_000, 2_000).model_copy(update={"cleaned": counts})
        for name, counts in cleaned.items()
    )
    return manifest(sources)


def user(text: str, answer: str = "Yes.") -> dict[str, str]:
    return {"instruction": text, "output": answer}


def reply(text: str) -> dict[str, Any]:
    return {"text": text, "role": "assistant", "replies": []}


def asks(text: str, *replies: dict[str, Any]) -> dict[str, Any]:
    return {"text": text, "role": "prompter", "replies": list(replies)}


# fmt: off
EMITTED: dict[Cleaning, tuple[str, dict[str, Any], Any]] = {
    Cleaning.BYTE_ORDER_MARKS:                ("alpaca",     {}, user("a\ufeffb")),
    Cleaning.NUL_CHARACTERS:                  ("alpaca",     {}, user("a\0b")),
    Cleaning.CARRIAGE_RETURNS:                ("alpaca",     {}, user("a\r\nb")),
    Cleaning.MOJIBAKE:                        ("alpaca",     {}, user("cafÃ©")),
    Cleaning.LITERAL_NEWLINES:                ("alpaca",     {}, user(r"A\nB")),
    Cleaning.HTML_ENTITIES:                   ("alpaca",     {}, user("R&amp;D")),
    Cleaning.OUTER_WHITE_SPACE:               ("alpaca",     {}, user("a", " b")),
    Cleaning.REPLACEMENT_CHARACTERS:          ("alpaca",     {}, user("a\ufffdb")),
    Cleaning.NO_INPUT_SPELLINGS:              ("alpaca",     {}, user("a") | {"input": "<noinput>"}),
    Cleaning.NO_INPUT_MARKED_UP:              ("alpaca",     {}, user("a") | {"input": "`noinput`"}),
    Cleaning.PLACEHOLDERS_FILLED:             ("alpaca",     {"placeholders": {"name": "W"}}, user("I am {{name}}.")),
    Cleaning.REDACTED_EMAIL:                  ("alpaca",     {"redact": ["email"]}, user("greta_l@posteo.net")),
    Cleaning.REDACTED_PHONE:                  ("alpaca",     {"redact": ["phone"]}, user("502-294-8258")),
    Cleaning.REDACTED_ID_NUMBER:              ("alpaca",     {"redact": ["id_number"]}, user("110105198704232512")),
    Cleaning.REDACTED_BANK_CARD:              ("alpaca",     {"redact": ["bank_card"]}, user("6217 0067 2499 1232 276")),
    Cleaning.REDACTED_CREDIT_CARD:            ("alpaca",     {"redact": ["credit_card"]}, user("4010 9281 5901 3962")),
    Cleaning.REDACTED_IBAN:                   ("alpaca",     {"redact": ["iban"]}, user("DE07 1904 2558 7239 8026 64")),
    Cleaning.REDACTED_IP_ADDRESS:             ("alpaca",     {"redact": ["ip_address"]}, user("91.198.174.192")),
    Cleaning.REDACTED_SECRET:                 ("alpaca",     {"redact": ["secret"]}, user("password=Vq7!mZ2#tLk9")),
    Cleaning.REDACTED_STREET_ADDRESS:         ("alpaca",     {"redact": ["street_address"]}, user("715 Church Street, Evanston, IL 60201")),
    Cleaning.REJECTED_ANSWERS:                ("preference", {}, {"prompt": "a", "chosen": "b", "rejected": "c"}),
    Cleaning.OTHER_REPLIES:                   ("tree",       {}, {"prompt": asks("a", reply("b"), reply("c"))}),
    Cleaning.CUT_TO_LAST_ASSISTANT_TURN:      ("messages",   {}, "uau"),
    Cleaning.LEADING_ASSISTANT_TURNS_DROPPED: ("messages",   {}, "aua"),
    Cleaning.NEIGHBOURS_MERGED:               ("messages",   {}, "uua"),
    Cleaning.INVALID_UTF8:                    ("messages",   {}, "ua"),
}
# fmt: on


def turns(order: str) -> dict[str, Any]:
    roles = {"u": "user", "a": "assistant"}
    return {"messages": [{"role": roles[turn], "content": turn} for turn in order]}


@pytest.mark.parametrize("kind", Cleaning)
def test_every_kind_is_counted_where_it_happens_and_nowhere_else(
    kind: Cleaning, tmp_path: Path
) -> None:
    layout, fields, row = EMITTED[kind]
    raw = json.dumps(turns(row) if isinstance(row, str) else row).encode()
    if kind is Cleaning.INVALID_UTF8:
        raw += b'\n{"messages": [{"role": "user", "content": "\xff\xfe"}]}'

    done = normalized(tmp_path, raw, upstream(layout, **fields))

    assert cleaned_rows(done.manifest) == ((kind.value, 1),)


@pytest.mark.parametrize("kind", Cleaning)
def test_every_kind_is_in_the_glossary_as_the_code_explains_it(kind: Cleaning) -> None:
    line = f"| `{kind.value}` | {kind.meaning} |"
    assert line in (ROOT / "docs/glossary.md").read_text("utf-8")


def test_other_notes_of_a_stage_are_no_cleaning() -> None:
    stage = StageManifest(
        stage="normalize", digest="0" * 64, uri="x", rows_in=0, rows_out=0,
        notes=(("no_input_spellings", "2"), ("html_entities", "1"), ("layout", "alpaca: 3 of 3 rows")),
    )  # fmt: skip
    assert cleaned_rows(stage) == (("html_entities", 1), ("no_input_spellings", 2))


def test_the_report_has_each_kind_with_its_rows_by_source() -> None:
    lines = {line.kind: line for line in cleaned_lines(version(CLEANED))}
    assert list(lines) == ["html_entities", "no_input_spellings"]
    assert (lines["html_entities"].rows, lines["html_entities"].sources) == (
        43, (("belle", 40), ("alpaca", 3)),
    )  # fmt: skip
    page = render_report(version(CLEANED), None, pl.DataFrame())
    assert "Cleaned at the door" in page
    assert "belle&nbsp;40, alpaca&nbsp;3" in page
    assert Cleaning.HTML_ENTITIES.meaning in page
    assert "1,621" in page


def test_a_corpus_that_needed_no_cleaning_says_nothing_of_it() -> None:
    page = render_report(version({"alpaca": ()}), None, pl.DataFrame())
    assert "Cleaned at the door" not in page


def test_a_kind_of_another_version_of_winnow_is_shown_last_without_a_meaning() -> None:
    lines = cleaned_lines(version({"alpaca": (("a_new_kind", 1), ("mojibake", 2))}))
    assert [(line.kind, line.meaning != "") for line in lines] == [
        ("mojibake", True), ("a_new_kind", False),
    ]  # fmt: skip


def test_the_counts_are_read_back_from_the_manifest_and_older_ones_have_none() -> None:
    written = version(CLEANED)
    assert CorpusManifest.model_validate_json(written.model_dump_json()) == written
    older = json.loads(written.model_dump_json())
    for entry in older["sources"]:
        del entry["cleaned"]
    assert CorpusManifest.model_validate(older).sources[0].cleaned == ()
