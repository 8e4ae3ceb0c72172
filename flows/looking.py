"""The lake and the version that a command looks at."""

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from schemas.errors import UnknownName
from schemas.manifest import CorpusManifest
from schemas.stores import is_bucket

if TYPE_CHECKING:
    from tasks.lake import Lake


def lake_of(context: typer.Context) -> "Lake":
    """The lake to look at; looking does not make one."""
    from tasks.lake import Lake

    if "://" not in context.obj and not Path(context.obj).exists():
        raise UnknownName(f"there is no lake at {context.obj} yet. Run: winnow refresh quickstart")
    return Lake(context.obj)


def disk_with(lake_uri: str, adapter: str | None) -> Path:
    """A folder as that of a lake, with an adapter of it; what lies in a bucket is fetched."""
    if not is_bucket(lake_uri):
        return Path(lake_uri)
    from tasks.lake import Lake
    from tasks.runs import fetch_adapter

    lake = Lake(lake_uri)
    fetch_adapter(lake, adapter)
    return lake.disk


def version_of(lake: "Lake", corpus: str | None) -> CorpusManifest:
    """The version that was named, or the latest of the only corpus there is."""
    from tasks.history.named import named_version

    return named_version(lake, corpus or only_corpus(lake))


def only_corpus(lake: "Lake") -> str:
    """The name of the lake's corpus; raises UnknownName where there is none, or more than one."""
    from tasks.corpora import corpora

    found = corpora(lake)
    if len(found) == 1:
        return found[0]
    if not found:
        raise UnknownName(f"there is no corpus in {lake.uri} yet. Run: winnow refresh quickstart")
    raise UnknownName(f"name one of the corpora in {lake.uri}: {', '.join(found)}")
