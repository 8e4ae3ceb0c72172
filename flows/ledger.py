"""`winnow why`, `winnow ledger` and `winnow try`: what became of a row, and whether rightly."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import indent
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.looking import lake_of, version_of
from flows.options import Json
from flows.terminal import err, near, one_object, out, plain, table
from flows.worddiff import word_diff
from schemas.errors import ConfigError
from schemas.manifest import CorpusManifest

if TYPE_CHECKING:
    import polars as pl

    from flows.trial import Plan
    from tasks.trial.outcome import Moved, Trial

SHOWN_CHARS = 2_000  # of a message in a list; `why` of one row shows all of it
BRIEF_CHARS = 300
SHOWN_COUNTS = 20
DROPPED, RELEASED = "would drop", "would let pass"
LEAVING, ENTERING = "would leave the version", "would enter the version"

Examples = Mapping[str, list[dict[str, Any]]]
Corpus = Annotated[str | None, typer.Option("--corpus", help="NAME or NAME@v0007")]
Seed = Annotated[int, typer.Option(min=0, help="another seed draws another sample")]
Sampled = Annotated[int, typer.Option("--sample", min=0, help="rows of each kind to read, at most")]


def why(
    context: typer.Context,
    query: Annotated[
        str,
        typer.Argument(metavar="WHAT", help="a record id or 8 digits of it, source:row, or text"),
    ],
    corpus: Corpus = None,
    limit: Annotated[int, typer.Option(min=1, help="rows shown, at most")] = 20,
    json: Json = False,
) -> None:
    """Say why a row is in a version, or which stage dropped it and on what evidence."""
    from tasks.publish.ledger import answer
    from tasks.publish.search import nothing_found

    if not query.strip():
        raise ConfigError("why what? Give a record id, source:row, or a piece of text.")
    lake = lake_of(context)
    manifest = version_of(lake, corpus)
    found = answer(lake, manifest, query, limit)
    if not found.rows:
        raise nothing_found(lake, manifest, query)
    if json:
        one_object(found.rows)
    else:
        if found.total > 1:
            _show_counts(found.counts, found.total)
        for row in found.rows:
            _show_row(row, None if found.total == 1 else SHOWN_CHARS)
    more = found.total - len(found.rows)
    if more:
        err.print(plain(f"{more:,} more of {found.total:,}; more with --limit"))


def ledger(
    context: typer.Context,
    corpus: Corpus = None,
    reason: Annotated[str | None, typer.Option(help="rows dropped for this reason")] = None,
    stage: Annotated[str | None, typer.Option(help="rows dropped by this stage")] = None,
    source: Annotated[str | None, typer.Option(help="rows of this source")] = None,
    sample: Annotated[
        int | None, typer.Option(min=1, help="show so many rows instead of counts")
    ] = None,
    seed: Seed = 0,
    csv: Annotated[
        Path | None, typer.Option(help="write the rows, or the sample of them, to this file")
    ] = None,
    json: Json = False,
) -> None:
    """Count what a version dropped, or show a sample of it to judge a rule by."""
    from tasks.publish.sampled import Question, dropped_rows, sample_ledger, write_csv

    lake = lake_of(context)
    manifest = version_of(lake, corpus)
    question = Question(reason, stage, source).checked(manifest)
    drops = dropped_rows(manifest, question)
    total = sum(drop.rows for drop in drops)
    drawn = sample_ledger(lake, manifest, question, sample, seed) if sample else None
    if csv is not None:
        write_csv(lake, manifest, question, csv, (sample, seed) if sample else None)
    if json:
        answer: dict[str, Any] = {
            "corpus": manifest.name,
            "version": manifest.version,
            "rows": total,
            "drops": [drop.model_dump(mode="json") for drop in drops],
        }
        one_object(answer | ({} if drawn is None else {"seed": seed, "sample": drawn}))
        return
    if drawn is None:
        rows = [(drop.stage, drop.reason, drop.source, drop.rows) for drop in drops]
        table(
            f"{manifest.name} {manifest.version}: {total:,} rows dropped",
            ("stage", "reason", "source", "rows"),
            rows,
        )
    else:
        for row in drawn:
            _show_row(row, SHOWN_CHARS)
        out.print(plain(f"{len(drawn):,} of {total:,} rows dropped (--seed {seed})"))
    if csv is not None:
        written = total if drawn is None else len(drawn)
        out.print(plain(f"{near(str(csv.absolute()))}: {written:,} rows"))


def try_rule(
    context: typer.Context,
    rule: Annotated[str, typer.Argument(help="a rule of the recipe: lengths, near, echo, …")],
    changes: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="a key of that rule")
    ] = None,
    corpus: Corpus = None,
    recipe: Annotated[
        str | None, typer.Option(help="take the rule from this recipe's file as it is now")
    ] = None,
    source: Annotated[str | None, typer.Option(help="of this source's rows only")] = None,
    sample: Sampled = 5,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Report what a changed rule would drop and let pass; nothing is published.

    Without --set: what the code of today says of a version that was made by another.
    """
    from flows.trial import examples, planned, tried
    from schemas.recipe import load_recipe
    from tasks.history.leases import reading

    lake = lake_of(context)
    named = corpus or (load_recipe(recipe).name if recipe else None)
    with reading(lake):
        manifest = version_of(lake, named)
        plan = planned(manifest, rule, changes or (), recipe)
        with err.status(plain(f"trying {plan.rule}")):
            trial = tried(lake, manifest, plan, source, sample, seed)
            shown = {what: examples(lake, manifest, plan, moved) for what, moved in _moves(trial)}
    if json:
        one_object(_trial_object(manifest, plan, trial, shown))
    else:
        _show_trial(manifest, plan, trial, shown)


