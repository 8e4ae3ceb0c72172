"""The versions of a corpus in a lake: list, read, and add one that nobody can half see."""

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import ValidationError

from schemas.errors import CorpusDamaged, UnknownName
from schemas.manifest import FORMAT_VERSION, CorpusManifest, RawFile
from schemas.recipe import known_name
from tasks.lake import Lake

Pages = Callable[[CorpusManifest, str], Mapping[str, str]]
_VERSION = re.compile(r"^v(\d{4,})$")


def corpus_key(name: str) -> str:
    """The key of a corpus's folder."""
    return f"corpora/{name}"


def version_key(name: str, version: str) -> str:
    """The key of a version's folder."""
    return f"{corpus_key(name)}/{version}"


def corpora(lake: Lake) -> tuple[str, ...]:
    """The names of all corpora in the lake, sorted."""
    return tuple(lake.folders("corpora"))


def versions(lake: Lake, name: str) -> tuple[str, ...]:
    """The versions of one corpus, oldest first; rejected ones too."""
    found = [folder for folder in lake.folders(corpus_key(name)) if _VERSION.match(folder)]
    return tuple(sorted(found, key=_number))


def remember_unchanged(lake: Lake, manifest: CorpusManifest, inputs_digest: str) -> None:
    """Note that other inputs gave this version too, so that the next refresh need not look."""
    memo = {"inputs_digest": inputs_digest, "version": manifest.version}
    lake.put(f"{corpus_key(manifest.name)}/unchanged.json", json.dumps(memo).encode())


def made_from(lake: Lake, name: str, inputs_digest: str) -> CorpusManifest | None:
    """The latest or newest version if it is known to be what these inputs give, else None."""
    memo = json.loads(lake.read_if_any(f"{corpus_key(name)}/unchanged.json") or b"{}")
    same = memo.get("version") if memo.get("inputs_digest") == inputs_digest else None
    for old in standing(lake, name):
        if inputs_digest == old.inputs_digest or old.version == same:
            return old
    return None


def is_whole(lake: Lake, manifest: CorpusManifest) -> bool:
    """Whether every file of a version is there with its size; `verify` looks at every byte."""
    folder = version_key(manifest.name, manifest.version)
    shards = [shard for split in manifest.splits for shard in split.shards]
    return all(
        lake.size_bytes(f"{folder}/{shard.uri}") == shard.size_bytes
        for shard in (*shards, *manifest.ledger)
    )


def standing(lake: Lake, name: str) -> tuple[CorpusManifest, ...]:
    """What a refresh may find unchanged: the latest version and, if it is another, the newest.

    A version that lost a file is not among them: the next refresh makes its corpus anew.
    """
    found = (latest_manifest(lake, name), newest_manifest(lake, name))
    versions = {old.version: old for old in found if old is not None}
    return tuple(old for old in versions.values() if is_whole(lake, old))


def latest(lake: Lake, name: str) -> str | None:
    """The version that `latest.json` names, or None before the first was published.

    Where that version was removed, the highest published one that is left.
    """
    data = lake.read_if_any(f"{corpus_key(name)}/latest.json")
    if data is None:
        return None
    named = _pointed_at(data, lake.at(f"{corpus_key(name)}/latest.json"))
    if lake.exists(f"{version_key(name, named)}/manifest.json"):
        return named
    left = (v for v in reversed(versions(lake, name)) if _number(v) < _number(named))
    return next((v for v in left if read_manifest(lake, name, v).status == "published"), None)


def latest_manifest(lake: Lake, name: str) -> CorpusManifest | None:
    """The manifest of the latest version, or None before the first was published."""
    version = latest(lake, name)
    return None if version is None else read_manifest(lake, name, version)


def newest_manifest(lake: Lake, name: str) -> CorpusManifest | None:
    """The manifest of the highest version, promoted or not, or None before the first."""
    found = versions(lake, name)
    return read_manifest(lake, name, found[-1]) if found else None


