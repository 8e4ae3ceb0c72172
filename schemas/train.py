"""The recipe's part on training: base model, LoRA, loop, and where the adapter goes."""

import re
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, PlainSerializer, field_validator, model_validator

from schemas.frozen import Frozen, pairs

Weights = Annotated[
    tuple[tuple[str, Annotated[float, Field(ge=0, allow_inf_nan=False)]], ...],
    BeforeValidator(pairs, json_schema_input_type=dict[str, float]),
    PlainSerializer(dict, return_type=dict[str, float]),
]
"""A number, 0 or more, by source."""

_COMMIT = re.compile(r"[0-9a-f]{40}")

_PART = r"[\w.-]*[\w-][\w.-]*"
REPO_PATTERN = rf"^{_PART}/{_PART}$"
"""An owner and a name; neither is made of dots alone, which would lead elsewhere on a disk."""

AUTO_ROWS = 8
"""Rows per device and optimizer step, times `gradient_accumulation`, where `batch_size` is auto."""


class BaseModel(Frozen):
    """A causal language model to start from: exactly one of `repo`, `path`, `package`."""

    name: str = Field(description="what cards call it, e.g. HuggingFaceTB/SmolLM2-135M-Instruct")
    repo: str | None = Field(None, description="Hugging Face Hub repository")
    revision: str = Field("main", description="branch, tag or commit, for `repo`")
    path: str | None = Field(None, description="folder; relative to the recipe's YAML file")
    package: str | None = Field(None, description="installed Python package that carries the files")
    gguf_file: str | None = Field(None, description="file inside the folder, where it is GGUF")
    trust_remote_code: bool = Field(
        False, description="run Python that the model brings; needs a `revision` that is a commit"
    )
    licence: str = "unknown"

    @model_validator(mode="after")
    def _pinned_code(self) -> Self:
        if self.trust_remote_code and not (self.repo and _COMMIT.fullmatch(self.revision)):
            raise ValueError(
                "trust_remote_code runs a stranger's Python: it needs `repo` and a `revision` of "
                f"40 hex digits that was looked at; found revision {self.revision!r}"
            )
        return self

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        given = [name for name in ("repo", "path", "package") if getattr(self, name) is not None]
        if len(given) != 1:
            found = ", ".join(given) or "none"
            raise ValueError(f"a base model has exactly one of repo, path, package; found {found}")
        return self


class Lora(Frozen):
    """Low-rank adaptation (Hu et al. 2021): W + (alpha / rank) B A."""

    rank: int = Field(8, ge=1)
    alpha: float = Field(16, gt=0)
    dropout: float = Field(0.0, ge=0, lt=1)
    rslora: bool = Field(
        False, description="scale by alpha / sqrt(rank) instead (rsLoRA, Kalajdzievski 2023)"
    )
    dora: bool = Field(
        False, description="learn magnitude and direction apart (DoRA, Liu et al. 2024)"
    )
    targets: tuple[str, ...] = Field(
        ("all-linear",),
        description="module name endings, 'all-linear', or 'family' (peft's choice for the model)",
    )


class Method(StrEnum):
    """Which weights are trained."""

    LORA = "lora"
    FULL = "full"


class Quantize(StrEnum):
    """How the frozen base model's weights are held while its adapter is trained (bitsandbytes)."""

    NONE = "none"
    NF4 = "nf4"
    """4-bit NormalFloat with double quantisation: QLoRA (Dettmers et al. 2023)"""
    INT8 = "int8"
    """8-bit with outlier columns in 16: LLM.int8() (Dettmers et al. 2022)"""


class OverLong(StrEnum):
    """What happens to a conversation of more than `max_tokens` tokens."""

    DROP = "drop"
    TRUNCATE_PROMPT = "truncate_prompt"
    """tokens go from the prompt's left, after the begin token"""
    SPLIT = "split"
    """at a user's turn, into conversations that fit; the system message stands before each"""


class Supervise(StrEnum):
    """Which assistant turns are inside the loss; the stop token that ends each is with it."""

    LAST = "last"
    ALL = "all"


class Push(Frozen):
    """Where the adapter goes: a Hub repository, or a folder hub inside the lake."""

    repo: str = Field(pattern=REPO_PATTERN)
    target: str = Field(
        "auto",
        pattern=r"^(auto|hub|folder|none)$",
        description="auto: the Hub where HF_TOKEN is set, else the folder hub <lake>/hub/<repo>",
    )
    private: bool = True
    checkpoints: int = Field(
        0,
        ge=0,
        le=100,
        description="commits to the branch `checkpoints` in a run, at most: as many of its "
        "checkpoints, spread evenly, each accepted first; main has finished adapters only",
    )


