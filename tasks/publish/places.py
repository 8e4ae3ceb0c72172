"""A manifest as others may see it: what it says of the machine that made it is gone."""

from pathlib import PurePath
from typing import Any

from schemas.manifest import CorpusManifest

_UNNAMED = ""


def without_places(manifest: CorpusManifest) -> CorpusManifest:
    """The same manifest with no host, and of every path of that machine its last part only."""
    sources = tuple(
        source.model_copy(update={"upstream": _last_part(source.upstream)})
        for source in manifest.sources
    )
    failed = tuple(one.model_copy(update={"message": _UNNAMED}) for one in manifest.failed_sources)
    changed = {
        "host": _UNNAMED,
        "recipe": _last_parts(manifest.recipe),
        "sources": sources,
        "failed_sources": failed,
    }
    return manifest.model_copy(update=changed)


def _last_parts(value: Any) -> Any:
    """A JSON value with every text in it that is an absolute path cut to its last part."""
    if isinstance(value, dict):
        return {key: _last_parts(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_last_parts(one) for one in value]
    return _last_part(value) if isinstance(value, str) else value


def _last_part(text: str) -> str:
    return PurePath(text).name if PurePath(text).is_absolute() else text
