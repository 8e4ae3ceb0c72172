"""The model card that travels with an adapter: `README.md` with YAML metadata."""

from collections.abc import Sequence
from typing import Any

import yaml

from schemas.adapter import (
    AnswerSample,
    AnswerScores,
    Evaluation,
    LabelAudit,
    StartedFrom,
    TaskScore,
    TrainingManifest,
    paired_scores,
)
from schemas.manifest import CorpusManifest
from schemas.page.markdown import inert, one_line, table
from schemas.page.words import excerpt
from schemas.train import Method, Quantize, Train

SOURCE_COLUMNS = (
    *("source", "licence and rows", "rows in corpus", "conversations seen", "tokens in the loss"),
)
GROUPS_SHOWN = 12
SAMPLES_SHOWN = 4
EXCERPT_CHARS = 200


def model_card(
    manifest: TrainingManifest, corpus: CorpusManifest, samples: Sequence[AnswerSample] = ()
) -> str:
    """Markdown with YAML front matter; every name from a recipe or source is escaped."""
    judged = (
        "## Loss on the validation split",
        _losses(manifest.before, manifest.after),
        *_group_losses(manifest.before, manifest.after),
        *_answers(manifest.answers_before, manifest.answers_after, samples),
        *_harness(manifest),
    )
    origin = _origin(manifest, corpus)
    return _page(manifest, corpus, _title(manifest), origin, judged, _usage(manifest))


def checkpoint_card(manifest: TrainingManifest, corpus: CorpusManifest) -> str:
    """The same for a checkpoint of a run that goes on: it was accepted, and not yet judged."""
    title = f"{_title(manifest)}: checkpoint"
    origin = (
        f"After step {manifest.steps:,} of {manifest.checkpoint_of:,} of a run by Winnow on corpus "
        f"**{inert(corpus.name)}** {corpus.version}. It has not been held against its base model: "
        "what the run ends with is, and goes to `main` if it is not worse."
    )
    library = "transformers" if _is_whole(manifest.train) else "peft"
    use = f"Load it with `{library}`, and with this branch or commit as `revision`."
    return _page(manifest, corpus, title, origin, (), use)


def _page(
    manifest: TrainingManifest,
    corpus: CorpusManifest,
    title: str,
    origin: str,
    judged: Sequence[str],
    use: str,
) -> str:
    """A card: what is told of this adapter in particular, and what a manifest always knows."""
    front = yaml.safe_dump(_metadata(manifest), sort_keys=False, allow_unicode=True)
    sections = (
        f"# {title}",
        origin,
        "## Where it comes from",
        table(("", ""), _provenance(manifest)),
        *judged,
        "## Recipe",
        table(("setting", "value"), _settings(manifest)),
        "## What it was trained on",
        table(SOURCE_COLUMNS, _sources(manifest.audit, corpus)),
        "The licence of the base model and of every source above applies to what is made of them.",
        "## Use",
        use,
    )
    return f"---\n{front}---\n\n" + "\n\n".join(sections) + "\n"


def _title(manifest: TrainingManifest) -> str:
    base = inert(manifest.base_model)
    return f"{base}, fine-tuned" if _is_whole(manifest.train) else f"LoRA adapter for {base}"


def _is_whole(train: Train) -> bool:
    return train.method is Method.FULL


def _origin(manifest: TrainingManifest, corpus: CorpusManifest) -> str:
    return (
        f"Trained by Winnow on corpus **{inert(corpus.name)}** {corpus.version}, in "
        f"{manifest.steps:,} steps. `training_manifest.json` beside this card traces it to the "
        "raw bytes of every row."
    )


def _metadata(manifest: TrainingManifest) -> dict[str, Any]:
    return {
        "base_model": one_line(manifest.base_model),
        "library_name": "transformers" if _is_whole(manifest.train) else "peft",
        "pipeline_tag": "text-generation",
        "tags": [_way(manifest.train), "winnow", f"corpus:{manifest.corpus}"],
        "license": "other",
        "license_name": "base-model-and-sources",
        "license_link": "README.md",
    }