def find_version(lake: Lake, wanted: str) -> CorpusManifest:
    """The manifest of `corpus` (its latest version) or `corpus@v0007`.

    Raises:
        UnknownName: no such corpus or version, or nothing of it was published yet.
    """
    name, _, version = wanted.partition("@")
    known_name(name, corpora(lake), f"corpus in {lake.uri}")
    if version:
        known_name(version, versions(lake, name), f"version of corpus {name!r}")
        return read_manifest(lake, name, version)
    manifest = latest_manifest(lake, name) or newest_manifest(lake, name)
    if manifest is None:
        raise UnknownName(f"corpus {name!r} in {lake.uri} has no version yet. Run a refresh.")
    return manifest


def read_manifest(lake: Lake, name: str, version: str) -> CorpusManifest:
    """One version's manifest; raises CorpusDamaged where it is missing, edited or too new."""
    key = f"{version_key(name, version)}/manifest.json"
    data = lake.read(key)
    try:
        found: Any = json.loads(data)
        written = found.get("format_version") if isinstance(found, dict) else None
        if isinstance(written, int) and written > FORMAT_VERSION:
            raise CorpusDamaged(
                f"{lake.at(key)} has format {written}, this Winnow reads up to {FORMAT_VERSION}. "
                "Update Winnow to read this version."
            )
        return CorpusManifest.model_validate(found)
    except (ValidationError, ValueError) as error:
        raise CorpusDamaged(
            f"{lake.at(key)} is not a manifest: {error}. Restore it from a copy of the lake, or "
            "remove that version's folder and run the refresh again."
        ) from None


def next_version(lake: Lake, name: str) -> str:
    """The version after the highest there is."""
    found = versions(lake, name)
    return f"v{_number(found[-1]) + 1 if found else 1:04d}"


def claim_version(
    lake: Lake, staging: str, draft: CorpusManifest, pages: Pages
) -> tuple[CorpusManifest, bool]:
    """Turn a staged folder into the next free version; returns it and True.

    `pages` gives the files that show the version's name, by name, from the manifest and the key of
    the staged folder. They and then the manifest are written into the staged folder, which takes
    the version's name in one step that only one of several refreshes can win. The others take the
    number after it, unless the winner's version is the same corpus: then it is returned, and False.
    """
    while True:
        final = draft.model_copy(update={"version": next_version(lake, draft.name)})
        shown = {name: text.encode() for name, text in pages(final, staging).items()}
        listed = tuple(_page(name, data) for name, data in sorted(shown.items()))
        final = final.model_copy(update={"pages": listed})
        for name, data in shown.items():
            lake.put(f"{staging}/{name}", data)
        lake.put(f"{staging}/manifest.json", to_json(final))
        if lake.claim_folder(staging, version_key(draft.name, final.version)):
            return final, True
        for other in standing(lake, draft.name):
            if (other.digest, other.status) == (draft.digest, draft.status):
                return other, False


def promote(lake: Lake, manifest: CorpusManifest) -> None:
    """Make a published version the latest, unless a higher one is already."""
    pointer = {"version": manifest.version, "digest": manifest.digest}
    with lake.lock(f"{corpus_key(manifest.name)}/latest.json"):
        current = latest(lake, manifest.name)
        if current is None or _number(current) <= _number(manifest.version):
            lake.put(f"{corpus_key(manifest.name)}/latest.json", json.dumps(pointer).encode())


def _pointed_at(data: bytes, where: str) -> str:
    try:
        return str(json.loads(data)["version"])
    except (ValueError, KeyError, TypeError):
        raise CorpusDamaged(
            f"{where} is not a pointer to a version: found {data[:40]!r}. Remove it: the next "
            "refresh writes it again."
        ) from None


def _page(name: str, data: bytes) -> RawFile:
    return RawFile(name=name, sha256=hashlib.sha256(data).hexdigest(), size_bytes=len(data))


def to_json(manifest: CorpusManifest) -> bytes:
    """The manifest as it is stored: JSON, indented, in UTF-8."""
    return (manifest.model_dump_json(indent=1) + "\n").encode()


def _number(version: str) -> int:
    return int(version[1:])
