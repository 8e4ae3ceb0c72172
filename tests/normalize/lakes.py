"""A lake with one source's raw files in it, for tests."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from schemas.manifest import RawFile, RawReceipt, StageManifest
from schemas.record import RECORD, UNREADABLE
from schemas.source import Source
from schemas.upstream import LocalUpstream
from tasks.lake import Lake
from tasks.normalize.normalize import normalize


def source(layout: str, name: str = "corpus", **fields: Any) -> Source:
    """A source of that layout; what a test does not care about is filled in."""
    return Source.model_validate(
        {"name": name, "layout": layout, "licence": "MIT", "local": LocalUpstream(path="x")}
        | fields
    )


def receipt(lake: Lake, files: Mapping[str, bytes], name: str = "corpus") -> RawReceipt:
    """The receipt of a download that got these files, which now lie in the lake."""
    found = tuple(
        RawFile(name=file, sha256=hashlib.sha256(raw).hexdigest(), size_bytes=len(raw))
        for file, raw in files.items()
    )
    digest = hashlib.sha256(repr([(file.name, file.sha256) for file in found]).encode()).hexdigest()
    folder = f"raw/{name}/{digest}"
    for file, raw in files.items():
        lake.put(f"{folder}/{file}", raw)
    return RawReceipt(source=name, uri=folder, digest=digest, upstream="a test", files=found)


class Normalized:
    """What normalize made of a source: its manifest, records and ledger."""

    def __init__(self, lake: Lake, manifest: StageManifest) -> None:
        self.manifest = manifest
        self.records = _read(lake, manifest.shards, RECORD)
        self.ledger = _read(lake, manifest.ledger, UNREADABLE)

    @property
    def conversations(self) -> list[list[tuple[str, str]]]:
        """Every record's messages as pairs of role and content."""
        return [
            [(message["role"], message["content"]) for message in messages]
            for messages in self.records["messages"].to_list()
        ]

    @property
    def reasons(self) -> list[str]:
        """The ledger's reasons in order."""
        return self.ledger["drop_reason"].to_list()


def normalized(
    folder: Path, raw: bytes | Mapping[str, bytes], made_of: Source, shard_rows: int = 1000
) -> Normalized:
    """Normalise one file, or several by name, in a new lake at `folder`."""
    lake = Lake(str(folder / "lake"))
    files = {"rows.json": raw} if isinstance(raw, bytes) else raw
    manifest = normalize(receipt(lake, files, made_of.name), made_of, lake, shard_rows)
    return Normalized(lake, manifest)


def _read(lake: Lake, shards: Any, schema: pl.Schema) -> pl.DataFrame:
    frames = [pl.read_parquet(lake.at(shard.uri)) for shard in shards]
    return pl.concat(frames) if frames else pl.DataFrame(schema=schema)
