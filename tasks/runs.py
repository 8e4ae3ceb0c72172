"""Training runs of a lake in a bucket: made on this machine, then put where all find them."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from schemas.adapter import TrainingManifest, TrainingRun
from tasks.lake import Lake, storage_errors

MANIFEST = "training_manifest.json"
NOT_KEPT = "checkpoints"
_NAME = re.compile(r"\w[\w.-]*(/\w[\w.-]*)?")
"""Of a run or a repository; anything else is a path on this machine."""


def fetch_run(lake: Lake, name: str) -> None:
    """Have a finished run of the lake on this machine's disk, where the trainer looks for it.

    A run in a folder lies there, and so does what this machine began.
    """
    last = f"runs/{name}/{MANIFEST}"
    if lake.folder is not None or (lake.disk / last).exists():
        return
    keys = lake.keys(f"runs/{name}")
    if last in keys:
        _fetch(lake, [*(key for key in keys if key != last), last])


def fetch_adapter(lake: Lake, name: str | None) -> None:
    """Have what `name` calls on this machine's disk: a run, or a repository of the lake's own hub.

    None means the run that finished last. What the lake does not have is not fetched.
    """
    if name is None:
        done = [one for one in lake.entries("runs") if one.key.endswith(f"/{MANIFEST}")]
        runs = [one for one in done if one.key.count("/") == 2]
        newest = max(runs, key=lambda one: one.modified_at, default=None)
        name = newest.key.split("/")[1] if newest else ""
    if not _NAME.fullmatch(name):
        return
    fetch_run(lake, name)
    main = f"hub/{name}/refs/main"
    commit = lake.read_if_any(main)
    if commit is not None:
        _fetch(lake, [*lake.keys(f"hub/{name}/commits/{commit.decode().strip()}"), main])


def _fetch(lake: Lake, keys: Sequence[str]) -> None:
    """Have these files at their places on this machine's disk, in this order."""
    with lake.scratch() as scratch:
        for key in keys:
            path = lake.disk / key
            with storage_errors("write", str(path)):
                path.parent.mkdir(parents=True, exist_ok=True)
                lake.copy_out(key, scratch / "file")
                (scratch / "file").replace(path)


def keep_run(lake: Lake, run: TrainingRun) -> TrainingRun:
    """The run as it lies in the lake, its checkpoints left out; its manifest is written last.

    In a folder it lies there already. Where the adapter was pushed to the lake's own hub, its
    commit goes with it.
    """
    if lake.folder is not None:
        return run
    folder = f"runs/{run.manifest.run}"
    found = _in_the_lake(lake, run)
    if run.status != "unchanged" or not lake.exists(f"{folder}/{MANIFEST}"):
        _send_commit(lake, run.manifest)
        kept = [key for key in _files(lake.disk, folder) if key.split("/")[2] != NOT_KEPT]
        _send(lake, [key for key in kept if key != f"{folder}/{MANIFEST}"])
        told = found.manifest.model_dump_json(indent=1) + "\n"
        lake.put(f"{folder}/{MANIFEST}", told.encode())
    return found


def _in_the_lake(lake: Lake, run: TrainingRun) -> TrainingRun:
    """The run with its places as they are in the bucket."""
    manifest, pushed = run.manifest, run.manifest.pushed
    if pushed is not None and pushed.target == "folder":
        there = lake.at(f"hub/{pushed.repo}/commits/{pushed.commit}")
        update = {"pushed": pushed.model_copy(update={"uri": there})}
        manifest = manifest.model_copy(update=update)
    folder = lake.at(f"runs/{manifest.run}")
    return run.model_copy(update={"manifest": manifest, "folder": folder})


def _send_commit(lake: Lake, manifest: TrainingManifest) -> None:
    """Have the adapter's commit in the lake's own hub, and `main` name it, if it was pushed so."""
    pushed = manifest.pushed
    if pushed is None or pushed.target != "folder":
        return
    hub = f"hub/{pushed.repo}"
    for below in (f"commits/{pushed.commit}", f"commits/{pushed.commit}.json", "refs/main"):
        _send(lake, _files(lake.disk, f"{hub}/{below}"))


def _files(disk: Path, below: str) -> list[str]:
    """The keys of a file, or of all files of a folder, but hidden ones; sorted."""
    root = disk / below
    paths = [root] if root.is_file() else sorted(root.rglob("*"))
    return [
        path.relative_to(disk).as_posix()
        for path in paths
        if path.is_file() and not path.name.startswith(".")
    ]


def _send(lake: Lake, keys: Iterable[str]) -> None:
    for key in keys:
        lake.upload(lake.disk / key, key)
