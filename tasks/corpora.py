"""The versions of a corpus in a lake: list, read, and add one that nobody can half see."""

import contextlib
import hashlib
import json
import logging
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from schemas.errors import CorpusDamaged, UnknownName
from schemas.history import Latest
from schemas.manifest import (
    FORMAT_VERSION,
    CorpusManifest,
    RawFile,
    ShardRef,
    is_corpus_name,
    is_version,
    number_of,
    version_of,
)
from schemas.recipe import known_name
from schemas.seal import UNSEALED, is_intact, sealed
from tasks import claims
from tasks.claims import MANIFEST
from tasks.lake import Lake

log = logging.getLogger(__name__)

Pages = Callable[[CorpusManifest, str], Mapping[str, str]]


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
    if lake.folder is None:
        return tuple(sorted(claims.finished_versions(lake, corpus_key(name)), key=number_of))
    found = [folder for folder in lake.folders(corpus_key(name)) if is_version(folder)]
    return tuple(sorted(found, key=number_of))


def lost_versions(lake: Lake, name: str) -> tuple[str, ...]:
    """The versions that lost their manifest though nobody removed them, oldest first."""
    if lake.folder is None:
        return claims.lost_versions(lake, corpus_key(name))
    return tuple(
        version
        for version in versions(lake, name)
        if not lake.exists(f"{version_key(name, version)}/{MANIFEST}")
    )


def remember_unchanged(lake: Lake, manifest: CorpusManifest, inputs_digest: str) -> None:
    """Note that other inputs gave this version too, so that the next refresh need not look."""
    memo = {"inputs_digest": inputs_digest, "version": manifest.version}
    lake.put(f"{corpus_key(manifest.name)}/unchanged.json", json.dumps(memo).encode())


def made_from(lake: Lake, name: str, inputs_digest: str) -> CorpusManifest | None:
    """The latest or newest version if it is known to be what these inputs give, else None.

    Raises CorpusDamaged where a version of this corpus lost its manifest.
    """
    for version in lost_versions(lake, name):
        raise claims.lost_manifest(lake, corpus_key(name), version)
    memo = _memo(lake.read_if_any(f"{corpus_key(name)}/unchanged.json"))
    same = memo.get("version") if memo.get("inputs_digest") == inputs_digest else None
    found = standing(
        lake, name, lambda old: inputs_digest == old.inputs_digest or old.version == same
    )
    return found[0] if found else None


