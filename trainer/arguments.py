"""What the recipe asks of the training loop, in transformers' words, on the machine at hand."""

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from transformers import TrainingArguments

from schemas.adapter import StepRows
from schemas.errors import ConfigError
from schemas.train import Train
from trainer.model import wants_bf16

POLYNOMIAL = {"lr_end": 0.0, "power": 2.0}
"""learning_rate x (1 - the share of the steps that are done) squared."""

LIGER_LAYERS = {"cross_entropy": False, "fused_linear_cross_entropy": False}
"""Without liger's losses: `trainer.head` computes it over labelled positions alone."""

Say = Callable[[str], None]


def training_arguments(train: Train, rows: StepRows, seed: int, folder: Path) -> TrainingArguments:
    """For transformers' Trainer; `folder` gets the checkpoints."""
    bf16 = wants_bf16(train)
    found = TrainingArguments(
        output_dir=str(folder),
        seed=seed,
        data_seed=seed,
        max_steps=train.max_steps,
        num_train_epochs=train.epochs,
        per_device_train_batch_size=rows.batch_size,
        gradient_accumulation_steps=rows.accumulation,
        learning_rate=train.learning_rate,
        optim=optimizer(train),
        lr_scheduler_type=train.schedule,
        lr_scheduler_kwargs=POLYNOMIAL if train.schedule == "polynomial" else {},
        warmup_steps=train.warmup_share if train.warmup_share < 1 else 0.999,
        weight_decay=train.weight_decay,
        max_grad_norm=train.max_grad_norm,
        bf16=bf16,
        use_cpu=not torch.cuda.is_available(),
        torch_compile=train.compile,
        ddp_find_unused_parameters=False,
        save_strategy="steps",
        save_steps=train.save_steps,
        save_total_limit=None,  # `Sealing` deletes, after the new one is whole
        logging_strategy="steps",
        logging_steps=1,
        logging_nan_inf_filter=False,
        include_num_input_tokens_seen="non_padding",
        remove_unused_columns=False,
        dataloader_pin_memory=torch.cuda.is_available(),
        disable_tqdm=True,
        report_to="none",
    )
    found.mixed_precision = "bf16" if bf16 else "no"  # not what accelerate's launcher says
    return found


def optimizer(train: Train) -> str:
    """The optimizer's name in transformers.

    Raises:
        ConfigError: it needs bitsandbytes, which is not installed.
    """
    if train.optimizer == "adamw":
        return "adamw_torch_fused"
    if importlib.util.find_spec("bitsandbytes") is None:
        raise ConfigError(
            f"train.optimizer {train.optimizer} needs bitsandbytes, which is not installed. "
            "Install it with `pip install bitsandbytes`, or set train.optimizer to adamw."
        )
    pages = train.optimizer == "paged_adamw_8bit" and torch.cuda.is_available()
    return "paged_adamw_8bit" if pages else "adamw_8bit"


def say_optimizer(train: Train, say: Say) -> None:
    """Where the optimizer is not the one that the recipe names, a line about it."""
    if train.optimizer == "paged_adamw_8bit" and not torch.cuda.is_available():
        say("paged_adamw_8bit has nothing to page on a CPU: adamw_8bit computes the same")


def recomputes_activations(train: Train) -> bool:
    """Whether activations are computed again in the backward pass."""
    if train.gradient_checkpointing == "auto":
        return torch.cuda.is_available()
    return train.gradient_checkpointing == "on"


def apply_liger(model: Any, train: Train, say: Say) -> None:
    """Put liger-kernel's layers in the model's place, as the recipe says.

    Raises:
        ConfigError: `train.liger` is `on` and they cannot be had.
    """
    if train.liger == "off" or (train.liger == "auto" and not torch.cuda.is_available()):
        return
    wanting = _liger_wanting(model)
    if wanting is None:
        from transformers.integrations.liger import apply_liger_kernel

        apply_liger_kernel(model, LIGER_LAYERS)  # type: ignore[no-untyped-call]
        return
    if train.liger == "on":
        raise ConfigError(f"train.liger is on, but {wanting}. Set it to auto or off.")
    say(f"without liger-kernel's layers: {wanting}")


def _liger_wanting(model: Any) -> str | None:
    """What stands in the way of liger-kernel; None where nothing does."""
    if not torch.cuda.is_available():
        return "there is no GPU, on which alone its kernels run"
    if importlib.util.find_spec("liger_kernel") is None:
        return "it is not installed (`pip install liger-kernel`)"
    from liger_kernel.transformers.monkey_patch import MODEL_TYPE_TO_APPLY_LIGER_FN

    kind = model.config.model_type
    if kind not in MODEL_TYPE_TO_APPLY_LIGER_FN:
        return f"it has none for models of type {kind}"
    return None
