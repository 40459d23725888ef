r"""What norm do weights have under decay where updates are noise? One that hardly depends on the loss.

    scale-free f, gradient descent     |w|^4 = eta^2 G^2/(1 - q^2),  a turn of arccos q a step,    q = 1 - eta lam
    updates of length U across w       |w|^2 = eta^2 U^2/(1 - q^2)

f(c w) = f(w) has gradients that are tangential, of length G/|w| if G is that on the unit sphere. There they are made so:
random tangential directions of one length, and of normal ones for the methods whose updates have a fixed length; for signs
and polar factors of them <w, u> is 0 on average. G comes from data in `normalized_weights`. The other extreme, updates
that agree, for which decay is a constraint: `decay_in_a_ball`.

So after zero training error weights with decay go on to turn by a set angle a step, whatever is left to learn (S48), as
long as there is gradient noise: for full batches G falls, and with it the norm.

Sources: T. van Laarhoven (2017), arXiv:1706.05350; R. Wan et al. (2021), arXiv:2006.08419; A. Kosson et al. (2024),
arXiv:2305.17212; theory/norm_equilibria.py.
"""

from __future__ import annotations

import numpy as np
import torch
from matplotlib.figure import Figure
from ratewitness.solvers.around.coupled_decay import CoupledDecay
from ratewitness.solvers.gradient_descent import GradientDescent
from ratewitness.solvers.lion import Lion
from ratewitness.solvers.norms.lmo import FROBENIUS
from ratewitness.solvers.norms.lmo_descent import LMODescent
from ratewitness.solvers.norms.muon import Muon
from ratewitness.studies.claims import Budget, Verdict, claim, measured, planted
from ratewitness.studies.judges import agrees, all_of, mean_is
from ratewitness.studies.measuring.drawing import Panel, panels
from ratewitness.studies.measuring.groups import rows, stacked
from ratewitness.studies.measuring.proofs import falsified, prove
from ratewitness.studies.measuring.streams import normal, visited
from ratewitness.theory import norm_equilibria as theory
from torch import Tensor

PROVED = (theory.scale_free, theory.equilibrium, theory.turn, theory.fixed_length)
KOSSON = "S48; Kosson et al. (2024), arXiv:2305.17212; theory/norm_equilibria.py"
ETA = np.array([0.5, 0.1, 0.1, 0.02, 0.1])
LAM = np.array([0.5, 0.5, 0.1, 1.0, 1.0])
LENGTH = np.array([1.0, 1.0, 10.0, 0.1, 3.0])  # G
STARTS = {"above": 10.0, "below": 0.1}  # norms at the start, over that at rest
SHAPE = (6, 10)
STEP, DECAY = 0.02, 1.0
AT = (1, 10, 25, 50, 100)
METHODS = {  # with decoupled decay, by momentum; U^2
    "normalized": (lambda beta: LMODescent(STEP * DECAY, FROBENIUS, beta, radius=1 / DECAY), 1),
    "Lion": (lambda beta: Lion(STEP, beta, beta, DECAY), 60),
    "Muon": (lambda beta: Muon(STEP, beta, False, DECAY, scale=None), 6),
}


def across(w: Tensor, g: Tensor, ndim: int) -> Tensor:
    """The part of g that is orthogonal to w."""
    axes = tuple(range(-ndim, 0))
    return g - (w * g).sum(axes, True) / w.square().sum(axes, True) * w


@claim("proof", KOSSON)
@falsified(*PROVED)
def equilibria_are_proved(budget: Budget) -> Verdict:
    """S48, refined: With decay lam, weights of a scale-free function with gradients of one length settle at a turn of
    arccos(1 - eta lam) a step.

    Symbolic, in the plane of w and its gradient: for gradients of one length on the unit sphere the norm has a fixed point,
    whose multiplier 2 (1 - eta lam)^2 - 1 is below 1; and the squared norm under orthogonal updates of one length is
    geometric in time. Machine-checked: orthogonality and the length of the gradient, the fixed point with its multiplier,
    the turn, the solution of the recursion; cited: nothing; in prose: any dimension, by the plane of w and its gradient."""
    return prove(*PROVED)


