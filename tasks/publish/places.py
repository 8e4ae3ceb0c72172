"""A manifest as others may see it.

What it says of the machine that made it is gone, and so is what it quotes of rows that were dropped
and of evaluation sets.
"""

from pathlib import PurePath
from typing import Any

from schemas.manifest import CorpusManifest, Statistics

_UNNAMED = ""


def for_others(manifest: CorpusManifest) -> CorpusManifest:
    """The same manifest with no host, of every path its last part only, and without quotations.

    Prompts of clusters stay: these are of published rows.
    """
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
        "statistics": _unquoted(manifest.statistics),
    }
    return manifest.model_copy(update=changed)


def _unquoted(statistics: Statistics) -> Statistics:
    """The same numbers without the evaluation items that rows hold, and prompts of any row."""
    contamination = tuple(
        one.model_copy(
            update={"hits": tuple(hit.model_copy(update={"excerpt": ""}) for hit in one.hits)}
        )
        for one in statistics.contamination
    )
    conflicts = tuple(one.model_copy(update={"prompt": ""}) for one in statistics.conflicts)
    return statistics.model_copy(update={"contamination": contamination, "conflicts": conflicts})


def _last_parts(value: Any) -> Any:
    """A JSON value with every text in it that is an absolute path cut to its last part."""
    if isinstance(value, dict):
        return {key: _last_parts(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_last_parts(one) for one in value]
    return _last_part(value) if isinstance(value, str) else value


def _last_part(text: str) -> str:
    return PurePath(text).name if PurePath(text).is_absolute() else text
