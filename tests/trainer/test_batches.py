"""Padded and packed batches, and the loss over them."""

import pytest
import torch

from trainer.batches import PackingCollator, PaddingCollator, seen_tokens, token_loss
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


def test_packed_conversations_begin_at_position_0_and_padding_stays_there():
    packs = [[row(1, 2, 3), row(4, 5)], [row(6, 7)]]
    batch = PackingCollator(pad_id=9)(packs)
    assert batch["input_ids"].tolist() == [[1, 2, 3, 4, 5], [6, 7, 9, 9, 9]]
    assert batch["position_ids"].tolist() == [[0, 1, 2, 0, 1], [0, 1, 0, 0, 0]]
    assert batch["labels"].tolist() == [
        [IGNORED, 2, 3, IGNORED, 5],
        [IGNORED, 7, IGNORED, IGNORED, IGNORED],
    ]
    assert seen_tokens(batch) == 7


def test_flat_packs_are_one_row_without_padding():
    batch = PackingCollator(pad_id=9, flat=True)([[row(1, 2, 3), row(4, 5)], [row(6, 7)]])
    assert batch["input_ids"].tolist() == [[1, 2, 3, 4, 5, 6, 7]]
    assert batch["position_ids"].tolist() == [[0, 1, 2, 0, 1, 0, 1]]
    assert seen_tokens(batch) == 7


def test_a_mask_of_pairs_shows_what_is_before_in_the_same_conversation():
    batch = PackingCollator(pad_id=9, mask=torch.float32)([[row(1, 2), row(3, 4)], [row(5, 6)]])
    shown = (batch["attention_mask"] == 0).int().tolist()
    assert shown == [
        [[[1, 0, 0, 0], [1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 1, 1]]],
        [[[1, 0, 0, 0], [1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]],
    ]


def test_padded_tokens_are_counted_by_their_mask():
    assert seen_tokens(PaddingCollator(pad_id=7)([row(1, 7, 7), row(1, 2)])) == 5


def test_the_loss_is_the_sum_over_labelled_tokens_as_transformers_has_it():
    from transformers.loss.loss_utils import ForCausalLMLoss

    torch.manual_seed(0)
    logits = torch.randn(3, 6, 11)
    labels = torch.randint(0, 11, (3, 6))
    labels[0, :4] = IGNORED
    labels[2, 3:] = IGNORED
    expected = ForCausalLMLoss(logits, labels, 11, num_items_in_batch=torch.tensor(1))
    assert torch.allclose(token_loss({"logits": logits}, labels), expected)
