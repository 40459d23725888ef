"""What may be put into a wrapper."""

from __future__ import annotations

from dataclasses import is_dataclass

from ratewitness.solvers.ranges import shown


def solvers(**values: object) -> None:
    """Raises ValueError for anything but an instance of a dataclass with init and step; a class is none."""
    for name, value in values.items():
        if isinstance(value, type) or not (is_dataclass(value) and hasattr(value, "init") and hasattr(value, "step")):
            raise ValueError(f"{name} is {shown(value)}; accepted are dataclasses of hyperparameters with init and step")
