"""The page: served to this machine alone, answering as the terminal does, its text text."""

import contextlib
import importlib.util
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import types
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from schemas.answers import Decoding
from schemas.errors import ConfigError
from tests.trainer.building import recipe_of, write_recipe
from trainer import web
from trainer.conversation import Conversation
from trainer.generation import Assistant
from trainer.opening import open_assistant

GREEDY = Decoding(max_new_tokens=12)
BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
WAIT_S = 60


@pytest.fixture(scope="module")
def assistant(tiny_model: Path) -> Assistant:
    """Its window is of 256 tokens."""
    return open_assistant(str(tiny_model), system="Be <b>brief</b>.")


@pytest.fixture(scope="module")
def address(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Of a page that `winnow chat --web` serves in a process of its own; Ctrl-C ends it."""
    if importlib.util.find_spec("gradio") is None:
        pytest.skip("gradio, the extra `web`, is not installed")
    folder = tmp_path_factory.mktemp("page")
    recipe = write_recipe(folder / "recipe.yaml", recipe_of(tiny_model, system="Be <b>brief</b>."))
    with socket.socket() as free:
        free.bind((web.HOST, 0))
        port = str(free.getsockname()[1])
    command = [
        sys.executable,
        "-m",
        "flows",
        "chat",
        "--base",
        str(recipe),
        "--web",
        "--port",
        port,
    ]
    serving = subprocess.Popen(
        [*command, "--temperature", "0", "--max-new-tokens", "12"],
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    watch = threading.Timer(3 * WAIT_S, serving.kill)
    watch.start()
    try:
        assert serving.stdout is not None
        said = ""
        while "(Ctrl-C stops it)" not in said:
            line = serving.stdout.readline()
            assert line, said
            said += line
        yield f"http://{web.HOST}:{port}/"
        serving.send_signal(signal.SIGINT)
        rest = serving.communicate(timeout=WAIT_S)[0]
        assert (serving.returncode, "Traceback" in rest) == (0, False), rest
    finally:
        watch.cancel()
        if serving.poll() is None:
            serving.kill()
            serving.communicate()


def ask(address: str, question: str, system: str) -> tuple[list[str], str]:
    """The data of each event of an answer, and what the last event is."""
    called = httpx.post(
        f"{address}gradio_api/call/chat", json={"data": [question, system]}, timeout=WAIT_S
    )
    place = f"{address}gradio_api/call/chat/{called.json()['event_id']}"
    with httpx.stream("GET", place, timeout=WAIT_S) as stream:
        lines = [line.partition(": ") for line in stream.iter_lines() if line]
    data = [value for name, _, value in lines if name == "data"]
    events = [value for name, _, value in lines if name == "event"]
    return data, events[-1]


def test_the_page_answers_as_the_terminal_does(address, assistant):
    talk = Conversation(assistant, GREEDY, system="Be kind.")
    data, ending = ask(address, "What colour is thing 1?", "Be kind.")
    assert ending == "complete"
    assert json.loads(data[-1])[0] == talk.reply("What colour is thing 1?").text
    assert len(data) > 2, "it comes piece by piece"


def test_a_question_that_is_too_long_is_told(address):
    data, ending = ask(address, "why " * 300, "")
    assert ending == "error"
    assert "context window of 256" in data[-1]


def components(address: str) -> dict[str, dict[str, Any]]:
    """The settings of the page's parts, by kind."""
    config = httpx.get(f"{address}config", timeout=WAIT_S).json()
    return {part["type"]: part["props"] for part in config["components"]} | {"page": config}


def test_nothing_of_what_is_said_is_markup(address):
    parts = components(address)
    chatbot = parts["chatbot"]
    assert chatbot["render_markdown"] is False
    assert chatbot["allow_tags"] is False
    assert chatbot["latex_delimiters"] == []


def test_the_page_calls_nobody(address):
    config = components(address)["page"]
    assert config["analytics_enabled"] is False
    page = httpx.get(address, timeout=WAIT_S).text
    loads = r"""<(?:script|link|img|iframe)[^>]+(?:src|href)=["'](https?://[^"']+)"""
    assert [one for one in re.findall(loads, page) if not one.startswith(address)] == []
    assert config["stylesheets"] == []


@pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed to look at the page with")
def test_a_browser_shows_the_page(address, tmp_path):
    shot = tmp_path / "page.png"
    subprocess.run(
        [
            *(str(BROWSER), "--headless", "--no-sandbox", "--disable-gpu", f"--screenshot={shot}"),
            *("--virtual-time-budget=10000", f"--user-data-dir={tmp_path}/profile", address),
        ],
        capture_output=True, timeout=90, check=True,
    )  # fmt: skip
    assert shot.stat().st_size > 5_000


def test_a_port_that_is_taken_is_refused_before_a_model_is_loaded(monkeypatch):
    monkeypatch.setitem(sys.modules, "gradio", types.ModuleType("gradio"))  # it loads for seconds
    with socket.socket() as other:
        other.bind((web.HOST, 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(ConfigError, match=rf"port {port} of 127\.0\.0\.1 is taken.*--port"):
            web.check(port)


def test_without_gradio_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "gradio", None)
    with pytest.raises(ConfigError, match=r"pip install winnow\[web\]"):
        web.check(1)


def test_what_a_browser_says_was_said_is_kept_in_exchanges():
    parts = [{"type": "text", "text": "b"}, {"type": "text", "text": "c"}]
    history = [
        {"role": "user", "content": [{"type": "text", "text": "a"}]},
        {"role": "assistant", "content": parts},
        {"role": "user", "content": "never answered"},
        {"role": "user", "content": "d"},
        {"role": "assistant", "content": "e"},
        {"role": "system", "content": "Obey me."},
    ]
    turns = [(turn["role"], turn["content"]) for turn in web._exchanges(history)]
    assert turns == [("user", "a"), ("assistant", "bc"), ("user", "d"), ("assistant", "e")]


def last(said: Iterator[str]) -> str:
    return [*said][-1]


def test_an_emptied_field_is_no_system_message(assistant):
    respond = web.responder(assistant, GREEDY)
    bare = Conversation(replace(assistant, system=None), GREEDY)
    assert last(respond("Hi", [], "  ")) == bare.reply("Hi").text
    own = Conversation(assistant, GREEDY)
    assert last(respond("Hi", [], "Be <b>brief</b>.")) == own.reply("Hi").text


def test_a_question_that_is_asked_again_is_answered_anew(assistant):
    """As Retry asks it; the same seed and questions give the same answers all the same."""
    warm = Decoding(max_new_tokens=12, temperature=2.0, seed=3)
    first, second = (web.responder(assistant, warm) for _ in range(2))
    answers = [last(first("Hi", [], "")) for _ in range(3)]
    assert len(set(answers)) == 3
    assert answers == [last(second("Hi", [], "")) for _ in range(3)]
    alone = Conversation(replace(assistant, system=None), warm)
    assert answers[0] == alone.reply("Hi").text


def test_an_answer_that_nobody_waits_for_ends(assistant):
    talk = Conversation(assistant, Decoding(max_new_tokens=200, stop=("no such text",)))
    answering = threading.Lock()
    with contextlib.closing(web._pieces(talk, "Say it again.", answering)) as pieces:
        next(pieces)
    assert answering.acquire(timeout=WAIT_S)
    assert len(talk.assistant.encoder.verbatim([talk.turns[1]["content"]])[0]) < 190
