"""What a refresh came to: the one object that `winnow refresh --json` prints."""

from enum import StrEnum

from pydantic import Field

from schemas.frozen import Frozen
from schemas.manifest import CorpusManifest


class Status(StrEnum):
    """How a refresh ended."""

    PUBLISHED = "published"
    UNCHANGED = "unchanged"
    REJECTED = "rejected"


class SourceRows(Frozen):
    """Rows of one source that came in and that are in the version."""

    rows_in: int
    rows_out: int


class Outcome(Frozen):
    """One refresh: the version it made or found, its rows, its dataset and adapter on the Hub."""

    status: Status
    corpus: str
    version: str
    digest: str
    path: str
    rows_in: int
    rows_out: int
    rows_repeated: int = 0
    dropped: dict[str, dict[str, int]]
    sources: dict[str, SourceRows]
    failed_sources: dict[str, str]
    unexpected_rows: dict[str, str] = Field(default_factory=dict)
    failed_gates: tuple[str, ...] = ()
    dataset: str | None = None
    adapter: str | None = None

    @classmethod
    def of(cls, manifest: CorpusManifest, status: Status, path: str) -> "Outcome":
        """What is to say of a version whose folder is `path`."""
        return cls(
            status=status,
            corpus=manifest.name,
            version=manifest.version,
            digest=manifest.digest,
            path=path,
            rows_in=manifest.rows_in,
            rows_out=manifest.rows_out,
            rows_repeated=manifest.rows_repeated,
            dropped=manifest.dropped(),
            sources={
                source.name: SourceRows(rows_in=source.rows_in, rows_out=source.rows_out)
                for source in manifest.sources
            },
            failed_sources={source.name: source.message for source in manifest.failed_sources},
            unexpected_rows={
                source.name: source.unexpected_rows
                for source in manifest.sources
                if source.unexpected_rows
            },
            failed_gates=tuple(gate.gate for gate in manifest.gates if not gate.passed),
        )
