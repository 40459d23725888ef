"""What arguments may be: numbers, or tensors of them that broadcast against x, in a range; and tensors of points."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Integral

import torch
from ratewitness.solvers.schedules import Schedule
from torch import Tensor


def at_least_zero(**values: Schedule) -> None:
    """Raises ValueError for a negative or NaN value, and for none; a rule k -> a_k is taken on trust."""
    for name, value in values.items():
        if not callable(value) and not holds(value, lambda v: v >= 0):
            raise ValueError(f"{name} is {shown(value)}; accepted are numbers >= 0")


def below_one(**values: float | Tensor) -> None:
    """Raises ValueError for a value outside [0, 1)."""
    for name, value in values.items():
        if not holds(value, lambda v: (v >= 0) & (v < 1)):
            raise ValueError(f"{name} is {shown(value)}; accepted are numbers in [0, 1)")


def positive_integer(**values: int) -> None:
    """Raises ValueError for anything but 1, 2, 3, ..."""
    for name, value in values.items():
        if not is_integer(value) or value < 1:
            raise ValueError(f"{name} is {shown(value)}; accepted are integers >= 1")


def matrices(**points: Tensor) -> None:
    """Raises ValueError for anything but a real floating-point tensor (*batch, m, n), m, n >= 1."""
    real_floating(**points)
    for name, point in points.items():
        if point.ndim < 2 or 0 in point.shape[-2:]:
            raise ValueError(f"{name} has shape {tuple(point.shape)}; accepted are matrices (*batch, m, n), not empty")


def real_floating(**points: Tensor) -> None:
    """Raises ValueError for anything but a real floating-point tensor."""
    tensors(**points)
    for name, point in points.items():
        if not point.is_floating_point():
            raise ValueError(f"{name} has dtype {point.dtype}; accepted are real floating-point tensors")


def tensors(**points: Tensor) -> None:
    """Raises ValueError for anything but a tensor."""
    for name, point in points.items():
        if not isinstance(point, Tensor):
            raise ValueError(f"{name} is a {torch.typename(point)}; accepted are torch tensors")


def holds(value: float | Tensor, condition: Callable[[Tensor], Tensor]) -> bool:
    """Whether a number, or every entry of a tensor, meets the condition; what is no real number meets none."""
    try:
        exact = value if isinstance(value, Tensor) else torch.as_tensor(value, dtype=torch.float64)  # 1 - 1e-9 is below 1
        return bool(condition(exact).all())
    except (TypeError, ValueError, RuntimeError):
        return False


def is_integer(value: object) -> bool:
    """Whether it is an integer of Python or numpy; True and False are none."""
    return isinstance(value, Integral) and not isinstance(value, bool)


def shown(value: object) -> str:
    """The value in one line."""
    return " ".join(repr(value).split())
