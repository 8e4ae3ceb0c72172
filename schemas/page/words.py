"""How a page writes numbers, times and text of unknown origin."""

import re
from datetime import UTC, datetime

EXCERPT_CHARS = 600
NARROW_SPACE = "\N{NARROW NO-BREAK SPACE}"
# What HTML forbids, and marks that would turn the text around them the wrong way.
UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufdd0-\ufdef\ufffe\uffff]"
)

# fmt: off
LANGUAGES = {
    "ar": "Arabic", "bg": "Bulgarian", "bn": "Bengali", "ca": "Catalan", "cs": "Czech",
    "da": "Danish", "de": "German", "el": "Greek", "en": "English", "eo": "Esperanto",
    "es": "Spanish", "et": "Estonian", "fa": "Persian", "fi": "Finnish", "fr": "French",
    "he": "Hebrew", "hi": "Hindi", "hr": "Croatian", "hu": "Hungarian", "id": "Indonesian",
    "it": "Italian", "ja": "Japanese", "ko": "Korean", "la": "Latin", "lt": "Lithuanian",
    "lv": "Latvian", "ms": "Malay", "nl": "Dutch", "no": "Norwegian", "pl": "Polish",
    "pt": "Portuguese", "ro": "Romanian", "ru": "Russian", "sk": "Slovak", "sl": "Slovenian",
    "sr": "Serbian", "sv": "Swedish", "sw": "Swahili", "ta": "Tamil", "th": "Thai",
    "tl": "Tagalog", "tr": "Turkish", "uk": "Ukrainian", "ur": "Urdu", "vi": "Vietnamese",
    "zh": "Chinese",
}
# fmt: on


def number(value: int) -> str:
    """A count with thousands separators."""
    return f"{value:,}"


def signed(value: float) -> str:
    """A change with its sign and a real minus; ±0 for none."""
    text = quantity(abs(value))
    return "±0" if text == "0" else f"{'+' if value > 0 else '−'}{text}"


def quantity(value: float) -> str:
    """At most two decimals, none where they are zero."""
    return f"{value:,.2f}".rstrip("0").rstrip(".")


def decimal(value: float) -> str:
    """Two decimals."""
    return f"{value:,.2f}"


def percent(part: float, whole: float) -> str:
    """A share of a whole to a tenth of a per cent; never rounded to nothing or to everything."""
    if not whole:
        return "–"
    share = 100 * part / whole
    if 0 < share < 0.1:
        return f"<{NARROW_SPACE}0.1{NARROW_SPACE}%"
    if 99.9 < share < 100:
        return f">{NARROW_SPACE}99.9{NARROW_SPACE}%"
    return f"{share:.1f}{NARROW_SPACE}%"


def size(size_bytes: float) -> str:
    """Bytes in decimal units."""
    for unit in ("B", "kB", "MB", "GB"):
        if size_bytes < 1000:
            return f"{size_bytes:,.0f}{NARROW_SPACE}{unit}"
        size_bytes /= 1000
    return f"{size_bytes:,.1f}{NARROW_SPACE}TB"


def excerpt(text: str | None, limit: int = EXCERPT_CHARS) -> str:
    """The start of a text of the corpus, with what cannot be printed made visible."""
    shown = UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", text or "")
    return shown if len(shown) <= limit else f"{shown[:limit].rstrip()} …"


def when(created_at: str) -> str:
    """A manifest's time for people: day, minute, UTC."""
    moment = datetime.fromisoformat(created_at)
    return moment.astimezone(UTC).strftime("%-d %B %Y, %H:%M UTC")


def language(code: str) -> str:
    """A language's English name with its code."""
    return f"{LANGUAGES[code]} ({code})" if code in LANGUAGES else code
