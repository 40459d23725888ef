r"""What does decoupled decay w do to a normalized step? It confines it to the ball of radius 1/w of the step's own norm.

    x_{k+1} = (1 - a_k w) x_k + a_k lmo(g_k):    min f over ||x|| <= 1/w

With w the step is a convex combination of x and of a point of the ball, so the ball is never left, and it is the conditional
gradient method; it rests only where x minimizes <grad f(x), .> over the ball. So for Lion the constraint is on the entries,
for Muon on the singular values, and for both the end depends on w and not on f once f's minimizer is far: no l2 penalty does
that. AdamW, whose steps are only nearly of one length: `adamw_box`. Momentum is 0 here; steps 0.3/sqrt k.

Sources: L. Chen et al. (2025), arXiv:2506.15054, for Muon; L. Chen et al. (2024), arXiv:2310.05898, for Lion; M. Frank and
P. Wolfe (1956); theory/decoupled_decay.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch
from ratewitness.solvers.around.coupled_decay import CoupledDecay
from ratewitness.solvers.lion import Lion
from ratewitness.solvers.norms.lmo import FROBENIUS, MAX_ABS, NUCLEAR, SPECTRAL
from ratewitness.solvers.norms.lmo_descent import LMODescent
from ratewitness.solvers.norms.muon import Muon
from ratewitness.solvers.norms.polar import MuonQuintic
from ratewitness.solvers.schedules import InversePower
from ratewitness.studies.claims import Budget, Verdict, claim, measured, planted
from ratewitness.studies.judges import agrees, all_of, bound_holds
from ratewitness.studies.measuring.proofs import falsified, prove
from ratewitness.studies.measuring.streams import normal, visited
from ratewitness.theory import decoupled_decay
from torch import Tensor

STEP, DECAY = 0.3, 0.5
METHODS = {  # with decoupled decay
    "Lion": lambda w: Lion(InversePower(STEP), 0.0, 0.0, w),
    "Muon": lambda w: Muon(InversePower(STEP), 0.0, False, w, scale=None),
    "normalized": lambda w: LMODescent(InversePower(STEP * w), FROBENIUS, radius=1 / w),
    "nuclear": lambda w: LMODescent(InversePower(STEP * w), NUCLEAR, radius=1 / w),
}
CONSTRAINTS = {"Lion": "entries", "Muon": "singular values", "normalized": "length", "nuclear": "their sum"}


def nearest(T: Tensor, radius: float, constraint: str) -> Tensor:
    """The point nearest to T (*batch, m, n) in the ball that constrains one of CONSTRAINTS by `radius`."""
    if constraint == "entries":
        return T.clamp(-radius, radius)
    if constraint == "length":
        return T * (radius / T.norm(dim=(-2, -1), keepdim=True)).clamp(max=1)
    U, s, V = torch.linalg.svd(T, full_matrices=False)
    if constraint == "singular values":
        return (U * s.clamp(max=radius).unsqueeze(-2)) @ V
    # as many singular values are left, all less by one number, as keep it below the last of them
    excess = (s.cumsum(-1) - radius) / torch.arange(1, s.shape[-1] + 1, dtype=s.dtype, device=s.device)
    less = excess.amax(-1, keepdim=True).clamp(min=0)
    return (U * (s - less).clamp(min=0).unsqueeze(-2)) @ V


@measured
def ends(budget: Budget, name: str, coupled: bool) -> tuple[Tensor, Tensor]:
    """Targets, and where the run from 0 ends: (20, 4, 6) each."""
    T = 1.5 * normal(budget.generator("targets"), 20, 4, 6)
    solver = CoupledDecay(METHODS[name](1e-9), DECAY) if coupled else METHODS[name](DECAY)
    return T, visited(solver, lambda k, X: X - T, torch.zeros_like(T), [budget.pick(300, 1500)])[0]


BALL = "S29; Chen et al. (2024), arXiv:2310.05898, for Lion; Chen et al. (2025), arXiv:2506.15054, for Muon"


@claim("proof", f"{BALL}; theory/decoupled_decay.py")
@falsified(decoupled_decay.ball_is_invariant)
def ball_is_invariant(budget: Budget) -> Verdict:
    """S29, refined: With decoupled decay w and steps a <= 1/w, Lion never leaves the l_inf ball of radius 1/w, nor Muon the
    spectral one, whatever the gradients.

    With any momentum, and from outside ||x|| - 1/w shrinks by the factor 1 - a w in a step at least. Machine-checked: the
    algebra of it, for a step whose direction has norm at most 1. In prose: the triangle inequality; that a sign has l_inf
    norm 1 and a polar factor spectral norm 1. Nothing is cited."""
    return prove(decoupled_decay.ball_is_invariant)


EDGE = {  # with the momentum that they have in use
    "Lion": (lambda a, w: Lion(a, 0.9, 0.99, w), MAX_ABS),
    "Muon": (lambda a, w: Muon(a, 0.95, True, w, scale=None), SPECTRAL),
}


@claim("exact", f"{BALL}; theory/decoupled_decay.py")
@planted("a radius 1 % smaller", radius=0.99 / DECAY)
@planted("the balls exchanged", exchanged=True)
@planted("the quintic in place of the polar factor", orthogonalize=MuonQuintic())
@planted("the decay is coupled", coupled=True)
def excess_shrinks(
    budget: Budget, radius: float = 1 / DECAY, exchanged: bool = False, orthogonalize=None, coupled: bool = False
) -> Verdict:  # fmt: skip
    """S29, refined: With decoupled decay w, Lion's and Muon's ||x|| - 1/w shrinks by 1 - a w or faster in every step; at
    that rate along steady gradients.

    w = 0.5, a = 0.1, 200 steps with the momentum in use, 20 (quick: 5) starts 4 x 6 inside and 20 outside: with normal
    gradients ||x_{k+1}|| is at most 1/w + (1 - a w) max(0, ||x_k|| - 1/w) in every step, in l_inf for Lion and in the
    spectral norm for Muon; with one gradient G for ever, from x_0 = -4 lmo direction of G, it is 1/w + (1 - a w)^k (4 - 1/w)
    to rounding."""
    generator, count, a, verdicts = budget.generator("edge"), budget.pick(5, 20), 0.1, {}
    at, k = range(201), torch.arange(201, dtype=torch.float64, device=generator.device)[:, None]
    scale = torch.cat([torch.full((count,), 0.5 / DECAY), torch.full((count,), 4.0)]).to(generator.device, torch.float64)
    norms = dict(zip(EDGE, [norm for _, norm in list(EDGE.values())[:: -1 if exchanged else 1]], strict=True))
    for name, (made, _) in EDGE.items():
        solver, norm = made(a, 0.0 if coupled else DECAY), norms[name]
        if name == "Muon" and orthogonalize:
            solver = replace(solver, orthogonalize=orthogonalize)
        solver = CoupledDecay(solver, DECAY) if coupled else solver
        noise = normal(generator, 201, 2 * count, 4, 6)
        x = noise[0] * (scale / norm.value(noise[0]))[:, None, None]
        size = norm.value(visited(solver, lambda t, X, g=noise: g[t + 1], x, at))
        bound = radius + (1 - a * DECAY) * (size[:-1] - radius).clamp(min=0)  # of each step from the one before
        G = noise[0]
        steady = norm.value(visited(solver, lambda t, X, G=G: G, 4 * norm.lmo(G), at))
        exact = radius + (1 - a * DECAY) ** k * (4 - radius)
        verdicts[f"{name}, bound"] = bound_holds(size[1:].flatten().cpu(), bound.flatten().cpu())
        verdicts[f"{name}, attained"] = agrees(steady.flatten().cpu(), exact.expand_as(steady).flatten().cpu())
    return all_of(verdicts)


@claim("law", "S29; Chen et al. (2025), arXiv:2506.15054; Chen et al. (2024), arXiv:2310.05898")
@planted("a radius of 1.2/w", larger=1.2)
@planted("Muon's ball is Lion's", balls={"Muon": "entries"})
@planted("Lion's ball is that of the length", balls={"Lion": "length"})
@planted("the nuclear ball is that of the length", balls={"nuclear": "length"})
@planted("the decay is coupled", coupled=True)
def normalized_steps_stay_in_their_ball(
    budget: Budget, larger: float = 1.0, balls: Mapping[str, str] = {}, coupled: bool = False
) -> Verdict:
    """S29, refined: On |X - T|^2/2, decoupled decay w makes Lion, Muon and normalized steps minimize over the ball of radius
    1/w of their norm.

    For 20 normal targets T (4 x 6) of deviation 1.5, w = 0.5, no momentum, from X = 0: after 1500 steps (quick:
    300) X differs from the point of the ball nearest to T by at most 1.5 % (quick: 4 %) of its length, for every target; the
    largest entry, the largest singular value, the length and the sum of singular values are constrained."""
    verdicts = {}
    for name in METHODS:
        T, X = ends(budget, name, coupled)
        within = nearest(T, larger / DECAY, {**CONSTRAINTS, **balls}[name])
        off = ((X - within).norm(dim=(-2, -1)) / within.norm(dim=(-2, -1))).cpu().numpy()
        verdicts[name] = bound_holds(off, np.full(off.shape, budget.pick(0.04, 0.015)))
    return all_of(verdicts)


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
