"""Proof, before the first step, that the conversations of a pack do not see one another."""

from dataclasses import replace
from typing import Any

import torch

from schemas.errors import ConfigError
from trainer.batches import PackingCollator
from trainer.memory import is_out_of_memory

_ROWS = ((5, 3, 8, 6, 4, 9, 7), (9, 4, 4, 3, 6, 8, 5, 7, 3, 6))
"""Token ids of two conversations that every vocabulary has."""
_LEAK = 0.1
"""Of the difference that seeing the other conversation makes: what rounding may make, at most."""
_ROUNDING = 1e-5


def isolating(model: Any, collator: PackingCollator, name: str) -> PackingCollator:
    """The collator, or one that writes the mask itself where `model` needs that.

    Raises:
        ConfigError: a packed conversation has not the logits that it has alone, either way.
    """
    found = _fault(model, collator)
    if found is None:
        return collator
    masked = replace(collator, mask=next(model.parameters()).dtype)
    if not collator.flat and _fault(model, masked) is None:
        return masked
    raise ConfigError(
        f"train.packing: {name} cannot keep the conversations of a pack apart ({found}). Set "
        "train.packing to false: its conversations are batched by length then."
    )


def _fault(model: Any, collator: PackingCollator) -> str | None:
    """What is wrong with the logits of a packed conversation, held against those it has alone.

    It ends two packs of one batch, of which one is padded. The difference is measured by what
    seeing the conversation before it would make, so that the bound serves bfloat16 and float32,
    large models and small.
    """
    first, last = _ROWS
    try:
        packed = _logits(model, collator, [(first, last), (last, first, last)])
        alone = _logits(model, collator, [(last,)])[0]
        mixed = _logits(model, collator, [(first + last,)])[0]
    except (TypeError, ValueError, RuntimeError) as error:
        if is_out_of_memory(error):
            raise
        return str(error).splitlines()[0]
    leaked = max(float((one[-len(last) :] - alone).abs().max()) for one in packed)
    if leaked <= max(_LEAK * float((mixed[-len(last) :] - alone).abs().max()), _ROUNDING):
        return None
    return f"a logit differs by {leaked:.2g} from that of the conversation alone"


def _logits(
    model: Any, collator: PackingCollator, packs: list[tuple[tuple[int, ...], ...]]
) -> list[torch.Tensor]:
    """Each pack's, its tokens x vocabulary."""
    rows = [[{"input_ids": list(row), "labels": list(row)} for row in pack] for pack in packs]
    batch = collator(rows)
    batch.pop("labels")
    device = next(model.parameters()).device
    was_training = model.training
    model.eval()
    with torch.inference_mode():
        found = model(**{key: tensor.to(device) for key, tensor in batch.items()}, use_cache=False)
    model.train(was_training)
    widths = [sum(map(len, pack)) for pack in packs]
    logits: torch.Tensor = found.logits.float()
    if collator.flat:
        return list(torch.split(logits[0, : sum(widths)], widths))
    return [one[:width] for one, width in zip(logits, widths, strict=True)]
