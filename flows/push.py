"""`winnow push`: a published version onto the Hub, by hand."""

from typing import Annotated

import typer

from flows.looking import lake_of, version_of
from flows.options import Json
from flows.terminal import one_object, out, plain
from schemas.errors import ConfigError
from schemas.manifest import CorpusManifest
from schemas.recipe import Publish

Corpus = Annotated[
    str | None, typer.Argument(help="NAME or NAME@v0007; may be left out where there is one corpus")
]


def push(
    context: typer.Context,
    corpus: Corpus = None,
    to: Annotated[
        str | None, typer.Option(help="ORGANISATION/NAME; what its recipe says else")
    ] = None,
    public: Annotated[bool, typer.Option(help="the repository may be seen by everyone")] = False,
    json: Json = False,
) -> None:
    """Push a version to a dataset repository of the Hugging Face Hub, as one commit."""
    from tasks.history.leases import reading
    from tasks.publish.hub import push_version
    from tasks.publish.token import hub_token

    lake = lake_of(context)
    with reading(lake):
        manifest = version_of(lake, corpus)
        publish = _publish(manifest, to, public)
        pushed, is_new = push_version(lake, manifest, publish, hub_token(publish), again=True)
    if json:
        one_object(pushed.model_dump(mode="json") | {"is_new": is_new})
    else:
        done = "pushed" if is_new else "there already"
        out.print(plain(f"{pushed.corpus} {pushed.version} {done}: {pushed.uri}"))


def _publish(manifest: CorpusManifest, to: str | None, public: bool) -> Publish:
    """Where a version goes: what the command says, else its recipe; raises ConfigError."""
    recipe = manifest.recipe.get("publish")
    said = recipe if isinstance(recipe, dict) else {}
    repo = to or said.get("hub")
    if not repo:
        raise ConfigError(
            f"push where? The recipe of {manifest.name} {manifest.version} names no publish.hub: "
            "say --to ORGANISATION/NAME."
        )
    private = not public if to or public else said.get("private", True)
    return Publish.from_mapping({"hub": repo, "private": private}, "--to")
