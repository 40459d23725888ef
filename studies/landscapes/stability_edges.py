r"""At which curvature does a method with a constant step lose its hold of a minimum? The edges, exactly.

    lam x^2/2:    2/eta (gradient descent),  (2 + 2b)/eta (heavy ball),  (2 + 2b)/((1 + 2b) eta) (Nesterov),
                  (sqrt(1 + 8 rho/eta) - 1)/(2 rho) (USAM),  the same with rho/|g| (SAM at a gradient of norm |g|)

S3 says that gradient descent converges with a constant step; the edge is how large a constant may be. Below it the solvers
of this package contract, above it they diverge, a thousandth away on either side. SAM's edge contains the norm of the
gradient: in the 2-cycle that SAM makes of every quadratic it holds as an identity, whatever the curvature, and so predicts
nothing there. How networks run along these edges: `edge_of_stability`.

J. Cohen et al. (2021), arXiv:2103.00065; J. Cohen et al. (2022), arXiv:2207.14484; P. Long and P. Bartlett (2023),
arXiv:2309.12488.
"""

from __future__ import annotations

import numpy as np
import torch
from ratewitness.problems.oracle import Oracle
from ratewitness.problems.quadratics import quadratic
from ratewitness.solvers.gradient_descent import GradientDescent
from ratewitness.solvers.heavy_ball import HeavyBall
from ratewitness.solvers.nesterov import Nesterov
from ratewitness.solvers.sam import SAM
from ratewitness.solvers.solver import run
from ratewitness.studies.claims import Budget, Verdict, claim, planted
from ratewitness.studies.judges import agrees, all_of, equals_exactly
from ratewitness.studies.measuring.proofs import falsified, prove
from ratewitness.theory import stability_edges as edges

COHEN = "Cohen et al. (2021), arXiv:2103.00065"
LONG = "Long and Bartlett (2023), arXiv:2309.12488"
ASIDE = 1e-3  # how far below and above its edge a method is run, relative to the edge
RHO = 0.3
PROVED = (
    edges.disk,
    edges.third_condition,
    edges.at_the_edge,
    edges.averages_are_momentum,
    edges.usam,
    edges.cycle_of_sam,
)


B = torch.tensor([[0.1], [0.5], [0.9]], dtype=torch.float64)  # momenta, an axis of the runs
METHODS = {  # its solver from a step and a momentum, and its edge for step 1: all of these are inverse in the step
    "gradient descent": (lambda eta, b: GradientDescent(eta), lambda b: edges.gradient_descent_edge(1.0) + 0 * b),
    "heavy ball": (HeavyBall, lambda b: edges.heavy_ball_edge(1.0, b)),
    "nesterov": (Nesterov, lambda b: edges.nesterov_edge(1.0, b)),
    "averaged gradients": (lambda eta, b: HeavyBall((1 - b) * eta, b), lambda b: edges.averaged_edge(1.0, b)),
}
OTHER = {"heavy ball": "nesterov", "nesterov": "heavy ball"}


@claim("proof", f"S3; {COHEN}; proofs in theory/stability_edges.py")
@falsified(*PROVED)
def edges_are_proved(budget: Budget) -> Verdict:
    """S3: On a quadratic a constant step contracts below its edge: 2/eta for gradient descent, (2 + 2b)/eta for heavy ball.

    For lam x^2/2, eta > 0 and 0 <= b < 1, with symbolic eta, lam and b: the characteristic polynomials of the heavy ball, of
    Nesterov's method and of averaged gradients have both roots in the unit disk exactly below their edges, have the root -1
    at the edge, and averaged gradients are the heavy ball with step (1 - b) eta; USAM turns x into -x at its edge. At the
    gradient norm of SAM's 2-cycle its edge is lam itself, and so predicts nothing. Machine-checked: the transformed
    polynomial, the sign of 1 - p + q, the roots at the edge, both edges of SAM; cited: the Routh-Hurwitz criterion for
    degree two; in prose: the other two signs."""
    return prove(*PROVED)


