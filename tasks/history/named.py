"""Which version people mean: `corpus@v0003`, `corpus@prod`, `corpus@latest~1`."""

import itertools
import re

from schemas.errors import UnknownName
from schemas.history import LATEST, number_of
from schemas.manifest import CorpusManifest
from schemas.recipe import known_name
from tasks.corpora import corpora, find_version, latest, read_manifest, versions
from tasks.history.tags import tags
from tasks.lake import Lake

_REFERENCE = re.compile(r"(?P<name>[^@]*)@(?P<reference>[^~]*)(?:~(?P<back>\d{1,4}))?")


def named_version(lake: Lake, wanted: str) -> CorpusManifest:
    """The manifest that `wanted` names: a corpus (its latest version), or one version of it.

    After `corpus@` stands a version, a tag or `latest`; `~2` after it goes back two published
    versions. The corpus may be left out where the lake holds one: `@prod`.

    Raises:
        UnknownName: no such corpus, version or tag, or the history does not go back that far.
    """
    match = _REFERENCE.fullmatch(wanted)
    if match is None:
        return find_version(lake, wanted)
    known = corpora(lake)
    if not match["name"] and len(known) != 1:
        listed = ", ".join(known) or "none"
        raise UnknownName(f"{wanted!r} names no corpus; corpora in {lake.uri}: {listed}")
    name = known_name(match["name"] or known[0], known, f"corpus in {lake.uri}")
    version = _version(lake, name, match["reference"])
    return _before(lake, name, version, int(match["back"] or 0))


def _version(lake: Lake, name: str, reference: str) -> str:
    found = versions(lake, name)
    if reference in found:
        return reference
    named = {tag: one.version for tag, one in tags(lake, name).items()}
    newest = latest(lake, name)
    if newest is not None:
        named[LATEST] = newest
    known_name(reference, (*named, *reversed(found)), f"version or tag of corpus {name!r}")
    version = named[reference]
    if version not in found:
        raise UnknownName(
            f"{name}@{reference} is {version}, which is not in {lake.uri} any more. Restore it, or "
            f"move the tag: winnow tag {name}@VERSION {reference} --force"
        )
    return version


def _before(lake: Lake, name: str, version: str, steps: int) -> CorpusManifest:
    """The version so many published ones before another; rejected ones do not count."""
    if not steps:
        return read_manifest(lake, name, version)
    older = [one for one in versions(lake, name) if number_of(one) < number_of(version)]
    manifests = (read_manifest(lake, name, one) for one in reversed(older))
    published = (one for one in manifests if one.status == "published")
    found = next(itertools.islice(published, steps - 1, None), None)
    if found is None:
        few = "no" if steps == 1 else f"fewer than {steps}"
        raise UnknownName(f"{name} {version} has {few} published versions before it.")
    return found
