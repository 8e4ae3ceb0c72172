"""Tables of rows: what each becomes, by its name."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from schemas.source import Source
from tests.normalize.lakes import normalized

U, A, S, T = "user", "assistant", "system", "tool"
Spoken = list[tuple[str, str]]


def become(
    folder: Path, table: Mapping[str, tuple[Any, Any]], made_of: Source
) -> dict[str, Spoken | str]:
    """By name of the row: its conversation, or `drop_reason: message` of the ledger."""
    rows = [row for row, _ in table.values()]
    raw = json.dumps(rows, ensure_ascii=False).encode()
    done = normalized(folder, raw, made_of)
    names = list(table)
    found: dict[str, Spoken | str] = {
        names[number]: conversation
        for number, conversation in zip(
            done.records["source_row"].to_list(), done.conversations, strict=True
        )
    }
    lost = done.ledger.select("source_row", "drop_reason", "message").rows()
    found |= {names[number]: f"{reason}: {message}" for number, reason, message in lost}
    assert done.manifest.rows_in == len(table)
    return {name: found[name] for name in names}


def expected(table: Mapping[str, tuple[Any, Any]]) -> dict[str, Any]:
    """What the table says of each row."""
    return {name: said for name, (_, said) in table.items()}


def note(folder: Path, rows: list[Any], made_of: Source, name: str) -> str:
    """What the manifest of a source with these rows notes under a name."""
    return normalized(folder, json.dumps(rows).encode(), made_of).manifest.note(name)
