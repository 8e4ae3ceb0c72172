"""What a refresh says when it is over: its outcome, or the error that a rejected version is."""

import contextlib
from collections.abc import Iterator

from schemas.adapter import TrainingRun
from schemas.errors import GateFailed, SourceError, WinnowError
from schemas.manifest import CorpusManifest
from schemas.outcome import Outcome, Status
from tasks.corpora import version_key
from tasks.lake import Lake


def outcome_of(lake_uri: str, manifest: CorpusManifest, is_new: bool) -> Outcome:
    """The outcome of a refresh that made (`is_new`) or found a version."""
    status = Status.UNCHANGED
    if manifest.status == "rejected":
        status = Status.REJECTED
    elif is_new:
        status = Status.PUBLISHED
    path = Lake(lake_uri).at(version_key(manifest.name, manifest.version))
    return Outcome.of(manifest, status, path)


@contextlib.contextmanager
def carries(outcome: Outcome) -> Iterator[None]:
    """Have an error of the block tell what was done before it."""
    try:
        yield
    except WinnowError as error:
        error.outcome = outcome
        raise


def adapter_uri(run: TrainingRun) -> str:
    """Where the adapter of a training run is: where it was pushed to, or its folder."""
    pushed = run.manifest.pushed
    return pushed.uri if pushed else f"{run.folder}/adapter"


def rejection(manifest: CorpusManifest, outcome: Outcome) -> WinnowError:
    """The error for a version that was written and not promoted; carries its outcome."""
    failed = [gate for gate in manifest.gates if not gate.passed]
    gates = "\n".join(
        f"  {gate.gate}: found {gate.found:g}, bound {gate.bound:g}"
        + (f" ({gate.detail})" if gate.detail else "")
        for gate in failed
    )
    sources = "\n".join(f"  {source.name}: {source.message}" for source in manifest.failed_sources)
    text = (
        f"corpus {manifest.name!r} {manifest.version} is rejected, latest stays "
        f"{manifest.parent or 'unset'}. Gates that failed:\n{gates}\n"
        + (f"Sources that failed:\n{sources}\n" if sources else "")
        + f"See {outcome.path}/report.html, then mend the source or the recipe's gates and refresh."
    )
    of_sources = any(gate.gate == "max_failed_sources" for gate in failed)
    error = SourceError(text) if of_sources else GateFailed(text)
    error.outcome = outcome
    return error
