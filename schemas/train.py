"""The recipe's part on training: base model, LoRA, loop, and where the adapter goes."""

from enum import StrEnum
from typing import Self

from pydantic import Field, field_validator, model_validator

from schemas.frozen import Frozen


class BaseModel(Frozen):
    """A causal language model to start from: exactly one of `repo`, `path`, `package`."""

    name: str = Field(description="what cards call it, e.g. HuggingFaceTB/SmolLM2-135M-Instruct")
    repo: str | None = Field(None, description="Hugging Face Hub repository")
    revision: str = Field("main", description="branch, tag or commit, for `repo`")
    path: str | None = Field(None, description="folder; relative to the recipe's YAML file")
    package: str | None = Field(None, description="installed Python package that carries the files")
    gguf_file: str | None = Field(None, description="file inside the folder, where it is GGUF")
    licence: str = "unknown"

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
    targets: tuple[str, ...] = Field(
        ("all-linear",),
        description="module name endings, 'all-linear', or 'family' (peft's choice for the model)",
    )


class OverLong(StrEnum):
    """What happens to a conversation of more than `max_tokens` tokens."""

    DROP = "drop"
    TRUNCATE_PROMPT = "truncate_prompt"


class Supervise(StrEnum):
    """Which assistant turns are inside the loss; the stop token that ends each is with it."""

    LAST = "last"
    ALL = "all"


class Push(Frozen):
    """Where the adapter goes: a Hub repository, or a folder hub inside the lake."""

    repo: str = Field(pattern=r"^[\w.-]+/[\w.-]+$")
    target: str = Field(
        "auto",
        pattern=r"^(auto|hub|folder|none)$",
        description="auto: the Hub where HF_TOKEN is set, else the folder hub <lake>/hub/<repo>",
    )
    private: bool = True


class Train(Frozen):
    """The LoRA training run that follows a published version."""

    base_model: BaseModel
    template: str | None = Field(
        None, description="a named template; null means the model's own chat template"
    )
    lora: Lora = Lora()
    max_tokens: int = Field(512, ge=8, description="per conversation, prompt and response")
    over_long: OverLong = OverLong.DROP
    supervise: Supervise = Supervise.LAST
    max_steps: int = Field(-1, description="optimizer steps, 1 or more; -1 means by epochs")
    epochs: float = Field(1.0, gt=0)
    batch_size: int = Field(8, ge=1, description="conversations per device and forward pass")
    gradient_accumulation: int = Field(1, ge=1)
    learning_rate: float = Field(2e-4, gt=0)
    schedule: str = Field("cosine", pattern=r"^(cosine|linear|constant_with_warmup|polynomial)$")
    warmup_share: float = Field(0.03, ge=0, le=1, description="of all steps")
    weight_decay: float = Field(0.0, ge=0)
    max_grad_norm: float = Field(1.0, gt=0)
    save_steps: int = Field(50, ge=1, description="optimizer steps between checkpoints")
    keep_checkpoints: int = Field(2, ge=1)
    evaluation_rows: int = Field(256, ge=1, description="validation conversations, at most")
    max_loss_increase: float = Field(
        0.0, ge=0, description="validation loss may end this much above the base model's, in nats"
    )
    bf16: str = Field("auto", pattern=r"^(auto|on|off)$", description="auto: where the GPU has it")
    threads: int | None = Field(None, ge=1, description="CPU threads; null leaves it to torch")
    push: Push | None = None

    @field_validator("max_steps")
    @classmethod
    def _some_steps(cls, steps: int) -> int:
        if steps < 1 and steps != -1:
            raise ValueError(f"expected 1 or more, or -1 to count by epochs; found {steps}")
        return steps
