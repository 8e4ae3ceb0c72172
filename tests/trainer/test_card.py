"""The model card: valid, complete, and inert whatever a name holds."""

import re
from pathlib import Path

import pytest
import yaml

from schemas.adapter import StepRows
from schemas.manifest import CorpusManifest
from schemas.train import AUTO_ROWS, BaseModel
from tests.trainer.building import build_corpus, conversations, recipe_of
from trainer.card import model_card
from trainer.progress import Progress
from trainer.run import run

NASTY = "a|b <script>alert(1)</script> `x` [y](z)\n---\nlicense: mit"


@pytest.fixture(scope="module")
def made(tmp_path_factory, tiny_model):
    lake = tmp_path_factory.mktemp("lake")
    recipe = recipe_of(tiny_model, max_steps=2)
    path = build_corpus(lake, recipe, conversations(12), conversations(4))
    result = run(path, recipe, lake, None, Progress())
    corpus = CorpusManifest.model_validate_json(path.read_text("utf-8"))
    return result.manifest, corpus, Path(result.folder)


def front_matter(card: str) -> dict[str, object]:
    _, front, _ = re.split(r"^---\n", card, maxsplit=2, flags=re.MULTILINE)
    return dict(yaml.safe_load(front))


def test_the_card_names_what_the_adapter_was_made_from(made):
    manifest, corpus, folder = made
    card = (folder / "adapter" / "README.md").read_text("utf-8")
    assert card == model_card(manifest.model_copy(update={"pushed": None}), corpus)
    for fact in (corpus.digest, manifest.base_digest, manifest.adapter_sha256, "CC0-1.0", "v0001"):
        assert fact in card
    assert front_matter(card)["base_model"] == "tests/tiny"


def test_names_from_recipes_and_sources_are_inert(made):
    manifest, corpus, _ = made
    base = BaseModel(name=NASTY, path="/x", licence=NASTY)
    train = manifest.train.model_copy(update={"base_model": base})
    sources = tuple(
        source.model_copy(update={"name": NASTY, "licence": NASTY}) for source in corpus.sources
    )
    card = model_card(
        manifest.model_copy(update={"base_model": NASTY, "train": train}),
        corpus.model_copy(update={"sources": sources}),
    )
    assert front_matter(card)["base_model"] == " ".join(NASTY.split())
    assert front_matter(card)["license"] == "other"
    body = card.split("---\n\n", 1)[1]
    assert "<script" not in body
    assert "](z)" not in body.replace("\\]", "")
    tables = [line for line in body.splitlines() if line.startswith("|")]
    assert all(line.endswith("|") for line in tables)


def test_a_run_without_validation_says_so(made):
    manifest, corpus, _ = made
    card = model_card(manifest.model_copy(update={"before": None, "after": None}), corpus)
    assert "no validation split" in card


# fmt: off
BATCHES = {                  # recipe   found                        what the card says
    "as it says":            (4,        (4, 2, 1),                   "4 x 2 conversations"),
    "found by trial":        ("auto",   (2, 4, 1),                   "2 x 4 conversations, found by trial"),
    "of several processes":  (4,        (4, 1, 2),                   "4 x 1 conversations x 2 processes"),
    "of an older manifest":  (4,        None,                        "4 x 1 conversations"),
}
# fmt: on


@pytest.mark.parametrize(("asked", "found", "said"), BATCHES.values(), ids=BATCHES.keys())
def test_the_card_says_how_many_conversations_a_step_had(asked, found, said, made):
    manifest, corpus, _ = made
    names = ("batch_size", "accumulation", "processes")
    rows = found and StepRows(**dict(zip(names, found, strict=True)))
    train = manifest.train.model_copy(update={"batch_size": asked})
    card = model_card(manifest.model_copy(update={"train": train, "step_rows": rows}), corpus)
    assert f"| batch | {said} |" in card


def test_a_batch_that_was_found_is_in_the_manifest_and_on_the_card(tmp_path, tiny_model):
    recipe = recipe_of(tiny_model, max_steps=2, batch_size="auto")
    path = build_corpus(tmp_path, recipe, conversations(12), conversations(4))
    done = run(path, recipe, tmp_path, None, Progress())
    found = done.manifest.step_rows
    assert found.rows == AUTO_ROWS
    card = (Path(done.folder) / "adapter" / "README.md").read_text("utf-8")
    assert f"{found.batch_size} x {found.accumulation} conversations, found by trial" in card
    assert "auto x" not in card
