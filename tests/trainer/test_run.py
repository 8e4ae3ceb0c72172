"""A whole run on a tiny model: trained, accepted, pushed; again; killed; damaged."""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file

from schemas.adapter import TrainingManifest, TrainingRun
from schemas.errors import (
    AdapterRejected,
    ConfigError,
    CorpusDamaged,
    GateFailed,
    StorageError,
    TrainingError,
)
from schemas.recipe import Recipe
from schemas.train import OverLong, Push
from tests.trainer.building import (
    Messages,
    build_corpus,
    build_model,
    conversations,
    recipe_of,
    write_recipe,
)
from tests.trainer.hub_stand_in import HubStandIn
from trainer.__main__ import main
from trainer.corpus import Corpus
from trainer.files import MANIFEST, WEIGHTS, read_manifest
from trainer.hub import FolderHub, HuggingFaceHub
from trainer.metrics import Metrics
from trainer.progress import Progress
from trainer.run import run, run_name


def train(manifest: Path, recipe: Recipe, folder: Path | None = None) -> TrainingRun:
    return run(manifest, recipe, lake_of(manifest), folder, Progress())


def lake_of(manifest: Path) -> Path:
    return manifest.parents[3]


def losses(folder: Path) -> list[float]:
    lines = (folder / "metrics.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line)["loss"] for line in lines]


def changed(recipe: Recipe, **settings: Any) -> Recipe:
    assert recipe.train
    return recipe.model_copy(update={"train": recipe.train.model_copy(update=settings)})


def test_a_run_ends_with_an_adapter_that_learned_and_is_on_the_hub(manifest, recipe):
    done = train(manifest, recipe)

    made = done.manifest
    assert done.status == "trained"
    assert made.steps == 10
    assert made.before
    assert made.after
    assert made.after.loss < made.before.loss - 0.1
    assert made.acceptance.nonzero_lora_b == made.acceptance.tensors // 2
    assert {one.source: one.kept for one in made.audit} == {"things": 43, "others": 21}
    assert {one.source: one.kept for one in made.validation_audit} == {"things": 6, "others": 2}
    assert made.pushed
    hub = FolderHub(lake_of(manifest) / "hub")
    assert hub.head("winnow/tiny") == made.pushed.commit
    pushed = Path(made.pushed.uri)
    assert made.corpus_digest in (pushed / "README.md").read_text("utf-8")
    assert TrainingManifest.model_validate_json((pushed / MANIFEST).read_text("utf-8")).run == (
        made.run
    )


def test_the_run_manifest_is_written_last(manifest, recipe):
    folder = Path(train(manifest, recipe).folder)
    written = [path for path in folder.rglob("*") if path.is_file() and path.name != ".lock"]
    assert max(written, key=lambda path: path.stat().st_mtime_ns) == folder / MANIFEST


def test_a_second_run_trains_nothing_and_loads_no_model(manifest, recipe, tiny_model):
    first = train(manifest, recipe)
    weights = Path(first.folder) / "adapter" / WEIGHTS
    before = weights.stat().st_mtime_ns
    hidden = tiny_model.rename(tiny_model.with_name("hidden"))
    try:
        second = train(manifest, recipe)
    finally:
        hidden.rename(tiny_model)
    assert second.status == "unchanged"
    assert second.manifest == first.manifest
    assert weights.stat().st_mtime_ns == before


def test_another_place_to_push_to_is_the_same_run_and_only_pushes(manifest, recipe):
    first = train(manifest, recipe)
    elsewhere = changed(recipe, push=Push(repo="winnow/elsewhere", target="folder"))
    second = train(manifest, elsewhere)
    assert second.folder == first.folder
    assert second.manifest.adapter_sha256 == first.manifest.adapter_sha256
    assert second.manifest.elapsed_s == first.manifest.elapsed_s
    assert FolderHub(lake_of(manifest) / "hub").head("winnow/elsewhere")


# fmt: off
CHANGES = {           # what changes                        the run's name changes
    "learning rate":   ({"learning_rate": 3e-3},            True),
    "template":        ({"template": "plain"},              True),
    "where it goes":   ({"push": None},                     False),
}
# fmt: on


@pytest.mark.parametrize(("settings", "differs"), CHANGES.values(), ids=CHANGES.keys())
def test_a_run_is_named_by_what_its_adapter_depends_on(manifest, recipe, settings, differs):
    corpus = Corpus(manifest)
    other = changed(recipe, **settings)
    same = run_name(corpus, recipe.train, 17) == run_name(corpus, other.train, 17)
    assert same is not differs
    assert run_name(corpus, recipe.train, 17) != run_name(corpus, recipe.train, 18)


def test_the_same_rows_under_another_version_are_the_same_run(manifest, recipe):
    first = train(manifest, recipe)
    later = manifest.parent.with_name("v0002")
    shutil.copytree(manifest.parent, later)
    text = (later / "manifest.json").read_text("utf-8").replace('"v0001"', '"v0002"')
    (later / "manifest.json").write_text(text, "utf-8")
    second = train(later / "manifest.json", recipe)
    assert second.status == "unchanged"
    assert second.manifest == first.manifest
    assert re.fullmatch("tiny-[0-9a-f]{12}", Path(first.folder).name)


def test_nothing_that_is_pushed_names_a_place_on_this_machine(manifest, recipe, tiny_model):
    made = train(manifest, recipe).manifest
    assert made.corpus_uri == "corpora/tiny/v0001"
    assert made.train.base_model.path == str(tiny_model)
    assert made.pushed
    for path in Path(made.pushed.uri).iterdir():
        content = path.read_bytes()
        assert str(lake_of(manifest)).encode() not in content
        assert str(tiny_model).encode() not in content


def test_a_run_that_is_only_pushed_knows_its_base_model_again(manifest, recipe, tiny_model):
    first = train(manifest, recipe)
    (Path(first.folder) / MANIFEST).unlink()
    assert train(manifest, recipe).manifest == first.manifest


# fmt: off
KEPT = {                                   # line numbers kept of ten
    "metrics.jsonl is lost":               0,
    "metrics.jsonl is cut short":          4,
}
# fmt: on


@pytest.mark.parametrize("kept", KEPT.values(), ids=KEPT)
def test_a_finished_checkpoint_counts_its_own_steps(kept, manifest, recipe):
    first = train(manifest, recipe)
    folder = Path(first.folder)
    (folder / MANIFEST).unlink()
    (folder / "adapter" / MANIFEST).unlink()
    metrics = folder / "metrics.jsonl"
    lines = metrics.read_text("utf-8").splitlines(keepends=True)
    metrics.write_text("".join(lines[:kept]), "utf-8")
    if not kept:
        metrics.unlink()
    again = train(manifest, recipe).manifest
    assert again.steps == 10
    assert again.train_loss == first.manifest.train_loss


# fmt: off
STEPS = {           # max_steps   allowed
    "none":          (0,          False),
    "minus two":     (-2,         False),
    "by epochs":     (-1,         True),
    "one":           (1,          True),
}
# fmt: on


@pytest.mark.parametrize(("steps", "allowed"), STEPS.values(), ids=STEPS)
def test_a_run_has_a_step_at_least(steps, allowed, tiny_model):
    if allowed:
        assert recipe_of(tiny_model, max_steps=steps).train.max_steps == steps
        return
    with pytest.raises(ValueError, match=f"1 or more, or -1 to count by epochs; found {steps}"):
        recipe_of(tiny_model, max_steps=steps)


@pytest.fixture
def own_model(tiny_model, tmp_path) -> Path:
    """A copy of the tiny model that a test may change."""
    return Path(shutil.copytree(tiny_model, tmp_path / "own"))


def test_other_weights_of_the_base_model_start_the_run_over(manifest, own_model):
    recipe = recipe_of(own_model)
    first = train(manifest, recipe).manifest
    build_model(own_model, seed=4)
    second = train(manifest, recipe)
    assert second.status == "trained"
    assert second.manifest.run == first.run
    assert second.manifest.base_digest != first.base_digest
    assert second.manifest.before != first.before
    assert second.manifest.adapter_sha256 != first.adapter_sha256
    assert len(losses(Path(second.folder))) == 10
    assert train(manifest, recipe).status == "unchanged"


def test_work_on_other_weights_is_not_gone_on_with(manifest, own_model, tmp_path):
    recipe = recipe_of(own_model)
    folder = Path(train(manifest, recipe).folder)
    (folder / MANIFEST).unlink()
    (folder / "adapter" / MANIFEST).unlink()
    build_model(own_model, seed=4)
    resumed = train(manifest, recipe).manifest
    fresh = train(manifest, recipe, tmp_path / "fresh").manifest
    assert resumed.before == fresh.before
    assert resumed.adapter_sha256 == fresh.adapter_sha256


def test_the_same_weights_written_anew_change_nothing(manifest, own_model):
    recipe = recipe_of(own_model)
    train(manifest, recipe)
    os.utime(own_model / "model.safetensors", (1, 1))
    assert train(manifest, recipe).status == "unchanged"


def test_a_finished_run_is_found_done_without_torch(manifest, recipe, tmp_path):
    train(manifest, recipe)
    path = write_recipe(tmp_path / "recipe.yaml", recipe)
    program = (
        "import sys; from trainer.__main__ import main; code = main(sys.argv[1:]); "
        "sys.exit(code or 'torch' in sys.modules)"
    )
    command = [sys.executable, "-c", program, "--manifest", str(manifest), "--recipe", str(path)]
    command += ["--lake", str(lake_of(manifest))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("unchanged")


def test_an_adapter_that_was_deleted_is_made_again(manifest, recipe):
    first = train(manifest, recipe)
    adapter = Path(first.folder) / "adapter"
    shutil.rmtree(adapter)
    again = train(manifest, recipe)
    assert again.status == "trained"
    assert again.manifest.adapter_sha256 == first.manifest.adapter_sha256
    assert (adapter / WEIGHTS).is_file()
    assert train(manifest, recipe).status == "unchanged"


@pytest.mark.parametrize("push", [None, Push(repo="winnow/tiny", target="folder")])
def test_an_adapter_that_was_altered_is_not_called_unchanged(push, manifest, recipe):
    done = changed(recipe, push=push)
    weights = Path(train(manifest, done).folder) / "adapter" / WEIGHTS
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    with pytest.raises(CorpusDamaged, match=r"not the adapter that was accepted.*Delete"):
        train(manifest, done)


# fmt: off
DAMAGES = {                   # what happens to the weights
    "altered":               lambda path: path.write_bytes(path.read_bytes()[:-1] + b"x"),
    "gone":                  lambda path: path.unlink(),
}
# fmt: on


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_weights_that_are_not_those_accepted_are_not_pushed(damage, manifest, recipe):
    first = train(manifest, recipe)
    adapter = Path(first.folder) / "adapter"
    damage(adapter / WEIGHTS)
    elsewhere = changed(recipe, push=Push(repo="winnow/elsewhere", target="folder"))
    with pytest.raises(CorpusDamaged, match=r"not the adapter that was accepted.*Delete"):
        train(manifest, elsewhere)
    assert not (lake_of(manifest) / "hub" / "winnow" / "elsewhere").exists()
    shutil.rmtree(adapter)
    assert train(manifest, elsewhere).manifest.adapter_sha256 == first.manifest.adapter_sha256


def test_a_token_that_cannot_write_is_found_out_before_the_first_step(
    manifest, recipe, monkeypatch
):
    with HubStandIn().running() as stand_in:
        stand_in.repos["winnow/tiny"] = True
        hub = HuggingFaceHub(stand_in.reader, endpoint=stand_in.url, sleep=lambda _: None)
        monkeypatch.setattr("trainer.job.choose_hub", lambda push, lake: hub)
        with pytest.raises(ConfigError, match=r"refuses winnow/tiny with 403"):
            train(manifest, recipe)
    assert not (lake_of(manifest) / "tokenized").exists()


def test_a_manifest_of_a_newer_format_is_refused(manifest):
    found = json.loads(manifest.read_text("utf-8")) | {"format_version": 99}
    manifest.write_text(json.dumps(found), "utf-8")
    with pytest.raises(CorpusDamaged, match=r"has format 99, this Winnow reads up to.*Update"):
        Corpus(manifest)


@pytest.mark.parametrize("packing", [False, True])
def test_killed_and_run_again_it_ends_bitwise_like_one_that_was_not(
    packing, manifest, tmp_path, tiny_model
):
    """Two epochs and more, with dropout, so data order and random state must both come back."""
    recipe = recipe_of(tiny_model, max_steps=200, save_steps=10, schedule="linear", packing=packing)
    straight = train(manifest, recipe, tmp_path / "straight")

    killed = tmp_path / "killed"
    checkpoints = killed / "checkpoints"
    command = [sys.executable, "-m", "trainer", "--manifest", str(manifest)]
    command += ["--recipe", str(write_recipe(tmp_path / "recipe.yaml", recipe))]
    command += ["--lake", str(lake_of(manifest)), "--run-folder", str(killed)]
    with (tmp_path / "log").open("wb") as log:
        child = subprocess.Popen(command, stdout=log, stderr=log)
        while child.poll() is None and not list(checkpoints.glob("checkpoint-*/complete.json")):
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(0.005)
        child.send_signal(signal.SIGKILL)
        assert child.wait() == -signal.SIGKILL, (tmp_path / "log").read_text()
    assert 0 < len(losses(killed)) < 200
    torn = checkpoints / "checkpoint-190"
    torn.mkdir()
    (torn / "adapter_model.safetensors").write_bytes(b"cut off")

    resumed = train(manifest, recipe, killed)

    assert losses(killed) == losses(Path(straight.folder))
    ours, theirs = (
        load_file(Path(one.folder) / "adapter" / WEIGHTS) for one in (resumed, straight)
    )
    assert all((ours[name] == theirs[name]).all() for name in theirs)
    assert resumed.manifest.adapter_sha256 == straight.manifest.adapter_sha256
    assert resumed.manifest.after == straight.manifest.after


def test_killed_after_the_last_step_it_trains_no_further(manifest, recipe):
    first = train(manifest, recipe)
    folder = Path(first.folder)
    (folder / MANIFEST).unlink()
    (folder / "adapter" / MANIFEST).unlink()
    again = train(manifest, recipe)
    assert again.manifest.steps == 10
    assert again.manifest.adapter_sha256 == first.manifest.adapter_sha256
    assert again.manifest.train_loss == first.manifest.train_loss


def test_two_trainers_cannot_share_a_run(manifest, recipe, tmp_path):
    from filelock import FileLock

    folder = tmp_path / "run"
    folder.mkdir()
    with FileLock(folder / ".lock"), pytest.raises(StorageError, match="another process"):
        train(manifest, recipe, folder)


def test_memory_that_runs_out_before_the_first_step_is_told(manifest, recipe, monkeypatch):
    """Where rows are measured, where packing is proven, wherever: torch tells by a RuntimeError."""

    def exhaust(*_: Any) -> None:
        import torch

        torch.empty(2**60)

    with monkeypatch.context() as patch:
        patch.setattr("trainer.exam.row_losses", exhaust)
        with pytest.raises(
            TrainingError, match="while a model was measured on the validation split"
        ):
            train(manifest, recipe)
    monkeypatch.setattr("trainer.job.isolating", exhaust)
    with pytest.raises(TrainingError, match="memory ran out"):
        train(manifest, changed(recipe, packing=True))


def test_a_lock_that_cannot_be_written_says_so(manifest, recipe, tmp_path):
    (tmp_path / "run" / ".lock").mkdir(parents=True)
    with pytest.raises(StorageError, match="cannot write"):
        train(manifest, recipe, tmp_path / "run")


def test_a_run_manifest_that_cannot_be_read_is_to_be_done_again(manifest, recipe):
    folder = Path(train(manifest, recipe).folder)
    (folder / MANIFEST).write_text("{}", "utf-8")
    with pytest.raises(StorageError, match="Delete it to have the run done again"):
        train(manifest, recipe)
    with pytest.raises(StorageError, match="Fetch the adapter again"):
        read_manifest(folder / MANIFEST)


def test_a_damaged_shard_is_refused_before_the_first_step(manifest, recipe):
    shard = next(manifest.parent.glob("data/train-*"))
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 1
    shard.write_bytes(content)
    with pytest.raises(CorpusDamaged, match=r"train-00000-of-00001.parquet.*expected sha256"):
        train(manifest, recipe)
    assert not list(lake_of(manifest).glob("runs/*/checkpoints"))


def test_a_missing_shard_is_refused(manifest, recipe):
    next(manifest.parent.glob("data/validation-*")).unlink()
    with pytest.raises(CorpusDamaged, match="is missing"):
        train(manifest, recipe)


def test_a_rejected_version_is_not_trained_on(tmp_path, recipe):
    path = build_corpus(tmp_path, recipe, conversations(4), conversations(2), status="rejected")
    with pytest.raises(GateFailed, match="rejected by its gates"):
        train(path, recipe)


def test_a_recipe_without_a_train_section_says_so(manifest, recipe):
    with pytest.raises(ConfigError, match="no train section"):
        train(manifest, recipe.model_copy(update={"train": None}))


def test_nothing_to_learn_from_is_refused(manifest, recipe):
    with pytest.raises(ConfigError, match=r"nothing to learn from: of 64 .*64 are longer than 8"):
        train(manifest, changed(recipe, max_tokens=8))


def test_a_corpus_without_validation_split_trains_unmeasured(tmp_path, recipe):
    made = train(build_corpus(tmp_path, recipe, conversations(16), []), recipe).manifest
    assert made.before is None
    assert made.after is None


# fmt: off
UNMEASURED = {                # validation: question, answer            settings            why none is measured
    "too long":              (("x " * 200, "y"),                        {},                 "8 are longer than 64 tokens"),
    "cut off":               (("x", "y " * 200),                        {"over_long": OverLong.TRUNCATE_PROMPT}, "8 are longer than 64 tokens"),
}
# fmt: on


@pytest.mark.parametrize(("said", "settings", "why"), UNMEASURED.values(), ids=UNMEASURED)
def test_a_validation_split_that_measures_nothing_is_refused_before_the_first_step(
    said, settings, why, tmp_path, recipe
):
    """Else the adapter would be pushed without having been held against its base."""
    row = [{"role": "user", "content": said[0]}, {"role": "assistant", "content": said[1]}]
    path = build_corpus(tmp_path, recipe, conversations(16), [row] * 8)
    with pytest.raises(ConfigError, match=f"nothing to measure.*{why}.*train.max_tokens"):
        train(path, changed(recipe, **settings))
    assert not list(tmp_path.glob("runs/*/checkpoints"))


def test_an_adapter_worse_than_its_base_is_not_pushed(tmp_path, tiny_model):
    """The base was taught what validation asks for, and the corpus teaches something else."""
    known = [
        [question, {"role": "assistant", "content": "zzzz"}] for question, _ in conversations(8)
    ]
    recipe = recipe_of(teach(tiny_model, known, tmp_path / "taught"))
    path = build_corpus(tmp_path, recipe, conversations(32), known)
    with pytest.raises(AdapterRejected, match="worse than the bare base model"):
        train(path, recipe)
    assert not (tmp_path / "hub").exists()
    assert not list(tmp_path.glob(f"runs/*/{MANIFEST}"))
    allowed = changed(recipe, max_loss_increase=100.0)
    assert train(path, allowed).manifest.pushed


def teach(model: Path, rows: list[Messages], folder: Path) -> Path:
    """A copy of a model that has these conversations by heart."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(model)
    pupil = AutoModelForCausalLM.from_pretrained(model)
    texts = [tokenizer.apply_chat_template(row, tokenize=False) for row in rows]
    batch = tokenizer(texts, padding=True, return_tensors="pt")
    optimizer = torch.optim.AdamW(pupil.parameters(), lr=1e-2)
    for _ in range(40):
        pupil(**batch, labels=batch["input_ids"]).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    pupil.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def test_what_the_hub_gives_back_is_accepted_again(manifest, recipe, monkeypatch):
    class Forgetful(FolderHub):
        def fetch(self, repo: str, commit: str, into: Path) -> None:
            super().fetch(repo, commit, into)
            (into / WEIGHTS).write_bytes(b"other bytes")

    monkeypatch.setattr(
        "trainer.job.choose_hub", lambda push, lake: Forgetful(lake_of(manifest) / "hub")
    )
    with pytest.raises(AdapterRejected, match="is not what was pushed"):
        train(manifest, recipe)
    assert not list(lake_of(manifest).glob(f"runs/*/{MANIFEST}"))


def test_a_loss_that_is_no_number_stops_the_run(manifest, recipe, tmp_path):
    from types import SimpleNamespace

    metrics = Metrics(tmp_path / "metrics.jsonl", {}, lambda line, steps: None)
    state = SimpleNamespace(global_step=3, num_input_tokens_seen=10, max_steps=9)
    with pytest.raises(TrainingError, match=r"diverged at step 3.*learning_rate"):
        metrics.on_log(SimpleNamespace(learning_rate=1e-3), state, None, {"loss": float("nan")})


def test_gradient_accumulation_weighs_tokens_not_batches(manifest, recipe, tmp_path):
    """Two batches of four teach what one of eight teaches, though their lengths differ."""
    plain = changed(
        recipe,
        batch_size=8,
        max_steps=4,
        lora=recipe.train.lora.model_copy(update={"dropout": 0.0}),
    )
    halved = changed(plain, batch_size=4, gradient_accumulation=2)
    one, two = train(manifest, plain), train(manifest, halved)
    assert losses(Path(two.folder)) == pytest.approx(losses(Path(one.folder)), rel=1e-5)


def test_a_packed_run_learns_from_full_rows(manifest, tiny_model):
    recipe = recipe_of(tiny_model, packing=True, max_tokens=128, batch_size=2, max_steps=20)
    made = train(manifest, recipe).manifest
    assert made.packed
    assert made.packed.rows == made.lengths.rows == 64
    assert made.packed.packs == 22  # three to a row
    tokens = sum(one.tokens for one in made.audit)
    assert made.packed.efficiency == pytest.approx(tokens / (made.packed.packs * 128))
    assert made.before
    assert made.after
    assert made.after.loss < made.before.loss - 0.5


def test_the_steps_of_packed_and_padded_rows_count_the_same_tokens(manifest, tiny_model, tmp_path):
    whole = {"epochs": 1.0, "max_steps": -1}
    padded = train(manifest, recipe_of(tiny_model, **whole), tmp_path / "padded")
    packed = train(manifest, recipe_of(tiny_model, packing=True, **whole), tmp_path / "packed")
    seen = [
        json.loads((Path(one.folder) / "metrics.jsonl").read_text("utf-8").splitlines()[-1])[
            "tokens"
        ]
        for one in (padded, packed)
    ]
    assert seen[0] == seen[1] == sum(one.tokens for one in packed.manifest.audit)


def test_a_source_that_weighs_nothing_is_not_trained_on(manifest, tiny_model):
    recipe = recipe_of(tiny_model, source_weights={"others": 0, "things": 2})
    made = train(manifest, recipe).manifest
    things = next(one for one in made.audit if one.source == "things")
    assert made.lengths.rows == 2 * things.kept


def test_the_command_prints_one_json_object_and_nothing_else(manifest, recipe, tmp_path, capsys):
    path = write_recipe(tmp_path / "recipe.yaml", recipe)
    arguments = ["--manifest", str(manifest), "--recipe", str(path), "--json"]
    assert main([*arguments, "--lake", str(lake_of(manifest))]) == 0
    out = capsys.readouterr().out
    assert TrainingRun.model_validate_json(out).status == "trained"
    assert out.count("\n") == 1


def test_the_exit_code_is_that_of_the_error(tmp_path, recipe, capsys):
    path = write_recipe(tmp_path / "recipe.yaml", recipe)
    arguments = ["--manifest", str(tmp_path / "none.json"), "--recipe", str(path), "--json"]
    assert main(arguments) == ConfigError.exit_code
    assert json.loads(capsys.readouterr().out)["error"] == "ConfigError"


def test_what_is_said_cannot_steer_the_terminal(capsys):
    assert main(["--manifest", "x\x1b[2J", "--recipe", "quickstart"]) == ConfigError.exit_code
    Progress().say("model \x1b]0;owned\x07")
    said = capsys.readouterr().err
    assert "x\ufffd[2J" in said
    assert "\x1b" not in said


def test_progress_says_nothing_of_the_corpus_text(manifest, recipe, capfd):
    train(manifest, recipe)
    said = capfd.readouterr()
    assert said.out == ""
    assert "What colour" not in said.err
    assert "Label audit" in said.err
    assert os.environ.get("HF_HUB_DISABLE_TELEMETRY") == "1"
