r"""What is the second-order term that SAM drops, and what does dropping it change?

    grad of w -> L(w + eps(w))  =  v + J^T v,    v = grad L(w + eps),    J^T v = (rho/||g||) H (v - ghat <ghat, v>)  for p =
    2

J = d eps/dw. SAM takes v alone. Measured on a tanh network 64-16-10 on the digits, cross-entropy, 300 of them to train on,
of which a fifth has a wrong label, the others to test; float64. The replicates are initial weights and minibatches on one
split.

The term is of second order in rho where the gradient is long. Where it is shorter than rho, near a minimum, nothing makes
the term small: the figure shows it beside the first-order effect v - g along the runs.

Sources: P. Foret et al. (2021), arXiv:2010.01412; theory/sam.py.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from ratewitness.problems.data.digits import split_digits
from ratewitness.problems.networks.mlp import MLP, accuracy, on_rows
from ratewitness.problems.oracle import Oracle
from ratewitness.problems.problem import FiniteSum
from ratewitness.solvers.gradient_descent import GradientDescent
from ratewitness.solvers.sam import SAM
from ratewitness.solvers.solver import run
from ratewitness.studies.claims import Budget, Verdict, claim, measured, planted
from ratewitness.studies.judges import agrees, all_of, exceeds, exponent_is, interval
from ratewitness.studies.measuring.drawing import canvas, legend_below, look, whiskers
from ratewitness.studies.measuring.proofs import falsified, prove
from ratewitness.theory import sam
from torch import Tensor

SOURCE = "S43; Foret et al. (2021), arXiv:2010.01412"
SYMBOLIC = (sam.jacobian, sam.whole_gradient, sam.vanishes_on_eigenvectors, sam.second_order_in_rho, sam.unnormalized)
DANSKIN = (sam.danskin, sam.danskin_needs_one_maximizer)
NETWORK, RHO, LR, BATCH, ROWS = MLP((64, 16, 10), "tanh"), 0.3, 0.5, 50, 300
RADII = np.logspace(-4, -2, 9)
LOOKS = ("C2^-", "C0o-", "C3s-")
METHODS = {"SGD": {"rho": 0.0}, "SAM": {}, "with the term": {"second_order": True}}


def digits(budget: Budget) -> tuple[FiniteSum, Tensor, Tensor]:
    """The loss on the rows to train on, and the rows to test on."""
    data = split_digits(ROWS, budget.generator("split"), label_noise=0.2, dtype=torch.float64)
    problem = on_rows(NETWORK, data.inputs, data.labels, budget.generator("start"))
    return problem, data.test_inputs, data.test_labels


def method(rho: float | Tensor = RHO, lr: float = 1.0, **form) -> SAM:
    return SAM(GradientDescent(lr), rho, **form)


def directions(problem: FiniteSum, x: Tensor, **form) -> tuple[Tensor, Tensor]:
    """v and J^T v with exact gradients: what two steps of length 1 differ by."""
    v = x - method(**form).step(x, 0, Oracle.full(problem))[0]
    whole = x - method(second_order=True, **form).step(x, 0, Oracle.full(problem))[0]
    return v, whole - v


@measured
def trained(budget: Budget) -> dict[str, dict[str, np.ndarray]]:
    """By method: test errors at the end (seeds,), and along the run the sizes of J^T v and of v - g (times, seeds)."""
    problem, inputs, labels = digits(budget)
    seeds, steps = budget.pick(4, 12), budget.pick(150, 600)
    x0 = NETWORK.initial(budget.generator("weights"), seeds, dtype=torch.float64)
    at = [0, *(steps * np.arange(1, 7) // 6).tolist()]
    found = {}
    for name, form in METHODS.items():
        oracle = Oracle.minibatch(problem, BATCH, budget.generator("minibatches"), "reshuffled")
        path = run(method(lr=LR, **form), oracle, x0, steps, lambda x: x, at).values
        term, first = [], []
        for x in path:
            v, dropped = directions(problem, x)
            term.append(dropped.norm(dim=-1).cpu().numpy())
            first.append((v - problem.grad(x)).norm(dim=-1).cpu().numpy())
        error = 1 - accuracy(NETWORK.outputs(path[-1], inputs), labels)
        found[name] = {"error": error.cpu().numpy(), "term": np.stack(term), "first": np.stack(first), "at": np.array(at)}
    return found


@claim("proof", f"{SOURCE}; theory/sam.py")
@falsified(*SYMBOLIC)
def term_is_derived(budget: Budget) -> Verdict:
    """S43, as stated: The gradient of L(w + eps(w)) is v + J^T v, v the gradient at w + eps; on quadratics the term is 0
    only on eigenvectors.

    J = d eps/dw = (rho/||g||)(I - ghat ghat^T) H for p = 2 and g != 0, and it is the transposed J that acts on v. On a
    quadratic the term is 0 iff g is an eigenvector of H; in general it is of second order in rho, of first order without
    normalization, as large there as what SAM adds to the gradient. Machine-checked: J for an unspecified L, the gradient on
    two polynomials, the order of the term, all in two variables; cited: nothing; in prose: any dimension."""
    return prove(*SYMBOLIC)


@claim("proof", "S43; Danskin (1967); theory/sam.py")
@falsified(*DANSKIN)
def exact_maximizer_has_no_term(budget: Budget) -> Verdict:
    """S43, refined: With the exact worst point in the place of the linearized one the term is 0, if that point is unique.

    For a maximizer e(w) over ||e|| <= rho on the sphere that is differentiable in w. At the minimizer of lam w^2/2 two
    points are worst, and the worst loss has a kink and no gradient. Machine-checked: <de, v> = 0 on the sphere in three
    dimensions, and both slopes at the kink; cited: Danskin (1967); in prose: other dimensions."""
    return prove(*DANSKIN)


@claim("exact", f"{SOURCE}; solvers/sam.py")
@planted("without the term", kept=0.0)
@planted("J in the place of its transpose", transposed=False)
def solver_takes_the_whole_gradient(budget: Budget, kept: float = 1.0, transposed: bool = True) -> Verdict:
    """S43: With its second-order term the solver follows the gradient of L(w + eps(w)).

    On the digits network at 6 random initial weights, for p = 2 along the term, and for p = 1.5 and without normalization
    along the whole gradient, slopes by central differences of fourth order agree within 1e-5."""
    problem, _, _ = digits(budget)
    x = NETWORK.initial(budget.generator("weights"), 6, dtype=torch.float64)
    measured_, predicted = [], []
    for form in ({}, {"p": 1.5}, {"normalized": False}):
        v, term = directions(problem, x, **form)
        g = problem.grad(x)
        if not transposed and not form:
            hv = Oracle.full(problem).hessian_vector(x, v)
            unit = g / g.norm(dim=-1, keepdim=True)
            term = RHO / g.norm(dim=-1, keepdim=True) * (hv - unit * (unit * hv).sum(-1, keepdim=True))
        whole = v + kept * term
        along = term if not form else whole
        along = along / along.norm(dim=-1, keepdim=True)

        def perturbed(t, form=form, along=along):
            at = x + t * along
            return problem.gap(at + method(**form).perturbation(at, problem.grad(at)))

        h = 1e-4
        slope = (8 * (perturbed(h) - perturbed(-h)) - (perturbed(2 * h) - perturbed(-2 * h))) / (12 * h)
        measured_.append(slope.cpu().numpy())
        predicted.append((whole * along).sum(-1).cpu().numpy())
    return agrees(np.array(measured_), np.array(predicted), 1e-5)


@claim("exponent", f"{SOURCE}; theory/sam.py")
@planted("1.9 and 1", powers=(1.9, 1.0))
@planted("2 and 1.1", powers=(2.0, 1.1))
def term_is_of_second_order(budget: Budget, powers: tuple[float, float] = (2.0, 1.0)) -> Verdict:
    """S43, refined: The dropped term grows like rho^2 for SAM, and like rho without normalization.

    At 10 random initial weights of the digits network, rho from 1e-4 to 1e-2: exponents 2 and 1, within 0.05 each."""
    problem, _, _ = digits(budget)
    x = NETWORK.initial(budget.generator("weights"), 10, dtype=torch.float64)
    rho = torch.tensor(RADII, device=budget.device).reshape(-1, 1, 1)
    verdicts = {}
    for name, power in zip(("normalized", "unnormalized"), powers, strict=True):
        _, term = directions(problem, x.expand(len(RADII), *x.shape), rho=rho, normalized=name == "normalized")
        verdicts[name] = exponent_is(RADII, term.norm(dim=-1).cpu().numpy(), -power, 0.05)
    return all_of(verdicts)


@claim("phenomenon", SOURCE, unit="fraction", units={f"error, {name}": "fraction" for name in METHODS})
@planted("so does dropping the perturbation", other="SGD")
def dropping_it_changes_little(budget: Budget, other: str = "with the term") -> Verdict:
    """S43, as stated: SAM's second-order term can be dropped: the test error of a digits network changes by less than two
    percentage points.

    Mean over 12 (quick: 4) seeds after 600 (quick: 150) steps of SGD with lr 0.5 on minibatches of 50, rho 0.3, a fifth of
    the labels wrong: both ends of the 99 % interval of the difference between SAM with and without the term. The control is
    SGD in the place of SAM with the term. Seeds are starts and minibatches on one split of one data set; steps and radius
    are not tuned. Two points are about a third of what SAM gains on SGD here, and not nothing: the evidence has the sign and
    the interval of the difference. "Can" asks for one network."""
    runs = trained(budget)
    gain = runs[other]["error"] - runs["SAM"]["error"]
    verdict = all_of({"above": exceeds(gain, -0.02), "below": exceeds(-gain, -0.02)})
    table = []
    for name, own in runs.items():
        for k, step in enumerate(own["at"]):
            mean, low, high = np.exp(interval(np.log(own["term"][k] / own["first"][k])))
            table.append({"method": name, "step": step, "measured": mean, "low": low, "high": high})
    errors = {f"error, {name}": float(own["error"].mean()) for name, own in runs.items()}
    return verdict.noting(**errors).showing(pd.DataFrame(table))


def figures(verdicts: dict[str, Verdict]) -> dict[str, Figure]:
    caption = (
        "The dropped term $\\|J^\\top v\\|$ over SAM's first-order effect $\\|v - g\\|$, exact gradients, along runs "
        "of three methods on the digits, $\\rho = 0.3$: geometric means over seeds with 99 % intervals."
    )
    table = verdicts["dropping_it_changes_little"].table
    figure, (ax,) = canvas(caption, 1, height=3.2)
    for shift, ((name, own), style) in enumerate(zip(table.groupby("method", sort=False), LOOKS, strict=True)):
        apart = own["step"].max() / 60 * (shift - 1)
        style = look(style) | {"ms": 5, "lw": 1, "label": name}
        ax.errorbar(own["step"] + apart, own["measured"], whiskers(own), **style)
    ax.set(xlabel="step", ylabel=r"$\|J^\top v\|\,/\,\|v - g\|$", ylim=(0, None))
    legend_below(figure)
    return {"second_order": figure}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
