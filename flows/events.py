"""What a refresh tells the outside: Prefect events with numbers in their payload."""

from prefect.events import emit_event

from schemas.outcome import Outcome


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


def of_adapter(corpus: str, uri: str, payload: dict[str, object]) -> None:
    """Emit `winnow.adapter.pushed`."""
    emit_event(
        event="winnow.adapter.pushed",
        resource={
            "prefect.resource.id": f"winnow.adapter.{corpus}",
            "prefect.resource.name": uri,
        },
        payload=payload,
    )
