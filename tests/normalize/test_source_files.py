"""The source files and recipes that ship with Winnow: all of them parse and say whose they are."""

import gzip
import io
import json
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from schemas.recipe import DEPLOYMENTS, load_recipe, load_source
from tasks.download.fetch import download
from tasks.lake import Lake
from tasks.normalize.layouts import shape_of
from tasks.normalize.sample import first_records
from tests import real
from tests.normalize.lakes import normalized

U, A = "user", "assistant"

SOURCES = sorted(path.stem for path in (DEPLOYMENTS / "sources").glob("*.yaml"))
UPSTREAM = [name for name in SOURCES if not name.startswith("sample_")]
RECIPES = sorted(path.stem for path in (DEPLOYMENTS / "recipes").glob("*.yaml"))


@pytest.mark.parametrize("name", SOURCES)
def test_a_source_file_parses_and_is_named_as_its_source(name: str) -> None:
    made_of = load_source(name, DEPLOYMENTS)

    assert made_of.name == name
    assert made_of.title
    assert made_of.languages
    assert made_of.citation
    assert shape_of(made_of).wanted(made_of)


@pytest.mark.parametrize("name", UPSTREAM)
def test_an_upstream_source_is_to_be_had_over_the_network(name: str) -> None:
    made_of = load_source(name, DEPLOYMENTS)

    assert made_of.local is None
    assert made_of.homepage.startswith("https://")
    assert made_of.expected_rows.min > 1


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_parses_with_all_its_sources(name: str) -> None:
    recipe = load_recipe(name)

    assert len(recipe.resolved_sources) == len(recipe.sources)


def test_originals_come_before_their_translations() -> None:
    priority = {name: load_source(name, DEPLOYMENTS).priority for name in UPSTREAM}

    assert priority["alpaca"] < priority["alpaca_zh_hikariming"] < priority["alpaca_zh_carbonz0"]
    assert priority["alpaca_gpt4_en"] < priority["alpaca_gpt4_zh"]
    assert priority["llama_factory_alpaca_en"] < priority["llama_factory_alpaca_zh"]


# --- rows as upstream has them, read with what the source file declares


def lines(*rows: Any) -> bytes:
    return "\n".join(json.dumps(row, ensure_ascii=False) for row in rows).encode()


def array(*rows: Any) -> bytes:
    return json.dumps(rows, ensure_ascii=False).encode()


def parquet(*rows: dict[str, Any]) -> bytes:
    file = io.BytesIO()
    pl.DataFrame(rows).write_parquet(file)
    return file.getvalue()


