"""What may be shown of a URL: credentials never reach a message, a manifest or a log."""

import re
from urllib.parse import parse_qsl, quote, unquote, urlsplit, urlunsplit

HIDDEN = "…"
MAX_SHOWN_CHARS = 20  # longer query values are as good as keys: signatures, tokens, tickets

_SECRET_NAME = re.compile(r"auth|cred|key|pass|pwd|secret|sig|token|ticket|session", re.IGNORECASE)
_URL = re.compile(r"https?://[^\s'\"<>]+")
_TOKEN = re.compile(r"\bhf_[A-Za-z0-9]{8,}")


def shown(url: str) -> str:
    """A URL as people may see it: no user, password or fragment, and no query value like a key."""
    try:
        parts = urlsplit(url)
        query = "&".join(
            f"{quote(name)}={_shown_value(name, value)}"
            for name, value in parse_qsl(parts.query, keep_blank_values=True)
        )
        return urlunsplit((parts.scheme, _host(parts.netloc), parts.path, query, ""))
    except ValueError:
        return f"{url.split(':', 1)[0]}://{HIDDEN}"


def without_login(url: str) -> tuple[str, tuple[str, str] | None]:
    """A URL without its user and password, and these two."""
    parts = urlsplit(url)
    bare = urlunsplit(parts._replace(netloc=_host(parts.netloc), fragment=""))
    if parts.username is None:
        return bare, None
    return bare, (unquote(parts.username), unquote(parts.password or ""))


def redacted(text: str) -> str:
    """A text of someone else's making, with its URLs as they may be shown and no Hub token."""
    return _TOKEN.sub(f"hf_{HIDDEN}", _URL.sub(lambda match: shown(match.group()), text))


def _host(netloc: str) -> str:
    return netloc.rsplit("@", 1)[-1]


def _shown_value(name: str, value: str) -> str:
    if len(value) > MAX_SHOWN_CHARS or _SECRET_NAME.search(name):
        return HIDDEN
    return quote(value)
