r"""The iterations by matrix products, run on matrices of growing condition.

    G = U S V^T,  ||G||_F = 1,  l = its smallest singular value;   error = ||X_T - U V^T||_2 = max_i |1 - sigma_i(X_T)|

The greedy compositions are made for the l of each matrix: Polar Express without cushion and safety factor.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import torch
from ratewitness.solvers.norms.polar import NewtonSchulz, PolarExpress
from ratewitness.studies.claims import Budget, measured
from ratewitness.studies.norms.spectra import errors, geometric, with_singular_values

SOURCE = "Amsel, Persson, Musco and Gower (2025), arXiv:2505.16932"
GREEDY = PolarExpress(1, cushion=0.0, safety=1.0, eps=0.0)
CONDITIONS = tuple(10.0**k for k in range(9))
ROUNDING_FLOOR = 1e-14  # times the condition number: what float64 loses of the polar factor
PRODUCTS = {"NS 3": 2, "NS 5": 3, "NS 7": 4, "NS 9": 5, "greedy 3": 2, "greedy 5": 3, "greedy 7": 4}  # a step
STEPS = {"NS 3": 64, "NS 5": 42, "NS 7": 34, "NS 9": 30, "greedy 3": 28, "greedy 5": 18, "greedy 7": 14}


@measured("orthogonalization")
def matrices(budget: Budget) -> tuple[torch.Tensor, torch.Tensor, np.ndarray]:
    """G (K, m, n) with geometric spectra of condition `CONDITIONS`, the polar factors, and l = sigma_min/||G||_F (K,)."""
    generator = budget.generator("matrices")
    m, n = budget.pick((16, 24), (64, 96))
    s = geometric(torch.tensor(CONDITIONS, dtype=torch.float64, device=generator.device), m)
    G, polar = with_singular_values(s, n, generator)
    return G, polar, (s[:, -1] / s.norm(dim=-1)).cpu().numpy()


@measured("orthogonalization")
def runs(budget: Budget, method: str) -> pd.DataFrame:
    """The error on every matrix after 1, 2, ... steps."""
    G, polar, l = matrices(budget)
    degree, frames = int(method[-1]), []
    for T in range(1, STEPS[method] + 1):
        if method.startswith("NS"):
            X = NewtonSchulz(T, degree)(G)
        else:
            made = [replace(GREEDY, steps=T, degree=degree, low=float(low)) for low in l]
            X = torch.stack([orthogonalize(g) for orthogonalize, g in zip(made, G, strict=True)])
        frames.append(pd.DataFrame({"condition": CONDITIONS, "l": l, "T": T, "error": errors(X, polar)}))
    table = pd.concat(frames, ignore_index=True)
    return table.assign(method=method, products=PRODUCTS[method] * table["T"])
