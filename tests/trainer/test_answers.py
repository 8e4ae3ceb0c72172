"""Validation prompts answered greedily by base and adapter: chosen, asked, scored and kept."""

from pathlib import Path
from typing import Any

import pytest
from transformers import AutoModelForCausalLM, AutoTokenizer

from schemas.adapter import AnswerSample, Reply
from schemas.answers import Decoding
from schemas.errors import StorageError
from tests.trainer.building import build_corpus, conversations, recipe_of
from tests.trainer.test_run import train
from trainer.answers import SAMPLES, Question, Quiz, make_quiz, read_samples, samples_of, score
from trainer.corpus import Corpus
from trainer.generation import Assistant
from trainer.templates import choose_template
from trainer.tokenize import tokenize


@pytest.fixture(scope="module")
def assistant(tiny_model: Path) -> Assistant:
    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    template = choose_template(tokenizer, None, "tiny")
    return Assistant(AutoModelForCausalLM.from_pretrained(tiny_model), template)


def quiz(assistant: Assistant, folder: Path, model: Path, **settings: Any) -> Quiz:
    recipe = recipe_of(model, **({"answers": 4, "answer_tokens": 6, "max_tokens": 128} | settings))
    validation = conversations(9, start=64)
    validation[2][0]["content"] *= 30  # too long, so it is not among the rows
    validation[3] = [{"role": "user", "content": "Hello"}, *validation[3][1:2], *validation[3]]
    corpus = Corpus(build_corpus(folder, recipe, conversations(6), validation))
    assert recipe.train
    rows = tokenize(
        corpus, recipe.train, assistant.template, folder / "tokens", lambda *_: None
    ).validation
    return make_quiz(assistant, corpus, rows, recipe.train, recipe.seed)


def test_questions_are_validation_rows_that_were_kept(
    assistant: Assistant, tmp_path: Path, tiny_model: Path
) -> None:
    asked = quiz(assistant, tmp_path, tiny_model, answers=99).questions
    assert [one.row for one in asked] == [0, 1, 3, 4, 5, 6, 7, 8]
    assert asked[0].messages == tuple(conversations(1, start=64)[0][:1])
    assert asked[0].reference == "It is red."
    assert [one.source for one in asked[:4]] == ["things", "things", "things", "things"]
    assert asked[2].prompt.startswith("user: Hello\n\nassistant: It is")


def test_the_same_seed_asks_the_same(
    assistant: Assistant, tmp_path: Path, tiny_model: Path
) -> None:
    one, other = (quiz(assistant, tmp_path / name, tiny_model) for name in "ab")
    assert one == other
    assert len(one.questions) == 4


def test_a_prompt_that_leaves_no_room_is_not_asked(
    assistant: Assistant, tmp_path: Path, tiny_model: Path
) -> None:
    assert quiz(assistant, tmp_path, tiny_model, answer_tokens=250).questions == ()


def test_nothing_is_asked_where_nothing_is_wanted(
    assistant: Assistant, tmp_path: Path, tiny_model: Path
) -> None:
    found = quiz(assistant, tmp_path, tiny_model, answers=0)
    assert found.ask(assistant) == ()
    assert score(found, ()) is None


def test_answers_are_those_of_each_question_alone(
    assistant: Assistant, tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = quiz(assistant, tmp_path, tiny_model)
    together = asked.ask(assistant)
    monkeypatch.setattr("trainer.answers.BATCH_TOKENS", 1)
    assert asked.ask(assistant) == together
    decoding = Decoding(max_new_tokens=6)
    for question, reply in zip(asked.questions, together, strict=True):
        assert assistant.answer(list(question.messages), decoding).text == reply.text


def of(*pairs: tuple[str, str, bool]) -> tuple[Quiz, list[Reply]]:
    questions = tuple(
        Question(row, "a", ({"role": "user", "content": "?"},), None, wanted)
        for row, (wanted, _, _) in enumerate(pairs)
    )
    replies = [Reply(text=given, finished=finished) for _, given, finished in pairs]
    return Quiz(questions, ((),) * len(pairs), Decoding()), replies


def test_scores_are_shares_of_all_answers() -> None:
    asked, replies = of(
        ("It is red.", "It is red.", True),
        ("It is red.", "it is  RED.", True),
        ("It is red.", "It is blue.", True),
        ("It is red.", "", False),
    )
    found = score(asked, replies)
    assert found is not None
    assert (found.answers, found.exact, found.exact_folded, found.unfinished) == (4, 0.25, 0.5, 1)
    assert found.rouge_l == pytest.approx((1 + 1 + 2 / 3 + 0) / 4)
    assert 0.25 < found.chrf < 0.75


def test_an_adapter_that_learned_answers_better_than_its_base(tmp_path: Path, tiny_model: Path):
    recipe = recipe_of(tiny_model, max_steps=60, answers=4, answer_tokens=12)
    path = build_corpus(tmp_path / "lake", recipe, conversations(64), conversations(8, start=64))
    done = train(path, recipe)
    before, after = done.manifest.answers_before, done.manifest.answers_after
    assert before
    assert after
    assert after.rouge_l > before.rouge_l + 0.3
    samples = read_samples(Path(done.folder) / SAMPLES)
    assert len(samples) == after.answers == 4
    assert all(sample.reference.startswith("It is") for sample in samples)
    card = (Path(done.folder) / "adapter" / "README.md").read_text("utf-8")
    assert f"| {after.exact:.1%} | {after.exact_folded:.1%} | {after.rouge_l:.1%} |" in card
    assert samples[0].prompt in card


@pytest.mark.parametrize("text", ['{"row": 1}\n', "no json\n", "\xff"])
def test_damaged_samples_are_one_clear_error(text: str, tmp_path: Path) -> None:
    path = tmp_path / SAMPLES
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(StorageError, match=r"answers\.jsonl cannot be read"):
        read_samples(path)


def test_samples_come_back_whatever_they_hold(tmp_path: Path) -> None:
    from trainer.answers import write_samples

    asked, replies = of(("a\u2028b\n\x85", "\ufeff<b>", True), ("", "\x00", False))
    samples = samples_of(asked, replies, replies)
    write_samples(tmp_path / SAMPLES, samples)
    assert read_samples(tmp_path / SAMPLES) == samples
    assert all(isinstance(sample, AnswerSample) for sample in samples)
