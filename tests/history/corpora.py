"""Small versions of a corpus called `tiny`, published in a lake, from rows drawn as tables."""

from collections.abc import Mapping

from schemas.manifest import CorpusManifest, GateResult, Statistics
from tasks.lake import Lake
from tasks.publish.version import publish_version
from tests.judgements import judgement, recipe_of

PASSED = (GateResult(gate="min_rows", passed=True, found=3, bound=1),)
FAILED = (GateResult(gate="min_rows", passed=False, found=0, bound=1),)
HEAD = "source | user | assistant | reason\n"
TABLE = f"""{HEAD}
alpaca | Name a primate.       | Lemur       |
alpaca | Say nothing.          |             | empty_response
alpaca | Name a colour.        | Teal        |
belle  | name a PRIMATE.       | lemur       | exact_duplicate
belle  | Name one colour.      | Teal        | near_duplicate
belle  | 一加一等于几？          | 二           |
"""
MORE = f"{TABLE}belle | Another prompt. | Another answer. |\n"
OTHERS = f"{MORE}belle | A third prompt. | A third answer. |\n"


def pages(manifest: CorpusManifest, folder: str) -> Mapping[str, str]:
    return {"report.html": f"report of {manifest.version}"}


def publish(
    lake: Lake,
    table: str = TABLE,
    gates: tuple[GateResult, ...] = PASSED,
    unread: int = 0,
    **changes: object,
) -> CorpusManifest:
    """The version that these rows make."""
    judged, receipts = judgement(lake, table, unread)
    recipe = recipe_of(*(receipt.source for receipt in receipts), **changes)
    return publish_version(lake, recipe, judged, receipts, (), Statistics(), gates, pages)[0]
