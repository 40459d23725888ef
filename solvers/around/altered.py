"""An oracle whose gradients another solver sees altered."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor


class Altered:
    """Answers with change(x, g) in place of the gradient g at x. It has no function values and no single components."""

    def __init__(self, oracle, change: Callable[[Tensor, Tensor], Tensor]):
        self._oracle, self._change = oracle, change

    def grad(self, x: Tensor, **redraw: bool) -> Tensor:
        return self._change(x, self._oracle.grad(x, **redraw))

    def full_grad(self, x: Tensor) -> Tensor:
        return self._change(x, self._oracle.full_grad(x))
