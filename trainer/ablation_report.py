"""report.md of an ablation: what each variant came to, and on which sources."""

from collections.abc import Sequence
from statistics import fmean

from schemas.ablation import Ablation, Trial
from schemas.adapter import AnswerScores, Evaluation
from schemas.page.markdown import inert, table

GROUPS = 12
"""Sources, categories or languages of a table: those with most tokens."""
NONE = "–"


def ablation_markdown(found: Ablation) -> str:
    """The report as Markdown; names are inert."""
    parts = [
        f"# Ablation of {inert(found.recipe)}",
        _lede(found),
        table(
            ("variant", "seed", "rows", "tokens in loss", "steps", "loss", "change", "perplexity"),
            [_base_line(found), *map(_trial_line, found.trials)],
        ),
        _CHANGE,
    ]
    if any(trial.answers for trial in found.trials):
        head = ("variant", "seed", "answers", "exact", "ROUGE-L", "chrF")
        parts += ["## Answers", table(head, _answer_lines(found))]
    for key, title in (("source", "By source"), ("category", "By category")):
        parts += _groups(found, key, title)
    rejected = [trial for trial in found.trials if trial.rejected]
    parts += [
        f"{inert(one.variant.title)}, seed {one.seed}: {inert(one.rejected or '')}"
        for one in rejected
    ]
    return "\n\n".join(parts) + "\n"


_CHANGE = (
    "Change: the variant's loss less that of the whole recipe with the same seed, with its "
    "standard error over the conversations; below 0, what was left out did harm. Within two errors "
    "of 0 nothing is shown. Another seed moves a loss too: compare over several."
)


def _lede(found: Ablation) -> str:
    seen = found.seen_by_a_variant or 0
    less = f"; {seen:,} rows of it that a variant was trained on, or a near copy, are left out"
    return (
        f"Loss in nats per token on {found.conversations or 0:,} validation conversations of "
        f"{inert(found.recipe)} {found.corpus_version}, the same for all{less if seen else ''}."
    )


def _base_line(found: Ablation) -> tuple[str, ...]:
    return ("base model, untrained", "", "", "", "", *_loss(found.base_model, NONE))


def _trial_line(trial: Trial) -> tuple[str, ...]:
    change = NONE
    if trial.change is not None:
        change = f"{trial.change:+.4f}"
        change += f" ± {trial.change_error:.4f}" if trial.change_error is not None else ""
    counts = (trial.rows, trial.trainable_tokens, trial.steps)
    told = tuple(NONE if count is None else f"{count:,}" for count in counts)
    if trial.rejected:
        change = "rejected"
    return (inert(trial.variant.title), str(trial.seed), *told, *_loss(trial.evaluation, change))


def _loss(found: Evaluation | None, change: str) -> tuple[str, str, str]:
    if found is None:
        return NONE, change, NONE
    return f"{found.loss:.4f}", change, f"{found.perplexity:.2f}"


def _answer_lines(found: Ablation) -> list[tuple[str, ...]]:
    lines = [("base model, untrained", "", found.base_answers)]
    lines += [(inert(one.variant.title), str(one.seed), one.answers) for one in found.trials]
    return [(name, seed, *_scores(scores)) for name, seed, scores in lines if scores]


def _scores(one: AnswerScores) -> tuple[str, ...]:
    shares = (one.exact, one.rouge_l, one.chrf)
    return (f"{one.answers:,}", *(f"{share:.1%}" for share in shares))


def _groups(found: Ablation, key: str, title: str) -> list[str]:
    """The loss of every variant on each group, a mean over its seeds; none where there is one."""
    if found.base_model is None or len(found.base_model.of(key)) < 2:
        return []
    variants = list(dict.fromkeys(trial.variant for trial in found.trials))
    measured = {
        variant: [one.evaluation for one in found.trials if one.variant == variant]
        for variant in variants
    }
    rows = [
        (
            inert(name),
            f"{group.conversations:,}",
            f"{group.loss:.4f}",
            *(_mean_loss(measured[variant], key, name) for variant in variants),
        )
        for name, group in list(found.base_model.of(key).items())[:GROUPS]
    ]
    titles = (inert(variant.title) for variant in variants)
    return [f"## {title}", table((key, "conversations", "base model", *titles), rows)]


def _mean_loss(found: Sequence[Evaluation | None], key: str, name: str) -> str:
    losses = [one.of(key)[name].loss for one in found if one is not None]
    return f"{fmean(losses):.4f}" if losses else NONE
