import gzip
import io
import json

import polars as pl
import pytest

from schemas.errors import ConfigError
from schemas.filter import EvaluationSet
from tasks.filter.evaluations import evaluation_sha256, read_evaluation

ITEMS = [
    {"id": 1, "question": "Why?", "answer": "Because."},
    {"id": 2, "question": "How?", "answer": ""},
]
ALL_TEXTS = [(0, "Why?", True), (0, "Because.", False), (1, "How?", True)]
LINES = "\n".join(json.dumps(item) for item in ITEMS).encode()
ARRAY = json.dumps(ITEMS, indent=2).encode()


def table(separator: str) -> bytes:
    frame = pl.DataFrame(ITEMS).select("question", "answer")
    return frame.write_csv(separator=separator).encode()


def parquet() -> bytes:
    file = io.BytesIO()
    pl.DataFrame(ITEMS).write_parquet(file)
    return file.getvalue()


FORMATS = {
    "lines.jsonl": LINES,
    "lines called json.json": LINES,
    "array.json": ARRAY,
    "array called jsonl.jsonl": ARRAY,
    "with byte order mark.json": b"\xef\xbb\xbf" + ARRAY,
    "commas.csv": table(","),
    "tabs.tsv": table("\t"),
    "table.parquet": parquet(),
    "lines.jsonl.gz": gzip.compress(LINES),
    "zipped without saying so.jsonl": gzip.compress(LINES),
    "commas.csv.gz": gzip.compress(table(",")),
    "one object a file.json": json.dumps(ITEMS[0], indent=2).encode(),
}


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_gives_the_texts_of_its_items(name, tmp_path):
    path = tmp_path / name
    path.write_bytes(FORMATS[name])
    texts = read_evaluation(EvaluationSet(name="made", path=str(path)))
    assert texts.rows() == (ALL_TEXTS[:2] if name.startswith("one") else ALL_TEXTS)
    assert texts.schema == {"row": pl.UInt32, "text": pl.String, "asked": pl.Boolean}


def test_named_columns_alone_are_read(tmp_path):
    path = tmp_path / "lines.jsonl"
    path.write_bytes(LINES)
    texts = read_evaluation(EvaluationSet(name="made", path=str(path), columns=("question",)))
    assert texts.rows() == [(0, "Why?", True), (1, "How?", True)]


def test_lists_and_structs_are_opened(tmp_path):
    path = tmp_path / "choices.jsonl"
    item = {"question": {"stem": "Which?", "choices": [1, 2]}, "options": ["this", "that", None]}
    path.write_text(json.dumps(item))
    texts = read_evaluation(EvaluationSet(name="made", path=str(path)))
    assert sorted(texts["text"]) == ["Which?", "that", "this"]


def test_structs_in_lists_are_opened(tmp_path):
    path = tmp_path / "talks.jsonl"
    turns = [{"role": "user", "content": "Which?"}, {"role": "user", "content": "Why so?"}]
    path.write_text(json.dumps({"id": "a", "messages": turns}))
    texts = read_evaluation(EvaluationSet(name="made", path=str(path), columns=MESSAGES[:1]))
    assert texts["text"].to_list() == ["Which?", "Why so?"]


MESSAGES = ("messages.content", "messages.role")
# fmt: off
ASKED = {  #                        columns                                          of these, what is asked
    "by its name":                  (("id", "question", "answer"),                    {"question"}),
    "in capitals":                  (("Category", "Question", "Best Answer"),         {"Question"}),
    "several":                      (("instruction", "input", "output"),              {"instruction", "input"}),
    "inside a struct":              (("question.stem", "question.choices.text"),      {"question.stem"}),
    "no known name: the first":     (("frage", "antwort"),                            {"frage"}),
    "in Chinese":                   (("编号", "题干", "答案"),                          {"题干"}),
    "of a talk":                    (MESSAGES,                                        {"messages.content"}),
}
# fmt: on


@pytest.mark.parametrize(("columns", "asked"), ASKED.values(), ids=ASKED)
def test_what_an_item_asks_is_told_by_the_names_of_its_columns(columns, asked, tmp_path):
    item: dict = {}
    for column in columns:
        *outer, last = column.split(".")
        inner = item
        for name in outer:
            inner = inner.setdefault(name, {})
        inner[last] = column
    path = tmp_path / "items.jsonl"
    path.write_text(json.dumps(item))
    texts = read_evaluation(EvaluationSet(name="made", path=str(path), columns=columns))
    assert set(texts.filter("asked")["text"]) == asked


def test_the_digest_is_of_the_content_and_not_of_its_packing(tmp_path):
    (tmp_path / "a.jsonl").write_bytes(LINES)
    (tmp_path / "b.gz").write_bytes(gzip.compress(LINES))
    sets = [EvaluationSet(name="made", path=str(tmp_path / name)) for name in ("a.jsonl", "b.gz")]
    assert evaluation_sha256(sets[0]) == evaluation_sha256(sets[1])


# fmt: off
WRONG = {  #                    content                         columns          message
    "missing":                (None,                            (),              "no such file"),
    "empty":                  (b"",                             (),              "no column holds text; found no column"),
    "no item":                (b"[]",                           (),              "no column holds text"),
    "no text column":         (b'{"a": 1}\n{"a": 2}',           (),              "found a (Int64)"),
    "items without text":     (b'{"q": ""}\n{"q": " "}',        (),              "no item with any text"),
    "a column that is not":   (b'{"q": "Why?"}',                ("question",),   "no text column 'question'; found q"),
    "cut in the middle":      (b'[{"q": "Why?"}, {"q": ',       (),              "cannot be read, expected JSON Lines"),
    "damaged gzip":           (gzip.compress(LINES)[:-9],       (),              "cannot be read"),
    "not UTF-8":              (b'q,a\n"\xff\xfe",b',            (),              "cannot be read"),
}
# fmt: on


@pytest.mark.parametrize(("content", "columns", "message"), WRONG.values(), ids=WRONG)
def test_a_file_that_cannot_be_used_is_named_with_what_was_found(
    content, columns, message, tmp_path
):
    path = tmp_path / "items.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError) as error:
        read_evaluation(EvaluationSet(name="made", path=str(path), columns=columns))
    assert message in str(error.value)
    assert f"evaluation set 'made', {path}" in str(error.value)


def test_a_folder_is_no_evaluation_file(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        read_evaluation(EvaluationSet(name="made", path=str(tmp_path)))
