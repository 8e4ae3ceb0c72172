"""Manifests: the receipt of a stage and of a corpus version. They balance or cannot be built."""

import re
from typing import Self

from pydantic import Field, JsonValue, model_validator

from schemas.contamination import EvaluationCounts, EvaluationHits
from schemas.frozen import Frozen
from schemas.upstream import SHA256_PATTERN

FORMAT_VERSION = 1
VERSION_PATTERN = r"^v[0-9]{4,}$"
CORPUS_PATTERN = r"^[a-z0-9][a-z0-9_.-]*$"
_PART = r"(?:[^/\x00]*[^./\x00][^/\x00]*|\.{3,})"
KEY_PATTERN = rf"^{_PART}(?:/{_PART})*$"
"""A place below a folder: no part of it is empty, `.` or `..`, so that it leads nowhere else."""

SEAL = "SHA-256 of this very file with the seal's own 64 digits as zeros"


def number_of(version: str) -> int:
    """The number of a version: 7 of `v0007`."""
    return int(version[1:])


def version_of(number: int) -> str:
    """The version of a number: `v0007` of 7."""
    return f"v{number:04d}"


def is_version(name: str) -> bool:
    """Whether this is the name of a version."""
    return re.fullmatch(VERSION_PATTERN, name) is not None


def is_corpus_name(name: str) -> bool:
    """Whether a corpus may be called that."""
    return re.fullmatch(CORPUS_PATTERN, name) is not None


class ShardRef(Frozen):
    """One Parquet or Arrow file: where it is, what its bytes hash to and how many rows it has."""

    uri: str = Field(
        pattern=KEY_PATTERN,
        description="relative to the lake in a stage, to the manifest in a corpus",
    )
    sha256: str = Field(pattern=SHA256_PATTERN)
    rows: int = Field(ge=0)
    size_bytes: int = Field(ge=0)
    source: str | None = Field(None, description="where all rows are of one source")


class Column(Frozen):
    """One column of a Parquet or Arrow file, as Polars names its type."""

    name: str
    type: str


class Drops(Frozen):
    """Rows dropped for one reason by one stage from one source."""

    stage: str
    reason: str
    source: str
    rows: int = Field(ge=1)


class RawFile(Frozen):
    """One upstream file as it was downloaded."""

    name: str = Field(
        pattern=KEY_PATTERN, description="relative to the receipt's folder, with / between parts"
    )
    sha256: str = Field(pattern=SHA256_PATTERN)
    size_bytes: int = Field(ge=0)
    url: str | None = None
    etag: str | None = None
    last_modified: str | None = None
    rows: int | None = Field(None, ge=0, description="of one part of a file that was streamed")


class RawReceipt(Frozen):
    """What a download got: `<lake>/raw/<source>/<digest>/receipt.json`, written last."""

    format_version: int = FORMAT_VERSION
    source: str
    uri: str = Field(description="folder that holds the files")
    digest: str = Field(pattern=SHA256_PATTERN, description="of the files' names and digests")
    revision: str | None = Field(None, description="resolved commit, for a Hub dataset")
    upstream: str = Field(description="where it came from, for people")
    files: tuple[RawFile, ...] = Field(min_length=1)
    seal: str | None = Field(None, pattern=SHA256_PATTERN, description=SEAL)


class StageManifest(Frozen):
    """The receipt of one stage: `<lake>/stages/<stage>/<digest>/manifest.json`, written last.

    Where a stage makes verdicts, `shards[i]` speaks of `parents[i]`, row for row.
    """

    format_version: int = FORMAT_VERSION
    stage: str
    digest: str = Field(pattern=SHA256_PATTERN)
    uri: str = Field(description="folder of this stage, relative to the lake")
    source: str | None = Field(None, description="where the stage is of one source")
    parents: tuple[ShardRef, ...] = ()
    rows_in: int = Field(ge=0)
    rows_out: int = Field(ge=0)
    rows_repeated: int = Field(0, ge=0, description="of rows_out: second and further copies")
    drops: tuple[Drops, ...] = ()
    shards: tuple[ShardRef, ...] = ()
    ledger: tuple[ShardRef, ...] = Field((), description="normalize: rows that could not be read")
    evaluations: tuple[EvaluationCounts, ...] = Field(
        (), description="filter: the evaluation sets that rows were held against"
    )
    hits: tuple[ShardRef, ...] = Field((), description="filter: what was found of them, as HIT")
    notes: tuple[tuple[str, str], ...] = Field((), description="counters worth reporting")
    seal: str | None = Field(None, pattern=SHA256_PATTERN, description=SEAL)

    @model_validator(mode="after")
    def _balances(self) -> Self:
        check_balance(f"stage {self.stage}", self, self.drops)
        return self

    @property
    def files(self) -> tuple[ShardRef, ...]:
        """Every file of the stage."""
        return (*self.shards, *self.ledger, *self.hits)

    def note(self, name: str, default: str = "") -> str:
        """The value of one counter."""
        return dict(self.notes).get(name, default)


