r"""DoG's analysis: a guarantee that takes no step, for AdaGrad by norm with the distance it has come in the place of one.

    x_{k+1} = x_k - r_k g_k/h_k,   h_k = (epsilon + sum_{j<=k} ||g_j||^2)^{1/2},   r_k = max(r_eps, max_{j<=k} ||x_j - x_0||)

For any gradients, any x*, d_k = x_k - x* and D >= ||d_k|| for k <= T, in the Euclidean norm:

    sum_{k<T} r_k <g_k, d_k>  <=  r_T (2 D + r_T) h_{T-1}

and <g_k, d_k> >= f_k(x_k) - f_k(x*) for convex f_k: the mean of the iterates with weights r_k has the gap r_T (2 D + r_T)
h_{T-1}/sum_{k<T} r_k on one convex f. Nothing is tuned, and r_eps does not stand in the bound but through r_k.

The proof. A step says 2 r_k <g_k, d_k> = h_k (||d_k||^2 - ||d_{k+1}||^2) + r_k^2 ||g_k||^2/h_k (`online_step` of
theory/adagrad.py with eta = r_k). The first terms add up to at most h_{T-1} (D^2 - ||d_T||^2) (`growing_metric`), where D is
the largest of the ||d_k||; no two of them differ by more than 2 r_T, so that this is at most 4 r_T D h_{T-1}
(`never_far_apart`). The second add up to at most 2 r_T^2 h_{T-1} (`growing_root`, as r_k grows). Half the sum is the bound
(`collected`).

M. Ivgi, O. Hinder and Y. Carmon (2023), arXiv:2302.12022; the proof is given here.
"""

import sympy as sp
from ratewitness.theory.adagrad import gradient_norm
from ratewitness.theory.bounds import Bound, vanishes
from ratewitness.theory.identity import identity
from ratewitness.theory.kronecker import D

r_T = sp.Symbol("r_T", positive=True)

weighted_regret = Bound(
    "weighted_regret",
    "sum_{k<T} r_k <g_k, x_k - x*>",
    r_T * (2 * D + r_T) * gradient_norm,
    "upper",
    "||x_k - x*||_2 <= D for k <= T, gradient_norm = (epsilon + sum_{k<T} ||g_k||_2^2)^{1/2}",
    "x - r_k g/(epsilon + sum ||g||_2^2)^{1/2}, r_k = max(r_eps, max_{j<=k} ||x_j - x_0||_2)",
    "Ivgi, Hinder and Carmon (2023), arXiv:2302.12022; proof here",
)


@identity(
    wrong={"points 4 r_T apart": {"apart": 4}, "half of 4 r_T D": {"factor": 2}},
)
def never_far_apart(apart=2, factor=4) -> bool:
    """4 r D - (D^2 - d^2) >= 0 for 0 <= d <= D and D - d <= 2 r: a polynomial in d, D - d and 2 r - (D - d) without a
    negative coefficient."""
    d, gap, slack = sp.symbols("d gap slack", nonnegative=True)  # D = d + gap, 2 r = gap + slack
    large, r = d + gap, (gap + slack) / apart
    margin = sp.Poly(sp.expand(factor * r * large - (large**2 - d**2)), d, gap, slack)
    return all(coefficient >= 0 for coefficient in margin.coeffs())


@identity(share=1)
def collected(share=sp.S.Half) -> bool:
    """(4 r_T D h + 2 r_T^2 h)/2 is the bound, with h = gradient_norm."""
    return vanishes(share * (4 * r_T * D + 2 * r_T**2) * gradient_norm - weighted_regret.value)