def _show_counts(counts: "pl.DataFrame", total: int) -> None:
    rows = counts.head(SHOWN_COUNTS).select("status", "stage", "drop_reason", "source", "rows")
    table(f"{total:,} rows", ("status", "stage", "reason", "source", "rows"), rows.rows())


def _show_row(row: Mapping[str, Any], shown_chars: int | None) -> None:
    """A row with all that is known of it: its texts, every verdict, what it fell to."""
    out.print(plain(_headline(row)))
    _show_evidence(row["evidence"])
    for verdict in row.get("verdicts", ()):
        said = verdict["reason"] or ("passes" if verdict["asked"] else "not asked: it had fallen")
        out.print(plain(f"  {verdict['stage']}: {said}"))
        if verdict["evidence"] != row["evidence"]:
            _show_evidence(verdict["evidence"], "    ")
    if row.get("not_asked"):
        stages = ", ".join(row["not_asked"])
        out.print(plain(f"  gone from the lake, so its verdict is not known: {stages}"))
    _show_items(row)
    _show_messages(row["messages"], "  ", shown_chars)
    _show_kept(row.get("kept"), row["messages"], shown_chars)
    out.print()


def _show_kept(
    kept: Mapping[str, Any] | None,
    fallen: Sequence[Mapping[str, str]] | None,
    shown_chars: int | None,
    margin: str = "  ",
) -> None:
    """The row that another fell to, where the two differ, and what it fell to in its turn."""
    if kept is None:
        return
    out.print(plain(f"{margin}fell to {_headline(kept)}"))
    margin += "  "
    _show_difference(kept["messages"], fallen, margin)
    _show_messages(kept["messages"], margin, shown_chars)
    _show_kept(kept.get("kept"), kept["messages"], shown_chars, margin)


def _headline(row: Mapping[str, Any]) -> str:
    verdict = f"{row['status']}"
    if row["reason"]:
        verdict += f" by {row['stage']}: {row['reason']}"
    return f"{row['source']}:{row['source_row']}  {row['record_id'] or '-'}  {verdict}"


def _show_evidence(evidence: Mapping[str, Any], margin: str = "  ") -> None:
    for name, value in evidence.items():
        out.print(plain(f"{margin}{name}: {indent(str(value), margin + '  ').strip()}"))


def _show_items(row: Mapping[str, Any]) -> None:
    for item in row["evaluation_items"]:
        out.print(plain(f"  evaluation item {item['set']}:{item['row']}"))
        out.print(plain(indent(item["excerpt"], "    | ", lambda _: True)))


def _show_messages(
    messages: Sequence[Mapping[str, str]] | None, margin: str, shown_chars: int | None
) -> None:
    for message in messages or ():
        text = message["content"]
        if shown_chars is not None and len(text) > shown_chars:
            text = f"{text[:shown_chars]} … ({len(text):,} characters)"
        out.print(plain(indent(f"{message['role']}> {text}", margin, lambda _: True)))