class StageRef(Frozen):
    """A stage that a corpus version was made by, named as its folder is in the lake."""

    stage: str
    digest: str = Field(pattern=SHA256_PATTERN)
    source: str | None = Field(None, description="where the stage is of one source")


class StageRows(Frozen):
    """Rows of one source before and after one stage; sampling may give more than it took."""

    stage: str
    rows_in: int = Field(ge=0)
    rows_out: int = Field(ge=0)


class SourceEntry(Frozen):
    """One source's part in a corpus version."""

    name: str
    upstream: str
    revision: str | None
    raw_digest: str = Field(pattern=SHA256_PATTERN)
    files: tuple[RawFile, ...]
    licence: str
    licences: tuple[tuple[str, int], ...] = Field(
        (), description="published rows by the licence they state; repeated ones each count"
    )
    citation: str
    homepage: str
    rows_in: int = Field(ge=0)
    rows_out: int = Field(ge=0)
    rows_repeated: int = Field(0, ge=0, description="of rows_out: second and further copies")
    unexpected_rows: str = Field(
        "", description="how many records it gave, where its source file expects others"
    )
    cleaned: tuple[tuple[str, int], ...] = Field(
        (), description="rows that cleaning at the door changed, by kind (schemas/cleaning.py)"
    )
    stages: tuple[StageRows, ...] = Field(
        (), description="in the order in which the ledger asks them; an older Winnow names none"
    )

    @property
    def rows_by_licence(self) -> tuple[tuple[str, int], ...]:
        """As `licences`; where an older Winnow counted none, all rows are under the source's."""
        return self.licences or (((self.licence, self.rows_out),) if self.rows_out else ())

    @model_validator(mode="after")
    def _licences_cover_every_row(self) -> Self:
        rows = sum(rows for _, rows in self.licences)
        if self.licences and rows != self.rows_out:
            raise ValueError(
                f"source {self.name}: {rows} rows state a licence, rows_out is {self.rows_out}"
            )
        return self

    @model_validator(mode="after")
    def _stages_hand_on(self) -> Self:
        rows = self.rows_in
        for stage in self.stages:
            if stage.rows_in != rows:
                raise ValueError(
                    f"source {self.name}: {stage.stage} takes {stage.rows_in} rows, the stage "
                    f"before it gives {rows}"
                )
            rows = stage.rows_out
        if self.stages and rows != self.rows_out:
            raise ValueError(
                f"source {self.name}: its last stage gives {rows} rows, rows_out is {self.rows_out}"
            )
        return self


class FailedSource(Frozen):
    """A source that could not be downloaded or read in this refresh, and what it said."""

    name: str
    error: str
    message: str


class SplitEntry(Frozen):
    """One split of a corpus version."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    rows: int = Field(ge=0)
    shards: tuple[ShardRef, ...]


class LengthStats(Frozen):
    """Distribution of one length over the published rows of one source, or of `all`."""

    source: str
    part: str = Field(pattern=r"^(prompt|response)$")
    unit: str = Field(pattern=r"^(chars|tokens)$")
    count: int = Field(ge=0)
    mean: float
    std: float
    min: int
    p25: float
    p50: float
    p75: float
    p90: float
    max: int


class Histogram(Frozen):
    """One length over all published rows: `rows[i]` have edges[i] <= length < edges[i + 1]."""

    part: str = Field(pattern=r"^(prompt|response)$")
    unit: str = Field(pattern=r"^(chars|tokens)$")
    edges: tuple[int, ...] = Field(min_length=2, description="ascending; one more than `rows`")
    rows: tuple[int, ...] = Field(min_length=1)


class Composition(Frozen):
    """Published rows by one key: a source, a language, a category, a licence, a turn count."""

    key: str
    value: str
    rows: int = Field(ge=0)


class RefusalRate(Frozen):
    """How many of one source's published rows, or of `all`, turn their user down."""

    source: str
    rows: int = Field(ge=0)
    refusals: int = Field(ge=0)


class Cluster(Frozen):
    """A kept row and how many rows fell to it."""

    record_id: str
    source: str
    rows: int = Field(ge=2, description="the kept row and those that fell to it")
    prompt: str = Field(description="its first characters")
    removed_from: tuple[str, ...] = Field(description="sources of the removed rows, sorted")


class Conflict(Frozen):
    """A prompt that rows answer differently, near duplicates apart."""

    record_id: str = Field(description="the smallest of its rows")
    prompt: str = Field(description="its first characters")
    answers: int = Field(ge=1, description="rows that answer it, published or not")
    published: int = Field(ge=0)
    sources: tuple[str, ...] = Field(description="of all these rows, sorted")


