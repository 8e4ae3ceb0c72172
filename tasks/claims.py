"""Version numbers in a bucket: claimed by one conditional create, then made visible by anyone.

<corpus>/staging/<run>/…        a version's files, under a name that no other run has
<corpus>/claims/v0007.json      which staged files are v0007: created once, and changed by no one
                                but an import of v0007 after it was removed
<corpus>/v0007/…                copies of them, manifest.json last: from then on there is a v0007
<corpus>/etags/v0007.json       the entity tag of each of these copies
<corpus>/removals/v0007.json    v0007 is being removed: what is left of it is garbage

From the claim on v0007 can be nothing else, and whoever comes by can finish it: copying the same
bytes again does no harm. So there is no lock, no lease and no clock, a run that dies holds nobody
up, and no number is skipped: the next claim is made only after the last one was finished.

A version that lost its manifest and has no removal is damage, not garbage: nobody touches it until
somebody gives it up.
"""

import contextlib
import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from pydantic import ValidationError

from schemas.errors import CorpusDamaged
from schemas.frozen import Frozen
from schemas.manifest import is_version, number_of, version_of
from tasks.lake import Entry, Lake, is_held, storage_errors

MANIFEST = "manifest.json"
FORGOTTEN_AFTER_S = 24 * 3600
"""What another machine staged and did not touch for so long is taken for a dead run's."""
COPIES_AT_ONCE = 8


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


def claim(
    lake: Lake, corpus: str, version: str, prefix: str, files: Sequence[str], anew: bool = False
) -> bool:
    """Have the staged `files` be this version, manifest.json among them; False if others are.

    The version before it is finished first. On return this one, whosever it is, is there as well,
    unless it was removed: `anew` takes the number of a removed version again.
    """
    if lake.exists(f"{corpus}/{version}/{MANIFEST}"):
        return False
    finish(lake, corpus, version_of(number_of(version) - 1))
    key = _key(corpus, version)
    wanted = Claim(staging=prefix, files=tuple(sorted(files))).model_dump_json(indent=1).encode()
    won = lake.create(key, wanted)
    found = wanted if won else lake.read_if_any(key)
    there = finish(lake, corpus, version)
    if won and not there:
        raise CorpusDamaged(
            f"{lake.at(prefix)} was removed while {version} was made of it. Run the refresh again."
        )
    if won or there or not anew:
        return won
    return _claim_anew(lake, corpus, version, found, wanted)


def _claim_anew(lake: Lake, corpus: str, version: str, dead: bytes | None, wanted: bytes) -> bool:
    """Claim the number of a version that was removed; False if somebody else did meanwhile.

    `dead` is the claim that could not be finished: no other one is replaced. What is left of the
    version is not touched here, for others may be making it by now.
    """
    if lake.keys(f"{corpus}/{version}"):
        if finish(lake, corpus, version):
            return False
        raise _cannot_claim(lake, corpus, version)
    won = lake.update(_key(corpus, version), lambda old: wanted if old == dead else None) == wanted
    if won:
        lake.delete([_removal(corpus, version)])
    return finish(lake, corpus, version) and won


def _cannot_claim(lake: Lake, corpus: str, version: str) -> CorpusDamaged:
    if _is_lost(lake, corpus, version):
        return lost_manifest(lake, corpus, version)
    return CorpusDamaged(
        f"{lake.at(f'{corpus}/{version}')} was not removed to its end. Run: winnow gc --apply, "
        "then the import again."
    )


def remove(lake: Lake, corpus: str, version: str) -> None:
    """Remove a version; cut short, `sweep_removals` goes on. Its number stays taken."""
    lake.put(_removal(corpus, version), b"")
    lake.remove_folder(f"{corpus}/{version}")
    lake.delete([_etags(corpus, version), _removal(corpus, version)])


def lost_manifest(lake: Lake, corpus: str, version: str) -> CorpusDamaged:
    """What to say of a version whose manifest is gone though nobody removed the version."""
    folder = lake.at(f"{corpus}/{version}")
    return CorpusDamaged(
        f"{folder}/{MANIFEST} is missing. Restore it from a copy of the lake; or, to give "
        f"{version} up, run: winnow gc {corpus.rpartition('/')[2]} --lost --apply. No refresh "
        "makes a version again."
    )


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
            tags = dict(pool.map(lambda name: (name, lake.etag(f"{target}/{name}")), data))
    except CorpusDamaged:
        return lake.exists(f"{target}/{MANIFEST}")  # who finished it has removed what was staged
    note_etags(lake, corpus, version, tags)  # before there is a version: nobody looks again after
    lake.create(f"{target}/{MANIFEST}", manifest)
    lake.delete(f"{claimed.staging}/{name}" for name in claimed.files)
    return True


def note_etags(lake: Lake, corpus: str, version: str, etags: Mapping[str, str | None]) -> None:
    """Remember the entity tag of each file of a version, all of whose bytes are right."""
    lake.put(_etags(corpus, version), json.dumps(dict(etags), indent=1).encode())


