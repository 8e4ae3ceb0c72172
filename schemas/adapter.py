"""The training manifest: what an adapter was made from, so that it can be traced to raw bytes."""

from typing import Self

from pydantic import Field

from schemas.digests import digest_of
from schemas.frozen import Frozen
from schemas.train import Train
from schemas.upstream import SHA256_PATTERN

RUN_PATTERN = r"^[a-z0-9][a-z0-9_.-]*$"
"""A folder's name: it leads nowhere else."""


def run_name(
    corpus: str, corpus_digest: str, train: Train, seed: int, start_digest: str | None = None
) -> str:
    """`<corpus>-<12 hex>`: the same rows, training recipe and seed are the same run.

    Neither the number of the version nor where the adapter is pushed to is part of it. Of the
    adapter that it starts from, `start_digest`, the SHA-256 of its weights, is, and its name not.
    """
    unsaid = {"harness"} if train.harness is None else set()
    settings = train.model_dump(mode="json", exclude={"push", "start_from", *unsaid})
    started = [] if start_digest is None else [start_digest]
    return f"{corpus}-{digest_of([corpus_digest, settings, seed, *started])[:12]}"


class LabelAudit(Frozen):
    """Labels of one source's conversations in a split, counted before the first step.

    Tokens are counted over the conversations that are kept: all but `dropped_over_long` and
    `refused_by_template`.
    """

    source: str
    conversations: int = Field(ge=0, description="in the split, dropped ones included")
    kept: int = Field(
        ge=0, description="that the model sees; a split one counts once for each of its parts"
    )
    split: int = Field(0, ge=0, description="conversations cut into several at a user's turn")
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


class TokenHistogram(Frozen):
    """Rows by their tokens: `rows[i]` have edges[i] <= tokens < edges[i + 1]."""

    edges: tuple[int, ...] = Field(min_length=2, description="ascending; one more than `rows`")
    rows: tuple[int, ...] = Field(min_length=1)


class TokenLengths(Frozen):
    """Tokens of the training split's rows, prompt and response together."""

    rows: int = Field(ge=1)
    mean: float
    min: int
    p50: int
    p90: int
    p99: int
    max: int
    histogram: TokenHistogram | None = None


class Packed(Frozen):
    """What packing made of the training split."""

    rows: int = Field(ge=0, description="before; their sum is that of all packs")
    packs: int = Field(ge=0)
    efficiency: float = Field(ge=0, le=1, description="share of the packs' tokens that are rows'")


class GroupLoss(Frozen):
    """Loss on the validation conversations of one source, category or language."""

    key: str = Field(pattern=r"^(source|category|language)$")
    value: str
    loss: float = Field(description="nats per trainable token")
    perplexity: float
    conversations: int = Field(ge=1)
    trainable_tokens: int = Field(ge=1)


class Evaluation(Frozen):
    """Loss on the validation split, in nats per trainable token."""

    loss: float
    perplexity: float
    conversations: int = Field(ge=0)
    trainable_tokens: int = Field(ge=0)
    groups: tuple[GroupLoss, ...] = Field(
        (), description="each key's groups have all the tokens between them; most tokens first"
    )

    def of(self, key: str) -> dict[str, GroupLoss]:
        """The groups of one key, by value."""
        return {group.value: group for group in self.groups if group.key == key}


class AnswerScores(Frozen):
    """Greedy answers to validation prompts, held against the answers of the corpus.

    Shares and means are over the answers, from 0 to 1 (`trainer/overlap.py` has the formulas).
    """

    answers: int = Field(ge=1)
    exact: float = Field(ge=0, le=1, description="share that is the corpus's to the character")
    exact_folded: float = Field(
        ge=0, le=1, description="share that is it but for case, white space and Unicode form"
    )
    rouge_l: float = Field(ge=0, le=1, description="mean F1 of the longest common subsequence")
    chrf: float = Field(ge=0, le=1, description="mean chrF2")
    unfinished: int = Field(ge=0, description="answers cut off at train.answer_tokens")


class Reply(Frozen):
    """What a model answered a validation prompt."""

    text: str
    finished: bool = Field(description="it ended by itself, not at train.answer_tokens")


class AnswerSample(Frozen):
    """A line of a run's `answers.jsonl`: a validation prompt, and what base and adapter answer."""

    row: int = Field(ge=0, description="its place in the validation split")
    source: str
    prompt: str
    reference: str = Field(description="the corpus's answer")
    base: Reply
    adapter: Reply


class Measured(Frozen):
    """What one model came to on the validation rows and questions of a run."""

    evaluation: Evaluation
    replies: tuple[Reply, ...] = Field((), description="in the order of the questions")


class TaskScore(Frozen):
    """What a model came to by one metric of a task of lm-evaluation-harness."""

    task: str
    metric: str = Field(description="with its filter after a comma, where it has one")
    value: float
    error: float | None = Field(None, description="standard error, where the harness gives one")
    documents: int | None = Field(None, ge=0, description="that were asked; null of a group")
    version: str = Field("", description="of the task, as the harness states it")