class Statistics(Frozen):
    """What was measured over the rows that are published."""

    lengths: tuple[LengthStats, ...] = ()
    histograms: tuple[Histogram, ...] = ()
    composition: tuple[Composition, ...] = ()
    clusters: tuple[Cluster, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    refusals: tuple[RefusalRate, ...] = ()
    contamination: tuple[EvaluationHits, ...] = ()
    tokenizer_digest: str | None = None


class GateResult(Frozen):
    """One gate of the recipe, held against this version."""

    gate: str
    passed: bool
    found: float
    bound: float
    detail: str = ""


class CorpusManifest(Frozen):
    """One corpus version: `<lake>/corpora/<name>/<version>/manifest.json`, written last.

    `digest` covers record ids, splits and the recipe's corpus part: not clocks, hosts or row order.
    """

    format_version: int = FORMAT_VERSION
    name: str = Field(pattern=CORPUS_PATTERN)
    version: str = Field(pattern=VERSION_PATTERN)
    digest: str = Field(pattern=SHA256_PATTERN)
    status: str = Field(pattern=r"^(published|rejected)$")
    parent: str | None = Field(None, description="the latest version when this one was made")
    created_at: str = Field(description="ISO 8601, UTC; outside the digest")
    host: str = Field(description="outside the digest")
    recipe: dict[str, JsonValue] = Field(
        description="in full, as it was then: a later Winnow may know other keys"
    )
    sources: tuple[SourceEntry, ...]
    failed_sources: tuple[FailedSource, ...] = ()
    rows_in: int = Field(ge=0)
    rows_out: int = Field(ge=0)
    rows_repeated: int = Field(0, ge=0, description="of rows_out: second and further copies")
    drops: tuple[Drops, ...]
    splits: tuple[SplitEntry, ...]
    ledger: tuple[ShardRef, ...]
    data_columns: tuple[Column, ...] = Field((), description="of every shard of the splits")
    ledger_columns: tuple[Column, ...] = Field((), description="of every file of the ledger")
    pages: tuple[RawFile, ...] = Field((), description="README.md, croissant.json, report.html")
    statistics: Statistics
    gates: tuple[GateResult, ...]
    recipe_digest: str = Field(pattern=SHA256_PATTERN, description="of its corpus part")
    records_digest: str = Field(
        pattern=SHA256_PATTERN, description="of all record ids with their splits, sorted"
    )
    inputs_digest: str = Field(
        pattern=SHA256_PATTERN, description="of the stages and the recipe: equal means unchanged"
    )
    notes: tuple[tuple[str, str], ...] = ()
    stages: tuple[StageRef, ...] = Field(
        (), description="in order; the lake keeps their verdicts until its stages are removed"
    )
    code_digest: str = Field(pattern=SHA256_PATTERN)
    git_commit: str | None = None
    libraries: tuple[tuple[str, str], ...] = ()
    seal: str | None = Field(None, pattern=SHA256_PATTERN, description=SEAL)

    @model_validator(mode="after")
    def _balances(self) -> Self:
        check_balance(f"corpus {self.name}", self, self.drops)
        for source in self.sources:
            drops = tuple(drop for drop in self.drops if drop.source == source.name)
            check_balance(f"source {source.name}", source, drops)
        repeated = sum(source.rows_repeated for source in self.sources)
        if repeated != self.rows_repeated:
            raise ValueError(
                f"sources repeat {repeated} rows, rows_repeated is {self.rows_repeated}"
            )
        split_rows = sum(split.rows for split in self.splits)
        if split_rows != self.rows_out:
            raise ValueError(f"splits hold {split_rows} rows, rows_out is {self.rows_out}")
        return self

    @property
    def shards(self) -> tuple[ShardRef, ...]:
        """The data: every shard of every split, in their order."""
        return tuple(shard for split in self.splits for shard in split.shards)

    def equals(self, other: Self) -> bool:
        """Whether both are the same records and splits, and met the same fate at their gates."""
        return (self.digest, self.status) == (other.digest, other.status)

    def dropped(self) -> dict[str, dict[str, int]]:
        """Rows dropped by stage and reason."""
        table: dict[str, dict[str, int]] = {}
        for drop in self.drops:
            reasons = table.setdefault(drop.stage, {})
            reasons[drop.reason] = reasons.get(drop.reason, 0) + drop.rows
        return table


def check_balance(
    what: str, counts: StageManifest | SourceEntry | CorpusManifest, drops: tuple[Drops, ...]
) -> None:
    """Raise ValueError unless every row that came in went out or was dropped with a reason.

    Rows in and rows repeated are together the rows out and the rows dropped.
    """
    dropped = sum(drop.rows for drop in drops)
    if counts.rows_in + counts.rows_repeated != counts.rows_out + dropped:
        repeated = f"{counts.rows_repeated} repeated, " if counts.rows_repeated else ""
        raise ValueError(
            f"{what} lost rows: {counts.rows_in} in, {repeated}{counts.rows_out} out, "
            f"{dropped} dropped"
        )
