"""Tags: names that people give to versions, as `prod`."""

from pydantic import ValidationError

from schemas.errors import ConfigError, CorpusDamaged
from schemas.history import Action, Tag, is_tag
from schemas.manifest import CorpusManifest
from schemas.recipe import known_name
from tasks.corpora import corpus_key
from tasks.history.log import record
from tasks.lake import Lake


def tags(lake: Lake, name: str) -> dict[str, Tag]:
    """The tags of one corpus by name, sorted."""
    found = (key for key in lake.keys(_folder(name)) if key.endswith(".json"))
    return {key.rsplit("/", 1)[-1].removesuffix(".json"): _read(lake, key) for key in found}


def set_tag(lake: Lake, manifest: CorpusManifest, tag: str, force: bool = False) -> str | None:
    """Give a version a tag; returns the version that had it before, None where none had.

    Raises:
        ConfigError: no tag may be called that, or without `force`: the tag stands on another
            version, or the version was rejected by its gates.
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
    record(lake, name, Action.UNTAG, found[tag].version, tag=tag)
    return found[tag].version


def _read(lake: Lake, key: str) -> Tag:
    return _parsed(lake.read(key), lake.at(key))


def _parsed(data: bytes, where: str) -> Tag:
    try:
        return Tag.model_validate_json(data)
    except ValidationError:
        raise CorpusDamaged(
            f"{where} is not a tag: found {data[:40]!r}. Remove it, then set the tag again."
        ) from None


def _folder(name: str) -> str:
    return f"{corpus_key(name)}/tags"


def _key(name: str, tag: str) -> str:
    return f"{_folder(name)}/{tag}.json"