def _memo(data: bytes | None) -> Mapping[str, Any]:
    """What `unchanged.json` says; nothing, where it is damaged: it only saves a look."""
    try:
        found = json.loads(data or b"{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def is_whole(lake: Lake, manifest: CorpusManifest) -> bool:
    """Whether every file of a version is there with its size; `verify` looks at every byte."""
    folder = version_key(manifest.name, manifest.version)
    return all(
        lake.size_bytes(f"{folder}/{name}") == one.size_bytes
        for name, one in listed_files(manifest).items()
    )


def is_undamaged(lake: Lake, manifest: CorpusManifest) -> bool:
    """Whether every file of a version is there, byte for byte.

    Of a bucket a file is fetched only where its entity tag is another than that which is known of
    it: as long as that stays, its bytes do. Once all of a version were right, its tags are known.
    """
    folder, files = version_key(manifest.name, manifest.version), listed_files(manifest)
    if lake.folder is not None:
        return all(lake.is_intact(f"{folder}/{name}", one.sha256) for name, one in files.items())
    corpus = corpus_key(manifest.name)
    known = claims.known_etags(lake, corpus, manifest.version)
    found: dict[str, str | None] = {}
    for name, one in files.items():
        etag = found[name] = lake.etag(f"{folder}/{name}")
        as_known = etag is not None and etag == known.get(name)
        if not as_known and not lake.is_intact(f"{folder}/{name}", one.sha256):
            return False
    if any(etag != known.get(name) for name, etag in found.items()):
        claims.note_etags(lake, corpus, manifest.version, found)
    return True


def shards_of(manifest: CorpusManifest) -> tuple[ShardRef, ...]:
    """Every shard of a version: its splits', then its ledger's."""
    return (*manifest.shards, *manifest.ledger)


def listed_files(manifest: CorpusManifest) -> dict[str, ShardRef | RawFile]:
    """What a manifest says of every file of its version but itself, by name in its folder."""
    shards = {shard.uri: shard for shard in shards_of(manifest)}
    return {**shards, **{page.name: page for page in manifest.pages}}


def files_of(manifest: CorpusManifest) -> tuple[str, ...]:
    """Every file of a version, its manifest too, relative to its folder."""
    return (*listed_files(manifest), MANIFEST)


def standing(
    lake: Lake, name: str, is_wanted: Callable[[CorpusManifest], bool]
) -> tuple[CorpusManifest, ...]:
    """What a refresh may find unchanged: the latest version and, if it is another, the newest.

    Of these, those wanted. A version that lost a file or a bit is not among them, nor one that was
    rolled back from: the next refresh makes its corpus anew.
    """
    found = (latest_manifest(lake, name), newest_manifest(lake, name))
    points_to = pointer(lake, name)
    versions = {
        old.version: old
        for old in found
        if old is not None and not (points_to and points_to.withdraws(old.version))
    }
    return tuple(old for old in versions.values() if is_wanted(old) and is_undamaged(lake, old))


def latest(lake: Lake, name: str) -> str | None:
    """The version that `latest.json` names, or None before the first was published.

    Where that version was removed, the highest published one that is left.
    """
    points_to = pointer(lake, name)
    if points_to is None:
        return None
    named = points_to.version
    if lake.exists(f"{version_key(name, named)}/{MANIFEST}"):
        return named
    left = (v for v in reversed(versions(lake, name)) if number_of(v) < number_of(named))
    return next((v for v in left if read_manifest(lake, name, v).status == "published"), None)


def pointer(lake: Lake, name: str) -> Latest | None:
    """What `latest.json` says, or None before the first version was published."""
    data = lake.read_if_any(latest_key(name))
    return None if data is None else read_pointer(data, lake.at(latest_key(name)))


def latest_key(name: str) -> str:
    """The key of `latest.json`."""
    return f"{corpus_key(name)}/latest.json"


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

    They are looked up by their keys: a listing, which may be behind, only names what there is.

    Raises:
        UnknownName: no such corpus or version, or nothing of it was published yet.
    """
    name, _, version = wanted.partition("@")
    known = (name,) if is_corpus_name(name) else corpora(lake)
    known_name(name, known, f"corpus in {lake.uri}")
    found = version_if_any(lake, name, version) if version else latest_manifest(lake, name)
    if found is None and not version:
        found = newest_manifest(lake, name)
    if found is not None:
        return found
    known_name(name, corpora(lake), f"corpus in {lake.uri}")
    if version:
        known_name(version, versions(lake, name), f"version of corpus {name!r}")
        return read_manifest(lake, name, version)
    raise UnknownName(f"corpus {name!r} in {lake.uri} has no version yet. Run a refresh.")


def version_if_any(lake: Lake, name: str, version: str) -> CorpusManifest | None:
    """The manifest of a version, None where there is none of that name; no listing is asked."""
    return read_manifest_if_any(lake, name, version) if is_version(version) else None


def read_manifest(lake: Lake, name: str, version: str) -> CorpusManifest:
    """One version's manifest; CorpusDamaged where it is missing, edited, moved or too new."""
    found = read_manifest_if_any(lake, name, version)
    if found is None:
        raise claims.lost_manifest(lake, corpus_key(name), version)
    return found


def read_manifest_if_any(lake: Lake, name: str, version: str) -> CorpusManifest | None:
    """As `read_manifest`, None where there is none; no listing is asked."""
    key = f"{version_key(name, version)}/{MANIFEST}"
    data = lake.read_if_any(key)
    if data is None:
        return None
    manifest = manifest_of(data, lake.at(key))
    if (manifest.name, manifest.version) != (name, version):
        raise CorpusDamaged(
            f"{lake.at(key)} is that of {manifest.name} {manifest.version}, expected {name} "
            f"{version}. Restore it from a copy of the lake, or remove that folder: versions are "
            "not copied or renamed by hand, but by winnow export and import."
        )
    return manifest


def manifest_of(data: bytes, where: str) -> CorpusManifest:
    """The manifest in these bytes; raises CorpusDamaged where they are edited or too new."""
    try:
        found: Any = json.loads(data)
        written = found.get("format_version") if isinstance(found, dict) else None
        if isinstance(written, int) and written > FORMAT_VERSION:
            raise CorpusDamaged(
                f"{where} has format {written}, this Winnow reads up to {FORMAT_VERSION}. "
                "Update Winnow to read this version."
            )
        manifest = CorpusManifest.model_validate(found)
        if not is_intact(data, manifest.seal):
            raise CorpusDamaged(
                f"{where} is not as it was written: {_seal_said(manifest)}. Restore it from a "
                "copy of the lake, or remove that version's folder and run the refresh again: a "
                "manifest is not edited by hand."
            )
        return manifest
    except (ValidationError, ValueError) as error:
        raise CorpusDamaged(
            f"{where} is not a manifest: {error}. Restore it from a copy of the lake, or "
            "remove that version's folder and run the refresh again."
        ) from None


def _seal_said(manifest: CorpusManifest) -> str:
    return "its bytes do not give its seal" if manifest.seal else "its seal is gone"


def next_version(lake: Lake, name: str) -> str:
    """The version after the highest there is, or that is under way in a bucket."""
    found = versions(lake, name)
    if lake.folder is None:
        found += claims.claimed_versions(lake, corpus_key(name))
    return version_of(max(map(number_of, found), default=0) + 1)


@contextlib.contextmanager
def staged_version(lake: Lake, name: str) -> Iterator[str]:
    """A prefix of keys to write a version's files under, before `claim_version`; then gone."""
    if lake.folder is None:
        with claims.staging(lake, corpus_key(name)) as staging:
            yield staging
        return
    with lake.scratch() as scratch:
        yield lake.key_of(scratch / "version")


def tidy(lake: Lake, alone: bool = False) -> None:
    """Remove what killed processes left, and finish the versions that they had claimed.

    Who works with the lake `alone` finishes removals, too.
    Versions of a bucket that lost their manifest are told in the log: only their own corpus waits.
    """
    lake.sweep()
    if lake.folder is None:
        for corpus in map(corpus_key, corpora(lake)):
            if alone:
                claims.sweep_removals(lake, corpus)
            claims.sweep(lake, corpus)
            for version in claims.lost_versions(lake, corpus):
                log.warning("%s", claims.lost_manifest(lake, corpus, version))


def claim_version(
    lake: Lake, staging: str, draft: CorpusManifest, pages: Pages
) -> tuple[CorpusManifest, bool]:
    """Turn a staged folder into the next free version; returns it and True.

    `pages` gives the files that show the version's name, by name, from the manifest and the key of
    the staged folder. They and then the manifest are written into the staged folder, which takes
    the version's name in one step that only one of several refreshes can win. The others take the
    number after it, unless the winner's version is the same corpus: then it is returned, and False.
    """
    taken = 0
    while True:
        # a listing may be old: what was taken a moment ago need not be in it
        number = max(number_of(next_version(lake, draft.name)), taken + 1)
        final = draft.model_copy(update={"version": version_of(number)})
        shown = {name: text.encode() for name, text in pages(final, staging).items()}
        listed = tuple(_page(name, data) for name, data in sorted(shown.items()))
        final = final.model_copy(update={"pages": listed})
        for name, data in shown.items():
            lake.put(f"{staging}/{name}", data)
        data = to_json(final)
        final = CorpusManifest.model_validate_json(data)
        lake.put(f"{staging}/{MANIFEST}", data)
        if claim_as(lake, staging, final):
            return final, True
        taken = number
        equal = standing(lake, draft.name, draft.equals)
        if equal:
            return equal[0], False


def claim_as(lake: Lake, staging: str, final: CorpusManifest, anew: bool = False) -> bool:
    """Have the staged files be this version, all at once; False if its number is taken.

    The number of a version that was removed stays taken in a bucket, unless it is claimed `anew`.
    """
    if lake.folder is not None:
        return lake.claim_folder(staging, version_key(final.name, final.version))
    corpus = corpus_key(final.name)
    return claims.claim(lake, corpus, final.version, staging, files_of(final), anew)


def remove_version(lake: Lake, name: str, version: str) -> None:
    """Remove a version; nobody sees half of it. Killed, the next `tidy` of who is alone goes on."""
    if lake.folder is not None:
        lake.remove_folder(version_key(name, version))
    else:
        claims.remove(lake, corpus_key(name), version)


def promote(lake: Lake, manifest: CorpusManifest) -> None:
    """Make a published version the latest, unless a higher one is already."""
    key = latest_key(manifest.name)
    new = Latest(version=manifest.version, digest=manifest.digest)

    def forward(old: bytes | None) -> bytes | None:
        there = None if old is None else read_pointer(old, lake.at(key))
        lost = there is not None and latest(lake, manifest.name) != there.version
        moves = there is None or lost or there.may_become(new.version)
        return pointer_json(new) if moves and there != new else None

    lake.update(key, forward)


def pointer_json(points_to: Latest) -> bytes:
    """`latest.json` as it is stored."""
    return points_to.model_dump_json(exclude_none=True).encode()


def read_pointer(data: bytes, where: str) -> Latest:
    """What the bytes of a `latest.json` say; raises CorpusDamaged where they say nothing."""
    try:
        return Latest.model_validate_json(data)
    except ValidationError:
        raise CorpusDamaged(
            f"{where} is not a pointer to a version: found {data[:40]!r}. Remove it: the next "
            "refresh writes it again."
        ) from None


def _page(name: str, data: bytes) -> RawFile:
    return RawFile(name=name, sha256=hashlib.sha256(data).hexdigest(), size_bytes=len(data))


def to_json(manifest: CorpusManifest) -> bytes:
    """The manifest as it is stored: JSON, indented, in UTF-8, with its seal."""
    unsealed = manifest.model_copy(update={"seal": UNSEALED})
    return sealed((unsealed.model_dump_json(indent=1) + "\n").encode())
