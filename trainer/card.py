"""The model card that travels with an adapter: `README.md` with YAML metadata."""

from typing import Any

import yaml

from schemas.adapter import Evaluation, LabelAudit, TrainingManifest
from schemas.manifest import CorpusManifest
from schemas.train import Train


def model_card(manifest: TrainingManifest, corpus: CorpusManifest) -> str:
    """Markdown with YAML front matter; every name from a recipe or source is escaped."""
    front = yaml.safe_dump(_metadata(manifest), sort_keys=False, allow_unicode=True)
    sections = (
        f"# LoRA adapter for {_text(manifest.base_model)}",
        _origin(manifest, corpus),
        "## Where it comes from",
        _table(("", ""), _provenance(manifest)),
        "## Loss on the validation split",
        _losses(manifest.before, manifest.after),
        "## Recipe",
        _table(("setting", "value"), _settings(manifest.train, manifest.seed)),
        "## What it was trained on",
        _table(
            ("source", "licence", "rows in corpus", "conversations seen", "tokens in the loss"),
            _sources(manifest.audit, corpus),
        ),
        "The licence of the base model and of every source above applies to what is made of them.",
        "## Use",
        _usage(manifest),
    )
    return f"---\n{front}---\n\n" + "\n\n".join(sections) + "\n"


def _origin(manifest: TrainingManifest, corpus: CorpusManifest) -> str:
    return (
        f"Trained by Winnow on corpus **{_text(corpus.name)}** {corpus.version}, in "
        f"{manifest.steps:,} steps. `training_manifest.json` beside this card traces it to the "
        "raw bytes of every row."
    )


def _metadata(manifest: TrainingManifest) -> dict[str, Any]:
    return {
        "base_model": _one_line(manifest.base_model),
        "library_name": "peft",
        "pipeline_tag": "text-generation",
        "tags": ["lora", "winnow", f"corpus:{manifest.corpus}"],
        "license": "other",
        "license_name": "base-model-and-sources",
        "license_link": "README.md",
    }


def _provenance(manifest: TrainingManifest) -> list[tuple[str, str]]:
    return [
        ("corpus", f"{_text(manifest.corpus)} {manifest.corpus_version}"),
        ("corpus digest", _code(manifest.corpus_digest)),
        ("base model", _text(manifest.base_model)),
        ("base model licence", _text(manifest.train.base_model.licence)),
        ("base revision", _text(manifest.base_revision)),
        ("base weights, SHA-256", _code(manifest.base_digest)),
        ("tokenizer digest", _code(manifest.tokenizer_digest)),
        ("template digest", _code(manifest.template_digest)),
        ("adapter weights, SHA-256", _code(manifest.adapter_sha256)),
        ("libraries", _text(", ".join(f"{name} {found}" for name, found in manifest.libraries))),
    ]


def _losses(before: Evaluation | None, after: Evaluation | None) -> str:
    if before is None or after is None:
        return "The corpus has no validation split, so none was measured."
    rows = [
        (name, f"{one.loss:.4f}", f"{one.perplexity:.2f}", f"{one.trainable_tokens:,}")
        for name, one in (("base model", before), ("with this adapter", after))
    ]
    return _table(("", "loss, nats per token", "perplexity", "tokens"), rows)


def _settings(train: Train, seed: int) -> list[tuple[str, str]]:
    lora = train.lora
    settings = {
        "template": train.template or "the base model's own",
        "supervised turns": train.supervise.value,
        "rank, alpha, dropout": f"{lora.rank}, {lora.alpha:g}, {lora.dropout:g}",
        "targets": ", ".join(lora.targets),
        "max_tokens": f"{train.max_tokens}, longer ones: {train.over_long.value}",
        "batch": f"{train.batch_size} x {train.gradient_accumulation} conversations",
        "learning rate": f"{train.learning_rate:g}, {train.schedule}",
        "seed": str(seed),
    }
    return [(name, _text(value)) for name, value in settings.items()]


def _sources(audit: tuple[LabelAudit, ...], corpus: CorpusManifest) -> list[tuple[str, ...]]:
    seen = {one.source: one for one in audit}
    rows: list[tuple[str, ...]] = []
    for source in corpus.sources:
        one = seen.get(source.name)
        kept, trainable = (one.kept, one.trainable_tokens) if one else (0, 0)
        rows.append(
            (
                _text(source.name),
                _text(source.licence),
                f"{source.rows_out:,}",
                f"{kept:,}",
                f"{trainable:,}",
            )
        )
    return rows


def _usage(manifest: TrainingManifest) -> str:
    return (
        f"Load it with `peft` onto {_text(manifest.base_model)}, or talk to it with `winnow chat`, "
        "which renders conversations as in training."
    )


def _table(head: tuple[str, ...], rows: list[Any]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _text(value: str) -> str:
    """A value as inert Markdown: one line, no markup, no HTML, no table bars."""
    flat = _one_line(value)
    for sign in "\\`*_{}[]<>#|!~$":
        flat = flat.replace(sign, f"\\{sign}" if sign not in "<>" else f"&#{ord(sign)};")
    return flat


def _one_line(value: str) -> str:
    return " ".join(value.split())


def _code(value: str) -> str:
    return f"`{value}`"
