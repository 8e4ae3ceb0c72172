"""Self-written rows, each labelled: does the response claim a model's identity, does it refuse.

`identity` and `both` are claims, `refusal` and `both` are refusals, `clean` is neither. A refusal
leaves the user without an answer (rules, no access, nothing given, "As an AI, I have no ..."); a
disclaimer that an answer follows is clean. Round 0 was written before the rules and split by a hash
of its text; each later round was written after the rules, in other words, and judged once before
the rules were changed by it. All rounds have been looked at since: what the tests assert is that
nothing is lost again.
"""

import hashlib
from pathlib import Path

import polars as pl

FILE = Path(__file__).with_name("assistant_cases.tsv")
HELD_OUT_BYTE = 102  # of 256: about 40 %


def assistant_cases() -> pl.DataFrame:
    """One row per case: round, part, language, kind, prompt, response, identity, refusal."""
    cases = pl.read_csv(FILE, separator="\t", quote_char=None)
    texts = zip(cases["prompt"], cases["response"], strict=True)
    return cases.with_columns(
        pl.col("prompt", "response").str.replace_all("\\n", "\n", literal=True),
        part=pl.Series([_part(prompt, response) for prompt, response in texts]),
        identity=pl.col("label").is_in(["identity", "both"]),
        refusal=pl.col("label").is_in(["refusal", "both"]),
    )


def shares(truth: pl.Series, found: pl.Series) -> tuple[float, float]:
    """Precision and recall."""
    right = (truth & found).sum()
    return right / found.sum(), right / truth.sum()


def _part(prompt: str, response: str) -> str:
    first = hashlib.sha256(f"{prompt}\n{response}".encode()).digest()[0]
    return "held out" if first < HELD_OUT_BYTE else "tuning"
