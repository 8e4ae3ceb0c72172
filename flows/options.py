"""Options that several commands have."""

from typing import Annotated

import typer

from schemas.errors import ConfigError

Json = Annotated[bool, typer.Option("--json", help="print one JSON object and nothing else")]
Copies = Annotated[
    list[str] | None, typer.Option("--from", help="SOURCE=PATH: read it from a local copy")
]
TrustRemoteCode = Annotated[
    bool,
    typer.Option(
        "--trust-remote-code",
        help="run the Python that an adapter from elsewhere says its base model brings",
    ),
]


def local_copies(given: list[str] | None) -> dict[str, str]:
    """What `--from` says, path by source; raises ConfigError where it is no SOURCE=PATH."""
    copies = {}
    for item in given or ():
        name, mark, path = item.partition("=")
        if not (name and mark and path):
            raise ConfigError(
                f"--from {item!r}: expected SOURCE=PATH, e.g. --from alpaca=data.json"
            )
        if name in copies:
            raise ConfigError(f"--from names source {name!r} twice")
        copies[name] = path
    return copies
