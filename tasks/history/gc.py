"""Garbage collection: old versions go, and the stages and raw files that only they needed."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from schemas.history import Action
from schemas.manifest import CorpusManifest
from tasks.corpora import (
    corpora,
    latest,
    lost_versions,
    read_manifest,
    remove_version,
    tidy,
    version_key,
    versions,
)
from tasks.history.adapters import Run, runs
from tasks.history.leases import removing
from tasks.history.log import record
from tasks.history.needs import needed_downloads, needed_stages
from tasks.history.tags import tags
from tasks.lake import Entry, Lake

FRESH_S = 24 * 3600
"""Stages and downloads so young may be of a refresh that was cut short: it goes on from them."""
_DIGEST = re.compile(r"[0-9a-f]{64}")


class Kind(StrEnum):
    """What a folder of the lake is."""

    VERSION = "version"
    STAGE = "stage"
    RAW = "raw"


@dataclass(frozen=True)
class Folder:
    """A folder of the lake that goes, or a version that stays, and why."""

    kind: Kind
    key: str
    size_bytes: int
    why: str


@dataclass(frozen=True)
class Plan:
    """What a collection removes, in this order, and the versions that it keeps."""

    removed: tuple[Folder, ...]
    kept: tuple[Folder, ...]

    @property
    def size_bytes(self) -> int:
        """How many bytes it frees."""
        return sum(folder.size_bytes for folder in self.removed)


def plan(lake: Lake, keep: int, name: str | None = None, fresh_s: float = FRESH_S) -> Plan:
    """What there is to collect; nothing is removed.

    Of each corpus (of `name` alone, if given) the `keep` newest versions stay, and the latest,
    those with a tag, and those that a run of the lake trained from, or is training from. A folder
    of `stages/` or `raw/` stays if a version that stays was made from it or it is younger than
    `fresh_s` seconds; so does each source's last download.

    Raises:
        CorpusDamaged: a manifest is lost or cannot be read: nobody knows what that version needs.
    """
    for damaged in lost(lake).removed:
        _, corpus, version = damaged.key.split("/")
        read_manifest(lake, corpus, version)  # raises
    trained = runs(lake)
    kept: list[tuple[CorpusManifest, str]] = []
    removed: list[CorpusManifest] = []
    for corpus in corpora(lake):
        why = _reasons(lake, corpus, trained, keep if name in (None, corpus) else None)
        kept += [(manifest, said) for manifest, said in why if said]
        removed += [manifest for manifest, said in why if not said]
    stay = [manifest for manifest, _ in kept]
    spare = _Spare.by(lake, fresh_s)
    return Plan(
        removed=(
            *(
                _version(lake, one.name, one.version, f"older than the newest {keep}")
                for one in removed
            ),
            *spare.of(Kind.STAGE, "stages", needed_stages(lake, stay)),
            *spare.of(Kind.RAW, "raw", needed_downloads(lake, stay)),
        ),
        kept=tuple(_version(lake, one.name, one.version, said) for one, said in kept),
    )


def collect(lake: Lake, keep: int, name: str | None = None, fresh_s: float = FRESH_S) -> Plan:
    """Remove what `plan` names, and what killed processes left; returns what was removed.

    Safe beside refreshes and training runs: it refuses while one works with the lake, and those
    that begin meanwhile wait. Killed and run again, it goes on.

    Raises:
        StorageError: somebody works with the lake; nothing was removed.
    """
    with removing(lake):
        tidy(lake, alone=True)
        return _removed(lake, plan(lake, keep, name, fresh_s))


def lost(lake: Lake, name: str | None = None) -> Plan:
    """The versions that lost their manifest, of every corpus or of `name`; nothing is removed."""
    why = "its manifest is lost"
    names = corpora(lake) if name is None else (name,)
    return Plan(
        removed=tuple(
            _version(lake, one, version, why)
            for one in names
            for version in lost_versions(lake, one)
        ),
        kept=(),
    )


def give_up(lake: Lake, name: str | None = None) -> Plan:
    """Remove what `lost` names, and nothing else; returns what was removed.

    Raises:
        StorageError: somebody works with the lake; nothing was removed.
    """
    with removing(lake):
        tidy(lake, alone=True)
        return _removed(lake, lost(lake, name))


def _removed(lake: Lake, found: Plan) -> Plan:
    for folder in found.removed:
        if folder.kind is Kind.VERSION:
            _, corpus, version = folder.key.split("/")
            remove_version(lake, corpus, version)
            record(lake, corpus, Action.GC, version)
        else:
            lake.remove_folder(folder.key)
    return found


def _reasons(
    lake: Lake, corpus: str, trained: Sequence[Run], keep: int | None
) -> list[tuple[CorpusManifest, str]]:
    """Every version with why it stays, empty where it goes; all stay where `keep` is None."""
    found = versions(lake, corpus)
    newest = found if keep is None else found[-keep:]
    tagged: dict[str, list[str]] = {}
    for tag, one in tags(lake, corpus).items():
        tagged.setdefault(one.version, []).append(f"tag {tag}")
    pointed_at = latest(lake, corpus)
    listed = []
    for version in found:
        manifest = read_manifest(lake, corpus, version)
        why = ["latest"] if version == pointed_at else []
        why += tagged.get(version, [])
        why += [f"run {run.name}" for run in trained if run.may_need(manifest)]
        if version in newest:
            why.append("of another corpus" if keep is None else f"of the newest {keep}")
        listed.append((manifest, ", ".join(why)))
    return listed


def _version(lake: Lake, corpus: str, version: str, why: str) -> Folder:
    key = version_key(corpus, version)
    return Folder(Kind.VERSION, key, _size(lake.entries(key)), why)


@dataclass(frozen=True)
class _Spare:
    """Folders named by digests, of which those that nobody needs go."""

    lake: Lake
    now: float
    fresh_s: float

    @classmethod
    def by(cls, lake: Lake, fresh_s: float) -> "_Spare":
        return cls(lake, lake.now(), fresh_s)

    def of(self, kind: Kind, root: str, needed: set[str]) -> Iterator[Folder]:
        """The folders `<root>/<name>/<digest>` that are not among the needed, and old enough."""
        for key, entries in _by_folder(self.lake.entries(root)).items():
            age_s = self.now - max(entry.modified_at for entry in entries)
            if key not in needed and age_s >= self.fresh_s:
                yield Folder(kind, key, _size(entries), "no version that stays was made from it")


def _by_folder(entries: Iterable[Entry]) -> Mapping[str, list[Entry]]:
    folders: dict[str, list[Entry]] = {}
    for entry in entries:
        parts = entry.key.split("/")
        if len(parts) > 3 and _DIGEST.fullmatch(parts[2]):
            folders.setdefault("/".join(parts[:3]), []).append(entry)
    return folders


def _size(entries: Iterable[Entry]) -> int:
    return sum(entry.size_bytes for entry in entries)
