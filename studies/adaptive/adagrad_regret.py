r"""Does AdaGrad's regret stay below its bound?

    x_{t+1} = P(x_t - eta g_t/h_t),     h_t = (eps + sum_{s<=t} g_s^2)^{1/2}       P clips to the cube [-1, 1]^d
    regret  <=  (c + 1/c)/2 sqrt 2 D_inf sum_i h_{T,i},                            eta = c D_inf/sqrt 2,  D_inf = 2

entrywise; by norm with ||g_s||^2, one h_t and D_2 = 2 sqrt d. The regret is that of the losses <g_t, x>, the largest of all
convex losses with these gradients: sum_t <g_t, x_t> + sum_i |sum_t g_{t,i}| on the cube, where the best fixed point is a
corner. How near an adversary comes to the bound: `adagrad_adversary`.

J. Duchi, E. Hazan and Y. Singer (2011), JMLR 12; M. Streeter and H. B. McMahan (2010), arXiv:1002.4862.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from ratewitness.problems.online import slopes as online
from ratewitness.solvers.adagrad import AdaGrad, AdaGradNorm
from ratewitness.solvers.around.box import Box
from ratewitness.studies.claims import Budget, Verdict, claim, measured, planted
from ratewitness.studies.judges import bound_holds
from ratewitness.studies.measuring.drawing import Panel, legend_below, panels
from ratewitness.studies.measuring.proofs import falsified, prove
from ratewitness.studies.measuring.streams import Stream, normal
from ratewitness.theory import adagrad
from ratewitness.theory.kronecker import diagonal_adagrad
from torch import Tensor

METHODS = {"diagonal": AdaGrad, "norm": AdaGradNorm}
FACTORS = torch.tensor([0.1, 0.3, 1.0, 3.0, 10.0], dtype=torch.float64)  # c, the step in units of D/sqrt 2
WIDTH, EPS = 2.0, 1e-12
SOURCE = "Duchi, Hazan and Singer (2011); Streeter and McMahan (2010)"
REGRET = (
    *(adagrad.growing_root, adagrad.online_step, adagrad.clipping, adagrad.growing_metric, adagrad.one_round),
    *(adagrad.best_step, adagrad.wrong_step),
)


@claim("proof", f"S15; {SOURCE}; theory/adagrad.py")
@falsified(*REGRET)
def regret_is_proved(budget: Budget) -> Verdict:
    """S15: For convex losses on a box AdaGrad's regret is at most (D_inf^2/(2 eta) + eta) sum_i (eps + sum_t
    g_{t,i}^2)^{1/2}.

    By norm it is at most (D_2^2/(2 eta) + eta) (eps + sum_t ||g_t||^2)^{1/2}; the best step D/sqrt 2 makes the factor
    sqrt 2 D, and c times that step multiplies the bound by (c + 1/c)/2, as a wrong constant step multiplies SGD's."""
    return prove(*REGRET)


def losses(budget: Budget, T: int) -> dict[str, tuple[Tensor | float, object]]:
    """By name the start and the gradient of each round, (t, x) -> (*batch, d): drawn ones, and such that look at x."""
    generator, d = budget.generator("losses"), 6
    count = budget.pick(30, 200)
    noise, away = normal(generator, T, count, 1, d), normal(generator, count, 1, d).sign()
    often = 1 / torch.arange(1, d + 1, dtype=torch.float64, device=noise.device) ** 2
    active = torch.rand(noise.shape, generator=generator, dtype=noise.dtype, device=noise.device) < often
    time = torch.arange(1, T + 1, dtype=noise.dtype, device=noise.device).reshape(-1, 1, 1, 1)
    slopes = {
        "three-periodic": online.three_periodic(3.0).grad,
        "1010/-10": online.experiment().grad,
        "Gaussian": lambda t, x: noise[t],
        "sparse": lambda t, x: active[t] * (away + noise[t]),
        "away from the start": lambda t, x: away.expand(x.shape),
        "growing": lambda t, x: away * 1.2 ** min(t, 500) * noise[t].abs(),
        "shrinking": lambda t, x: away / time[t] * noise[t].abs(),
        "absolute": lambda t, x: noise[t] * ((noise[t] * (x + away)).sum(-1, keepdim=True)).sign(),
        "to the far side": lambda t, x: torch.where(x == 0, 1.0, x.sign()) * noise[t].abs(),
    }
    shapes = {"three-periodic": (1, 1, 1), "1010/-10": (1, 1, 1)}
    return {name: (away.new_zeros(shapes[name]) if name in shapes else away, slope) for name, slope in slopes.items()}


def bounds(method: str, squares: Tensor, c: np.ndarray, d: int) -> dict[str, np.ndarray]:
    """The bound with step c D/sqrt 2, and false ones, from sum_t g_t^2 (*batch, d)."""
    columns, whole = (EPS + squares).sqrt().sum(-1).cpu().numpy(), (EPS + squares.sum(-1)).sqrt().cpu().numpy()
    if method == "diagonal":
        bound = adagrad.diagonal_any_step(D_inf=WIDTH, eta=c * WIDTH / 2**0.5, column_norms=columns)
        wrong = adagrad.diagonal_any_step(D_inf=WIDTH, eta=c * WIDTH / 2**0.5, column_norms=whole)
        best = diagonal_adagrad(D_inf=WIDTH, column_norms=columns)
    else:
        D, eta = WIDTH * d**0.5, c * WIDTH * (d / 2) ** 0.5
        bound = adagrad.norm_any_step(D=D, eta=eta, gradient_norm=whole)
        wrong, best = bound / d**0.5, adagrad.norm_adagrad(D=D, gradient_norm=whole)
    return {"bound": bound, "another norm": wrong, "best step": best}


