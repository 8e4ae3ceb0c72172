"""Self-written rows, each labelled: does the response claim a model's identity, does it refuse.

`identity` and `both` are claims, `refusal` and `both` are refusals, `clean` is neither. A refusal
leaves the user without an answer (rules, no access, nothing given, "As an AI, I have no ..."); a
disclaimer that an answer follows is clean.

Every round has been used to mend the rules since it was written; what the tests assert is that
nothing is lost again, and says nothing of texts not seen. Round 0 was written before the rules and
split by a hash of its text; rounds 1 to 9 are small ones. Round 10 was written by somebody who had
not read the rules, rounds 11 to 13 by the author of the present ones; each was judged once before
any rule was changed by it. Precision and recall then (2026-11-20), the honest figures for wording
not seen, where the author could not be surprised by himself as a stranger will surprise him:

    round  written                          cases   identity    refusal     the old rules, then
    10     varied on purpose                349     -           -           0.94 0.60   0.93 0.36
    11     varied still more                245     1.00 0.49   0.84 0.43   1.00 0.43   0.75 0.07
    12     as in instruction corpora        163     1.00 0.93   0.93 0.97   1.00 0.68   0.97 0.63
    13     as in chats, the rules settled    93     0.95 0.75   0.94 0.86   0.94 0.67   0.96 0.58

One label of round 10 was corrected after its measurement (a claim that also refuses), and one case
of round 12 taken out (it was in round 0 already).
"""

import hashlib
from pathlib import Path

import polars as pl

FILE = Path(__file__).with_name("assistant_cases.tsv")
HELD_OUT_BYTE = 102  # of 256: about 40 %
UNSEEN_ROUNDS = (10, 11, 12, 13)


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
