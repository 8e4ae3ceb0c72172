"""Nothing is removed while somebody works with the lake, and a killed holder holds nobody up."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from schemas.errors import StorageError
from tasks.history import leases
from tasks.history.leases import Lease, leased, removing, using
from tasks.lake import Lake


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


def test_a_lease_ends_with_its_process(lake: Lake) -> None:
    code = "import os; print(os.getpid())"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    dead = Lease.of_this_process()._replace(process=int(said.stdout), started="1")
    lake.put(f"leases/uses/{dead.new_name}", b"")
    with removing(lake):
        assert lake.keys("leases/uses") == []


def test_a_process_that_took_a_dead_ones_number_is_another(lake: Lake) -> None:
    other = Lease.of_this_process()._replace(started="1")
    lake.put(f"leases/uses/{other.new_name}", b"")
    with removing(lake):
        pass


def test_of_another_machine_nothing_is_known_so_its_lease_counts(lake: Lake) -> None:
    far = Lease(host="far-away", process=1, started="1")
    lake.put(f"leases/uses/{far.new_name}", b"")
    with pytest.raises(StorageError, match="process 1 on far-away"), removing(lake):
        raise AssertionError


def test_a_lease_of_another_machine_is_over_after_two_days(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    far = Lease(host="far-away", process=1, started="1")
    lake.put(f"leases/uses/{far.new_name}", b"")
    monkeypatch.setattr(leases, "ENDS_AFTER_S", -1)
    with removing(lake):
        pass


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


def test_what_is_no_lease_holds_nobody_up(lake: Lake) -> None:
    lake.put("leases/uses/0123.json", b"{}")
    with removing(lake):
        assert lake.keys("leases/uses") == []
