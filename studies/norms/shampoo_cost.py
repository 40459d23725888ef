r"""What does a step of Shampoo cost on a d x d matrix, beside one of Adam?

    products of matrices and eigendecompositions   ~ d^3            entry by entry   ~ d^2

in floating-point operations, counted as they are executed, and in seconds of one core of the CPU that provenance.json
names. The step is the second one, its gradient given: what the method itself computes, without the problem.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd
import torch
from ratewitness.studies.claims import Budget, Verdict, claim, measured, planted, revised
from ratewitness.studies.judges import all_of, exponent_is
from ratewitness.studies.measuring.timing import race, takes_at_most
from ratewitness.studies.norms.shampoo_methods import SUMS, second_step
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

SIDES, TIMED = np.array([12, 16, 24, 32, 48, 64, 96, 128, 192]), (16, 64, 128)
METHODS = ("Adam", SUMS)


class Flops(TorchDispatchMode):
    """Counts floating-point operations: 2 m k n for a product, 9 d^3 for an eigendecomposition with vectors (Golub and Van
    Loan), and one for each number that any other operation writes."""

    count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        name = func.overloadpacket.__name__
        if name in ("mm", "bmm"):
            self.count += 2 * args[0].numel() * args[1].shape[-1]
        elif "eigh" in name:
            self.count += 9 * args[0].numel() * args[0].shape[-1]
        elif isinstance(out, Tensor) and not func.is_view and name != "_unsafe_view":
            self.count += out.numel()
        return out


def flops(name: str, d: int) -> int:
    step = second_step(name, d)
    with Flops() as counted:
        step()
    return counted.count


@measured
def operations(budget: Budget) -> pd.DataFrame:
    table = pd.DataFrame({"d": SIDES} | {name: [flops(name, int(d)) for d in SIDES] for name in METHODS})
    return table.assign(ratio=table[SUMS] / table["Adam"])


@claim(
    "cost",
    "S40; counted operation by operation; 9 d^3 for an eigendecomposition: Golub and Van Loan",
    units={"least": "ratio", "largest": "ratio"},
)
@planted("Shampoo like d^2.8", shampoo=2.8)
@planted("Shampoo like d^3.2", shampoo=3.2)
@planted("Adam like d^2.2", adam=2.2)
@planted("Adam like d^1.8", adam=1.8)
def flops_of_a_step(budget: Budget, shampoo: float = 3.0, adam: float = 2.0) -> Verdict:
    """S40, as stated: A step of Shampoo on a d x d matrix costs more than one of Adam: in the order of d^3 operations, not
    d^2.

    The exponents are 3 and 2, to 0.1, from d = 12 to 192, and Shampoo's operations are at least ten times as many at every
    d."""
    table = operations(budget)
    verdicts = {
        name: exponent_is(1 / SIDES, table[name], exponent, 0.1, decades=1.2)
        for name, exponent in ((SUMS, shampoo), ("Adam", adam))
    }
    least = {"least": table["ratio"].min(), "largest": table["ratio"].max()}
    verdicts["ratio"] = Verdict("supported" if least["least"] >= 10 else "refuted", least)
    return all_of(verdicts).showing(table)


@measured("shampoo_cost, revision 1")
def timed(budget: Budget) -> pd.DataFrame:
    def calls(k: int, d: int) -> dict:
        with torch.device("cpu"):
            return {name: second_step(name, d) for name in METHODS}

    return race({(d,): partial(calls, d=d) for d in TIMED}, ("d",), lambda cell: budget.pick(10, 40))


@claim("cost", "S40; timed on one CPU core")
@revised(1, "five rounds of timing in place of three, in which both take turns, and medians in place of minima")
@planted("Adam's step takes longer", slow="Adam", fast=SUMS, factor=1.0)
@planted("fifty times as long", factor=50.0)
def time_of_a_step(budget: Budget, slow: str = SUMS, fast: str = "Adam", factor: float = 2.0) -> Verdict:
    """S40: A step of Shampoo takes more than twice as long as one of Adam.

    On d x d matrices, d = 16, 64 and 128, it does in each of 5 rounds of timing, in which both take turns (median of 10,
    full: 40, repeats, float64, one core of the CPU that provenance.json names). The evidence holds no measured time."""
    table = timed(budget)
    return takes_at_most(table, fast, slow, 1 / factor).showing(table)


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
