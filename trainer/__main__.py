"""`python -m trainer --manifest PATH --recipe RECIPE`: train without Prefect.

On several GPUs: `torchrun --nproc-per-node 4 -m trainer …`, or `accelerate launch`.
"""

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from schemas.adapter import TrainingRun
from schemas.errors import ConfigError, WinnowError
from schemas.printable import printable
from schemas.recipe import load_recipe
from schemas.stores import is_bucket
from trainer import processes
from trainer.progress import Progress
from trainer.quiet import hush
from trainer.run import assist, run

LAKE_VARIABLE = "WINNOW_LAKE"


def main(arguments: list[str] | None = None) -> int:
    """Run the trainer; the exit code is that of the error's class."""
    options = _parser().parse_args(arguments)
    hush()
    progress = Progress(quiet=not processes.is_first())
    try:
        recipe, lake = load_recipe(options.recipe), _folder(options.lake)
        folder = Path(options.run_folder) if options.run_folder else None
        if not processes.is_first():
            assist(recipe, lake, folder, progress)
            return 0
        result = run(options.manifest, recipe, lake, folder, progress)
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


def _folder(lake: str) -> Path:
    """The lake's folder; runs are made on a disk, also of a corpus in a bucket."""
    if is_bucket(lake):
        raise ConfigError(
            f"--lake {lake}: a run is made on a disk. Name a folder for it with --lake; or use "
            "`winnow train`, which puts the run into the bucket afterwards."
        )
    return Path(lake)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m trainer",
        description="Fine-tune a LoRA adapter on a corpus version, accept it and push it.",
        epilog="Exit codes: 0 done, 1 training gave out, 2 usage or config, 3 adapter rejected, "
        "5 storage.",
    )
    parser.add_argument(
        "--manifest", required=True, help="manifest.json of a corpus version, or its URI"
    )
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
