"""Near duplicates of a whole corpus: gather signed shards, elect once, say who fell to whom."""

import contextlib
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from schemas.dedupe import ConflictPolicy, NearDedupe
from schemas.reasons import DropReason
from schemas.record import VERDICT
from schemas.source import Source
from tasks.dedupe import cluster, conflict, elect, exact, minhash
from tasks.dedupe.exact import NONE
from tasks.dedupe.minhash import SIDES, Banding
from tasks.dedupe.signatures import Folded, Signatures
from tasks.dedupe.verify import PairRules, Rows, Texts
from tasks.fold import Bytes
from tasks.kernel import announce_compilation, default_threads, thread_pool

NEAR_VERDICT = {**VERDICT, "cluster": pl.String(), "conflict": pl.String()}


class SignedShard(NamedTuple):
    """Those rows of one shard that take part."""

    names: pl.DataFrame
    """record_id, source_row."""
    texts: tuple[Bytes, Bytes]
    """All prompts, all responses."""
    begin: npt.NDArray[np.int64]
    """2 x rows: where each text begins in them."""
    end: npt.NDArray[np.int64]
    signatures: Signatures
    source: Source


@dataclass(frozen=True)
class NearResult:
    """NEAR_VERDICT, one row per row given, in their order; and counters worth reporting."""

    verdicts: pl.DataFrame
    notes: tuple[tuple[str, str], ...]


def signed_shard(
    names: pl.DataFrame, folded: Folded, signatures: Signatures, source: Source
) -> SignedShard:
    """The rows of a shard that take part; `names`: their record_id and source_row."""
    prompts, responses = folded.sides
    return SignedShard(
        names=names,
        texts=(prompts.data, responses.data),
        begin=np.stack([side.offsets[:-1] for side in folded.sides]),
        end=np.stack([side.offsets[1:] for side in folded.sides]),
        signatures=signatures,
        source=source,
    )


def near_verdicts(
    shards: Iterable[SignedShard],
    total: int,
    rules: NearDedupe,
    scratch: Path,
    thread_count: int | None = None,
    policy: ConflictPolicy = ConflictPolicy.KEEP_ALL,
) -> NearResult:
    """Judge `total` rows of signed shards.

    A row falls to a row that stays, before it in order of priority, source, record_id and
    source_row, where prompt and response both reach the threshold, the tools are the same and so
    are the numbers and the answers (unless the recipe lets them differ). If it does not, it falls
    to the row that stays of its prompt, where the policy lets a prompt have one answer. Under
    keep_longest, rows of one prompt are asked in order of their lengths.

    Every row that stays has a cluster: the smallest record_id among the rows whose prompts are
    alike. Every row that does not fall to a near duplicate and whose prompt has another answer
    still has a `conflict`: the smallest record_id among them.

    The result depends neither on the order of shards and rows nor on threads. `scratch` is a
    folder for the folded text, which is mapped into memory rather than held.
    """
    count = thread_count or default_threads()
    with _gathered(shards, total, Banding.of(rules.bands, rules.rows), scratch) as corpus:
        order = corpus.election_order()
        prompts = conflict.gather_prompts(corpus.rows, order, corpus.prompt_digests, policy)
        if policy is ConflictPolicy.KEEP_LONGEST:
            order = conflict.longest_first(order, prompts, corpus.response_chars)
        with thread_pool(count) as threads:
            election = _elect(corpus, order, prompts, rules, threads, count)
            survivor = election.survivor
            conflict.fill_similarity(
                corpus.rows, prompts, survivor, rules.ngram, election.similarity
            )
            in_conflict = conflict.contested(corpus.rows, order, prompts, survivor)
            kept = order[survivor[order] == NONE]
            clusters = cluster.cluster_rows(
                corpus.rows,
                kept,
                corpus.prompt_digests,
                corpus.pair_rules(rules) if rules.enabled else None,
                threads,
                count,
            )
    verdicts = exact.duplicate_verdicts(
        corpus.record_ids, survivor, DropReason.NEAR_DUPLICATE, *election.similarity
    )
    named = corpus.names.select("record_id").with_columns(
        pl.Series("source", corpus.rows.source), pl.Series("response_chars", corpus.response_chars)
    )
    verdicts = conflict.conflict_verdicts(
        verdicts, named, corpus.sources, prompts.fell, survivor, policy
    ).with_columns(
        _cluster_names(corpus.record_ids, kept, clusters),
        conflict.conflict_names(corpus.record_ids, prompts, in_conflict),
    )
    counted = _counted(election, clusters) | conflict.conflict_notes(prompts, in_conflict)
    return NearResult(verdicts, tuple((name, str(value)) for name, value in counted.items()))


def announce() -> None:
    """Log that kernels will be compiled, where this machine has not done so yet."""
    announce_compilation(elect.walk_rows, cluster.link_texts)


