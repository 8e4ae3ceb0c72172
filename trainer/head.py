"""The loss without all the logits: the output layer is the largest product of a small model.

A vocabulary of 128,000 makes 4 GB of float32 logits of 8,192 tokens, and most of a prompt's are
thrown away. Here the output layer sees the labelled positions alone, `CHUNK` logits at a time, and
their gradients are taken while they are there. It happens inside the model's own forward pass, so
that adapters on that layer, DDP and autocast find it where they look for it.
"""

import contextlib
from collections.abc import Iterator
from enum import StrEnum
from typing import Any

import torch
from torch.nn.functional import cross_entropy

from trainer.batches import token_loss
from trainer.labels import IGNORED
from trainer.memory import is_out_of_memory

CHUNK = 2**26
"""Logits at a time on a GPU: 256 MB in float32."""
CHUNK_CPU = 2**22
"""On a CPU, whose caches are small."""
_PROBE = ((5, 3, 8, 6, 4, 9, 7, 3), (9, 4, 4, 3, 6, 8, 5, 7))
_LABELLED = ((0, 0, 0, 1, 1, 0, 1, 1), (0, 1, 1, 1, 1, 1, 0, 0))


class Way(StrEnum):
    """How a model's loss is computed."""

    CHUNKS = "chunks"
    """labelled positions, some at a time; the logits must be what the output layer gives"""
    LABELLED = "labelled"
    """labelled positions, all at once; the model may still scale or cap the logits"""
    WHOLE = "whole"
    """every position"""


