r"""Is U V^T the polar factor of G, and the matrix with orthonormal columns that is nearest to it?

    G = U S V^T = (U V^T) H,  H = V S V^T = (G^T G)^{1/2};    ||G - Q||_F >= ||G - U V^T||_F  whenever  Q^T Q = I

Sources: K. Fan and A. Hoffman (1955); N. Higham (2008), Functions of Matrices.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import scipy
import torch
from ratewitness.solvers.norms.polar import ExactPolar
from ratewitness.studies.claims import Budget, Verdict, claim, measured, planted
from ratewitness.studies.judges import all_of, bound_holds
from ratewitness.studies.measuring.proofs import falsified, prove
from ratewitness.studies.norms.matrix_runs import CONDITIONS, ROUNDING_FLOOR
from ratewitness.studies.norms.spectra import errors, geometric, with_singular_values
from ratewitness.theory import polar_factor


@claim("proof", "S34; Higham (2008), Functions of Matrices; theory/polar_factor.py")
@falsified(polar_factor.factorizes, polar_factor.is_nearest, named="{slip}")
def is_the_polar_factor(budget: Budget) -> Verdict:
    """S34: U V^T is the polar factor of G = U S V^T, and no matrix with orthonormal columns is nearer to G.

    For G m x n, m >= n, of every size. Machine-checked, as words of symbols that do not commute: G = (U V^T) H with H = V S
    V^T and H^2 = G^T G, and ||G - Q||_F^2 - ||G - U V^T||_F^2 = ||(Q V - U) S^{1/2}||_F^2 whenever Q^T Q = I. Cited: that G
    has singular values. In prose: that the last is not negative, and 0 for full rank only where Q = U V^T."""
    return prove(polar_factor.factorizes, polar_factor.is_nearest)


@measured("orthogonalization")
def rivals_in_distance(budget: Budget) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Matrices (K, 1, 12, 8) of condition 1 to 1e8, scipy's polar factors, and other matrices with orthonormal columns."""
    generator = budget.generator("distance")
    s = geometric(torch.tensor(CONDITIONS, dtype=torch.float64, device=generator.device), 8)
    G = 2 * with_singular_values(s, 12, generator)[0].mT  # with 1 for 2 that of condition 1 were its own polar factor
    polar = torch.stack([torch.from_numpy(scipy.linalg.polar(g.cpu().numpy())[0]) for g in G]).to(G).unsqueeze(1)
    options = {"generator": generator, "device": generator.device, "dtype": torch.float64}
    random = torch.linalg.qr(torch.randn(len(G), 100, 12, 8, **options)).Q
    skew = torch.randn(len(G), 100, 12, 12, **options)
    sizes = torch.logspace(-4, 0, 100, dtype=torch.float64, device=G.device)
    nearby = torch.linalg.matrix_exp(sizes[:, None, None] * (skew - skew.mT)) @ polar
    return G.unsqueeze(1), polar, torch.cat([random, nearby, by_qr(G.unsqueeze(1))], 1)


def by_qr(g: torch.Tensor) -> torch.Tensor:
    """The Q of the QR decomposition (*batch, m, n) whose R has a positive diagonal: of all signs the nearest to G."""
    Q, R = torch.linalg.qr(g)
    return Q * R.diagonal(dim1=-2, dim2=-1).sign().unsqueeze(-2)


def is_nearer(budget: Budget, orthogonalize) -> Verdict:
    """Than every rival, to every G."""
    G, _, others = rivals_in_distance(budget)
    mine = torch.linalg.matrix_norm(G - orthogonalize(G)).expand(others.shape[:2])
    return bound_holds(mine.flatten().cpu(), torch.linalg.matrix_norm(G - others).flatten().cpu())


def agrees_with_scipy(budget: Budget, orthogonalize) -> Verdict:
    G, polar, _ = rivals_in_distance(budget)
    return bound_holds(errors(orthogonalize(G), polar)[:, 0], ROUNDING_FLOOR * np.array(CONDITIONS))


def normalized(g: torch.Tensor) -> torch.Tensor:
    return g / g.norm(dim=(-2, -1), keepdim=True)


@claim("upper bound", "S34; Fan and Hoffman (1955); scipy.linalg.polar")
@planted("the Q of a QR decomposition is the nearest", partial(is_nearer, orthogonalize=by_qr))
@planted("U V^T with its rows reversed", partial(agrees_with_scipy, orthogonalize=lambda g: ExactPolar()(g).flip(-2)))
@planted("G/||G||_F is the polar factor", partial(agrees_with_scipy, orthogonalize=normalized))
def is_the_nearest(budget: Budget) -> Verdict:
    """S34: U V^T agrees with scipy's polar factor, and no matrix with orthonormal columns is nearer to G.

    On 12 x 8 matrices of condition kappa = 1 to 1e8 they agree within 1e-14 kappa. None is nearer in the Frobenius norm
    among random matrices, matrices near U V^T and the Q of the QR decomposition with positive diagonal of R."""
    return all_of({"scipy": agrees_with_scipy(budget, ExactPolar()), "nearest": is_nearer(budget, ExactPolar())})


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
