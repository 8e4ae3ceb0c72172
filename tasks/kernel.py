"""How compiled loops are made: by numba, without the GIL, cached on disk.

Importing this module imports numba, which a run with nothing to do does not need: stages import
the modules that hold kernels inside the functions that call them.
"""

import functools
import gc
import hashlib
import importlib
import logging
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeAlias, TypeVar, cast

# What is imported by now stays, and so does what numba imports: without this the collector walks
# all of it again and again, for a sixth of the time until the first kernel runs.
gc.freeze()
import numba  # noqa: E402
import numpy as np  # noqa: E402
from numba.extending import register_jitable  # noqa: E402

gc.freeze()

TASKS = Path(__file__).resolve().parent
MARK = b"@kernel"
NUMBA_SETTINGS: Any = numba.config
Compiled = TypeVar("Compiled", bound=Callable[..., Any])
Index: TypeAlias = int | np.int64
"""A row, place or code point inside a kernel, where both are one type."""

# numba reads the folder of its cache from a global while it decorates; threads import kernels too.
_DECORATING = threading.Lock()
_UNANNOUNCED = threading.Lock()

log = logging.getLogger(__name__)


def _skip_blas() -> None:
    """Spare the import of SciPy, a third of what numba takes to load its first kernel.

    numba looks there for the BLAS that multiplies matrices, which no kernel does.
    """
    linalg: Any = importlib.import_module("numba.np.linalg")
    found = linalg.ensure_blas

    def refuse() -> None:
        raise ImportError("kernels need no BLAS")

    linalg.ensure_blas = refuse
    try:
        importlib.import_module("numba.np.arraymath")
    finally:
        linalg.ensure_blas = found


_skip_blas()


def kernel(function: Compiled) -> Compiled:
    """Compile `function` on its first call, once per machine.

    numba sees a change of a kernel's own file, not of a file whose kernels it calls; so the cache
    lies in a folder named by the source of every kernel.
    """
    with _DECORATING:
        default = NUMBA_SETTINGS.CACHE_DIR
        folder = Path(default) if default else TASKS / "__pycache__"
        NUMBA_SETTINGS.CACHE_DIR = str(folder / f"numba-{_kernels_digest()}")
        try:
            return cast("Compiled", numba.njit(nogil=True, cache=True)(function))
        finally:
            NUMBA_SETTINGS.CACHE_DIR = default


def kernel_part(function: Compiled) -> Compiled:
    """Let kernels call `function`, which allocates no memory; from Python it is what it was.

    This spares numba the compiled entry from Python and a cache of its own, a sixth of the time
    that compiling takes; and counting references to the arrays it is given, up and down again at
    each call, though the kernel that calls it holds them: up to half the time that it runs.
    """
    part: Compiled = register_jitable(nogil=True, _nrt=False)(function)
    return part


def uncounted(compiled: Compiled) -> Compiled:
    """The same kernel, which allocates no memory, compiled so that it counts no references."""
    settings: Any = compiled
    settings.targetoptions["_nrt"] = False
    return compiled


def load_numba() -> None:
    """Load what any first kernel needs, 0.2 s that something else may fill; once in a process.

    Under numba's own lock, as when it loads a kernel: threads that load at once break both.
    """
    registry: Any = importlib.import_module("numba.core.registry")
    lock: Any = importlib.import_module("numba.core.compiler_lock")
    with lock.global_compiler_lock:
        registry.cpu_target.typing_context.refresh()
        registry.cpu_target.target_context.refresh()


def announce_compilation(*kernels: Any) -> None:
    """Log that the first run on a machine compiles, where one of the kernels is not cached yet."""
    if not all(_is_cached(one) for one in kernels):
        _announce()


def _announce() -> None:
    """Say it once in a process, however many threads have kernels to compile."""
    if _UNANNOUNCED.acquire(blocking=False):  # for good
        log.info("compiling kernels, once per machine: this takes some seconds")
        # A compiler makes little garbage and many objects: the collector would take a tenth of it.
        gc.set_threshold(100_000)


def default_threads() -> int:
    """The cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def thread_pool(threads: int | None) -> ThreadPoolExecutor:
    """Threads for kernels, which hold no GIL; null means one per core."""
    return ThreadPoolExecutor(threads or default_threads(), thread_name_prefix="kernel")


def _is_cached(compiled: Any) -> bool:
    if compiled.signatures:  # it was called before
        return True
    folder = Path(compiled.stats.cache_path)
    return any(folder.glob(f"*{compiled.py_func.__qualname__}-*.nbi"))


@functools.cache
def _kernels_digest() -> str:
    digest = hashlib.sha256(numba.__version__.encode())
    for file in sorted(TASKS.rglob("*.py")):
        source = file.read_bytes()
        if MARK in source:
            digest.update(source)
    return digest.hexdigest()[:16]