class _Corpus(NamedTuple):
    """All rows that take part, in the order in which they were given."""

    rows: Rows
    prompt_digests: npt.NDArray[np.uint64]
    response_chars: npt.NDArray[np.uint32]
    names: pl.DataFrame
    sources: tuple[Source, ...]

    @property
    def record_ids(self) -> pl.Series:
        return self.names["record_id"]

    def election_order(self) -> npt.NDArray[np.int64]:
        """Row indices, the first to be kept first."""
        ranks = exact.source_ranks(self.sources)
        rank_of = np.array([ranks[source.name] for source in self.sources], np.uint32)
        ranked = self.names.with_columns(pl.Series("source_rank", rank_of[self.rows.source]))
        return exact.election_order(ranked)

    def pair_rules(self, rules: NearDedupe) -> PairRules:
        """The recipe's bounds, per source."""
        overrides = {override.source: override for override in rules.overrides}

        def of_sources(key: str) -> list[Any]:
            own = [getattr(overrides.get(source.name), key, None) for source in self.sources]
            return [getattr(rules, key) if value is None else value for value in own]

        return PairRules(
            rules.ngram,
            rules.candidates,
            np.array(of_sources("threshold"), np.float64),
            np.array(of_sources("compare_numbers"), np.bool_),
            np.array(of_sources("compare_answers"), np.bool_),
        )


def _elect(
    corpus: _Corpus,
    order: npt.NDArray[np.int64],
    prompts: conflict.Prompts,
    rules: NearDedupe,
    threads: ThreadPoolExecutor,
    count: int,
) -> elect.Election:
    pair_rules = corpus.pair_rules(rules)
    must_agree = corpus.rows.kind.copy()
    if pair_rules.compare_numbers.all():
        # Rows of a template that differ in their numbers never meet, so none fills a bucket.
        must_agree += corpus.rows.numbers * minhash.ROLLING_BASE
    if pair_rules.compare_answers.all():
        must_agree += corpus.rows.answers * minhash.SHORT_TEXT
    banding = Banding.of(rules.bands if rules.enabled else 0, rules.rows)
    return elect.elect(
        corpus.rows, order, prompts, must_agree, banding, pair_rules, rules.bucket, threads, count
    )


@contextlib.contextmanager
def _gathered(
    shards: Iterable[SignedShard], total: int, banding: Banding, scratch: Path
) -> Iterator[_Corpus]:
    """Put signed shards together, their text into a file that is mapped while this is open."""
    path = scratch / "folded.bin"
    begin, end = np.empty((2, SIDES, total), np.int64)
    sketches = np.empty((SIDES, total, banding.bins), np.uint8)
    filled = np.empty((SIDES, total), np.uint8)
    kind, numbers, answers, prompt_digests = np.empty((4, total), np.uint64)
    response_chars = np.empty(total, np.uint32)
    source_index = np.empty(total, np.uint32)
    names, sources = [], []
    at = written = 0
    with path.open("wb") as file:
        for shard in shards:
            if shard.source not in sources:
                sources.append(shard.source)
            rows = slice(at, at + shard.names.height)
            for side, texts in enumerate(shard.texts):
                begin[side, rows] = written + shard.begin[side]
                end[side, rows] = written + shard.end[side]
                file.write(texts.data)
                written += len(texts)
            sketches[:, rows] = shard.signatures.sketches
            filled[:, rows] = shard.signatures.filled
            kind[rows] = shard.signatures.kind
            numbers[rows] = shard.signatures.numbers
            answers[rows] = shard.signatures.answers
            prompt_digests[rows] = shard.signatures.prompt_digests
            response_chars[rows] = shard.signatures.response_chars
            source_index[rows] = sources.index(shard.source)
            names.append(shard.names)
            at = rows.stop
    data = _mapped(path, written)
    rows_read = Rows(
        Texts(data, begin, end), sketches, filled, kind, numbers, answers, source_index
    )
    empty = pl.DataFrame(schema={"record_id": pl.String, "source_row": pl.UInt32})
    try:
        named = pl.concat([empty, *names])
        yield _Corpus(rows_read, prompt_digests, response_chars, named, tuple(sources))
    finally:
        path.unlink()


def _mapped(path: Path, size_bytes: int) -> Bytes:
    """A file's bytes; mode "c" because kernels are compiled once, for writable arrays."""
    if size_bytes == 0:
        return np.zeros(1, np.uint8)
    return np.asarray(np.memmap(path, np.uint8, mode="c"))


def _cluster_names(
    record_ids: pl.Series, kept: npt.NDArray[np.int64], clusters: npt.NDArray[np.int64]
) -> pl.Series:
    """The smallest record_id of each row's cluster; null for rows that are not kept."""
    shared = np.bincount(clusters)[clusters] > 1
    smallest = (
        pl.DataFrame({"row": kept[shared], "cluster": clusters[shared]})
        .with_columns(record_ids.gather(pl.Series(kept[shared], dtype=pl.UInt64)).alias("id"))
        .select(pl.col("row").sort_by("id").first().over("cluster"))
        .to_series()
    )
    named_by = np.full(len(record_ids), NONE, np.int64)
    named_by[kept] = kept
    named_by[kept[shared]] = smallest
    row = pl.Series(named_by)
    names = record_ids.gather(pl.select(pl.when(row != NONE).then(row)).to_series())
    return names.alias("cluster")


def _counted(election: elect.Election, clusters: npt.NDArray[np.int64]) -> dict[str, int]:
    sizes = np.unique(clusters, return_counts=True)[1]
    return {
        "candidates": election.candidates,
        "verified": election.verified,
        "capped_buckets": election.capped_buckets,
        "clusters": len(sizes),
        "largest_cluster": int(sizes.max(initial=0)),
    }
