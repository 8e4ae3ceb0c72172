"""What each stage leaves in the Prefect UI: small tables, and a summary that names the report."""

from collections.abc import Sequence
from pathlib import Path

from prefect.artifacts import create_link_artifact, create_markdown_artifact, create_table_artifact

from schemas.ablation import Ablation
from schemas.adapter import TrainingRun
from schemas.manifest import CorpusManifest, FailedSource, RawReceipt, StageManifest
from schemas.outcome import Outcome
from schemas.pushed import PushedVersion
from schemas.stores import is_bucket

Row = dict[str, str | int | float | None]


def of_downloads(receipts: Sequence[RawReceipt], failed: Sequence[FailedSource]) -> None:
    """A row per source: where it came from, what came, or why nothing did."""
    rows: list[Row] = [
        {
            "source": receipt.source,
            "files": len(receipt.files),
            "size_bytes": sum(file.size_bytes for file in receipt.files),
            "revision": receipt.revision or receipt.digest[:12],
            "upstream": receipt.upstream,
            "error": None,
        }
        for receipt in receipts
    ]
    rows += [{"source": source.name, "error": source.message[:500]} for source in failed]
    create_table_artifact(key="download", table=rows, description="What was downloaded.")


def of_stage(name: str, stages: Sequence[StageManifest]) -> None:
    """A row per stage, source and reason with the rows that were dropped, and one per stage."""
    rows: list[Row] = []
    for stage in stages:
        place = stage.source or (stage.parents[0].source if len(stage.parents) == 1 else None)
        rows.append(
            {
                "stage": stage.stage,
                "source": place or "all",
                "rows_in": stage.rows_in,
                "rows_out": stage.rows_out,
                "drops": ", ".join(f"{drop.reason} {drop.rows}" for drop in stage.drops)[:1000],
            }
        )
    create_table_artifact(key=name, table=rows, description=f"Rows through {name}.")


def of_version(manifest: CorpusManifest, outcome: Outcome) -> None:
    """The summary of a refresh, and a link to its report."""
    drops = "\n".join(
        f"| {stage} | {reason} | {rows:,} |"
        for stage, reasons in manifest.dropped().items()
        for reason, rows in reasons.items()
    )
    gates = "\n".join(
        f"| {gate.gate} | {'passed' if gate.passed else '**failed**'} | {gate.found:g} "
        f"| {gate.bound:g} |"
        for gate in manifest.gates
    )
    more = manifest.rows_repeated
    repeated = f" ({more:,} of them repeated)" if more else ""
    text = f"""# {manifest.name} {manifest.version}: {outcome.status}

{manifest.rows_in:,} rows in, {manifest.rows_out:,} rows out{repeated}. Digest
`{manifest.digest[:16]}…`

Full report: `{outcome.path}/report.html`

| stage | reason | rows |
|---|---|---:|
{drops}

| gate | result | found | bound |
|---|---|---:|---:|
{gates}
"""
    create_markdown_artifact(key="summary", markdown=text, description="What the refresh came to.")
    create_link_artifact(
        key="report",
        link=page_link(f"{outcome.path}/report.html"),
        link_text=f"{manifest.name} {manifest.version} report",
        description="The full report, where the lake is.",
    )


def page_link(place: str) -> str:
    """A link to a page of a lake: of one in a bucket it is the page's URI."""
    return place if is_bucket(place) else Path(place).absolute().as_uri()


def of_push(pushed: PushedVersion) -> None:
    """A link to the version on the Hub."""
    create_link_artifact(
        key="dataset",
        link=pushed.uri,
        link_text=f"{pushed.repo} {pushed.version}",
        description="The version on the Hugging Face Hub.",
    )


def of_training(run: TrainingRun) -> None:
    """The labels that were audited, and what training came to."""
    audit: list[Row] = [entry.model_dump(mode="json") for entry in run.manifest.audit]
    create_table_artifact(key="labels", table=audit, description="Labels before the first step.")
    manifest = run.manifest
    before, after = manifest.before, manifest.after
    losses = f"{before.loss:.4f} → {after.loss:.4f}" if before and after else "no validation split"
    pushed = (
        f"{manifest.pushed.repo} at {manifest.pushed.commit}" if manifest.pushed else "not pushed"
    )
    text = f"""# {manifest.run}: {run.status}

| | |
|---|---|
| corpus | {manifest.corpus} {manifest.corpus_version}, `{manifest.corpus_digest[:16]}…` |
| base model | {manifest.base_model} |
| steps | {manifest.steps:,} |
| validation loss | {losses} |
| tokens per second | {manifest.tokens_per_s:,.0f} |
| adapter | {pushed} |
"""
    create_markdown_artifact(key="adapter", markdown=text, description="What training came to.")


def of_ablation(ablation: Ablation, place: str) -> None:
    """A row per trial: its variant, its loss, and what that is less the whole recipe's."""
    rows: list[Row] = [
        {
            "variant": trial.variant.title,
            "seed": trial.seed,
            "rows": trial.rows,
            "loss": trial.evaluation.loss if trial.evaluation else None,
            "change": trial.change,
            "change_error": trial.change_error,
            "perplexity": trial.evaluation.perplexity if trial.evaluation else None,
            "rouge_l": trial.answers.rouge_l if trial.answers else None,
            "rejected": trial.rejected and trial.rejected[:500],
        }
        for trial in ablation.trials
    ]
    told = f"Variants of {ablation.recipe}, all on the same validation rows. Report: {place}"
    create_table_artifact(key="ablation", table=rows, description=told)
