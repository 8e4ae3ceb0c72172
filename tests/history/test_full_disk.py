"""A full or read-only disk: one clear error, nothing lost, and the same command works afterwards."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from schemas.errors import StorageError
from schemas.history import Action, ExportFormat
from schemas.manifest import CorpusManifest
from tasks.corpora import latest, pointer, read_manifest, versions
from tasks.history.diff import Side, changes, counted
from tasks.history.export import export_version
from tasks.history.gc import collect, plan
from tasks.history.log import events
from tasks.history.restore import import_version
from tasks.history.rollback import roll_back
from tasks.history.tags import remove_tag, set_tag, tags
from tasks.lake import Lake
from tasks.publish.ledger import why
from tasks.publish.verify import problems
from tests.disks import Disk, mounted
from tests.history.corpora import MORE, OTHERS, TABLE, publish

FULL = r"^cannot .*: .*[Nn]o space left on device.*Free some space, then run it again"
READ_ONLY = r"^cannot .*: .*[Rr]ead-only file system.*Make the lake writable"


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    with mounted(tmp_path / "disk") as disk:
        yield disk


@pytest.fixture
def two(disk: Disk) -> Lake:
    """v0001 and v0002 on it; v0001 is tagged `prod`."""
    lake = Lake(str(disk.path / "lake"))
    set_tag(lake, publish(lake, TABLE), "prod")
    publish(lake, MORE)
    return lake


def version(lake: Lake, number: int) -> CorpusManifest:
    return read_manifest(lake, "tiny", f"v{number:04d}")


def everything(lake: Lake) -> dict[str, bytes]:
    """Every byte that the lake holds, but of locks, which hold none."""
    return {key: lake.read(key) for key in lake.keys("") if not key.endswith(".lock")}


# fmt: off
COMMANDS: dict[str, tuple[Callable[[Lake], object], Callable[[Lake], bool]]] = {
    #                   what is done                                   whether it was done
    "tag":             (lambda lake: set_tag(lake, version(lake, 2), "next"),
                        lambda lake: tags(lake, "tiny")["next"].version == "v0002"),
    "tag moved":       (lambda lake: set_tag(lake, version(lake, 2), "prod", force=True),
                        lambda lake: tags(lake, "tiny")["prod"].version == "v0002"),
    "rollback":        (lambda lake: roll_back(lake, version(lake, 1)),
                        lambda lake: latest(lake, "tiny") == "v0001"),
    "publish":         (lambda lake: publish(lake, OTHERS),
                        lambda lake: latest(lake, "tiny") == "v0003"),
    "import":          (lambda lake: import_version(lake, _exported(lake)),
                        lambda lake: versions(lake, "other") == ("v0001",)),
}
# fmt: on


def _exported(lake: Lake) -> Lake:
    """An export of another corpus, beside the disk."""
    assert lake.folder is not None
    beside = lake.folder.parents[1]
    source, destination = Lake(str(beside / "source")), Lake(str(beside / "export"))
    if not destination.keys(""):
        made = publish(source, TABLE, name="other")
        export_version(source, made, destination, ExportFormat.ARROW)
    return destination


@pytest.mark.parametrize(("do", "is_done"), COMMANDS.values(), ids=COMMANDS)
def test_on_a_full_disk_a_command_changes_nothing_and_later_works(
    disk: Disk, two: Lake, do: Callable[[Lake], object], is_done: Callable[[Lake], bool]
) -> None:
    before = everything(two)
    disk.fill()
    with pytest.raises(StorageError, match=FULL):
        do(two)
    assert everything(two) == before
    disk.free()
    do(two)
    assert is_done(two)


@pytest.mark.parametrize(("do", "is_done"), COMMANDS.values(), ids=COMMANDS)
def test_in_a_read_only_lake_a_command_changes_nothing_and_later_works(
    disk: Disk, two: Lake, do: Callable[[Lake], object], is_done: Callable[[Lake], bool]
) -> None:
    before = everything(two)
    disk.remount("ro")
    with pytest.raises(StorageError, match=READ_ONLY):
        do(two)
    assert everything(two) == before
    disk.remount("rw")
    do(two)
    assert is_done(two)


@pytest.mark.parametrize("form", list(ExportFormat))
def test_an_export_to_a_full_disk_is_none_and_later_one(
    disk: Disk, tmp_path: Path, form: ExportFormat
) -> None:
    lake = Lake(str(tmp_path / "lake"))
    made = publish(lake, TABLE)
    disk.fill()
    with pytest.raises(StorageError, match=FULL):
        export_version(lake, made, Lake(str(disk.path / "export")), form)
    disk.free()
    done = export_version(lake, made, Lake(str(disk.path / "export")), form)
    assert sum(file.rows for file in done.files) + sum(file.left_out for file in done.files) == 3


def test_a_full_disk_is_freed_by_collecting_garbage(disk: Disk, two: Lake) -> None:
    remove_tag(two, "tiny", "prod")
    disk.fill()
    done = collect(two, keep=1, fresh_s=0)
    assert [folder.key for folder in done.removed if folder.kind == "version"] == [
        "corpora/tiny/v0001"
    ]
    assert versions(two, "tiny") == ("v0002",)
    assert events(two, "tiny")[-1].action is Action.GC


def test_a_read_only_lake_can_be_looked_at(disk: Disk, two: Lake, tmp_path: Path) -> None:
    disk.remount("ro")
    lake = Lake(two.uri)
    made = version(lake, 2)
    assert problems(lake, made) == []
    assert why(lake, made, "alpaca:0", limit=1)
    assert [folder.key for folder in plan(lake, keep=9).removed] == []
    assert (pointer(lake, "tiny") or made).version == "v0002"
    assert counted(changes(Side(lake, version(lake, 1)), Side(lake, made)))["rows"].sum() == 1
    export_version(lake, made, Lake(str(tmp_path / "export")), ExportFormat.JSONL)


def test_a_read_only_lake_keeps_its_garbage(disk: Disk, two: Lake) -> None:
    before = everything(two)
    disk.remount("ro")
    with pytest.raises(StorageError, match=READ_ONLY):
        collect(two, keep=1)
    assert everything(two) == before
