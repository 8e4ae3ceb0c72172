"""The same inputs give the same version: in any row or shard order, with any number of workers."""

import os
import random
import subprocess
import sys
from pathlib import Path

from flows.refresh_corpus import refresh_corpus
from schemas.recipe import DEPLOYMENTS
from tests.flows.conftest import Refreshed

LINED = ("belle_zh.json", "dolly.jsonl", "hugnlp.jsonl", "messages.jsonl")
ONE_THREAD = dict.fromkeys(("POLARS_MAX_THREADS", "NUMBA_NUM_THREADS", "OMP_NUM_THREADS"), "1")
WITH_WORKERS = """
import sys
from prefect.task_runners import ThreadPoolTaskRunner
from flows.refresh_corpus import refresh_corpus
workers = refresh_corpus.with_options(task_runner=ThreadPoolTaskRunner(max_workers=5))
print(workers("quickstart", sys.argv[1], None, False).path)
"""


def shuffled(name: str, folder: Path) -> str:
    """A copy of a sample with its lines in another order."""
    lines = (DEPLOYMENTS / "samples" / name).read_text("utf-8-sig").splitlines()
    random.Random(17).shuffle(lines)
    copy = folder / name
    copy.write_text("\n".join(lines) + "\n", "utf-8")
    return str(copy)


def test_the_order_of_rows_and_the_cut_of_shards_do_not_count(
    quickstart: Refreshed, tmp_path: Path
) -> None:
    copies = {f"sample_{name.partition('.')[0]}": shuffled(name, tmp_path) for name in LINED}
    recipe = (DEPLOYMENTS / "recipes" / "quickstart.yaml").read_text("utf-8")
    sources = [line for line in recipe.splitlines() if line.startswith("  - sample_")]
    turned = recipe.replace("\n".join(sources), "\n".join(reversed(sources)))
    assert turned != recipe
    turned = turned.replace("../samples", str(DEPLOYMENTS / "samples"))
    path = tmp_path / "quickstart.yaml"
    path.write_text(f"{turned}\nstage_shard_rows: 100\n", "utf-8")
    other = refresh_corpus(str(path), str(tmp_path / "lake"), copies, False)
    assert other.digest == quickstart.outcome.digest


def test_workers_and_threads_do_not_change_a_byte(quickstart: Refreshed, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITH_WORKERS, str(tmp_path / "lake")],
        env={**os.environ, **ONE_THREAD, "PREFECT_HOME": str(tmp_path / "prefect")},
        cwd=DEPLOYMENTS.parent,
        capture_output=True,
        text=True,
        check=True,
    )
    one, other = Path(quickstart.outcome.path), Path(done.stdout.splitlines()[-1])
    files = sorted(path.relative_to(one) for path in one.rglob("*.parquet"))
    assert files == sorted(path.relative_to(other) for path in other.rglob("*.parquet"))
    assert [
        file for file in files if (one / file).read_bytes() != (other / file).read_bytes()
    ] == []
