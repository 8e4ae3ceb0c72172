"""Croissant metadata: a version's croissant.json, by which dataset search and loaders read it.

Croissant 1.0 with its RAI vocabulary: https://docs.mlcommons.org/croissant/docs/croissant-spec.html.
It is a page of the version, so it names every data file and no digest of the manifest, which names
it. Places are relative to it.
"""

import json
from collections.abc import Iterator
from typing import Any

import polars as pl

from schemas.ledger import PUBLISHED
from schemas.licences import TERMS, names_in
from schemas.manifest import CorpusManifest, ShardRef, SourceEntry, number_of
from tasks.publish.languages import main_languages
from tasks.publish.licences import licence_rows

CONFORMS_TO = ("http://mlcommons.org/croissant/1.0", "http://mlcommons.org/croissant/RAI/1.0")
RECORDS, SPLITS, SHARDS = "default", "splits", "shards"
SPLIT = "split"

_JSON = {"@type": "@json"}
_CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "sc": "https://schema.org/",
    "dct": "http://purl.org/dc/terms/",
    "conformsTo": "dct:conformsTo",
    "data": {"@id": "cr:data", **_JSON},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "examples": {"@id": "cr:examples", **_JSON},
    **{
        name: f"cr:{name}"
        for name in (
            *("citeAs", "column", "equivalentProperty", "extract", "field", "fileObject"),
            *("fileProperty", "fileSet", "format", "includes", "isLiveDataset", "jsonPath"),
            *("key", "md5", "parentField", "path", "recordSet", "references", "regex"),
            *("repeated", "replace", "samplingRate", "separator", "source", "subField"),
            "transform",
        )
    },
}
_FORMATS = {".parquet": "application/x-parquet", ".arrow": "application/vnd.apache.arrow.file"}
_TYPES = {"String": "sc:Text", "UInt32": "sc:Integer", "UInt16": "sc:Integer"}

# fmt: off
_MEANING = {
    "record_id":       "Digest of the conversation, the same in every source and version.",
    "source":          "Name of the source that the row is from.",
    "source_row":      "Place of the row in its source, from 0.",
    "messages":        "The conversation; the last message is the assistant's.",
    "category":        "Ability class or sub-dataset, where the source tells.",
    "tools":           "Tool definitions in JSON, where the source has them.",
    "licence":         "Licence of the row: an SPDX expression, or 'unknown'.",
    "language":        "ISO 639-1 code of the text, where it could be told.",
    "turns":           "Messages of the user.",
    "prompt_chars":    "Code points before the last message.",
    "response_chars":  "Code points of the last message.",
    "prompt_tokens":   "Tokens before the last message, where the recipe names a tokenizer.",
    "response_tokens": "Tokens of the last message, where the recipe names a tokenizer.",
    "cluster":         "Rows of one cluster share a prompt or nearly so; they are in one split.",
}
# fmt: on


def croissant(manifest: CorpusManifest) -> str:
    """The JSON-LD of a version; every number and digest comes from the manifest."""
    found = {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": list(CONFORMS_TO),
        "name": manifest.name,
        "description": _description(manifest),
        "version": f"{number_of(manifest.version)}.0.0",
        "datePublished": manifest.created_at,
        "license": list(_licences(manifest)),
        "citeAs": _citation(manifest),
        "inLanguage": main_languages(manifest),
        "keywords": ["instruction-tuning", "winnow"],
        "isBasedOn": [_based_on(source) for source in manifest.sources if source.rows_out],
        "rai:dataPreprocessingProtocol": [
            f"{stage}: {rows:,} rows dropped as {reason}."
            for stage, reasons in manifest.dropped().items()
            for reason, rows in reasons.items()
        ],
        "distribution": list(_distribution(manifest)),
        "recordSet": [_splits(manifest), _records()],
    }
    told = {key: value for key, value in found.items() if value != []}
    return json.dumps(told, ensure_ascii=False, indent=1) + "\n"


def _description(manifest: CorpusManifest) -> str:
    said = str(manifest.recipe.get("description") or "An instruction corpus.")
    rows = ", ".join(f"{split.rows:,} in {split.name}" for split in manifest.splits)
    licences = ", ".join(f"{one.licence} {one.rows:,}" for one in licence_rows(manifest))
    return (
        f"{said} {manifest.rows_out:,} conversations ({rows}). Rows by licence: "
        f"{licences or 'none'}. Made by Winnow as {manifest.name} {manifest.version}, digest "
        f"{manifest.digest}."
    )


