"""Licences: what a licence asks of its users, and which of them a recipe wants.

A licence is an SPDX expression: identifiers of https://spdx.org/licenses, `LicenseRef-…` for one
that is not there, joined by AND, OR and WITH; or `unknown`, which allows nothing for certain.
"""

import difflib
import itertools
import re
from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple, Self

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression
from pydantic import Field, field_validator, model_validator

from schemas.errors import ConfigError
from schemas.frozen import Frozen

UNKNOWN = "unknown"
MAX_EXPRESSION_CHARS = 300  # a longer text of a row is no expression but prose


class Terms(NamedTuple):
    """What a licence says of passing on the material, or a changed copy of it.

    `commercial`: commercial use is allowed; `attribution`: author or licence have to be named;
    `share_alike`: changed copies stay under the same licence; `changes`: changed copies may be
    passed on. `hub` is the identifier of https://huggingface.co/docs/hub/repositories-licenses,
    where there is one.
    """

    commercial: bool
    attribution: bool
    share_alike: bool
    changes: bool
    hub: str | None = None


def _creative_commons() -> dict[str, Terms]:
    """CC 1.0 to 4.0, whose names are their terms: https://creativecommons.org/licenses/list.en."""
    hub = {
        *("cc-by-2.0", "cc-by-2.5", "cc-by-3.0", "cc-by-4.0", "cc-by-sa-3.0", "cc-by-sa-4.0"),
        *("cc-by-nc-2.0", "cc-by-nc-3.0", "cc-by-nc-4.0", "cc-by-nd-4.0"),
        *("cc-by-nc-nd-3.0", "cc-by-nc-nd-4.0"),
        *("cc-by-nc-sa-2.0", "cc-by-nc-sa-3.0", "cc-by-nc-sa-4.0"),
    }
    names = [
        f"CC-BY{parts}-{version}"
        for parts in ("", "-SA", "-NC", "-NC-SA", "-ND", "-NC-ND")
        for version in ("1.0", "2.0", "2.5", "3.0", "4.0")
    ]
    return {
        name: Terms(
            commercial="-NC" not in name,
            attribution=True,
            share_alike="-SA" in name,
            changes="-ND" not in name,
            hub=name.lower() if name.lower() in hub else None,
        )
        for name in names
    }


def _terms(hub: str | None = None, *, attribution: bool = True, share_alike: bool = False) -> Terms:
    """Of a licence that allows commercial use and changed copies."""
    return Terms(True, attribution, share_alike, True, hub)


