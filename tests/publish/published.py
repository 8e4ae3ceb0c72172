"""Small published versions, for tests of what others make of them."""

from collections.abc import Mapping
from pathlib import Path

from schemas.manifest import CorpusManifest, GateResult, Statistics
from tasks.corpora import version_key
from tasks.judged import judged_index
from tasks.lake import Lake
from tasks.measure.composition import composition
from tasks.publish.version import publish_version
from tests.judgements import judgement, recipe_of

PASSED = (GateResult(gate="min_rows", passed=True, found=3, bound=1),)
FAILED = (GateResult(gate="min_rows", passed=False, found=0, bound=1),)
TABLE = """
    source | licence      | user             | assistant | reason
    alpaca | CC-BY-NC-4.0 | Name a primate.  | Lemur     |
    alpaca | CC-BY-NC-4.0 | Say nothing.     |           | empty_response
    alpaca | CC-BY-NC-4.0 | Name a colour.   | Teal      |
    belle  | GPL-3.0-only | name a PRIMATE.  | lemur     | exact_duplicate
    belle  | GPL-3.0-only | 一加一等于几？   | 二        |
    belle  | unknown      | Name a <b>|fish. | 鱼 `tuna` |
""".replace("<b>|", "<b>")
"""Four of its rows are published."""
BOTH_SPLITS = {"seed": 3, "split": {"validation_share": 0.4, "max_cluster_share": 1.0}}
"""Parts of a recipe under which three of them are in train and one is in validation."""


def publish(
    lake: Lake, table: str = TABLE, gates: tuple[GateResult, ...] = PASSED, **parts: object
) -> CorpusManifest:
    """The version that a refresh of these rows publishes."""
    judged, receipts = judgement(lake, table)
    recipe = recipe_of(*(receipt.source for receipt in receipts), **parts)
    index = judged_index(lake, judged)
    kept = index.lazy().filter(index["drop_reason"].is_null())
    statistics = Statistics(composition=composition(kept))
    manifest, _ = publish_version(lake, recipe, judged, receipts, (), statistics, gates, report)
    return manifest


def report(manifest: CorpusManifest, folder: str) -> Mapping[str, str]:
    return {"report.html": f"report of {manifest.version}"}


def folder_of(lake: Lake, manifest: CorpusManifest) -> Path:
    return Path(lake.at(version_key(manifest.name, manifest.version)))