class Harness(Frozen):
    """Tasks of lm-evaluation-harness that base model and adapter are both put to.

    The harness fetches what its tasks ask from the Hugging Face Hub, unless `folder` has the task.
    """

    tasks: tuple[Annotated[str, Field(min_length=1)], ...] = Field(
        min_length=1, description="names of its tasks, groups or tags, e.g. arc_easy"
    )
    folder: str | None = Field(
        None,
        description="YAML files of further tasks; relative to the recipe's YAML file. They may "
        "name Python, which is run",
    )
    limit: int | None = Field(
        None, ge=1, description="documents of each task, from its beginning; null: all"
    )
    shots: int | None = Field(
        None, ge=0, description="worked examples before each; null: as the task says"
    )
    chat: bool = Field(
        True, description="asked in the template of training; false: as running text"
    )


class Train(Frozen):
    """The LoRA training run that follows a published version."""

    base_model: BaseModel
    method: Method = Method.LORA
    quantize: Quantize = Quantize.NONE
    start_from: str | None = Field(
        None,
        description="adapter to go on from: a run's name, org/repo, or a folder, which begins with "
        "/, ~ or, relative to the recipe's YAML file, with a dot",
    )
    template: str | None = Field(
        None, description="a named template; null means the model's own chat template"
    )
    system: str | None = Field(
        None, description="the system message of conversations that have none"
    )
    lora: Lora = Lora()
    max_tokens: int = Field(512, ge=8, description="per conversation, prompt and response")
    packing: bool = Field(
        False, description="several conversations to a row of max_tokens, none seeing another"
    )
    over_long: OverLong = OverLong.DROP
    supervise: Supervise = Supervise.LAST
    max_steps: int = Field(-1, description="optimizer steps, 1 or more; -1 means by epochs")
    epochs: float = Field(1.0, gt=0)
    source_weights: Weights = Field(
        (), description="by source: how often each of its conversations stands in an epoch"
    )
    batch_size: Annotated[int, Field(ge=1)] | Literal["auto"] = Field(
        AUTO_ROWS,
        description="rows per device and forward pass; auto: as many of the 8 x "
        "gradient_accumulation of an optimizer step as memory takes, so the result is the same",
    )
    gradient_accumulation: int = Field(1, ge=1)
    learning_rate: float = Field(2e-4, gt=0)
    schedule: str = Field(
        "cosine",
        pattern=r"^(cosine|linear|constant_with_warmup|polynomial)$",
        description="of the learning rate after warm-up; polynomial: quadratic, to 0",
    )
    warmup_share: float = Field(0.03, ge=0, le=1, description="of all steps")
    weight_decay: float = Field(0.0, ge=0)
    max_grad_norm: float = Field(1.0, gt=0)
    max_loss_spike: float | None = Field(
        None,
        gt=1,
        description="stop where a step's loss is more than this many times the mean of the 20 "
        "steps before it",
    )
    optimizer: Literal["adamw", "adamw_8bit", "paged_adamw_8bit"] = "adamw"
    attention: Literal["auto", "eager", "sdpa", "flash_attention_2", "flex_attention"] = "auto"
    gradient_checkpointing: Literal["auto", "on", "off"] = Field(
        "auto", description="recompute activations to save memory; auto: on a GPU"
    )
    liger: Literal["auto", "on", "off"] = Field(
        "auto", description="liger-kernel's fused layers and loss; auto: on a GPU where it has them"
    )
    compile: bool = Field(False, description="torch.compile the model")
    save_steps: int = Field(50, ge=1, description="optimizer steps between checkpoints")
    keep_checkpoints: int = Field(2, ge=1)
    evaluation_rows: int = Field(256, ge=1, description="validation conversations, at most")
    answers: int = Field(
        0, ge=0, description="validation prompts answered greedily by base and adapter, compared"
    )
    answer_tokens: int = Field(64, ge=1, description="of each such answer, at most")
    harness: Harness | None = Field(
        None, description="needs the package lm-eval: pip install 'winnow[harness]'"
    )
    max_loss_increase: float = Field(
        0.0, ge=0, description="validation loss may end this much above the base model's, in nats"
    )
    max_group_loss_increase: float | None = Field(
        None,
        ge=0,
        description="the same bound for every source, category and language by itself, of those "
        "with 30 validation conversations or more; null: none",
    )
    bf16: str = Field("auto", pattern=r"^(auto|on|off)$", description="auto: where the GPU has it")
    threads: int | None = Field(None, ge=1, description="CPU threads; null leaves it to torch")
    push: Push | None = None

    @model_validator(mode="after")
    def _methods_that_go_together(self) -> Self:
        if self.method is Method.FULL and self.quantize is not Quantize.NONE:
            raise ValueError(
                f"method full trains the weights that quantize {self.quantize.value} would freeze: "
                "leave quantize out, or use method lora"
            )
        if self.method is Method.FULL and self.start_from is not None:
            raise ValueError(
                "method full starts from base_model: name the model to go on from there, and leave "
                "start_from out"
            )
        if self.quantize is Quantize.INT8 and self.lora.dora:
            raise ValueError(
                "lora.dora needs the scales that 8-bit layers give away on first use: use quantize "
                "nf4, or leave dora out"
            )
        return self

    @field_validator("max_steps")
    @classmethod
    def _some_steps(cls, steps: int) -> int:
        if steps < 1 and steps != -1:
            raise ValueError(f"expected 1 or more, or -1 to count by epochs; found {steps}")
        return steps