def play(method: str, start: Tensor, slope, T: int) -> list[dict]:
    """The worst regret over its bound, over c and replicates, after some numbers of rounds: start (*batch, 1, d)."""
    d = start.shape[-1]
    size = WIDTH if method == "diagonal" else WIDTH * d**0.5
    c = FACTORS.to(start.device).unsqueeze(-1)
    solver = Box(METHODS[method](c * size / 2**0.5, eps=EPS), -1.0, 1.0)
    x, rows = start.expand(*start.shape[:-2], len(c), d).clone(), []
    state, won, total, squares = solver.init(x), 0.0, torch.zeros_like(x), torch.zeros_like(x)
    for t in range(T):
        g = slope(t, x)
        won, total, squares = won + (g * x).sum(-1), total + g, squares + g * g
        x, state = solver.step(x, state, Stream(lambda _, x, g=g: g.expand(x.shape)))
        if t + 1 in {1, 2, 5, 10, 30, 100, 1000, T}:
            regret, limits = (won + total.abs().sum(-1)).cpu().numpy(), bounds(method, squares, FACTORS.numpy(), d)
            for k, factor in enumerate(FACTORS.tolist()):
                worst = {name: (regret / limit)[..., k].max() for name, limit in limits.items()}
                rows.append({"method": method, "T": t + 1, "c": factor, **worst})
    return rows


@measured
def ratios(budget: Budget) -> pd.DataFrame:
    """The worst regret over its bound, and over false ones, by losses, method, number of rounds and c."""
    T = budget.pick(300, 3_000)
    played = {
        (name, method): play(method, start, slope, T)
        for name, (start, slope) in losses(budget, T).items()
        for method in METHODS
    }
    return pd.DataFrame([{"losses": name, **row} for (name, _), found in played.items() for row in found])


@claim(
    "upper bound",
    f"S15; {SOURCE}; proof in theory/adagrad.py",
    units={"worst_at_c": "ratio", "worst_at_T": "rounds", "worst_with_c_1": "ratio"},
)
@planted("half the bound", share=0.5)
@planted("without sqrt 2", share=2**-0.5)
@planted("no price of a wrong step", limit="best step")
@planted("l2 norm in place of the sum over coordinates, D_inf in place of D_2", limit="another norm")
def regret_bounded(budget: Budget, limit: str = "bound", share: float = 1.0) -> Verdict:
    """S15: AdaGrad's regret on [-1, 1]^d with step c D/sqrt 2 is at most (c + 1/c)/2 times the bound of the best step.

    That is (c + 1/c)/2 sqrt 2 D_inf sum_i (eps + sum_t g_{t,i}^2)^{1/2}, by norm (c + 1/c)/2 sqrt 2 D_2 (eps + sum_t
    ||g_t||^2)^{1/2}, for c from 0.1 to 10, after 1, 2, 5, 10, ... up to 3000 (quick: 300) rounds of Gaussian, sparse,
    growing, shrinking, periodic and absolute losses and of losses that answer the point played."""
    table = ratios(budget)
    worst = table.loc[table["bound"].idxmax()]
    verdict = bound_holds(table[limit].clip(lower=-1), np.full(len(table), share))
    recommended = table.loc[table["c"] == 1, "bound"].max()
    return verdict.noting(worst_at_c=worst["c"], worst_at_T=worst["T"], worst_with_c_1=recommended).showing(table)


def tables(verdicts: dict[str, Verdict]) -> dict[str, pd.DataFrame]:
    found = verdicts["regret_bounded"].table
    worst = found.groupby(["losses", "method"], sort=False)["bound"].max().unstack()
    return {"ratios": worst.map("{:.3f}".format).reset_index().rename_axis(columns=None)}


def figures(verdicts: dict[str, Verdict]) -> dict[str, Figure]:
    found = verdicts["regret_bounded"].table.query("method == 'diagonal'")
    worst = found.groupby(["losses", "c"], sort=False, as_index=False)["bound"].max()
    looks = {name: f"C{k}{'osv^D<>PX'[k]}-" for k, name in enumerate(found["losses"].unique())}
    caption = (
        "Diagonal AdaGrad's regret over its bound: the worst over sequences and numbers of rounds against the step, for "
        "each kind of losses."
    )
    axes = ("c", r"step $\eta$ in units of $D_\infty/\sqrt{2}$", "worst regret / bound")
    panel = Panel(worst, *axes, y="bound", by="losses", levels={"the bound": 1.0}, log="x", options={"ylim": (0, 1.05)})
    figure = panels(caption, looks, [panel], legend="none", height=4.0)
    legend_below(figure, 2)
    return {"ratios": figure}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
