"""The training manifest: what an adapter was made from, so that it can be traced to raw bytes."""

from typing import Self

from pydantic import Field

from schemas.frozen import Frozen
from schemas.train import Train
from schemas.upstream import SHA256_PATTERN


class LabelAudit(Frozen):
    """Labels of one source's conversations in a split, counted before the first step.

    Tokens are counted over the conversations that are kept: all but `dropped_over_long` and
    `refused_by_template`.
    """

    source: str
    conversations: int = Field(ge=0, description="in the split, dropped ones included")
    kept: int = Field(ge=0, description="that the model sees")
    tokens: int = Field(ge=0, description="prompt and response")
    trainable_tokens: int = Field(ge=0, description="inside the loss, stop tokens included")
    fully_masked: int = Field(ge=0, description="kept conversations with no trainable token")
    dropped_over_long: int = Field(ge=0)
    truncated_prompts: int = Field(ge=0)
    refused_by_template: int = Field(ge=0, description="the chat template would not render them")
    stop_supervised: int = Field(ge=0, description="conversations whose stop token is in the loss")
    altered_responses: int = Field(
        ge=0, description="kept, but the tokenizer does not give the response back exactly"
    )
    special_in_text: int = Field(ge=0, description="the text itself spells a special token")

    @classmethod
    def total(cls, audits: tuple[Self, ...]) -> Self:
        """The sum over sources, under the name `all`."""
        counts = [name for name in cls.model_fields if name != "source"]
        sums = {name: sum(int(getattr(audit, name)) for audit in audits) for name in counts}
        return cls.model_validate({"source": "all", **sums})


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
    """The receipt of a training run: `training_manifest.json`, written last.

    The copy inside the adapter's folder is pushed with it, so it cannot name its own commit:
    there `pushed` is null. Nor does it name a place on this machine: `train.base_model.path` is
    empty there where the base model is a folder. The one beside that folder has both and says that
    the run is done.
    """

    format_version: int = 1
    run: str
    corpus: str
    corpus_version: str
    corpus_digest: str = Field(pattern=SHA256_PATTERN)
    corpus_uri: str = Field(description="the version's folder, relative to its lake")
    train: Train
    seed: int
    base_model: str
    base_revision: str
    base_digest: str = Field(pattern=SHA256_PATTERN)
    tokenizer_digest: str = Field(pattern=SHA256_PATTERN)
    template_digest: str = Field(pattern=SHA256_PATTERN)
    steps: int = Field(ge=0)
    train_loss: float = Field(description="mean over all steps, nats per trainable token")
    elapsed_s: float = Field(ge=0, description="in the training loop, over all its starts")
    tokens_per_s: float = Field(ge=0, description="prompt and response, padding not counted")
    audit: tuple[LabelAudit, ...] = Field(description="of the training split")
    validation_audit: tuple[LabelAudit, ...] = ()
    before: Evaluation | None = Field(description="null where there is no validation split")
    after: Evaluation | None
    acceptance: Acceptance
    adapter_sha256: str = Field(pattern=SHA256_PATTERN, description="of its safetensors file")
    pushed: PushedTo | None = None
    libraries: tuple[tuple[str, str], ...] = ()


class TrainingRun(Frozen):
    """What a call of the trainer came to; its `--json` output."""

    status: str = Field(
        pattern=r"^(trained|unchanged)$", description="unchanged: all had been done before"
    )
    folder: str = Field(description="the run's folder; the adapter is in `adapter/` below it")
    manifest: TrainingManifest