def known_etags(lake: Lake, corpus: str, version: str) -> Mapping[str, str | None]:
    """The entity tag of each file of a version when its bytes were right, as far as known."""
    data = lake.read_if_any(_etags(corpus, version))
    try:
        found = json.loads(data or b"{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def claimed_versions(lake: Lake, corpus: str) -> tuple[str, ...]:
    """The versions that were ever claimed, as far as a listing tells, in no order."""
    names = (key.rsplit("/", 1)[-1].removesuffix(".json") for key in lake.keys(f"{corpus}/claims"))
    return tuple(name for name in names if is_version(name))


def finished_versions(lake: Lake, corpus: str) -> tuple[str, ...]:
    """The folders that have a manifest, as far as a listing tells, in no order."""
    parts = (key.removeprefix(f"{corpus}/").partition("/") for key in lake.keys(corpus))
    return tuple(name for name, _, file in parts if file == MANIFEST and is_version(name))


def sweep(lake: Lake, corpus: str) -> int:
    """Finish what was claimed, and remove what dead runs left; returns how many keys went.

    That is what no unfinished version needs of a dead run's staged files. A run of this machine is
    dead if its process is. Another machine's is, if nothing of it was written for a day by the
    bucket's own clock. What there is of a version that lost its manifest stays.
    """
    finished = set(finished_versions(lake, corpus))
    claimed = set(claimed_versions(lake, corpus))
    claimed |= set(_not_yet_listed(lake, corpus, claimed | finished))
    for version in sorted(claimed - finished):
        finish(lake, corpus, version)
    left = _staged_by_the_dead(lake, corpus)
    lake.delete(left)
    return len(left)


def lost_versions(lake: Lake, corpus: str) -> tuple[str, ...]:
    """The versions that lost their manifest though nobody removed them, as far as a listing tells.

    One that is still being made of its staged files is none of them.
    """
    parts = [key.removeprefix(f"{corpus}/").partition("/") for key in lake.keys(corpus)]
    left = {name for name, _, _ in parts if is_version(name)}
    left -= {name for name, _, file in parts if file == MANIFEST}
    left &= {file.removesuffix(".json") for name, _, file in parts if name == "claims"}
    return tuple(
        version
        for version in sorted(left, key=number_of)
        if _is_lost(lake, corpus, version) and not _can_be_finished(lake, corpus, version)
    )


def _can_be_finished(lake: Lake, corpus: str, version: str) -> bool:
    """Whether a claimed version is there, or all that it is to be made of."""
    claimed = _read(lake, _key(corpus, version))
    staged = claimed is not None and all(
        lake.exists(f"{claimed.staging}/{name}") for name in claimed.files
    )
    # who finished it in between has removed what was staged
    return staged or lake.exists(f"{corpus}/{version}/{MANIFEST}")


def sweep_removals(lake: Lake, corpus: str) -> int:
    """Finish removals that were cut short; returns how many keys went. For who works here alone.

    A version that still has its manifest stays: none of its files had gone.
    """
    marks = lake.keys(f"{corpus}/removals")
    versions = [mark.rsplit("/", 1)[-1].removesuffix(".json") for mark in marks]
    left = [
        key
        for version in versions
        if not lake.exists(f"{corpus}/{version}/{MANIFEST}")
        for key in (*lake.keys(f"{corpus}/{version}"), _etags(corpus, version))
    ]
    lake.delete(left)
    lake.delete(marks)
    return len(left)


def _is_lost(lake: Lake, corpus: str, version: str) -> bool:
    """Whether a version that has no manifest has other files, and nobody meant to remove them."""
    return bool(lake.keys(f"{corpus}/{version}")) and not lake.exists(_removal(corpus, version))


def _not_yet_listed(lake: Lake, corpus: str, known: set[str]) -> Iterator[str]:
    """Claims above those that a listing tells: what was just written need not be in it."""
    number = max(map(number_of, known), default=0) + 1
    while lake.exists(_key(corpus, version_of(number))):
        yield version_of(number)
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
    with lake.lock("machine"), storage_errors("write", str(path)):
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


def _key(corpus: str, version: str) -> str:
    return f"{corpus}/claims/{version}.json"


def _etags(corpus: str, version: str) -> str:
    return f"{corpus}/etags/{version}.json"


def _removal(corpus: str, version: str) -> str:
    return f"{corpus}/removals/{version}.json"


def _read(lake: Lake, key: str) -> Claim | None:
    data = lake.read_if_any(key)
    try:
        return Claim.model_validate_json(data) if data is not None else None
    except ValidationError:
        raise CorpusDamaged(
            f"{lake.at(key)} is no claim of a version: found {(data or b'')[:40]!r}. Restore it "
            "from a copy of the lake, or remove it if its version is there."
        ) from None
