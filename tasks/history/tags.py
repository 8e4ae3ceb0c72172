"""Tags: names that people give to versions, as `prod`.

tags/prod.json      which version has the tag
tag_names.json      the names of all tags: a listing may be behind, and gc has to know each of them
"""

import json
from collections.abc import Callable

from pydantic import ValidationError

from schemas.errors import ConfigError, CorpusDamaged, UnknownName
from schemas.history import Action, Tag, is_tag
from schemas.manifest import CorpusManifest
from schemas.recipe import known_name
from tasks.corpora import corpus_key, version_if_any
from tasks.history.leases import using
from tasks.history.log import record
from tasks.lake import Lake


def tags(lake: Lake, name: str) -> dict[str, Tag]:
    """The tags of one corpus by name, sorted."""
    listed = {
        key.rsplit("/", 1)[-1].removesuffix(".json")
        for key in lake.keys(_folder(name))
        if key.endswith(".json")
    }
    noted = _names(lake.read_if_any(_names_key(name)))
    found = {tag: tag_if_any(lake, name, tag) for tag in sorted(listed | noted)}
    return {tag: given for tag, given in found.items() if given is not None}


def tag_if_any(lake: Lake, name: str, tag: str) -> Tag | None:
    """The tag of that name, None where a corpus has none; no listing is asked."""
    data = lake.read_if_any(_key(name, tag)) if is_tag(tag) else None
    return None if data is None else _parsed(data, lake.at(_key(name, tag)))


def set_tag(lake: Lake, manifest: CorpusManifest, tag: str, force: bool = False) -> str | None:
    """Give a version a tag; returns the version that had it before, None where none had.

    Raises:
        ConfigError: no tag may be called that, or without `force`: the tag stands on another
            version, or the version was rejected by its gates.
        UnknownName: the version was removed meanwhile.
    """
    if not is_tag(tag):
        raise ConfigError(
            f"{tag!r} cannot be a tag: expected lower-case letters, digits and . _ - with a letter "
            "first, at most 64, and neither `latest` nor the name of a version."
        )
    if manifest.status != "published" and not force:
        raise ConfigError(
            f"{manifest.name} {manifest.version} was rejected by its gates. Give --force to tag it "
            "all the same."
        )
    key = _key(manifest.name, tag)
    new = Tag(version=manifest.version, digest=manifest.digest)
    before: list[str] = []

    def moved(old: bytes | None) -> bytes:
        stands = None if old is None else _parsed(old, lake.at(key))
        before[:] = [] if stands is None else [stands.version]
        if stands is not None and stands != new and not force:
            raise ConfigError(
                f"tag {tag!r} of {manifest.name} stands on {stands.version}. Give --force to move "
                f"it to {manifest.version}."
            )
        return new.model_dump_json().encode()

    with using(lake):
        there = version_if_any(lake, manifest.name, manifest.version)
        if there is None or there.digest != manifest.digest:
            raise UnknownName(
                f"{manifest.name} {manifest.version} was removed meanwhile: nothing was tagged."
            )
        _note(lake, manifest.name, lambda names: names | {tag})
        lake.update(key, moved)
    was = before[0] if before else None
    if was != manifest.version:
        record(lake, manifest.name, Action.TAG, manifest.version, was, tag)
    return was


def remove_tag(lake: Lake, name: str, tag: str) -> str:
    """Take a tag away; returns the version that had it (raises UnknownName)."""
    found = tags(lake, name)
    known_name(tag, tuple(found), f"tag of corpus {name!r}")
    lake.delete([_key(name, tag)])
    _note(lake, name, lambda names: names - {tag})
    record(lake, name, Action.UNTAG, found[tag].version, tag=tag)
    return found[tag].version


def _note(lake: Lake, name: str, change: Callable[[set[str]], set[str]]) -> None:
    """Change the names of a corpus's tags; before a tag is made, and after it was removed."""
    lake.update(_names_key(name), lambda old: json.dumps(sorted(change(_names(old)))).encode())


def _names(data: bytes | None) -> set[str]:
    """The names that were noted; none where the note is damaged: then the listing has them."""
    try:
        found = json.loads(data or b"[]")
    except ValueError:
        return set()
    return {one for one in found if isinstance(one, str)} if isinstance(found, list) else set()


def _parsed(data: bytes, where: str) -> Tag:
    try:
        return Tag.model_validate_json(data)
    except ValidationError:
        raise CorpusDamaged(
            f"{where} is not a tag: found {data[:40]!r}. Remove it, then set the tag again."
        ) from None


def _folder(name: str) -> str:
    return f"{corpus_key(name)}/tags"


def _names_key(name: str) -> str:
    return f"{corpus_key(name)}/tag_names.json"


def _key(name: str, tag: str) -> str:
    return f"{_folder(name)}/{tag}.json"
