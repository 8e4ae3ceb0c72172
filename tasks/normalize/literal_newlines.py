r"""Line breaks written out as backslash and n, where a text was escaped once too often."""

import polars as pl

_BREAK = r"(?:\\r)?\\n"
# Signs of code, of markup and of talk about escapes: there `\n` is meant.
_CODE = "|".join(
    (
        r"`|</|/>|=>|==|\+=|\+\+|&&|\|\|",
        r"\\(?:[^nr]|$)|\\r(?:[^\\]|$)|\\r\\[^n]",  # another escape, a path, LaTeX
        r"(?:^|[^A-Za-z])[A-Za-z]:\\",  # a drive
        r"%[-+.\d]*[dsfxi]\b|[A-Za-z_]\w*\(['\"]",  # %d, print("
        r"[\"'“‘「『(\[/]\s*\\n\s*[\"'”’」』)\]/]",  # "\n", by itself
        r"\\n['\"]\s*[)\],;+]",  # ...\n")
        r"(?i:\b(?:regexp?|escape (?:char|seq)\w*|newline|line ?breaks?|backslash|json|csv)\b)",
        r"\w\.(?:txt|csv|tsv|log|py|js|html|ya?ml)\b",  # what a file holds
        r"换行|转义|正则|反斜杠|字符串",
    )
)
# Signs that say little where `\n` begins the items of a list.
_PERHAPS_CODE = "|".join(
    (
        r"[{}]|[;]\s*(?:\\n|\n|$)",
        r"\\n[a-z]{2}",  # \nabla, C:\new; and lines in lower case, which are left alone too
        r"(?i:\b(?:printf?|cout|echo|println|def|import|return)\b)",
    )
)
_LIST = r"\\n\s*(?:[-*•]\s|\([A-Z]\)|[A-Z][.)]\s|\d{1,2}[.)、])"


def break_lines(texts: pl.Series) -> pl.Series:
    r"""`\n` and `\r\n` written out become line breaks, in texts that have no sign of code.

    False negative, known: lines that begin in lower case, and texts that quote JSON.
    """
    text = pl.col(texts.name)
    written_out = text.str.contains(_BREAK)
    # Patterns run under a false condition too: what needs no look is nothing to look at.
    looked_at = pl.when(written_out).then(text).otherwise(pl.lit(""))
    plain = ~looked_at.str.contains(_PERHAPS_CODE) | looked_at.str.contains(_LIST)
    broken = written_out & plain & ~looked_at.str.contains(_CODE)
    mended = pl.when(broken).then(text.str.replace_all(_BREAK, "\n")).otherwise(text)
    return texts.to_frame().select(mended).to_series()
