"""How much of one text is in another: exact match, ROUGE-L and chrF, for any script.

Our own because the packages fall short of it: `rouge-score` throws away all but ASCII letters, so
that two texts in Chinese score 0, and brings nltk; `sacrebleu`'s chrF is these twenty lines, and
brings lxml. Both give the same numbers where they give any.
"""

import collections
import unicodedata

import polars as pl

CHRF_ORDER = 6
CHRF_BETA = 2

_ALONE = (
    "\u0e00-\u0eff"  # Thai, Lao
    "\u1000-\u109f\u1780-\u17ff"  # Burmese, Khmer
    "\u3040-\u30ff\u31f0-\u31ff"  # kana
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # Han
)
_WORD = r"\p{L}\p{M}\p{N}"  # many vowels of Indic scripts are marks
_UNITS = rf"[[{_ALONE}]&&[{_WORD}]]|[[\p{{L}}\p{{N}}]--[{_ALONE}]][[{_WORD}]--[{_ALONE}]]*"


def folded(text: str) -> str:
    """The form in which texts match but for case, white space and Unicode form."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def rouge_l(reference: str, answer: str) -> float:
    """F1 of the longest common subsequence (ROUGE-L, Lin 2004), from 0 to 1.

    Its units are words (letters and digits with their marks), and single characters in scripts that
    put no space between words; case and punctuation do not count. Where neither text has a unit,
    1 if they are the same, else 0.
    """
    wanted, given = _units(reference), _units(answer)
    if not wanted and not given:
        return float(folded(reference) == folded(answer))
    if not wanted or not given:
        return 0.0
    return 2 * common_subsequence(wanted, given) / (len(wanted) + len(given))


def common_subsequence(first: list[str], second: list[str]) -> int:
    """Length of the longest common subsequence, bit-parallel (Hyyrö 2004).

    A row of the usual table is one integer, in which a 0 says that the length grows there.
    """
    places: dict[str, int] = collections.defaultdict(int)
    for place, unit in enumerate(first):
        places[unit] |= 1 << place
    whole = (1 << len(first)) - 1
    row = whole
    for unit in second:
        matched = row & places.get(unit, 0)
        row = ((row + matched) | (row - matched)) & whole
    return len(first) - row.bit_count()


def chrf(reference: str, answer: str) -> float:
    """chrF2 of one answer (Popović 2015), from 0 to 1; white space does not count.

    Precision and recall of character n-grams are averaged over the orders 1 to 6 that both texts
    have; recall counts twice. Two empty texts score 1.
    """
    wanted, given = "".join(reference.split()), "".join(answer.split())
    orders = range(1, min(CHRF_ORDER, len(wanted), len(given)) + 1)
    if not orders:
        return float(wanted == given)
    precision = recall = 0.0
    for order in orders:
        expected, found = _ngrams(wanted, order), _ngrams(given, order)
        both = (expected & found).total()
        precision += both / found.total() / len(orders)
        recall += both / expected.total() / len(orders)
    if precision + recall == 0:
        return 0.0
    weight = CHRF_BETA**2
    return (1 + weight) * precision * recall / (weight * precision + recall)


def _units(text: str) -> list[str]:
    found: list[str] = pl.Series([folded(text)]).str.extract_all(_UNITS).item(0).to_list()
    return found


def _ngrams(text: str, order: int) -> "collections.Counter[str]":
    return collections.Counter(text[at : at + order] for at in range(len(text) - order + 1))
