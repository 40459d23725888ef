r"""Is AdaGrad's update what it is said to be, and does its regret stay below its bound, and how close does it come?

    x_{t+1} = P(x_t - eta g_t/h_t),     h_t = (eps + sum_{s<=t} g_s^2)^{1/2}       P clips to the cube [-1, 1]^d
    regret  <=  (c + 1/c)/2 sqrt 2 D_inf sum_i h_{T,i},                            eta = c D_inf/sqrt 2,  D_inf = 2

entrywise; by norm with ||g_s||^2, one h_t and D_2 = 2 sqrt d. The regret is that of the losses <g_t, x>, the largest of all
convex losses with these gradients: sum_t <g_t, x_t> + sum_i |sum_t g_{t,i}| on the cube, where the best fixed point is a
corner.

An adversary comes as near to the bound as one likes (theory/adagrad.py): at the face farthest from x* it shuttles, gradients
+- delta h in turn, until h has grown by a large factor, and then pulls to x* by gradients delta h.

J. Duchi, E. Hazan and Y. Singer (2011), JMLR 12; M. Streeter and H. B. McMahan (2010), arXiv:1002.4862.
"""

from __future__ import annotations

from functools import cache

import matplotlib.pyplot as plt
import mpmath
import numpy as np
import pandas as pd
import torch
from ratewitness.problems.online import slopes as online
from ratewitness.solvers.adagrad import AdaGrad, AdaGradNorm
from ratewitness.solvers.around.box import Box
from ratewitness.solvers.solver import iterates
from ratewitness.studies.claims import Budget, Verdict, claim
from ratewitness.studies.judges import agrees, bound_holds
from ratewitness.studies.measuring.proofs import falsified, prove
from ratewitness.studies.measuring.streams import Stream, normal
from ratewitness.theory import adagrad
from ratewitness.theory.kronecker import diagonal_adagrad
from torch import Tensor

METHODS = {"diagonal": AdaGrad, "norm": AdaGradNorm}
FACTORS = torch.tensor([0.1, 0.3, 1.0, 3.0, 10.0], dtype=torch.float64)  # c, the step in units of D/sqrt 2
WIDTH, EPS = 2.0, 1e-12
DELTAS = (0.1, 0.05, 0.02)  # gradients of the adversary relative to h
SOURCE = "Duchi, Hazan and Singer (2011); Streeter and McMahan (2010)"
REGRET = (
    *(adagrad.growing_root, adagrad.online_step, adagrad.clipping, adagrad.growing_metric, adagrad.one_round),
    *(adagrad.best_step, adagrad.wrong_step),
)


@claim(kind="proof", source=f"S15; {SOURCE}; theory/adagrad.py", planted=falsified(*REGRET))
def regret_is_proved(budget: Budget) -> Verdict:
    """S15: For convex losses on a box AdaGrad's regret is at most (D_inf^2/(2 eta) + eta) sum_i (eps + sum_t
    g_{t,i}^2)^{1/2}, by norm (D_2^2/(2 eta) + eta) (eps + sum_t ||g_t||^2)^{1/2}; the best step D/sqrt 2 makes the factor
    sqrt 2 D, and c times that step multiplies the bound by (c + 1/c)/2, as a wrong constant step multiplies SGD's."""
    return prove(*REGRET)


@claim(
    kind="proof",
    source="S15, S18; Cauchy-Schwarz; theory/adagrad.py",
    planted=falsified(adagrad.equal_columns, adagrad.attained_by_shuttling),
)
def bounds_compared(budget: Budget) -> Verdict:
    """S15: On a cube, for eps = 0, the same gradients and the best step of each, the diagonal bound is sum_i sqrt p_i/sqrt(d
    sum_i p_i) <= 1 times that by norm, p_i = sum_t g_{t,i}^2, with equality where all p_i are equal and only there; and
    neither can be improved: an adversary attains them in a limit."""
    return prove(adagrad.equal_columns, adagrad.attained_by_shuttling)


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


