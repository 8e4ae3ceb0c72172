"""Proof of learning: rows that no model has seen, answered greedily, base model beside adapter.

The whole way is the real one: a corpus version, `run`, what it saved, and the assistant that chat
and generate use. First all weights of a random model learn to turn four digits round; then an
adapter on that model learns to raise each digit by one, which the model cannot do.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from schemas.adapter import TrainingRun
from schemas.answers import Decoding
from schemas.train import Lora, Method
from tests.trainer.building import Messages, build_corpus, build_model, recipe_of
from trainer.opening import open_assistant
from trainer.progress import Progress
from trainer.run import run

LEARNT = 0.95
"""Of the held-out rows answered to the character: the least that counts as learnt."""
UNLEARNT = 0.05
"""The most that the base model may know of it beforehand."""
ROWS, HELD_OUT = 2_000, 200
SHAPE = {
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_key_value_heads": 4,
    "initializer_range": 0.05,
}
SETTINGS = {
    "batch_size": 32,
    "save_steps": 1_000,
    "evaluation_rows": HELD_OUT,
    "answers": HELD_OUT,
    "answer_tokens": 8,
    "push": None,
}
"""Of both runs."""


def turned(digits: str) -> str:
    return digits[::-1]


def swapped(digits: str) -> str:
    return digits[2:] + digits[:2]


def rows_of(word: str, answer: Callable[[str], str], seed: int) -> tuple[list[Messages], ...]:
    """Training and held-out conversations; no four digits are in both."""
    chosen = random.Random(seed).sample(range(10_000), ROWS + HELD_OUT)
    rows = [
        [
            {"role": "user", "content": f"{word} {number:04}."},
            {"role": "assistant", "content": answer(f"{number:04}")},
        ]
        for number in chosen
    ]
    return rows[:ROWS], rows[ROWS:]


@dataclass(frozen=True)
class Lesson:
    """A finished run, and the rows that it was not shown."""

    done: TrainingRun
    held_out: list[Messages]
    lake: Path

    @property
    def adapter(self) -> Path:
        return Path(self.done.folder) / "adapter"


@pytest.fixture(scope="module")
def turning(tmp_path_factory: pytest.TempPathFactory) -> Lesson:
    """All weights of a random model, trained to turn four digits round."""
    lake = tmp_path_factory.mktemp("turning")
    model = build_model(lake / "model", **SHAPE)
    train, held_out = rows_of("Reverse", turned, seed=1)
    recipe = recipe_of(model, **SETTINGS, method=Method.FULL, max_steps=500, learning_rate=3e-3)
    manifest = build_corpus(lake, recipe, train, held_out)
    return Lesson(run(manifest, recipe, lake, None, Progress()), held_out, lake)


@pytest.fixture(scope="module")
def swapping(turning: Lesson, tmp_path_factory: pytest.TempPathFactory) -> Lesson:
    """An adapter on that model, trained to swap their halves."""
    lake = tmp_path_factory.mktemp("swapping")
    train, held_out = rows_of("Swap", swapped, seed=2)
    recipe = recipe_of(
        turning.adapter,
        **SETTINGS,
        lora=Lora(rank=8, alpha=16),
        max_steps=300,
        learning_rate=5e-3,
    )
    manifest = build_corpus(lake, recipe, train, held_out)
    return Lesson(run(manifest, recipe, lake, None, Progress()), held_out, lake)


def answered(lesson: Lesson) -> float:
    """The share of held-out rows that what was saved, opened anew, answers to the character."""
    assistant = open_assistant(str(lesson.adapter), lesson.lake)
    prompts = [assistant.prompt_ids(row[:1]) for row in lesson.held_out]
    decoding = Decoding(max_new_tokens=8)
    answers = assistant.answer_all(prompts, decoding, range(len(prompts)))
    pairs = zip(answers, lesson.held_out, strict=True)
    return sum(one.text == row[1]["content"] for one, row in pairs) / len(answers)


@pytest.mark.parametrize("name", ["turning", "swapping"], ids=["all weights", "an adapter"])
def test_rows_that_were_never_seen_are_answered_to_the_character(name, request):
    lesson = request.getfixturevalue(name)
    before, after = lesson.done.manifest.answers_before, lesson.done.manifest.answers_after
    assert before.answers == after.answers == HELD_OUT
    assert before.exact <= UNLEARNT
    assert after.exact >= LEARNT
    assert answered(lesson) == after.exact


def test_the_adapter_is_over_the_model_that_the_first_run_made(turning, swapping):
    made = swapping.done.manifest
    assert made.base_digest == turning.done.manifest.adapter_sha256
    assert made.acceptance.nonzero_lora_b == made.acceptance.tensors // 2
