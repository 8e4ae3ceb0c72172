"""The versions of a corpus in a lake: list, read, and add one that nobody can half see."""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import ValidationError

from schemas.errors import CorpusDamaged, UnknownName
from schemas.manifest import FORMAT_VERSION, CorpusManifest
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


def latest(lake: Lake, name: str) -> str | None:
    """The version that `latest.json` names, or None before the first was published."""
    data = lake.read_if_any(f"{corpus_key(name)}/latest.json")
    return None if data is None else str(json.loads(data)["version"])


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


def claim_version(lake: Lake, staging: str, draft: CorpusManifest, pages: Pages) -> CorpusManifest:
    """Turn a staged folder into the next free version at once; returns its final manifest.

    `pages` gives the files that show the version's name, by name, from the manifest and the key of
    the staged folder. They and then the manifest are written
    into the staged folder, which takes the version's name in one step that only one of several
    refreshes can win; the others take the number after it.
    """
    while True:
        final = draft.model_copy(update={"version": next_version(lake, draft.name)})
        for name, content in pages(final, staging).items():
            lake.put(f"{staging}/{name}", content.encode())
        lake.put(f"{staging}/manifest.json", to_json(final))
        if lake.claim_folder(staging, version_key(draft.name, final.version)):
            return final


def promote(lake: Lake, manifest: CorpusManifest) -> None:
    """Make a published version the latest, unless a higher one is already."""
    pointer = {"version": manifest.version, "digest": manifest.digest}
    with lake.lock(f"{corpus_key(manifest.name)}/latest.json"):
        current = latest(lake, manifest.name)
        if current is None or _number(current) < _number(manifest.version):
            lake.put(f"{corpus_key(manifest.name)}/latest.json", json.dumps(pointer).encode())


def to_json(manifest: CorpusManifest) -> bytes:
    """The manifest as it is stored: JSON, indented, in UTF-8."""
    return (manifest.model_dump_json(indent=1) + "\n").encode()


def _number(version: str) -> int:
    return int(version[1:])