@claim("exact", f"S3; {COHEN}")
@planted("the edge of gradient descent for all", edge_of="gradient descent")
@planted("the edge of the other momentum", swapped=True)
@planted("one per cent too high", factor=1.01)
def solvers_change_at_their_edges(
    budget: Budget, edge_of: str | None = None, swapped: bool = False, factor: float = 1.0
) -> Verdict:  # fmt: skip
    """S3: Four methods with constant steps converge on a parabola 0.1 % below their edges and diverge 0.1 % above.

    Gradient descent, the heavy ball, Nesterov's method and averaged gradients on x^2/2 from 1, with b = 0.1, 0.5, 0.9 and a
    step that is 0.999 or 1.001 of the one at which curvature 1 is the edge: after 10000 steps |x| is below 1e-6 or above
    1e3, in 24 of 24 runs. Averaged gradients are run as the heavy ball with step (1 - b) eta, which they are
    (`edges_are_proved`), and gradient descent is the same for every b: 20 runs are distinct."""
    problem, right = quadratic([1.0], [1.0]), []
    aside = torch.tensor([1 - ASIDE, 1 + ASIDE], dtype=torch.float64).reshape(2, 1, 1)
    for name, (solver, _) in METHODS.items():
        read = edge_of or (OTHER.get(name, name) if swapped else name)
        eta = factor * METHODS[read][1](B) * aside
        x = run(solver(eta, B), Oracle.full(problem), problem.starts(2, 3), 10_000, lambda x: x, at=[0]).x.abs()
        right += [int((x[0] < 1e-6).sum()), int((~(x[1] <= 1e3)).sum())]  # what overflowed to NaN diverged as well
    return equals_exactly(right, [3] * len(right))


@claim("exact", f"S44; {LONG}; derived in theory/stability_edges.py")
@planted("rho doubled", factor=2.0)
@planted("at the gradient norm of the start", at_start=True)
def the_edge_of_sam_is_an_identity(budget: Budget, factor: float = 1.0, at_start: bool = False) -> Verdict:
    """S44, refined: In SAM's 2-cycle on a quadratic its edge at the present gradient is the curvature, whatever that is.

    SAM with eta = 0.1 and rho = 0.3 on the parabolas lam x^2/2, lam = 0.5, 2, 8 and 18, from 1, after 4000 steps: the edge
    (|g|/(2 rho))(sqrt(1 + 8 rho/(eta |g|)) - 1) divided by lam is 1 up to 1e-9. So "the sharpness is at SAM's edge" is true
    on every quadratic, of any curvature below 2/eta, and predicts none."""
    lam = np.array([0.5, 2.0, 8.0, 18.0])
    problem = quadratic(torch.as_tensor(lam).reshape(-1, 1, 1), torch.ones(1, dtype=torch.float64))
    solver = SAM(GradientDescent(0.1), RHO)
    x0 = torch.ones(len(lam), 1, 1, dtype=torch.float64)
    x = run(solver, Oracle.full(problem), x0, 4000, lambda x: x, at=[0]).x
    norm = problem.grad(x0 if at_start else x).norm(dim=-1).flatten().numpy()
    edge = edges.sam_edge(0.1, factor * RHO, norm)
    table = {"curvature": lam, "amplitude": x.abs().flatten().numpy(), "measured": edge, "theory": lam}
    return agrees(edge, lam, 1e-9).showing(table)


@claim("exact", f"S44; derived in theory/stability_edges.py, form of {LONG}")
@planted("rho doubled", factor=2.0)
@planted("the edge of gradient descent", usam=False)
def usam_changes_at_its_edge(budget: Budget, factor: float = 1.0, usam: bool = True) -> Verdict:
    """S44, refined: SAM without normalization contracts on a parabola exactly below (sqrt(1 + 8 rho/eta) - 1)/(2 rho).

    USAM with eta = 0.1 and rho = 0.1, 0.3 and 1 on lam x^2/2 with lam 0.999 and 1.001 of the edge, from 1: |x| is below 1e-6
    or above 1e3 after 10000 steps. The edge lies below 2/eta for every rho > 0. The proof that it is the edge:
    `edges_are_proved`."""
    rho, eta = np.array([0.1, 0.3, 1.0]), 0.1
    edge = edges.usam_edge(eta, factor * rho) if usam else np.full(3, edges.gradient_descent_edge(eta))
    lam = torch.as_tensor(np.multiply.outer([1 - ASIDE, 1 + ASIDE], edge)).unsqueeze(-1)
    problem = quadratic(lam.unsqueeze(-1), torch.ones(1, dtype=torch.float64))
    solver = SAM(GradientDescent(eta), torch.as_tensor(rho).reshape(1, 3, 1, 1), normalized=False)
    x = run(solver, Oracle.full(problem), torch.ones(2, 3, 1, 1, dtype=torch.float64), 10_000, lambda x: x, at=[0]).x.abs()
    kept, lost = (x[0] < 1e-6).flatten(), ~(x[1] <= 1e3).flatten()
    return all_of({"below": equals_exactly([kept.sum()], [3]), "above": equals_exactly([lost.sum()], [3])})


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
