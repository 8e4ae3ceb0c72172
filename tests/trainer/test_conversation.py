"""A conversation: turns that are kept, a window that is kept to, an identity from a file."""

from pathlib import Path

import pytest

from schemas.answers import Decoding, Finish
from schemas.errors import ConfigError
from trainer.conversation import Conversation
from trainer.generation import Assistant
from trainer.identity import read_identity
from trainer.opening import open_assistant

GREEDY = Decoding(max_new_tokens=12)


@pytest.fixture(scope="module")
def assistant(tiny_model: Path) -> Assistant:
    """Its window is of 256 tokens."""
    return open_assistant(str(tiny_model), system="Be brief.")


@pytest.fixture
def talk(assistant: Assistant) -> Conversation:
    return Conversation(assistant, GREEDY)


def seen(talk: Conversation, question: str) -> str:
    """What the model is given for a question."""
    return str(talk.assistant.template.tokenizer.decode(talk._prompt_ids(asked(question))))


def asked(question: str) -> dict[str, str]:
    return {"role": "user", "content": question}


def test_an_answer_is_streamed_and_kept_for_the_next_turn(talk):
    heard: list[str] = []
    answer = talk.reply("What colour is thing 1?", heard.append)
    assert "".join(heard) == answer.text
    assert talk.turns == [
        asked("What colour is thing 1?"),
        {"role": "assistant", "content": answer.text},
    ]
    assert seen(talk, "And 2?").count("<|im_start|>assistant") == 2


def test_the_prompt_is_tokenized_as_in_training(talk):
    messages = [{"role": "system", "content": "Be brief."}, asked("Hi")]
    template = talk.assistant.template
    expected = talk.assistant.encoder.opening([template.prompt(messages)])[0]
    assert talk._prompt_ids(asked("Hi")) == expected


def test_the_oldest_exchanges_go_when_the_window_is_full_and_the_system_stays(talk):
    for number in range(40):
        talk.turns += [asked(f"question {number}"), {"role": "assistant", "content": "answer"}]
    text = seen(talk, "last")
    tokens = talk._prompt_ids(asked("last"))
    assert len(tokens) <= 256 - GREEDY.max_new_tokens
    assert "Be brief." in text
    assert "last" in text
    assert "question 0<" not in text
    assert "question 39<" in text
    assert talk.left_out % 2 == 0
    one_more = talk.left_out - 2
    talk.left_out = one_more
    assert len(talk._prompt_ids(asked("last"))) == len(tokens), "as many as there is room for"
    assert talk.left_out == one_more + 2
    assert len(talk.turns) == 80, "nothing is forgotten for good"


def test_a_question_that_is_too_long_is_refused_and_not_kept(talk):
    talk.reply("Hi")
    known = list(talk.turns)
    with pytest.raises(ConfigError, match=r"tokens of question .* window of 256\. Shorten"):
        talk.reply("why " * 300)
    assert talk.turns == known
    assert talk.reply("Hi").tokens > 0


def test_the_model_sees_what_fits_again_after_a_long_question(talk):
    talk.reply("Hi")
    with pytest.raises(ConfigError):
        talk.reply("why " * 300)
    assert seen(talk, "And now?").count("<|im_start|>user") == 2


def test_an_interrupted_answer_is_kept_as_far_as_it_came(talk):
    def on_text(_: str) -> None:
        raise KeyboardInterrupt

    answer = talk.reply("Hi", on_text)
    assert answer.finish is Finish.INTERRUPTED
    assert answer.text
    assert talk.turns[-1]["content"] == answer.text


def test_resetting_forgets_and_a_new_instruction_begins_anew(talk):
    talk.reply("Hi")
    talk.reset()
    assert (talk.turns, talk.left_out) == ([], 0)
    talk.reply("Hi")
    talk.instruct("Be kind.")
    assert talk.turns == []
    assert "Be kind." in seen(talk, "Hi")
    assert "Be brief." not in seen(talk, "Hi")
    talk.instruct(None)
    assert "Be brief." in seen(talk, "Hi")


def test_the_same_seed_gives_the_same_conversation(assistant, monkeypatch):
    draws: list[int] = []
    answer = Assistant.answer_prompt

    def heard(self, prompt, decoding, on_text=None, draw=0):
        draws.append(draw)
        return answer(self, prompt, decoding, on_text, draw)

    monkeypatch.setattr(Assistant, "answer_prompt", heard)
    warm = Decoding(max_new_tokens=12, temperature=1.5, seed=5)
    first, again = Conversation(assistant, warm), Conversation(assistant, warm)
    for question in ("Hi", "Hi", "And then?"):
        assert first.reply(question) == again.reply(question)
    assert draws == [0, 0, 2, 2, 4, 4], "every turn draws anew"


# fmt: off
IDENTITIES = {  #                file                              identity
    "the only line":            (b"You are W.",                    "You are W."),
    "the first line":           (b"You are W.\nNotes: x\n",        "You are W."),
    "Windows":                  (b"\xef\xbb\xbfYou are W.\r\nx",   "You are W."),
    "Chinese":                  ("你是小文。\n".encode(),             "你是小文。"),
}
# fmt: on


@pytest.mark.parametrize(("content", "said"), IDENTITIES.values(), ids=IDENTITIES.keys())
def test_an_identity_is_the_first_line_of_a_file(content, said, tmp_path):
    path = tmp_path / "identity.txt"
    path.write_bytes(content)
    assert read_identity(path) == said


# fmt: off
NO_IDENTITY = {"empty": (b"", "blank"), "blank": (b"  \nYou", "blank"), "latin": (b"\xe9t\xe9", "UTF-8")}
# fmt: on


@pytest.mark.parametrize(("content", "why"), NO_IDENTITY.values(), ids=NO_IDENTITY.keys())
def test_a_file_without_identity_says_so(content, why, tmp_path):
    path = tmp_path / "identity.txt"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=why):
        read_identity(path)
    with pytest.raises(ConfigError, match="No such file"):
        read_identity(tmp_path / "none")


# fmt: off
SYSTEMS = {                 # of the conversation   what the model is told
    "the assistant's own":  (None,                  ["Be brief."]),
    "its own":              ("Be kind.",            ["Be kind."]),
    "none":                 ("",                    []),
}
# fmt: on


@pytest.mark.parametrize(("system", "told"), SYSTEMS.values(), ids=SYSTEMS)
def test_a_conversation_has_its_system_message_or_none(system, told, assistant):
    text = seen(Conversation(assistant, GREEDY, system), "Hi")
    assert [one for one in ("Be brief.", "Be kind.") if one in text] == told
    assert text.count("<|im_start|>system") == len(told)
