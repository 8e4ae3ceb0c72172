"""Keys, tokens and passwords that open something."""

import polars as pl

from tasks.personal.finder import AFTER, BEFORE, ESCAPED, PIECE, Finder

# fmt: off
ISSUED = {  # by issuer: prefixes and lengths as they document them
    "AWS":       r"(?:AKIA|ASIA)[A-Z2-7]{16}",
    "GitHub":    r"gh[pousr]_[A-Za-z0-9]{36,251}|github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59}",
    "GitLab":    r"glpat-[A-Za-z0-9_-]{20,}",
    "OpenAI":    r"sk-(?:proj-|svcacct-|admin-|ant-(?:api03-)?)?[A-Za-z0-9][A-Za-z0-9_-]{30,200}",
    "Slack":     r"xox[abeoprs]-(?:[A-Za-z0-9]+-){1,5}[A-Za-z0-9]{16,}",
    "Google":    r"AIza[A-Za-z0-9_-]{35}",
    "Hub":       r"hf_[A-Za-z]{34}",
    "Stripe":    r"[sr]k_live_[A-Za-z0-9]{20,}",
    "SendGrid":  r"SG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}",
    "npm":       r"npm_[A-Za-z0-9]{36}",
    "PyPI":      r"pypi-[A-Za-z0-9_-]{60,}",
    "JWT":       r"eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{20,}",
}
# fmt: on
PRIVATE_KEY = (  # RFC 7468; in JSON its line ends are written out
    r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----"
    r"(?:\s|\\n)(?:[A-Za-z-]+: [^\n]*\n)*\n?(?:[A-Za-z0-9+/=]+(?:\n|\\n)?)+"
    r"(?:-----END (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----)?"
)
_NAMES = (
    r"(?:[a-z]{1,12}[_-])?(?:password|passwd|passphrase|pwd|pass|secret|api[_-]?key|apikey"
    r"|access[_-]?key|secret[_-]?(?:access[_-]?)?key|(?:access|auth|bearer|refresh)[_-]?token"
    r"|token|client[_-]?secret|private[_-]?key|account[_-]?key)"
)
# password=..., "api_key": "...", PASSWORD: '...': a value on its own, in quotation marks or bare.
_ASSIGNED = (
    rf"(?:(?:^|(?-u:\b)|_)(?i:{_NAMES})|密码|口令|密钥)[\"']?"
    r"(?: ?[=＝] ?[\"']?|[:：] ?[\"']|[:：] ?)"
)
_VALUE = r"[A-Za-z0-9!@#$%^&*+/=_.~?-]{7,127}[A-Za-z0-9!@#$%^&*+/=_~-]"

STAND_INS = (
    r"(?i)x{4}|\*{3}|\.\.\.|…|<|>|your|my[-_]?(?:secret|pass|key|token|api)|exampl[e3]|t[o0]k[e3]n|sample|dummy"
    r"|placeholder|changeme|replace|insert|redacted|secret|p[a4@][s5$][s5$]?w|passw|token|key"
    r"|default|admin|test|demo|qwerty|letmein|welcome|hunter2|hello|world|user|guest|foo|bar"
    r"|12345|23456|6789|98765|abcd|a1b2|1a2b|0{5}|1{4}|deadbeef|correct.?horse|secure|strong"
    r"|login|random|string|value|hash|config|environ|env\.|process|getenv|get_|input|request"
    r"|self\.|this\.|data|form|field|generate|encod|encrypt|verify|check|valid|null|none|undefined"
)
MADE_UP = "(?i)x{4}|your|example|placeholder|secret|token_|0{6}|1{6}|1234567|abcdef|abcd1234|a1b2c3"
_PUBLISHED_TOKENS = "eyJzdWIiOiIxMjM0NTY3ODkwI|eyJpc3MiOiJqb2UiLA|SflKxwRJSMeKKF2QT4fw"
_ISSUED = "|".join(ISSUED.values())
_KNOWN = f"{PRIVATE_KEY}|(?:{_ISSUED})"