def parity(budget: Budget, eps_inside: bool = True) -> Verdict:
    """Trajectories against both references, for gradients and eps of several sizes; errors relative to the largest move."""
    generator, lr, rows = budget.generator("parity"), 0.3, []
    for size in (1e-3, 1.0, 1e3):
        g = size * normal(generator, budget.pick(30, 200), 5)
        for eps in (1e-10, 1e-6, 1e-2):
            inside = {name: moves(build(lr, eps=eps, eps_inside=eps_inside), g) for name, build in METHODS.items()}
            pairs = {
                "diagonal": (inside["diagonal"], reference(g, lr, eps, norm=False)),
                "norm": (inside["norm"], reference(g, lr, eps, norm=True)),
                "torch, eps as accumulator": (inside["diagonal"], of_torch(g, lr, initial_accumulator_value=eps, eps=0.0)),
                "torch, eps outside": (moves(AdaGrad(lr, eps=eps, eps_inside=False), g), of_torch(g, lr, eps=eps)),
            }
            for name, (ours, theirs) in pairs.items():
                error = np.abs(ours - theirs).max() / np.abs(theirs).max()
                rows.append({"compared": name, "gradients": size, "eps": eps, "error": error})
    table = pd.DataFrame(rows)
    return agrees(1 + table["error"], np.ones(len(table)), 1e-13).showing(table)


@claim(
    kind="exact",
    source="S15; Duchi, Hazan and Singer (2011); torch.optim.Adagrad",
    planted={"epsilon outside the root": lambda budget: parity(budget, eps_inside=False)},
)
def update(budget: Budget) -> Verdict:
    """S15: AdaGrad with epsilon inside the root, diagonal and by norm, is x - lr g/(eps + sum g^2)^{1/2}, to 1e-13 of the
    largest move against arithmetic of 50 digits, for gradients of size 1e-3, 1 and 1e3 and eps of 1e-10, 1e-6 and 1e-2.
    torch's Adagrad is the same method with initial_accumulator_value = eps and its own eps = 0; by default it adds eps to
    the root, which is another method."""
    return parity(budget)


def losses(budget: Budget) -> dict[str, tuple[Tensor | float, object]]:
    """By name the start and the gradient of each round, (t, x) -> (*batch, d): drawn ones, and such that look at x."""
    generator, T, d = budget.generator("losses"), rounds(budget), 6
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


def rounds(budget: Budget) -> int:
    return budget.pick(300, 3_000)


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


@cache
def ratios(budget: Budget) -> pd.DataFrame:
    T = rounds(budget)
    rows = [
        {"losses": name, **row}
        for name, (start, slope) in losses(budget).items()
        for method in METHODS
        for row in play(method, start, slope, T)
    ]
    return pd.DataFrame(rows)


def bounded(budget: Budget, column: str = "bound", share: float = 1.0) -> Verdict:
    table = ratios(budget.shared("adagrad_regret"))
    worst = table.loc[table["bound"].idxmax()]
    verdict = bound_holds(table[column].clip(lower=-1), np.full(len(table), share))
    recommended = table.loc[table["c"] == 1, "bound"].max()
    return verdict.noting(worst_at_c=worst["c"], worst_at_T=worst["T"], worst_with_c_1=recommended).showing(table)


@claim(
    kind="upper bound",
    source=f"S15; {SOURCE}; proof in theory/adagrad.py",
    planted={
        "half the bound": lambda budget: bounded(budget, share=0.5),
        "without sqrt 2": lambda budget: bounded(budget, share=2**-0.5),
        "no price of a wrong step": lambda budget: bounded(budget, "best step"),
        "l2 norm in place of the sum over coordinates, D_inf in place of D_2": lambda budget: bounded(
            budget, "another norm"
        ),
    },
)
def regret_bounded(budget: Budget) -> Verdict:
    """S15: On [-1, 1]^d with step c D/sqrt 2, c from 0.1 to 10, AdaGrad's regret is at most (c + 1/c)/2 times sqrt 2 D_inf
    sum_i (eps + sum_t g_{t,i}^2)^{1/2}, by norm sqrt 2 D_2 (eps + sum_t ||g_t||^2)^{1/2}, after 1, 2, 5, 10, ... rounds of
    Gaussian, sparse, growing, shrinking, periodic and absolute losses and of losses that answer the point played."""
    return bounded(budget)


