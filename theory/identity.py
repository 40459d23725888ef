"""What a proof of this folder is: a function that says whether an identity holds, and by which slips it becomes false.

    @identity(factor=3)                                  one slip, called "a wrong constant"
    def double(factor=2) -> bool: ...

    @identity(wrong={"argmax": {"sign": -1}, "dual exponent p": {"conjugate": P}})
    def attained(conjugate=Q, sign=1) -> bool: ...

The arguments of a proof are constants of the identity, with the true ones as defaults: called without arguments it returns
True, and with those of any of its slips False. A proof that is true whatever it is told proves nothing, which is why each
names a slip.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import ModuleType

A_WRONG_CONSTANT = "a wrong constant"  # the name of a slip that is given without one


@dataclass(frozen=True, eq=False)
class Identity:
    """A proof with the slips that make it false, by name. Calling it runs the proof, with the constants changed that are
    named.

    >>> @identity(factor=3)
    ... def double(factor=2) -> bool:
    ...     return 3 + 3 == factor * 3
    >>> double(), double(factor=3), [variant() for variant in double.variants.values()]
    (True, False, [False])
    """

    proof: Callable[..., bool]
    wrong: Mapping[str, Mapping[str, object]]

    def __post_init__(self) -> None:
        told = ("__module__", "__name__", "__qualname__", "__doc__")  # as functools.wraps; a frozen instance has no setattr
        vars(self).update({each: getattr(self.proof, each) for each in told} | {"__wrapped__": self.proof})
        accepted = inspect.signature(self.proof).parameters
        if open_ones := [name for name, one in accepted.items() if one.default is one.empty]:
            raise ValueError(f"{self.name} gives {', '.join(open_ones)} no default; accepted are true values")
        if not (self.wrong and all(self.wrong.values())):
            raise ValueError(f"{self.name} needs a slip, and each must change one of {', '.join(accepted)}")
        for slip, changed in self.wrong.items():
            if unknown := [name for name in changed if name not in accepted]:
                raise ValueError(f"{slip} of {self.name} changes {', '.join(unknown)}; accepted are {', '.join(accepted)}")

    @property
    def name(self) -> str:
        return self.proof.__name__

    @property
    def variants(self) -> dict[str, Callable[[], bool]]:
        """The same proof with the constants of each slip."""
        return {slip: partial(self, **changed) for slip, changed in self.wrong.items()}

    def __call__(self, **changed: object) -> bool:
        return self.proof(**changed)


def identity(
    *, wrong: Mapping[str, Mapping[str, object]] | None = None, **changed: object
) -> Callable[[Callable[..., bool]], Identity]:
    """Make an Identity of a proof. changed: constants that make it false together; wrong: such slips by name.

    ValueError for a proof with an argument that has no default, without a slip, or with one that changes something else.
    """
    slips = ({A_WRONG_CONSTANT: changed} if changed else {}) | dict(wrong or {})
    return lambda proof: Identity(proof, slips)


def identities(module: ModuleType) -> dict[str, Identity]:
    """The identities that a module proves, by name and in the order of their definition; not those that it imports."""
    found = [each for each in vars(module).values() if isinstance(each, Identity)]
    return {each.name: each for each in found if each.__module__ == module.__name__}
