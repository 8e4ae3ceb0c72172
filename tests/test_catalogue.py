"""The catalogue: its page and its how-to say what the source files say and what they do."""

import re
import tarfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from flows.catalogue import catalogue
from schemas.recipe import DEPLOYMENTS, Recipe, known_sources, load_recipe
from schemas.source import Layout, Source
from tasks.download.fetch import download
from tasks.lake import Lake
from tasks.normalize.sample import first_records

ROOT = DEPLOYMENTS.parent
SOURCES = {source.name: source for source in known_sources()}
UPSTREAM = {name: source for name, source in SOURCES.items() if source.local is None}
HOW_TO = (ROOT / "docs/how-to/add-a-corpus.md").read_text("utf-8")
SHOWN = dict(re.findall(r"^`([\w.]+)`:\n\n```\w+\n(.*?)^```", HOW_TO, re.MULTILINE | re.DOTALL))
BLOCKS = {
    block["name"]: block
    for block in map(yaml.safe_load, re.findall(r"^```yaml\n(.*?)^```", HOW_TO, re.M | re.S))
}
LICENCES = {
    *("Apache-2.0", "CC-BY-3.0", "CC-BY-4.0", "CC-BY-NC-4.0", "CC-BY-SA-3.0", "GPL-3.0-only"),
    *("MIT", "unknown"),
}


def test_the_page_is_made_from_the_source_files() -> None:
    page = (ROOT / "docs/sources.md").read_text("utf-8")
    assert page == catalogue(known_sources()), "run: winnow sources list --markdown"


def test_every_row_of_the_fields_catalogue_has_a_source_file() -> None:
    assert SOURCES.keys() >= {
        *("alpaca", "alpaca_cleaned", "alpaca_gpt4_en", "alpaca_gpt4_zh"),
        *("alpaca_zh_carbonz0", "alpaca_zh_hikariming"),
        *("belle_0_5m", "belle_1m", "belle_generated_0_5m", "belle_generated_1m"),
        *("belle_school_math", "belle_multiturn", "gpt4all_p3", "oig", "guanaco"),
        *("medmcqa", "medqa_usmle", "pubmedqa"),
        *("lmflow_medmcqa", "lmflow_medqa_usmle", "lmflow_pubmedqa"),
        *("hugnlp", "doit", "doit_synthetic", "flan_cot", "dolly_15k", "dolly_15k_alpaca"),
        *("alpaca_cot_alpaca", "alpaca_cot_belle", "alpaca_cot_belle1.5m", "alpaca_cot_cot"),
        *("alpaca_cot_finance_en", "oasst1", "sharegpt_vicuna", "no_robots"),
        *("hh_rlhf", "orca_dpo_pairs", "kto_mix_14k"),
    }


def test_every_layout_has_a_source() -> None:
    unused = set(Layout) - {source.layout for source in SOURCES.values()}
    assert unused == {Layout.AUTO, Layout.TEMPLATE}  # for corpora that are not known yet


@pytest.mark.parametrize("source", UPSTREAM.values(), ids=UPSTREAM)
def test_a_source_says_whose_it_is_and_how_much_of_it_there_is(source: Source) -> None:
    assert source.title
    assert source.citation
    assert source.homepage.startswith("https://")
    assert source.languages
    assert all(re.fullmatch("[a-z]{2}", code) for code in source.languages)
    assert source.licence in LICENCES
    assert 1 < source.expected_rows.min <= source.expected_rows.max < 2**32 - 1


def test_no_two_upstream_sources_have_the_same_priority() -> None:
    priorities = [source.priority for source in UPSTREAM.values()]
    assert len(set(priorities)) == len(priorities)


# fmt: off
MADE_OF = {  #                   the original          what was made of it
    "translated":               ("alpaca",             "alpaca_zh_carbonz0"),
    "translated, GPT-4":        ("alpaca_gpt4_en",     "alpaca_gpt4_zh"),
    "translated rationales":    ("flan_cot",           "alpaca_cot_cot_zh"),
    "cleaned":                  ("alpaca_cleaned",     "alpaca"),
    "an older form":            ("belle_0_5m",         "belle_generated_0_5m"),
    "an older form, a million": ("belle_1m",           "belle_generated_1m"),
    "other columns":            ("dolly_15k",          "dolly_15k_alpaca"),
    "formatted":                ("belle_0_5m",         "alpaca_cot_belle"),
    "formatted rationales":     ("flan_cot",           "alpaca_cot_cot"),
    "formatted finance":        ("finance_alpaca",     "alpaca_cot_finance_en"),
    "bundled":                  ("medmcqa",            "lmflow_medmcqa"),
    "bundled examinations":     ("medqa_usmle",        "lmflow_medqa_usmle"),
    "bundled abstracts":        ("pubmedqa",           "lmflow_pubmedqa"),
    "collected":                ("oig",                "hugnlp"),
    "drawn from":               ("belle_multiturn",    "doit_synthetic"),
}
# fmt: on


