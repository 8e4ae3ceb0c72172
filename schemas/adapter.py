"""The training manifest: what an adapter was made from, so that it can be traced to raw bytes."""

from pydantic import Field

from schemas.frozen import Frozen
from schemas.recipe import Train
from schemas.source import SHA256_PATTERN


class LabelAudit(Frozen):
    """Labels of one source's training conversations, counted before the first step."""

    source: str
    conversations: int = Field(ge=0)
    tokens: int = Field(ge=0, description="prompt and response")
    trainable_tokens: int = Field(ge=0, description="inside the loss, stop tokens included")
    fully_masked: int = Field(ge=0, description="conversations with no trainable token")
    dropped_over_long: int = Field(ge=0)
    truncated_prompts: int = Field(ge=0)
    stop_supervised: int = Field(ge=0, description="conversations whose stop token is in the loss")


class Evaluation(Frozen):
    """Loss on the validation split, in nats per trainable token."""

    loss: float
    perplexity: float
    conversations: int = Field(ge=0)
    trainable_tokens: int = Field(ge=0)


class Acceptance(Frozen):
    """What the adapter acceptance test saw after reading the saved files back."""

    tensors: int = Field(ge=1)
    nonzero_lora_b: int = Field(ge=1)
    max_logit_difference: float = Field(gt=0)


class PushedTo(Frozen):
    """Where the adapter was pushed and as which commit."""

    repo: str
    target: str = Field(pattern=r"^(hub|folder)$")
    commit: str
    uri: str


class TrainingManifest(Frozen):
    """`training_manifest.json` beside every adapter; written last."""

    format_version: int = 1
    run: str
    corpus: str
    corpus_version: str
    corpus_digest: str = Field(pattern=SHA256_PATTERN)
    corpus_uri: str
    train: Train
    seed: int
    base_model: str
    base_revision: str
    base_digest: str = Field(pattern=SHA256_PATTERN)
    tokenizer_digest: str = Field(pattern=SHA256_PATTERN)
    template_digest: str = Field(pattern=SHA256_PATTERN)
    steps: int = Field(ge=0)
    train_loss: float
    elapsed_s: float = Field(ge=0)
    tokens_per_s: float = Field(ge=0)
    audit: tuple[LabelAudit, ...]
    before: Evaluation | None
    after: Evaluation | None
    acceptance: Acceptance
    adapter_sha256: str = Field(pattern=SHA256_PATTERN)
    pushed: PushedTo | None = None
    libraries: tuple[tuple[str, str], ...] = ()
