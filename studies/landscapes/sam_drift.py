r"""Does SAM drift to flatter minima, and how fast?

    the minimizer moves by    -(2 eta rho^2/(2 - eta lam)^2) P grad lam    a step,    P the projection on the tangent space

where the minimizers form a manifold across which the loss has one curvature lam > 0: SAM bounces across it at a distance
rho + a = 2 rho/(2 - eta lam), at which the gradient of lam pulls along it. As eta lam -> 0 the factor is eta rho^2/2, that
of gradient descent on L + (rho^2/2) lam; at finite steps it is (4/(2 - eta lam)^2) times as large. L = h^2/2 with

    hyperbola  h = xy - 1,   lam = x^2 + y^2         ellipse  h = x^2 + 4 y^2 - 1,   lam = 4 x^2 + 64 y^2
    product    h = <u, v> - 1 for u, v in R^2,   lam = ||u||^2 + ||v||^2

Motion is that of the mean of two successive iterates, which lie on the two sides of the manifold.

Sources: K. Wen, T. Ma and Z. Li (2023), arXiv:2211.05729, for small steps; theory/sam_quadratics.py for the rest.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from ratewitness.problems.oracle import Oracle
from ratewitness.solvers.gradient_descent import GradientDescent
from ratewitness.solvers.sam import SAM
from ratewitness.solvers.solver import run
from ratewitness.studies.claims import Budget, Verdict, claim, measured, planted
from ratewitness.studies.judges import agrees, bound_holds, exceeds
from ratewitness.studies.landscapes.valleys import FORMS, minimizers, valley
from ratewitness.studies.measuring.drawing import canvas, legend_below
from ratewitness.studies.measuring.proofs import falsified, prove
from ratewitness.theory.sam_quadratics import drift, drift_factor, small_step_drift_factor

SOURCE = "S44; Wen, Ma and Li (2023), arXiv:2211.05729; theory/sam_quadratics.py"
RHO, SETTLED, COUNTED = 1e-4, 300, 100  # steps until the bounce is regular, and steps of the measurement
SHARES = np.array([0.1, 0.2, 0.4, 0.7, 1.0, 1.3, 1.6, 1.8])  # eta lam


@measured
def motions(budget: Budget, form: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The motion a step along -P grad lam, over its length; eta and lam there: each (shares, points)."""
    problem, A = valley(form, budget.device)
    w0 = minimizers(A, budget.generator(form), budget.pick(10, 50))
    normal_ = 2 * w0 @ A
    lam = normal_.square().sum(-1, keepdim=True)
    s = torch.tensor(SHARES, device=w0.device).reshape(-1, 1, 1)
    eta, unit = s / lam, normal_ / lam.sqrt()
    at = [SETTLED, SETTLED + 1, SETTLED + COUNTED, SETTLED + COUNTED + 1]
    on_cycle = w0 + RHO * s / (2 - s) * unit
    seen = run(SAM(GradientDescent(eta), RHO), Oracle.full(problem), on_cycle, max(at), lambda w: w, at).values
    start, end = (seen[0] + seen[1]) / 2, (seen[2] + seen[3]) / 2  # between the two sides of the bounce
    middle = (start + end) / 2
    across = 2 * middle @ A
    slope = 8 * middle @ A @ A  # grad of lam = 4 ||A w||^2
    tangent = slope - across * (slope * across).sum(-1, keepdim=True) / across.square().sum(-1, keepdim=True)
    moved = -((end - start) * tangent).sum(-1) / tangent.square().sum(-1) / COUNTED
    curvature = across.square().sum(-1)
    return tuple(found.cpu().numpy() for found in (moved, eta[..., 0].expand_as(moved), curvature))


