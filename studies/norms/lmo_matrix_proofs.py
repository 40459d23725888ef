r"""Are the closed forms of linear minimization oracles right, for matrices?

    lmo(G) = argmin_{||X|| <= 1} <G, X>:     -U V^T (spectral),   -u_1 v_1^T (nuclear),   -G/||G||_F (Frobenius), ...

sympy proves every row of the table of matrix norms: by von Neumann's inequality an oracle of the singular values is one of
matrices, and blockwise norms come apart into vectors. Vectors: `lmo_proofs`; the solvers: `lmo_closed_forms`.
"""

from __future__ import annotations

from ratewitness.studies.claims import Budget, Verdict, claim
from ratewitness.studies.measuring.proofs import falsified, prove
from ratewitness.theory import induced, schatten

TRACE = schatten.unitary_invariance, schatten.trace_in_singular_bases, schatten.bessel
VON_NEUMANN = *TRACE, schatten.leading_blocks, schatten.summation_by_parts
UNIQUE = schatten.spectral, schatten.spectral_unique, schatten.nuclear, schatten.nuclear_unique
SINGULAR = schatten.sum_of_squares, schatten.frobenius, *UNIQUE, schatten.schatten
BETWEEN = induced.triangle, induced.from_l1, induced.to_linf, induced.blockwise
INDUCED = *BETWEEN, induced.column, induced.row, induced.max_abs, induced.zero_blocks
RMS = induced.rms_lengths, induced.rms_to_rms, induced.l1_to_rms, induced.rms_to_linf, induced.scion_sign


@claim("proof", "S33; von Neumann (1937), Mirsky (1975); theory/schatten.py")
@falsified(*VON_NEUMANN)
def von_neumann(budget: Budget) -> Verdict:
    """S33: <A, B> = tr(A^T B) is at most the sum of sigma_i(A) sigma_i(B), and U diag(d) V^T attains it.

    So every LMO of the singular values is one of matrices. For matrices of every size. Machine-checked, as words of symbols
    that do not commute: the trace in the singular bases, Bessel's inequality, the sum of squares for a leading block, the
    step of the summation by parts. Cited: that every matrix has singular values. In prose: that a sum of squares and the
    trace of a positive matrix are not negative, and the induction."""
    return prove(*VON_NEUMANN)


@claim("proof", "S33; theory/schatten.py")
@falsified(*SINGULAR)
def singular_values(budget: Budget) -> Verdict:
    """S33, as stated: The LMO of the spectral norm is -U V^T, of the nuclear norm -u_1 v_1^T, of the Frobenius norm
    -G/||G||_F.

    That of the spectral norm is unique iff G has full rank, of the nuclear norm iff sigma_1 > sigma_2; of Schatten-p it
    is -U S^(q-1) V^T/||S||_q^(q-1); the duals of Frobenius, spectral, nuclear and Schatten-p are the Frobenius, nuclear,
    spectral and Schatten-q norm. For matrices of every size. Machine-checked, as words of symbols that do not commute: the
    sums of squares that make these optimal, that the oracles attain them and are feasible, the second minimizers; for
    Schatten-p Hoelder's inequality, term by term. Cited: that every matrix has singular values. In prose: that the sums of
    squares are not negative, and what their being zero says (theory/schatten.py)."""
    return prove(*SINGULAR)


@claim("proof", "S31; Bernstein and Newhouse (2024), arXiv:2409.20325; theory/induced.py")
@falsified(*INDUCED)
def induced_norms(budget: Budget) -> Verdict:
    """S31: The norm of A from l_1 to l_p is its largest column in l_p, from l_p to l_inf its largest row in l_q.

    The LMO of l_1 to l_2 divides columns by their lengths, of l_2 to l_inf rows, of l_1 to l_inf entries; each unique
    iff none is 0. Machine-checked: all of it, for 2 x 3 (the norms), 2 x 3, 3 x 2, 1 x 3 and 3 x 1 (the LMO), three blocks
    and 2 x 2 (uniqueness). In prose: that the same lines hold at every size. Nothing is cited."""
    return prove(*INDUCED)


@claim("proof", "S31; Pethick et al. (2025), arXiv:2502.07529; theory/induced.py")
@falsified(*RMS)
def rms_scalings(budget: Budget) -> Verdict:
    """S31: For m x n matrices RMS to RMS is sqrt(n/m) times the spectral norm, with LMO -sqrt(m/n) U V^T.

    L_1 to RMS gives columns of length sqrt m, RMS to l_inf rows of length 1/sqrt n, and n max |A_ij| the LMO -sign(G)/n
    . Machine-checked: the
    first for every size, the others for 2 x 3, 3 x 2, 1 x 3 and 3 x 1. In prose: that these hold at every size. Nothing is
    cited."""
    return prove(*RMS)


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
