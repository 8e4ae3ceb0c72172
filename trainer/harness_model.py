"""Our assistant as lm-evaluation-harness asks a model; needs the package lm-eval."""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from lm_eval.api.model import LM
from lm_eval.utils import get_rolling_token_windows, make_disjoint_window

from schemas.answers import Decoding
from trainer.answers import BATCH_TOKENS as ANSWER_TOKENS
from trainer.batches import PaddingCollator
from trainer.evaluate import BATCH_TOKENS as READ_TOKENS
from trainer.evaluate import like_lengths, loss_sums
from trainer.generation import Assistant
from trainer.labels import IGNORED, with_system
from trainer.model import context_tokens
from trainer.templates import Message, token_put_first

MAX_NEW_TOKENS = 256
"""Of an answer, where the task does not say: the harness's own default."""
WINDOW = 2_048
"""Tokens at a time, where the model has no largest number of them."""
Pair = tuple[list[int], list[int]]
"""A context and what goes on from it, in tokens; neither is empty."""


class AssistantModel(LM):  # type: ignore[misc]  # the package is optional
    """Answers as chat does, and reads as training did.

    In chat, contexts come from `apply_chat_template`, and what goes on from them is an assistant's
    words. Else both are running text.
    """

    def __init__(self, assistant: Assistant, chat: bool) -> None:
        super().__init__()
        self._assistant = assistant
        self._chat = chat
        self._window = context_tokens(assistant.model) or WINDOW
        self._first_token = token_put_first(assistant.template.tokenizer)

    @property
    def tokenizer_name(self) -> str:
        """What tells the harness one way of writing conversations from another."""
        return self._assistant.template.digest

    def chat_template(self, chat_template: bool | str = False) -> str:
        """The template's source, for the harness's records."""
        return self._assistant.template.source if chat_template else ""

    def apply_chat_template(
        self, chat_history: list[Message], add_generation_prompt: bool = True
    ) -> str:
        """A conversation as text, up to the assistant's next words.

        Without `add_generation_prompt` its last message is what the assistant begins with.
        """
        said = chat_history if add_generation_prompt else chat_history[:-1]
        begun = "" if add_generation_prompt else chat_history[-1]["content"]
        template = self._assistant.template
        text = template.prompt(with_system(list(said), self._assistant.system))
        return text + template.lead + begun if begun else text

    def loglikelihood(self, requests: list[Any]) -> list[tuple[float, bool]]:
        """Of each (context, continuation): its log-probability in nats, and if it is the likeliest.

        A context that is too long loses its beginning.
        """
        pairs = [self._pair(*request.args) for request in requests]
        return self._sums([self._fitting(pair) for pair in pairs])

    def loglikelihood_rolling(self, requests: list[Any]) -> list[float]:
        """Of each text as a whole, window by window: every token is predicted once."""
        found = []
        for (text,) in (request.args for request in requests):
            (ids,) = self._assistant.encoder.opening([text])
            windows = get_rolling_token_windows(ids, self._prefix[0], self._window - 1, 1)
            pairs = [make_disjoint_window(window) for window in windows]
            found.append(sum(one for one, _ in self._sums([(list(a), list(b)) for a, b in pairs])))
        return found

    def generate_until(self, requests: list[Any]) -> list[str]:
        """The answer to each (context, settings), greedy unless its task samples.

        An answer takes half of the context window at most; a question that is too long for the
        rest loses its beginning.
        """
        answers = [""] * len(requests)
        for decoding, places in _by_decoding(requests, self._window // 2):
            prompts = [self._prompt(requests[place].args[0], decoding) for place in places]
            room = [len(prompt) + decoding.max_new_tokens for prompt in prompts]
            for batch in like_lengths(room, ANSWER_TOKENS):
                made = self._assistant.answer_all(
                    [prompts[one] for one in batch], decoding, [places[one] for one in batch]
                )
                for one, answer in zip(batch, made, strict=True):
                    answers[places[one]] = answer.text
        return answers

    @property
    def _prefix(self) -> list[int]:
        """What stands before a text that has nothing before it."""
        begin = self._assistant.encoder.opening([self._first_token])[0]
        return begin or [self._assistant.template.stop_id]

    def _pair(self, context: str, continuation: str) -> Pair:
        encoder, template = self._assistant.encoder, self._assistant.template
        if self._chat and context:
            opening, said = encoder.opening([context]), template.lead + continuation
            return opening[0], encoder.verbatim([said])[0]
        bare = context.rstrip()
        spaces = context[len(bare) :]
        heard = encoder.opening([self._first_token + bare])[0] or self._prefix
        return heard, encoder.onward([spaces + continuation])[0]

    def _fitting(self, pair: Pair) -> Pair:
        context, continuation = pair
        room = max(1, self._window - len(continuation))
        return context[-room:], continuation[: self._window - 1]

    def _prompt(self, context: str, decoding: Decoding) -> list[int]:
        text = context if self._chat else self._first_token + context
        ids = self._assistant.encoder.opening([text])[0] or self._prefix
        return ids[decoding.max_new_tokens - self._window :]

    def _sums(self, pairs: Sequence[Pair]) -> list[tuple[float, bool]]:
        found = [(0.0, True)] * len(pairs)
        with torch.inference_mode():
            lengths = [len(heard) + len(said) for heard, said in pairs]
            for places in like_lengths(lengths, READ_TOKENS):
                sums = self._batch_sums([pairs[place] for place in places])
                for place, one in zip(places, sums, strict=True):
                    found[place] = one
        return found

    def _batch_sums(self, pairs: Sequence[Pair]) -> Iterator[tuple[float, bool]]:
        model = self._assistant.model
        model.eval()
        rows = [
            {"input_ids": heard + said, "labels": [IGNORED] * len(heard) + said}
            for heard, said in pairs
        ]
        batch = PaddingCollator(self._assistant.pad_id)(rows)
        device = next(model.parameters()).device
        labels = batch.pop("labels").to(device)
        logits = model(**{name: one.to(device) for name, one in batch.items()}).logits
        losses, _ = loss_sums(logits, labels)
        missed = (logits[:, :-1].argmax(-1) != labels[:, 1:]) & (labels[:, 1:] != IGNORED)
        yield from zip((-losses).tolist(), (~missed.any(1)).tolist(), strict=True)


def _by_decoding(requests: Sequence[Any], most_tokens: int) -> Iterator[tuple[Decoding, list[int]]]:
    """The places of the requests that are answered alike, in `most_tokens` or fewer."""
    groups: dict[Decoding, list[int]] = {}
    for place, request in enumerate(requests):
        groups.setdefault(_decoding(request.args[1], most_tokens), []).append(place)
    yield from groups.items()


def _decoding(asked: dict[str, Any], most_tokens: int) -> Decoding:
    """The harness's words for how an answer is made, in ours."""
    until = asked.get("until") or []
    stops = [until] if isinstance(until, str) else until
    samples = bool(asked.get("do_sample"))
    return Decoding(
        max_new_tokens=min(int(asked.get("max_gen_toks", MAX_NEW_TOKENS)), most_tokens),
        stop=tuple(stop for stop in stops if stop),
        temperature=float(asked.get("temperature", 1.0)) if samples else 0.0,
        top_p=float(asked.get("top_p", 1.0)) if samples else 1.0,
    )