@claim("proof", SOURCE)
@falsified(drift)
def drift_is_proved(budget: Budget) -> Verdict:
    """S44, refined: Along a valley of minimizers, SAM's minimizer moves by 2 eta rho^2/(2 - eta lam)^2 times -grad lam a
    step.

    To second order in rho, for L = lam(t) n^2/2 + c(t) n^3/6 beside n = 0 and 0 < eta lam < 2. Machine-checked: one step
    from n = a + D rho^2, for any D; cited: nothing; in prose: the step back, that of the mirrored valley, and that a run
    near the valley is there."""
    return prove(drift)


@claim("constant", SOURCE)
@planted("the factor of small steps", small=True)
@planted("a radius larger by a twentieth", times=1.05)
def drift_follows(budget: Budget, small: bool = False, times: float = 1.0) -> Verdict:
    """S44, refined: On three curved manifolds of minimizers SAM drifts to smaller curvature as fast as the derived factor
    says.

    The hyperbola, the ellipse and the product, at 10 (full budget: 50) random minimizers of each and eta lam = 0.1, ...,
    1.8, rho = 1e-4: over 100 steps after 300 the motion along -P grad lam agrees with it within 1 %."""
    ratios, rows = [], []
    for form in FORMS:
        moved, eta, lam = motions(budget, form)
        factor = small_step_drift_factor(eta, times * RHO) if small else drift_factor(eta, lam, times * RHO)
        ratios.append(moved / factor)
        speed = moved / small_step_drift_factor(eta, RHO)
        for s, own in zip(SHARES, speed, strict=True):
            ends = {"low": own.min(), "high": own.max(), "theory": 4 / (2 - s) ** 2}
            rows.append({"manifold": form, "share": s, "measured": np.median(own)} | ends)
    ratio = np.stack(ratios)
    return agrees(ratio, np.ones_like(ratio), 0.01).showing(pd.DataFrame(rows))


@measured
def long_run(budget: Budget, rho: float) -> tuple[np.ndarray, np.ndarray]:
    """From minimizers (x, 1/x) of the hyperbola, eta = 0.2: iterates at 61 times (61, starts, 2), and the times."""
    problem, _ = valley("hyperbola", budget.device)
    drawn = torch.rand(budget.pick(10, 40), generator=budget.generator("long"), dtype=torch.float64, device=budget.device)
    x = torch.cat([torch.full_like(drawn[:1], 2.0), 1.4 + 1.2 * drawn])  # the first is for the picture
    w0 = torch.stack([x, 1 / x], -1) + 1e-2
    at = np.linspace(0, 1200, 61).astype(int)
    trace = run(SAM(GradientDescent(0.2), rho), Oracle.full(problem), w0, int(at[-1]), lambda w: w, at.tolist())
    return trace.values.cpu().numpy(), at


@claim("phenomenon", SOURCE, unit="fraction")
@planted("so does gradient descent", rho=0.0)
@planted("with a third of the radius", rho=0.1 / 3)
def ends_at_the_flattest_minimizer(budget: Budget, rho: float = 0.1) -> Verdict:
    """S44: On the minimizers xy = 1 of (xy - 1)^2/2 SAM ends at the flattest one, of curvature 2.

    From 10 (full budget: 40) minimizers (x, 1/x), x uniform in [1.4, 2.6], moved off by 0.01, with eta = 0.2, rho = 0.1 and
    1200 steps: of the excess of x^2 + y^2 over 2 more than 90 % is gone on average. The control is rho = 0; that it stays is
    `gradient_descent_stays`."""
    w, at = long_run(budget, rho)
    excess = (w**2).sum(-1) - 2
    tables = []
    for name, radius in (("SAM", rho), ("gradient descent", 0.0)):
        own, _ = long_run(budget, radius)
        x, y = own[:, 0].T
        tables.append(pd.DataFrame({"method": name, "step": at, "x": x, "y": y, "curvature": x**2 + y**2}))
    return exceeds((1 - excess[-1] / excess[0])[1:], 0.9).showing(pd.concat(tables, ignore_index=True))


