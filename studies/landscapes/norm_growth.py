r"""Where do weights move after zero training error? Outwards: a network without biases grows in every step that fits.

    <w, grad> = D mean(sum_c p_c z_c - z_y) <= 0 where all rows are classified right,    |w - eta g|^2 >= |w|^2 there

For networks of D layers with ReLU and no biases, and cross-entropy. So the motion after zero training error has a direction:
without decay the distance from 0 grows as long as the network fits, at any step size, and decay has to be strong enough to
stop it. The theorem says nothing of networks with biases or normalization, of other losses, or of minibatches, where it is
true of the rows of the batch only. Whether the rest of the motion is a random walk: `grokking_random_walk`.

Sources: K. Lyu and J. Li (2020), arXiv:1906.05890; theory/norm_equilibria.py.
"""

from __future__ import annotations

import numpy as np
import torch
from matplotlib.figure import Figure
from ratewitness.problems.data.digits import split_digits
from ratewitness.problems.networks.mlp import MLP, accuracy, cross_entropy, half_square, on_rows
from ratewitness.problems.oracle import Oracle
from ratewitness.solvers.around.coupled_decay import CoupledDecay
from ratewitness.solvers.gradient_descent import GradientDescent
from ratewitness.solvers.solver import run
from ratewitness.studies.claims import Budget, Verdict, claim, measured, planted
from ratewitness.studies.judges import all_of, bound_holds, equals_exactly, exceeds
from ratewitness.studies.measuring.drawing import Panel, panels
from ratewitness.studies.measuring.groups import rows, stacked
from ratewitness.studies.measuring.proofs import falsified, prove
from ratewitness.studies.measuring.streams import normal
from ratewitness.theory import norm_equilibria as theory

LYU = "S48; Lyu and Li (2020), arXiv:1906.05890; theory/norm_equilibria.py"
PROVED = (theory.euler, theory.margins, theory.layers, theory.steps)
NETWORK, ROWS = MLP((64, 12, 12, 10), bias=False), 60
STEP, DECAYS = 0.3, (0.0, 0.003)
LARGER = 1.03  # at the end, over the norm when the network first fits
LOSSES = {"cross-entropy": cross_entropy, "half square": half_square}


@claim("proof", LYU)
@falsified(*PROVED)
def the_pull_is_proved(budget: Budget) -> Verdict:
    """S48, refined: At a point that fits, cross-entropy pulls all layers of a network outwards, alike if each is of degree
    1.

    Outputs of degree D in the weights, symbolic, three classes: <w, grad> = -D mean sum_c p_c (z_y - z_c), not positive
    where every row is classified right. Every layer by itself has that, without D, and the squared length of w - eta g is
    |w|^2 - 2 eta <w, g> + eta^2 |g|^2. Machine-checked: the derivative along a ray, its form in margins, the layers, the
    length of a step in the plane; cited: nothing; in prose: any number of classes, and the sign."""
    return prove(*PROVED)


@claim("exact", LYU)
@planted("degree D + 1", more=1)
@planted("a network with biases", bias=True)
@planted("tanh", activation="tanh")
@planted("half the squared error", loss="half square")
def every_layer_has_the_same_pull(
    budget: Budget, more: int = 0, bias: bool = False, activation: str = "relu", loss: str = "cross-entropy"
) -> Verdict:
    """S48, refined: In a ReLU network without biases <W_l, grad_l> is mean(sum_c p_c z_c - z_y), the same for every layer.

    Networks of 2, 3 and 4 layers of 16 neurons, 8 seeds each, random weights (and biases, in the variant), 50 normal inputs
    in 12 dimensions and random labels of 5 classes, float64, gradients by automatic differentiation: layer by layer, and as
    <w, grad>/D, the difference is at most 1e-11 of mean |sum_c p_c z_c - z_y|."""
    off = []
    for depth in (2, 3, 4):
        network = MLP((12, *[16] * (depth - 1), 5), activation, bias)
        generator = budget.generator(depth)
        a, y = normal(generator, 50, 12), torch.randint(5, (50,), generator=generator, device=budget.device)
        answers = y if loss == "cross-entropy" else torch.nn.functional.one_hot(y, 5).to(a)
        problem = on_rows(network, a, answers, generator, LOSSES[loss])
        w = normal(generator, 8, network.layout.size) / 3
        parts, slopes = network.layout.split(w), network.layout.split(problem.grad(w))
        pulls = torch.stack([(parts[k] * slopes[k]).sum((-2, -1)) for k in parts if k.startswith("W")])
        z = network.outputs(w, a)
        margin = (z.softmax(-1) * z).sum(-1) - z[..., range(50), y]
        whole = (w * problem.grad(w)).sum(-1) / (depth + more)
        off.append((torch.cat([pulls, whole.unsqueeze(0)]) - margin.mean(-1)).abs().amax(0) / margin.abs().mean(-1))
    off = torch.cat(off).cpu().numpy()
    return bound_holds(off, np.full(off.shape, 1e-11), -1.0)