@claim("exact", KOSSON)
@planted("eta G^2/(2 lam)", first_order=True)
@planted("a tenth of the gradient is radial", radial=0.1)
@planted("5 % more decay", factor=1.05)
def scale_free_weights_settle(
    budget: Budget, first_order: bool = False, radial: float = 0.0, factor: float = 1.0
) -> Verdict:
    """S48, refined: For scale-free functions with gradients of one length decay fixes the norm of the weights and their turn
    a step.

    Gradient descent with decay in 30 dimensions, random tangential gradients of length G/|w|, for five settings of eta from
    0.02 to 0.5, lam from 0.1 to 1 and G from 0.1 to 10, 4 seeds, from 10 and 1/10 times the norm at rest, 800 steps: |w|
    agrees with (eta G)^(1/2)/(1 - (1 - eta lam)^2)^(1/4), and the cosine of a step with 1 - eta lam, to 1e-6."""
    eta, lam, G = (torch.tensor(each, device=budget.device).reshape(-1, 1, 1) for each in (ETA, LAM, LENGTH))
    predicted = theory.scale_free_norm(ETA, factor * LAM, LENGTH)
    if first_order:
        predicted = (ETA * LENGTH**2 / (2 * LAM)) ** 0.25
    generator, found = budget.generator("tangential"), {}
    solver = CoupledDecay(GradientDescent(eta), lam)
    for name, start in STARTS.items():
        unit = torch.nn.functional.normalize(normal(generator, len(ETA), 4, 30), dim=-1)
        x0 = unit * start * torch.as_tensor(predicted, device=budget.device).reshape(-1, 1, 1)

        def slope(k, w):
            tangent = torch.nn.functional.normalize(across(w, normal(generator, *w.shape), 1), dim=-1)
            return G * (tangent + radial * w / w.norm(dim=-1, keepdim=True)) / w.norm(dim=-1, keepdim=True)

        before, after = visited(solver, slope, x0, [799, 800])
        cosines = torch.nn.functional.cosine_similarity(before, after, dim=-1)
        found[name] = [each.cpu().numpy() for each in (after.norm(dim=-1), cosines)]
    norms, cosines = (np.stack([each[j] for each in found.values()], -1).reshape(len(ETA), -1) for j in (0, 1))
    verdicts = {
        "norm": agrees(norms, predicted[:, None] * np.ones_like(norms), 1e-6),
        "cosine": agrees(cosines, (1 - ETA * factor * LAM)[:, None] * np.ones_like(cosines), 1e-6),
    }
    return all_of(verdicts)


@measured
def lengths(budget: Budget, name: str, momentum: float, radial: float) -> np.ndarray:
    """|w|^2 at the times AT over 24 groups, from above and from below: (2, len(AT), groups)."""
    method, square = METHODS[name]
    rest = theory.fixed_length_square(STEP, DECAY, square**0.5, np.inf, 0.0) ** 0.5
    generator, size = budget.generator(name), budget.pick(4, 25)
    x0 = torch.nn.functional.normalize(normal(generator, 2, 24 * size, *SHAPE).flatten(-2), dim=-1).unflatten(-1, SHAPE)
    x0 = x0 * rest * torch.tensor([3.0, 0.1], device=budget.device, dtype=x0.dtype).reshape(2, 1, 1, 1)

    def slope(k, w):
        g = across(w, normal(generator, *w.shape), 2)
        return g + radial * w * (g.norm(dim=(-2, -1), keepdim=True) / w.norm(dim=(-2, -1), keepdim=True))

    w = visited(method(momentum), slope, x0, AT)
    return w.square().sum((-2, -1)).unflatten(-1, (24, size)).mean(-1).movedim(0, 1).cpu().numpy()


@claim("law", KOSSON)
@planted("momentum 0.5", momentum=0.5)
@planted("a tenth of the gradient is radial", radial=0.1)
@planted("decay 10 % larger", factor=1.1)
def fixed_lengths_settle(budget: Budget, momentum: float = 0.0, radial: float = 0.0, factor: float = 1.0) -> Verdict:
    """S48, refined: For normalized steps, Lion and Muon on tangential noise the mean of |w|^2 goes to eta^2 U^2/(1 - q^2) as
    q^(2 t).

    q = 1 - eta lam = 0.98, matrices 6 x 10, gradients the tangential part of normal ones, no momentum, U^2 = 1, 60 and 6,
    from 3 and 1/10 times the norm at rest: at t = 1, 10, 25, 50 and 100 the mean agrees within 5 % (quick: 10 %), in
    99 % intervals over 24 groups. With momentum updates agree with those before, and the norm is larger."""
    verdicts, parts = {}, {}
    for name, (_, square) in METHODS.items():
        rest = theory.fixed_length_square(STEP, DECAY, square**0.5, np.inf, 0.0)
        found = lengths(budget, name, momentum, radial)
        starts = np.array([[3.0], [0.1]]) * rest**0.5
        predicted = theory.fixed_length_square(STEP, factor * DECAY, square**0.5, np.array(AT), starts)
        verdicts[name] = mean_is(found, predicted, budget.pick(0.1, 0.05))
        for j, way in enumerate(STARTS):
            parts[f"{name}, {way}"] = rows(found[j] / rest, step=AT, theory=predicted[j] / rest)
    return all_of(verdicts).showing(stacked(parts))


def figures(verdicts: dict[str, Verdict]) -> dict[str, Figure]:
    caption = (
        "$\\|w\\|^2$ under decoupled decay over its value at rest, for steps of fixed length on tangential noise, from "
        "starts above and below it: means over groups with 99 % intervals, curves set apart. Theory: geometric with ratio "
        "$(1 - \\eta \\lambda)^2$."
    )
    table = verdicts["fixed_lengths_settle"].table
    codes = zip(METHODS, ("C0o", "C1s", "C2^"), strict=True)
    looks = {f"{name}, {way}": code + mark for name, code in codes for way, mark in zip(STARTS, ("", " open"), strict=True)}
    panel = Panel(table, "step", "step", "$\\|w\\|^2$ over rest", apart=1.06)
    return {"norms": panels(caption, looks, [panel], height=4.2)}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
