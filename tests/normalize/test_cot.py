"""Chain of thought: which template a row is given, and what it makes of the row."""

from pathlib import Path
from string import Formatter

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.normalize.cot import cot_turns, language, sub_dataset
from tasks.normalize.cot_templates import CHINESE, ENGLISH, GENERAL, TEMPLATES, Template
from tests.normalize.lakes import normalized, source

CORPORA = Path(__file__).resolve().parents[3] / "shared" / "corpora"
SUB_DATASETS = [
    "aqua",
    "creak",
    "ecqa",
    "esnli",
    "gsm8k",
    "qasc",
    "qed",
    "sensemaking",
    "strategyqa",
]
SETS = [(name, spoken) for name in (*SUB_DATASETS, GENERAL) for spoken in (ENGLISH, CHINESE)]
REQUEST = r"(?i)step|explain|show|reason|work|解释|推理|步|理由"


def said(
    question: str, answer: str, why: str, category: str | None = None, answer_only: bool = False
) -> tuple[str, str]:
    """What user and assistant say of one row."""
    rows = pl.DataFrame(
        {"row": [0], "question": [question], "answer": [answer], "explanation": [why], "category": [category]},
        schema_overrides={"row": pl.UInt32, "category": pl.String},
    )  # fmt: skip
    asked, answered = cot_turns(rows, answer_only).turns["content"]
    return asked, answered


def many(category: str, question: str, answer: str = "yes") -> list[tuple[str, str]]:
    """What is said of sixty rows that differ in their rationale."""
    return [said(question, answer, f"Because of {number}.", category) for number in range(60)]


@pytest.mark.parametrize(("name", "spoken"), SETS)
def test_each_sub_dataset_has_templates_of_its_own_in_both_languages(
    name: str, spoken: str
) -> None:
    templates = TEMPLATES[name][spoken]
    assert len(set(templates)) == len(templates) >= 4
    for asked, closing in templates:
        assert [field for _, field, _, _ in Formatter().parse(asked) if field] == ["question"]
        assert [field for _, field, _, _ in Formatter().parse(closing) if field] == ["answer"]
        assert closing.partition("{answer}")[2] in ("", "." if spoken == ENGLISH else "。")
    assert sum(asked == "{question}" for asked, _ in templates) == 1
    assert name == GENERAL or set(templates) != set(TEMPLATES[GENERAL][spoken])


@pytest.mark.parametrize(("name", "spoken"), SETS)
def test_rows_of_a_category_are_given_every_template_of_its_sub_dataset(
    name: str, spoken: str
) -> None:
    question = "Is it so?" if spoken == ENGLISH else "是这样吗？"
    category = f"{name}_train" if name != GENERAL else "other"
    rendered = {
        (asked.replace("{question}", question), closing.replace("{answer}", "yes"))
        for asked, closing in TEMPLATES[name][spoken]
    }
    found = {(asked, answered.split("\n\n")[1]) for asked, answered in many(category, question)}
    assert found == rendered


# fmt: off
CATEGORIES = {  #           category                sub-dataset
    "a training file":     ("aqua_train",           "aqua"),
    "upper case":          ("CoT_StrategyQA",       "strategyqa"),
    "with figures":        ("gsm8k",                "gsm8k"),
    "another name":        ("aquarium_train",       GENERAL),
    "inside another":      ("myqed2",               GENERAL),
    "none":                (None,                   GENERAL),
}
LANGUAGES = {  #            question                                     language
    "English":             ("What is 1 + 1?",                            ENGLISH),
    "Chinese":             ("丽丽有92根蜡烛，还剩多少根？",                  CHINESE),
    "a Chinese word":      ("What does 你好 mean?",                      ENGLISH),
    "an English word":     ("请问 internationalization 是什么意思？",      CHINESE),
    "as many of both":     ("你 I",                                      ENGLISH),
    "figures alone":       ("1 + 1 = ?",                                 ENGLISH),
    "Japanese":            ("日本の首都はどこにありますか？",               ENGLISH),
    "French":              ("Où est-il ?",                               ENGLISH),
}
ANSWERS = {  #              answer           end of the closing sentence
    "yes":                 ("yes",           "yes."),
    "an option":           ("(B)",           "(B)."),
    "a number":            ("3.50",          "3.50."),
    "its own stop":        ("the U.S.",      "the U.S."),
    "a question mark":     ("why?",          "why?"),
}
# fmt: on


@pytest.mark.parametrize(("category", "expected"), CATEGORIES.values(), ids=CATEGORIES)
def test_the_category_names_the_sub_dataset(category: str | None, expected: str) -> None:
    frame = pl.DataFrame({"category": [category]}, schema={"category": pl.String})
    assert frame.select(sub_dataset(pl.col("category"))).item() == expected


