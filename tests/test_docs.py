"""The documents say what the code does: reasons, commands, targets, decisions, sources."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml
from typer.main import get_command

from flows.cli import app
from schemas.reasons import DropReason
from schemas.recipe import DEPLOYMENTS, known_sources, load_recipe

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text("utf-8")
COMMANDS = set(get_command(app).commands)  # type: ignore[attr-defined]


@pytest.mark.parametrize("reason", DropReason)
def test_every_drop_reason_is_in_the_glossary_as_the_code_explains_it(reason: DropReason) -> None:
    line = f"| `{reason}` | {reason.stage} | {reason.meaning} |"
    assert line in (ROOT / "docs/glossary.md").read_text("utf-8")


def test_every_command_in_the_readme_exists_and_every_command_is_in_it() -> None:
    named = set(re.findall(r"^winnow ([a-z]+)", README, re.MULTILINE))
    assert named <= COMMANDS
    assert {name for name in COMMANDS if f"winnow {name}" not in README} <= {"ui", "deploy"}


def test_every_make_target_in_the_readme_exists() -> None:
    listed = subprocess.run(
        ["make", "--no-print-directory"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    targets = set(re.findall(r"^  make ([a-z]+)", listed, re.MULTILINE))
    assert {"refresh", "test", "check", "bench", "ui"} <= targets
    assert set(re.findall(r"^make ([a-z]+)", README, re.MULTILINE)) <= targets


def test_every_folder_in_the_tree_of_the_readme_exists() -> None:
    tree = README.partition("## The tree")[2]
    for name in re.findall(r"^([a-z]+)/ ", tree, re.MULTILINE):
        assert (ROOT / name).is_dir(), name
    for name in re.findall(r"^  ([a-z]+)/ ", tree, re.MULTILINE):
        assert (ROOT / "tasks" / name).is_dir(), name


def test_links_between_documents_lead_somewhere() -> None:
    for page in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text("utf-8")):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page}: {target}"


def test_the_recipe_in_the_readme_is_valid(tmp_path: Path) -> None:
    block = re.search(r"```yaml\n(name: my-corpus.*?)```", README, re.DOTALL)
    assert block is not None
    (tmp_path / "sources").mkdir()
    ours = {"name": "ours", "layout": "messages", "licence": "MIT", "local": {"path": "x.jsonl"}}
    (tmp_path / "sources/ours.yaml").write_text(yaml.safe_dump(ours))
    (tmp_path / "my-corpus.yaml").write_text(block[1])
    assert load_recipe(str(tmp_path / "my-corpus.yaml")).gates.min_rows == 10_000


@pytest.mark.parametrize(
    "recipe", sorted((DEPLOYMENTS / "recipes").glob("*.yaml")), ids=lambda p: p.stem
)
def test_every_recipe_loads_and_is_called_as_its_file(recipe: Path) -> None:
    assert load_recipe(recipe.stem).name == recipe.stem


def test_every_source_is_called_as_its_file() -> None:
    names = [path.stem for path in sorted((DEPLOYMENTS / "sources").glob("*.yaml"))]
    assert [source.name for source in known_sources()] == names


def test_decisions_are_numbered_without_gaps() -> None:
    numbers = [int(path.name[:4]) for path in sorted((ROOT / "docs/decisions").glob("*.md"))]
    assert numbers == list(range(1, len(numbers) + 1))


def test_deployments_name_flows_that_exist() -> None:
    deployments = yaml.safe_load((DEPLOYMENTS / "prefect.yaml").read_text())["deployments"]
    for deployment in deployments:
        file, _, name = deployment["entrypoint"].partition(":")
        assert f"def {name}(" in (ROOT / file).read_text()
    (nightly,) = (one for one in deployments if one["name"] == "nightly")
    assert nightly["schedules"][0]["cron"]
    assert nightly["schedules"][0]["timezone"]
