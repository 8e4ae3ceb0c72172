"""How the libraries below behave: no telemetry, no bars, no chatter, no spinning threads."""

import logging
import os
import warnings


def hush() -> None:
    """Call before torch, transformers or huggingface_hub are imported; safe to call again."""
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("TRANSFORMERS_NO_ADVISORY_WARNINGS", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    os.environ.setdefault("TQDM_DISABLE", "1")  # transformers reads GGUF behind a bar of its own
    # OpenMP's threads spin while they wait for one another: on two cores that others use too, a
    # matrix product took 5 times as long as with threads that sleep.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    for name in ("bitsandbytes", "huggingface_hub", "datasets", "accelerate"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module=r"(transformers|peft|torch|bitsandbytes|accelerate)\.")


def hush_transformers() -> None:
    """The same for transformers, whose switches exist only once it is imported."""
    from transformers.utils import logging as transformers_logging

    transformers_logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
