r"""Is SAM's closed-form perturbation right for every p?

    eps = rho sign(g) |g|^(q-1) / (||g||_q^q)^(1/p),    1/p + 1/q = 1,   against   max_{||e||_p <= rho} <g, e> = rho ||g||_q

The formula is -rho times the LMO of l_p, and what solvers/sam.py computes is compared with it, and with points of the sphere
that do not know it: random ones, and ones near eps. Gradients are normal vectors of 2 to 300 entries times scales from 1e-3
to 1e3. At p = 1 and p = oo, where the formula is 0/0, it stands for its limits.

Sources: P. Foret et al. (2021), arXiv:2010.01412; theory/sam.py, theory/hoelder.py.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from ratewitness.solvers.gradient_descent import GradientDescent
from ratewitness.solvers.sam import SAM
from ratewitness.studies.claims import Budget, Verdict, claim, planted
from ratewitness.studies.judges import agrees, all_of, bound_holds
from ratewitness.studies.measuring.drawing import canvas, legend_below
from ratewitness.studies.measuring.proofs import falsified, prove
from ratewitness.studies.measuring.streams import normal
from ratewitness.theory.hoelder import lp_certificate, lp_unique
from ratewitness.theory.sam import limits, perturbation, ties
from torch import Tensor

SOURCE = "S42; Foret et al. (2021), arXiv:2010.01412"
SYMBOLIC = (perturbation, lp_certificate, lp_unique, limits, ties)
RHO = 0.05
POWERS = (1.0, 1.1, 1.5, 2.0, 3.0, 10.0, math.inf)
SIZES = (2, 30, 300)
SHOWN = {"$g = (1, 0.8, 0.4)$": (1.0, 0.8, 0.4), "$g = (1, 1, 0.4)$": (1.0, 1.0, 0.4)}


def printed(g: np.ndarray, p: float) -> np.ndarray:
    """The formula over rho, at p = 1 and oo its limits: (*batch, d) -> (*batch, d)."""
    a = np.abs(g)
    if p == 1:
        tied = a == a.max(-1, keepdims=True)
        return np.sign(g) * tied / tied.sum(-1, keepdims=True)
    if p == math.inf:
        return np.sign(g)
    q = p / (p - 1)
    return np.sign(g) * a ** (q - 1) / (a**q).sum(-1, keepdims=True) ** (1 / p)


def gradients(budget: Budget, d: int) -> Tensor:
    scales = torch.logspace(-3, 3, budget.pick(20, 200), dtype=torch.float64, device=budget.device)
    return scales.unsqueeze(-1) * normal(budget.generator("gradients", d), len(scales), d)


def computed(g: Tensor, p: float) -> Tensor:
    """eps over rho, as the solver has it."""
    return SAM(GradientDescent(0.1), RHO, p=p).perturbation(torch.zeros_like(g), g) / RHO


@claim("proof", f"{SOURCE}; theory/sam.py, theory/hoelder.py")
@falsified(*SYMBOLIC)
def printed_formula_is_an_lmo(budget: Budget) -> Verdict:
    """S42, as stated: For every p, SAM's perturbation maximizes the linearized loss in the l_p ball: it is -rho times the
    ball's LMO.

    For g != 0 and 1 < p < oo it maximizes <g, e> over ||e||_p <= rho and is the only point that does. As p tends to oo it
    tends to rho sign(g); as p tends to 1, to rho on the one largest entry of g, and where m entries are tied to rho/m on
    each: all of these maximize the same at p = oo and p = 1. Machine-checked: the formula at n = 2, 3, 4, Hoelder's
    inequality and its equality from Young's term by term, the limits and ties; cited: Young's inequality; in prose: the sum
    over any n, and signs."""
    return prove(*SYMBOLIC)


@claim("exact", f"{SOURCE}; solvers/sam.py")
@planted("the exponents exchanged", exchanged=True)
@planted("p larger by a tenth", times=1.1)
def solver_computes_it(budget: Budget, exchanged: bool = False, times: float = 1.0) -> Verdict:
    """S42: The perturbation that the solver takes is the printed one, for p from 1 to infinity.

    For p = 1, 1.1, 1.5, 2, 3, 10 and oo, in 2, 30 and 300 dimensions, for 20 (full budget: 200) gradients of scales from
    1e-3 to 1e3 each, every entry agrees within 1e-9 of rho in float64."""
    rows, errors = [], []
    for p in POWERS:
        other = p / (p - 1) if exchanged and p not in (1, math.inf) else p * times
        for d in SIZES:
            g = gradients(budget, d)
            errors.append(np.abs(computed(g, p).cpu().numpy() - printed(g.cpu().numpy(), other)).max())
    for name, g in SHOWN.items():
        for inverse in np.linspace(0, 1, 21):
            p = 1 / inverse if inverse else math.inf
            found = computed(torch.tensor(g, dtype=torch.float64), float(p)).numpy()
            for i, (own, theory) in enumerate(zip(found, printed(np.array(g), p), strict=True), 1):
                rows.append({"gradient": name, "entry": i, "inverse_p": inverse, "measured": own, "theory": theory})
    return agrees(1 + np.array(errors), np.ones(len(errors))).showing(pd.DataFrame(rows))


@claim("upper bound", SOURCE)
@planted("nothing gains more than 99 % of it", factor=0.99)
@planted("as for the dual exponent", exchanged=True)
def no_point_gains_more(budget: Budget, factor: float = 1.0, exchanged: bool = False) -> Verdict:
    """S42: No perturbation of the same l_p norm raises the linearized loss by more than SAM's.

    <g, e> <= <g, eps> for 100 (full budget: 400) random e on the sphere of each of 20 (200) gradients, and as many near eps,
    for p = 1.1, 1.5, 2, 3 and 10 in 2 and 30 dimensions."""
    verdicts = {}
    for p in POWERS[1:-1]:
        for d in SIZES[:2]:
            g = gradients(budget, d)
            eps = torch.from_numpy(printed(g.cpu().numpy(), p / (p - 1) if exchanged else p)).to(g)
            eps = eps / torch.linalg.vector_norm(eps, p, -1, keepdim=True)
            z = normal(budget.generator("points", p, d), budget.pick(100, 400), *g.shape)
            sphere = [e / torch.linalg.vector_norm(e, p, -1, keepdim=True) for e in (z, eps + 1e-3 * eps.abs() * z)]
            best = torch.maximum(*((g * e).sum(-1).amax(0) for e in sphere))
            verdicts[f"p {p:g}, d {d}"] = bound_holds(best.cpu().numpy(), factor * (g * eps).sum(-1).cpu().numpy())
    each = all_of(verdicts)
    power = max(v.evidence["power"] for v in verdicts.values())
    return Verdict(each.outcome, {"records": float(sum(v.evidence["records"] for v in verdicts.values())), "power": power})


def figures(verdicts: dict[str, Verdict]) -> dict[str, Figure]:
    caption = (
        "SAM's perturbation over $\\rho$, entry by entry, from $p = \\infty$ (left) to $p = 1$: the printed formula "
        "(lines) and the solver (markers). At $p = 1$ tied entries share $\\rho$ in the limit; the solver gives it to"
        " the first."
    )
    table = verdicts["solver_computes_it"].table
    figure, axes = canvas(caption, 2, height=2.8, shared="y")
    for ax, (name, part) in zip(axes, table.groupby("gradient"), strict=True):
        for i, entry in part.groupby("entry"):
            ax.plot(entry["inverse_p"], entry["theory"], color=f"C{i - 1}", lw=1, label="_")
            style = {"color": f"C{i - 1}", "marker": "os^"[i - 1], "ms": 4 + 2 * (3 - i), "mfc": "none", "ls": ""}
            ax.plot(entry["inverse_p"], entry["measured"], label=f"entry {i}, solver", **style)
        ax.plot([], [], color="0.3", lw=1, label="printed formula")
        ax.set(title=name, xlabel="$1/p$", ylabel=r"$\hat\varepsilon_i/\rho$")
    legend_below(figure)
    return {"perturbation": figure}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
