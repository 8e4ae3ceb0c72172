"""The evaluation sets of a stored recipe, from where they lie now."""

from pydantic import ValidationError

from schemas.errors import ConfigError
from schemas.filter import Contamination, EvaluationSet
from schemas.manifest import RawReceipt
from tasks.filter.contamination import EvaluationIndex
from tasks.filter.stage import index_sets, load_index
from tasks.lake import Lake


def evaluation_index(lake: Lake, contamination: Contamination) -> EvaluationIndex | None:
    """The index of a recipe's evaluation sets, made or found in the lake; None where it has none.

    Raises:
        ConfigError: a set can no longer be read, or its download is not in the lake.
    """
    if not contamination.enabled or not contamination.sets:
        return None
    sets = tuple(_at_hand(lake, one) for one in contamination.sets)
    return load_index(lake.uri, index_sets(lake, contamination.model_copy(update={"sets": sets})))


def _at_hand(lake: Lake, one: EvaluationSet) -> EvaluationSet:
    """The set as a file of this machine: one that was downloaded lies in the lake."""
    if one.upstream is None:
        return one
    there = lake.entries(f"raw/{one.upstream.name}")
    kept = [entry for entry in there if entry.key.endswith("/receipt.json")]
    for entry in sorted(kept, key=lambda entry: entry.modified_at, reverse=True):
        try:
            receipt = RawReceipt.model_validate_json(lake.read(entry.key))
        except ValidationError:
            continue
        file = receipt.files[0]
        return one.at(str(lake.local(f"{receipt.uri}/{file.name}", file.sha256)))
    raise ConfigError(
        f"evaluation set {one.name!r} is not in the lake any more. Run the refresh again: it "
        "downloads it."
    )
