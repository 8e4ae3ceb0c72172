"""What stops a run by its figures, and what its figures are computed from."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from schemas.errors import TrainingError
from trainer.flops import FROZEN, LEARNING, peak_of, token_flops
from trainer.following import Following, newest_line
from trainer.metrics import SPIKE_STEPS, Arithmetic, Metrics


def metrics(path: Path, losses: list[float], spike: float | None = None, **more) -> Metrics:
    known = dict(enumerate(losses, start=1))
    return Metrics(path, known, lambda line, steps: None, spike, **more)


def log(one: Metrics, step: int, loss: float) -> None:
    state = SimpleNamespace(global_step=step, num_input_tokens_seen=100 * step, max_steps=99)
    one.on_log(
        SimpleNamespace(learning_rate=1e-3), state, None, {"loss": loss, "learning_rate": 1e-3}
    )


# fmt: off
SPIKES = {                   # steps before, at 2.0   allowed   loss    stops
    "just below":            (SPIKE_STEPS,            3.0,      5.999,  False),
    "just above":            (SPIKE_STEPS,            3.0,      6.001,  True),
    "too few steps to tell": (SPIKE_STEPS - 1,        3.0,      60.0,   False),
    "not asked for":         (SPIKE_STEPS,            None,     60.0,   False),
    "no number":             (SPIKE_STEPS,            None,     float("nan"), True),
    "infinite at once":      (0,                      None,     float("inf"), True),
}
# fmt: on


@pytest.mark.parametrize(("steps", "allowed", "loss", "stops"), SPIKES.values(), ids=SPIKES)
def test_a_loss_that_jumps_stops_the_run(steps, allowed, loss, stops, tmp_path):
    one = metrics(tmp_path / "metrics.jsonl", [2.0] * steps, allowed)
    if not stops:
        log(one, steps + 1, loss)
        return
    with pytest.raises(TrainingError, match=rf"step {steps + 1}.*learning_rate \(now 0.001\)"):
        log(one, steps + 1, loss)
    assert (tmp_path / "metrics.jsonl").read_text("utf-8") == ""


def test_only_the_last_steps_count_for_a_spike(tmp_path):
    """A hundred steps of a high loss long ago do not hide a jump of today."""
    one = metrics(tmp_path / "metrics.jsonl", [50.0] * 100 + [1.0] * SPIKE_STEPS, 2.0)
    with pytest.raises(TrainingError, match=r"jumped at step 121: 3, where the 20 .* had 1 on av"):
        log(one, 121, 3.0)


def test_mfu_is_the_arithmetic_done_by_the_arithmetic_possible(tmp_path):
    path = tmp_path / "metrics.jsonl"
    one = metrics(path, [], arithmetic=Arithmetic(token_flops=4e3, peak_flops=1e9))
    one.on_train_begin()
    log(one, 1, 2.0)
    line = json.loads(path.read_text("utf-8"))
    assert line["mfu"] == pytest.approx(line["tokens_per_s"] * 4e3 / 1e9, rel=0.01, abs=1e-4)


# fmt: off
GPUS = {                               # FLOP/s in bfloat16
    "NVIDIA H100 80GB HBM3":           989.4e12,
    "NVIDIA H100 PCIe":                756e12,
    "NVIDIA H200":                     989.4e12,
    "NVIDIA A100-SXM4-80GB":           312e12,
    "NVIDIA A10":                      125e12,
    "NVIDIA A10G":                     70e12,
    "NVIDIA L40S":                     362e12,
    "NVIDIA GeForce RTX 4090":         165.2e12,
    "NVIDIA of next year":             None,
}
# fmt: on


@pytest.mark.parametrize(("name", "flops"), GPUS.items(), ids=GPUS)
def test_a_gpu_is_known_by_its_whole_name(name, flops):
    assert peak_of(name) == flops


def test_flop_per_token_follow_what_learns(tiny_model):
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(tiny_model)
    multiplied = model.num_parameters() - model.get_input_embeddings().weight.numel()
    assert token_flops(model) == LEARNING * multiplied
    model.requires_grad_(False)
    assert token_flops(model) == FROZEN * multiplied


# fmt: off
FILES = {                # the file                                     its newest step
    "nothing":           ("",                                           None),
    "one line":          ('{"step": 1}\n',                              1),
    "half a line more":  ('{"step": 1}\n{"step": 2}\n{"ste',            2),
    "longer than read":  ('{"step": 1}\n' * 1000 + '{"step": 7}\n',     7),
    "no metrics":        ('[]\n',                                       None),
}
# fmt: on


@pytest.mark.parametrize(("text", "step"), FILES.values(), ids=FILES)
def test_the_newest_whole_line_is_found(text, step, tmp_path):
    path = tmp_path / "metrics.jsonl"
    assert newest_line(path) is None
    path.write_text(text, "utf-8")
    found = newest_line(path)
    assert (found and found["step"]) == step


def test_a_run_is_followed_from_a_bucket_too(tmp_path):
    from obstore import get

    from schemas.stores import open_store

    folder = tmp_path / "tiny-0123456789ab"
    folder.mkdir()
    told: list[float] = []
    following = Following(
        folder,
        "memory://lake/corpora/tiny/v0001/manifest.json",
        lambda line: told.append(line["step"]),
    )
    following.look()
    (folder / "metrics.jsonl").write_text('{"step": 1}\n', "utf-8")
    following.look()
    following.look()
    assert told == [1]
    store = open_store("memory://lake/runs/tiny-0123456789ab")
    assert bytes(get(store, "metrics.jsonl").bytes()) == b'{"step": 1}\n'
