"""The dataset card: a version's README.md, by which `datasets.load_dataset` finds its splits."""

import re
from collections.abc import Sequence
from typing import Any

import yaml

from schemas.licences import UNKNOWN, Terms, names_in, terms_of
from schemas.manifest import CorpusManifest, SourceEntry
from tasks.publish.languages import main_languages
from tasks.publish.licences import LicenceRows, licence_rows

OTHER = "other"
MAX_NAME_CHARS = 96
MAX_LICENCES = 50
CONDITIONS = {
    "commercial": ("no", "yes"),
    "attribution": ("not asked", "required"),
    "share_alike": ("not asked", "required"),
    "changes": ("not to be passed on", "allowed"),
}
"""Of `Terms`, in words: where it is False, where it is True."""

_SIZE_MARKS = ("1K", "10K", "100K", "1M", "10M", "100M", "1B", "10B", "100B", "1T")
"""Bounds of the Hub's size categories, each ten times the one before it, from a thousand."""


def dataset_card(manifest: CorpusManifest) -> str:
    """Markdown with a YAML head; every number comes from the manifest."""
    head = yaml.safe_dump(_head(manifest), sort_keys=False, allow_unicode=True)
    return f"---\n{head}---\n\n{_body(manifest)}"


def _head(manifest: CorpusManifest) -> dict[str, Any]:
    data_files = [
        {"split": split.name, "path": [shard.uri for shard in split.shards]}
        for split in manifest.splits
        if split.rows
    ]
    return {
        "pretty_name": f"{manifest.name} {manifest.version}",
        **_licence(licence_rows(manifest)),
        **({"language": languages} if (languages := main_languages(manifest)) else {}),
        "task_categories": ["text-generation"],
        "size_categories": [_size(manifest.rows_out)],
        "tags": ["instruction-tuning", "winnow"],
        "configs": [{"config_name": "default", "data_files": data_files}],
    }


def _licence(licences: Sequence[LicenceRows]) -> dict[str, Any]:
    """The Hub's own identifiers, `other` and a name where it has none; it refuses any other."""
    names = sorted({name for one in licences for name in names_in(one.licence)})
    hub = {name: _hub_licence(name) for name in names}
    kinds = sorted(set(hub.values())) or [OTHER]
    others = [name for name in names if hub[name] == OTHER]
    told: dict[str, Any] = {"license": kinds[0] if len(kinds) == 1 else kinds}
    if OTHER in kinds:
        slug = re.sub(r"[^a-z0-9.]+", "-", " ".join(others).lower()).strip("-")
        told["license_name"] = slug[:MAX_NAME_CHARS] or "none"
    return told


def _hub_licence(name: str) -> str:
    terms = terms_of(name)
    return UNKNOWN if name == UNKNOWN else (terms and terms.hub) or OTHER


def _body(manifest: CorpusManifest) -> str:
    licences = "\n".join(map(_licence_line, _largest(licence_rows(manifest))))
    sources = "\n".join(_source_line(source) for source in manifest.sources)
    drops = "\n".join(
        f"| {stage} | {reason} | {rows:,} |"
        for stage, reasons in manifest.dropped().items()
        for reason, rows in reasons.items()
    )
    splits = "\n".join(f"| {split.name} | {split.rows:,} |" for split in manifest.splits)
    citations = "\n".join(
        f"- {_cell(source.name)}: {_cell(source.citation)}"
        for source in manifest.sources
        if source.citation and source.rows_out
    )
    went = f"{manifest.rows_in:,} rows went in, {manifest.rows_out:,} came out{_repeated(manifest)}"
    return f"""# {manifest.name} {manifest.version}

{_cell(str(manifest.recipe.get("description") or "An instruction corpus."))}

Made by Winnow on {manifest.created_at[:10]}. {went}; each of the
others is in `ledger/` with its reason, and `report.html` shows it all, in the lake where this was
made. Digest: `{manifest.digest}`.

| split | rows |
|---|---:|
{splits}

```python
from datasets import load_dataset

corpus = load_dataset({_place(manifest)})
```

Each row is one conversation: `messages`, as trl's `SFTTrainer` and chat templates read them, with
`source`, `licence`, `language`, lengths and duplicate `cluster`. `croissant.json` describes the
columns, `manifest.json` says how each number came about.

## Licences

| licence | rows | commercial use | attribution | share alike | changes | sources |
|---|---:|---|---|---|---|---|
{licences}

Each row's own is in its column `licence`. What a licence asks is what its text says, no advice.

## Sources

| source | rows in | rows out | licence | revision or digest | homepage |
|---|---:|---:|---|---|---|
{sources}

{_failed(manifest)}## Dropped

| stage | reason | rows |
|---|---|---:|
{drops}

## Citations

{citations or "None of the sources asks for one."}
"""


def _place(manifest: CorpusManifest) -> str:
    """What `load_dataset` is given: the repository that the recipe names, or a folder."""
    publish = manifest.recipe.get("publish")
    repo = publish.get("hub") if isinstance(publish, dict) else None
    return f'"{repo}", revision="{manifest.version}"' if repo else '"path/to/this/folder"'


def _largest(licences: Sequence[LicenceRows]) -> list[LicenceRows]:
    """The licences that are listed: of very many, rows that state prose, the rest as one."""
    rest = licences[MAX_LICENCES:]
    sources = tuple(sorted({source for one in rest for source in one.sources}))
    others = LicenceRows(f"{len(rest):,} others", sum(one.rows for one in rest), sources)
    return [*licences[:MAX_LICENCES], *([others] if rest else [])]


def _repeated(manifest: CorpusManifest) -> str:
    more = manifest.rows_repeated
    return f", {more:,} of them repeated as the recipe asks" if more else ""


def _failed(manifest: CorpusManifest) -> str:
    lines = [f"- {_cell(one.name)}: {_cell(one.error)}" for one in manifest.failed_sources]
    return "## Sources that failed\n\n" + "\n".join(lines) + "\n\n" if lines else ""


def _licence_line(one: LicenceRows) -> str:
    said = (_said(one.terms, condition) for condition in CONDITIONS)
    sources = ", ".join(_cell(source) for source in one.sources)
    return "| " + " | ".join((_cell(one.licence), f"{one.rows:,}", *said, sources)) + " |"


def _said(terms: Sequence[Terms | None], condition: str) -> str:
    """What every part of a licence says of a condition; where they differ, that they do."""
    found = {
        UNKNOWN if one is None else CONDITIONS[condition][getattr(one, condition)] for one in terms
    }
    return found.pop() if len(found) == 1 else "by its parts"


def _source_line(source: SourceEntry) -> str:
    rows = (f"{source.rows_in:,}", f"{source.rows_out:,}")
    revision = source.revision or source.raw_digest[:12]
    texts = [_cell(text) for text in (source.licence, revision, source.homepage)]
    return "| " + " | ".join((_cell(source.name), *rows, *texts)) + " |"


def _size(rows: int) -> str:
    """The Hub's size category, of the list that `datasets` knows."""
    above = [mark for power, mark in enumerate(_SIZE_MARKS, 3) if rows >= 10**power]
    if not above:
        return f"n<{_SIZE_MARKS[0]}"
    if len(above) == len(_SIZE_MARKS):
        return f"n>{above[-1]}"
    return f"{above[-1]}<n<{_SIZE_MARKS[len(above)]}"


def _cell(text: str) -> str:
    """Text inside a table cell or a line: no markup of its own takes effect."""
    flat = " ".join(text.split())
    for mark in "\\|`<>[]*_":
        flat = flat.replace(mark, f"&#{ord(mark)};")
    return flat