def zipped(**members: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def bundle(members: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return file.getvalue()


def said(who: str, what: str) -> dict[str, str]:
    return {"role": who, "content": what}


def told(who: str, what: str) -> dict[str, str]:
    return {"from": who, "value": what}


def medical(name: str) -> bytes:
    instances = [{"input": "Which? (A) x (B) y", "output": "(B)"}]
    train = json.dumps({"type": "text2text", "instances": instances}).encode()
    test = json.dumps({"type": "text2text", "instances": [{"input": "t", "output": "u"}]}).encode()
    return bundle({f"{name}/train/train_1.json": train, f"{name}/validation/valid_1.json": test})


ALPACA_ROW = {"instruction": "Add", "input": "1 2", "output": "3"}
ADDED = [(U, "Add\n\n1 2"), (A, "3")]
TREE = {
    "message_tree_id": "1",
    "tree_state": "ready_for_export",
    "prompt": {
        "text": "Hi",
        "role": "prompter",
        "replies": [
            {"text": "Ho", "role": "assistant", "rank": 1, "replies": []},
            {"text": "Hello", "role": "assistant", "rank": 0, "replies": []},
        ],
    },
}
MEDICINE = [(U, "Which? (A) x (B) y"), (A, "(B)")]

# fmt: off
NATIVE = {  #                 file                                   content                                                                                   its only conversation
    "alpaca_cleaned":        ("alpaca_data_cleaned.json",            array(ALPACA_ROW),                                                                        ADDED),
    "alpaca_gpt4_zh":        ("alpaca_gpt4_data_zh.json",            array(ALPACA_ROW),                                                                        ADDED),
    "alpaca_cot_cot":        ("CoT_data.json",                       array(ALPACA_ROW),                                                                        ADDED),
    "finance_alpaca":        ("Cleaned_date.json",                   array(ALPACA_ROW | {"text": ""}),                                                         ADDED),
    "belle_0_5m":            ("Belle_open_source_0.5M.json",         lines(ALPACA_ROW),                                                                        ADDED),
    "belle_generated_0_5m":  ("Belle.train.json",                    lines({"input": "甲\\n乙", "target": "丙"}),                                               None),
    "belle_multiturn":       ("multiturn_chat_0.8M.json",            lines({"instruction": "Human:甲\nAssistant:乙\nHuman:丙\nAssistant:", "input": "", "output": "丁"}), [(U, "甲"), (A, "乙"), (U, "丙"), (A, "丁")]),
    "guanaco":               ("guanaco_chat_all-utf8.json",          array({"instruction": "User: a\nAssistant: b", "input": "User: c", "output": "d"}),         [(U, "a"), (A, "b"), (U, "c"), (A, "d")]),
    "gpt4all_p3":            ("data.jsonl",                          lines({"prompt": "Hi", "response": "Ho", "source": "p3"}),                                [(U, "Hi"), (A, "Ho")]),
    "gpt4all_j":             ("data/train-0.parquet",                parquet({"prompt": "Hi", "response": "Ho", "source": "p3"}),                              [(U, "Hi"), (A, "Ho")]),
    "dolly_15k":             ("databricks-dolly-15k.jsonl",          lines({"instruction": "Who?", "context": "Ada did.", "response": "Ada", "category": "qa"}), [(U, "Who?\n\nAda did."), (A, "Ada")]),
    "dolly_15k_alpaca":      ("data/train-0.parquet",                parquet(ALPACA_ROW | {"category": "qa"}),                                                 ADDED),
    "oig":                   ("unified_chip2.jsonl",                 lines({"text": "<human>: Hi\n<bot>: Ho", "metadata": {"source": "x"}}),                    [(U, "Hi"), (A, "Ho")]),
    "hugnlp":                ("instruction_corpora.json.zip",        zipped(**{"instruction_corpora.json": lines({"text": "Human: Hi \n HugChat: Ho \n\n"})}), [(U, "Hi"), (A, "Ho")]),
    "llama_chinese_sft":     ("dev_sft.csv",                         '"text"\n"<s>Human: 甲\n</s><s>Assistant: ""乙""\n</s>"\n'.encode(),                       [(U, "甲"), (A, '"乙"')]),
    "doit":                  ("curated/full/role_play_full.json",    lines({"messages": [said(U, "甲"), said(A, "乙")]}),                                       [(U, "甲"), (A, "乙")]),
    "flan_cot":              ("gsm8k_train.tsv",                     b"What is 1+1?\t2\tOne and one are two.\n",                                               None),
    "lmflow_medmcqa":        ("MedMCQA.tar.gz",                      medical("MedMCQA"),                                                                       MEDICINE),
    "lmflow_medqa_usmle":    ("MedQA-USMLE.tar.gz",                  medical("MedQA-USMLE"),                                                                   MEDICINE),
    "lmflow_pubmedqa":       ("PubMedQA.tar.gz",                     medical("PubMedQA"),                                                                      MEDICINE),
    "oasst1":                ("ready.trees.jsonl.gz",                gzip.compress(lines(TREE)),                                                               [(U, "Hi"), (A, "Hello")]),
    "sharegpt_vicuna":       ("ShareGPT_V3.json",                    array({"id": "1", "conversations": [told("human", "Hi"), told("gpt", "Ho")]}),            [(U, "Hi"), (A, "Ho")]),
    "no_robots":             ("data/train-0.parquet",                parquet({"prompt": "Hi", "prompt_id": "1", "messages": [said(U, "Hi"), said(A, "Ho")], "category": "Chat"}), [(U, "Hi"), (A, "Ho")]),
    "ultrachat_200k":        ("data/train_sft-0.parquet",            parquet({"prompt": "Hi", "prompt_id": "1", "messages": [said(U, "Hi"), said(A, "Ho")]}),  [(U, "Hi"), (A, "Ho")]),
    "hh_rlhf":               ("helpful-base/train.jsonl.gz",         gzip.compress(lines({"chosen": "\n\nHuman: Hi\n\nAssistant: Ho", "rejected": "\n\nHuman: Hi\n\nAssistant: No"})), [(U, "Hi"), (A, "Ho")]),
    "orca_dpo_pairs":        ("orca_rlhf.jsonl",                     lines({"system": "", "question": "Hi", "chosen": "Ho", "rejected": "No"}),                [(U, "Hi"), (A, "Ho")]),
    "ultrafeedback_binarized": ("data/train_prefs-0.parquet",        parquet({"prompt": "Hi", "prompt_id": "1", "chosen": [said(U, "Hi"), said(A, "Ho")], "rejected": [said(U, "Hi"), said(A, "No")], "messages": [said(U, "Hi"), said(A, "Ho")], "score_chosen": 9.0, "score_rejected": 1.0}), [(U, "Hi"), (A, "Ho")]),
    "kto_mix_14k":           ("data/train-0.parquet",                parquet({"prompt": [said(U, "Hi")], "completion": [said(A, "Ho")], "label": True}),       [(U, "Hi"), (A, "Ho")]),
    "llama_factory_dpo_en":  ("dpo_en_demo.json",                    array({"conversations": [told("human", "Hi")], "chosen": told("gpt", "Ho"), "rejected": told("gpt", "No")}), [(U, "Hi"), (A, "Ho")]),
    "llama_factory_kto_en":  ("kto_en_demo.json",                    array({"messages": [said(U, "Hi"), said(A, "Ho")], "label": True}),                       [(U, "Hi"), (A, "Ho")]),
}
# fmt: on
CATEGORIES = {
    "gpt4all_p3": "p3",
    "oig": "unified_chip2",
    "doit": "role_play_full",
    "flan_cot": "gsm8k_train",
    "lmflow_medmcqa": "medicine",
    "no_robots": "Chat",
    "dolly_15k": "qa",
    "dolly_15k_alpaca": "qa",
    "finance_alpaca": "finance",
}


@pytest.mark.parametrize("name", NATIVE)
def test_a_source_file_reads_a_row_as_upstream_has_it(tmp_path: Path, name: str) -> None:
    file, content, conversation = NATIVE[name]

    done = normalized(tmp_path, {file: content}, load_source(name, DEPLOYMENTS))

    assert (done.manifest.rows_in, done.records.height) == (1, 1)
    if conversation is not None:
        assert done.conversations == [conversation]
    if name in CATEGORIES:
        assert done.records["category"].to_list() == [CATEGORIES[name]]


@pytest.mark.parametrize("name", ["kto_mix_14k", "llama_factory_kto_en"])
def test_an_answer_that_people_did_not_want_is_counted_and_not_kept(
    tmp_path: Path, name: str
) -> None:
    file, *_ = NATIVE[name]
    rows = (
        parquet(
            {"prompt": [said(U, "Hi")], "completion": [said(A, "Ho")], "label": True},
            {"prompt": [said(U, "Hi")], "completion": [said(A, "No")], "label": False},
        )
        if name == "kto_mix_14k"
        else array(
            {"messages": [said(U, "Hi"), said(A, "Ho")], "label": True},
            {"messages": [said(U, "Hi"), said(A, "No")], "label": False},
        )
    )

    done = normalized(tmp_path, {file: rows}, load_source(name, DEPLOYMENTS))

    assert done.conversations == [[(U, "Hi"), (A, "Ho")]]
    assert done.reasons == ["rejected_response"]


@pytest.mark.skipif(real.missing(), reason=real.REASON)
@pytest.mark.parametrize("name", real.COPIES)
def test_a_source_file_reads_the_real_rows_of_its_upstream(tmp_path: Path, name: str) -> None:
    source = load_source(name, DEPLOYMENTS).at(real.ROOT / real.COPIES[name])
    lake = Lake(str(tmp_path / "lake"))

    sample = first_records(download(source, lake), source, lake, 40)

    assert sample.records.height == 40
    assert sample.ledger.is_empty()
    if source.category is not None:
        assert sample.records["category"].null_count() == 0
