"""Loss by row, source, category and language; and the gate that an adapter must pass."""

import math
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from datasets import Dataset
from hypothesis import given
from hypothesis import strategies as st

from schemas.adapter import Evaluation, GroupLoss
from schemas.errors import AdapterRejected
from schemas.train import BaseModel, Train
from trainer.batches import PaddingCollator, token_loss
from trainer.evaluate import (
    GATED_CONVERSATIONS,
    evaluate,
    evaluation_of,
    faults_of,
    loss_sums,
    refuse_worse,
    row_losses,
    sample_rows,
)

TRAIN = Train(base_model=BaseModel(name="x", path="/x"))


def losses(*rows: tuple[str | None, str | None, str | None, float, int]) -> pl.DataFrame:
    return pl.DataFrame(
        rows,
        schema={
            "source": pl.String,
            "category": pl.String,
            "language": pl.String,
            "loss": pl.Float64,
            "tokens": pl.Int64,
        },
        orient="row",
    )


def tokenized(*rows: tuple[list[int], int]) -> Dataset:
    """Rows of ids, each with the number of its last tokens that are inside the loss."""
    columns: dict[str, list[Any]] = {
        "input_ids": [ids for ids, _ in rows],
        "labels": [[-100] * (len(ids) - inside) + ids[len(ids) - inside :] for ids, inside in rows],
        "length": [len(ids) for ids, _ in rows],
        "source": [f"s{index % 2}" for index in range(len(rows))],
        "category": [None if index % 2 == 0 else "qa" for index in range(len(rows))],
        "language": ["zh"] * len(rows),
    }
    return Dataset.from_dict(columns).with_format("numpy")


@pytest.fixture(scope="module")
def model(tiny_model: Any) -> Any:
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(tiny_model)


ROWS = (([5, 6, 7, 8], 2), ([9, 10, 11], 1), ([12] * 9, 8), ([13, 14], 0), ([15, 16, 17], 2))


def test_a_row_alone_and_among_others_has_the_same_loss(model: Any) -> None:
    rows = tokenized(*ROWS)
    collator = PaddingCollator(0)
    together = row_losses(model, rows, collator)
    assert together["tokens"].to_list() == [2, 1, 8, 0, 2]
    assert together["category"].to_list() == [None, "qa", None, "qa", None]
    for index in range(len(rows)):
        alone = row_losses(model, rows.select([index]), collator)
        assert alone["loss"].item() == pytest.approx(together["loss"][index], abs=1e-4)
        assert alone.drop("loss").equals(together[index].drop("loss"))


def test_losses_are_those_of_training(model: Any) -> None:
    rows = tokenized(*ROWS)
    found = evaluate(model, rows, PaddingCollator(0))
    batch = PaddingCollator(0)(rows[:] and [rows[index] for index in range(len(rows))])
    labels = batch.pop("labels")
    with torch.inference_mode():
        expected = float(token_loss(model(**batch), labels)) / 13
    assert found is not None
    assert found.loss == pytest.approx(expected, rel=1e-5)
    assert found.perplexity == pytest.approx(math.exp(expected), rel=1e-4)
    assert (found.conversations, found.trainable_tokens) == (5, 13)
    assert set(found.of("source")) == {"s0", "s1"}


@given(st.integers(1, 6), st.integers(2, 9), st.integers(0, 2**31))
def test_the_sums_of_rows_are_the_loss_of_the_batch(rows: int, width: int, seed: int) -> None:
    torch.manual_seed(seed)
    logits = torch.randn(rows, width, 7)
    labels = torch.randint(0, 7, (rows, width))
    labels[torch.rand(rows, width) < 0.4] = -100
    sums, tokens = loss_sums(logits, labels)
    assert tokens.sum() == (labels[:, 1:] != -100).sum()
    whole = float(token_loss({"logits": logits}, labels))
    assert sums.sum() == pytest.approx(whole, rel=1e-5, abs=1e-6)
    assert (sums[tokens == 0] == 0).all()


