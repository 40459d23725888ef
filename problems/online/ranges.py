"""What parameters of an online sequence may be: numbers, or tensors of them, in a range."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Real

import torch
from ratewitness.problems.problem import Number
from torch import Tensor


def above_zero(**values: Number) -> None:
    for name, value in values.items():
        if not holds(value, lambda v: v > 0):
            raise ValueError(f"{name} is {shown(value)}; accepted are numbers > 0")


def whole(least: int, **values: int | Tensor) -> None:
    for name, value in values.items():
        if not holds(value, lambda v: (v % 1 == 0) & (v >= least)):
            raise ValueError(f"{name} is {shown(value)}; accepted are integers >= {least}")


def shares(**values: Number) -> None:
    for name, value in values.items():
        if not holds(value, lambda v: (v > 0) & (v <= 1)):
            raise ValueError(f"{name} is {shown(value)}; accepted are numbers in (0, 1]")


def below(low: Number, high: Number) -> None:
    ends = holds(low, lambda v: v == v) and holds(high, lambda v: v == v)
    if not (ends and (torch.as_tensor(low) < torch.as_tensor(high)).all()):
        raise ValueError(f"low is {shown(low)} and high {shown(high)}; accepted are low < high")


def holds(value: Number, condition: Callable[[Tensor], Tensor]) -> bool:
    """Whether a number, or every entry of a tensor that is not empty, meets the condition; nothing else does."""
    if not isinstance(value, Real | Tensor):
        return False
    number = torch.as_tensor(value, dtype=torch.float64)
    return number.numel() > 0 and bool(condition(number).all())


def shown(value: object) -> str:
    return " ".join(repr(value).split())
