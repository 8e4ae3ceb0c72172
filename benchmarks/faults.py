"""Kill refreshes at random moments and run them again: the tally of what was left.

    python -m benchmarks.faults --kills 100
    python -m benchmarks.faults --kills 30 --s3
    python -m benchmarks.faults --kills 30 --lake s3://bucket/faults

`--s3` starts the S3 server of the tests. Each round begins with an empty lake below the one that is
named. The refresh runs in a process group of its own, which is killed with SIGKILL at a moment
drawn from the time that an undisturbed one takes. Every version that can be seen then has to be
whole; after another refresh, undisturbed, the digest has to be that of the first round, and after
`gc --fresh 0` nothing may be left that belongs to no version.
"""

import argparse
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from tasks.corpora import corpus_key, files_of, read_manifest, version_key, versions
from tasks.lake import Lake
from tasks.publish.verify import problems
from tasks.stages import read_receipt, receipt_key
from tests.object_store.s3_server import serving

WINNOW = (sys.executable, "-m", "flows")
LIMIT_S = 600
RECEIPT = "/receipt.json"
KEPT = ("/latest.json", "/unchanged.json", "/upstream.json", ".lock")


@dataclass
class Tally:
    """What all rounds came to; every number but the first two has to be 0."""

    killed: int = 0
    ended_before: int = 0
    half_versions: int = 0
    other_digests: int = 0
    failed_again: int = 0
    orphans: int = 0

    @property
    def is_clean(self) -> bool:
        """Whether nothing was left, lost or different."""
        return not (self.half_versions or self.other_digests or self.failed_again or self.orphans)


def refresh(lake: str, recipe: str, killed_after_s: float | None) -> tuple[str | None, float]:
    """Run one; the digest it tells, None where it was killed or failed, and the seconds it took.

    What one that fails says goes to stderr.
    """
    began = time.monotonic()
    running = subprocess.Popen(
        [*WINNOW, "--lake", lake, "refresh", recipe, "--no-train", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        told, said = running.communicate(timeout=killed_after_s or LIMIT_S)
    except subprocess.TimeoutExpired:
        os.killpg(running.pid, signal.SIGKILL)
        running.communicate()
        told = said = ""
    seconds = time.monotonic() - began
    if running.returncode > 0:
        print(f"{lake}: exit code {running.returncode}\n{said}", file=sys.stderr)
    return (json.loads(told).get("digest") if told.strip() else None), seconds


def half_versions(lake: Lake, corpus: str) -> int:
    """How many of the versions that can be seen are not whole."""
    seen = versions(lake, corpus)
    return sum(bool(problems(lake, read_manifest(lake, corpus, one))) for one in seen)


def orphans(lake: Lake, corpus: str) -> list[str]:
    """What `gc` has left though no version, stage, download, pointer or claim is it.

    Beside the keys these are files that no listing shows: of scratch folders, and half-written.
    """
    collected = [*WINNOW, "--lake", lake.uri, "gc", "--keep", "9", "--fresh", "0", "--apply"]
    subprocess.run(collected, check=True, capture_output=True, timeout=LIMIT_S)
    known, kept = _of_versions(lake, corpus) | _of_stages(lake), _kept_folders(lake, corpus)
    left = [key for key in _all_files(lake) if not key.endswith(KEPT) and key not in known]
    return [key for key in left if not key.startswith(kept)]


def _of_versions(lake: Lake, corpus: str) -> set[str]:
    """Every file that a manifest names."""
    manifests = [read_manifest(lake, corpus, one) for one in versions(lake, corpus)]
    return {
        f"{version_key(corpus, one.version)}/{name}" for one in manifests for name in files_of(one)
    }


def _of_stages(lake: Lake) -> set[str]:
    """Every file that the receipt of a stage names, and the receipts."""
    folders = [
        f"stages/{stage}/{digest}"
        for stage in lake.folders("stages")
        for digest in lake.folders(f"stages/{stage}")
    ]
    receipts = [read_receipt(lake, folder) for folder in folders]
    found = {shard.uri for receipt in receipts if receipt for shard in receipt.files}
    return found | {receipt_key(folder) for folder in folders}


def _kept_folders(lake: Lake, corpus: str) -> tuple[str, ...]:
    """Claims, the log, and downloads with a receipt."""
    raw = [key.removesuffix("receipt.json") for key in lake.keys("raw") if key.endswith(RECEIPT)]
    beside = (f"{corpus_key(corpus)}/{name}/" for name in ("claims", "etags", "log"))
    return (*raw, *beside)


def _all_files(lake: Lake) -> list[str]:
    """Every file of a folder; every key of a bucket."""
    if lake.folder is None:
        return lake.keys("")
    files = (path for path in lake.folder.rglob("*") if path.is_file())
    return [path.relative_to(lake.folder).as_posix() for path in files]


def main() -> int:
    """Print the tally as one JSON object; the exit code is 1 where something was left."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--recipe", default="quickstart")
    parser.add_argument("--lake", help="folder or URI below which lakes are made")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--s3", action="store_true", help="in a server of this process")
    options = parser.parse_args()
    chance = random.Random(options.seed)
    with contextlib.ExitStack() as opened:
        folder = opened.enter_context(tempfile.TemporaryDirectory(prefix="winnow-faults-"))
        below = options.lake or folder
        os.environ.setdefault("PREFECT_HOME", str(Path(folder) / "prefect"))
        os.environ.setdefault("WINNOW_CACHE", str(Path(folder) / "cache"))
        if options.s3:
            server = opened.enter_context(serving())
            os.environ.update(server.environment)
            below = server.uri
        refresh(f"{below}/compiling", options.recipe, None)
        expected, whole_s = refresh(f"{below}/undisturbed", options.recipe, None)
        if expected is None:
            raise SystemExit("the undisturbed refresh failed: run it by hand to see why")
        tally = Tally()
        for number in range(options.kills):
            uri = f"{below}/round-{number:04d}"
            moment_s = chance.uniform(0.0, whole_s)
            told, _ = refresh(uri, options.recipe, moment_s)
            tally.killed += told is None
            tally.ended_before += told is not None
            tally.half_versions += half_versions(Lake(uri), options.recipe)
            again, _ = refresh(uri, options.recipe, None)
            tally.failed_again += again is None
            tally.other_digests += again not in (None, expected)
            tally.orphans += len(orphans(Lake(uri), options.recipe))
            so_far = f"{number + 1} of {options.kills}, killed after {moment_s:.2f} s"
            print(f"{so_far}: {json.dumps(vars(tally))}", file=sys.stderr)
    print(json.dumps({"digest": expected, "undisturbed_s": round(whole_s, 2), **vars(tally)}))
    return 0 if tally.is_clean else 1


if __name__ == "__main__":
    sys.exit(main())