# Approved by the Open Source Initiative unless a line says otherwise: clauses 3, 5 and 6 of its
# definition (https://opensource.org/osd) are that changed copies may be passed on, and used by
# anyone for anything. What else they ask is in the texts at https://spdx.org/licenses/<name>.html.
_FREE = {
    "0BSD": _terms(attribution=False),
    "AFL-3.0": _terms("afl-3.0"),
    "Apache-2.0": _terms("apache-2.0"),
    "Artistic-2.0": _terms("artistic-2.0"),
    "BSD-2-Clause": _terms("bsd-2-clause"),
    "BSD-3-Clause": _terms("bsd-3-clause"),
    "BSL-1.0": _terms("bsl-1.0"),
    "ECL-2.0": _terms("ecl-2.0"),
    "ISC": _terms("isc"),
    "MIT": _terms("mit"),
    "MIT-0": _terms(attribution=False),
    "MS-PL": _terms("ms-pl"),
    "NCSA": _terms("ncsa"),
    "PostgreSQL": _terms("postgresql"),
    "Unlicense": _terms("unlicense", attribution=False),
    "Zlib": _terms("zlib"),
    "AGPL-3.0-only": _terms("agpl-3.0", share_alike=True),
    "AGPL-3.0-or-later": _terms("agpl-3.0", share_alike=True),
    "EPL-1.0": _terms("epl-1.0", share_alike=True),
    "EPL-2.0": _terms("epl-2.0", share_alike=True),
    "EUPL-1.1": _terms("eupl-1.1", share_alike=True),
    "EUPL-1.2": _terms("eupl-1.2", share_alike=True),
    "GPL-2.0-only": _terms("gpl-2.0", share_alike=True),
    "GPL-2.0-or-later": _terms("gpl-2.0", share_alike=True),
    "GPL-3.0-only": _terms("gpl-3.0", share_alike=True),
    "GPL-3.0-or-later": _terms("gpl-3.0", share_alike=True),
    "LGPL-2.1-only": _terms("lgpl-2.1", share_alike=True),
    "LGPL-2.1-or-later": _terms("lgpl-2.1", share_alike=True),
    "LGPL-3.0-only": _terms("lgpl-3.0", share_alike=True),
    "LGPL-3.0-or-later": _terms("lgpl-3.0", share_alike=True),
    "MPL-2.0": _terms("mpl-2.0", share_alike=True),
    "OSL-3.0": _terms("osl-3.0", share_alike=True),
    # approved by the Free Software Foundation: https://www.gnu.org/licenses/license-list.html
    "GFDL-1.3-only": _terms("gfdl", share_alike=True),
    "GFDL-1.3-or-later": _terms("gfdl", share_alike=True),
    "WTFPL": _terms("wtfpl", attribution=False),
    # https://creativecommons.org/publicdomain/zero/1.0
    "CC0-1.0": _terms("cc0-1.0", attribution=False),
    # https://opendatacommons.org/licenses
    "ODC-By-1.0": _terms("odc-by"),
    "ODbL-1.0": _terms("odbl", share_alike=True),
    "PDDL-1.0": _terms("pddl", attribution=False),
    # https://cdla.dev
    "CDLA-Permissive-1.0": _terms("cdla-permissive-1.0"),
    "CDLA-Permissive-2.0": _terms("cdla-permissive-2.0"),
    "CDLA-Sharing-1.0": _terms("cdla-sharing-1.0", share_alike=True),
    # https://www.etalab.gouv.fr/licence-ouverte-open-licence
    "etalab-2.0": _terms("etalab-2.0"),
    # https://www.nationalarchives.gov.uk/doc/open-government-licence/version/3
    "OGL-UK-3.0": _terms(),
}

TERMS = _FREE | _creative_commons()
"""By SPDX identifier, what is known of a licence; of all others nothing is."""

_FAMILIES = ("AGPL-3.0", "GFDL-1.3", "GPL-2.0", "GPL-3.0", "LGPL-2.1", "LGPL-3.0")
_SPELLINGS = {
    **{name.lower(): name for name in TERMS},
    **{family.lower(): f"{family}-only" for family in _FAMILIES},  # SPDX's own former names
    **{f"{family.lower()}+": f"{family}-or-later" for family in _FAMILIES},
    "odbl": "ODbL-1.0",
    "odc-by": "ODC-By-1.0",
    "pddl": "PDDL-1.0",
}
_CC_URL = re.compile(
    r"https?://creativecommons\.org/(?:licenses|publicdomain)/([a-z-]+)/(\d\.\d)(?:/.*)?", re.I
)
_NAME = r"[A-Za-z0-9.:+-]+"
_TOKEN = re.compile(rf"\s*([()]|{_NAME}(?:\s+(?:WITH|with)\s+{_NAME})?)")
_SHAPE = re.compile(r"\(*n\)*(?:o\(*n\)*)*")
"""An expression's parts, a letter for each: n a name, o an operator, and parentheses."""

_BINDING = {"(": 0, "OR": 1, "AND": 2}
"""How closely an operator binds; an open parenthesis lets nothing across."""


def canonical(name: str) -> str:
    """A single licence under SPDX's name, however it is spelt; as it is where that is not known."""
    tidy = " ".join(name.split())
    url = _CC_URL.fullmatch(tidy)
    if url:
        tidy = f"cc0-{url[2]}" if url[1].lower() == "zero" else f"cc-{url[1]}-{url[2]}"
    return _SPELLINGS.get(tidy.lower().replace(" ", "-"), tidy)


