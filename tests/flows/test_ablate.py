"""`winnow ablate`: variants refreshed, trained alike, measured on the same rows and tabled."""

import json
from pathlib import Path

import pytest
import yaml

from flows.ablate import show
from schemas.ablation import Ablation, variants_of
from schemas.errors import ConfigError, UnknownName
from schemas.recipe import load_recipe
from tests.flows.conftest import Winnow
from tests.flows.test_refresh import write_source
from tests.trainer.building import COLOURS, build_model


def coloured(start: int, count: int) -> list[tuple[str, str]]:
    return [
        (f"What colour is thing {n}?", f"Thing {n} is {COLOURS[n % len(COLOURS)]}.")
        for n in range(start, start + count)
    ]


def written(folder: Path, *names: str, **parts: object) -> str:
    sources = [
        {"name": name, "layout": "alpaca", "licence": "MIT", "local": {"path": f"{name}.json"}}
        for name in names
    ]
    near = {"near": {"enabled": False}}
    whole = {"name": "tiny", "sources": sources, "dedupe": near, "split": {"validation_share": 0.2}}
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump(whole | parts))
    return str(path)


@pytest.fixture
def recipe(tmp_path: Path) -> str:
    """Two sources of thirty rows, and the tiny model."""
    write_source(tmp_path, "a", coloured(0, 30))
    write_source(tmp_path, "b", coloured(100, 30))
    train = {
        "base_model": {"name": "tests/tiny", "path": str(build_model(tmp_path / "model"))},
        "max_tokens": 64,
        "max_steps": 2,
        "batch_size": 4,
        "learning_rate": 0.01,
        "answers": 3,
        "answer_tokens": 4,
        "threads": 1,
        "source_weights": {"b": 2},
        "push": {"repo": "winnow/tiny", "target": "folder"},
    }
    return written(tmp_path, "a", "b", train=train)


def test_variants_are_trained_alike_and_tabled_on_the_same_rows(
    recipe: str, lake: str, winnow: Winnow, capsys: pytest.CaptureFixture[str]
) -> None:
    done = winnow("--lake", lake, "ablate", recipe, "--without-source", "b", "--json")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    folder = Path(answer.pop("path"))
    found = Ablation.model_validate(answer)

    whole, without = found.trials
    assert (whole.variant.title, without.variant.title) == ("all", "without b")
    assert whole.rows > without.rows > 0
    assert whole.steps == without.steps == 2
    assert whole.evaluation.conversations == without.evaluation.conversations == found.conversations
    assert set(without.evaluation.of("source")) == {"a", "b"}  # rows of b too
    assert whole.change is None
    assert without.change == pytest.approx(without.evaluation.loss - whole.evaluation.loss)
    assert without.change_error > 0
    assert found.base_model.loss > whole.evaluation.loss
    assert found.base_answers.answers == without.answers.answers == 3
    report = (folder / "report.md").read_text("utf-8")
    assert "without b" in report
    assert f"{without.evaluation.loss:.4f}" in report
    assert not (Path(lake) / "hub").exists()  # nothing was pushed

    assert {path.name for path in (Path(lake) / "runs").iterdir()} == {whole.run, without.run}
    assert Ablation.model_validate_json((folder / "ablation.json").read_text("utf-8")) == found

    show(found)
    shown = capsys.readouterr().out
    assert f"{without.change:+.4f}" in shown
    assert f"{found.base_model.loss:.4f}" in shown


# fmt: off
WRONG = {                      # sources      rules                  error        what it says
    "an unknown source":        (("c",),      (),                    UnknownName, "no source of recipe 'tiny' is called 'c'"),
    "every source":             (("a,b",),    (),                    ConfigError, "has no source"),
    "a source twice":           (("a", "a"),  (),                    ConfigError, "once"),
    "no such rule":             ((),          ("dedupe.nigh",),      ConfigError, "no such rule.*dedupe.near"),
    "a key that is no rule":    ((),          ("split",),            ConfigError, "no such rule"),
    "a rule that is off":       ((),          ("dedupe.near",),      ConfigError, "is off"),
}
# fmt: on


@pytest.mark.parametrize(("sources", "rules", "error", "said"), WRONG.values(), ids=WRONG.keys())
def test_what_cannot_be_left_out_is_refused_before_any_work(
    tmp_path: Path, sources: tuple[str, ...], rules: tuple[str, ...], error: type, said: str
) -> None:
    plan = load_recipe(written(tmp_path, "a", "b"))
    with pytest.raises(error, match=said):
        variants_of(plan, sources, rules)


def test_a_variant_is_an_heir_that_goes_to_no_hub(tmp_path: Path) -> None:
    write_source(tmp_path, "a", coloured(0, 3))
    train = {
        "base_model": {"name": "tiny", "path": "model"},
        "source_weights": {"a": 2, "b": 3},
        "push": {"repo": "winnow/tiny", "target": "folder"},
    }
    parts = {"publish": {"hub": "winnow/tiny"}, "gates": {"min_rows": 40}, "train": train}
    path = written(tmp_path, "a", "b", **parts)
    plan = load_recipe(path)
    whole, without, rule = variants_of(plan, ("b",), ("dedupe.exact",))
    loaded = []
    for variant in (whole, without, rule):
        heir = tmp_path / f"{variant.name}-heir.yaml"
        heir.write_text(yaml.safe_dump(variant.recipe(path, "")))
        loaded.append(load_recipe(str(heir)))
    assert [one.name for one in loaded] == ["tiny", "tiny-without-b", "tiny-without-dedupe.exact"]
    assert [len(one.resolved_sources) for one in loaded] == [2, 1, 2]
    assert [one.dedupe.exact.enabled for one in loaded] == [True, True, False]
    assert [one.gates.min_rows for one in loaded] == [40, 1, 1]
    assert all(one.publish.hub is None and one.train.push is None for one in loaded)
    assert [len(one.train.source_weights) for one in loaded] == [2, 1, 2]


def test_an_ablation_of_nothing_is_a_mistake(recipe: str, lake: str, winnow: Winnow) -> None:
    done = winnow("--lake", lake, "ablate", recipe)
    assert done.returncode == 2
    assert "--without-source NAME" in done.stderr
    assert not Path(lake).exists()
