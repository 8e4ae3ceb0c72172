"""The report: complete in itself, and harmless whatever a corpus holds."""

import itertools
import re
from html.parser import HTMLParser

import polars as pl
import pytest

from schemas.manifest import CorpusManifest, FailedSource, GateResult, Statistics
from schemas.metrics import SAMPLE
from schemas.page import words
from schemas.page.drawing import INK
from schemas.page.environment import FOLDER
from schemas.reasons import DropReason
from schemas.recipe import Gates
from tasks.measure.gates import check_gates
from tasks.measure.report import page as report
from tasks.measure.report.charts import STAGES, position
from tasks.measure.report.page import render_report
from tasks.measure.summary import summarise
from tests.measure.corpora import drop, judged, manifest, records, source

ATTACK = (
    '<script>alert(1)</script><img src=x onerror="alert(2)"> [click](http://evil.example) </div>'
)
CORPUS = """
    record_id | source | language | category | prompt_chars | response_chars | drop_reason     | duplicate_of
    a         | alpaca | en       | math     | 12           | 1200           |                 |
    b         | alpaca | zh       |          | 7            | 64             |                 |
    c         | belle  | zh       | math     | 9            | 31             |                 |
    d         | belle  | zh       | math     | 9            | 31             | exact_duplicate | c
"""
REASONS = [reason for reason in DropReason if reason is not DropReason.UNREADABLE]


def corpus(**changes: object) -> CorpusManifest:
    """Two sources, 19,021 rows in, three out, one row dropped for every other reason."""
    others = tuple(drop(reason, "belle", 1) for reason in REASONS)
    unread = drop(DropReason.UNREADABLE, "alpaca", 19_001)
    rows = judged(CORPUS, category=ATTACK, licence=f"licence {ATTACK}")
    sources = (source("alpaca", 19_003, 2, "CC-BY-NC-4.0"), source("belle", 1 + len(others), 1))
    statistics = summarise(rows, records(rows, {"c": ATTACK}), 10)
    gates = check_gates(
        Gates(), sources=sources, failed_sources=(), drops=(unread,), statistics=statistics, parent=None
    )  # fmt: skip
    values = {"statistics": statistics, "gates": gates} | changes
    return manifest(sources, (unread, *others), **values)


def samples(text: str = ATTACK) -> pl.DataFrame:
    """One sample for every reason, whose every text is `text`."""
    texts = [name for name, dtype in SAMPLE.items() if dtype == pl.String]
    rows = [
        dict.fromkeys(texts, text)
        | {"stage": reason.stage, "drop_reason": reason, "source": "belle", "source_row": number}
        | {"message": text if reason is DropReason.UNREADABLE else None, "offset": 12_345}
        for number, reason in enumerate(DropReason)
    ]
    return pl.DataFrame(rows, schema=SAMPLE)


class Page(HTMLParser):
    """What a browser would make of a page: elements, attributes, text; and that tags close."""

    VOID = frozenset({"meta", "link", "br", "img", "input", "hr"})

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.texts: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())

    def values(self, attribute: str) -> list[str]:
        return [attrs[attribute] or "" for _, attrs in self.elements if attribute in attrs]


@pytest.fixture(scope="module")
def html() -> str:
    return render_report(corpus(), None, samples())


@pytest.fixture(scope="module")
def page(html: str) -> Page:
    return Page(html)


def test_text_of_the_corpus_never_becomes_markup(html: str, page: Page) -> None:
    assert "<script>alert" not in html
    assert "<script" not in html.lower()
    assert "<img" not in html.lower()
    assert page.text.count("<script>alert(1)</script>") >= len(DropReason)
    assert not [name for _, attrs in page.elements for name in attrs if name.startswith("on")]


