"""Timing of whole processes: wall and CPU seconds and peak memory, as the system accounts them."""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Run:
    """One finished process."""

    wall_s: float
    cpu_s: float
    peak_mb: float
    code: int
    output: str


def run(command: Sequence[str], **environment: str) -> Run:
    """Run a command to its end; peak memory is the largest of it and its children's, in MB."""
    began = time.perf_counter()
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=os.environ | environment,
    )
    output = process.stdout.read() if process.stdout else ""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return Run(
        wall_s=time.perf_counter() - began,
        cpu_s=usage.ru_utime + usage.ru_stime,
        peak_mb=usage.ru_maxrss / 1000,
        code=process.returncode,
        output=output,
    )


def median(runs: Sequence[Run], figure: str) -> float:
    """The median of one figure over several runs."""
    return float(statistics.median(getattr(one, figure) for one in runs))


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a Markdown table, numbers with one decimal."""
    lines = [list(map(str, head)), ["---"] * len(head)]
    lines += [
        [f"{cell:,.1f}" if isinstance(cell, float) else str(cell) for cell in row] for row in rows
    ]
    sys.stdout.write("\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n")
