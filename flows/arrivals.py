"""What arrived and what was lost: one bad source does not lose the others."""

from collections.abc import Sequence
from typing import Any

from prefect.futures import PrefectFuture

from schemas.errors import SourceError
from schemas.manifest import FailedSource, RawReceipt, StageManifest
from schemas.recipe import Recipe
from schemas.source import Source
from tasks.lake import Lake


def arrivals(
    sources: Sequence[Source],
    downloads: Sequence[PrefectFuture[Any]],
    normalizing: Sequence[PrefectFuture[Any]],
) -> tuple[tuple[RawReceipt, ...], tuple[StageManifest, ...], tuple[FailedSource, ...]]:
    """What was downloaded and normalised, in the recipe's order, and which sources failed.

    Raises:
        SourceError: not one source arrived; says what each of them said.
        Exception: what a task raised that is not a matter of its source.
    """
    receipts, normalized, failed = [], [], []
    for source, download, normalizes in zip(sources, downloads, normalizing, strict=True):
        error = error_of(download) or error_of(normalizes)
        if error is None:
            receipts.append(download.result())
            normalized.append(normalizes.result())
        elif isinstance(error, SourceError):
            kind = type(error).__name__
            failed.append(FailedSource(name=source.name, error=kind, message=str(error)))
        else:
            raise error
    if not normalized:
        lines = "\n".join(f"  {source.name}: {source.message}" for source in failed)
        raise SourceError(f"no source could be read, so there is no corpus to make:\n{lines}")
    return tuple(receipts), tuple(normalized), tuple(failed)


def error_of(future: PrefectFuture[Any]) -> BaseException | None:
    """What a finished task raised, or None where it completed."""
    future.wait()
    if future.state.is_completed():
        return None
    error = future.state.result(raise_on_failure=False)
    return error if isinstance(error, BaseException) else RuntimeError(str(future.state.message))


def with_sets_at_hand(recipe: Recipe, lake_uri: str, receipts: Sequence[RawReceipt]) -> Recipe:
    """The recipe with its downloaded evaluation sets read from where they lie in the lake."""
    lake = Lake(lake_uri)
    places = {
        receipt.source: str(lake.local(f"{receipt.uri}/{file.name}", file.sha256))
        for receipt in receipts
        for file in receipt.files[:1]
    }
    return recipe.with_evaluation_sets(
        tuple(
            one.at(places[one.upstream.name]) if one.upstream else one
            for one in recipe.evaluation_sets
        )
    )
