"""What people did to a corpus's versions: a file for each event, never changed afterwards."""

import datetime
import getpass
import platform
import uuid

from pydantic import ValidationError

from schemas.errors import CorpusDamaged
from schemas.history import Action, Event
from tasks.corpora import corpus_key
from tasks.lake import Lake


def record(
    lake: Lake,
    name: str,
    action: Action,
    version: str,
    before: str | None = None,
    tag: str | None = None,
) -> Event:
    """Write down who did what to which version just now; returns it."""
    now = datetime.datetime.now(datetime.UTC)
    event = Event(
        at=now.isoformat(timespec="seconds"),
        who=_user(),
        host=platform.node(),
        action=action,
        version=version,
        before=before,
        tag=tag,
    )
    file = f"{now:%Y%m%dT%H%M%S.%f}-{action}-{uuid.uuid4().hex[:8]}.json"
    lake.create(f"{_folder(name)}/{file}", event.model_dump_json(exclude_none=True).encode())
    return event


def events(lake: Lake, name: str) -> tuple[Event, ...]:
    """All events of a corpus, oldest first."""
    return tuple(_event(lake, key) for key in lake.keys(_folder(name)) if key.endswith(".json"))


def _event(lake: Lake, key: str) -> Event:
    try:
        return Event.model_validate_json(lake.read(key))
    except ValidationError as error:
        raise CorpusDamaged(
            f"{lake.at(key)} is not an event: {error}. Remove it, or restore it from a copy of "
            "the lake: nothing depends on it."
        ) from None


def _folder(name: str) -> str:
    return f"{corpus_key(name)}/log"


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # in a container a user may have no name
        return "unknown"