def terms_of(name: str) -> Terms | None:
    """What is known of a single licence; an exception (WITH) only takes conditions away.

    That holds of SPDX's exceptions. Others under that name, as the Commons Clause, take freedoms.
    """
    base, _, exception = name.partition(" WITH ")
    known = TERMS.get(canonical(base)) or TERMS.get(canonical(base.removesuffix("+")))
    return known if not exception or _is_of_spdx(f"MIT WITH {exception}") else None


def postfix(licence: str) -> tuple[str, ...]:
    """An expression as its licences, each before the AND or OR that joins it to another.

    A text that is no expression is the one licence of its name. Nothing here recurses: texts of
    rows come through it.
    """
    known = canonical(licence)
    if known in TERMS or len(licence) > MAX_EXPRESSION_CHARS:
        return (known,)
    tokens = _TOKEN.findall(licence)
    is_read_whole = "".join(licence.split()) == "".join("".join(tokens).split())
    parts = [_spelt(token) for token in tokens]
    return _joined(parts) if is_read_whole and _is_expression(parts) else (known,)


def _spelt(token: str) -> str:
    """A token as SPDX writes it."""
    if token.upper() in _BINDING:
        return token.upper()
    base, *exception = re.split(r"\s+(?:WITH|with)\s+", token)
    return " WITH ".join([canonical(base), *exception])


def _is_expression(parts: Sequence[str]) -> bool:
    """Whether names and operators take turns and every parenthesis has its partner."""
    kinds = "".join(part if part in "()" else "o" if part in _BINDING else "n" for part in parts)
    depths = list(itertools.accumulate({"(": 1, ")": -1}.get(kind, 0) for kind in kinds))
    return bool(_SHAPE.fullmatch(kinds)) and min(depths) == depths[-1] == 0


def _joined(parts: Sequence[str]) -> tuple[str, ...]:
    """The postfix form of an infix expression (Dijkstra's shunting yard)."""
    output: list[str] = []
    waiting: list[str] = []
    for part in parts:
        if part == "(":
            waiting.append(part)
        elif part == ")":
            while (operator := waiting.pop()) != "(":
                output.append(operator)
        elif part in _BINDING:
            while waiting and _BINDING[waiting[-1]] >= _BINDING[part]:
                output.append(waiting.pop())
            waiting.append(part)
        else:
            output.append(part)
    return (*output, *reversed(waiting))


def names_in(licence: str) -> tuple[str, ...]:
    """The single licences of an expression, each once, in its order."""
    parts = postfix(licence)
    if len(parts) == 1:  # a name, even if it reads as an operator
        return parts
    return tuple(dict.fromkeys(one for one in parts if one not in _BINDING))


def holds(licence: str, wanted: Callable[[str], bool]) -> bool:
    """Whether an expression can be met with licences that are wanted: OR leaves the choice."""
    parts = postfix(licence)
    if len(parts) == 1:
        return wanted(parts[0])
    stack: list[bool] = []
    for one in parts:
        if one in ("AND", "OR"):
            right, left = stack.pop(), stack.pop()
            stack.append(left and right if one == "AND" else left or right)
        else:
            stack.append(wanted(one))
    return stack.pop()


def checked_licence(licence: str) -> str:
    """The same licence, if every name in it is one of SPDX, a LicenseRef-… or `unknown`.

    Raises:
        ValueError: it is not; says which name, and the nearest known one.
    """
    if licence == UNKNOWN:
        return licence
    for name in names_in(licence):
        if not _is_of_spdx(name):
            nearest = difflib.get_close_matches(name.lower(), _SPELLINGS, n=1, cutoff=0.7)
            hint = f"did you mean {_SPELLINGS[nearest[0]]!r}? " if nearest else ""
            raise ValueError(
                f"{name!r} is no SPDX identifier; {hint}expected one of https://spdx.org/licenses, "
                "several joined by AND, OR and WITH, LicenseRef-NAME, or 'unknown'"
            )
    return licence