def test_groups_are_weighted_by_token_and_nulls_have_a_name() -> None:
    found = evaluation_of(
        losses(
            ("a", "x", "en", 2.0, 1),
            ("a", None, "en", 10.0, 9),
            ("b", "x", None, 3.0, 3),
            ("b", "y", None, 0.0, 0),
        )
    )
    assert found is not None
    assert found.loss == pytest.approx(15 / 13)
    told = [
        (one.key, one.value, one.loss, one.conversations, one.trainable_tokens)
        for one in found.groups
    ]
    assert told == [
        ("source", "a", 1.2, 2, 10),
        ("source", "b", 1.0, 2, 3),
        ("category", "(none)", pytest.approx(10 / 9), 1, 9),
        ("category", "x", 1.25, 2, 4),
        ("language", "en", 1.2, 2, 10),
        ("language", "unknown", 1.0, 2, 3),
    ]
    assert found.of("source")["a"].perplexity == pytest.approx(math.exp(1.2))


def test_the_groups_of_a_key_add_up_to_the_whole() -> None:
    random = np.random.default_rng(3)
    rows = [
        (f"s{random.integers(4)}", None, "en", float(random.random()), int(random.integers(0, 9)))
        for _ in range(200)
    ]
    found = evaluation_of(losses(*rows))
    assert found is not None
    for key in ("source", "category", "language"):
        groups = found.of(key).values()
        assert sum(one.trainable_tokens for one in groups) == found.trainable_tokens


def test_without_a_token_inside_the_loss_there_is_no_evaluation() -> None:
    assert evaluation_of(losses()) is None
    assert evaluation_of(losses(("a", None, None, 0.0, 0))) is None


def test_the_sample_is_the_same_for_the_same_seed() -> None:
    assert sample_rows(5, 9, 1) == [0, 1, 2, 3, 4]
    assert sample_rows(1_000, 9, 1) == sample_rows(1_000, 9, 1) != sample_rows(1_000, 9, 2)


def evaluation(loss: float, group: float, conversations: int) -> Evaluation:
    of_group = GroupLoss(
        key="source",
        value="poems",
        loss=group,
        perplexity=1,
        conversations=conversations,
        trainable_tokens=9,
    )
    return Evaluation(
        loss=loss, perplexity=1, conversations=90, trainable_tokens=900, groups=(of_group,)
    )


MANY, FEW = GATED_CONVERSATIONS, GATED_CONVERSATIONS - 1
# fmt: off
GATE = {  #                       after  group  of     bound  group's  faults
    "better":                    (1.0,   1.0,   MANY,  0.0,   None,    []),
    "the same":                  (2.0,   2.0,   MANY,  0.0,   0.0,     []),
    "worse":                     (2.1,   2.0,   MANY,  0.0,   None,    ["validation loss 2.0000 before, 2.1000"]),
    "worse, and allowed":        (2.1,   2.0,   MANY,  0.2,   None,    []),
    "no number":                 (math.nan, 2.0, MANY, 9.0,   None,    ["validation loss"]),
    "a group worse, unasked":    (1.0,   3.0,   MANY,  0.0,   None,    []),
    "a group worse":             (1.0,   3.0,   MANY,  0.0,   0.5,     ["source 'poems': loss 2.0000 before, 3.0000"]),
    "a group at the bound":      (1.0,   2.5,   MANY,  0.0,   0.5,     []),
    "a small group worse":       (1.0,   3.0,   FEW,   0.0,   0.5,     []),
    "both":                      (2.1,   math.inf, MANY, 0.0, 0.5,     ["validation loss", "poems"]),
}
# fmt: on


@pytest.mark.parametrize(
    ("after", "group", "of", "bound", "group_bound", "said"), GATE.values(), ids=GATE
)
def test_an_adapter_worse_than_its_base_fails_the_gate(
    after: float, group: float, of: int, bound: float, group_bound: float | None, said: list[str]
) -> None:
    train = TRAIN.model_copy(
        update={"max_loss_increase": bound, "max_group_loss_increase": group_bound}
    )
    before, now = evaluation(2.0, 2.0, of), evaluation(after, group, of)
    faults = faults_of(before, now, train)
    assert len(faults) == len(said)
    assert all(part in fault for part, fault in zip(said, faults, strict=True))
    if said:
        with pytest.raises(AdapterRejected, match="not pushed"):
            refuse_worse(before, now, train)
    else:
        refuse_worse(before, now, train)


def test_without_a_validation_split_there_is_no_gate() -> None:
    assert faults_of(None, None, TRAIN) == ()
