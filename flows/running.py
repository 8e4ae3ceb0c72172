"""What every command that works on a lake does first, and how a signal ends it."""

import contextlib
import signal
from collections.abc import Iterator
from pathlib import Path

import typer

from flows.terminal import err, plain
from schemas.errors import ConfigError
from schemas.recipe import Recipe

INTERRUPTED = 130


def preflight(recipe: str, local: dict[str, str] | None = None) -> Recipe:
    """The recipe, once it is known to be right and a server answers: before any work is done.

    `local` points sources and evaluation sets at local copies, for who refreshes; None is for who
    does not, and asks for no evaluation set.
    """
    from flows.server import check_server
    from schemas.recipe import load_recipe

    plan = load_recipe(recipe, {name: Path(path) for name, path in (local or {}).items()})
    for one in () if local is None else plan.evaluation_sets:
        if one.path is not None and not Path(one.path).is_file():
            raise ConfigError(
                f"evaluation set {one.name!r}: {one.path} is not a file. Correct its path in the "
                f"recipe, or give a copy with --from {one.name}=PATH."
            )
    check_server()
    return plan


@contextlib.contextmanager
def stoppable() -> Iterator[None]:
    """Say what an interrupt leaves behind.

    SIGTERM ends the work as Ctrl-C does, so that Prefect's own server ends with it.
    """
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    except KeyboardInterrupt:
        err.print(plain("winnow: interrupted; finished stages are kept, run it again to go on"))
        raise typer.Exit(INTERRUPTED) from None
    finally:
        signal.signal(signal.SIGTERM, before)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt
