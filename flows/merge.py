"""`winnow merge`: an adapter and its base model as one model that loads without Winnow."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

import typer

from flows.looking import disk_with
from flows.options import Json, TrustRemoteCode
from flows.terminal import near, one_object, out, plain

GB = 1e9
"""Bytes."""


def merge(
    context: typer.Context,
    to: Annotated[Path, typer.Option("--out", help="new folder for the merged model")],
    adapter: Annotated[
        str | None,
        typer.Argument(help="run, adapter folder or org/repo; the newest run else"),
    ] = None,
    dtype: Annotated[
        Literal["auto", "float32", "bfloat16", "float16"],
        typer.Option(help="of the merged weights; auto: the base model's own"),
    ] = "auto",
    trust_remote_code: TrustRemoteCode = False,
    json: Json = False,
) -> None:
    """Merge a LoRA adapter into its base model and write the model, read back and compared."""
    from trainer.quiet import hush

    hush()
    from trainer.merge import merge as merged_into

    lake = disk_with(context.obj, adapter)
    made = merged_into(adapter, lake, to, dtype, trusts_code=trust_remote_code)
    if json:
        one_object(asdict(made))
        return
    out.print(
        plain(
            f"merged into {near(made.folder)}: {made.size_bytes / GB:.2f} GB of {made.dtype}; its "
            f"logits are within {made.logit_difference:.2g} of the adapted model's, the adapter "
            f"makes {made.adapter_difference:.2g}"
        )
    )
