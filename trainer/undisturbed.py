"""Trying a model while it is trained, so that the training does not notice."""

import contextlib
import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch


@contextlib.contextmanager
def undisturbed(model: Any) -> Iterator[None]:
    """Within, a model may be tried and random numbers drawn; afterwards all is as it was."""
    was_training, cache = model.training, model.config.use_cache
    ends = model.generation_config and model.generation_config.eos_token_id
    python, numbers = random.getstate(), np.random.get_state()
    devices = [torch.cuda.current_device()] if torch.cuda.is_available() else []
    try:
        with torch.random.fork_rng(devices):
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numbers)
        model.train(was_training)
        model.config.use_cache = cache
        if model.generation_config:
            model.generation_config.eos_token_id = ends
