"""Kernels: cached in one folder per state of all of them, from whatever threads import them."""

import json
import logging
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tasks import kernel

# The threads meet while they decorate, if nothing keeps them apart; else the first waits in vain.
IMPORT_IN_TWO_THREADS = """
import contextlib, json, sys, threading
from importlib import import_module
import numba
from tasks.kernel import NUMBA_SETTINGS
compiler, together = numba.njit, threading.Barrier(2)
def njit(**options):
    with contextlib.suppress(threading.BrokenBarrierError):
        together.wait(0.5)
    return compiler(**options)
numba.njit = njit
sys.path.insert(0, sys.argv[1])
threads = [threading.Thread(target=import_module, args=(name,)) for name in ("first", "second")]
for thread in threads: thread.start()
for thread in threads: thread.join()
import first, second
kernels = [first.one, first.other, second.one, second.other]
print(json.dumps([NUMBA_SETTINGS.CACHE_DIR, *(kernel.stats.cache_path for kernel in kernels)]))
"""
MODULE = """
from tasks.kernel import kernel

@kernel
def one(value: int) -> int:
    return value + 1

@kernel
def other(value: int) -> int:
    return value + 2
"""


def test_numba_is_loaded_under_the_lock_that_it_takes_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from numba.core.compiler_lock import global_compiler_lock
    from numba.core.registry import cpu_target

    held = []
    for context in (cpu_target.typing_context, cpu_target.target_context):
        monkeypatch.setattr(
            context, "refresh", lambda: held.append(global_compiler_lock.is_locked())
        )

    kernel.load_numba()

    assert held == [True, True]


def test_modules_of_kernels_may_be_imported_by_two_threads_at_once(tmp_path: Path) -> None:
    for name in ("first", "second"):
        (tmp_path / f"{name}.py").write_text(MODULE)
    cache = tmp_path / "cache"

    done = subprocess.run(
        [sys.executable, "-c", IMPORT_IN_TWO_THREADS, str(tmp_path)],
        env={**os.environ, "NUMBA_CACHE_DIR": str(cache)},
        capture_output=True,
        text=True,
        check=True,
    )

    setting, *paths = json.loads(done.stdout)
    assert setting == str(cache)
    assert len({Path(path).parent for path in paths}) == 1
    assert {Path(path).parent.parent for path in paths} == {cache}


def test_compilation_is_announced_once_however_many_threads_compile(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(kernel, "_UNANNOUNCED", threading.Lock())
    monkeypatch.setattr(kernel, "_is_cached", lambda _: False)
    together = threading.Barrier(8)

    def compile_something() -> None:
        together.wait()
        kernel.announce_compilation("a kernel")

    with caplog.at_level(logging.INFO, logger=kernel.__name__), ThreadPoolExecutor(8) as threads:
        for done in [threads.submit(compile_something) for _ in range(8)]:
            done.result()
    assert [record.message for record in caplog.records] == [
        "compiling kernels, once per machine: this takes some seconds"
    ]