@measured
def runs(budget: Budget) -> tuple[np.ndarray, np.ndarray]:
    """Whether all rows are classified right, and squared norms: (steps + 1, DECAYS, seeds) each."""
    generator, seeds = budget.generator("runs"), budget.pick(5, 8)
    data = [split_digits(ROWS, generator, dtype=torch.float64) for _ in range(seeds)]
    a, y = (torch.stack([getattr(each, name) for each in data]) for name in ("inputs", "labels"))
    start = NETWORK.initial(generator, seeds, dtype=torch.float64).expand(len(DECAYS), -1, -1).clone()
    decay = torch.tensor(DECAYS, dtype=start.dtype, device=start.device).reshape(-1, 1, 1)

    def seen(w):
        return torch.stack([accuracy(NETWORK.outputs(w, a), y), w.square().sum(-1)])

    solver, oracle = CoupledDecay(GradientDescent(STEP), decay), Oracle.full(on_rows(NETWORK, a, y, generator))
    steps = budget.pick(400, 1000)
    right, square = run(solver, oracle, start, steps, seen, range(steps + 1)).values.cpu().numpy().swapaxes(0, 1)
    return right == 1, square


@claim("phenomenon", LYU, unit="ln ratio", units={"fits": "steps"})
@planted("decay 0.003", decay=0.003)
@planted("the steps before it fits", fitted=False)
def the_norm_grows_after_fitting(budget: Budget, decay: float = 0.0, fitted: bool = True) -> Verdict:
    """S48, refined: After zero training error every step of gradient descent takes a ReLU network without biases or decay
    further from 0.

    ReLU network 64-12-12-10 on 60 digits, cross-entropy, full batch, step 0.3, no decay, float64, 8 seeds with their own
    data (quick: 5), 1000 steps (quick: 400): of the steps from points with all rows right none has a smaller norm after it,
    and the last norm is more than 1.03 times that at the first such point, in a 99 % interval over seeds. Controls: with
    decay 0.003 most such steps fall; of the steps before the network fits some fall."""
    right, square = (each[:, DECAYS.index(decay)] for each in runs(budget))
    falls = (square[1:] <= square[:-1]) & (right[:-1] == fitted)
    first = [square[hit.argmax(), j] if hit.any() else np.nan for j, hit in enumerate(right.T)]
    growth = np.log(square[-1] / first) / 2
    verdict = all_of(
        {"falls": equals_exactly(falls.sum(0), np.zeros(falls.shape[1])), "growth": exceeds(growth, np.log(LARGER))}
    )
    at = np.unique(np.geomspace(1, len(square) - 1, 25).astype(int))
    norms, when = np.sqrt(runs(budget)[1]), [float(hit.argmax()) for hit in right.T]
    parts = {f"decay {each:g}": rows(norms[at, j], step=at) for j, each in enumerate(DECAYS)}
    return verdict.noting(fits=float(np.mean(when))).showing(stacked(parts).assign(fits=max(when)))


def figures(verdicts: dict[str, Verdict]) -> dict[str, Figure]:
    table = verdicts["the_norm_grows_after_fitting"].table
    caption = (
        "The norm of the weights of a ReLU network without biases, full batch on 60 digits: means over seeds with 99 % "
        f"intervals. Without decay all seeds fit from step {table['fits'].max():g} on at the latest."
    )
    looks = {"decay 0": "C0o-", "decay 0.003": "C1s-"}
    return {"norms": panels(caption, looks, [Panel(table, "step", "step", "norm of the weights", log="x")], height=3.2)}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
