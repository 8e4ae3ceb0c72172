"""report.html of a run: what it learned and how it was made, on one page with no script in it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import yaml

from schemas.adapter import (
    AnswerSample,
    AnswerScores,
    Evaluation,
    GroupLoss,
    LabelAudit,
    TrainingManifest,
    paired_scores,
)
from schemas.manifest import CorpusManifest
from schemas.page.environment import environment
from schemas.page.words import language
from trainer.answers import SAMPLES, read_samples
from trainer.evaluate import GATED_CONVERSATIONS, faults_of
from trainer.files import METRICS, storage_errors, write_text
from trainer.overlap import chrf, folded, rouge_l
from trainer.progress import AUDIT_HEADINGS

REPORT = "report.html"
FOLDER = Path(__file__).parent
SAMPLES_SHOWN = 50
GROUP_TITLES = {"source": "By source", "category": "By category", "language": "By language"}


@dataclass(frozen=True)
class GroupLine:
    """One group of the validation split: its loss of the base model and with the adapter."""

    name: str
    before: GroupLoss
    after: GroupLoss

    @property
    def is_small(self) -> bool:
        """Whether it has too few conversations for its loss to say much."""
        return self.after.conversations < GATED_CONVERSATIONS


@dataclass(frozen=True)
class SampleCard:
    """A question with both answers, and how each scores."""

    sample: AnswerSample
    base: tuple[str, ...]
    adapter: tuple[str, ...]


def write_report(folder: Path, manifest: TrainingManifest, corpus: CorpusManifest) -> None:
    """Write the run's `report.html`, from its manifest and what else its folder holds.

    Raises:
        StorageError: a file of the folder cannot be read, or the report not be written.
    """
    samples = read_samples(folder / SAMPLES)
    in_a_lake = folder.parent.name == "runs"
    link = f"../../{manifest.corpus_uri}/report.html" if in_a_lake else None
    page = render_report(manifest, corpus, read_steps(folder / METRICS), samples, link)
    write_text(folder / REPORT, page)


def read_steps(path: Path) -> pl.DataFrame:
    """One row per whole line of a run's `metrics.jsonl`, with `step` and `loss`; none if none."""
    schema = {"step": pl.Int64, "loss": pl.Float64}
    with storage_errors("read", path):
        data = path.read_bytes() if path.is_file() else b""
    whole = data[: data.rfind(b"\n") + 1]
    if not whole:
        return pl.DataFrame(schema=schema)
    return pl.read_ndjson(whole, schema=schema, ignore_errors=True).drop_nulls().sort("step")


def render_report(
    manifest: TrainingManifest,
    corpus: CorpusManifest,
    steps: pl.DataFrame,
    samples: Sequence[AnswerSample] = (),
    corpus_report: str | None = None,
) -> str:
    """The report of one run as an HTML page that needs nothing beside itself.

    `steps` are those of `read_steps`; `corpus_report` is where the corpus version's page is. All
    text of the corpus and of models is escaped, and the page's own policy forbids scripts and every
    request.
    """
    page = environment(FOLDER).get_template("training_report.html.jinja")
    html: str = page.render(
        manifest=manifest,
        corpus=corpus,
        faults=faults_of(manifest.before, manifest.after, manifest.train),
        groups=group_tables(manifest.before, manifest.after),
        scores=score_lines(manifest.answers_before, manifest.answers_after),
        tasks=paired_scores(manifest.harness_before, manifest.harness_after),
        samples=[_card(sample) for sample in samples[:SAMPLES_SHOWN]],
        asked=len(samples),
        audits=audit_tables(manifest),
        licences=licence_lines(corpus),
        settings=settings_yaml(manifest),
        corpus_report=corpus_report,
        charts=draw_charts(manifest, steps),
    )
    return html


def draw_charts(manifest: TrainingManifest, steps: pl.DataFrame) -> Mapping[str, Any]:
    """The charts by name, as markup."""
    from markupsafe import Markup

    from trainer import training_charts as charts

    before, after, lengths = manifest.before, manifest.after, manifest.lengths
    drawn = {}
    if steps.height:
        drawn["loss"] = charts.loss_chart(steps, before, after)
    if before is not None and after is not None and after.groups:
        drawn["sources"] = charts.sources_chart(before, after)
    if lengths is not None and lengths.histogram is not None:
        drawn["lengths"] = charts.lengths_chart(lengths.histogram, lengths.p50)
    # Vega's own output, with every label escaped by it.
    return {name: Markup(svg) for name, svg in drawn.items()}  # noqa: S704


def group_tables(
    before: Evaluation | None, after: Evaluation | None
) -> list[tuple[str, str, list[GroupLine]]]:
    """A key, its title and its groups, most tokens first; a key that divides nothing is left out.

    Sources are always told.
    """
    if before is None or after is None:
        return []
    tables = []
    for key, title in GROUP_TITLES.items():
        known, found = before.of(key), after.of(key)
        if len(found) > 1 or (found and key == "source"):
            name = language if key == "language" else str
            lines = [GroupLine(name(one), known[one], found[one]) for one in found]
            tables.append((key, title, lines))
    return tables


def score_lines(
    before: AnswerScores | None, after: AnswerScores | None
) -> list[tuple[str, AnswerScores]]:
    """Both models' scores; none where nothing was asked."""
    if before is None or after is None:
        return []
    return [("base model", before), ("with this adapter", after)]


def audit_tables(
    manifest: TrainingManifest,
) -> list[tuple[str, list[tuple[str, str]], list[LabelAudit]]]:
    """For each split that has rows: its name, the audit's columns with headings, and its lines."""
    tables = []
    for split, audits in (
        ("training", manifest.audit),
        ("validation", manifest.validation_audit),
    ):
        if audits:
            lines = [*audits, LabelAudit.total(audits)]
            tables.append((split, list(AUDIT_HEADINGS.items()), lines))
    return tables


def settings_yaml(manifest: TrainingManifest) -> str:
    """The recipe's part on training, in full but for the base model's place on this machine."""
    told = manifest.train.model_dump(mode="json", exclude={"base_model": {"path"}})
    return yaml.safe_dump(told, sort_keys=False, allow_unicode=True, width=100)


def licence_lines(corpus: CorpusManifest) -> list[tuple[str, str, int]]:
    """Source, licence and rows under it, in the corpus's order."""
    return [
        (source.name, licence, rows)
        for source in corpus.sources
        for licence, rows in source.rows_by_licence
    ]


def _card(sample: AnswerSample) -> SampleCard:
    base, adapter = (
        _marks(sample.reference, reply.text, reply.finished)
        for reply in (sample.base, sample.adapter)
    )
    return SampleCard(sample, base, adapter)


def _marks(reference: str, answer: str, finished: bool) -> tuple[str, ...]:
    """What there is to say of one answer."""
    if answer == reference:
        return ("exact",)
    same = "the same but for case and spaces" if folded(answer) == folded(reference) else ""
    cut = "" if finished else "cut off"
    marks = (
        same,
        f"ROUGE-L {rouge_l(reference, answer):.2f}",
        f"chrF {chrf(reference, answer):.2f}",
        cut,
    )
    return tuple(mark for mark in marks if mark)