@cache
def shuttled(device: str) -> pd.DataFrame:
    """Regret over bound of the adversary that attains it, on [0, D] from D, by c and delta; h grows from sqrt eps by e^4."""
    c = torch.tensor([0.25, 0.5, 1.0, 2.0], dtype=torch.float64, device=device).unsqueeze(-1)
    D, eps, rows = 1.0, 1e-6, []
    eta = c * D / 2**0.5
    solver = Box(AdaGrad(eta, eps=eps), 0.0, D)
    for delta in DELTAS:
        shuttles, pulls = 2 * round(4 / delta**2), 2 + round(2 * D / (float(eta.min()) * delta))
        x = torch.full_like(c, D)
        state, regret, squares = solver.init(x), torch.zeros_like(c), torch.zeros_like(c)
        for t in range(shuttles + pulls):
            sign = (-1.0) ** t if t < shuttles else (x > 0).to(x.dtype)
            g = sign * delta * (eps + squares).sqrt()
            regret, squares = regret + g * x, squares + g * g
            x, state = solver.step(x, state, Stream(lambda _, x, g=g: g))
        roots = (eps + squares).sqrt().cpu().numpy()
        bound = adagrad.diagonal_any_step(D_inf=D, eta=eta.cpu().numpy(), column_norms=roots)
        found = zip(c[:, 0].tolist(), (regret.cpu().numpy() / bound)[:, 0], strict=True)
        rows += [{"delta": delta, "c": factor, "ratio": ratio, "T": shuttles + pulls} for factor, ratio in found]
    return pd.DataFrame(rows)


def attained(budget: Budget, share: float = 1.0) -> Verdict:
    table = shuttled(budget.device)
    finest = table[table["delta"] == DELTAS[-1]]
    return agrees(finest["ratio"], np.full(len(finest), share), 0.1).noting(least=finest["ratio"].min()).showing(table)


@claim(
    kind="constant",
    source="S15; theory/adagrad.py",
    planted={
        "1.25 times the bound": lambda budget: attained(budget, 1.25),
        "without sqrt 2": lambda budget: attained(budget, 2**-0.5),
    },
)
def bound_is_attained(budget: Budget) -> Verdict:
    """S15: No constant of the bound can be improved: on [0, D] the adversary that shuttles and then pulls, delta = 0.02,
    makes the regret at least 0.9 of (c + 1/c)/2 sqrt 2 D (eps + sum_t g_t^2)^{1/2} for c = 1/4, 1/2, 1 and 2."""
    return attained(budget)


def tables(verdicts: dict[str, Verdict]) -> dict[str, pd.DataFrame]:
    found = verdicts["regret_bounded"].table
    worst = found.groupby(["losses", "method"], sort=False)["bound"].max().unstack()
    return {"ratios": worst.map("{:.3f}".format).reset_index().rename_axis(columns=None)}


def figures(verdicts: dict[str, Verdict]) -> dict[str, plt.Figure]:
    figure, (left, right) = plt.subplots(1, 2, figsize=(7.2, 3.7), layout="constrained", sharey=True)
    figure.set_label(
        "AdaGrad's regret over its bound. Left: the worst over sequences against the step, for each kind of losses "
        "(diagonal method). Right: the adversary that shuttles and then pulls comes as near to it as one likes."
    )
    found = verdicts["regret_bounded"].table.query("method == 'diagonal'")
    for k, (name, part) in enumerate(found.groupby("losses", sort=False)):
        worst = part.groupby("c")["bound"].max()
        left.plot(worst.index, worst, "osv^D<>PX"[k] + "-", color=f"C{k}", ms=4, lw=0.8, label=name)
    for marker, (c, part) in zip("osv^", verdicts["bound_is_attained"].table.groupby("c"), strict=True):
        right.plot(part["delta"], part["ratio"], marker + "-", ms=4, lw=0.8, label=f"c = {c:g}")
    for ax, label in ((left, r"step $\eta$ in units of $D_\infty/\sqrt{2}$"), (right, r"$\delta$")):
        ax.axhline(1, color="k", lw=1)
        ax.set(ylim=(0, 1.05), xlabel=label)
    left.set_xscale("log")
    left.set_ylabel("worst regret / bound")
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=5, frameon=False, fontsize=7)
    right.legend(frameon=False, fontsize=8)
    return {"ratios": figure}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
