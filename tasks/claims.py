"""Version numbers in a bucket: claimed by one conditional create, then made visible by anyone.

<corpus>/staging/<run>/…        a version's files, under a name that no other run has
<corpus>/claims/v0007.json      which staged files are v0007: created once, never changed
<corpus>/v0007/…                copies of them, manifest.json last: from then on there is a v0007

From the claim on v0007 can be nothing else, and whoever comes by can finish it: copying the same
bytes again does no harm. So there is no lock, no lease and no clock, a run that dies holds nobody
up, and no number is skipped: the next claim is made only after the last one was finished.
"""

import contextlib
import re
import secrets
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from pydantic import ValidationError

from schemas.errors import CorpusDamaged
from schemas.frozen import Frozen
from tasks.lake import Entry, Lake, is_held

MANIFEST = "manifest.json"
FORGOTTEN_AFTER_S = 24 * 3600
"""What another machine staged and did not touch for so long is taken for a dead run's."""
COPIES_AT_ONCE = 8
_VERSION = re.compile(r"v\d{4,}")


class Claim(Frozen):
    """Which staged files a version consists of; `files` are relative to `staging`."""

    staging: str
    files: tuple[str, ...]


@contextlib.contextmanager
def staging(lake: Lake, corpus: str) -> Iterator[str]:
    """A prefix of keys under a corpus's that is this run's alone, and empty afterwards.

    After an error all stays: a version may have been claimed with it. `sweep` looks.
    """
    with lake.scratch() as scratch:
        prefix = f"{corpus}/staging/{machine(lake)}-{scratch.name}"
        yield prefix
        lake.delete(lake.keys(prefix))


def claim(lake: Lake, corpus: str, version: str, prefix: str, files: Sequence[str]) -> bool:
    """Have the staged `files` be this version, manifest.json among them; False if others are.

    The version before it is finished first. On return this one, whosever it is, is there as well.
    """
    if lake.exists(f"{corpus}/{version}/{MANIFEST}"):
        return False
    finish(lake, corpus, _named(int(version[1:]) - 1))
    wanted = Claim(staging=prefix, files=tuple(sorted(files)))
    won = lake.create(_key(corpus, version), wanted.model_dump_json(indent=1).encode())
    if not finish(lake, corpus, version) and won:
        raise CorpusDamaged(
            f"{lake.at(prefix)} was removed while {version} was made of it. Run the refresh again."
        )
    return won


def finish(lake: Lake, corpus: str, version: str) -> bool:
    """Make a claimed version visible, if nobody has; returns whether it is there.

    It never will be if it was claimed, and its staged files are gone: then somebody removed it.
    """
    target = f"{corpus}/{version}"
    if lake.exists(f"{target}/{MANIFEST}"):
        return True
    claimed = _read(lake, _key(corpus, version))
    if claimed is None:
        return False
    data = [name for name in claimed.files if name != MANIFEST]
    try:
        manifest = lake.read(f"{claimed.staging}/{MANIFEST}")
        with ThreadPoolExecutor(COPIES_AT_ONCE) as pool:
            moves = [(f"{claimed.staging}/{name}", f"{target}/{name}") for name in data]
            list(pool.map(lambda move: lake.copy(*move), moves))
    except CorpusDamaged:
        return lake.exists(f"{target}/{MANIFEST}")  # who finished it has removed what was staged
    lake.create(f"{target}/{MANIFEST}", manifest)
    lake.delete(f"{claimed.staging}/{name}" for name in claimed.files)
    return True


def claimed_versions(lake: Lake, corpus: str) -> tuple[str, ...]:
    """The versions that were ever claimed, as far as a listing tells, in no order."""
    names = (key.rsplit("/", 1)[-1].removesuffix(".json") for key in lake.keys(f"{corpus}/claims"))
    return tuple(name for name in names if _VERSION.fullmatch(name))


def finished_versions(lake: Lake, corpus: str) -> tuple[str, ...]:
    """The folders that have a manifest, as far as a listing tells, in no order."""
    parts = (key.removeprefix(f"{corpus}/").partition("/") for key in lake.keys(corpus))
    return tuple(name for name, _, file in parts if file == MANIFEST and _VERSION.fullmatch(name))


def sweep(lake: Lake, corpus: str) -> int:
    """Finish what was claimed, and remove what dead runs left; returns how many keys went.

    That is what no unfinished version needs of a dead run's staged files, and what is left of a
    version whose removal was cut short. A run of this machine is dead if its process is. Another
    machine's is, if nothing of it was written for a day by the bucket's own clock.
    """
    finished = set(finished_versions(lake, corpus))
    claimed = set(claimed_versions(lake, corpus))
    claimed |= set(_not_yet_listed(lake, corpus, claimed | finished))
    lost = [one for one in claimed - finished if not finish(lake, corpus, one)]
    left = [key for version in lost for key in lake.keys(f"{corpus}/{version}")]
    left += _staged_by_the_dead(lake, corpus)
    lake.delete(left)
    return len(left)


def _not_yet_listed(lake: Lake, corpus: str, known: set[str]) -> Iterator[str]:
    """Claims above those that a listing tells: what was just written need not be in it."""
    number = max((int(version[1:]) for version in known), default=0) + 1
    while lake.exists(_key(corpus, _named(number))):
        yield _named(number)
        number += 1


def _staged_by_the_dead(lake: Lake, corpus: str) -> list[str]:
    runs: dict[str, list[Entry]] = {}
    for entry in lake.entries(f"{corpus}/staging"):
        run = entry.key.removeprefix(f"{corpus}/staging/").partition("/")[0]
        runs.setdefault(run, []).append(entry)
    if not runs:
        return []
    here, now = machine(lake), lake.now()
    return [
        entry.key
        for run, entries in runs.items()
        if _is_dead(lake, here, run, now - max(entry.modified_at for entry in entries))
        for entry in entries
    ]


def machine(lake: Lake) -> str:
    """A name for the place on this machine where runs hold their scratch folders."""
    path = lake.disk / "machine"
    with contextlib.suppress(FileNotFoundError):
        return path.read_text(encoding="ascii")
    with lake.lock("machine"):
        if not path.exists():
            written = path.with_suffix(".new")
            written.write_text(secrets.token_hex(6), encoding="ascii")
            written.replace(path)
        return path.read_text(encoding="ascii")


def _is_dead(lake: Lake, here: str, run: str, silent_s: float) -> bool:
    machine_of_run, _, scratch = run.partition("-")
    if machine_of_run != here:
        return silent_s > FORGOTTEN_AFTER_S
    return not is_held(lake.disk / "tmp" / scratch)


def _named(number: int) -> str:
    return f"v{number:04d}"


def _key(corpus: str, version: str) -> str:
    return f"{corpus}/claims/{version}.json"


def _read(lake: Lake, key: str) -> Claim | None:
    data = lake.read_if_any(key)
    try:
        return Claim.model_validate_json(data) if data is not None else None
    except ValidationError:
        raise CorpusDamaged(
            f"{lake.at(key)} is no claim of a version: found {(data or b'')[:40]!r}. Restore it "
            "from a copy of the lake, or remove it if its version is there."
        ) from None
