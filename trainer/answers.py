"""Greedy answers to validation prompts, held against those of the corpus."""

import itertools
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from datasets import Dataset

from schemas.adapter import AnswerSample, AnswerScores, Reply
from schemas.answers import Decoding, Finish
from schemas.errors import StorageError
from schemas.train import Train
from trainer.corpus import Corpus
from trainer.evaluate import like_lengths, sample_rows
from trainer.files import write_text
from trainer.generation import Assistant
from trainer.labels import with_system
from trainer.overlap import chrf, folded, rouge_l
from trainer.templates import Message

VALIDATION = "validation"
SAMPLES = "answers.jsonl"
BATCH_TOKENS = 4_096
"""Of the prompts that are answered at the same time, padding and answers included."""


@dataclass(frozen=True)
class Question:
    """A validation conversation up to its last answer, and that answer."""

    row: int
    """its place in the validation split"""
    source: str
    messages: tuple[Message, ...]
    tools: str | None
    reference: str

    @property
    def prompt(self) -> str:
        """What is asked, for people: the turns, each under its role where there are several."""
        if len(self.messages) == 1:
            return self.messages[0]["content"]
        return "\n\n".join(f"{one['role']}: {one['content']}" for one in self.messages)


@dataclass(frozen=True)
class Quiz:
    """Questions that are answered greedily, each with its prompt in tokens."""

    questions: tuple[Question, ...]
    prompts: tuple[list[int], ...]
    decoding: Decoding

    def ask(self, assistant: Assistant) -> tuple[Reply, ...]:
        """What the model says, in the order of the questions."""
        replies = [Reply(text="", finished=False)] * len(self.prompts)
        room = [len(prompt) + self.decoding.max_new_tokens for prompt in self.prompts]
        for places in like_lengths(room, BATCH_TOKENS):
            prompts = [self.prompts[place] for place in places]
            answers = assistant.answer_all(prompts, self.decoding, places)
            for place, answer in zip(places, answers, strict=True):
                finished = answer.finish is not Finish.LENGTH
                replies[place] = Reply(text=answer.text, finished=finished)
        return tuple(replies)


def make_quiz(
    assistant: Assistant, corpus: Corpus, held_out: Dataset, train: Train, seed: int
) -> Quiz:
    """Up to `train.answers` conversations of `held_out` as questions, the same for the same seed.

    One whose prompt and answer are more than the model's context window is left out.
    """
    decoding = Decoding(max_new_tokens=train.answer_tokens)
    questions = _choose(corpus, held_out, train.answers, seed)
    prompts = [_prompt_ids(assistant, question) for question in questions]
    fits = [not assistant.excess_tokens(prompt, decoding) for prompt in prompts]
    return Quiz(
        tuple(itertools.compress(questions, fits)),
        tuple(itertools.compress(prompts, fits)),
        decoding,
    )


def score(quiz: Quiz, replies: Sequence[Reply]) -> AnswerScores | None:
    """What the replies come to against the corpus's answers; None where nothing was asked."""
    pairs = [
        (question.reference, reply.text)
        for question, reply in zip(quiz.questions, replies, strict=True)
    ]
    if not pairs:
        return None
    return AnswerScores(
        answers=len(pairs),
        exact=fmean(wanted == given for wanted, given in pairs),
        exact_folded=fmean(folded(wanted) == folded(given) for wanted, given in pairs),
        rouge_l=fmean(rouge_l(wanted, given) for wanted, given in pairs),
        chrf=fmean(chrf(wanted, given) for wanted, given in pairs),
        unfinished=sum(not reply.finished for reply in replies),
    )


def samples_of(
    quiz: Quiz, before: Sequence[Reply], after: Sequence[Reply]
) -> tuple[AnswerSample, ...]:
    """Each question with both replies."""
    return tuple(
        AnswerSample(
            row=question.row,
            source=question.source,
            prompt=question.prompt,
            reference=question.reference,
            base=base,
            adapter=adapter,
        )
        for question, base, adapter in zip(quiz.questions, before, after, strict=True)
    )


def write_samples(path: Path, samples: Sequence[AnswerSample]) -> None:
    """Write `answers.jsonl` (raises StorageError)."""
    write_text(path, "".join(f"{sample.model_dump_json()}\n" for sample in samples))


def read_samples(path: Path) -> tuple[AnswerSample, ...]:
    """The lines of `answers.jsonl`; none where there is no such file.

    Raises:
        StorageError: it cannot be read.
    """
    try:
        lines = path.read_text(encoding="utf-8").split("\n") if path.is_file() else []
        return tuple(AnswerSample.model_validate_json(line) for line in lines if line)
    except (OSError, ValueError) as error:
        raise StorageError(
            f"{path} cannot be read: {str(error).splitlines()[0]}. Delete it to go on without it."
        ) from None


def _choose(corpus: Corpus, held_out: Dataset, wanted: int, seed: int) -> list[Question]:
    """Some of the conversations that `held_out` has rows of, ascending."""
    if not wanted:
        return []
    rows = np.unique(np.asarray(held_out.with_format("numpy")["row"][:], np.int64))
    return list(_read(corpus, rows[sample_rows(rows.size, wanted, seed)]))


def _read(corpus: Corpus, rows: npt.NDArray[np.int64]) -> Iterator[Question]:
    """The questions at these places of the validation split, which ascend."""
    first = 0
    for batch in corpus.batches(VALIDATION):
        here = rows[(rows >= first) & (rows < first + batch.num_rows)]
        found = batch.select(["source", "messages", "tools"]).take(pa.array(here - first))
        for row, one in zip(here.tolist(), found.to_pylist(), strict=True):
            *asked, answered = one["messages"]
            yield Question(row, one["source"], tuple(asked), one["tools"], answered["content"])
        first += batch.num_rows


def _prompt_ids(assistant: Assistant, question: Question) -> list[int]:
    """The question as the model was trained to be asked it."""
    tools = json.loads(question.tools) if question.tools else None
    messages = with_system(list(question.messages), assistant.system)
    text = assistant.template.prompt(messages, tools)
    return list(assistant.encoder.opening([text])[0])
