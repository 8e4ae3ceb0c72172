"""Rolling back: readers who name no version get an older one from now on."""

from schemas.errors import ConfigError, CorpusDamaged
from schemas.history import Action, Latest
from schemas.manifest import CorpusManifest
from tasks.corpora import is_whole, latest_key, pointer_json, read_pointer
from tasks.history.leases import using
from tasks.history.log import record
from tasks.lake import Lake


def roll_back(lake: Lake, manifest: CorpusManifest) -> str | None:
    """Make a published version the latest, older or newer; returns the one that was before.

    The versions above it stay as they are, and no refresh makes one of them the latest again: the
    next refresh holds what it made against the chosen version and, where it differs, publishes it
    under a new number. None is returned where the version was the latest already.

    Raises:
        ConfigError: the version was rejected by its gates.
        CorpusDamaged: the version lost a file.
    """
    where = f"{manifest.name} {manifest.version}"
    if manifest.status != "published":
        raise ConfigError(
            f"{where} was rejected by its gates, so it cannot be the latest. Roll back to a "
            "published version: winnow versions lists them."
        )
    key = latest_key(manifest.name)
    before: list[str] = []

    def moved(old: bytes | None) -> bytes:
        if old is None:
            before[:] = []
            return pointer_json(Latest(version=manifest.version, digest=manifest.digest))
        there = read_pointer(old, lake.at(key))
        before[:] = [there.version]
        return pointer_json(there.rolled_back_to(manifest.version, manifest.digest))

    with using(lake):
        if not is_whole(lake, manifest):
            raise CorpusDamaged(
                f"{where} is not whole. Run: winnow verify {manifest.name}@{manifest.version}"
            )
        lake.update(key, moved)
    if before == [manifest.version]:
        return None
    was = before[0] if before else None
    record(lake, manifest.name, Action.ROLLBACK, manifest.version, was)
    return was
