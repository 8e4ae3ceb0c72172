"""Nothing is removed while somebody works with the lake, and a killed holder holds nobody up."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from schemas.errors import StorageError
from tasks.history import leases
from tasks.history.leases import Lease, leased, reading, removing, using
from tasks.lake import Lake
from tests.disks import mounted
from tests.users import said, shared, started

__all__ = ["shared"]

ROOT = Path(__file__).parents[2]


def test_whoever_uses_the_lake_keeps_others_from_removing(lake: Lake) -> None:
    says = rf"in use by process {os.getpid()} on"
    with using(lake), pytest.raises(StorageError, match=says), removing(lake):
        raise AssertionError
    with removing(lake):
        pass
    assert lake.keys("leases") == []


def test_two_may_use_a_lake_and_one_may_remove(lake: Lake) -> None:
    with using(lake), using(lake):
        pass
    refused = pytest.raises(StorageError, match="nothing was removed")
    with removing(lake), refused, removing(lake):
        raise AssertionError


def test_whoever_begins_meanwhile_waits_until_all_is_removed(lake: Lake) -> None:
    order = []
    begun, removed = threading.Event(), threading.Event()

    def use() -> None:
        begun.set()
        with using(lake):
            order.append("used")

    with removing(lake):
        user = threading.Thread(target=use)
        user.start()
        assert begun.wait(10)
        user.join(0.2)
        order.append("removed")
        removed.set()
    user.join(10)
    assert order == ["removed", "used"]


def test_waiting_has_an_end(lake: Lake) -> None:
    refused = pytest.raises(StorageError, match=r"has been removing files for 0 s")
    with removing(lake), refused, using(lake, patience_s=0):
        raise AssertionError


def of_the_dead(lake: Lake) -> Lease:
    """A lease of this machine that nobody holds."""
    with lake.scratch() as scratch:
        return Lease.of(lake, scratch)


def test_a_lease_ends_with_its_process(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path / "lake"))
    code = (
        "import os, signal, sys\n"
        "from tasks.history.leases import using\n"
        "from tasks.lake import Lake\n"
        "with using(Lake(sys.argv[1])):\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, lake.uri], cwd=ROOT, check=False)
    assert done.returncode == -signal.SIGKILL
    assert len(lake.keys("leases/uses")) == 1
    with removing(lake):
        assert lake.keys("leases/uses") == []


def test_a_lease_that_nobody_holds_is_over(lake: Lake) -> None:
    lake.put(f"leases/uses/{of_the_dead(lake).name}", b"")
    with removing(lake):
        assert lake.keys("leases/uses") == []


# fmt: off
ELSEWHERE = {  #                                    what differs
    "another host":                                {"host": "far-away", "locks": "0" * 12},
    "another host that cannot tell":               {"host": "far-away", "locks": ""},
    "another container of the same host's name":   {"disk": "0123456789ab", "locks": "0" * 12},
}
# fmt: on


@pytest.mark.parametrize("differs", ELSEWHERE.values(), ids=ELSEWHERE)
def test_of_another_machine_nothing_is_known_so_its_lease_counts_for_two_days(
    lake: Lake, differs: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    far = of_the_dead(lake)._replace(process=1, **differs)
    lake.put(f"leases/uses/{far.name}", b"")
    with pytest.raises(StorageError, match=f"process 1 on {far.host}"), removing(lake):
        raise AssertionError
    monkeypatch.setattr(leases, "ENDS_AFTER_S", -1)
    with removing(lake):
        pass


def test_containers_that_share_a_lake_in_a_bucket_have_names_of_their_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    names = set()
    for container in ("one", "other"):
        monkeypatch.setenv("WINNOW_CACHE", str(tmp_path / container))
        names.add(of_the_dead(Lake("s3://bucket/lake")).disk)
    assert len(names) == 2


def test_who_only_reads_needs_no_lease_where_none_can_be_written(tmp_path: Path) -> None:
    with mounted(tmp_path / "disk") as disk:
        lake = Lake(str(disk.path / "lake"))
        with reading(lake):
            assert len(lake.keys("leases/uses")) == 1
        disk.remount("ro")
        with reading(lake):
            assert lake.keys("leases/uses") == []
        with pytest.raises(StorageError, match="Make the lake writable"), using(lake):
            raise AssertionError


def test_a_flow_holds_a_lease_while_it_runs(lake: Lake) -> None:
    @leased
    def flow(recipe: str, lake: str = "") -> int:
        return len(Lake(lake).keys("leases/uses"))

    uri = lake.uri if lake.folder else "memory://leased"
    assert flow("quickstart", lake=uri) == 1
    assert Lake(uri).keys("leases") == []


@pytest.mark.parametrize("days", [-3, 3], ids=["back", "forward"])
def test_a_clock_that_is_set_ends_no_lease_of_this_machine(tmp_path: Path, days: int) -> None:
    lake = Lake(str(tmp_path / "lake"))
    with using(lake):
        (lease,) = lake.keys("leases/uses")
        then = time.time() - days * 24 * 3600
        os.utime(lake.local(lease, ""), (then, then))
        with pytest.raises(StorageError, match="nothing was removed"), removing(lake):
            raise AssertionError


# fmt: off
OTHERS = {  #                of which version of Winnow
    "yesterday's":          "0123456789abcdef0123456789abcdef-17-4321-host",
    "this one's, shorter":  "winnow-abc_d-17-folder-host",
    "nobody's":             "0123.json",
}
# fmt: on


@pytest.mark.parametrize("name", OTHERS.values(), ids=OTHERS)
def test_a_lease_of_another_winnow_counts_for_two_days(
    lake: Lake, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake.put(f"leases/uses/{name}", b"{}")
    with pytest.raises(StorageError, match=r"is in use by .*: nothing was removed"), removing(lake):
        raise AssertionError
    assert lake.keys("leases/uses") == [f"leases/uses/{name}"]
    monkeypatch.setattr(leases, "ENDS_AFTER_S", -1)
    with removing(lake):
        assert lake.keys("leases/uses") == []


def held_by_another_container(lake: Lake, patch: pytest.MonkeyPatch) -> Lease:
    """The lease of a process that ran here, in a container of another host's name."""
    patch.setattr(leases, "_here", lambda: "container-a")
    dead = of_the_dead(lake)
    lake.put(f"leases/uses/{dead.name}", b"")
    patch.setattr(leases, "_here", lambda: "container-b")
    return dead


