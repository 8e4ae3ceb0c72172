"""Real upstream files, where they are at hand: what their README says of them holds."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from schemas.source import Source
from tasks.normalize.alpaca import no_input
from tests.normalize.lakes import Normalized, normalized, source

CORPORA = Path(__file__).resolve().parents[3] / "shared" / "corpora"

pytestmark = pytest.mark.skipif(
    not CORPORA.is_dir(), reason="../shared/corpora, the real files, is not here"
)

Read = Callable[..., Normalized]


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> Read:
    """Normalises files of CORPORA by path pattern; each pattern once."""

    @cache
    def reading(pattern: str, made_of: Source) -> Normalized:
        paths = sorted(CORPORA.glob(pattern))
        files = {path.name: path.read_bytes() for path in paths}
        return normalized(tmp_path_factory.mktemp("real"), files, made_of, shard_rows=20_000)

    def of(pattern: str, layout: str, **fields: Any) -> Normalized:
        return reading(pattern, source(layout, **fields))

    return of


# fmt: off
FILES = {  #                  files                                            layout               fields                                   records
    "alpaca":                ("alpaca/*.json",                                 "alpaca",            {},                                      52_002),
    "carbonz0":              ("alpaca_zh_carbonz0/*.json",                     "alpaca",            {},                                      20_465),
    "hikariming, extra":     ("alpaca_zh_hikariming/extra/*.json",             "alpaca",            {},                                      10_282),
    "flan":                  ("flan_cot/*.tsv",                                "cot",               {"category": "file"},                    33_443),
    "alpaca demo, en":       ("llama_factory/alpaca_en_demo.json",             "alpaca",            {},                                         999),
    "alpaca demo, zh":       ("llama_factory/alpaca_zh_demo.json",             "alpaca",            {},                                       1_000),
    "identity":              ("llama_factory/identity.json",                   "alpaca",            {},                                          91),
    "tool calls, en":        ("llama_factory/glaive_toolcall_en_demo.json",    "sharegpt",          {},                                         300),
    "tool calls, zh":        ("llama_factory/glaive_toolcall_zh_demo.json",    "sharegpt",          {},                                         300),
    "messages":              ("llama_factory/v1_sft_demo.jsonl",               "messages",          {},                                         500),
    "reasoning":             ("llama_factory/reason_tool_use_demo_50.jsonl",   "messages",          {},                                          50),
    "pubmedqa":              ("pubmedqa/*.json",                               "question_contexts", {},                                       1_000),
    "medmcqa":               ("medmcqa/medmcqa_dev.json",                      "multiple_choice",   {},                                       4_183),
    "medqa":                 ("medmcqa/medqa_us_4opt_test.jsonl",              "multiple_choice",   {},                                       1_273),
    "codegen":               ("gpteacher/*.json",                              "alpaca",            {"columns": {"output": "response"}, "code": True}, 4_535),
}
# fmt: on


@pytest.mark.parametrize(("files", "layout", "fields", "records"), FILES.values(), ids=FILES)
def test_every_row_of_a_whole_file_becomes_a_record(
    read: Read, files: str, layout: str, fields: dict[str, Any], records: int
) -> None:
    done = read(files, layout, **fields)

    assert (done.manifest.rows_in, done.manifest.rows_out) == (records, records)


def test_alpacas_28_empty_outputs_are_records_for_the_filter_to_judge(read: Read) -> None:
    said = read("alpaca/*.json", "alpaca").records["messages"].list.last().struct.field("content")

    assert (said == "").sum() == 28


def test_alpaca_says_no_input_in_621_rows_and_27_spellings(read: Read) -> None:
    inputs = pl.read_json(CORPORA / "alpaca" / "alpaca_data.json")["input"]

    matched = inputs.to_frame().filter(no_input(pl.col("input"))).to_series()

    assert (matched.len(), matched.n_unique()) == (621, 27)
    assert read("alpaca/*.json", "alpaca").manifest.note("no_input_spellings") == "621"


def test_carbonz0_has_html_entities_in_668_rows_of_which_55_only_say_no_input(read: Read) -> None:
    done = read("alpaca_zh_carbonz0/*.json", "alpaca")

    assert done.manifest.note("html_entities") == f"{668 - 55}"


@pytest.mark.parametrize(
    ("files", "rows"),
    [("alpaca_zh_carbonz0/*.json", "245"), ("alpaca_zh_hikariming/translated/*.json", "236")],
)
def test_the_chinese_translations_of_alpaca_say_no_input_too(
    read: Read, files: str, rows: str
) -> None:
    assert read(files, "alpaca").manifest.note("no_input_spellings") == rows


def test_the_cut_file_gives_its_whole_records_and_one_ledger_row(read: Read) -> None:
    done = read("alpaca_zh_hikariming/translated/*.json", "alpaca")

    (failed,) = done.ledger.to_dicts()
    assert done.manifest.rows_out == 17_476 + 2_801
    assert failed["file"] == "alpaca_data-9407-12345-中文-未完成.json"
    assert "after the comma" in failed["message"]


def test_the_category_of_a_chain_of_thought_is_its_file(read: Read) -> None:
    done = read("flan_cot/*.tsv", "cot", category="file")

    assert done.records["category"].n_unique() == 7
    assert (
        not done.records["messages"]
        .list.first()
        .struct.field("content")
        .str.contains(r"\n", literal=True)
        .any()
    )


def test_tool_calls_and_their_answers_are_turns_between_the_others(read: Read) -> None:
    done = read("llama_factory/glaive_toolcall_en_demo.json", "sharegpt")

    turns = done.records.select(
        "row" if "row" in done.records else "source_row", "messages"
    ).explode("messages")
    roles = turns["messages"].struct.field("role").value_counts()
    assert dict(roles.rows()) == {"user": 746, "assistant": 957, "tool": 211}


def test_the_answer_of_a_multiple_choice_is_the_option_the_explanation_names(read: Read) -> None:
    done = read("medmcqa/medmcqa_dev.json", "multiple_choice")
    said = done.records["messages"].list.last().struct.field("content")

    named = said.str.extract(r"\n\nAns[\s.(:'-]*(?:is)?[\s.(:'-]*([a-dA-D])\b").str.to_uppercase()
    letter = said.str.head(1)
    agreement = (named == letter).filter(named.is_not_null())

    assert agreement.len() > 500
    assert agreement.mean() > 0.97


def test_medqa_answers_are_its_answer_index(read: Read) -> None:
    done = read("medmcqa/medqa_us_4opt_test.jsonl", "multiple_choice")
    told = pl.read_ndjson(CORPORA / "medmcqa" / "medqa_us_4opt_test.jsonl")["answer_idx"]

    said = done.records["messages"].list.last().struct.field("content")

    assert said.str.head(1).to_list() == told.to_list()