def _distinct_chars(text: pl.Expr) -> pl.Expr:
    return text.str.split("").list.n_unique()


def _mixed(text: pl.Expr) -> pl.Expr:
    """Whether letters and digits alternate as in nothing that people write."""
    return (
        text.str.contains("[0-9]")
        & text.str.contains("[a-z]")
        & text.str.contains("[A-Z]|[!@#$%^&*+/=~?].")
    )


def _issued() -> pl.Expr:
    """The random part is long and mixed; a published sample or a stand-in is neither."""
    random = PIECE.str.replace(r"^(?:[A-Za-z]+[_-])+", "")
    web_token = PIECE.str.starts_with("eyJ")
    pieces = PIECE.str.contains(f"^(?:{_ISSUED})$")
    words = PIECE.str.starts_with("sk-") & ~PIECE.str.contains("[A-Za-z0-9]{16}")
    alternates = random.str.contains("[0-9]") & random.str.contains("[A-Za-z]") & ~words
    varied = alternates | (PIECE.str.starts_with("hf_") & _mixed_case(PIECE))
    made_up = (
        pl.when(web_token)
        .then(PIECE.str.contains(_PUBLISHED_TOKENS))
        .otherwise(PIECE.str.contains(MADE_UP))
    )
    return pieces & varied & (_distinct_chars(random) >= 9) & ~made_up


def _mixed_case(text: pl.Expr) -> pl.Expr:
    return text.str.contains("_.*[a-z]") & text.str.contains("_.*[A-Z]")


def _private_key() -> pl.Expr:
    body = PIECE.str.replace(r"^-----BEGIN [^-]*-----", "").str.replace(r"-----END.*$", "")
    plain = body.str.replace_all(r"\s|\\n", "")
    left_out = AFTER.str.contains(r"^\s*(?:\.\.\.|…|\[|<)")
    shown = left_out | PIECE.str.contains(r"(?i)x{8}|your|example")
    return PIECE.str.starts_with("-----BEGIN") & (plain.str.len_chars() >= 64) & ~shown


def _assigned() -> pl.Expr:
    """A bare value that follows a name for it, as random as a generator's or a careful person's."""
    shaped = (
        BEFORE.str.contains(f"{_ASSIGNED}$")
        & PIECE.str.contains(rf"^{_VALUE}$")
        & ~PIECE.str.contains(r"^-----BEGIN|://")
    )
    code = PIECE.str.contains(r"^[A-Za-z_]+(?:\.[A-Za-z_]+)+$|^\$|^[A-Z_]+$|^[a-z_]+$|^[%@#]")
    calls = AFTER.str.contains(r"^\s?[(\[{]|^[^\x00-\x7F]?\.\w")
    random = _mixed(PIECE) & (_distinct_chars(PIECE) >= 7)
    # What stands after a colon is more often made up for the occasion than kept.
    long_enough = BEFORE.str.contains("[=＝] ?[\"']?$") | (PIECE.str.len_chars() >= 16)
    return long_enough & shaped & random & ~code & ~calls & ~PIECE.str.contains(STAND_INS)


_PREFIXES = (
    r"AKIA|ASIA|gh[pousr]_|github_pat_|glpat-|sk-[A-Za-z0-9]|xox[abeoprs]-|AIza|hf_[A-Za-z]{8}"
    r"|[sr]k_live_|SG\.[A-Za-z0-9]|npm_|pypi-|eyJ|PRIVATE KEY"
)
_NAMED = r"(?i-u:(?:pass(?:word|wd|phrase)?|pwd|secret|key|token)[\"']?(?: ?=|: ?))"
# False positive, known: the answer to "make me a strong password", where it is assigned to a name.
SECRETS = Finder(
    hints=(_PREFIXES, _NAMED, "密码|口令|密钥"),
    patterns=(
        (_ASSIGNED, f"{_KNOWN}|{_VALUE}"),
        (rf"^|{ESCAPED}|[^A-Za-z0-9_-]", _KNOWN),
    ),
    holds=_issued() | _private_key() | _assigned(),
)
