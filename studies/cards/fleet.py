"""Many runs of one optimizer at once: values of lr x replicates, in as few parameters and optimizers as the rule allows.

    entrywise    every entry moves on its own: one parameter for each lr, which holds all replicates
    apart        tensors do not see each other: one optimizer, in which each lr is a param group
    neither      one optimizer for each run

It is not `FromTorch`: the class itself is driven, in place, with fresh gradients at every step. Both properties are taken on
trust; a fleet of a rule that has them not runs another method. A gradient that is not finite is shown as 0, so that runs
which diverged do not stop the others.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence

import torch
from ratewitness.studies.cards.subject import VECTOR, Subject, said, swaps
from torch import Tensor
from torch.optim import Optimizer


class Broke(Exception):
    """What the optimizer raised."""


LARGE = 1e50  # of an entry of a gradient: its square and the sum of squares are finite in float64


class Fleet:
    """Runs of a subject from x0 (lrs, *replicates, *shape), shape the `ndim` trailing axes; an lr of None is left as it is.

    `x` holds the points where gradients are asked for, `read()` those that the optimizer wants to be judged by.
    """

    def __init__(self, subject: Subject, lrs: Sequence[float | None], x0: Tensor, ndim: int, entrywise: bool, apart: bool):
        self.x = x0.detach().clone(memory_format=torch.contiguous_format)
        self._subject = subject
        self._views = _views(subject, self.x, ndim, entrywise)
        self._places = [view.data_ptr() for view in self._views]
        self.parameters = [torch.nn.Parameter(view) for view in self._views]
        each = range(len(self.parameters))
        self._own = [list(each)] if apart else [[k] for k in each]  # of each optimizer
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                self.optimizers = self._around(lrs, apart)
            except Exception as error:
                raise Broke(f"building it raises {said(error)}") from error
        self._lrs = [[group.get("lr") for group in optimizer.param_groups] for optimizer in self.optimizers]
        self._swaps = swaps(self.optimizers[0])

    def _around(self, lrs: Sequence[float | None], apart: bool) -> list[Optimizer]:
        each = len(self.parameters) // len(lrs)
        if not apart:
            return [self._subject.build([p], **_lr(lrs[k // each])) for k, p in enumerate(self.parameters)]
        groups = [{"params": self.parameters[k * each : (k + 1) * each], **_lr(lr)} for k, lr in enumerate(lrs)]
        return [self._subject.build(groups)]

    def scale(self, factor: float) -> None:
        """Set every lr to `factor` times what it was at first."""
        for optimizer, lrs in zip(self.optimizers, self._lrs, strict=True):
            for group, lr in zip(optimizer.param_groups, lrs, strict=True):
                if lr is not None:
                    group["lr"] = lr * factor

    def step(self, gradient: Callable[[Tensor], Tensor], loss: Callable[[Tensor], Tensor] | None = None) -> None:
        """One step of every run on gradient(x), x (lrs, *replicates, *shape).

        A closure, where the subject wants one, asks again for the gradient and for loss(x) (lrs, *replicates), 0 by default.
        """
        self._show(gradient(self.x))
        for own, optimizer in zip(self._own, self.optimizers, strict=True):
            try:
                optimizer.step(self._closure(own, gradient, loss)) if self._subject.closure else optimizer.step()
            except Exception as error:
                raise Broke(f"a step raises {said(error)}") from error
        self._collect()

    def read(self) -> Tensor:
        """The points of all runs in eval mode, where the optimizer has one: (lrs, *replicates, *shape)."""
        if not self._swaps:
            return self.x
        self._into("eval")
        found = self.x.clone()
        self._into("train")
        return found

    def _into(self, mode: str) -> None:
        for optimizer in self.optimizers:
            getattr(optimizer, mode)()
        self._collect()

    def _show(self, gradient: Tensor) -> None:
        shown = torch.where(gradient.abs() < LARGE, gradient, torch.zeros_like(gradient))
        for p, g in zip(self.parameters, shown.reshape(len(self.parameters), *self._views[0].shape).unbind(0), strict=True):
            p.grad = g

    def _closure(self, own: list[int], gradient: Callable, loss: Callable | None) -> Callable[[], Tensor]:
        def closure():
            self._collect()
            self._show(gradient(self.x))
            if loss is None:
                return torch.zeros((), dtype=self.x.dtype)
            return loss(self.x).reshape(len(self.parameters), -1)[own].sum()

        return closure

    def _collect(self) -> None:
        """Some optimizers give a parameter new memory instead of writing into its own."""
        for p, view, place in zip(self.parameters, self._views, self._places, strict=True):
            if p.data_ptr() != place:
                view.copy_(p.detach())
                p.data = view


def _views(subject: Subject, x: Tensor, ndim: int, entrywise: bool) -> list[Tensor]:
    """What becomes the parameters: memory of x."""
    if not entrywise:
        return list(x.reshape(-1, *x.shape[x.ndim - ndim :]).unbind(0))
    if subject.takes_shape(VECTOR):
        return list(x.reshape(len(x), -1).unbind(0))
    return list(x.reshape(len(x), -1, x.shape[-1]).unbind(0))


def _lr(lr: float | None) -> dict[str, float]:
    return {} if lr is None else {"lr": float(lr)}
