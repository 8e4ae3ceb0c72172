"""Chain of thought (FLAN): question, rationale and answer, rendered through our own templates."""

import functools

import polars as pl
import polars_hash as plh

from schemas.cleaning import Cleaning
from tasks.normalize.cot_templates import CHINESE, ENGLISH, GENERAL, TEMPLATES
from tasks.normalize.turns import Parsed, turns_of

LITERAL_NEWLINE = r"\n"
ASKED_ALREADY = (
    r"(?i)step[- ]by[- ]step|chain[- ]of[- ]thought|show your (?:work|reasoning)|一步一步|逐步"
)
_TEXTS = ("question", "answer", "explanation")
_STOPS = r"[.!?…。！？]$"
_HAN = r"\p{Han}"
_OTHER_WORDS = r"[\p{Hiragana}\p{Katakana}]|[\p{L}--[\p{Han}\p{Hiragana}\p{Katakana}]]+"


def cot_turns(rows: pl.DataFrame, answer_only: bool = False) -> Parsed:
    r"""The question, then the rationale and the answer; with `answer_only`, the answer alone.

    One row per row of the batch: `row`, `question`, `answer`, `explanation`, `category`. A `\n`
    written out becomes a newline. The category names the sub-dataset whose templates are used, the
    question's script their language; which of them a row is given depends on its text alone. A
    question is asked plainly where no rationale follows, or where it asks for one itself.
    """
    text = rows.select("row", "category", *(_newlines(name) for name in _TEXTS))
    chosen = _table().select(pl.all().gather(text.select(_place()).to_series()))
    reasoned = pl.lit(False) if answer_only else pl.col("explanation") != ""
    plainly = ~reasoned | pl.col("question").str.contains(ASKED_ALREADY)
    question, answer = pl.col("question"), pl.col("answer")
    stop = pl.when(~answer.str.contains(_STOPS)).then("stop").otherwise(pl.lit(""))
    closing = pl.concat_str("closing_before", answer, stop)
    told = text.hstack(chosen).with_columns(
        asked=pl.when(plainly)
        .then(question)
        .otherwise(pl.concat_str("asked_before", question, "asked_after")),
        answered=pl.when(reasoned)
        .then(pl.concat_str("explanation", pl.lit("\n\n"), closing))
        .otherwise(answer),
    )
    turns = turns_of(
        told,
        [
            ("user", pl.col("asked")),
            ("assistant", pl.when(answer != "").then("answered")),
        ],
    )
    return Parsed(turns, counts={Cleaning.LITERAL_NEWLINES.value: _with_literal_newlines(rows)})


def sub_dataset(category: pl.Expr) -> pl.Expr:
    """The sub-dataset a category names, as `aqua_train` names aqua; else the general one."""
    names = "|".join(name for name in TEMPLATES if name != GENERAL)
    found = category.str.to_lowercase().str.extract(rf"(?:^|[^a-z])({names})(?:[^a-z]|$)")
    return found.fill_null(GENERAL)


def language(text: pl.Expr) -> pl.Expr:
    """Chinese where Han characters outnumber the words of other scripts, else English."""
    han = text.str.count_matches(_HAN)
    others = text.str.count_matches(_OTHER_WORDS)
    return pl.when(han > others).then(pl.lit(CHINESE)).otherwise(pl.lit(ENGLISH))


def _place() -> pl.Expr:
    """Where in `_table` the template of a row stands."""
    first, size = _sets()
    which = pl.concat_str(sub_dataset(pl.col("category")), language(pl.col("question")))
    return which.replace_strict(
        first, return_dtype=pl.UInt64
    ) + _stable_hash() % which.replace_strict(size, return_dtype=pl.UInt64)


@functools.cache
def _sets() -> tuple[dict[str, int], dict[str, int]]:
    """By sub-dataset and language, joined: where its templates begin in `_table`, and how many."""
    first, size, place = {}, {}, 0
    for name, languages in TEMPLATES.items():
        for spoken, templates in languages.items():
            first[name + spoken], size[name + spoken] = place, len(templates)
            place += len(templates)
    return first, size


@functools.cache
def _table() -> pl.DataFrame:
    """One row per template: the texts before and after question and answer."""
    templates = [
        template
        for languages in TEMPLATES.values()
        for templates in languages.values()
        for template in templates
    ]
    asked = [template.asked.split("{question}") for template in templates]
    closing = [template.closing.split("{answer}") for template in templates]
    return pl.DataFrame(
        {
            "asked_before": [before for before, _ in asked],
            "asked_after": [after for _, after in asked],
            "closing_before": [before for before, _ in closing],
            "stop": [after for _, after in closing],
        }
    )


def _newlines(name: str) -> pl.Expr:
    text = pl.col(name).str.replace_all(LITERAL_NEWLINE, "\n", literal=True)
    return text.str.strip_chars().fill_null("").alias(name)


def _with_literal_newlines(rows: pl.DataFrame) -> int:
    found = pl.any_horizontal(
        pl.col(name).str.contains(LITERAL_NEWLINE, literal=True).fill_null(False) for name in _TEXTS
    )
    return int(rows.select(found.sum()).item())


def _stable_hash() -> pl.Expr:
    joined = plh.concat_str(*_TEXTS, separator="\x1f")
    digest: pl.Expr = joined.nchash.wyhash()
    return digest
