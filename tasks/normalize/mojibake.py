"""Mojibake: UTF-8 that somebody read as Windows-1252 or Latin-1, as `cafÃ©` for `café`.

ftfy undoes it. It costs microseconds a text and is Python, so it sees only texts in which two or
more characters stand together as the bytes of one UTF-8 character would; and of what it can do only
the encoding is asked for: no quotation mark, ligature, width or entity is changed.
"""

import polars as pl

# How the bytes 80 to BF look in Windows-1252; in Latin-1 they are control characters.
_TRAIL = r"[\u{80}-\u{bf}€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ]"
_BYTES = (
    rf"[Â-ß]{_TRAIL}|[à-ï]{_TRAIL}{{2}}|[ð-ô]{_TRAIL}{{3}}"
    r"|[\u{80}-\u{84}\u{86}-\u{9f}]"  # Windows-1252 read as Latin-1
)
_LEADS = (b"\xc2", b"\xc3")  # with one of which each of them begins in UTF-8
# Where encodings are the subject, broken text may be the example; «é»«è» is French.
_LEFT_ALONE = (
    r"(?i)mojibake|encod|decod|charset|unicode|utf-?8|latin-?1|cp1252|windows-1252|iso-?8859|"
    r"乱码|编码|解码|字符集|[à-ÿ]»«"
)


def looks_broken(texts: pl.Series) -> pl.Series:
    """Which texts may hold mojibake; cheap, and true of little that is sound."""
    places = (texts.str.len_bytes() != texts.str.len_chars()).arg_true()
    written = texts.gather(places).cast(pl.Binary)
    leads = [written.bin.contains(lead) for lead in _LEADS]
    places = places.filter(pl.select(pl.any_horizontal(leads)).to_series())
    broken = places.filter(texts.gather(places).str.contains(_BYTES))
    return pl.Series([False]).new_from_index(0, texts.len()).scatter(broken, True)


def undo_mojibake(texts: pl.Series) -> pl.Series:
    """The same texts, read again in the encoding they were written in, where that is certain.

    Texts about encodings stay as they are: there `Ã©` may be the example.
    """
    broken = texts.filter(looks_broken(texts)).unique()
    broken = broken.filter(~broken.str.contains(_LEFT_ALONE))
    if broken.is_empty():
        return texts
    from ftfy import TextFixerConfig, fix_encoding

    encoding_alone = TextFixerConfig(replace_lossy_sequences=False, unescape_html=False)
    mended = pl.Series([fix_encoding(text, encoding_alone) for text in broken], dtype=pl.String)
    return texts.replace(broken, mended)
