"""`winnow export` and `winnow import`: versions for other programs, and for other lakes."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.looking import lake_of, version_of
from flows.options import Json
from flows.terminal import near, one_object, out, plain, table
from flows.versions import Version
from schemas.errors import ConfigError
from schemas.history import ExportFormat
from schemas.stores import is_bucket, without_scheme

if TYPE_CHECKING:
    from tasks.lake import Lake


def export(
    context: typer.Context,
    version: Version,
    folder: Annotated[str, typer.Argument(help="an empty or new folder, or a URI")],
    form: Annotated[
        ExportFormat, typer.Option("--format", help="arrow and jsonl can be imported again")
    ] = ExportFormat.ARROW,
    json: Json = False,
) -> None:
    """Write a version as Arrow, JSON Lines, Alpaca, ShareGPT, messages or HugNLP text."""
    from tasks.history.export import export_version
    from tasks.history.forms import FORMS
    from tasks.history.leases import reading
    from tasks.lake import Lake

    lake = lake_of(context)
    destination = Lake(folder)
    with reading(lake):
        manifest = version_of(lake, version)
        done = export_version(lake, manifest, destination, form)
    if json:
        one_object({"folder": destination.uri, **done.model_dump(mode="json")})
        return
    rows = [(file.name, file.split, file.rows, file.left_out) for file in done.files]
    table(near(destination.uri), ("file", "split", "rows", "left out"), rows)
    if FORMS[form].loses:
        out.print(plain(f"not in it: {FORMS[form].loses}"))


def import_(
    context: typer.Context,
    folder: Annotated[str, typer.Argument(help="what `winnow export` wrote")],
    json: Json = False,
) -> None:
    """Make an exported version one of this lake, every digest checked."""
    from tasks.history.restore import import_version
    from tasks.lake import Lake

    manifest, is_new = import_version(Lake(context.obj), _export_at(folder))
    if json:
        told = manifest.model_dump(mode="json", include={"name", "version", "digest", "status"})
        one_object({**told, "is_new": is_new})
        return
    said = "imported" if is_new else "was there already"
    out.print(plain(f"{manifest.name} {manifest.version} {said}: {manifest.rows_out:,} rows"))


def _export_at(folder: str) -> "Lake":
    """An export to read; looking for one does not make a folder."""
    from tasks.lake import Lake

    place = without_scheme(folder)
    if not is_bucket(place) and not Path(place).expanduser().is_dir():
        raise ConfigError(f"{folder} is not a folder. Name one that `winnow export` wrote.")
    return Lake(folder)
