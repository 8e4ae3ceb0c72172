"""`winnow ablate`: what a corpus's sources and rules bring, by training without them."""

from typing import TYPE_CHECKING, Annotated

import typer

from flows.options import Copies, Json, local_copies
from flows.terminal import near, one_object, out, plain, table
from schemas.errors import ConfigError

if TYPE_CHECKING:
    from schemas.ablation import Ablation, Trial
    from schemas.adapter import AnswerScores, Evaluation

COLUMNS = ("variant", "seed", "rows", "loss", "change", "±", "perplexity", "ROUGE-L")


def ablate(
    context: typer.Context,
    recipe: Annotated[str, typer.Argument(help="recipe with a train section")],
    without_source: Annotated[
        list[str] | None,
        typer.Option(help="train without it; A,B leaves out both; may be repeated"),
    ] = None,
    without: Annotated[
        list[str] | None,
        typer.Option(metavar="RULE", help="train without a rule, as dedupe.near; may be repeated"),
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="train each so often, by other seeds")] = 1,
    copies: Copies = None,
    json: Json = False,
) -> None:
    """Train a recipe with and without some of it, and table what that does to validation loss."""
    from flows.running import preflight, stoppable
    from schemas.ablation import REPORT, variants_of

    sources, rules = tuple(without_source or ()), tuple(without or ())
    if not (sources or rules):
        raise ConfigError("ablate what? Say --without-source NAME or --without RULE.")
    local = local_copies(copies)
    variants_of(preflight(recipe, local), sources, rules)

    from flows.progress import watched
    from flows.train_variants import train_variants

    with stoppable(), watched(quiet=json):
        found, place = train_variants(recipe, context.obj, sources, rules, seeds, local)
    if json:
        one_object(found.model_dump(mode="json") | {"path": place})
        return
    show(found)
    out.print(plain(f"report: {near(place)}/{REPORT}"))


def show(found: "Ablation") -> None:
    """Table the trials on standard output."""
    seen = found.seen_by_a_variant
    title = f"{found.recipe}: on {found.conversations:,} validation conversations"
    title += f"; {seen:,} that a variant was trained on are left out" if seen else ""
    untrained = ("base model, untrained", None, None)
    base = _measures(found.base_model, None, None, found.base_answers)
    table(title, COLUMNS, [(*untrained, *base), *map(_cells, found.trials)])


def _cells(trial: "Trial") -> tuple[object, ...]:
    about = (trial.variant.title, trial.seed, trial.rows)
    change = "rejected" if trial.rejected else _signed(trial.change)
    error = None if trial.change_error is None else f"{trial.change_error:.4f}"
    return (*about, *_measures(trial.evaluation, change, error, trial.answers))


def _measures(
    found: "Evaluation | None",
    change: str | None,
    error: str | None,
    answers: "AnswerScores | None",
) -> tuple[str | None, ...]:
    loss, perplexity = (f"{found.loss:.4f}", f"{found.perplexity:.2f}") if found else (None, None)
    return loss, change, error, perplexity, f"{answers.rouge_l:.3f}" if answers else None


def _signed(change: float | None) -> str | None:
    return None if change is None else f"{change:+.4f}"