@pytest.mark.parametrize(("question", "expected"), LANGUAGES.values(), ids=LANGUAGES)
def test_the_questions_own_script_is_the_language(question: str, expected: str) -> None:
    assert pl.select(language(pl.lit(question))).item() == expected


@pytest.mark.parametrize(("answer", "end"), ANSWERS.values(), ids=ANSWERS)
def test_a_closing_sentence_ends_with_one_stop(answer: str, end: str) -> None:
    endings = {answered.split("\n\n")[1] for _, answered in many("creak", "Is it?", answer)}
    assert len(endings) >= 4
    assert all(ending.endswith(end) for ending in endings)


def test_an_answer_alone_is_neither_asked_for_nor_given_reasons() -> None:
    for number in range(20):
        row = (f"Is {number} odd?", "yes", "It is.", "creak_train")
        assert said(*row, answer_only=True) == (f"Is {number} odd?", "yes")
        assert said(*row)[1].startswith("It is.\n\n")


def test_a_row_without_rationale_is_not_asked_for_one() -> None:
    assert said("Is it?", "yes", "", "creak_train") == ("Is it?", "yes")


@pytest.mark.parametrize("question", ["Is it? Let's think step by step.", "是吗？请逐步思考。"])
def test_a_question_that_asks_for_steps_is_not_asked_again(question: str) -> None:
    assert {asked for asked, _ in many("creak_train", question)} == {question}


def test_the_source_switches_to_answers_alone_and_its_file_is_the_category(tmp_path: Path) -> None:
    file = {"gsm8k_train.tsv": b"What is 1+1?\\nAdd.\t2\tOne and one.\n"}
    alone = source("cot", category="file", answer_only=True)

    assert normalized(tmp_path / "a", file, alone).conversations == [
        [("user", "What is 1+1?\nAdd."), ("assistant", "2")]
    ]
    reasoned = normalized(tmp_path / "b", file, source("cot", category="file"))
    (user, assistant) = reasoned.conversations[0]
    assert reasoned.records["category"].to_list() == ["gsm8k_train"]
    assert (user[1], assistant[1].partition("\n\n")[2]) in {
        (asked.replace("{question}", "What is 1+1?\nAdd."), closing.replace("{answer}", "2"))
        for asked, closing in TEMPLATES["gsm8k"][ENGLISH]
    }
    assert reasoned.manifest.note("literal_newlines") == "1"


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


@given(st.lists(st.tuples(TEXT, TEXT, TEXT), min_size=1, max_size=6), st.randoms())
def test_a_rows_template_does_not_depend_on_its_neighbours(rows, random) -> None:
    def turns(texts: list[tuple[str, str, str]]) -> list[list[str]]:
        frame = pl.DataFrame(texts, schema=["question", "answer", "explanation"], orient="row")
        frame = frame.with_columns(category=pl.lit("aqua_train")).with_row_index("row")
        said = cot_turns(frame).turns
        return [said.filter(row=row)["content"].to_list() for row in range(len(texts))]

    order = random.sample(range(len(rows)), len(rows))
    together = turns(rows)
    assert turns([rows[place] for place in order]) == [together[place] for place in order]
    assert [turns([row])[0] for row in rows] == together


@pytest.mark.skipif(not CORPORA.is_dir(), reason="../shared/corpora, the real files, is not here")
def test_real_rows_keep_question_rationale_and_answer_and_have_one_stop(tmp_path: Path) -> None:
    files = {path.name: path.read_bytes() for path in (CORPORA / "flan_cot").glob("[aqs]*.tsv")}
    made = normalized(tmp_path, files, source("cot", category="file"), shard_rows=50_000).records

    text = made["messages"].list.last().struct.field("content")
    asked = made["messages"].list.first().struct.field("content")
    assert not text.str.contains(r"[.。]{2}$|\.\)\.$|Answer: .*Answer: ").any()
    assert not asked.str.contains(r"\n", literal=True).any()
    options = made["category"].str.contains("aqua|ecqa|qasc|sensemaking")
    assert asked.filter(options).str.contains("\nOptions:\n").all()
    assert text.filter(options).str.contains(r"\n\n[^\n]*[\w)\]'\"’%]\.?$").mean() > 0.99
    shares = asked.str.contains(REQUEST).to_frame("asks").group_by("asks").len()["len"]
    assert shares.min() > 0.15 * shares.sum()


def test_templates_are_read_as_they_are_written() -> None:
    template = Template("{question}\n\nWhy?", "So: {answer}.")
    assert (template.asked, template.closing) == tuple(template)
