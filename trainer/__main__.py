"""`python -m trainer --manifest PATH --recipe RECIPE`: train without Prefect."""

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from schemas.adapter import TrainingRun
from schemas.errors import WinnowError
from schemas.printable import printable
from schemas.recipe import load_recipe
from trainer.progress import Progress
from trainer.quiet import hush
from trainer.run import run

LAKE_VARIABLE = "WINNOW_LAKE"


def main(arguments: list[str] | None = None) -> int:
    """Run the trainer; the exit code is that of the error's class."""
    options = _parser().parse_args(arguments)
    hush()
    progress = Progress()
    try:
        result = run(
            Path(options.manifest),
            load_recipe(options.recipe),
            Path(options.lake),
            Path(options.run_folder) if options.run_folder else None,
            progress,
        )
    except WinnowError as error:
        progress.close()
        Console(stderr=True, highlight=False, soft_wrap=True).print(
            Text.assemble(("error: ", "bold red"), printable(str(error)))
        )
        if options.json:
            _write_json({"status": "failed", "error": type(error).__name__, "message": str(error)})
        return error.exit_code
    progress.close()
    if options.json:
        _write_json(result.model_dump(mode="json"))
    else:
        Console(highlight=False, soft_wrap=True).print(Text(printable(_summary(result))))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m trainer",
        description="Fine-tune a LoRA adapter on a corpus version, accept it and push it.",
        epilog="Exit codes: 0 done, 1 training gave out, 2 usage or config, 3 adapter rejected, "
        "5 storage.",
    )
    parser.add_argument("--manifest", required=True, help="manifest.json of a corpus version")
    parser.add_argument("--recipe", required=True, help="name in deployments/recipes, or YAML file")
    parser.add_argument(
        "--lake",
        default=os.environ.get(LAKE_VARIABLE, "lake"),
        help=f"holds runs, token caches and the folder hub (default: ${LAKE_VARIABLE} or ./lake)",
    )
    parser.add_argument("--run-folder", help="default: <lake>/runs/<run>")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    return parser


def _write_json(value: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def _summary(result: TrainingRun) -> str:
    made = result.manifest
    lines = [f"{result.status}: {made.run}, {made.steps:,} steps, {result.folder}/adapter"]
    if made.before and made.after:
        lines.append(f"validation loss {made.before.loss:.4f} before, {made.after.loss:.4f} after")
    if made.pushed:
        lines.append(f"pushed to {made.pushed.uri}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
