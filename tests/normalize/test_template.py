"""Templates of the source file: what `{column}` stands for, and what may stand between braces."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest
from pydantic import ValidationError

from schemas.errors import ConfigError
from schemas.source import Source, Template
from tests.normalize.lakes import normalized, source
from tests.normalize.tables import A, S, U, become, expected


def templated(assistant: str = "{a}", user: str = "{q}", **fields: Any) -> Source:
    """A source whose rows are told by these texts."""
    system = fields.pop("system", None)
    return source(
        "template", template={"system": system, "user": user, "assistant": assistant}, **fields
    )


SILENT = "no_response: no assistant turn"
# fmt: off
TEXTS = {  #                     texts                                             row                                     conversation
    "columns alone":             (("{a}", "{q}"),                                  {"q": "why", "a": "so"},                [(U, "why"), (A, "so")]),
    "words around":              (("It is {a}.", "Q: {q}\nA:"),                    {"q": "why", "a": "so"},                [(U, "Q: why\nA:"), (A, "It is so.")]),
    "several columns":           (("{a}", "{q}\n{r}"),                             {"q": "why", "r": "now", "a": "so"},    [(U, "why\nnow"), (A, "so")]),
    "one column twice":          (("{a}, {a}", "{q}"),                             {"q": "why", "a": "so"},                [(U, "why"), (A, "so, so")]),
    "braces":                    (("{{{a}}}", "{{}} {q} }}{{"),                    {"q": "why", "a": "so"},                [(U, "{} why }{"), (A, "{so}")]),
    "braces in the data":        (("{a}", "{q}"),                                  {"q": "{a} {0} {}", "a": "{q} }{"},     [(U, "{a} {0} {}"), (A, "{q} }{")]),
    "a missing column":          (("{a}", "{q}: {r}"),                             {"q": "why", "a": "so"},                [(U, "why:"), (A, "so")]),
    "a null column":             (("{a}", "{q}: {r}"),                             {"q": "why", "r": None, "a": "so"},     [(U, "why:"), (A, "so")]),
    "a question of blanks":      (("{a}", "Q: {q} {r}"),                           {"q": " ", "r": None, "a": "so"},       [(A, "so")]),
    "one of them is enough":     (("{a}", "Q: {q} {r}"),                           {"q": " ", "r": "now", "a": "so"},      [(U, "Q:   now"), (A, "so")]),
    "an answer of blanks":       (("A: {a}", "{q}"),                               {"q": "why", "a": "\n"},                SILENT),
    "words that name no column": (("{a}", "Write a poem."),                        {"a": "so"},                            [(U, "Write a poem."), (A, "so")]),
    "a number, a boolean":       (("{a}", "{q}"),                                  {"q": 1.5, "a": True},                  [(U, "1.5"), (A, "true")]),
    "nested values":             (("{a}", "{q}"),                                  {"q": ["a", {"b": "c\n"}], "a": {}},    [(U, '["a",{"b":"c\\n"}]'), (A, "{}")]),
    "names with spaces":         (("{the answer}", "{Frage: 1}".replace(": ", " ")), {"Frage 1": "why", "the answer": "so"}, [(U, "why"), (A, "so")]),
    "names of our own":          (("{row}{category}", "{system}{tools}{messages}"), {"row": "so", "category": "x", "system": "s", "tools": "t", "messages": [1]}, [(U, "st[1]"), (A, "sox")]),
    "nothing of it":             (("{a}", "{q}"),                                  {"b": "so"},                            "unreadable: none of its columns is there: q, a, category, tools, licence; the first row here has b"),
}
# fmt: on


@pytest.mark.parametrize(("texts", "row", "said"), TEXTS.values(), ids=TEXTS)
def test_a_row_stands_in_the_places_its_columns_have_in_the_texts(
    texts: tuple[str, str], row: Any, said: Any, tmp_path: Path
) -> None:
    made_of = templated(*texts)
    assert made_of.template
    good = dict.fromkeys(made_of.template.columns, ".")

    assert become(tmp_path, {"it": (row, said), "good": (good, None)}, made_of)["it"] == said


def test_a_system_text_is_one_for_every_row_or_of_its_columns(tmp_path: Path) -> None:
    rows = {
        "with a role": ({"q": "why", "a": "so", "role": "judge"}, [(S, "Be a judge."), (U, "why"), (A, "so")]),
        "without": ({"q": "why", "a": "so"}, [(U, "why"), (A, "so")]),
    }  # fmt: skip
    same = {name: (row, [(S, "Be brief."), (U, "why"), (A, "so")]) for name, (row, _) in rows.items()}  # fmt: skip

    assert become(tmp_path / "a", rows, templated(system="Be a {role}.")) == expected(rows)
    assert become(tmp_path / "b", same, templated(system="Be brief.")) == expected(same)


def test_files_that_name_no_columns_have_them_in_the_order_of_the_source(tmp_path: Path) -> None:
    raw = {"rows.tsv": b"so\tmuse\twhy\n"}
    made_of = templated(fields=("a", "category", "q"))

    done = normalized(tmp_path, raw, made_of)

    assert done.conversations == [[(U, "why"), (A, "so")]]
    assert done.records["category"].to_list() == ["muse"]


def test_a_columnar_file_is_told_by_a_template_too(tmp_path: Path) -> None:
    rows = pl.DataFrame({"q": [1, 2], "a": [["x", "y"], None]})
    rows.write_parquet(tmp_path / "rows.parquet")

    done = normalized(tmp_path, (tmp_path / "rows.parquet").read_bytes(), templated("{a}", "{q}?"))

    assert done.conversations == [[(U, "1?"), (A, '["x","y"]')]]
    assert done.reasons == ["no_response"]


# fmt: off
WRONG = {  #             text               said
    "open":             ("{a",             "expected '}' before end of string"),
    "closed":           ("a}",             "Single '}' encountered"),
    "one in another":   ("{a{b}}",         "unexpected '{' in field name"),
    "no name":          ("{}",             "{} is not the name of a column"),
    "attribute":        ("{a.b}",          "{a.b} is not the name of a column"),
    "index":            ("{a[0]}",         "{a[0]} is not the name of a column"),
    "format":           ("{a:>10}",        "{a:>10} is not the name of a column"),
    "conversion":       ("{a!r}",          "{a!r} is not the name of a column"),
    "space":            ("{ a }",          "{ a } is not the name of a column"),
}
# fmt: on


@pytest.mark.parametrize(("text", "said"), WRONG.values(), ids=WRONG)
def test_a_template_that_says_more_than_names_of_columns_is_refused(text: str, said: str) -> None:
    for name in ("system", "user", "assistant"):
        with pytest.raises(ValidationError) as refused:
            Template.model_validate({"user": "{q}", "assistant": "{a}"} | {name: text})
        assert said in str(refused.value)


def test_an_answer_that_is_the_same_for_every_row_is_refused() -> None:
    with pytest.raises(ValidationError, match="every row would have the same answer"):
        Template(user="{q}", assistant="Yes. {{a}}")


def test_a_bad_template_in_a_source_file_says_where_it_stands(tmp_path: Path) -> None:
    path = tmp_path / "corpus.yaml"
    path.write_text(
        "{name: corpus, layout: template, licence: MIT, local: {path: x},\n"
        " template: {user: '{q}', assistant: '{a.b}'}}"
    )

    with pytest.raises(ConfigError, match=r"corpus\.yaml: .*template\.assistant.*\{a\.b\}"):
        Source.from_yaml(path)
