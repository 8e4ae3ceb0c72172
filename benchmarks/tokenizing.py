"""Tokenizing beside the `tokenizers` library alone, on the same cores.

    python -m benchmarks.tokenizing [--rows 50000] [--runs 5]

Ours is the whole of `trainer.tokenize`: the tokenizer is set up, which few rows do not repay,
shards are read, conversations rendered, labels placed and audited, and an Arrow file is written.
Beside it the library's batch call has the same conversations as finished texts and only makes ids
of them. Both in one process, in turn, after a first round that is not counted. With Alpaca's rows
where they are in `../shared/corpora`, else with words of the sample corpora in conversations as
long.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.measuring import table
from benchmarks.train import PACKAGE, conversations_file, messages_of
from tests.real import COPIES, ROOT, missing

GOAL = 0.8
"""Of the library's own tokens per second."""
GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"
MAX_TOKENS = 2_048
BATCH = 1_000
"""Texts to a call of the library."""


def main(rows: int, runs: int) -> int:
    """Print a table of medians; 0 where the goal is met."""
    with tempfile.TemporaryDirectory(prefix="winnow-tokenizing-") as place:
        ours, raw = _contenders(Path(place), rows)
        for contender in (ours, raw):
            contender()
        pairs = [(ours(), raw()) for _ in range(runs)]
    share = statistics.median(own / other for own, other in pairs)
    named = {"winnow": [own for own, _ in pairs], "tokenizers alone": [other for _, other in pairs]}
    sys.stdout.write(
        f"{rows:,} conversations, {runs} runs, medians, "
        f"{len(os.sched_getaffinity(0))} CPU cores\n\n"
    )
    table(
        ("with", "tokens/s"),
        [(name, f"{statistics.median(speeds):,.0f}") for name, speeds in named.items()],
    )
    verdict = "met" if share >= GOAL else "missed"
    sys.stdout.write(f"\nours is {share:.0%} of it; the goal of {GOAL:.0%} is {verdict}\n")
    return 0 if share >= GOAL else 1


def _contenders(place: Path, wanted: int) -> tuple[Callable[[], float], Callable[[], float]]:
    """Both, each as what measures its tokens per second once."""
    from tests.trainer.building import build_corpus, recipe_of
    from trainer.corpus import Corpus
    from trainer.labels import TextEncoder
    from trainer.model import load_tokenizer
    from trainer.quiet import hush
    from trainer.templates import choose_template
    from trainer.tokenize import tokenize
    from trainer.weights import find_base

    hush()
    base = find_base(_base_model())
    template = choose_template(load_tokenizer(base), None, base.name)
    recipe = recipe_of(place, max_tokens=MAX_TOKENS)
    train: Any = recipe.train
    rows = _conversations(place, wanted)
    corpus = Corpus(build_corpus(place / "lake", recipe, rows, rows[:1]))
    texts = [template.prompt(row[:1]) + row[1]["content"] + template.stop for row in rows]
    encoder = TextEncoder(template.tokenizer)

    def ours() -> float:
        with tempfile.TemporaryDirectory(dir=place) as folder:
            began = time.perf_counter()
            made = tokenize(corpus, train, template, Path(folder), lambda *_: None)
            elapsed_s = time.perf_counter() - began
            return sum(audit.tokens for audit in made.audit) / elapsed_s

    def raw() -> float:
        began = time.perf_counter()
        ids = [
            encoder.opening(texts[first : first + BATCH]) for first in range(0, len(texts), BATCH)
        ]
        elapsed_s = time.perf_counter() - began
        return sum(len(one) for batch in ids for one in batch) / elapsed_s

    return ours, raw


def _base_model() -> Any:
    from schemas.train import BaseModel

    return BaseModel(name="SmolLM2", package=PACKAGE, gguf_file=GGUF)


def _conversations(place: Path, wanted: int) -> list[list[dict[str, str]]]:
    if missing():
        lines = conversations_file(place / "rows.jsonl", 0, wanted).read_text("utf-8").splitlines()
        return [messages_of(row["prompt"], row["answer"]) for row in map(json.loads, lines)]
    (file,) = (ROOT / COPIES["alpaca"]).glob("*.json")
    rows = [row for row in json.loads(file.read_text("utf-8")) if row["output"].strip()]
    return [
        messages_of(f"{row['instruction']}\n\n{row['input']}".strip(), row["output"])
        for row in rows[:wanted]
    ]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    sys.exit(main(options.rows, options.runs))