def _way(train: Train) -> str:
    """What was trained, in one word."""
    return "full" if _is_whole(train) else "lora"


def _provenance(manifest: TrainingManifest) -> list[tuple[str, str]]:
    weights = "model" if _is_whole(manifest.train) else "adapter"
    return [
        ("corpus", f"{inert(manifest.corpus)} {manifest.corpus_version}"),
        ("corpus digest", _code(manifest.corpus_digest)),
        ("base model", inert(manifest.base_model)),
        ("base model licence", inert(manifest.train.base_model.licence)),
        ("base revision", inert(manifest.base_revision)),
        ("base weights, SHA-256", _code(manifest.base_digest)),
        *_started(manifest.started_from),
        ("tokenizer digest", _code(manifest.tokenizer_digest)),
        ("template digest", _code(manifest.template_digest)),
        (f"{weights} weights, SHA-256", _code(manifest.adapter_sha256)),
        ("libraries", inert(", ".join(f"{name} {found}" for name, found in manifest.libraries))),
    ]


def _started(start: StartedFrom | None) -> list[tuple[str, str]]:
    """The adapter that training went on from, and the corpus that one had learnt."""
    if start is None:
        return []
    learnt = f", of {start.corpus} {start.corpus_version}" if start.corpus else ""
    return [
        ("started from", inert(f"{start.name}{learnt}")),
        ("its weights, SHA-256", _code(start.adapter_sha256)),
    ]


def _losses(before: Evaluation | None, after: Evaluation | None) -> str:
    if before is None or after is None:
        return "The corpus has no validation split, so none was measured."
    rows = [
        (name, f"{one.loss:.4f}", f"{one.perplexity:.2f}", f"{one.trainable_tokens:,}")
        for name, one in (("base model", before), ("with this adapter", after))
    ]
    return table(("", "loss, nats per token", "perplexity", "tokens"), rows)


def _group_losses(before: Evaluation | None, after: Evaluation | None) -> list[str]:
    """A table for each key that divides the validation split, with the groups of most tokens."""
    if before is None or after is None:
        return []
    tables = []
    for key in ("source", "category", "language"):
        known, found = before.of(key), after.of(key)
        rows = [
            (
                inert(one.value),
                f"{known[one.value].loss:.4f}",
                f"{one.loss:.4f}",
                f"{one.perplexity:.2f}",
                f"{one.conversations:,}",
            )
            for one in list(found.values())[:GROUPS_SHOWN]
        ]
        if len(found) > 1:
            head = (key, "loss before", "loss after", "perplexity after", "conversations")
            tables.append(table(head, rows))
        if len(found) > GROUPS_SHOWN:
            tables.append(f"And {len(found) - GROUPS_SHOWN:,} more in `training_manifest.json`.")
    return tables


def _answers(
    before: AnswerScores | None, after: AnswerScores | None, samples: Sequence[AnswerSample]
) -> list[str]:
    """What both models answered the same validation prompts, scored, and some to read."""
    if before is None or after is None:
        return []
    scored = [
        (name, *(f"{share:.1%}" for share in (one.exact, one.exact_folded, one.rouge_l, one.chrf)))
        for name, one in (("base model", before), ("with this adapter", after))
    ]
    shown = [
        tuple(map(_excerpt, (one.prompt, one.reference, one.base.text, one.adapter.text)))
        for one in samples[:SAMPLES_SHOWN]
    ]
    parts = [
        "## Answers to validation prompts",
        f"{after.answers:,} prompts, answered greedily and held against the corpus's answers.",
        table(("", "exact", "exact but for case and spaces", "ROUGE-L", "chrF"), scored),
    ]
    if shown:
        parts.append(table(("prompt", "corpus", "base model", "with this adapter"), shown))
    return parts


