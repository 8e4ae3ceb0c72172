"""Ctrl-C while a model answers: noted when it comes, obeyed between two tokens.

A KeyboardInterrupt is raised wherever Python happens to be. Where that is a finalizer or a callback
that torch calls, it is printed and dropped, and the answer goes on.
"""

import contextlib
import signal
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from types import FrameType


@dataclass
class Interrupt:
    """Whether Ctrl-C came."""

    came: bool = False


@contextlib.contextmanager
def noting() -> Iterator[Interrupt]:
    """Within, the first Ctrl-C is only noted; a second one does what it did before.

    Nothing changes in another than the main thread, which alone gets signals, and where Ctrl-C is
    ignored or handled by no Python.
    """
    interrupt = Interrupt()
    if threading.current_thread() is not threading.main_thread():
        yield interrupt
        return
    before = signal.getsignal(signal.SIGINT)
    if not callable(before):
        yield interrupt
        return

    def note(_number: int, _frame: FrameType | None) -> None:
        interrupt.came = True
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, note)
    try:
        yield interrupt
    finally:
        signal.signal(signal.SIGINT, before)
