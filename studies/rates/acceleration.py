r"""What do momentum and quasi-Newton methods gain with exact gradients?

    steps to 1e-8 Delta:   gradient descent ~ kappa,   heavy ball and Nesterov ~ sqrt kappa,   L-BFGS: free in few dimensions

on quadratics with log-spaced eigenvalues, kappa from 10 to 1000; the contrast to `momentum`. Momentum gains sqrt kappa on
strongly convex quadratics only: on smooth PL functions no first-order method does (Yue, Fang and Lin 2023,
arXiv:2212.13551). The freedom of L-BFGS (memory 10) from conditioning is one of few dimensions.

Sources: Polyak (1964); Nesterov (2004); Nocedal (1980).
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import torch
from ratewitness.problems.oracle import Oracle
from ratewitness.problems.quadratics import conditioned
from ratewitness.solvers.catalogue import catalogue
from ratewitness.studies.claims import Budget, Verdict, claim, planted
from ratewitness.studies.judges import all_of, bound_holds, exponent_is
from ratewitness.studies.measuring.drawing import Panel, panels
from ratewitness.studies.measuring.groups import group_times, stacked

KAPPAS = np.logspace(1, 3, 9)
METHODS = ("gradient descent", "heavy ball", "nesterov", "lbfgs")
LAWS = {"gradient descent": 1.0, "heavy ball": 0.5, "nesterov": 0.5}  # exponents of kappa


@cache
def exact(method: str, modes: int = 4) -> np.ndarray:
    """Steps to a gap of 1e-8 Delta (K,), the same on every budget: nothing is drawn."""
    f, L = conditioned(KAPPAS, modes), torch.as_tensor(KAPPAS).unsqueeze(-1)
    return group_times(catalogue(L, torch.ones_like(L))[method], Oracle.full(f), f, [[1e-8]], (), 20_000)[0, :, 0]


@claim("exponent", "S13, the contrast; Polyak (1964), Nesterov (2004)")
@planted("exponent 0.75 with momentum", laws={"heavy ball": 0.75, "nesterov": 0.75})
@planted("exponent 0.8 of gradient descent", laws={"gradient descent": 0.8})
def without_noise_momentum_pays(budget: Budget, laws: dict[str, float] = LAWS) -> Verdict:
    """S13, the contrast: With exact gradients the steps grow like kappa for gradient descent, like sqrt kappa with
    momentum.

    Steps to 1e-8 Delta grow like kappa^(1 +- 0.1) for gradient descent and like kappa^(0.5 +- 0.1) for heavy ball and
    Nesterov, on quadratics with kappa from 10 to 1000."""
    verdict = all_of({method: exponent_is(1 / KAPPAS, exact(method), power, 0.1) for method, power in laws.items()})
    return verdict.showing(stacked({m: pd.DataFrame({"kappa": KAPPAS, "steps": exact(m)}) for m in METHODS}))


@claim("upper bound", "S13, the contrast; Nocedal (1980)")
@planted("L-BFGS in 64 dimensions", modes=64)
@planted("gradient descent", method="gradient descent")
@planted("heavy ball", method="heavy ball")
@planted("nesterov", method="nesterov")
def lbfgs_pays_in_few_dimensions(budget: Budget, method: str = "lbfgs", modes: int = 4) -> Verdict:
    """S13, the contrast: In 4 dimensions the steps of L-BFGS hardly grow with kappa.

    With exact gradients and memory 10, the steps of L-BFGS to 1e-8 Delta are at no kappa up to 1000 more than 3 times
    those at kappa = 10 (sqrt kappa would be 10 times)."""
    return bound_holds(exact(method, modes), 3.0 * exact(method, modes)[0])


@claim("exponent", "S13, the contrast; Nocedal (1980)")
@planted("exponent 0.2", power=0.2)
@planted("exponent 0.8", power=0.8)
def lbfgs_in_many_dimensions(budget: Budget, power: float = 0.5) -> Verdict:
    """S13, the contrast: In 64 dimensions, many more than its memory, the steps of L-BFGS grow as those of momentum do.

    With exact gradients and memory 10, the steps to 1e-8 Delta grow like kappa^(0.5 +- 0.15), kappa from 10 to 1000: its
    freedom from conditioning is one of few dimensions."""
    steps = exact("lbfgs", 64)
    return exponent_is(1 / KAPPAS, steps, power, 0.15).showing({"kappa": KAPPAS, "steps": steps})


def figures(verdicts: dict[str, Verdict]) -> dict:
    found = verdicts["without_noise_momentum_pays"].table
    found = found.replace({"method": {"nesterov": "Nesterov", "lbfgs": "L-BFGS, $d = 4$"}})
    many = verdicts["lbfgs_in_many_dimensions"].table.assign(method="L-BFGS, $d = 64$")
    looks = {"gradient descent": "C0o-", "heavy ball": "C2s-", "Nesterov": "C3D-"}
    looks |= {"L-BFGS, $d = 4$": "C4^-", "L-BFGS, $d = 64$": "C4^- open"}
    guides = {1.0: r"$\kappa$", 0.5: r"$\sqrt{\kappa}$"}
    panel = Panel(pd.concat([found, many]), "kappa", r"condition number $\kappa$", "steps", y="steps", guides=guides)
    caption = r"Exact gradients: steps to $10^{-8}\,\Delta$ against the condition number, in $d = 4$ dimensions or as noted."
    return {"steps": panels(caption, looks, [panel], height=3.2)}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
