"""The dataset card: a version's README.md, by which `datasets.load_dataset` finds its splits."""

import re
from typing import Any

import yaml

from schemas.manifest import CorpusManifest, SourceEntry

_SPDX = re.compile(r"^[A-Za-z0-9][A-Za-z0-9.-]*$")
_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))


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
    licences = sorted({source.licence for source in manifest.sources if source.rows_out})
    return {
        "pretty_name": f"{manifest.name} {manifest.version}",
        **_licence(licences),
        "language": _values(manifest, "language"),
        "task_categories": ["text-generation"],
        "size_categories": [_size(manifest.rows_out)],
        "tags": ["instruction-tuning", "winnow"],
        "configs": [{"config_name": "default", "data_files": data_files}],
    }


def _licence(licences: list[str]) -> dict[str, str]:
    """The Hub's own identifier where all rows are under one SPDX licence, else their names."""
    if len(licences) == 1 and _SPDX.match(licences[0]) and licences[0] != "unknown":
        return {"license": licences[0].lower()}
    return {"license": "other", "license_name": "; ".join(licences) or "none"}


def _body(manifest: CorpusManifest) -> str:
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

Made by Winnow. {went}; each of the
others is in `ledger/` with its reason. The full report is `report.html`.
Digest: `{manifest.digest}`.

```python
from datasets import load_dataset

corpus = load_dataset("path/to/this/folder")
```

| split | rows |
|---|---:|
{splits}

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


def _repeated(manifest: CorpusManifest) -> str:
    more = manifest.rows_repeated
    return f", {more:,} of them repeated as the recipe asks" if more else ""


def _failed(manifest: CorpusManifest) -> str:
    lines = [f"- {_cell(one.name)}: {_cell(one.message[:300])}" for one in manifest.failed_sources]
    return "## Sources that failed\n\n" + "\n".join(lines) + "\n\n" if lines else ""


def _source_line(source: SourceEntry) -> str:
    rows = (f"{source.rows_in:,}", f"{source.rows_out:,}")
    revision = source.revision or source.raw_digest[:12]
    texts = [_cell(text) for text in (source.licence, revision, source.homepage)]
    return "| " + " | ".join((_cell(source.name), *rows, *texts)) + " |"


def _values(manifest: CorpusManifest, key: str) -> list[str]:
    found = manifest.statistics.composition
    return [entry.value for entry in found if entry.key == key and len(entry.value) == 2]


def _size(rows: int) -> str:
    return next((name for bound, name in _SIZES if rows < bound), "n>1M")


def _cell(text: str) -> str:
    """Text inside a table cell or a line: no markup of its own takes effect."""
    flat = " ".join(text.split())
    for mark in "\\|`<>[]*_":
        flat = flat.replace(mark, f"&#{ord(mark)};")
    return flat
