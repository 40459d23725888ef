r"""Which methods are steps in a norm?

    argmin_d <g, d> + ||d||^2/(2a) = a ||g||_* lmo(g),     argmin_{||d|| = t} <g, d> = t lmo(g)

In l_2 these are gradient descent and its normalized form, in l_inf sign descent, in l_1 greedy coordinate descent, in the
spectral norm exact Muon. Proved in theory/steepest_descent.py; <g, d> >= -||g||_* ||d||, with equality at lmo(g), in
`lmo_proofs` and `lmo_matrix_proofs`.

Sources: J. Bernstein and L. Newhouse (2024), arXiv:2409.20325; V. Gupta, T. Koren and Y. Singer (2018), arXiv:1802.09568.
"""

from __future__ import annotations

from ratewitness.studies.claims import Budget, Verdict, claim
from ratewitness.studies.measuring.proofs import falsified, prove
from ratewitness.theory import steepest_descent as steps

BERNSTEIN = "Bernstein and Newhouse (2024), arXiv:2409.20325"
S30 = steps.gradient_descent, steps.gradient_descent_on_the_sphere
ANY_NORM = steps.regularized_step, steps.normalized_step, steps.regularized_value
VECTOR_METHODS = steps.adam_is_sign_descent, steps.normalized_gradient_descent, steps.greedy_coordinate_descent
METHODS = *VECTOR_METHODS, steps.shampoo_is_spectral, steps.shampoo_with_epsilon, steps.muon_is_spectral


@claim("proof", "S30; theory/steepest_descent.py")
@falsified(*S30)
def gradient_descent(budget: Budget) -> Verdict:
    """S30, as stated: A step of gradient descent, and of its normalized form, is the only minimizer of the linear model,
    plus the squared length or on a sphere.

    X - a g of the linear model plus ||x - x_k||_2^2/(2a), and x - t g/||g||_2 of the linear model on the sphere of
    radius t. For every n. Machine-checked: that the model is a square plus its least value, by bilinearity. In prose: that a
    square is least where it is 0. Nothing is cited."""
    return prove(*S30)


@claim("proof", f"S31; {BERNSTEIN}; theory/steepest_descent.py")
@falsified(*ANY_NORM)
def steps_in_any_norm(budget: Budget) -> Verdict:
    """S31, as stated: In any norm a ||g||_* lmo(g) minimizes <g, d> + ||d||^2/(2a), and t lmo(g) minimizes <g, d> on the
    sphere of radius t.

    The first with value -(a/2)||g||_*^2; every other minimizer has the same length. For every norm and size.
    Machine-checked: the algebra of it; that the closed forms attain it, for vectors of three entries and 2 x 3 matrices. In
    prose: that <g, d> >= -||g||_* ||d|| with equality at lmo(g), which is what dual norm and LMO mean. Nothing is cited."""
    return prove(*ANY_NORM)


@claim("proof", f"S31, S38; Gupta, Koren and Singer (2018), arXiv:1802.09568; {BERNSTEIN}; theory/steepest_descent.py")
@falsified(*METHODS)
def methods_are_norms(budget: Budget) -> Verdict:
    """S31: Adam without averages is sign descent; exact Muon and Shampoo without accumulation step along the LMO of the
    spectral norm.

    Adam with beta1 = beta2 = eps = 0 is sign descent where g has no zero entry (so is its first step for all betas) and
    steps along the LMO of l_inf, normalized GD of l_2, greedy coordinate descent of l_1, exact Muon and Shampoo without
    accumulation, (G G^T)^{-1/4} G (G^T G)^{-1/4} = U V^T, of the spectral norm, for G of full rank, roots taken
    on the range (pseudo-inverse). Machine-checked: the matrices for every size, as words of symbols that do not commute, the
    recursions of Adam in one entry, the vectors for n = 3. Cited: that G has singular values. In prose: that what holds for
    three entries holds for n."""
    return prove(*METHODS)


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
