"""One rendering for training and for chat."""

import pytest

from schemas.errors import ConfigError
from schemas.train import Supervise
from tests.trainer.building import CHATML, build_tokenizer
from trainer.templates import NAMED, Unrenderable, choose_template

QUESTION = {"role": "user", "content": "Hi"}
ANSWER = {"role": "assistant", "content": "Hello"}


@pytest.mark.parametrize("name", [None, *sorted(NAMED)])
def test_chat_asks_exactly_what_training_showed(name):
    template = choose_template(build_tokenizer(), name, "test")
    history = [QUESTION, ANSWER, {"role": "user", "content": "And you?"}]
    shown = template.segments([*history, ANSWER], Supervise.LAST)
    assert shown == [template.prompt(history), "Hello"]


@pytest.mark.parametrize("name", sorted(NAMED))
def test_no_named_template_ends_its_prompt_in_a_space(name):
    template = choose_template(build_tokenizer(), name, "test")
    assert not template.prompt([QUESTION]).endswith(" ")


def test_a_prompt_is_the_generation_prompt_of_the_models_own_template():
    tokenizer = build_tokenizer()
    template = choose_template(tokenizer, None, "test")
    expected = tokenizer.apply_chat_template([QUESTION], add_generation_prompt=True, tokenize=False)
    assert template.prompt([QUESTION]) == expected


# fmt: off
ENDINGS = {                # what stands after a response   tail    stop
    "a special token":      ("<|im_end|>\n",                 "",     "<|im_end|>"),
    "a space before it":    (" <|im_end|>",                  " ",    "<|im_end|>"),
    "nothing":              ("",                             "",     "<|pad|>"),
    "text only":            ("\n### End",                    "",     "<|pad|>"),
}
# fmt: on


@pytest.mark.parametrize(("ending", "tail", "stop"), ENDINGS.values(), ids=ENDINGS.keys())
def test_a_response_stops_at_the_templates_special_token_else_at_the_end_token(ending, tail, stop):
    source = "{% for m in messages %}{{ m.content }}" + ending.replace("\n", "\\n") + "{% endfor %}"
    template = choose_template(build_tokenizer(source, eos_token="<|pad|>"), None, "test")
    assert (template.tail, template.stop) == (tail, stop)


def test_a_space_before_the_response_belongs_to_the_response():
    """As LLaMA 2 writes it: its tokenizer knows ` Hello`, not a space and then `Hello`."""
    source = "{% for m in messages %}{{ m.role }}: {{ m.content }}<|im_end|>{% endfor %}"
    template = choose_template(build_tokenizer(source), None, "test")
    assert template.lead == " "
    assert template.prompt([QUESTION]) == "user: Hi<|im_end|>assistant:"


def test_a_model_without_template_asks_for_a_named_one():
    with pytest.raises(ConfigError, match=r"no chat template of its own.*alpaca, chatml"):
        choose_template(build_tokenizer(None), None, "test")


def test_an_unknown_template_lists_those_known():
    with pytest.raises(ConfigError, match=r"'alpacca'; known: alpaca"):
        choose_template(build_tokenizer(), "alpacca", "test")


def test_a_template_that_cannot_write_an_answer_is_refused_at_once():
    only_users = "{% for m in messages if m.role == 'user' %}{{ m.content }}{% endfor %}"
    with pytest.raises(ConfigError, match="cannot write a question and its answer"):
        choose_template(build_tokenizer(only_users), None, "test").prompt([QUESTION])


def test_no_end_token_at_all_is_refused():
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    backend = Tokenizer(models.WordLevel({"a": 0}, unk_token="a"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    with pytest.raises(ConfigError, match="could never stop"):
        choose_template(PreTrainedTokenizerFast(tokenizer_object=backend), "plain", "test")


def test_a_conversation_without_an_answer_is_not_rendered():
    with pytest.raises(Unrenderable):
        choose_template(build_tokenizer(), None, "t").segments([QUESTION], Supervise.LAST)


def test_the_digest_tells_templates_apart():
    chosen = [choose_template(build_tokenizer(), name, "t") for name in (None, *sorted(NAMED))]
    other = choose_template(build_tokenizer(CHATML + " "), None, "t")
    assert len({template.digest for template in [*chosen, other]}) == len(chosen) + 1


def test_tools_reach_the_models_own_template():
    source = "{% if tools %}{{ tools[0].name }}{% endif %}" + CHATML
    template = choose_template(build_tokenizer(source), None, "t")
    assert template.prompt([QUESTION], [{"name": "clock"}]).startswith("clock")


# fmt: off
INSTRUCTED = {  # said by                                   the prompt
    "user alone":        ((("user", "Hi"),),                                              "###Instruction:\nHi\n\n###Response:\n"),
    "system and user":   ((("system", "Translate."), ("user", "Hi")),                     "###Instruction:\nTranslate.\n\n###Input:\nHi\n\n###Response:\n"),
    "a second question": ((("user", "Hi"), ("assistant", "Hello"), ("user", "And?")),     "###Instruction:\nHi\n\n###Response:\nHello<|im_end|>\n\n###Instruction:\nAnd?\n\n###Response:\n"),
}
# fmt: on


@pytest.mark.parametrize(("said", "prompt"), INSTRUCTED.values(), ids=INSTRUCTED.keys())
def test_a_system_message_is_the_instruction_and_the_question_its_input(said, prompt):
    template = choose_template(build_tokenizer(), "instruct", "t")
    messages = [{"role": role, "content": content} for role, content in said]
    assert template.prompt(messages) == prompt


@pytest.mark.parametrize("name", [None, *sorted(NAMED)])
@pytest.mark.parametrize("system", [None, "You are Winnow."], ids=["no system", "system"])
def test_a_tokenizer_of_ours_asks_what_training_showed_without_us(name, system):
    template = choose_template(build_tokenizer(), name, "t")
    head = [{"role": "system", "content": system}] if system else []
    history = [*head, QUESTION, ANSWER, {"role": "user", "content": "And\n'you'?"}]
    speaker = template.tokenizer_that_speaks()
    asked = speaker.apply_chat_template(history, add_generation_prompt=True, tokenize=False)
    assert asked == template.prompt(history)
    if system:
        assert system in asked


def test_the_begin_token_that_a_tokenizer_puts_first_is_part_of_the_template_it_is_given(shared):
    from trainer.model import load_tokenizer
    from trainer.weights import BaseFiles

    tokenizer = load_tokenizer(BaseFiles("llama2", shared("tokenizers/llama2"), "local", None))
    template = choose_template(tokenizer, "alpaca", "llama2")
    speaker = template.tokenizer_that_speaks()
    asked = speaker.apply_chat_template([QUESTION], add_generation_prompt=True, tokenize=False)
    assert asked == template.prompt([QUESTION])
    assert asked.startswith("<s>### Instruction")