class Head:
    """A model's output layer, and the labels that its next forward pass is for."""

    def __init__(self, model: Any, sharded: bool = False) -> None:
        """Find out by trial which way gives this model's own loss."""
        self._layer: Any = _bare(model).get_output_embeddings()
        self._labels: torch.Tensor | None = None
        self._vocabulary = 1
        self.way = Way.WHOLE
        if self._layer is not None:
            self.way = self._proven(model, Way.LABELLED if sharded else Way.CHUNKS)

    @contextlib.contextmanager
    def installed(self) -> Iterator[None]:
        """Within, forward passes that are `over` labels have a loss or fewer logits for logits."""
        if self.way is Way.WHOLE:
            yield
            return
        before = self._layer.__dict__.get("forward")
        original = self._layer.forward
        chosen = self._chunks if self.way is Way.CHUNKS else self._rows

        def forward(hidden: torch.Tensor) -> torch.Tensor:
            found: torch.Tensor = (
                original(hidden) if self._labels is None else chosen(original, hidden)
            )
            return found

        self._layer.forward = torch.compiler.disable(forward)  # type: ignore[no-untyped-call]
        try:
            yield
        finally:
            del self._layer.forward
            if before is not None:
                self._layer.forward = before

    @contextlib.contextmanager
    def over(self, labels: torch.Tensor) -> Iterator[None]:
        """The forward pass within is for these labels, rows x tokens."""
        self._labels = labels
        try:
            yield
        finally:
            self._labels = None

    def loss(self, outputs: Any, labels: torch.Tensor) -> torch.Tensor:
        """`token_loss` of a forward pass that was `over` these labels."""
        if self.way is Way.CHUNKS:
            return outputs["logits"].sum()  # type: ignore[no-any-return]
        if self.way is Way.LABELLED:
            targets = labels[:, 1:]
            logits = outputs["logits"].float()
            return cross_entropy(logits, targets[targets != IGNORED], reduction="sum")
        return token_loss(outputs, labels)

    def _rows(self, layer: Any, hidden: torch.Tensor) -> torch.Tensor:
        rows: torch.Tensor = layer(self._labelled(hidden)[0])
        return rows

    def _chunks(self, layer: Any, hidden: torch.Tensor) -> torch.Tensor:
        rows, targets = self._labelled(hidden)
        learning = [one for one in self._layer.parameters() if one.requires_grad]
        logits = CHUNK if rows.is_cuda else CHUNK_CPU
        size = max(1, logits // self._vocabulary)
        loss: torch.Tensor = _ChunkedLoss.apply(  # type: ignore[no-untyped-call]
            layer, size, rows, targets, *learning
        )
        return loss[None]

    def _labelled(self, hidden: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """What predicts a labelled token, tokens x width, and those tokens."""
        if self._labels is None or hidden.shape[:2] != self._labels.shape:
            raise ValueError(f"the output layer was given {tuple(hidden.shape)}")
        targets = self._labels[:, 1:]
        inside = targets != IGNORED
        return hidden[:, :-1][inside], targets[inside]

    def _proven(self, model: Any, wanted: Way) -> Way:
        """The first way, from `wanted` on, whose loss is that of all the logits."""
        device = next(model.parameters()).device
        ids = torch.tensor(_PROBE, device=device)
        labels = torch.where(torch.tensor(_LABELLED, device=device) > 0, ids, IGNORED)
        was_training = model.training
        model.eval()
        try:
            with torch.no_grad():
                plain, is_last = self._plain(model, ids)
                self._vocabulary = plain.shape[-1]
                expected = token_loss({"logits": plain}, labels)
                ways = list(Way)[list(Way).index(wanted) :]
                for self.way in ways if is_last else [one for one in ways if one != Way.CHUNKS]:
                    if self._is_right(model, ids, labels, expected):
                        return self.way
        finally:
            model.train(was_training)
        return Way.WHOLE

    def _plain(self, model: Any, ids: torch.Tensor) -> tuple[torch.Tensor, bool]:
        """All the logits, and whether they are the output layer's own, nothing done to them."""
        given: list[torch.Tensor] = []
        hook = self._layer.register_forward_hook(lambda _, __, output: given.append(output))
        try:
            logits: torch.Tensor = model(input_ids=ids)["logits"]
        finally:
            hook.remove()
        return logits, len(given) == 1 and torch.equal(given[0].to(logits.dtype), logits)

    def _is_right(
        self, model: Any, ids: torch.Tensor, labels: torch.Tensor, expected: torch.Tensor
    ) -> bool:
        try:
            with self.installed(), self.over(labels):
                found = self.loss(model(input_ids=ids), labels)
        except (TypeError, ValueError, RuntimeError, IndexError) as error:
            if is_out_of_memory(error):
                raise
            return False
        exact = next(model.parameters()).dtype == torch.float32
        return torch.allclose(found, expected, rtol=1e-4 if exact else 2e-2)


class _ChunkedLoss(torch.autograd.Function):
    """Sum of the negative log-likelihoods of `targets`, with its gradients found on the way."""

    @staticmethod
    def forward(
        context: Any,
        layer: Any,
        size: int,
        hidden: torch.Tensor,
        targets: torch.Tensor,
        *learning: torch.Tensor,
    ) -> torch.Tensor:
        """`hidden` is tokens x width, `layer` gives its logits, `learning` are its parameters."""
        wanted = any(context.needs_input_grad)
        loss = torch.zeros((), dtype=torch.float32, device=hidden.device)
        grads = [torch.zeros_like(hidden)] if wanted else []
        grads += [torch.zeros_like(one, dtype=torch.float32) for one in learning if wanted]
        for start in range(0, len(targets), size):
            chunk = slice(start, start + size)
            with torch.set_grad_enabled(wanted):
                rows = hidden[chunk].detach().requires_grad_(wanted)
                logits = layer(rows).float()
                part = cross_entropy(logits, targets[chunk], reduction="sum")
            if wanted:
                found = torch.autograd.grad(part, (rows, *learning), materialize_grads=True)
                grads[0][chunk] = found[0]
                for grad, more in zip(grads[1:], found[1:], strict=True):
                    grad.add_(more)
            loss += part.detach()
        context.save_for_backward(*grads)
        context.types = [one.dtype for one in learning]
        return loss

    @staticmethod
    def backward(context: Any, *received: torch.Tensor) -> Any:
        """The gradients found before, times that of the loss."""
        hidden, *learning = (grad * received[0] for grad in context.saved_tensors)
        typed = [one.to(kind) for one, kind in zip(learning, context.types, strict=True)]
        return None, None, hidden, None, *typed


def _bare(model: Any) -> Any:
    return model.get_base_model() if hasattr(model, "get_base_model") else model
