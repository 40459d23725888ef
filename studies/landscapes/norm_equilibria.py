r"""What norm do weights have under decay where updates are noise? One that hardly depends on the loss.

    scale-free f, gradient descent     |w|^4 = eta^2 G^2/(1 - q^2),  a turn of arccos q a step,    q = 1 - eta lam
    updates of length U across w       |w|^2 = eta^2 U^2/(1 - q^2)

f(c w) = f(w) has gradients that are tangential, of length G/|w| if G is that on the unit sphere. There they are made so:
random tangential directions of one length, and of normal ones for the methods whose updates have a fixed length; for signs
and polar factors of them <w, u> is 0 on average. In the last claim G comes from data. The other extreme, updates that agree,
for which decay is a constraint: `decay_in_a_ball`.

So after zero training error weights with decay go on to turn by a set angle a step, whatever is left to learn (S48), as
long as there is gradient noise: for full batches G falls, and with it the norm.

Sources: T. van Laarhoven (2017), arXiv:1706.05350; R. Wan et al. (2021), arXiv:2006.08419; A. Kosson et al. (2024),
arXiv:2305.17212; theory/norm_equilibria.py.
"""

from __future__ import annotations

import numpy as np
import torch
from matplotlib.figure import Figure
from ratewitness.problems.data.digits import split_digits
from ratewitness.solvers.around.coupled_decay import CoupledDecay
from ratewitness.solvers.gradient_descent import GradientDescent
from ratewitness.solvers.lion import Lion
from ratewitness.solvers.norms.lmo import FROBENIUS
from ratewitness.solvers.norms.lmo_descent import LMODescent
from ratewitness.solvers.norms.muon import Muon
from ratewitness.solvers.solver import iterates
from ratewitness.studies.claims import Budget, Verdict, claim, measured, planted
from ratewitness.studies.judges import agrees, all_of, mean_is
from ratewitness.studies.measuring.drawing import Panel, panels
from ratewitness.studies.measuring.groups import rows, stacked
from ratewitness.studies.measuring.proofs import falsified, prove
from ratewitness.studies.measuring.streams import Stream, normal, visited
from ratewitness.theory import norm_equilibria as theory
from torch import Tensor

PROVED = (theory.scale_free, theory.equilibrium, theory.turn, theory.fixed_length)
KOSSON = "S48; Kosson et al. (2024), arXiv:2305.17212; theory/norm_equilibria.py"
ETA = np.array([0.5, 0.1, 0.1, 0.02, 0.1])
LAM = np.array([0.5, 0.5, 0.1, 1.0, 1.0])
LENGTH = np.array([1.0, 1.0, 10.0, 0.1, 3.0])  # G
STARTS = {"from above": 10.0, "from below": 0.1}  # norms at the start, over that at rest
SHAPE = (6, 10)
STEP, DECAY = 0.02, 1.0
AT = (1, 10, 25, 50, 100)
RATE, TURNS = 0.5, (0.005, 0.01, 0.02)  # eta, and eta lam
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
    """S48, refined: With decay lam and step eta, weights of a scale-free function settle where each step turns them by
    arccos(1 - eta lam).

    Symbolic, in the plane of w and its gradient: for gradients of one length on the unit sphere the norm has a fixed point,
    whose multiplier 2 (1 - eta lam)^2 - 1 is below 1; and the squared norm under orthogonal updates of one length is
    geometric in time."""
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


@measured
def on_digits(budget: Budget, normalized: bool) -> tuple[np.ndarray, ...]:
    """Means over the later half of a run of |w|^2, of |w|^2 |grad|^2 and of 1 - cos of a step: (decays, seeds) each."""
    generator, seeds = budget.generator("digits"), budget.pick(5, 8)
    data = split_digits(200, generator, dtype=torch.float64)
    eta_lam = torch.tensor(TURNS, dtype=torch.float64, device=budget.device).reshape(-1, 1, 1, 1)
    steps = budget.pick(1000, 3000)

    def slope(w):
        index = torch.randint(200, (len(TURNS), seeds, 10), generator=generator, device=budget.device)
        a, y = data.inputs[index], torch.nn.functional.one_hot(data.labels[index], 10)
        size = w.norm(dim=(-2, -1), keepdim=True) if normalized else torch.ones(())
        g = 3 * ((3 / size * (a @ w.mT)).softmax(-1) - y).mT @ a / 10
        return across(w, g, 2) / size if normalized else g

    stream = Stream(lambda k, w: slope(w))
    solver = CoupledDecay(GradientDescent(RATE), eta_lam / RATE)
    total, before = 0.0, None
    for k, w in zip(
        range(steps + 1), iterates(solver, stream, normal(generator, len(TURNS), seeds, 10, 64) / 8), strict=False
    ):
        if k > steps // 2:
            square = before.square().sum((-2, -1))
            cosine = torch.nn.functional.cosine_similarity(before.flatten(-2), w.flatten(-2), dim=-1)
            total = total + torch.stack([square, square * stream.seen[-1].square().sum((-2, -1)), 1 - cosine])
        before = w
    return tuple((total / (steps - steps // 2)).cpu().numpy())


@claim("law", "S48; Wan et al. (2021), arXiv:2006.08419; theory/norm_equilibria.py")
@planted("weights that are not normalized", normalized=False)
@planted("decay 20 % larger", factor=1.2)
@planted("decay 20 % smaller", factor=0.8)
def normalized_weights_settle_on_digits(budget: Budget, normalized: bool = True, factor: float = 1.0) -> Verdict:
    """S48, refined: Normalized weights that learn digits with decay settle at the norm that their mean squared gradient
    sets, and go on turning.

    Softmax regression with logits 3 W a/|W|_F on 200 digits, minibatches of 10, SGD with step 0.5 and eta lam = 0.005, 0.01
    and 0.02, means over the later half of 3000 steps (quick: 1000), 8 seeds (quick: 5): |w|^2 is eta sqrt(mean of G^2)/
    sqrt(1 - q^2), G = |w| |grad|, and 1 minus the cosine of a step is eta lam, each within 5 %, in 99 % intervals. G is
    measured on the same run: this predicts the norm given G, not G."""
    square, gradient, turned = on_digits(budget, normalized)
    eta_lam = factor * np.array(TURNS)[:, None]
    predicted = theory.scale_free_norm(RATE, eta_lam / RATE, gradient**0.5) ** 2
    ones = np.ones(len(TURNS))
    return all_of({"norm": mean_is(square / predicted, ones, 0.05), "turn": mean_is(turned / eta_lam, ones, 0.05)})


def figures(verdicts: dict[str, Verdict]) -> dict[str, Figure]:
    caption = (
        "$\\|w\\|^2$ under decoupled decay over its value at rest, for steps of fixed length on tangential noise, from "
        "two starts: means over groups with 99 % intervals. Theory: geometric with ratio $(1 - \\eta \\lambda)^2$."
    )
    table = verdicts["fixed_lengths_settle"].table
    codes = zip(METHODS, ("C0o", "C1s", "C2^"), strict=True)
    looks = {f"{name}, {way}": code + mark for name, code in codes for way, mark in zip(STARTS, ("", " open"), strict=True)}
    panel = Panel(table, "step", "step", "$\\|w\\|^2$ over that at rest", apart=1.06)
    return {"norms": panels(caption, looks, [panel], height=3.4)}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
