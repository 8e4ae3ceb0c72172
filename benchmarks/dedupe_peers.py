"""Peers of near dedupe, each as its own documentation runs it: texts in, the rows kept out.

    python benchmarks/dedupe_peers.py NAME TEXTS.parquet KEPT.parquet WORKERS

TEXTS has a column `text`; KEPT gets a column `kept`, one row per text, in their order. The last
line printed says how many were removed. Runs in an interpreter that has the peer, and needs Polars
beside it; nothing of Winnow is imported.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import polars as pl

THRESHOLD, NGRAM, BANDS, BAND_ROWS = 0.8, 5, 20, 6
BATCH_ROWS = 10_000
INSTALL = {
    "rensa": "pip install rensa polars",
    "datatrove": "pip install datatrove orjson spacy tokenizers 'xxhash<4' polars",
    "text-dedup": "pip install text-dedup polars",
}
MODULES = {
    "rensa": "rensa",
    "datatrove": "datatrove, orjson, spacy, tokenizers",
    "text-dedup": "text_dedup",
}


def rensa(texts: pl.Series, _folder: Path, _workers: int) -> list[bool]:
    """Character 5-grams; a row stays unless it shares a band with one before it."""
    from rensa import RMinHashDeduplicator

    deduplicator = RMinHashDeduplicator(THRESHOLD, BANDS * BAND_ROWS, True, BANDS)
    lower = texts.str.to_lowercase()
    flags: list[bool] = []
    for batch in range(0, len(lower), BATCH_ROWS):
        entries = [
            (
                str(batch + row),
                [text[at : at + NGRAM] for at in range(max(1, len(text) - NGRAM + 1))],
            )
            for row, text in enumerate(lower[batch : batch + BATCH_ROWS])
        ]
        flags += deduplicator.add_pairs(entries)
    return flags


def datatrove(texts: pl.Series, folder: Path, workers: int) -> list[bool]:
    """Word 5-grams, 14 buckets of 8 hashes: its defaults."""
    from datatrove.executor.local import LocalPipelineExecutor
    from datatrove.pipeline.dedup import (
        MinhashDedupBuckets,
        MinhashDedupCluster,
        MinhashDedupFilter,
        MinhashDedupSignature,
    )
    from datatrove.pipeline.dedup.minhash import MinhashConfig
    from datatrove.pipeline.readers import JsonlReader
    from datatrove.pipeline.writers.jsonl import JsonlWriter

    config = MinhashConfig()
    given = folder / "texts"
    given.mkdir()
    frame = pl.DataFrame(
        {"id": pl.int_range(len(texts), eager=True).cast(pl.String), "text": texts}
    )
    step = -(-frame.height // workers)
    for part, rows in enumerate(frame.iter_slices(max(1, step))):
        rows.write_ndjson(given / f"{part}.jsonl")
    signatures, buckets, removed, kept = (
        str(folder / name) for name in ("signatures", "buckets", "removed", "kept")
    )

    def run(steps: list[Any], tasks: int) -> None:
        logs = tempfile.mkdtemp(dir=folder)
        LocalPipelineExecutor(
            pipeline=steps, tasks=tasks, workers=workers, logging_dir=logs, start_method="fork"
        ).run()

    reader = JsonlReader(str(given))
    run([reader, MinhashDedupSignature(signatures, config=config)], workers)
    run([MinhashDedupBuckets(signatures, buckets, config=config)], config.num_buckets)
    run([MinhashDedupCluster(buckets, removed, config=config)], 1)
    writer = JsonlWriter(kept, compression=None)
    run([reader, MinhashDedupFilter(removed), writer], workers)
    stays = set()
    for file in Path(kept).rglob("*.jsonl"):
        stays |= set(pl.read_ndjson(file)["id"].cast(pl.Int64))
    return [row in stays for row in range(len(texts))]


def text_dedup(texts: pl.Series, folder: Path, workers: int) -> list[bool]:
    """Its command, with the threshold asked for."""
    frame = pl.DataFrame({"row": pl.int_range(len(texts), eager=True), "text": texts})
    frame.write_ndjson(folder / "texts.jsonl")
    # fmt: off
    command = [
        sys.executable, "-m", "text_dedup.minhash", "--path", "json", "--split", "train",
        "--data_files", str(folder / "texts.jsonl"), "--cache_dir", str(folder / "cache"),
        "--column", "text", "--idx_column", "row", "--output", str(folder / "kept"),
        "--threshold", str(THRESHOLD), "--batch_size", str(BATCH_ROWS), "--num_proc", str(workers),
    ]
    # fmt: on
    subprocess.run(command, check=True, stdout=sys.stderr)
    from datasets import load_from_disk

    stays = set(load_from_disk(str(folder / "kept"))["row"])
    return [row in stays for row in range(len(texts))]


PEERS = {"rensa": rensa, "datatrove": datatrove, "text-dedup": text_dedup}


def main() -> None:
    """Read the command line."""
    name, texts, kept, workers = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        flags = PEERS[name](pl.read_parquet(texts)["text"], Path(folder), int(workers))
    pl.DataFrame({"kept": flags}).write_parquet(kept)
    sys.stdout.write(json.dumps({"removed": len(flags) - sum(flags)}) + "\n")


if __name__ == "__main__":
    main()