@pytest.mark.parametrize(("original", "made"), MADE_OF.values(), ids=MADE_OF)
def test_an_original_comes_before_what_was_made_of_it(original: str, made: str) -> None:
    assert SOURCES[original].priority < SOURCES[made].priority


# fmt: off
MIXTURES = {  #     recipe           its sources
    "alpaca":       ("alpaca",),
    "belle":        ("belle_0_5m",),
    "cot":          ("flan_cot",),
    "alpaca-belle": ("alpaca", "belle_0_5m"),
    "alpaca-cot":   ("alpaca", "flan_cot"),
    "belle1.5m":    ("belle_0_5m", "belle_1m"),
    "finance":      ("finance_alpaca",),
}
# fmt: on


@pytest.mark.parametrize(("recipe", "sources"), MIXTURES.items(), ids=MIXTURES)
def test_a_named_mixture_has_its_sources_and_a_gate_they_can_pass(
    recipe: str, sources: tuple[str, ...]
) -> None:
    loaded = load_recipe(recipe)
    assert tuple(source.name for source in loaded.resolved_sources) == sources
    at_most = sum(source.expected_rows.max for source in loaded.resolved_sources)
    assert at_most / 2 < loaded.gates.min_rows < at_most


# --- the how-to


def sampled(block: dict[str, Any], folder: Path) -> list[list[tuple[str, str]]]:
    """The conversations that a block of the how-to makes of the files it shows."""
    for name, content in SHOWN.items():
        (folder / name).write_text(content, encoding="utf-8")
    with tarfile.open(folder / "bundle.tar.gz", "w:gz") as bundle:
        for name in SHOWN:
            bundle.add(folder / name, f"data/{name}")
    (folder / "it.yaml").write_text(yaml.safe_dump(block), encoding="utf-8")
    source = Source.from_yaml(folder / "it.yaml")
    lake = Lake(str(folder / "lake"))
    sample = first_records(download(source, lake), source, lake, 10)
    assert sample.ledger.is_empty()
    return [
        [(message["role"], message["content"]) for message in messages]
        for messages in sample.records["messages"].to_list()
    ]


U, A, S = "user", "assistant", "system"
# fmt: off
FIRST = {  #     its first conversation
    "notes":    [(U, "Name a noble gas."), (A, "Neon.")],
    "trivia":   [(S, "Answer in one sentence."), (U, "Capital of Peru?"), (A, "Lima.")],
    "pairs":    [(U, "What is ice?"), (A, "Frozen water.")],
    "calls":    [(U, "Is the shop open?"), (A, "Until six.")],
    "elements": [(U, "Which element has the symbol Ne, and when was it discovered?"), (A, "neon, in 1898.")],
    "bundle":   [(U, "Name a noble gas."), (A, "Neon.")],
}
# fmt: on


@pytest.mark.parametrize(("name", "conversation"), FIRST.items(), ids=FIRST)
def test_a_source_file_of_the_how_to_reads_the_rows_it_shows(
    tmp_path: Path, name: str, conversation: list[tuple[str, str]]
) -> None:
    conversations = sampled(BLOCKS[name], tmp_path)
    assert conversations[0] == conversation
    assert len(conversations) == (1 if name == "calls" else 2)


def test_every_other_block_of_the_how_to_is_a_valid_source_or_recipe(tmp_path: Path) -> None:
    others = {name: block for name, block in BLOCKS.items() if name not in FIRST}
    recipes = {name for name, block in others.items() if "sources" in block}
    assert (set(others) - recipes, recipes) == ({"big", "pinned"}, {"my-corpus"})
    for name in set(others) - recipes:
        Source.from_mapping(others[name], name)
    (tmp_path / "r.yaml").write_text(yaml.safe_dump(others["my-corpus"]))
    changed = load_recipe(str(tmp_path / "r.yaml")).source("belle_0_5m")
    assert changed.hub is not None
    assert changed.priority == 5


def test_the_how_to_names_only_keys_and_layouts_that_there_are() -> None:
    named = set(re.findall(r"`([a-z_]+): ", HOW_TO)) | set(re.findall(r"`([a-z]+_[a-z]+)`", HOW_TO))
    there = {*Source.model_fields, *Recipe.model_fields, "stream"}
    assert named <= there
