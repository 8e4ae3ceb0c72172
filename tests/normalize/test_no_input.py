"""An input that only says there is none: which spellings count, and which texts do not."""

import json
from pathlib import Path

import polars as pl
import pytest

from tasks.normalize.alpaca import no_input, no_input_marked_up
from tests.normalize.lakes import normalized, source

CORPORA = Path(__file__).resolve().parents[3] / "shared" / "corpora"

# fmt: off
CASES = {  #                     input                     no input   in other marks
    "bare":                     ("noinput",                True,      False),
    "upper case":               ("<NO INPUT>",             True,      False),
    "a sentence":               ("No input required.",     True,      False),
    "quoted":                   ('"<noinput>"',            True,      False),
    "half open":                ("<noinput",               True,      False),
    "Chinese":                  ("&lt;无输入&gt;",           True,      False),
    "backticks":                ("`<noinput>`",            False,     True),
    "a backslash":              (r"\<noinput>",            False,     True),
    "two backslashes":          (r"\<noinput\>",           False,     True),
    "LaTeX":                    (r"{\noinput}",            False,     True),
    "a comma":                  ("<noinput>,",             False,     True),
    "a question mark":          ("<noinput?",              False,     True),
    "a colon before":           (":\n<noinput>",           False,     True),
    "a gap in a sentence":      ("The boy <noinput> the ball", False, False),
    "a value":                  ("[3, 4, <noinput>]",      False,     False),
    "more beside it":           ("<noinput>\n11",          False,     False),
    "not applicable":           ("N/A",                    False,     False),
    "none":                     ("<none>",                 False,     False),
    "a backslash alone":        ("\\",                     False,     False),
    "nothing":                  ("",                       False,     False),
}
# fmt: on


@pytest.mark.parametrize(("text", "blank", "marked_up"), CASES.values(), ids=CASES)
def test_what_only_says_there_is_no_input_is_left_out(
    text: str, blank: bool, marked_up: bool, tmp_path: Path
) -> None:
    raw = json.dumps([{"instruction": "Go.", "input": text, "output": "Gone."}]).encode()

    done = normalized(tmp_path, raw, source("alpaca"))

    assert (done.conversations[0][0][1] == "Go.") == (blank or marked_up or not text)
    assert done.manifest.note("no_input_spellings", "0") == str(int(blank))
    assert done.manifest.note("no_input_marked_up", "0") == str(int(marked_up))


@pytest.mark.skipif(not CORPORA.is_dir(), reason="../shared/corpora, the real files, is not here")
def test_alpaca_has_621_rows_in_27_spellings_and_16_more_in_other_marks() -> None:
    text = pl.read_json(CORPORA / "alpaca" / "alpaca_data.json").select("input")
    plain = text.filter(no_input(pl.col("input")))["input"]
    marked_up = text.filter(no_input_marked_up(pl.col("input")))["input"]

    assert (plain.len(), plain.n_unique()) == (621, 27)
    assert (marked_up.len(), marked_up.n_unique()) == (16, 7)
