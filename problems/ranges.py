"""What parameters of an online sequence may be: numbers, or tensors of them, in a range."""

from __future__ import annotations

import torch
from torch import Tensor

from problems.problem import Number


def above_zero(**values: Number) -> None:
    for name, value in values.items():
        if not (torch.as_tensor(value) > 0).all():
            raise ValueError(f"{name} is {shown(value)}; accepted are numbers > 0")


def whole(least: int, **values: int | Tensor) -> None:
    for name, value in values.items():
        number = torch.as_tensor(value)
        if not ((number % 1 == 0) & (number >= least)).all():
            raise ValueError(f"{name} is {shown(value)}; accepted are integers >= {least}")


def shares(**values: Number) -> None:
    for name, value in values.items():
        number = torch.as_tensor(value)
        if number.numel() == 0 or not ((number > 0) & (number <= 1)).all():
            raise ValueError(f"{name} is {shown(value)}; accepted are numbers in (0, 1]")


def below(low: Number, high: Number) -> None:
    if not (torch.as_tensor(low) < torch.as_tensor(high)).all():
        raise ValueError(f"low is {shown(low)} and high {shown(high)}; accepted are low < high")


def shown(value: object) -> str:
    return " ".join(repr(value).split())