def _show_difference(
    kept: Sequence[Mapping[str, str]] | None,
    dropped: Sequence[Mapping[str, str]] | None,
    margin: str,
) -> None:
    """Where prompt and response differ from the kept row's: [-only there-], {+only here+}."""
    if not kept or not dropped:
        return
    for part, old, new in (
        ("prompt", _prompt(kept), _prompt(dropped)),
        ("response", kept[-1]["content"], dropped[-1]["content"]),
    ):
        difference = word_diff(old, new)
        if difference:
            out.print(plain(indent(f"{part}: {difference}", f"{margin}~ ", lambda _: True)))


def _prompt(messages: Sequence[Mapping[str, str]]) -> str:
    return "\n\n".join(message["content"] for message in messages[:-1])


def _moves(trial: "Trial") -> "tuple[tuple[str, Moved], ...]":
    """What moves by the rule itself, then in the end."""
    return (
        (DROPPED, trial.dropped),
        (RELEASED, trial.released),
        (LEAVING, trial.leaving),
        (ENTERING, trial.entering),
    )


def _trial_object(
    manifest: CorpusManifest, plan: "Plan", trial: "Trial", shown: Examples
) -> dict[str, Any]:
    return {
        "corpus": manifest.name,
        "version": manifest.version,
        "rule": plan.rule,
        "changes": {key: {"from": old, "to": new} for key, (old, new) in plan.changes.items()},
        "rows": trial.rows,
        "published": trial.published,
        "dropped": _moved_object(trial.dropped, shown[DROPPED]),
        "released": _moved_object(trial.released, shown[RELEASED]),
        "covered": trial.covered,
        "would_be_published": trial.would_be_published,
        "leaving": _moved_object(trial.leaving, shown[LEAVING]),
        "entering": _moved_object(trial.entering, shown[ENTERING]),
        "notes": list(trial.notes),
    }


def _moved_object(moved: "Moved", shown: list[dict[str, Any]]) -> dict[str, Any]:
    counts = [
        {"reason": reason, "source": source, "rows": rows}
        for reason, source, rows in moved.counts.rows()
    ]
    return {"rows": moved.rows, "by": counts, "examples": shown}


def _show_trial(manifest: CorpusManifest, plan: "Plan", trial: "Trial", shown: Examples) -> None:
    changes = ", ".join(
        f"{key} {_value(old)} → {_value(new)}" for key, (old, new) in plan.changes.items()
    )
    out.print(plain(f"{manifest.name} {manifest.version}, {plan.rule}: {changes or 'as it was'}"))
    counts = [
        (what, reason, source, rows)
        for what, moved in _moves(trial)
        for reason, source, rows in moved.counts.rows()
    ]
    if counts:
        table("", ("", "reason", "source", "rows"), counts)
    seen = set()
    for what, rows in shown.items():
        for row in rows:
            place = f"{row['source']}:{row['source_row']}  {row['record_id']}"
            if place in seen:  # it moves by the rule, and so in the end
                continue
            seen.add(place)
            out.print(plain(f"{what} {place}  {row['reason']}"))
            _show_evidence(row["evidence"])
            _show_items(row)
            _show_messages(row["messages"], "  ", BRIEF_CHARS)
            _show_kept(row.get("kept"), row["messages"], BRIEF_CHARS)
            out.print()
    share = trial.dropped.rows / trial.published if trial.published else 0.0
    out.print(
        plain(
            f"by the rule itself {trial.dropped.rows:,} of {trial.published:,} published rows "
            f"would fall ({share:.2%}), {trial.released.rows:,} dropped ones would pass; "
            f"{trial.rows:,} rows were judged, nothing was published"
        )
    )
    out.print(
        plain(
            f"in the end, with what depends on it run again, {trial.would_be_published:,} rows "
            f"would be published: {trial.leaving.rows:,} would leave, {trial.entering.rows:,} enter"
        )
    )
    if trial.covered:
        out.print(plain(f"{trial.covered:,} more break the rule and fall to dedupe as it is"))
    for note in trial.notes:
        err.print(plain(f"note: {note}"))


def _value(value: Any) -> str:
    if value is None:
        return "unset"
    return str(value).lower() if isinstance(value, bool) else str(value)
