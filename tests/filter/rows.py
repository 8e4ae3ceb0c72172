"""Records to judge, written as conversations."""

import polars as pl

from schemas.filter import (
    Contamination,
    Echo,
    Filter,
    Lengths,
    ModelIdentity,
    Placeholders,
)
from schemas.privacy import Privacy
from schemas.quality import Quality
from schemas.record import RECORD

NOTHING = Filter(
    lengths=Lengths(enabled=False),
    echo=Echo(enabled=False),
    placeholders=Placeholders(enabled=False),
    identity=ModelIdentity(enabled=False),
    privacy=Privacy(**dict.fromkeys(Privacy.model_fields, False)),
    quality=Quality(**{name: type(rule)(enabled=False) for name, rule in Quality()}),
    contamination=Contamination(enabled=False),
)


def only(**rules: object) -> Filter:
    """A filter with nothing switched on but what is given."""
    return NOTHING.model_copy(update=rules)


def only_quality(**rules: object) -> Filter:
    """A filter with no quality rules but those given, and nothing else."""
    return only(quality=NOTHING.quality.model_copy(update=rules))


def records(*conversations: tuple[str, ...], source: str = "made") -> pl.LazyFrame:
    """RECORD, one row per conversation: a prompt and a response, or turns from the user's first."""
    return talks(
        *(
            [("user" if turn % 2 == 0 else "assistant", text) for turn, text in enumerate(turns)]
            for turns in conversations
        ),
        source=source,
    )


def talks(*conversations: list[tuple[str, str]], source: str = "made") -> pl.LazyFrame:
    """RECORD, one row per list of (role, content)."""
    return pl.LazyFrame(
        {
            "record_id": [f"{row:032x}" for row in range(len(conversations))],
            "source": [source] * len(conversations),
            "source_row": list(range(len(conversations))),
            "messages": [
                [{"role": role, "content": content} for role, content in turns]
                for turns in conversations
            ],
            "category": [None] * len(conversations),
            "tools": [None] * len(conversations),
            "licence": ["CC0-1.0"] * len(conversations),
        },
        schema=RECORD,
    )