def test_the_page_asks_nothing_of_a_network(html: str, page: Page) -> None:
    tags = {tag for tag, _ in page.elements}
    assert tags.isdisjoint({"script", "img", "iframe", "object", "embed", "base", "form", "image"})
    assert "src" not in {name for _, attrs in page.elements for name in attrs}
    links = page.values("href") + page.values("xlink:href")
    assert [link for link in links if not link.startswith(("#", "data:"))] == []
    assert re.findall(r"url\(|@import|xmlns", html) == []
    assert "default-src 'none'" in page.values("content")[1]


def test_the_page_is_well_formed_and_its_ids_are_its_own(page: Page) -> None:
    ids = page.values("id")
    assert page.open == []
    assert len(ids) == len(set(ids))
    assert {link[1:] for link in page.values("href") if link.startswith("#")} <= set(ids)
    assert set(page.values("aria-labelledby")) <= set(ids)


def test_charts_are_named_and_tables_have_a_caption_or_a_label(page: Page) -> None:
    images = [attrs for _, attrs in page.elements if attrs.get("role") == "img"]
    assert len(images) == len([tag for tag, _ in page.elements if tag == "svg"]) == 4
    assert all(attrs["aria-label"] for attrs in images)
    tables = [attrs for tag, attrs in page.elements if tag == "table"]
    named = [a for a in tables if "aria-label" in a or "aria-labelledby" in a]
    assert len(named) + len([tag for tag, _ in page.elements if tag == "caption"]) == len(tables)
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))


@pytest.mark.parametrize("reason", DropReason)
def test_every_reason_that_dropped_rows_is_explained(page: Page, reason: DropReason) -> None:
    assert reason.value in page.text
    assert reason.meaning in page.text


def test_all_that_did_not_become_a_record_is_counted(page: Page) -> None:
    assert "could not become a record 1 of 19,003 shown." in page.text


def test_numbers_have_thousands_separators(page: Page) -> None:
    assert "19,001" in page.text
    assert "byte 12,345" in page.text
    assert "19001" not in page.text


def test_the_length_table_has_the_columns_of_the_trade(page: Page) -> None:
    assert "Source count mean std min 25 % 50 % 75 % 90 % max" in page.text
    assert "all 3 431.67 665.60 31 47.5 64 632 972.8 1,200" in page.text


def test_a_published_version_says_so() -> None:
    gates = (GateResult(gate="min_rows", passed=True, found=3, bound=1),)
    text = Page(render_report(corpus(gates=gates), None, samples())).text
    assert "✓ Published It passed every gate (1) and became the latest version." in text


def test_a_rejected_version_says_why_and_what_stays(page: Page) -> None:
    assert "✗ Rejected 1 of 7 gates failed, so there is no latest version." in page.text
    assert "Worst source's unreadable rows: 99.99 %, at most 5 %." in page.text
    assert "99.99 % at most 5 % ✗ fail alpaca" in page.text
    assert "✓ pass" in page.text


def test_a_version_is_compared_with_its_parent() -> None:
    parent = manifest((source("alpaca", 10, 5),), (drop(DropReason.ECHO, "alpaca", 5),))
    now = corpus(version="v0002", parent="v0001")
    text = Page(render_report(now, parent, samples())).text
    assert f"+{now.rows_in - parent.rows_in:,} since v0001" in text
    assert "−3" in text
    assert "new" in text
    assert "so v0001 stays the latest version" in text


def test_failed_sources_are_told_with_what_they_said() -> None:
    failed = (FailedSource(name="cot", error="SourceMissing", message=f"404 {ATTACK}"),)
    page = Page(render_report(corpus(failed_sources=failed), None, samples()))
    assert "cot SourceMissing 404 <script>" in page.text


def test_a_version_of_nothing_still_has_a_report() -> None:
    gates = (GateResult(gate="min_rows", passed=False, found=0, bound=1),)
    empty = manifest((), (), Statistics(), gates)
    page = Page(render_report(empty, None, pl.DataFrame()))
    assert "No row was dropped." in page.text
    assert "No row was published, so there is nothing to measure." in page.text
    assert page.open == []


