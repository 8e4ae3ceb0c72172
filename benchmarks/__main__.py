"""`make bench`: every benchmark in turn, each beside a peer in the same run."""

import subprocess
import sys

from tests.real import ROOT, missing

if __name__ == "__main__":
    corpora = [] if missing() else ["--corpora", str(ROOT)]
    worst = 0
    for name, arguments in (
        ("dedupe", corpora),
        ("normalize", []),
        ("filter", []),
        ("refresh", []),
        ("versions", []),
    ):
        sys.stdout.write(f"\n== {name}\n")
        sys.stdout.flush()
        done = subprocess.run([sys.executable, "-m", f"benchmarks.{name}", *arguments], check=False)
        worst = max(worst, done.returncode)
    sys.exit(worst)
