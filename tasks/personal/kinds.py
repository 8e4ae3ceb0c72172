"""Every kind of personal data, how it is found, and how it is shown without being told."""

from collections.abc import Sequence

import polars as pl

from schemas.privacy import PersonalKind
from tasks.personal.cards import BANK_CARDS, CREDIT_CARDS
from tasks.personal.credentials import SECRETS
from tasks.personal.finder import PIECE, Finder, exchanged
from tasks.personal.ibans import IBANS
from tasks.personal.id_numbers import ID_NUMBERS
from tasks.personal.ip_addresses import IP_ADDRESSES
from tasks.personal.mailboxes import EMAILS
from tasks.personal.phones import PHONES
from tasks.personal.street_addresses import STREET_ADDRESSES

FINDERS: dict[PersonalKind, Finder] = {
    PersonalKind.SECRET: SECRETS,
    PersonalKind.EMAIL: EMAILS,
    PersonalKind.IBAN: IBANS,
    PersonalKind.ID_NUMBER: ID_NUMBERS,
    PersonalKind.CREDIT_CARD: CREDIT_CARDS,
    PersonalKind.BANK_CARD: BANK_CARDS,
    PersonalKind.PHONE: PHONES,
    PersonalKind.IP_ADDRESS: IP_ADDRESSES,
    PersonalKind.STREET_ADDRESS: STREET_ADDRESSES,
}

# No quotation mark, digit or white space: they fit into JSON, and are no part of any find.
PLACEHOLDERS = {
    PersonalKind.SECRET: "[SECRET]",
    PersonalKind.EMAIL: "[EMAIL]",
    PersonalKind.IBAN: "[IBAN]",
    PersonalKind.ID_NUMBER: "[ID_NUMBER]",
    PersonalKind.CREDIT_CARD: "[CARD]",
    PersonalKind.BANK_CARD: "[CARD]",
    PersonalKind.PHONE: "[PHONE]",
    PersonalKind.IP_ADDRESS: "[IP_ADDRESS]",
    PersonalKind.STREET_ADDRESS: "[ADDRESS]",
}


def found(texts: pl.Series, kind: PersonalKind) -> pl.DataFrame:
    """One row per find of a kind, in order: `text` (its place in `texts`) and `found`."""
    finder = FINDERS[kind]
    places = finder.suspects(texts).arg_true()
    if places.is_empty():
        return pl.DataFrame(schema={"text": pl.UInt32, "found": pl.String})
    rows = finder.found(texts.gather(places))
    return rows.with_columns(text=places.gather(rows["text"]))


def first_masked(parts: pl.Expr, kind: PersonalKind) -> pl.Expr:
    """The first of a kind in the parts of each row, in their order, masked; null where none is."""

    def first(rows: pl.Series) -> pl.Series:
        none = pl.repeat(None, rows.len(), dtype=pl.String, eager=True)
        parts = rows.struct.unnest().get_columns()
        finds = found(pl.concat([part.alias("text") for part in parts]), kind)
        if finds.is_empty():
            return none
        firsts = finds.with_columns(row=pl.col("text") % rows.len()).unique(
            "row", keep="first", maintain_order=True
        )
        shown = firsts.select(masked(pl.col("found"), kind)).to_series()
        return exchanged(none, firsts["row"], shown)

    return pl.struct(parts).map_batches(first, return_dtype=pl.String(), is_elementwise=True)


def redacted(
    texts: pl.Series, kinds: Sequence[PersonalKind]
) -> tuple[pl.Series, dict[PersonalKind, pl.Series]]:
    """The texts with a placeholder for every find, and by kind which texts it changed (places).

    What has changed is read again until nothing is found, for a text that became shorter brings
    words nearer; it ends, as no placeholder is a part of any find.
    """
    changed: dict[PersonalKind, list[pl.Series]] = {}
    places = pl.Series(range(0)).cast(pl.UInt32)
    first = True
    while first or places.len():
        read = texts if first else texts.gather(places)
        written = read
        for kind in PersonalKind:
            if kind in kinds:
                before, written = written, FINDERS[kind].replaced(written, PLACEHOLDERS[kind])
                struck = (before != written).arg_true()
                if struck.len():
                    changed.setdefault(kind, []).append(struck if first else places.gather(struck))
        struck = (read != written).arg_true()
        places, first = (struck, False) if first else (places.gather(struck), False)
        texts = exchanged(texts, places, written.gather(struck))
    return texts, {kind: pl.concat(parts).unique().sort() for kind, parts in changed.items()}


def hidden(texts: pl.Series, kinds: Sequence[PersonalKind]) -> pl.Series:
    """The texts with every find of these kinds masked, as evidence quotes it."""
    for kind in PersonalKind:
        if kind in kinds:
            texts = FINDERS[kind].masked(texts, masked(PIECE, kind))
    return texts


def masked(piece: pl.Expr, kind: PersonalKind) -> pl.Expr:
    """A find with its middle left out: enough to see what it was, too little to use it."""
    if kind is PersonalKind.EMAIL:
        return piece.str.replace(r"^(.)[^@]*@(.).*(\.[^.]+)$", "${1}…@${2}…${3}")
    if kind is PersonalKind.SECRET:
        return piece.str.head(4) + "…"
    return piece.str.head(3) + "…" + piece.str.tail(2)
