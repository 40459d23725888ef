r"""Is AdaGrad's update what it is said to be, and is torch's Adagrad the same method?

    x_{k+1} = x_k - lr g_k/h_k,     h_k = (eps + sum_{j<=k} g_j^2)^{1/2},     by norm ||g_j||^2 in place of g_j^2

entrywise. The reference is computed in decimal arithmetic of 50 digits and rounded at the end.

J. Duchi, E. Hazan and Y. Singer (2011), JMLR 12; M. Streeter and H. B. McMahan (2010), arXiv:1002.4862.
"""

from __future__ import annotations

import mpmath
import numpy as np
import pandas as pd
import torch
from ratewitness.solvers.adagrad import AdaGrad, AdaGradNorm
from ratewitness.solvers.solver import iterates
from ratewitness.studies.claims import Budget, Verdict, claim, planted
from ratewitness.studies.judges import agrees
from ratewitness.studies.measuring.streams import Stream, normal
from torch import Tensor


def reference(g: Tensor, lr: float, eps: float, norm: bool) -> np.ndarray:
    """The moves x_k - x_0 in decimal arithmetic of 50 digits, rounded at the end: g (T, d) -> (T, d)."""
    with mpmath.workdps(50):
        rows = [[mpmath.mpf(entry) for entry in row] for row in g.tolist()]
        total, moved, path = [mpmath.mpf(0)] * len(rows[0]), [mpmath.mpf(0)] * len(rows[0]), []
        for row in rows:
            squares = [mpmath.fsum(entry**2 for entry in row)] * len(row) if norm else [entry**2 for entry in row]
            total = [a + b for a, b in zip(total, squares, strict=True)]
            moved = [m - lr * e / mpmath.sqrt(eps + s) for m, e, s in zip(moved, row, total, strict=True)]
            path.append([float(m) for m in moved])
    return np.array(path)


def of_torch(g: Tensor, lr: float, **settings: float) -> np.ndarray:
    x, path = torch.nn.Parameter(torch.zeros_like(g[0])), []
    optimizer = torch.optim.Adagrad([x], lr=lr, **settings)
    for x.grad in g:
        optimizer.step()
        path.append(x.detach().clone())
    return torch.stack(path).cpu().numpy()


def moves(solver: AdaGrad | AdaGradNorm, g: Tensor) -> np.ndarray:
    run = iterates(solver, Stream(lambda t, x: g[t]), torch.zeros_like(g[0]))
    return torch.stack([x for _, x in zip(range(len(g) + 1), run, strict=False)][1:]).cpu().numpy()


@claim("exact", "S15; Duchi, Hazan and Singer (2011); torch.optim.Adagrad")
@planted("epsilon outside the root", eps_inside=False)
@planted("three times the epsilon", factor=3.0)
def update(budget: Budget, eps_inside: bool = True, factor: float = 1.0) -> Verdict:
    """S15, as stated: AdaGrad with epsilon inside the root, diagonal and by norm, is x - lr g/(eps + sum g^2)^{1/2}.

    To 1e-13 of the largest move against arithmetic of 50 digits, for gradients of size 1e-3, 1 and 1e3 and eps of 1e-10,
    1e-6 and 1e-2, 200 (quick: 30) steps. torch's Adagrad is the same method with initial_accumulator_value = eps and its
    own eps = 0; by default it adds eps to the root, which is another method."""
    generator, lr, rows = budget.shared("adagrad_regret.update").generator("parity"), 0.3, []
    for size in (1e-3, 1.0, 1e3):
        g = size * normal(generator, budget.pick(30, 200), 5)
        for eps in (1e-10, 1e-6, 1e-2):
            diagonal = moves(AdaGrad(lr, eps=factor * eps, eps_inside=eps_inside), g)
            by_norm = moves(AdaGradNorm(lr, eps=factor * eps, eps_inside=eps_inside), g)
            pairs = {
                "diagonal": (diagonal, reference(g, lr, eps, norm=False)),
                "norm": (by_norm, reference(g, lr, eps, norm=True)),
                "torch, eps as accumulator": (diagonal, of_torch(g, lr, initial_accumulator_value=eps, eps=0.0)),
                "torch, eps outside": (moves(AdaGrad(lr, eps=eps, eps_inside=False), g), of_torch(g, lr, eps=eps)),
            }
            for name, (ours, theirs) in pairs.items():
                error = np.abs(ours - theirs).max() / np.abs(theirs).max()
                rows.append({"compared": name, "gradients": size, "eps": eps, "error": error})
    table = pd.DataFrame(rows)
    return agrees(1 + table["error"], np.ones(len(table)), 1e-13).showing(table)


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
