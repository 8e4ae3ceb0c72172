"""Kernels that count no references: half the time where small functions pass arrays around."""

from typing import Any, TypeVar

Kernel = TypeVar("Kernel", bound=Any)


def uncounted(kernel: Kernel) -> Kernel:
    """The same kernel, compiled so that it neither allocates nor counts references to its arrays.

    numba counts those that each call is given, up and down again, though the first caller holds all
    of them. One that allocates does not compile then.
    """
    kernel.targetoptions["_nrt"] = False
    return kernel
