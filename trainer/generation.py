"""Answers from a model: one that is streamed, or many at a time, through one template.

Answering in batches changes no answer. Prompts are padded on the left, with a mask and positions
that leave the padding out, and each row draws from random numbers of its own.
"""

import contextlib
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from transformers import (
    GenerationConfig,
    LogitsProcessor,
    LogitsProcessorList,
    RepetitionPenaltyLogitsProcessor,
    StoppingCriteria,
    StoppingCriteriaList,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from schemas.answers import Decoding, Finish
from schemas.digests import digest_of
from schemas.errors import ConfigError, TrainingError
from trainer.answer_text import AnswerText
from trainer.interrupt import Interrupt, noting
from trainer.labels import TextEncoder, with_system
from trainer.memory import memory_errors
from trainer.model import accepts, context_tokens
from trainer.templates import Message, Template, Unrenderable, special_tokens
from trainer.weights import first_line

_LESS_AT_A_TIME = (
    "Answer fewer at a time (--batch-size, train.answers), or lower max_new_tokens or beams."
)
OnText = Callable[[str], None]


class StopAnswering(Exception):
    """Raised by whoever is handed an answer's text: no more of it is wanted."""


@dataclass(frozen=True)
class Answer:
    """What the assistant said, without lead, tail and stop."""

    text: str
    finish: Finish
    tokens: int
    """generated, the stop token included"""
    score: float
    """log-probability of these tokens in nats, under the model as it is"""

    @property
    def mean_score(self) -> float:
        """Log-probability per token."""
        return self.score / self.tokens if self.tokens else 0.0


@dataclass(frozen=True)
class Assistant:
    """A causal language model that answers, adapter or none, in the words of a chat template.

    The model is used as it is and left so: its own generation settings are not read, apart from
    the tokens that it ends at.
    """

    model: Any
    template: Template
    system: str | None = None
    """the system message of conversations that have none"""
    digest: str = field(default="", repr=False)
    """of weights, their type, adapter and template: equal ones give equal answers"""

    @cached_property
    def encoder(self) -> TextEncoder:
        """Tokenizes as in training."""
        return TextEncoder(self.template.tokenizer)

    def prompt_ids(self, messages: Sequence[Message], system: str | None = None) -> list[int]:
        """A conversation that ends with the user's turn, in tokens, as in training.

        `system` is the system message of one that has none: None for the assistant's own, an empty
        one for none at all.

        Raises:
            ConfigError: the template does not write such a conversation.
        """
        chosen = self.system if system is None else system or None
        try:
            text = self.template.prompt(with_system(list(messages), chosen))
        except Unrenderable as error:
            raise ConfigError(
                f"the chat template {self.template.name!r} does not write this conversation: "
                f"{first_line(error)}. Its roles are: {', '.join(one['role'] for one in messages)}."
            ) from None
        return list(self.encoder.opening([text])[0])

    def excess_tokens(self, prompt: Sequence[int], decoding: Decoding) -> int:
        """How many tokens too many prompt and answer are for the context window; 0 if they fit."""
        window = context_tokens(self._bare)
        wanted = len(prompt) + decoding.max_new_tokens
        return max(0, wanted - window) if window is not None else 0

    def refuse_too_long(self, prompt: Sequence[int], decoding: Decoding) -> None:
        """Raise ConfigError where a prompt leaves no room for an answer."""
        if self.excess_tokens(prompt, decoding):
            raise ConfigError(
                f"{len(prompt):,} tokens of question and {decoding.max_new_tokens:,} for the "
                f"answer are more than the model's context window of "
                f"{context_tokens(self._bare):,}. Shorten the question, or lower max_new_tokens."
            )

    def answer(
        self,
        messages: Sequence[Message],
        decoding: Decoding | None = None,
        on_text: OnText | None = None,
    ) -> Answer:
        """The answer to a conversation; `on_text` gets it piece by piece.

        Ctrl-C, or a StopAnswering that `on_text` raises, ends it where it is.

        Raises:
            ConfigError: the conversation cannot be written, or is too long.
            TrainingError: memory ran out, or the model gives no numbers.
        """
        chosen = decoding or Decoding()
        return self.answer_prompt(self.prompt_ids(messages), chosen, on_text)

    def answer_prompt(
        self, prompt: list[int], decoding: Decoding, on_text: OnText | None = None, draw: int = 0
    ) -> Answer:
        """As `answer`, from tokens; `draw` is as for `answer_all`."""
        self.refuse_too_long(prompt, decoding)
        batch = _Batch(self, [prompt], decoding, [draw], on_text)
        try:
            return batch.finish()[0]
        except (KeyboardInterrupt, StopAnswering):
            return batch.partial()

    def answer_all(
        self, prompts: Sequence[list[int]], decoding: Decoding, draws: Sequence[int]
    ) -> list[Answer]:
        """The answers to several prompts in tokens, made at the same time.

        `draws` has a number for each that, with the seed, decides what is sampled for it.

        Raises:
            ConfigError: a prompt is too long.
            TrainingError: memory ran out, or the model gives no numbers.
        """
        for prompt in prompts:
            self.refuse_too_long(prompt, decoding)
        return _Batch(self, prompts, decoding, draws).finish() if prompts else []

    @cached_property
    def stop_ids(self) -> frozenset[int]:
        """The stop token of training, and those that the model itself ends at."""
        own = self._bare.generation_config.eos_token_id
        listed = own if isinstance(own, list) else [own]
        return frozenset({self.template.stop_id, *(one for one in listed if one is not None)})

    @property
    def pad_id(self) -> int:
        """What rows are filled up with: masked before a prompt, and no more than a stop behind."""
        return self.template.stop_id

    def words(self, rows: Sequence[Sequence[int]]) -> list[str]:
        """The text of generated tokens; special tokens among them are no words."""
        said = [[one for one in row if one not in self._specials] for row in rows]
        return self.encoder.decode(said)

    @cached_property
    def _specials(self) -> frozenset[int]:
        return self.stop_ids | frozenset(special_tokens(self.template.tokenizer).values())

    @cached_property
    def _bare(self) -> Any:
        """The transformers model, inside which an adapter's layers lie."""
        inner = getattr(self.model, "get_base_model", None)
        return inner() if inner else self.model

    @contextlib.contextmanager
    def _ready(self) -> Iterator[Any]:
        """The model to generate with, in evaluation mode and with no settings of its makers."""
        model = self._bare
        own, was_training = model.generation_config, model.training
        model.generation_config = GenerationConfig()  # type: ignore[no-untyped-call]
        model.eval()
        try:
            with memory_errors("a model answered", _LESS_AT_A_TIME), torch.inference_mode():
                yield model
        finally:
            model.generation_config = own
            model.train(was_training)


class _Batch:
    """Prompts that are answered at the same time."""

    def __init__(
        self,
        assistant: Assistant,
        prompts: Sequence[list[int]],
        decoding: Decoding,
        draws: Sequence[int],
        on_text: OnText | None = None,
    ) -> None:
        self.assistant = assistant
        self.prompts = prompts
        self.decoding = decoding
        self.text = AnswerText(assistant.template.lead, assistant.template.tail, decoding.stop)
        self.width = max(map(len, prompts))
        self.watch = _Watch(self, on_text)
        self.interrupt = Interrupt()
        self.choices = _Draw(decoding, draws) if decoding.temperature > 0 else None

    def finish(self) -> list[Answer]:
        """Generate to the end; raises KeyboardInterrupt, once torch is done, where Ctrl-C came."""
        with noting() as self.interrupt:
            answers = self._generated()
        self._obey()
        return answers

    def _generated(self) -> list[Answer]:
        with self.assistant._ready() as model:
            found = model.generate(
                **self._given(next(model.parameters()).device),
                generation_config=self._config(),
                logits_processor=self._processors(),
                stopping_criteria=StoppingCriteriaList([self.watch]),
            )
            self._obey()
            if self.decoding.beams == 1:
                return self.watch.answers(self.watch.said)
            rows = [self._before_padding(row) for row in found[:, self.width :].tolist()]
            scores = [
                _log_probability(model, prompt, row)
                for prompt, row in zip(self.prompts, rows, strict=True)
            ]
        self.watch.scores = scores
        answers = self.watch.answers(rows)
        self.watch.show(answers[0])
        return answers

    def _obey(self) -> None:
        if self.interrupt.came:
            raise KeyboardInterrupt

    def partial(self) -> Answer:
        """What there is of the first answer, after an interrupt."""
        if self.decoding.beams > 1:
            return Answer("", Finish.INTERRUPTED, 0, 0.0)
        return self.watch.answers(self.watch.said, Finish.INTERRUPTED)[0]

    def _given(self, device: torch.device) -> dict[str, torch.Tensor]:
        """Ids and mask, prompts x width, padded on the left."""
        gaps = [self.width - len(prompt) for prompt in self.prompts]
        pad = self.assistant.pad_id
        ids = [[pad] * gap + prompt for gap, prompt in zip(gaps, self.prompts, strict=True)]
        mask = torch.arange(self.width) >= torch.tensor(gaps).unsqueeze(1)
        return {
            "input_ids": torch.tensor(ids, device=device),
            "attention_mask": mask.long().to(device),
        }

    def _config(self) -> GenerationConfig:
        return GenerationConfig(  # type: ignore[no-untyped-call]
            max_new_tokens=self.decoding.max_new_tokens,
            do_sample=False,  # `_Draw` samples
            num_beams=self.decoding.beams,
            eos_token_id=sorted(self.assistant.stop_ids),
            pad_token_id=self.assistant.pad_id,
            use_cache=True,
        )

    def _processors(self) -> LogitsProcessorList:
        """What becomes of the logits before the likeliest token is taken.

        The penalty is on tokens of the answer: the prompt holds the stop token and the padding.
        """
        chosen = self.decoding
        steps: list[LogitsProcessor] = []
        if chosen.beams == 1:
            steps.append(self.watch.likelihood)
        if chosen.repetition_penalty != 1:
            steps.append(
                RepetitionPenaltyLogitsProcessor(
                    chosen.repetition_penalty, prompt_ignore_length=self.width
                )
            )
        if self.choices is not None:
            steps.append(TemperatureLogitsWarper(float(chosen.temperature)))
            if chosen.top_k:
                steps.append(TopKLogitsWarper(chosen.top_k))
            if chosen.top_p < 1:
                steps.append(TopPLogitsWarper(chosen.top_p))
            steps.append(self.choices)
        return LogitsProcessorList(steps)

    def _before_padding(self, row: list[int]) -> list[int]:
        """A beam's tokens up to its stop token; what follows a stop string is such a token too."""
        stops = self.assistant.stop_ids
        end = next((place for place, one in enumerate(row) if one in stops), len(row))
        is_padding = self.text.has_stop(self.assistant.words([row[:end]])[0])
        return row[:end] if is_padding else row[: end + 1]


class _Likelihood(LogitsProcessor):
    """Keeps the log-probabilities of the next token, before anything is done to them."""

    def __init__(self) -> None:
        self.of_next = torch.empty(0)

    def __call__(self, input_ids: Any, scores: Any) -> Any:  # noqa: ARG002
        self.of_next = scores.log_softmax(-1)
        return scores


class _Draw(LogitsProcessor):
    """Samples by inversion: the token in whose share of the cumulated probability a number falls.

    Each row has numbers of its own, by seed and draw, so it does not matter what is beside it.
    """

    def __init__(self, decoding: Decoding, draws: Sequence[int]) -> None:
        self.points = torch.stack(
            [_uniform(decoding.seed, draw, decoding.max_new_tokens) for draw in draws]
        )
        self.step = 0

    def __call__(self, input_ids: Any, scores: Any) -> Any:  # noqa: ARG002
        edges = scores.double().softmax(-1).cumsum(-1)
        points = self.points[:, self.step : self.step + 1].to(scores.device) * edges[:, -1:]
        self.step += 1
        chosen = torch.searchsorted(edges, points, right=True)
        chosen = chosen.clamp(max=scores.shape[1] - 1)
        return torch.full_like(scores, -math.inf).scatter(1, chosen, 0.0)


def _uniform(seed: int, draw: int, count: int) -> torch.Tensor:
    """`count` numbers from 0 to 1, in float64, the same ones for the same seed and draw."""
    source = torch.Generator().manual_seed(int(digest_of([seed, draw])[:15], 16))
    return torch.rand(count, generator=source, dtype=torch.float64)


class _Watch(StoppingCriteria):
    """Looks at every token once it is chosen: keeps and scores it, shows it, and says when to stop.

    Of beams it only says when to stop: they change places from step to step.
    """

    def __init__(self, batch: _Batch, on_text: OnText | None) -> None:
        rows = len(batch.prompts)
        self.batch = batch
        self.on_text = on_text
        self.likelihood = _Likelihood()
        self.said: list[list[int]] = [[] for _ in range(rows)]
        self.is_over = [False] * rows
        self.scores = [0.0] * rows
        self.shown = ""

    def __call__(self, input_ids: Any, scores: Any, **_: Any) -> Any:  # noqa: ARG002
        if self.batch.decoding.beams > 1:
            ended = self._has_stop(input_ids[:, self.batch.width :].tolist())
        else:
            self._keep(input_ids[:, -1].tolist())
            ended = self._end()
            self._show_first()
        if self.batch.interrupt.came:
            ended = [True] * len(ended)
        return torch.tensor(ended, device=input_ids.device)

    def _keep(self, chosen: list[int]) -> None:
        """Add each row's token and its log-probability, where the row is not over."""
        places = torch.tensor(chosen, device=self.likelihood.of_next.device).unsqueeze(1)
        gained = self.likelihood.of_next.gather(1, places).squeeze(1).tolist()
        for row, (token, gain) in enumerate(zip(chosen, gained, strict=True)):
            if not self.is_over[row]:
                self.said[row].append(token)
                self.scores[row] += gain

    def _end(self) -> list[bool]:
        stops = self.batch.assistant.stop_ids
        has_stop = self._has_stop(self.said)
        self.is_over = [
            bool(row and row[-1] in stops) or stopped
            for row, stopped in zip(self.said, has_stop, strict=True)
        ]
        return self.is_over

    def _has_stop(self, rows: list[list[int]]) -> list[bool]:
        """Whether a row's text holds a stop string, wherever its tokens part."""
        if not self.batch.decoding.stop:
            return [False] * len(rows)
        return [self.batch.text.has_stop(text) for text in self.batch.assistant.words(rows)]

    def _show_first(self) -> None:
        if self.on_text is None:
            return
        text = self.batch.assistant.words(self.said[:1])[0]
        if self.is_over[0] or len(self.said[0]) == self.batch.decoding.max_new_tokens:
            self.show(self.answers(self.said)[0])
        else:
            self._show(self.batch.text.settled(text))

    def show(self, answer: Answer) -> None:
        """Hand on what is left of an answer that is over."""
        self._show(answer.text)

    def _show(self, text: str) -> None:
        new = text.removeprefix(self.shown)
        if self.on_text is not None and new and text.startswith(self.shown):
            self.shown = text
            self.on_text(new)

    def answers(self, rows: list[list[int]], finish: Finish | None = None) -> list[Answer]:
        """The answers that rows of generated tokens are; raises TrainingError for no numbers."""
        if not all(map(math.isfinite, self.scores)):
            raise TrainingError(
                "the model gives no numbers for the next token: its weights are broken, or too "
                "large for bfloat16. Set train.bf16 to off, or use another adapter."
            )
        texts = self.batch.assistant.words(rows)
        return [
            self._answer(row, text, score, finish)
            for row, text, score in zip(rows, texts, self.scores, strict=True)
        ]

    def _answer(self, row: list[int], text: str, score: float, finish: Finish | None) -> Answer:
        if finish is None:
            finish = Finish.LENGTH
            if self.batch.text.has_stop(text):
                finish = Finish.STOP_STRING
            elif row and row[-1] in self.batch.assistant.stop_ids:
                finish = Finish.STOP
        is_whole = finish is not Finish.INTERRUPTED
        cut = self.batch.text.whole if is_whole else self.batch.text.settled
        return Answer(cut(text), finish, len(row), score)


def _log_probability(model: Any, prompt: list[int], answer: list[int]) -> float:
    """Log-probability of an answer's tokens after a prompt, in one forward pass."""
    if not answer:
        return 0.0
    device = next(model.parameters()).device
    ids = torch.tensor([prompt + answer], device=device)
    wanted = len(answer) + 1
    fewer = {"logits_to_keep": wanted} if accepts(model, "logits_to_keep") else {}
    logits = model(input_ids=ids, use_cache=False, **fewer).logits[0, -wanted:-1]
    gained = logits.float().log_softmax(-1).gather(1, ids[0, -len(answer) :].unsqueeze(1))
    return float(gained.sum())
