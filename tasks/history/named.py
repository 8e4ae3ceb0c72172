"""Which version people mean: `corpus@v0003`, `corpus@prod`, `corpus@latest~1`."""

import itertools
import re

from schemas.errors import CorpusDamaged, UnknownName
from schemas.history import LATEST
from schemas.manifest import CorpusManifest, is_corpus_name, number_of
from schemas.recipe import known_name
from tasks.corpora import (
    corpora,
    find_version,
    latest_manifest,
    read_manifest,
    version_if_any,
    versions,
)
from tasks.history.tags import tag_if_any, tags
from tasks.lake import Lake

_REFERENCE = re.compile(r"(?P<name>[^@]*)@(?P<reference>[^~]*)(?:~(?P<back>[0-9]{1,4}))?")


def named_version(lake: Lake, wanted: str) -> CorpusManifest:
    """The manifest that `wanted` names: a corpus (its latest version), or one version of it.

    After `corpus@` stands a version, a tag or `latest`; `~2` after it goes back two published
    versions. The corpus may be left out where the lake holds one: `@prod`. What is named is looked
    up by its key: a listing, which may be behind, only helps where there is no such name.

    Raises:
        UnknownName: no such corpus, version or tag, or the history does not go back that far.
        CorpusDamaged: a tag was given to another version than the one that has its number now.
    """
    match = _REFERENCE.fullmatch(wanted)
    if match is None:
        return find_version(lake, wanted)
    manifest = _named(lake, _corpus(lake, wanted, match["name"]), match["reference"])
    return _before(lake, manifest, int(match["back"] or 0))


def _corpus(lake: Lake, wanted: str, name: str) -> str:
    if is_corpus_name(name):
        return name
    known = corpora(lake)
    if not name and len(known) != 1:
        listed = ", ".join(known) or "none"
        raise UnknownName(f"{wanted!r} names no corpus; corpora in {lake.uri}: {listed}")
    return known_name(name or known[0], known, f"corpus in {lake.uri}")


def _named(lake: Lake, name: str, reference: str) -> CorpusManifest:
    """The version of that number or tag, or the latest."""
    if reference == LATEST:
        found = latest_manifest(lake, name)
    else:
        found = version_if_any(lake, name, reference) or _tagged(lake, name, reference)
    return found or _unknown(lake, name, reference)


def _tagged(lake: Lake, name: str, tag: str) -> CorpusManifest | None:
    """The version that has a tag, None where there is no such tag."""
    given = tag_if_any(lake, name, tag)
    if given is None:
        return None
    found = version_if_any(lake, name, given.version)
    move = f"move the tag: winnow tag {name}@VERSION {tag} --force"
    if found is None:
        raise UnknownName(
            f"{name}@{tag} is {given.version}, which is not in {lake.uri} any more. Restore it, or "
            f"{move}"
        )
    if found.digest != given.digest:
        raise CorpusDamaged(
            f"{name}@{tag} was given to a {given.version} with digest {given.digest[:12]}…, the "
            f"one that is there now has {found.digest[:12]}…. Restore the former, or {move}"
        )
    return found


def _unknown(lake: Lake, name: str, reference: str) -> CorpusManifest:
    """Raise UnknownName with what there is; CorpusDamaged for a version that lost its manifest."""
    known_name(name, corpora(lake), f"corpus in {lake.uri}")
    listed = (*tags(lake, name), *reversed(versions(lake, name)))
    known_name(reference, listed, f"version or tag of corpus {name!r}")
    return read_manifest(lake, name, reference)


def _before(lake: Lake, manifest: CorpusManifest, steps: int) -> CorpusManifest:
    """The version so many published ones before another; rejected ones do not count."""
    if not steps:
        return manifest
    name, version = manifest.name, manifest.version
    older = [one for one in versions(lake, name) if number_of(one) < number_of(version)]
    manifests = (read_manifest(lake, name, one) for one in reversed(older))
    published = (one for one in manifests if one.status == "published")
    found = next(itertools.islice(published, steps - 1, None), None)
    if found is None:
        few = "no" if steps == 1 else f"fewer than {steps}"
        raise UnknownName(f"{name} {version} has {few} published versions before it.")
    return found
