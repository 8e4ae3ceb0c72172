"""Answers: the same in a batch as alone, on every family; sampled by their own seed; scored."""

import math
import signal
import threading
from dataclasses import replace
from functools import cache
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM

from schemas.answers import Decoding, Finish
from schemas.errors import ConfigError, TrainingError
from tests.trainer.building import build_tokenizer
from tests.trainer.families import FAMILIES, config_of
from trainer.generation import Answer, Assistant, StopAnswering
from trainer.templates import choose_template

QUESTIONS = ("Hi", "What colour is thing 1?", "", "Name every colour, one after another, in order.")


@cache
def assistant_of(family: str) -> Assistant:
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config_of(family)).eval()
    return Assistant(model, choose_template(build_tokenizer(), None, "tiny"))


@pytest.fixture
def llama() -> Assistant:
    return assistant_of("llama")


def ask(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


def prompts_of(assistant: Assistant) -> list[list[int]]:
    return [assistant.prompt_ids(ask(question)) for question in QUESTIONS]


# fmt: off
WAYS = {
    "greedy":             Decoding(max_new_tokens=12),
    "repetition penalty": Decoding(max_new_tokens=12, repetition_penalty=1.5),
    "sampling":           Decoding(max_new_tokens=12, temperature=1.5, top_p=0.9, top_k=50, seed=7),
    "beams":              Decoding(max_new_tokens=8, beams=3),
    "a stop string":      Decoding(max_new_tokens=12, stop=("e", "\n")),
}
# fmt: on


def same(one: Answer, other: Answer) -> bool:
    """The scores may differ by what sums in another order differ."""
    told = [(one.text, one.finish, one.tokens), (other.text, other.finish, other.tokens)]
    return told[0] == told[1] and math.isclose(one.score, other.score, abs_tol=1e-3)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_batched_greedy_answer_is_the_one_that_it_has_alone(family):
    assistant = assistant_of(family)
    prompts = prompts_of(assistant)
    together = assistant.answer_all(prompts, WAYS["greedy"], range(4))
    alone = [assistant.answer_prompt(prompt, WAYS["greedy"]) for prompt in prompts]
    assert all(map(same, together, alone)), (together, alone)
    assert len({answer.text for answer in together}) > 1


@pytest.mark.parametrize("decoding", WAYS.values(), ids=WAYS.keys())
def test_every_way_of_decoding_is_blind_to_what_else_is_answered(decoding, llama):
    prompts = prompts_of(llama)
    together = llama.answer_all(prompts, decoding, range(4))
    alone = [llama.answer_prompt(one, decoding, draw=draw) for draw, one in enumerate(prompts)]
    assert all(map(same, together, alone)), (together, alone)


def raw_greedy(assistant: Assistant, prompt: list[int], count: int) -> tuple[list[int], float]:
    """The likeliest token again and again, one whole forward pass each."""
    ids, score = list(prompt), 0.0
    with torch.inference_mode():
        for _ in range(count):
            logits = assistant.model(input_ids=torch.tensor([ids])).logits[0, -1].log_softmax(-1)
            ids.append(int(logits.argmax()))
            score += float(logits.max())
            if ids[-1] in assistant.stop_ids:
                break
    return ids[len(prompt) :], score


def test_a_greedy_answer_takes_the_likeliest_token_and_scores_it(llama):
    prompt = llama.prompt_ids(ask("What colour is thing 1?"))
    ids, score = raw_greedy(llama, prompt, 12)
    answer = llama.answer_prompt(prompt, WAYS["greedy"])
    assert answer.text == llama.words([ids])[0]
    assert answer.tokens == len(ids)
    assert answer.score == pytest.approx(score, abs=1e-3)
    assert answer.mean_score == pytest.approx(score / len(ids), abs=1e-3)


def test_beams_find_an_answer_no_less_likely_per_token(llama):
    prompt = llama.prompt_ids(ask("Hi"))
    greedy = llama.answer_prompt(prompt, Decoding(max_new_tokens=8))
    beams = llama.answer_prompt(prompt, Decoding(max_new_tokens=8, beams=4))
    assert beams.mean_score >= greedy.mean_score


def test_a_penalty_on_repetition_makes_an_answer_of_other_tokens(llama):
    prompt = llama.prompt_ids(ask("Hi"))
    free, bound = (
        llama.answer_prompt(prompt, Decoding(max_new_tokens=40, repetition_penalty=penalty))
        for penalty in (1.0, 50.0)
    )
    distinct = [len(set(llama.encoder.verbatim([one.text])[0])) for one in (free, bound)]
    assert distinct[1] > distinct[0]


@pytest.mark.parametrize("decoding", WAYS.values(), ids=WAYS.keys())
def test_an_answer_stops_alike_whether_stops_pad_it_or_not(decoding, llama):
    """Rows are padded with the stop token, and a penalty does not fall on padding."""
    prompts = prompts_of(llama)
    likely = raw_greedy(llama, prompts[0], 3)[0][2]
    stopping = Assistant(llama.model, replace(llama.template, stop_id=likely))
    together = stopping.answer_all(prompts, decoding, range(4))
    alone = [stopping.answer_prompt(one, decoding, draw=draw) for draw, one in enumerate(prompts)]
    assert all(map(same, together, alone)), (together, alone)


def test_the_same_seed_samples_the_same_answer_and_another_seed_another(llama):
    prompt = llama.prompt_ids(ask("Hi"))
    warm = {"max_new_tokens": 16, "temperature": 2.0}
    first, again, other = (
        llama.answer_prompt(prompt, Decoding(**warm, seed=seed)) for seed in (1, 1, 2)
    )
    assert first == again
    assert first.text != other.text
    assert llama.answer_prompt(prompt, Decoding(**warm, seed=1), draw=1).text != first.text


def test_tokens_are_drawn_as_often_as_they_are_likely(llama):
    prompt = llama.prompt_ids(ask("Hi"))
    with torch.inference_mode():
        logits = llama.model(input_ids=torch.tensor([prompt])).logits[0, -1]
    likely = logits.softmax(-1).topk(3)
    decoding = Decoding(max_new_tokens=1, temperature=1.0)
    answers = llama.answer_all([prompt] * 4000, decoding, range(4000))
    scores = torch.tensor([answer.score for answer in answers])
    for share in likely.values:
        drawn = (scores - share.log()).abs().lt(1e-4).float().mean()
        assert drawn == pytest.approx(float(share), abs=4 * math.sqrt(float(share) / 4000))


@pytest.mark.parametrize("narrow", [{"top_k": 1}, {"top_p": 1e-6}], ids=["top_k", "top_p"])
def test_sampling_among_one_token_is_greedy(narrow, llama):
    prompt = llama.prompt_ids(ask("Hi"))
    sampled = llama.answer_prompt(prompt, Decoding(max_new_tokens=12, temperature=3.0, **narrow))
    assert same(sampled, llama.answer_prompt(prompt, Decoding(max_new_tokens=12)))


def test_what_the_makers_of_a_model_recommend_is_not_used(llama):
    own = llama.model.generation_config
    prompt = llama.prompt_ids(ask("Hi"))
    before = llama.answer_prompt(prompt, WAYS["greedy"])
    own.repetition_penalty, own.no_repeat_ngram_size = 9.0, 2
    try:
        assert llama.answer_prompt(prompt, WAYS["greedy"]) == before
        assert llama.model.generation_config is own
    finally:
        own.repetition_penalty, own.no_repeat_ngram_size = None, None


def test_a_model_in_training_is_left_in_training(llama):
    llama.model.train()
    try:
        llama.answer(ask("Hi"), Decoding(max_new_tokens=2))
        assert llama.model.training
    finally:
        llama.model.eval()


# --- streams, stops and interrupts


@pytest.mark.parametrize("decoding", WAYS.values(), ids=WAYS.keys())
@pytest.mark.parametrize("question", QUESTIONS)
def test_the_pieces_of_a_stream_are_the_answer(question, decoding, llama):
    heard: list[str] = []
    answer = llama.answer(ask(question), decoding, heard.append)
    assert "".join(heard) == answer.text


def test_a_stop_string_ends_an_answer_wherever_its_tokens_part(llama):
    prompt = llama.prompt_ids(ask("What colour is thing 1?"))
    free = llama.answer_prompt(prompt, Decoding(max_new_tokens=20))
    for begin in range(2, 10):
        stop = free.text[begin : begin + 3]
        heard: list[str] = []
        answer = llama.answer_prompt(
            prompt, Decoding(max_new_tokens=20, stop=(stop,)), heard.append
        )
        assert answer.finish is Finish.STOP_STRING
        assert answer.text == free.text[: free.text.index(stop)] == "".join(heard)
        assert answer.tokens <= free.tokens


def test_the_stop_token_of_training_and_those_of_the_model_end_an_answer(llama):
    assert llama.template.stop_id in llama.stop_ids
    prompt = llama.prompt_ids(ask("Hi"))
    ids, _ = raw_greedy(llama, prompt, 5)
    own = Assistant(llama.model, llama.template)
    own.__dict__["stop_ids"] = llama.stop_ids | {ids[2]}
    answer = own.answer_prompt(prompt, Decoding(max_new_tokens=5))
    first = ids.index(ids[2]) + 1
    assert (answer.finish, answer.tokens) == (Finish.STOP, first)
    assert answer.text == llama.words([ids[: first - 1]])[0]


class Finalized:
    """Ctrl-C comes while it is thrown away, where Python prints what is raised and drops it."""

    def __del__(self) -> None:
        signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize("decoding", WAYS.values(), ids=WAYS.keys())
def test_ctrl_c_is_not_lost_wherever_it_comes(decoding, llama):
    """In the midst of a callback of torch's, as it were."""

    def throw_away(*_: Any) -> None:
        Finalized()

    free = llama.answer(ask("Hi"), decoding.model_copy(update={"max_new_tokens": 40}))
    before = signal.getsignal(signal.SIGINT)
    hook = llama.model.register_forward_pre_hook(throw_away)
    try:
        prompt = llama.prompt_ids(ask("Hi"))
        answer = llama.answer_prompt(prompt, decoding.model_copy(update={"max_new_tokens": 40}))
        assert answer.finish is Finish.INTERRUPTED
        assert answer.tokens <= 1
        assert free.text.startswith(answer.text)
        with pytest.raises(KeyboardInterrupt):
            llama.answer_all([prompt, prompt], decoding, [0, 1])
    finally:
        hook.remove()
    assert signal.getsignal(signal.SIGINT) is before
    assert same(
        llama.answer_prompt(prompt, WAYS["greedy"]), llama.answer(ask("Hi"), WAYS["greedy"])
    )


def test_a_second_ctrl_c_does_not_wait_for_the_next_token(llama):
    def twice(*_: Any) -> None:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    hook = llama.model.register_forward_pre_hook(twice)
    try:
        with pytest.raises(KeyboardInterrupt):
            llama.answer_all(prompts_of(llama), WAYS["greedy"], range(4))
    finally:
        hook.remove()


def test_answers_in_another_thread_and_under_an_ignored_ctrl_c_leave_it_alone(llama):
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    seen: list[Any] = []

    def press(*_: Any) -> None:
        seen.append(signal.getsignal(signal.SIGINT))
        signal.raise_signal(signal.SIGINT)

    hook = llama.model.register_forward_pre_hook(press)
    try:
        assert llama.answer(ask("Hi"), WAYS["greedy"]).tokens == 12
        assert set(seen) == {signal.SIG_IGN}
    finally:
        hook.remove()
        signal.signal(signal.SIGINT, before)
    found: list[Answer] = []
    asking = threading.Thread(target=lambda: found.append(llama.answer(ask("Hi"), WAYS["greedy"])))
    asking.start()
    asking.join()
    assert found[0].tokens == 12


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt, StopAnswering])
def test_an_interrupt_keeps_what_was_said(interrupt, llama):
    heard: list[str] = []

    def on_text(piece: str) -> None:
        heard.append(piece)
        if len(heard) == 3:
            raise interrupt

    free = llama.answer(ask("Hi"), Decoding(max_new_tokens=40))
    pending = tuple(f"{character}\0" for character in set(free.text))
    answer = llama.answer(ask("Hi"), Decoding(max_new_tokens=40, stop=pending), on_text)
    assert answer.finish is Finish.INTERRUPTED
    assert answer.text == "".join(heard)
    assert answer.tokens < 40
    assert llama.answer(ask("Hi"), WAYS["greedy"]).tokens == 12, "it answers afterwards"


