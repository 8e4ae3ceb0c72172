"""What base model and adapter are both held against: the same rows, and the same questions."""

from dataclasses import dataclass
from typing import Any

import polars as pl
import torch
from datasets import Dataset

from schemas.adapter import Measured
from schemas.train import Train
from trainer.answers import Quiz, make_quiz
from trainer.batches import PaddingCollator
from trainer.corpus import Corpus
from trainer.evaluate import evaluation_of, row_losses, sample_rows
from trainer.generation import Assistant
from trainer.memory import memory_errors
from trainer.templates import Template

_SHORTER = (
    "Lower train.max_tokens, set train.quantize to nf4, or take a machine with more memory: a row "
    "is measured alone, so a smaller batch_size does not help."
)


@dataclass(frozen=True)
class Exam:
    """Validation rows and questions, chosen by the run's seed, and the model that sits it."""

    model: Any
    rows: Dataset
    collator: PaddingCollator
    assistant: Assistant
    quiz: Quiz

    def losses(self) -> pl.DataFrame:
        """The model's losses as it is now, row by row, as `row_losses` has them.

        Raises:
            TrainingError: memory ran out.
        """
        with memory_errors("a model was measured on the validation split", _SHORTER):
            return row_losses(self.model, self.rows, self.collator)

    def sit(self) -> Measured | None:
        """The model as it is now, measured; None where there is nothing to measure it on."""
        found = evaluation_of(self.losses())
        if found is None:
            return None
        return Measured(evaluation=found, replies=self.quiz.ask(self.assistant))


def set_exam(
    model: Any,
    template: Template,
    corpus: Corpus,
    validation: Dataset,
    train: Train,
    seed: int,
) -> Exam:
    """The exam for a model on a tokenized validation split: the same for the same seed."""
    chosen = sample_rows(len(validation), train.evaluation_rows, seed)
    rows = validation.select(chosen)
    assistant = Assistant(model, template, train.system)
    collator = PaddingCollator(template.stop_id, multiple_of=8 if torch.cuda.is_available() else 1)
    quiz = make_quiz(assistant, corpus, rows, train, seed)
    return Exam(model, rows, collator, assistant, quiz)
