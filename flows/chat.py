"""`winnow chat` and `winnow generate`: a model's answers, one at a time or a file of them."""

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import MofNCompleteColumn, Progress, TimeElapsedColumn, TimeRemainingColumn

from flows.looking import disk_with
from flows.options import Json, TrustRemoteCode
from flows.running import INTERRUPTED
from flows.terminal import err, one_object, out, plain
from schemas.answers import Decoding
from schemas.errors import ConfigError

if TYPE_CHECKING:
    from trainer.generation import Assistant

WARMTH = 0.7

Model = Annotated[
    str | None,
    typer.Argument(help="run, adapter folder or repository, model folder; the newest run else"),
]
Base = Annotated[
    str | None, typer.Option(metavar="RECIPE", help="a recipe's bare base model, no adapter")
]
Template = Annotated[
    str | None, typer.Option(help="named template, for a model that Winnow did not train")
]
System = Annotated[str | None, typer.Option(help="the system message; '' for none")]
Identity = Annotated[Path | None, typer.Option(help="file whose first line is the system message")]
MaxNewTokens = Annotated[int, typer.Option(min=1, help="per answer, at most")]
Temperature = Annotated[float | None, typer.Option(min=0, help="0 takes the likeliest token")]
TopP = Annotated[float, typer.Option(help="sample among the likeliest tokens of this probability")]
TopK = Annotated[int, typer.Option(min=0, help="sample among this many likeliest tokens; 0: all")]
Beams = Annotated[int, typer.Option(min=1, help="2 or more: beam search")]
RepetitionPenalty = Annotated[float, typer.Option(help="above 1: fewer repeated tokens")]
Stop = Annotated[list[str] | None, typer.Option(help="text that ends an answer; may be repeated")]


def chat(
    context: typer.Context,
    model: Model = None,
    base: Base = None,
    template: Template = None,
    prompt: Annotated[str | None, typer.Option(help="answer this and leave")] = None,
    system: System = None,
    identity: Identity = None,
    max_new_tokens: MaxNewTokens = 256,
    temperature: Temperature = None,
    top_p: TopP = 0.9,
    top_k: TopK = 0,
    beams: Beams = 1,
    repetition_penalty: RepetitionPenalty = 1.0,
    stop: Stop = None,
    seed: Annotated[
        int | None, typer.Option(min=0, help="the same seed gives the same answers; random else")
    ] = None,
    trust_remote_code: TrustRemoteCode = False,
    web: Annotated[bool, typer.Option("--web", help="on a page of this machine")] = False,
    port: Annotated[int, typer.Option(min=1, max=65535, help="of that page")] = 7860,
) -> None:
    """Talk to a trained model, in the terminal or on a page.

    A temperature of 0.7 is taken where none is given, and 0 for beam search.
    """
    if web and prompt is not None:
        raise ConfigError("--web and --prompt: a page asks its own questions. Leave one out.")
    decoding = _decoding(
        max_new_tokens=max_new_tokens,
        temperature=(WARMTH if beams == 1 else 0.0) if temperature is None else temperature,
        top_p=top_p,
        top_k=top_k,
        beams=beams,
        repetition_penalty=repetition_penalty,
        stop=tuple(stop or ()),
        seed=secrets.randbelow(2**31) if seed is None else seed,
    )
    said = _system_message(system, identity)
    if web:
        from trainer.web import check

        check(port)
    if prompt is None:
        err.print(plain("loading the model"))
    assistant = _open(context, model, base, template, said, trust_remote_code)
    if web:
        from trainer.web import serve

        serve(assistant, decoding, port, lambda url: out.print(plain(f"{url} (Ctrl-C stops it)")))
    else:
        _talk(assistant, decoding, prompt)


def generate(
    context: typer.Context,
    asked: Annotated[
        Path, typer.Option("--in", metavar="FILE", help="JSON Lines: prompt, messages, instruction")
    ],
    answers: Annotated[
        Path, typer.Option("--out", metavar="FILE", help="JSON Lines; what is there is not redone")
    ],
    model: Model = None,
    base: Base = None,
    template: Template = None,
    system: System = None,
    identity: Identity = None,
    batch_size: Annotated[int, typer.Option(min=1, help="answered at the same time")] = 8,
    max_new_tokens: MaxNewTokens = 256,
    temperature: Temperature = 0.0,
    top_p: TopP = 0.9,
    top_k: TopK = 0,
    beams: Beams = 1,
    repetition_penalty: RepetitionPenalty = 1.0,
    stop: Stop = None,
    seed: Annotated[int, typer.Option(min=0, help="another one samples other answers")] = 0,
    trust_remote_code: TrustRemoteCode = False,
    json: Json = False,
) -> None:
    """Answer every line of a file; run again, it goes on where it stopped."""
    decoding = _decoding(
        max_new_tokens=max_new_tokens,
        temperature=temperature or 0.0,
        top_p=top_p,
        top_k=top_k,
        beams=beams,
        repetition_penalty=repetition_penalty,
        stop=tuple(stop or ()),
        seed=seed,
    )
    if not asked.is_file():
        raise ConfigError(f"--in {asked}: no such file")
    said = _system_message(system, identity)
    assistant = _open(context, model, base, template, said, trust_remote_code)

    from trainer.batch_answers import answer_file

    try:
        with _counted() as on_progress:
            done = answer_file(assistant, asked, answers, decoding, batch_size, on_progress)
    except KeyboardInterrupt:
        err.print(plain("winnow: interrupted; finished answers are kept, run it again to go on"))
        raise typer.Exit(INTERRUPTED) from None
    if json:
        one_object({"answers": str(answers), "rows": done.rows, "failed": done.failed,
                    "tokens": done.tokens, "before": done.before})  # fmt: skip
        return
    out.print(plain(f"{answers}: {done.rows - done.failed:,} answers, {done.tokens:,} tokens"))
    if done.before:
        out.print(plain(f"{done.before:,} lines were done before"))
    if done.failed:
        err.print(plain(f"{done.failed:,} lines have no answer; their `error` says why"))


def _open(
    context: typer.Context,
    model: str | None,
    base: str | None,
    template: str | None,
    system: str | None,
    trusts_code: bool,
) -> "Assistant":
    from trainer.quiet import hush

    hush()
    from trainer.opening import open_assistant

    lake = Path() if base is not None else disk_with(context.obj, model)
    return open_assistant(
        model, lake, base=base, template=template, system=system, trusts_code=trusts_code
    )


def _talk(assistant: "Assistant", decoding: Decoding, prompt: str | None) -> None:
    from schemas.answers import Finish
    from trainer.chat import answer_one, converse
    from trainer.conversation import Conversation

    talk = Conversation(assistant, decoding)
    if prompt is None:
        converse(talk, out)
    elif answer_one(talk, prompt, out).finish is Finish.INTERRUPTED:
        raise typer.Exit(INTERRUPTED)


def _decoding(**options: object) -> Decoding:
    return Decoding.from_mapping(options, where="options")


def _system_message(system: str | None, identity: Path | None) -> str | None:
    if identity is None:
        return system
    if system is not None:
        raise ConfigError("--system and --identity both set the system message. Leave one out.")
    from trainer.identity import read_identity

    return read_identity(identity)


@contextmanager
def _counted() -> Iterator[Callable[[int, int], None]]:
    """A function that shows how many lines are done, where a terminal looks on."""
    columns = (MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*Progress.get_default_columns()[:2], *columns, console=err,
                  disable=not err.is_terminal) as bar:  # fmt: skip
        answering = bar.add_task("answering", total=None)
        yield lambda done, rows: bar.update(answering, completed=done, total=rows)
