"""Trials on the same validation rows: which rows those are, and what a change in loss is worth."""

import math
import weakref
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest

from schemas.ablation import Ablation, Trial, Variant
from schemas.adapter import Evaluation
from schemas.errors import StorageError
from schemas.manifest import ShardRef, SplitEntry
from schemas.recipe import Recipe
from tests.trainer.building import write_recipe
from trainer.ablation_report import ablation_markdown
from trainer.compare import _read_plan, change_of, compare, unseen_rows, with_changes
from trainer.files import write_text
from trainer.generation import Assistant
from trainer.opening import open_assistant
from trainer.progress import Progress
from trainer.run import run


def of(*losses: tuple[float, int]) -> pl.DataFrame:
    return pl.DataFrame(losses, schema={"loss": pl.Float64, "tokens": pl.Int64}, orient="row")


def test_a_change_is_weighted_by_token_and_has_an_error() -> None:
    whole, other = of((2.0, 1), (9.0, 3)), of((3.0, 1), (9.0, 3))
    change, error = change_of(whole, other)
    assert change == pytest.approx(0.25)
    by_row = np.array([1 - 0.25 * 1, 0 - 0.25 * 3])
    assert error == pytest.approx(math.sqrt((by_row**2).sum() * 2) / 4)


def test_the_error_of_a_change_is_what_other_samples_show() -> None:
    """Held against the spread of the change over many samples of conversations."""
    random = np.random.default_rng(5)

    def sample() -> tuple[float, float]:
        tokens = random.integers(1, 60, 400)
        gain = random.normal(0.1, 0.5, 400) * tokens
        frame = pl.DataFrame({"loss": tokens * 2.0, "tokens": tokens})
        change, error = change_of(frame, frame.with_columns(pl.Series("loss", tokens * 2.0 + gain)))
        assert error is not None
        return change, error

    changes, errors = zip(*(sample() for _ in range(300)), strict=True)
    assert np.mean(errors) == pytest.approx(np.std(changes), rel=0.15)


def test_one_conversation_has_no_error() -> None:
    assert change_of(of((2.0, 2)), of((1.0, 2))) == (-0.5, None)


def test_no_conversations_have_no_change() -> None:
    """Where every validation row was seen by a variant."""
    assert change_of(of(), of()) == (None, None)
    assert change_of(of((0.0, 0)), of((0.0, 0))) == (None, None)


def test_one_model_is_in_memory_at_a_time(
    manifest: Path, recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = manifest.parents[3]
    made = run(manifest, recipe, lake, None, Progress()).manifest
    models: list[weakref.ref[Any]] = []
    alive: list[int] = []

    def opened(*named: Any, **how: Any) -> Assistant:
        alive.append(sum(one() is not None for one in models))
        found = open_assistant(*named, **how)
        models.append(weakref.ref(found.model))
        return found

    monkeypatch.setattr("trainer.compare.open_assistant", opened)
    monkeypatch.setattr("trainer.compare.unseen_rows", lambda *_: np.arange(8))
    one = trial(WHOLE, 1, run=made.run, manifest=str(manifest), evaluation=None)
    plan = Ablation(recipe="t", corpus_version="v0001", manifest=str(manifest), trials=(one, one))
    write_text(tmp_path / "ablation.json", plan.model_dump_json())
    path = write_recipe(tmp_path / "recipe.yaml", recipe)
    found = compare(tmp_path, str(path), lake, Progress())
    assert alive == [0, 0, 0]
    assert found.conversations == 8
    assert found.base_model == made.before
    assert found.trials[1].evaluation == made.after


class Version(SimpleNamespace):
    """What of a corpus its identities are read from."""

    def split(self, name: str) -> SplitEntry:
        return self.splits[name]

    def verify(self) -> None: ...


def version(folder: Path, suffix: str = "parquet", **splits: list[tuple[str, str]]) -> Any:
    folder.mkdir()
    found = {}
    for name, rows in splits.items():
        frame = pl.DataFrame(rows, schema=["record_id", "cluster"], orient="row")
        path = folder / f"{name}.{suffix}"
        frame.write_parquet(path) if suffix == "parquet" else frame.write_ipc(path)
        shard = ShardRef(uri=path.name, sha256="0" * 64, rows=len(rows), size_bytes=1)
        found[name] = SplitEntry(name=name, rows=len(rows), shards=(shard,))
    return Version(path=folder / "manifest.json", folder=folder, splits=found)


@pytest.mark.parametrize("suffix", ["parquet", "arrow"])
def test_rows_that_another_variant_trained_on_are_not_measured(tmp_path: Path, suffix: str) -> None:
    """Without a source, rows that were its duplicates come back, and may come to train."""
    held_out = [("a", "a"), ("b", "b"), ("c", "c"), ("d", "d")]
    whole = version(tmp_path / "all", suffix, train=[("e", "e")], validation=held_out)
    other = version(tmp_path / "less", suffix, train=[("b", "z"), ("f", "c")], validation=held_out)
    assert unseen_rows(whole, [whole, other, other]).tolist() == [0, 3]
    assert unseen_rows(whole, [whole]).tolist() == [0, 1, 2, 3]


WHOLE, LESS = Variant(name="t"), Variant(name="t-without-a", sources=("a|*b*",))
EVALUATION = Evaluation(loss=1.5, perplexity=4.4817, conversations=2, trainable_tokens=4)


def trial(variant: Variant, seed: int, **more: Any) -> Trial:
    given = {"run": "r", "evaluation": EVALUATION, "manifest": "/m"} | more
    return Trial(variant=variant, version="v0001", seed=seed, **given)


def test_a_trial_is_held_against_the_whole_of_its_seed() -> None:
    measured = [
        (trial(WHOLE, 1), of((1.0, 1), (1.0, 1))),
        (trial(WHOLE, 2), of((3.0, 1), (3.0, 1))),
        (trial(LESS, 1), of((2.0, 1), (2.0, 1))),
        (trial(LESS, 2), of((2.0, 1), (2.0, 1))),
        (trial(LESS, 3, run=None, rejected="worse", evaluation=None), None),
    ]
    assert [one.change for one in with_changes(measured)] == [None, None, 1.0, -1.0, None]


def test_the_report_tables_every_trial_and_is_inert() -> None:
    trials = (
        trial(WHOLE, 1, rows=9),
        trial(LESS, 1, rows=4, change=0.25, change_error=0.125),
        trial(LESS, 2, run=None, rejected="the <b>adapter</b> is worse", evaluation=None),
    )
    found = Ablation(
        recipe="t",
        corpus_version="v0001",
        manifest="/m",
        trials=trials,
        conversations=2,
        seen_by_a_variant=1,
        base_model=EVALUATION,
    )
    text = ablation_markdown(found)
    assert "| without a\\|\\*b\\* | 1 | 4 | – | – | 1.5000 | +0.2500 ± 0.1250 | 4.48 |" in text
    assert "| base model, untrained |" in text
    assert "rejected" in text
    assert "<b>" not in text
    assert "1 rows of it" in text


def test_a_damaged_plan_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "ablation.json").write_text("{}", "utf-8")
    with pytest.raises(StorageError, match="is not the plan of an ablation"):
        _read_plan(tmp_path / "ablation.json")
