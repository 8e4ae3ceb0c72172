from collections.abc import Callable
from pathlib import Path

import pytest

from schemas.recipe import Recipe
from tests.trainer.building import build_corpus, build_model, conversations, recipe_of
from trainer.quiet import hush

hush()
SHARED = Path(__file__).resolve().parents[3] / "shared"


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a two-layer LLaMA, random by a fixed seed, its tokenizer and chat template."""
    return build_model(tmp_path_factory.mktemp("model"))


@pytest.fixture
def recipe(tiny_model: Path) -> Recipe:
    """Ten steps on the tiny model, pushed to the folder hub."""
    return recipe_of(tiny_model)


@pytest.fixture
def manifest(tmp_path: Path, recipe: Recipe) -> Path:
    """The manifest of a corpus of 64 training and 8 validation conversations of two sources."""
    return build_corpus(tmp_path / "lake", recipe, conversations(64), conversations(8, start=64))


@pytest.fixture(scope="session")
def shared() -> Callable[[str], Path]:
    """The path of something under ../shared; skips the test where it is absent."""

    def find(name: str) -> Path:
        path = SHARED / name
        if not path.exists():
            pytest.skip(f"{path} is absent: real models and tokenizers do not ship with Winnow")
        return path

    return find


OTHERS_HABITS = (
    "ignore:`is_gradient_checkpointing` is deprecated:FutureWarning",  # peft asks transformers
    "ignore:Use 'content=:DeprecationWarning",  # huggingface_hub uploads a file through httpx2
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Warnings that libraries raise about one another are no fault of ours."""
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            for habit in OTHERS_HABITS:
                item.add_marker(pytest.mark.filterwarnings(habit))
