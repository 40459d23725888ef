r"""Are the closed forms of linear minimization oracles right, for vectors?

    lmo(g) = argmin_{||x|| <= 1} <g, x>:     <g, lmo(g)> = -||g||_*,     ||lmo(g)|| = 1

sympy proves every row of the table of vector norms: value, dual norm, oracle, the certificate that nothing in the ball does
better, and when the oracle is unique. Matrices: `lmo_matrix_proofs`; the solvers: `lmo_closed_forms`.
"""

from __future__ import annotations

from ratewitness.studies.claims import Budget, Verdict, claim
from ratewitness.studies.measuring.proofs import falsified, prove
from ratewitness.theory import hoelder, norms, schatten

REDUCTION = norms.rearrangement, norms.signed_permutations, norms.scaling
HOELDER = hoelder.young, hoelder.lp_certificate, hoelder.lp_attained, hoelder.lp_at_size, hoelder.lp_unique
LP = *HOELDER, norms.gradient_of_the_dual
L1_AND_L2 = hoelder.l2_certificate, hoelder.l1_certificate, hoelder.l1_unique
POLYHEDRAL = *L1_AND_L2, hoelder.linf_certificate, hoelder.linf_unique, hoelder.lp_at_the_ends
KY_FAN = hoelder.ky_fan_certificate, hoelder.ky_fan_lmo, hoelder.ky_fan_unique, schatten.ky_fan_of_matrices


@claim("proof", "S32; theory/norms.py")
@falsified(*REDUCTION)
def one_chamber_is_enough(budget: Budget) -> Verdict:
    """S32: Values, dual norms and pairings carry over from the chamber g_1 > ... > g_n > 0 to every g; uniqueness does
    not.

    Machine-checked: signed permutations change none of them (n = 2, 3, 4; l_p, l_1, l_2, l_inf and Ky Fan with k = 2); no
    order or signs of x pair better than the sorted moduli (n = 2, 3); c ||.|| has oracle lmo/c (n = 3). In prose: that these
    lines hold at every n, and by continuity at ties and zeros. Nothing is cited. Needed for the Ky Fan norms only: l_p, l_1,
    l_2 and l_inf are proved for every g."""
    return prove(*REDUCTION)


@claim("proof", "S32; Hoelder, Young; theory/hoelder.py")
@falsified(*LP)
def lp(budget: Budget) -> Verdict:
    """S32, as stated: The dual of l_p is l_q, 1/p + 1/q = 1, and its one LMO is -sign(g)|g|^(q-1)/||g||_q^(q-1).

    For every p in (1, oo) and every n, where g != 0; p = 1 and oo: `l1_l2_linf`. Machine-checked: Young's inequality, with
    its equality, at symbolic p; that its terms sum to Hoelder's inequality; that the oracle attains it; that it is minus the
    gradient of the dual (n = 3). In prose: the sum over n terms. Nothing is cited."""
    return prove(*LP)


@claim("proof", "S32; theory/hoelder.py")
@falsified(*POLYHEDRAL)
def l1_l2_linf(budget: Budget) -> Verdict:
    """S32: The LMO of l_1 is -sign(g_i) e_i at the largest |g_i|, of l_2 -g/||g||_2, of l_inf -sign(g).

    That of l_1 is unique iff the largest modulus is attained once, that of l_inf iff g has no zero entry; the duals are
    l_inf, l_2 and l_1; and l_1 and l_inf are limits of l_p: as p -> oo its oracle tends to -sign(g), as p -> 1 to
    -sign(g_i)/t at each of t largest entries, 0 elsewhere. For every n and g. Machine-checked: the certificates, a term at a
    time or by bilinearity, what attains them, second minimizers, and the limits, by a squeeze. In prose: the sum over n
    terms. Nothing is cited."""
    return prove(*POLYHEDRAL)


@claim("proof", "S32, S33; theory/hoelder.py, theory/schatten.py")
@falsified(*KY_FAN)
def ky_fan(budget: Budget) -> Verdict:
    """S32: The dual of the Ky Fan norm, the sum of the k largest moduli or singular values, is max(g_1, ||g||_1/k).

    Its LMO is that of l_1 where g_1 is the maximum, and that of l_inf over k where it is not. Machine-checked: vectors, n =
    2, 3, 4, every k, the choice of the case at n = 3, k = 2; three singular values, k = 2. In prose: that the same lines
    hold at every n. Cited: that every matrix has singular values."""
    return prove(*KY_FAN)


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
