"""docs/how-to/talk-to-an-adapter.md: every command and every line of Python on it runs."""

import re
import shlex
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from flows.cli import app
from tests.trainer.building import build_corpus, conversations, recipe_of, write_recipe
from trainer.progress import Progress
from trainer.run import run

PAGE = (Path(__file__).resolve().parents[2] / "docs/how-to/talk-to-an-adapter.md").read_text(
    "utf-8"
)
COMMANDS = [
    shlex.split(line, comments=True)[1:] for line in re.findall(r"^winnow .*$", PAGE, re.MULTILINE)
]


def block(kind: str) -> str:
    found = re.search(rf"^```{kind}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Path:
    """A working folder with all that the page names, and its lake."""
    folder = tmp_path_factory.mktemp("talk")
    recipe = recipe_of(tiny_model, max_steps=2)
    manifest = build_corpus(folder / "lake", recipe, conversations(12), conversations(4))
    made = run(manifest, recipe, folder / "lake", None, Progress())
    shutil.copytree(made.folder, folder / "lake/runs/tiny-run")
    shutil.copytree(tiny_model, folder / "model")
    write_recipe(folder / "tiny.yaml", recipe)
    (folder / "identity.txt").write_text("You are W.\n", "utf-8")
    (folder / "questions.jsonl").write_text(block("json"), "utf-8")
    return folder


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_of_the_page_runs(command, folder, monkeypatch):
    monkeypatch.chdir(folder)
    short = [] if "--max-new-tokens" in command else ["--max-new-tokens", "3"]
    done = CliRunner().invoke(app, ["--lake", "lake", *command, *short], catch_exceptions=False)
    assert done.exit_code == 0
    assert done.stdout.strip() or command[0] == "chat", "a tiny model may say nothing"
    assert not done.stderr


def test_the_python_of_the_page_runs(folder, capsys):
    exec(compile(block("python"), "the page", "exec"), {"lake": folder / "lake"})
    assert re.search(r"(stop|length) \d+ -\d", capsys.readouterr().out)
