"""Talking in the terminal, and the two commands: what is printed, kept, refused, and left."""

import io
import json
import os
import pty
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from flows.cli import app
from schemas.answers import Decoding, Finish
from schemas.errors import ConfigError
from schemas.printable import printable
from tests.trainer.building import recipe_of, write_recipe
from trainer.chat import answer_one, converse
from trainer.conversation import Conversation
from trainer.generation import Answer, Assistant
from trainer.opening import open_assistant

GREEDY = Decoding(max_new_tokens=12)


@pytest.fixture(scope="module")
def assistant(tiny_model: Path) -> Assistant:
    """Its window is of 256 tokens."""
    return open_assistant(str(tiny_model))


@pytest.fixture
def talk(assistant: Assistant) -> Conversation:
    return Conversation(assistant, GREEDY)


def said(talk: Conversation, lines: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """What a conversation with these lines on standard input prints."""
    monkeypatch.setattr("sys.stdin", io.StringIO(lines))
    out = io.StringIO()
    converse(talk, Console(file=out, width=200, soft_wrap=True))
    return out.getvalue()


def test_one_question_prints_its_answer_and_nothing_else(talk):
    out = io.StringIO()
    answer = answer_one(talk, "What colour is thing 1?", Console(file=out, soft_wrap=True))
    assert out.getvalue() == printable(answer.text) + "\n"


@pytest.mark.parametrize("lines", ["/exit\n", "", "/quit\n", "\n\n/exit\n"])
def test_a_conversation_ends_when_the_user_leaves(lines, talk, monkeypatch):
    assert "/reset forgets" in said(talk, lines, monkeypatch)
    assert talk.turns == []


def test_commands_are_obeyed_and_not_answered(talk, monkeypatch):
    printed = said(talk, "Hi\n/system Be kind.\n/what\n/system\n/reset\n", monkeypatch)
    assert "system: Be kind." in printed
    assert "no system message" in printed
    assert printed.count("/reset forgets") == 2
    assert "forgotten" in printed
    assert (talk.turns, talk.system) == ([], None)


def test_a_question_that_is_too_long_is_told_and_the_talk_goes_on(talk, monkeypatch):
    printed = said(talk, "why " * 300 + "\nHi\n", monkeypatch)
    assert "context window of 256" in printed
    assert len(talk.turns) == 2


def test_the_user_is_told_when_the_model_forgets(talk, monkeypatch):
    printed = said(talk, "What colour is thing 1? Say why.\n" * 12, monkeypatch)
    assert talk.left_out > 0
    seen = (len(talk.turns) - talk.left_out) // 2
    assert f"has room for the last {seen} exchanges only" in printed


class Saying:
    """Says what it is told to, whatever it is asked."""

    def __init__(self, *pieces: str) -> None:
        self.pieces = pieces

    def reply(self, question: str, on_text: Any) -> Answer:
        for piece in self.pieces:
            on_text(piece)
        return Answer("".join(self.pieces), Finish.STOP, 1, 0.0)


# fmt: off
HOSTILE = {
    "markup":           (("[bold]x[/bold] [/]",),                        "[bold]x[/bold] [/]\n"),
    "escape sequences": (("\x1b", "]0;owned\x07", "\x9b2J", "\u202eab"), "\ufffd]0;owned\ufffd\ufffd2J\ufffdab\n"),
}
# fmt: on


@pytest.mark.parametrize(("pieces", "shown"), HOSTILE.values(), ids=HOSTILE.keys())
def test_what_a_model_says_cannot_steer_the_terminal(pieces, shown):
    out = io.StringIO()
    answer_one(Saying(*pieces), "Hi", Console(file=out, soft_wrap=True))  # type: ignore[arg-type]
    assert out.getvalue() == shown


def test_ctrl_c_ends_an_answer_and_the_terminal_goes_on(tiny_model, tmp_path):
    """In a real terminal: Ctrl-C while it answers, then another question, then the end."""
    endless = tmp_path / "model"
    shutil.copytree(tiny_model, endless)
    config = json.loads((endless / "config.json").read_text("utf-8"))
    config["max_position_embeddings"] = 10**6
    (endless / "config.json").write_text(json.dumps(config), "utf-8")
    recipe = write_recipe(tmp_path / "recipe.yaml", recipe_of(endless))
    main, side = pty.openpty()
    command = [sys.executable, "-m", "flows", "chat", "--base", str(recipe), "--temperature", "0"]
    talking = subprocess.Popen(
        [*command, "--max-new-tokens", "100000", "--stop", "no such text"],
        **dict.fromkeys(("stdin", "stdout", "stderr"), side),
        env=os.environ | {"OMP_NUM_THREADS": "1", "TERM": "dumb", "COLUMNS": "400"},
        start_new_session=True,
    )
    os.close(side)
    try:
        heard = hear(main, "you")
        os.write(main, b"Say it again and again.\n")
        heard += hear(main, "again.\r\n", more=20)
        talking.send_signal(signal.SIGINT)
        heard += hear(main, "you")
        os.write(main, b"/system Be kind.\n")
        heard += hear(main, "system: Be kind.")
        os.write(main, b"/exit\n")
        hear_out(main)
        assert talking.wait(30) == 0
    finally:
        if talking.poll() is None:
            talking.kill()
            talking.wait()
        os.close(main)
    assert "Traceback" not in heard


def hear(terminal: int, until: str, more: int = 0, seconds: float = 90) -> str:
    """What a terminal shows up to a text and some characters behind it."""
    heard, deadline = "", time.monotonic() + seconds
    os.set_blocking(terminal, False)
    while until not in heard or len(heard.partition(until)[2]) < more:
        assert time.monotonic() < deadline, heard
        try:
            heard += os.read(terminal, 4096).decode("utf-8", "replace")
        except BlockingIOError:
            time.sleep(0.02)
    os.set_blocking(terminal, True)
    return heard


def hear_out(terminal: int) -> None:
    """Read what is left, until the other side is closed."""
    try:
        while os.read(terminal, 4096):
            pass
    except OSError:
        pass


# --- the commands


@pytest.fixture
def recipe(tiny_model: Path, tmp_path: Path) -> str:
    return str(write_recipe(tmp_path / "recipe.yaml", recipe_of(tiny_model, system="Be brief.")))


def winnow(*arguments: str) -> tuple[int, str]:
    """Exit code and standard output; raises the errors that `main` prints."""
    done = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    return done.exit_code, done.stdout


def test_the_same_prompt_and_seed_print_the_same_answer(recipe):
    words = ("chat", "--base", recipe, "--prompt", "Hi", "--max-new-tokens", "12", "--seed")
    first, again, other = winnow(*words, "1"), winnow(*words, "1"), winnow(*words, "2")
    assert first == again
    assert first[0] == 0
    assert first[1] != other[1]


def test_every_option_reaches_the_model(recipe, tmp_path, monkeypatch):
    heard: list[Any] = []

    def answer_one(talk: Conversation, prompt: str, out: Console) -> Answer:
        heard.extend([talk.decoding, talk.assistant.system, prompt])
        return Answer("", Finish.INTERRUPTED, 0, 0.0)

    monkeypatch.setattr("trainer.chat.answer_one", answer_one)
    identity = tmp_path / "identity.txt"
    identity.write_text("You are W.\nsecond line", "utf-8")
    code, _ = winnow(
        *("chat", "--base", recipe, "--identity", str(identity), "--prompt", "Hi"),
        *("--max-new-tokens", "9", "--temperature", "1.5", "--top-p", "0.5", "--top-k", "7"),
        *("--repetition-penalty", "1.2", "--stop", "a", "--stop", "b", "--seed", "4"),
    )
    expected = Decoding(
        max_new_tokens=9, temperature=1.5, top_p=0.5, top_k=7, repetition_penalty=1.2,
        stop=("a", "b"), seed=4,
    )  # fmt: skip
    assert heard == [expected, "You are W.", "Hi"]
    assert code == 130, "the answer was interrupted"
    winnow("chat", "--base", recipe, "--prompt", "Hi", "--beams", "3")
    assert (heard[3].beams, heard[3].temperature) == (3, 0.0)
    assert heard[4] == "Be brief."


@pytest.mark.parametrize("trusted", [False, True])
@pytest.mark.parametrize("command", ["chat", "generate"])
def test_a_strangers_python_is_trusted_only_when_asked_for(command, trusted, tmp_path, monkeypatch):
    heard: list[bool] = []

    def open_assistant(*_: Any, trusts_code: bool, **__: Any) -> None:
        heard.append(trusted)
        assert trusts_code is trusted
        raise ConfigError("enough")

    monkeypatch.setattr("trainer.opening.open_assistant", open_assistant)
    asked = tmp_path / "asked.jsonl"
    asked.write_text('{"prompt": "Hi"}\n', "utf-8")
    words = {"chat": ["--prompt", "Hi"], "generate": ["--in", str(asked), "--out", str(asked)]}
    more = ["--trust-remote-code"] if trusted else []
    with pytest.raises(ConfigError, match="enough"):
        winnow("--lake", str(tmp_path), command, *words[command], *more)
    assert heard == [trusted]


# fmt: off
REFUSED = {  #                 the options                                       what is said
    "beams that sample":    (("--beams", "2", "--temperature", "1"),             "does not sample"),
    "top_p of nothing":     (("--top-p", "0"),                                   "top_p: "),
    "no penalty at all":    (("--repetition-penalty", "0"),                      "repetition_penalty: "),
    "an empty stop":        (("--stop", ""),                                     "stop.0: "),
    "two system messages":  (("--system", "a", "--identity", "b"),               "both set the system"),
    "a page and a prompt":  (("--web",),                                         "Leave one out"),
}
# fmt: on


@pytest.mark.parametrize(("options", "said"), REFUSED.values(), ids=REFUSED.keys())
def test_options_that_do_not_go_together_are_refused_before_a_model_is_loaded(options, said):
    with pytest.raises(ConfigError, match=said):
        winnow("chat", "--base", "/no/such/recipe.yaml", "--prompt", "Hi", *options)


def test_generate_answers_a_file_and_says_what_it_did(recipe, tmp_path):
    asked, out = tmp_path / "asked.jsonl", tmp_path / "answers.jsonl"
    asked.write_text('{"prompt": "Hi"}\n{"prompt": "Ho"}\nno\n', "utf-8")
    words = ("generate", "--base", recipe, "--in", str(asked), "--out", str(out))
    code, printed = winnow(*words, "--max-new-tokens", "5", "--json")
    told = json.loads(printed)
    assert code == 0
    assert (told["rows"], told["failed"], told["before"]) == (3, 1, 0)
    assert len(out.read_text("utf-8").splitlines()) == 3
    code, printed = winnow(*words, "--max-new-tokens", "5")
    assert "2 answers" in printed
    assert "3 lines were done before" in printed
    with pytest.raises(ConfigError, match="no such file"):
        winnow("generate", "--in", "/none", "--out", str(out))


def test_a_generate_that_is_interrupted_says_how_to_go_on(recipe, tmp_path, monkeypatch):
    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("trainer.batch_answers.answer_file", interrupted)
    asked = tmp_path / "asked.jsonl"
    asked.write_text('{"prompt": "Hi"}\n', "utf-8")
    done = CliRunner().invoke(
        app, ["generate", "--base", recipe, "--in", str(asked), "--out", str(tmp_path / "out")]
    )
    assert done.exit_code == 130