def _harness(manifest: TrainingManifest) -> list[str]:
    """The scores of lm-evaluation-harness, where the recipe asked for them."""
    lines = paired_scores(manifest.harness_before, manifest.harness_after)
    if not lines:
        return []
    rows = [
        (
            inert(one.task),
            inert(one.metric),
            *map(_with_error, (before, one)),
            _count(one.documents),
        )
        for before, one in lines
    ]
    head = ("task", "metric", "base model", "with this adapter", "documents")
    return ["## lm-evaluation-harness", table(head, rows)]


def _with_error(score: TaskScore | None) -> str:
    if score is None:
        return ""
    error = "" if score.error is None else f" ± {score.error:.4f}"
    return f"{score.value:.4f}{error}"


def _count(number: int | None) -> str:
    return "" if number is None else f"{number:,}"


def _batch(manifest: TrainingManifest) -> str:
    """Conversations to a step, as the recipe says; where it left that open, as it was found."""
    train, found = manifest.train, manifest.step_rows
    if found is None:
        return f"{train.batch_size} x {train.gradient_accumulation} conversations"
    several = f" x {found.processes} processes" if found.processes > 1 else ""
    how = ", found by trial" if train.batch_size == "auto" else ""
    return f"{found.batch_size} x {found.accumulation} conversations{several}{how}"


def _settings(manifest: TrainingManifest) -> list[tuple[str, str]]:
    train, lora = manifest.train, manifest.train.lora
    settings = {
        "template": train.template or "the base model's own",
        "supervised turns": train.supervise.value,
        "method": _method(train),
        "rank, alpha, dropout": f"{lora.rank}, {lora.alpha:g}, {lora.dropout:g}",
        "targets": ", ".join(lora.targets),
        "max_tokens": f"{train.max_tokens}, longer ones: {train.over_long.value}",
        "batch": _batch(manifest),
        "learning rate": f"{train.learning_rate:g}, {train.schedule}",
        "seed": str(manifest.seed),
    }
    unused = ("rank, alpha, dropout", "targets") if _is_whole(train) else ()
    return [(name, inert(value)) for name, value in settings.items() if name not in unused]


def _method(train: Train) -> str:
    if _is_whole(train):
        return "all weights"
    kinds = {"rsLoRA": train.lora.rslora, "DoRA": train.lora.dora}
    chosen = " with ".join(name for name, is_on in kinds.items() if is_on) or "LoRA"
    held = {
        Quantize.NONE: "",
        Quantize.NF4: " over 4-bit NF4 weights, double quantisation",
        Quantize.INT8: " over 8-bit weights",
    }
    return chosen + held[train.quantize]


def _sources(audit: tuple[LabelAudit, ...], corpus: CorpusManifest) -> list[tuple[str, ...]]:
    seen = {one.source: one for one in audit}
    rows: list[tuple[str, ...]] = []
    for source in corpus.sources:
        one = seen.get(source.name)
        kept, trainable = (one.kept, one.trainable_tokens) if one else (0, 0)
        rows.append(
            (
                inert(source.name),
                ", ".join(f"{inert(name)}: {rows:,}" for name, rows in source.rows_by_licence),
                f"{source.rows_out:,}",
                f"{kept:,}",
                f"{trainable:,}",
            )
        )
    return rows


def _usage(manifest: TrainingManifest) -> str:
    if _is_whole(manifest.train):
        return (
            "Load it with `transformers`, tokenizer and chat template included, or talk to it with "
            "`winnow chat`."
        )
    return (
        f"Load it with `peft` onto {inert(manifest.base_model)}, or talk to it with `winnow chat`, "
        "which renders conversations as in training."
    )


def _excerpt(value: str) -> str:
    """The beginning of a text of the corpus or of a model, inert."""
    flat = one_line(excerpt(value, EXCERPT_CHARS))
    return inert(flat) or "(nothing)"


def _code(value: str) -> str:
    return f"`{value}`"