@claim("exact", "S44; theory/sam_quadratics.py")
@planted("from the start on", settled=0)
@planted("so does SAM with radius 1e-5", rho=1e-5)
def gradient_descent_stays(budget: Budget, rho: float = 0.0, settled: int = 200) -> Verdict:
    """S44, refined: Gradient descent with the same step does not move along the minimizers once it has reached them.

    In the setting of `ends_at_the_flattest_minimizer` with rho = 0: between the steps 200 and 1200 the largest distance from
    the iterate at step 200, at every twentieth step, is below 1e-11, which is rounding."""
    w, at = long_run(budget, rho)
    w = w[at >= settled]
    moved = np.linalg.norm(w - w[0], axis=-1).max(0)
    return bound_holds(moved, np.full(len(moved), 1e-11), floor=-1.0)


def flow(x0: float, steps: np.ndarray, eta: float, rho: float) -> np.ndarray:
    """x^2 + y^2 on the hyperbola by the drift, in closed steps of one: (len(steps),)."""
    x, found = x0, []
    for k in range(int(steps[-1]) + 1):
        if k in steps:
            found.append(x**2 + 1 / x**2)
        lam = x**2 + 1 / x**2
        slope = 2 * x - 2 / x**3  # of lam in x, and the length of the curve is sqrt(1 + 1/x^4) dx
        x -= drift_factor(eta, lam, rho) * slope / (1 + 1 / x**4)
    return np.array(found)


def figures(verdicts: dict[str, Verdict]) -> dict[str, Figure]:
    caption = (
        "SAM's drift. Left: iterates on the minimizers of $(xy - 1)^2/2$ from near $(2, 1/2)$, every twentieth, and "
        "the flattest point. Middle: their curvature, and by the derived drift. Right: speed over that of small steps"
        " against $\\eta\\lambda$, medians and ranges over random minimizers of three manifolds, with $4/(2 - "
        "\\eta\\lambda)^2$."
    )
    runs, speeds = verdicts["ends_at_the_flattest_minimizer"].table, verdicts["drift_follows"].table
    figure, (plane, curve, speed) = canvas(caption, 3, height=2.7)
    x = np.linspace(0.6, 2.3, 200)
    plane.plot(x, 1 / x, color="0.5", lw=1, label="minimizers $xy = 1$")
    for name, style in (("SAM", "C0."), ("gradient descent", "C2^")):
        own = runs[runs["method"] == name]
        plane.plot(own["x"], own["y"], style, ms=5, label=name)
        curve.plot(own["step"], own["curvature"], style, ms=4, markevery=2, label=name)
    plane.plot(1, 1, "k*", ms=9, label="flattest minimizer")
    plane.set(xlabel="$x$", ylabel="$y$")
    steps = runs["step"].unique()
    curve.plot(steps, flow(2.0, steps, 0.2, 0.1), color="0.3", lw=1, label="theory")
    curve.set(xlabel="step", ylabel="$x^2 + y^2$")
    looks = (("C1o", 8), ("C3s", 6), ("C4D", 3))  # the three agree: one marker inside the other
    for (name, own), (style, size) in zip(speeds.groupby("manifold", sort=False), looks, strict=True):
        bars = np.stack([own["measured"] - own["low"], own["high"] - own["measured"]]).clip(0)
        speed.errorbar(own["share"], own["measured"], bars, fmt=style[2:], color=style[:2], ms=size, mfc="none", label=name)
    s = np.linspace(0, 1.85, 100)
    speed.plot(s, 4 / (2 - s) ** 2, color="0.3", lw=1, label="theory")
    speed.axhline(1, color="0.3", lw=1, ls="--", label="as $\\eta\\lambda \\to 0$")
    speed.set(xlabel=r"$\eta\lambda$", ylabel=r"speed $/\ (\eta\rho^2/2)$", yscale="log")
    legend_below(figure)
    return {"drift": figure}


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