def _licences(manifest: CorpusManifest) -> Iterator[str]:
    """SPDX's pages of the licences it has, the names of others; each once."""
    names = (name for one in licence_rows(manifest) for name in names_in(one.licence))
    for name in dict.fromkeys(names):
        yield f"https://spdx.org/licenses/{name}.html" if name in TERMS else name


def _citation(manifest: CorpusManifest) -> str:
    cited = (source.citation for source in manifest.sources if source.citation and source.rows_out)
    return "; ".join([f"{manifest.name} {manifest.version}, made by Winnow", *cited])


def _based_on(source: SourceEntry) -> dict[str, str]:
    told = {
        "@type": "sc:Dataset",
        "name": source.name,
        "license": source.licence,
        "url": source.homepage,
        "version": source.revision or source.raw_digest,
    }
    return {key: value for key, value in told.items() if value}


def _distribution(manifest: CorpusManifest) -> Iterator[dict[str, Any]]:
    """Every data file with its size and digest, then all of them as the records' one origin."""
    shards = manifest.shards
    for shard in shards:
        yield {
            "@type": "cr:FileObject",
            "@id": shard.uri,
            "name": shard.uri,
            "description": f"{shard.rows:,} rows.",
            "contentUrl": shard.uri,
            "contentSize": f"{shard.size_bytes} B",
            "encodingFormat": _format(shard),
            "sha256": shard.sha256,
        }
    yield {
        "@type": "cr:FileSet",
        "@id": SHARDS,
        "name": SHARDS,
        "description": "The data files of all splits.",
        "encodingFormat": sorted({_format(shard) for shard in shards}) or _FORMATS[".parquet"],
        "includes": [shard.uri for shard in shards] or "data/*",
    }


def _format(shard: ShardRef) -> str:
    return next(kind for ending, kind in _FORMATS.items() if shard.uri.endswith(ending))


def _splits(manifest: CorpusManifest) -> dict[str, Any]:
    name = f"{SPLITS}/name"
    filled = [split for split in manifest.splits if split.rows] or manifest.splits
    return {
        "@type": "cr:RecordSet",
        "@id": SPLITS,
        "name": SPLITS,
        "description": "The splits; rows that share a prompt or nearly so are in the same one.",
        "dataType": "cr:Split",
        "key": {"@id": name},
        "field": [_field(name, "name", "Name of the split.", {"dataType": "sc:Text"})],
        "data": [{name: split.name} for split in filled],
    }


def _records() -> dict[str, Any]:
    split = {
        "dataType": ["sc:Text", "cr:Split"],
        "source": {
            "fileSet": {"@id": SHARDS},
            "extract": {"fileProperty": "fullpath"},
            "transform": {"regex": r"(?:data/)?([a-z]+)"},
        },
        "references": {"field": {"@id": f"{SPLITS}/name"}},
    }
    columns = [_column(name, dtype) for name, dtype in PUBLISHED.items()]
    return {
        "@type": "cr:RecordSet",
        "@id": RECORDS,
        "name": RECORDS,
        "description": "One record per training conversation.",
        "field": [_field(f"{RECORDS}/{SPLIT}", SPLIT, "Split of the row.", split), *columns],
    }


def _column(name: str, dtype: pl.DataType | type[pl.DataType]) -> dict[str, Any]:
    """The field of one column; one that is a list of structs has a sub-field for each part."""
    uid = f"{RECORDS}/{name}"
    if not isinstance(dtype, pl.List):
        told = {"dataType": _TYPES[str(dtype)], "source": _from_column(name)}
        return _field(uid, name, _MEANING[name], told)
    inner = dtype.inner
    parts = inner.fields if isinstance(inner, pl.Struct) else []
    sub_fields = [
        _field(
            f"{uid}/{part.name}",
            part.name,
            f"{part.name.capitalize()} of each message.",
            {"dataType": _TYPES[str(part.dtype)], "source": _from_column(name, part.name)},
        )
        for part in parts
    ]
    return _field(uid, name, _MEANING[name], {"repeated": True, "subField": sub_fields})


def _from_column(name: str, part: str | None = None) -> dict[str, Any]:
    source: dict[str, Any] = {"fileSet": {"@id": SHARDS}, "extract": {"column": name}}
    return source | ({"transform": {"jsonPath": part}} if part else {})


def _field(uid: str, name: str, description: str, told: dict[str, Any]) -> dict[str, Any]:
    return {
        "@type": "cr:Field",
        "@id": uid,
        "name": name,
        "description": description,
        **told,
    }