# --- refusals


def test_a_question_and_answer_fill_the_window_and_not_a_token_more(llama):
    prompt = llama.prompt_ids(ask("Hi"))
    fits = 256 - len(prompt)
    assert llama.answer_prompt(prompt, Decoding(max_new_tokens=fits, stop=("e",))).tokens > 0
    with pytest.raises(ConfigError, match=rf"{len(prompt)} tokens .* window of 256.*lower max_new"):
        llama.answer_prompt(prompt, Decoding(max_new_tokens=fits + 1))


def test_a_template_that_refuses_a_conversation_says_its_roles(llama):
    strict = "{{ raise_exception('no such role') }}"
    template = choose_template(build_tokenizer(), None, "tiny")
    refusing = Assistant(llama.model, type(template)(**{**vars_of(template), "source": strict}))
    with pytest.raises(ConfigError, match=r"no such role.*roles are: user"):
        refusing.answer(ask("Hi"))


def vars_of(template: Any) -> dict[str, Any]:
    names = ("name", "source", "tokenizer", "first_token", "stop_id", "tail", "lead")
    return {name: getattr(template, name) for name in names}


def test_broken_weights_are_an_error_and_no_answer():
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config_of("llama"))
    with torch.no_grad():
        model.lm_head.weight.fill_(math.nan)
    broken = Assistant(model, choose_template(build_tokenizer(), None, "tiny"))
    with pytest.raises(TrainingError, match="no numbers"):
        broken.answer(ask("Hi"), Decoding(max_new_tokens=2))


def test_memory_that_runs_out_is_told_with_what_to_do():
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config_of("llama"))
    model.register_forward_pre_hook(lambda *_: torch.empty(2**60))
    full = Assistant(model, choose_template(build_tokenizer(), None, "tiny"))
    with pytest.raises(
        TrainingError, match=r"memory ran out while a model answered.*fewer at a time"
    ):
        full.answer(ask("Hi"), Decoding(max_new_tokens=2))


def test_no_prompts_have_no_answers(llama):
    assert llama.answer_all([], Decoding(), []) == []