def _is_of_spdx(name: str) -> bool:
    """Whether SPDX knows this one name, or it is a LicenseRef-…, with or without an exception."""
    try:
        canonicalize_license_expression(name)
    except InvalidLicenseExpression:
        return False
    return True


class Licences(Frozen):
    """Which licences sources and rows may have; with nothing said, any."""

    allow: tuple[str, ...] = Field(
        (), description="SPDX identifiers, * for any part, or 'unknown'; empty: every licence"
    )
    deny: tuple[str, ...] = Field((), description="as `allow`; wins over it")
    commercial: bool = Field(
        False, description="only licences that are known to allow commercial use"
    )
    cleared: tuple[str, ...] = Field(
        (), description="with `commercial`: names of which you know that they allow it"
    )
    by_row: tuple[str, ...] = Field(
        (),
        description=(
            "sources whose rows state their licences: not refused as a whole, judged row by row"
        ),
    )

    @field_validator("allow", "deny", "cleared")
    @classmethod
    def _names_are_known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if "*" not in name:
                checked_licence(name)
        return names

    @model_validator(mode="after")
    def _cleared_is_not_known_to_forbid(self) -> Self:
        for entry in self.cleared:
            forbidding = [name for name in TERMS if not TERMS[name].commercial]
            if any(_matches(name, (entry,)) for name in forbidding):
                raise ValueError(
                    f"cleared: {entry!r} forbids commercial use. Where its owner gave you another "
                    "licence, give the source that: {source: NAME, licence: LicenseRef-…}"
                )
        return self

    @property
    def enabled(self) -> bool:
        """Whether any licence may be refused."""
        return bool(self.allow or self.deny or self.commercial)

    @property
    def wanted(self) -> str:
        """What a licence is held against, for people."""
        said = {
            "one that is known to allow commercial use": self.commercial,
            f"one of {', '.join(self.allow)}": bool(self.allow),
            f"none of {', '.join(self.deny)}": bool(self.deny),
        }
        return "; ".join(text for text, is_said in said.items() if is_said)

    def refusal(self, licence: str) -> str | None:
        """Why an expression is not wanted, for people; None where it is."""
        if holds(licence, lambda name: self._against(name) is None):
            return None
        against = (self._against(name) for name in names_in(licence))
        return next(reason for reason in against if reason is not None)

    def check(self, where: str, stated: Mapping[str, Sequence[str]]) -> None:
        """Raise ConfigError unless every licence of every source is wanted; `stated` is by source.

        `where` says whose rules these are.
        """
        refused = [
            f"  {source}: {reason}"
            for source, licences in stated.items()
            for reason in dict.fromkeys(map(self.refusal, licences))
            if reason is not None
        ]
        if refused:
            lines = "\n".join(refused)
            raise ConfigError(
                f"{where}: filter.licences does not let these sources in:\n{lines}\n"
                "Leave them out. Where you have another licence for one, say {source: NAME, "
                "licence: LicenseRef-…} and name it in filter.licences.cleared; where its rows "
                "state their own licences, name the source in filter.licences.by_row."
            )

    def _against(self, name: str) -> str | None:
        if _matches(name, self.deny):
            return f"{name} is denied"
        if self.allow and not _matches(name, self.allow):
            return f"{name} is not among those allowed"
        if not self.commercial or _matches(name, self.cleared):
            return None
        terms = terms_of(name)
        if name == UNKNOWN:
            return "no licence is known"
        if terms is None:
            return f"{name} is not known to allow commercial use"
        return None if terms.commercial else f"{name} forbids commercial use"


def _matches(name: str, patterns: Sequence[str]) -> bool:
    """Whether a licence, or the one that its exception is of, fits a pattern."""
    forms = {form.lower() for form in (name, name.partition(" WITH ")[0])}
    return any(
        fnmatchcase(form, pattern)
        for pattern in (canonical(one).lower() for one in patterns)
        for form in forms
    )