def paired_scores(
    before: tuple[TaskScore, ...], after: tuple[TaskScore, ...]
) -> tuple[tuple[TaskScore | None, TaskScore], ...]:
    """Each score of `after` with that of the same task and metric before it, None for none."""
    known = {(one.task, one.metric): one for one in before}
    return tuple((known.get((one.task, one.metric)), one) for one in after)


class StepRows(Frozen):
    """What an optimizer step is made of."""

    batch_size: int = Field(ge=1, description="rows per process and forward pass")
    accumulation: int = Field(ge=1, description="forward passes per process")
    processes: int = Field(ge=1)

    @property
    def rows(self) -> int:
        """Rows per optimizer step, over all processes."""
        return self.batch_size * self.accumulation * self.processes


class Acceptance(Frozen):
    """What the acceptance test saw after reading the saved files back."""

    tensors: int = Field(ge=1)
    nonzero_lora_b: int | None = Field(None, ge=1, description="null where train.method is full")
    changed_tensors: int | None = Field(
        None,
        ge=1,
        description="that are not as they were in what training started from; null for a new "
        "adapter, which starts from nothing",
    )
    max_logit_difference: float = Field(gt=0, description="from the bare base model's logits")
    generated_tokens: int = Field(0, ge=0, description="written greedily after a question")


class StartedFrom(Frozen):
    """The adapter that training went on from, and the corpus that one had learnt."""

    name: str = Field(description="a run, a repository, or the last part of a folder's path")
    adapter_sha256: str = Field(pattern=SHA256_PATTERN)
    run: str | None = Field(description="this and the rest: null where Winnow did not train it")
    corpus: str | None
    corpus_version: str | None
    corpus_digest: str | None


class PushedTo(Frozen):
    """Where the adapter was pushed and as which commit."""

    repo: str
    target: str = Field(pattern=r"^(hub|folder)$")
    commit: str
    uri: str


class PushedCheckpoint(Frozen):
    """A checkpoint that was to be pushed while training went on, and what came of it."""

    step: int = Field(ge=1)
    pushed: PushedTo | None = Field(None, description="null where it was not")
    fault: str | None = Field(None, description="why it was not; null too where a kill came first")


class TrainingManifest(Frozen):
    """The receipt of a training run: `training_manifest.json`, written last.

    The copy inside the adapter's folder is pushed with it, so it cannot name its own commit:
    there `pushed` is null. Nor does it name a place on this machine: `train.base_model.path` is
    empty there where the base model is a folder. The one beside that folder has both and says that
    the run is done.
    """

    format_version: int = 1
    run: str = Field(pattern=RUN_PATTERN, description="also the name of its folder")
    corpus: str
    corpus_version: str
    corpus_digest: str = Field(pattern=SHA256_PATTERN)
    corpus_uri: str = Field(description="the version's folder, relative to its lake")
    train: Train
    seed: int
    base_model: str
    base_revision: str
    base_digest: str = Field(pattern=SHA256_PATTERN)
    started_from: StartedFrom | None = Field(None, description="where train.start_from is given")
    tokenizer_digest: str = Field(pattern=SHA256_PATTERN)
    template_digest: str = Field(pattern=SHA256_PATTERN)
    steps: int = Field(ge=0)
    checkpoint_of: int | None = Field(
        None,
        ge=1,
        description="the steps that its run was to make, where this is a checkpoint of one that "
        "went on; null for what a run ended with",
    )
    step_rows: StepRows | None = None
    train_loss: float = Field(description="mean over all steps, nats per trainable token")
    elapsed_s: float = Field(ge=0, description="in the training loop, over all its starts")
    tokens_per_s: float = Field(ge=0, description="prompt and response, padding not counted")
    audit: tuple[LabelAudit, ...] = Field(description="of the training split")
    lengths: TokenLengths | None = None
    packed: Packed | None = Field(None, description="where train.packing is on")
    validation_audit: tuple[LabelAudit, ...] = ()
    before: Evaluation | None = Field(description="null where there is no validation split")
    after: Evaluation | None
    answers_before: AnswerScores | None = Field(None, description="where train.answers asks")
    answers_after: AnswerScores | None = None
    harness_before: tuple[TaskScore, ...] = Field((), description="where train.harness asks")
    harness_after: tuple[TaskScore, ...] = ()
    acceptance: Acceptance
    adapter_sha256: str = Field(pattern=SHA256_PATTERN, description="of its safetensors file")
    pushed: PushedTo | None = None
    checkpoints: tuple[PushedCheckpoint, ...] = Field(
        (), description="where train.push.checkpoints asks; told beside the adapter's folder only"
    )
    libraries: tuple[tuple[str, str], ...] = ()


class TrainingRun(Frozen):
    """What a call of the trainer came to; its `--json` output."""

    status: str = Field(
        pattern=r"^(trained|unchanged)$", description="unchanged: all had been done before"
    )
    folder: str = Field(description="the run's folder; the adapter is in `adapter/` below it")
    manifest: TrainingManifest
