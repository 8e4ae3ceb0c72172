"""Two versions side by side: what their manifests say of sources, recipe, drops and code."""

from collections.abc import Iterator, Mapping
from typing import Any

from schemas.frozen import Frozen
from schemas.manifest import CorpusManifest, SourceEntry

Value = Any
"""A JSON value, None where there is none."""


class Change(Frozen):
    """One key that differs: a dotted path, what stood there and what stands there now."""

    key: str
    before: Value
    after: Value


class SourceChange(Frozen):
    """What differs of one source; null where a version has it not, or both have the same."""

    source: str
    status: str
    rows_out: tuple[int | None, int | None]
    changes: tuple[Change, ...]


_TOLD = ("upstream", "revision", "raw_digest", "licence", "citation", "rows_in", "rows_out")


def source_changes(old: CorpusManifest, new: CorpusManifest) -> tuple[SourceChange, ...]:
    """The sources that joined, left, or differ in what the manifest says of them, by name."""
    before, after = _by_name(old), _by_name(new)
    failed = {source.name for source in new.failed_sources}
    changed = []
    for name in sorted(before.keys() | after.keys()):
        was, now = before.get(name), after.get(name)
        differs = tuple(
            Change(key=key, before=getattr(was, key, None), after=getattr(now, key, None))
            for key in _TOLD
            if getattr(was, key, None) != getattr(now, key, None)
        )
        if differs:
            status = "changed" if was and now else "added" if now else "removed"
            if status == "removed" and name in failed:
                status = "failed"
            rows = (was.rows_out if was else None, now.rows_out if now else None)
            changed.append(
                SourceChange(
                    source=name,
                    status=status,
                    rows_out=rows,
                    changes=differs if status == "changed" else (),
                )
            )
    return tuple(changed)


def recipe_changes(old: CorpusManifest, new: CorpusManifest) -> tuple[Change, ...]:
    """The keys of the recipe that differ, as dotted paths, sorted.

    Entries of a list that have a name are told by it, as `sources.alpaca.weight`.
    """
    return _differences(dict(_flat(old.recipe)), dict(_flat(new.recipe)))


def drop_changes(old: CorpusManifest, new: CorpusManifest) -> tuple[Change, ...]:
    """How many rows each stage dropped for each reason, as `filter.echo`, where that differs."""
    return _differences(_drops(old), _drops(new), nothing=0)


def code_changes(old: CorpusManifest, new: CorpusManifest) -> tuple[Change, ...]:
    """The code and the libraries that made the two, where they differ."""
    before = {"code_digest": old.code_digest, "git_commit": old.git_commit, **dict(old.libraries)}
    after = {"code_digest": new.code_digest, "git_commit": new.git_commit, **dict(new.libraries)}
    return _differences(before, after)


def _by_name(manifest: CorpusManifest) -> dict[str, SourceEntry]:
    return {source.name: source for source in manifest.sources}


def _drops(manifest: CorpusManifest) -> dict[str, int]:
    return {
        f"{stage}.{reason}": rows
        for stage, reasons in manifest.dropped().items()
        for reason, rows in reasons.items()
    }


def _differences(
    before: Mapping[str, Value], after: Mapping[str, Value], nothing: Value = None
) -> tuple[Change, ...]:
    return tuple(
        Change(key=key, before=before.get(key, nothing), after=after.get(key, nothing))
        for key in sorted(before.keys() | after.keys())
        if before.get(key, nothing) != after.get(key, nothing)
    )


def _flat(value: Value, path: str = "") -> Iterator[tuple[str, Value]]:
    """The leaves of a JSON value with their dotted paths; a list without names is a leaf."""
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _flat(inner, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list) and value and all(_name_of(item) for item in value):
        for item in value:
            yield from _flat(item, f"{path}.{_name_of(item)}")
    else:
        yield path, value


def _name_of(item: Value) -> str | None:
    name = item.get("name", item.get("source")) if isinstance(item, dict) else None
    return name if isinstance(name, str) else None
