"""What a refresh tells the outside: Prefect events with numbers in their payload."""

from prefect.events import emit_event

from schemas.adapter import TrainingRun
from schemas.outcome import Outcome
from schemas.pushed import PushedVersion


def of_refresh(outcome: Outcome) -> None:
    """Emit `winnow.corpus.published`, `.unchanged` or `.rejected`."""
    emit_event(
        event=f"winnow.corpus.{outcome.status}",
        resource={
            "prefect.resource.id": f"winnow.corpus.{outcome.corpus}",
            "prefect.resource.name": f"{outcome.corpus} {outcome.version}",
        },
        payload=outcome.model_dump(mode="json"),
    )


def of_push(pushed: PushedVersion, rows: int) -> None:
    """Emit `winnow.dataset.pushed`: the version is on the Hub, with so many rows."""
    emit_event(
        event="winnow.dataset.pushed",
        resource={
            "prefect.resource.id": f"winnow.dataset.{pushed.repo}",
            "prefect.resource.name": pushed.uri,
        },
        payload={**pushed.model_dump(mode="json"), "rows": rows},
    )


def of_training(run: TrainingRun) -> None:
    """Emit `winnow.adapter.pushed` where this run pushed one."""
    manifest = run.manifest
    if run.status == "unchanged" or manifest.pushed is None:
        return
    emit_event(
        event="winnow.adapter.pushed",
        resource={
            "prefect.resource.id": f"winnow.adapter.{manifest.pushed.repo}",
            "prefect.resource.name": manifest.pushed.uri,
        },
        payload={
            **manifest.pushed.model_dump(mode="json"),
            "corpus": f"{manifest.corpus}@{manifest.corpus_version}",
            "corpus_digest": manifest.corpus_digest,
            "steps": manifest.steps,
            "loss_before": manifest.before.loss if manifest.before else None,
            "loss_after": manifest.after.loss if manifest.after else None,
        },
    )