def test_a_gate_or_reason_of_a_later_version_is_shown_by_its_name() -> None:
    gates = (GateResult(gate="max_refusals", passed=True, found=0.25, bound=3),)
    sources = (source("alpaca", 2, 1),)
    later = drop(DropReason.ECHO, "alpaca", 1).model_copy(update={"stage": "x", "reason": "y"})
    text = Page(render_report(manifest(sources, (later,), gates=gates), None, pl.DataFrame())).text
    assert "max_refusals 0.25 bound 3" in text
    assert "x 1 row" in text


def test_of_each_reason_a_few_rows_are_shown_in_turn_from_each_source() -> None:
    rows = [
        {"stage": "filter", "drop_reason": "echo", "source": name, "source_row": number,
         "prompt": f"{name} says {number}", "response": ""}
        for name, count in (("alpaca", 9), ("belle", 2), ("cot", 1)) for number in range(count)
    ]  # fmt: skip
    frame = pl.DataFrame(rows, schema_overrides={"source_row": pl.UInt32})
    expected = ["alpaca says 0", "belle says 0", "cot says 0", "alpaca says 1", "belle says 1"]
    for order in (frame, frame.reverse()):
        text = Page(render_report(corpus(), None, order)).text
        assert re.findall(r"\w+ says \d", text) == expected


def test_every_gate_and_every_colour_of_a_chart_has_its_words() -> None:
    css = (FOLDER / "page.css").read_text()
    assert set(report.GATE_NAMES) == set(Gates.model_fields)
    assert all(f'[fill="{colour}"]' in css for colour in (INK, *(c for _, c in STAGES.values())))


# fmt: off
WORDS = {  #                          found                                          expected
    "a share":                       (words.percent(1, 3),                          "33.3\u202f%"),
    "all of it":                     (words.percent(3, 3),                          "100.0\u202f%"),
    "none of it":                    (words.percent(0, 3),                          "0.0\u202f%"),
    "of nothing":                    (words.percent(0, 0),                          "–"),
    "too little to round to nothing": (words.percent(1, 10_000),                    "<\u202f0.1\u202f%"),
    "too much to round to all":      (words.percent(9_999, 10_000),                 ">\u202f99.9\u202f%"),
    "a whole quantile":              (words.quantity(1200.0),                       "1,200"),
    "a quantile between rows":       (words.quantity(1200.25),                      "1,200.25"),
    "a change up":                   (words.signed(1200),                           "+1,200"),
    "a change down":                 (words.signed(-3),                             "−3"),
    "a change too small to show":    (words.signed(-0.001),                         "±0"),
    "bytes":                         (words.size(999),                              "999\u202fB"),
    "kilobytes":                     (words.size(1000),                             "1\u202fkB"),
    "a text at the limit":           (words.excerpt("abcd", 4),                     "abcd"),
    "a text beyond it":              (words.excerpt("abcde", 4),                    "abcd …"),
    "what cannot be printed":        (words.excerpt("a\x00b\u202ec\nd"),            "a\ufffdb\ufffdc\nd"),
    "a time":                        (words.when("2026-11-02T09:05:00+01:00"),      "2 November 2026, 08:05 UTC"),
    "a language":                    (words.language("zh"),                         "Chinese (zh)"),
    "a language without a name":     (words.language("unknown"),                    "unknown"),
}
# fmt: on


@pytest.mark.parametrize(("found", "expected"), WORDS.values(), ids=WORDS)
def test_numbers_and_texts_are_written_for_people(found: str, expected: str) -> None:
    assert found == expected


# fmt: off
PLACES = {  #             value   position
    "a lower edge":      (4,      2.0),
    "half-way":          (6,      2.5),
    "the last edge":     (8,      3.0),
}
# fmt: on


@pytest.mark.parametrize(("value", "expected"), PLACES.values(), ids=PLACES)
def test_a_length_falls_inside_its_bin(value: float, expected: float) -> None:
    assert position((1, 2, 4, 8), value) == expected
