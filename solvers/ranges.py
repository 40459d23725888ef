"""What hyperparameters may be: numbers, or tensors of them that broadcast against x, in a range."""

from __future__ import annotations

import torch
from torch import Tensor

from solvers.schedules import Schedule


def at_least_zero(**values: Schedule) -> None:
    """Raises ValueError for a negative or NaN value; a rule k -> a_k is taken on trust."""
    for name, value in values.items():
        if not callable(value) and not (torch.as_tensor(value) >= 0).all():
            raise ValueError(f"{name} is {value}; accepted are numbers >= 0")


def below_one(**values: float | Tensor) -> None:
    """Raises ValueError for a value outside [0, 1)."""
    for name, value in values.items():
        if not ((torch.as_tensor(value) >= 0) & (torch.as_tensor(value) < 1)).all():
            raise ValueError(f"{name} is {value}; accepted are numbers in [0, 1)")


def positive_integer(**values: int) -> None:
    """Raises ValueError for anything but 1, 2, 3, ..."""
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ValueError(f"{name} is {value!r}; accepted are integers >= 1")
