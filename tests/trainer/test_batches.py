"""Padding, order and loss."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from trainer.batches import LengthGroupedOrder, PaddingCollator, token_loss
from trainer.labels import IGNORED


def row(*ids: int, prompt: int = 1) -> dict[str, list[int]]:
    return {"input_ids": list(ids), "labels": [IGNORED] * prompt + list(ids[prompt:])}


def test_padding_is_masked_by_length_not_by_its_id():
    batch = PaddingCollator(pad_id=7)([row(1, 7, 7), row(1, 2)])
    assert batch["input_ids"].tolist() == [[1, 7, 7], [1, 2, 7]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1], [1, 1, 0]]
    assert batch["labels"].tolist() == [[IGNORED, 7, 7], [IGNORED, 2, IGNORED]]


# fmt: off
WIDTHS = {          # longest  multiple  width
    "as it is":     (5,        1,        5),
    "rounded up":   (5,        8,        8),
    "already even": (8,        8,        8),
}
# fmt: on


@pytest.mark.parametrize(("longest", "multiple", "width"), WIDTHS.values(), ids=WIDTHS.keys())
def test_the_width_is_the_longest_rounded_up(longest, multiple, width):
    batch = PaddingCollator(0, multiple)([row(*range(1, longest + 1)), row(1, 2)])
    assert batch["input_ids"].shape == (2, width)


@given(
    lengths=st.lists(st.integers(1, 50), min_size=1, max_size=300),
    batch_rows=st.integers(1, 9),
    seed=st.integers(0, 5),
    epoch=st.integers(0, 3),
)
def test_every_row_comes_once_an_epoch_in_an_order_of_seed_and_epoch(
    lengths, batch_rows, seed, epoch
):
    def order() -> list[int]:
        one = LengthGroupedOrder(np.array(lengths), batch_rows, seed)
        one.set_epoch(epoch)
        return list(one)

    assert sorted(order()) == list(range(len(lengths)))
    assert order() == order()


def test_epochs_differ_and_batches_hold_like_lengths():
    lengths = np.random.default_rng(0).integers(1, 500, 2_000)
    one = LengthGroupedOrder(lengths, 8, seed=1)
    first = list(one)
    one.set_epoch(1)
    assert list(one) != first
    grouped = lengths[np.array(first)].reshape(-1, 8)
    padded = grouped.max(axis=1).sum() * 8
    assert lengths.sum() / padded > 0.95


def test_the_loss_is_the_sum_over_labelled_tokens_as_transformers_has_it():
    from transformers.loss.loss_utils import ForCausalLMLoss

    torch.manual_seed(0)
    logits = torch.randn(3, 6, 11)
    labels = torch.randint(0, 11, (3, 6))
    labels[0, :4] = IGNORED
    labels[2, 3:] = IGNORED
    expected = ForCausalLMLoss(logits, labels, 11, num_items_in_batch=torch.tensor(1))
    assert torch.allclose(token_loss({"logits": logits}, labels), expected)
