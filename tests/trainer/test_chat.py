"""Talking to an adapter: the template of training, turns that are kept, and ways to leave."""

import io
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from schemas.adapter import TrainingManifest
from schemas.errors import ConfigError, UnknownName
from schemas.printable import printable
from tests.trainer.building import build_corpus, conversations, recipe_of
from trainer.chat import Chat, Sampling, chat, find_adapter, open_chat
from trainer.files import write_text
from trainer.progress import Progress
from trainer.run import run

GREEDY = Sampling(max_new_tokens=12, temperature=0)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> tuple[Path, Path]:
    """A lake and the run's folder in it."""
    lake = tmp_path_factory.mktemp("lake")
    recipe = recipe_of(tiny_model, max_steps=2)
    path = build_corpus(lake, recipe, conversations(12), conversations(4))
    return lake, Path(run(path, recipe, lake, None, Progress()).folder)


@pytest.fixture
def talk(trained: tuple[Path, Path]) -> Chat:
    return open_chat(trained[1] / "adapter", trained[0], GREEDY)


def test_an_adapter_is_found_by_folder_run_or_repository(trained):
    lake, folder = trained
    adapter = folder / "adapter"
    assert find_adapter(None, lake) == adapter
    assert find_adapter(str(adapter), lake) == adapter
    assert find_adapter(str(folder), lake) == adapter
    assert find_adapter(folder.name, lake) == adapter
    assert find_adapter("winnow/tiny", lake).parent.name == "commits"
    with pytest.raises(UnknownName, match=folder.name):
        find_adapter("nothing", lake)
    with pytest.raises(UnknownName, match="no run in"):
        find_adapter(None, lake / "elsewhere")


def test_an_answer_is_streamed_and_kept_for_the_next_turn(talk):
    heard: list[str] = []
    answer = talk.reply("What colour is thing 1?", heard.append)
    assert "".join(heard) == answer
    assert [turn["role"] for turn in talk.turns] == ["user", "assistant"]
    ids = talk.prompt_ids()
    assert talk.template.tokenizer.decode(ids).count("<|im_start|>assistant") == 2


def test_the_prompt_is_tokenized_as_in_training(talk):
    talk.turns = [{"role": "user", "content": "Hi"}]
    assert talk.prompt_ids() == talk.encoder.opening([talk.template.prompt(talk.turns)])[0]


def test_the_oldest_turns_go_when_the_window_is_full(talk):
    talk.system = "Be brief."
    for number in range(40):
        talk.turns += [
            {"role": "user", "content": f"question {number}"},
            {"role": "assistant", "content": "answer"},
        ]
    talk.turns.append({"role": "user", "content": "last"})
    text = talk.template.tokenizer.decode(talk.prompt_ids())
    assert len(talk.prompt_ids()) <= 256 - GREEDY.max_new_tokens
    assert "Be brief." in text
    assert "last" in text
    assert "question 0<" not in text


def test_the_stop_token_of_training_ends_an_answer(talk):
    assert talk.template.stop_id in talk._stop_ids()


def converse(lake: Path, lines: str, monkeypatch: pytest.MonkeyPatch, **options: Any) -> str:
    monkeypatch.setattr("sys.stdin", io.StringIO(lines))
    out = io.StringIO()
    chat(None, lake, sampling=GREEDY, console=Console(file=out, width=200), **options)
    return out.getvalue()


def test_one_question_prints_its_answer_and_nothing_else(trained, monkeypatch, talk):
    said = converse(trained[0], "", monkeypatch, prompt="What colour is thing 1?")
    heard: list[str] = []
    talk.reply("What colour is thing 1?", heard.append)
    assert said == printable("".join(heard)) + "\n"


@pytest.mark.parametrize("lines", ["/exit\n", "", "/reset\n/what\n/system Be kind.\n\n/exit\n"])
def test_a_conversation_ends_when_the_user_leaves(lines, trained, monkeypatch):
    said = converse(trained[0], lines, monkeypatch)
    assert "/reset forgets" in said


def test_markup_in_text_stays_text(trained, monkeypatch):
    class Echo:
        def reply(self, question: str, on_text: Any) -> str:
            on_text(question)
            return question

    monkeypatch.setattr("trainer.chat.open_chat", lambda *_: Echo())
    assert "[bold]x[/bold] [/]" in converse(
        trained[0], "", monkeypatch, prompt="[bold]x[/bold] [/]"
    )


def test_what_a_model_says_cannot_steer_the_terminal(trained, monkeypatch):
    class Hostile:
        def reply(self, question: str, on_text: Any) -> str:
            for piece in ("\x1b", "]0;owned\x07", "\x9b2J", "\u202eabc x\n"):
                on_text(piece)
            return ""

    monkeypatch.setattr("trainer.chat.open_chat", lambda *_: Hostile())
    said = converse(trained[0], "", monkeypatch, prompt="Hi")
    assert said == "\ufffd]0;owned\ufffd\ufffd2J\ufffdabc x\n\n"


def test_the_base_of_a_pushed_adapter_is_found_through_the_lake_that_made_it(trained, tmp_path):
    lake, folder = trained
    copy = find_adapter("winnow/tiny", lake)
    assert open_chat(copy, lake, GREEDY).prompt_ids is not None
    stranger = tmp_path / "elsewhere"
    shutil.copytree(copy, stranger)
    with pytest.raises(ConfigError, match=r"tests/tiny.*base_model\.path of .*elsewhere"):
        open_chat(stranger, tmp_path, GREEDY)
    own = json.loads((folder / "training_manifest.json").read_text("utf-8"))
    made = json.loads((stranger / "training_manifest.json").read_text("utf-8"))
    made["train"]["base_model"]["path"] = own["train"]["base_model"]["path"]
    write_text(stranger / "training_manifest.json", json.dumps(made))
    assert open_chat(stranger, tmp_path, GREEDY).turns == []


def test_another_base_than_that_of_training_is_refused(trained, tmp_path, talk):
    adapter = tmp_path / "adapter"
    shutil.copytree(trained[1] / "adapter", adapter)
    manifest = adapter / "training_manifest.json"
    text = (trained[1] / "training_manifest.json").read_text("utf-8")
    made = TrainingManifest.model_validate_json(text).model_copy(update={"base_digest": "0" * 64})
    write_text(manifest, made.model_dump_json())
    with pytest.raises(ConfigError, match="trained on other weights"):
        open_chat(adapter, tmp_path, GREEDY)
    manifest.unlink()
    with pytest.raises(ConfigError, match=r"holds no training_manifest\.json"):
        open_chat(adapter, tmp_path, GREEDY)