def test_a_container_that_was_killed_holds_nobody_of_its_own_host_up(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    held_by_another_container(lake, monkeypatch)
    with removing(lake):
        assert lake.keys("leases/uses") == []


def test_a_container_that_lives_is_seen_by_all_others(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "_here", lambda: "container-a")
    with using(lake):
        monkeypatch.setattr(leases, "_here", lambda: "container-b")
        monkeypatch.setattr(leases, "ENDS_AFTER_S", -1)
        with pytest.raises(StorageError, match="on container-a: nothing"), removing(lake):
            raise AssertionError


def test_under_another_kernel_or_on_another_disk_a_container_is_another_machine(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    held_by_another_container(lake, monkeypatch)
    (lake.disk / "tmp").rename(lake.disk / "of-container-a")
    with pytest.raises(StorageError, match="on container-a: nothing"), removing(lake):
        raise AssertionError
    shutil.rmtree(lake.disk / "tmp")
    (lake.disk / "of-container-a").rename(lake.disk / "tmp")
    for boot in (b"another\n", b"\xff", None):
        monkeypatch.setattr(leases, "_BOOT", tmp_path / "boot_id")
        (tmp_path / "boot_id").unlink(missing_ok=True)
        if boot is not None:
            (tmp_path / "boot_id").write_bytes(boot)
        with pytest.raises(StorageError, match="on container-a: nothing"), removing(lake):
            raise AssertionError


def test_a_host_that_was_started_anew_knows_its_own_dead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = Lake(str(tmp_path / "lake"))
    lake.put(f"leases/uses/{of_the_dead(lake).name}", b"")
    (tmp_path / "boot_id").write_text("another\n")
    monkeypatch.setattr(leases, "_BOOT", tmp_path / "boot_id")
    with removing(lake):
        assert lake.keys("leases/uses") == []


ALICE, BOB = 54321, 54322
USE = "with using(lake):\n    print('begun', flush=True)\n    sys.stdin.read()\n"
REMOVE = """
try:
    with removing(lake):
        print("removed", *lake.keys("leases/uses"))
except StorageError as error:
    print(error)
"""


@pytest.mark.parametrize("seen", [True, False], ids=["of this Winnow", "of one that hid its lock"])
def test_the_lease_of_another_user_counts(shared: Path, seen: bool) -> None:
    with started(ALICE, shared, USE) as alice:
        assert alice.stdout is not None
        assert alice.stdout.readline() == "begun\n"
        (scratch,) = (shared / "tmp").iterdir()
        if not seen:
            scratch.chmod(0o700)
        (lease,) = (shared / "leases/uses").iterdir()
        then = time.time() - 24 * 3600
        os.utime(lease, (then, then))
        assert f"is in use by process {alice.pid} on" in said(BOB, shared, REMOVE)
        assert lease.exists()
        alice.kill()
    if not seen:
        assert f"is in use by process {alice.pid} on" in said(BOB, shared, REMOVE)
        os.utime(lease, (0, 0))
    assert said(BOB, shared, REMOVE) == "removed"
