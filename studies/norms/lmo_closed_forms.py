"""Do the solvers attain the closed forms of linear minimization oracles?

    lmo(g) = argmin_{||x|| <= 1} <g, x>:     <g, lmo(g)> = -||g||_*,     ||lmo(g)|| = 1

solvers/norms/lmo.py was written without the proofs of theory/ (`lmo_proofs`, `lmo_matrix_proofs`). It is held against dual
norms computed here with numpy: exact scaling by a power of two, extended precision, another SVD driver. u is the unit
roundoff of a dtype: 2^-53, 2^-24, 2^-8. A dual norm that is itself denormal has no relative accuracy and is not judged.
Entry by entry: `lmo_value_by_value`.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from ratewitness.solvers.norms.lmo import NORMS
from ratewitness.studies.claims import Budget, Verdict, claim, measured, planted
from ratewitness.studies.judges import bound_holds
from ratewitness.studies.measuring.drawing import Panel, panels
from ratewitness.studies.measuring.groups import stacked
from ratewitness.studies.norms import norm_forms
from ratewitness.studies.norms.hard_matrices import inputs, scaled
from ratewitness.studies.norms.norm_forms import ARGMAX, DTYPES, EXPONENT, FORMS, NUCLEAR_FULL, ROUNDOFF, TRANSPOSED

MEASURES = ["gap", "length", "dual"]
SIZES = ((1, 1), (1, 7), (5, 5), (7, 1), (32, 8), (8, 32), (64, 64), (256, 64))
SOURCE = "S33, S32; solvers/norms/lmo.py"


@measured
def errors(budget: Budget, dtype: str, slip: str = "") -> pd.DataFrame:
    """The worst of |<g, lmo> + dual|/dual, | ||lmo|| - 1 | and |solver's dual/dual - 1| in units of u, a row for each norm,
    size and kind."""
    found = []
    for m, n in SIZES[2:3] if slip else SIZES:
        for kind, batch in inputs(budget, dtype, m, n).items():
            references, exponents = zip(*map(scaled, batch), strict=True)
            # every decomposition once, whichever norms need it
            split = (norm_forms.entries, norm_forms.columns, norm_forms.rows, norm_forms.singular)
            parts = {part: [part(g) for g in references] for part in split}
            for name, form in FORMS.items():
                if not form.applies(m, n):
                    continue
                wrong = form.p if slip == EXPONENT else None
                duals = np.array([form.dual(of_g, m, n, wrong) for of_g in parts[form.parts]])
                answers = [x.double().cpu().numpy().astype(np.longdouble) for x in norm_forms.answered(name, batch, slip)]
                pairings = np.array([(g * x).sum() for g, x in zip(references, answers, strict=True)])
                lengths = np.array([form.value(form.parts(x), m, n) for x in answers])
                claimed = NORMS[name].dual(batch.flatten(-2) if NORMS[name].ndim == 1 else batch).double().cpu().numpy()
                claimed = np.ldexp(claimed.astype(np.longdouble), np.negative(exponents))
                apart = pairings / duals + 1, lengths - 1, 0 * duals if kind == "denormal" else claimed / duals - 1
                found.append((name, m, n, kind, *(np.abs(e).max() for e in apart), form.allowed(m, n, dtype)))
    table = pd.DataFrame(found, columns=["norm", "m", "n", "input", *MEASURES, "allowed"])
    table[MEASURES] = table[MEASURES].astype(float) / ROUNDOFF[dtype]
    return table


def attained(budget: Budget, dtype: str, slip: str = "") -> Verdict:
    """Every error within the tolerance of its norm and size."""
    table = errors(budget, dtype, slip)
    worst = table[MEASURES].max(axis=1, skipna=False)
    shown = table.assign(worst=worst).groupby(["norm", "m", "n"], sort=False)[[*MEASURES, "worst", "allowed"]].max()
    median = float((worst / table["allowed"]).median())
    return bound_holds(worst, table["allowed"], floor=-1).noting(median_ratio=median).showing(shown.reset_index())


@claim("upper bound", SOURCE)
@planted(ARGMAX, slip=ARGMAX)
@planted(EXPONENT, slip=EXPONENT)
@planted(TRANSPOSED, slip=TRANSPOSED)
@planted(NUCLEAR_FULL, slip=NUCLEAR_FULL)
def attained_in_float64(budget: Budget, slip: str = "") -> Verdict:
    """S33: In float64 every LMO of the solvers attains its dual norm and has length 1, up to the rounding of the
    formula.

    |<g, lmo(g)> + ||g||_*|/||g||_*, | ||lmo(g)|| - 1 | and the relative error of the solvers' own dual norm are at most
    T u, u = 2^-53, for every norm of the table, 1 x 1 to 256 x 64 and every hard input: ties, zeros, rank deficiency,
    repeated and barely dropped singular values, scales 1e+-150, denormals (dual norm not judged on them). T = 4 (mn + q
    + 4) for norms of entries, rows and columns (one rounding a summand, q for the power); T = 8 (m + n + q) + 2 mn for
    singular values (a backward stable SVD, and singular values of up to 2u max(m, n) sigma_1 that count as zero). Each
    input is drawn 8 times (quick: once)."""
    return attained(budget, "float64", slip)


@claim("upper bound", SOURCE)
@planted(ARGMAX, slip=ARGMAX)
@planted(EXPONENT, slip=EXPONENT)
@planted(TRANSPOSED, slip=TRANSPOSED)
@planted(NUCLEAR_FULL, slip=NUCLEAR_FULL)
def attained_in_float32(budget: Budget, slip: str = "") -> Verdict:
    """S33: In float32 every LMO of the solvers attains its dual norm and has length 1, up to the rounding of the
    formula.

    The same three errors as in float64 within the same T u, u = 2^-24, with scales 1e+-30 and the denormals of float32
    (dual norm not judged on them)."""
    return attained(budget, "float32", slip)


@claim("upper bound", SOURCE)
@planted(ARGMAX, slip=ARGMAX)
@planted(EXPONENT, slip=EXPONENT)
@planted(TRANSPOSED, slip=TRANSPOSED)
@planted(NUCLEAR_FULL, slip=NUCLEAR_FULL)
def attained_in_bfloat16(budget: Budget, slip: str = "") -> Verdict:
    """S33: In bfloat16 every LMO of the solvers attains its dual norm up to twice the cost of rounding its entries.

    Computed in float32, the same three errors as in float64 are at most (2 sqrt min(m, n) + 1) u, u = 2^-8; the dual
    norm is not judged on denormals."""
    return attained(budget, "bfloat16", slip)


def tables(verdicts: dict[str, Verdict]) -> dict[str, pd.DataFrame]:
    found = {dtype: verdicts[f"attained_in_{dtype}"].table.groupby("norm")["worst"].max() for dtype in DTYPES}
    rows = [
        {"norm": name.replace("_", " "), "dual norm": form.dual_text, "LMO": form.lmo_text, "unique iff": form.unique}
        | {f"worst error, {dtype}, in $u$": f"{worst[name]:.3g}" for dtype, worst in found.items()}
        for name, form in FORMS.items()
    ]
    return {"norms": pd.DataFrame(rows)}


def figures(verdicts: dict[str, Verdict]) -> dict[str, Figure]:
    found = stacked({dtype: verdicts[f"attained_in_{dtype}"].table.assign(u=u) for dtype, u in ROUNDOFF.items()}, "dtype")
    found = found.assign(
        singular=[FORMS[name].parts is norm_forms.singular for name in found["norm"]], size=found["m"] * found["n"],
        measured=(found["worst"] * found["u"]).clip(1e-19), theory=found["allowed"] * found["u"],
    )  # fmt: skip
    worst = found.groupby(["singular", "dtype", "size"])[["measured", "theory"]].max().reset_index()
    titles = {False: "norms of entries, columns and rows", True: "norms of singular values"}
    caption = (
        r"Worst of $|\langle g, \mathrm{lmo}\rangle + \|g\|_*|/\|g\|_*$, $|\|\mathrm{lmo}\| - 1|$ and the error of the "
        r"solvers' dual norm, over norms and inputs, against the number of entries of $g$ (points; exact ones at the lower "
        r"edge). Theory: the tolerance stated before the run."
    )
    drawn = [
        Panel(worst[worst["singular"] == kind], "size", "entries of $g$, $mn$", "relative error", by="dtype", title=title,
              options={"ylim": (3e-20, 10)}) for kind, title in titles.items()
    ]  # fmt: skip
    return {"gaps": panels(caption, {"float64": "C0o", "float32": "C1s", "bfloat16": "C2^"}, drawn, shared="y")}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
