r"""What a sequence of losses f_0, f_1, f_2, ... is, and how a solver plays it round by round.

    R_T = sum_{t<T} f_t(x_t) - min_{low <= x <= high} sum_{t<T} f_t(x)

A sequence knows its best fixed point after T rounds in closed form, and so the regret. Rounds are counted t = 0, 1, 2, ...
Where a sequence is drawn, `loss` is the *expected* loss of the round, and the regret that of the expected losses. The
sequences stand in `problems/online/slopes.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import SimpleNamespace

import torch
from ratewitness.problems.oracle import Oracle
from ratewitness.problems.problem import Number
from torch import Generator, Tensor


@dataclass(frozen=True, eq=False)
class Online:
    """A sequence of losses; functions of x are batched as in `ratewitness.problems.problem`. Play it with `play`.

    A gradient may be a constant that is shared between rounds: do not change it in place.
    """

    name: str
    shape: tuple[int, ...]
    low: Number | None  # the box that x, and the best fixed point, stay in; None: all of R^d
    high: Number | None
    loss: Callable[[int, Tensor], Tensor]  # t, x -> f_t(x), expected where it is drawn       (*batch, *shape) -> (*batch,)
    grad: Callable[[int, Tensor], Tensor]  # t, x -> its gradient                   (*batch, *shape) -> (*batch, *shape)
    start: Tensor  # (*sweep, *shape)
    best: Callable[[int], tuple[Tensor, Tensor]]  # T -> the best fixed point after T rounds, and its total loss
    period: int | Tensor | None = None  # f_{t + period} = f_t for every t
    draw: Callable[[torch.Size, Generator], Tensor] | None = None  # batch -> what is drawn in a round; None: nothing
    sample_grad: Callable[[int, Tensor, Tensor], Tensor] | None = None  # t, x, drawn -> the gradient that is seen


def play(problem: Online, generator: Generator | None = None) -> tuple[Oracle, Callable[[Tensor], Tensor]]:
    """An oracle that plays the rounds one after the other, and a measure that takes them in step with it.

    Every `grad` is a round, answered with its gradient; redraw=False repeats the last one. The sample is the number of the
    round, with what was drawn where something is; full gradients and values are those of the last round. The measure gives
    the loss of the round that comes next (expected where it is drawn): in a run with one gradient a step that is f_t(x_t),
    and over="mean" of `run` records the average loss. Rounds are never played again: take a new pair for every run. Raises
    ValueError where a drawn sequence gets no generator; another one needs none.
    """
    if problem.draw is not None and not isinstance(generator, Generator):
        raise ValueError(f"generator is {generator!r} for {problem.name}, which is drawn; accepted are torch generators")
    played, grad, loss = 0, problem.grad, problem.loss
    draw, sampled = problem.draw, problem.sample_grad

    def next_round():
        nonlocal played
        played += 1
        return played - 1

    def last():
        sample = oracle.sample
        return 0 if sample is None else sample if draw is None else sample[0]

    function = SimpleNamespace(
        n=1,
        shape=problem.shape,
        batch=lambda x: x.shape[: x.ndim - len(problem.shape)],
        gap=lambda x: loss(last(), x),
        grad=lambda x: grad(last(), x),
        sample_grad=lambda x, index: grad(last(), x),
    )
    if draw is None:
        oracle = Oracle(function, lambda batch: next_round(), lambda x, t: grad(t, x), 1)
    else:
        oracle = Oracle(
            function,
            draw=lambda batch: (next_round(), draw(batch, generator)),
            query=lambda x, sample: sampled(sample[0], x, sample[1]),
            cost=1,
        )
    return oracle, lambda x: loss(played, x)


def regret(problem: Online, steps: Sequence[int], averages: Tensor) -> Tensor:
    """R_T/T at T = k + 1 for every k of `steps`, from the average losses over the rounds 0, ..., k: (len(steps), *batch).

    `trace.steps` and `trace.values` of a run with over="mean" and the measure of `play` are such a record.
    """
    return torch.stack([average - problem.best(k + 1)[1] / (k + 1) for k, average in zip(steps, averages, strict=True)])
