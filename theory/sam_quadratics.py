r"""SAM with constant steps: cycles on quadratics, the drift along a valley, and the trap at maxima and saddles.

    w' = w - eta grad L(w + rho ghat),    ghat = grad L(w)/||grad L(w)||
    L = <w, H w>/2, in the eigenbasis of H:    w_j' = (1 - eta lam_j - eta rho lam_j^2/||H w||) w_j

Hypotheses: L is quadratic with eigenvalues lam_j, except for the drift; 0 < s_i = eta lam_i < 2 for the cycles. Proved here:

 1. Cycles (`cycle`): w = a_i e_i -> -a_i e_i -> a_i e_i with a_i = eta lam_i rho/(2 - eta lam_i). Near it, a step multiplies
    the coordinate j by m_ij = 1 - eta lam_j - (2 - eta lam_i)(lam_j/lam_i)^2 to first order, and the distance to a_i along i
    by 1 - eta lam_i (`multipliers`). With x = lam_j/lam_i, 1 + m_ij = (1 - x)(2 + (2 - s_i) x) and 1 - m_ij > 0, so that
    |m_ij| < 1 iff lam_j < lam_i: only the cycle of the largest eigenvalue, if it is single, is stable (`only_the_top_is`).
 2. No convergence to the minimizer: |w_j'| + |1 - eta lam_j| |w_j| >= eta rho lam_j^2 |w_j|/||H w||, and the norm of the
    right side over j is at least eta rho lam_min (`kick`): two successive iterates are never both within eta rho
    lam_min/(1 + max |1 - eta lam_j|) of it, unless the first of them is the minimizer itself, where SAM stays: a null set
    of starts hits it exactly, such as w = eta rho lam/(1 - eta lam) on the axis of an eigenvalue with eta lam < 1.
 3. On quadratics SAM is gradient descent on L + rho ||grad L||; in general to first order in rho (`objective`).
 4. Drift: for L = lam(t) n^2/2 + c(t) n^3/6 SAM bounces across the valley n = 0 at a distance a + O(rho^2), and t moves by
    -2 eta rho^2/(2 - eta lam)^2 lam'(t) + O(rho^3) a step (`drift`). As eta lam -> 0 the factor is eta rho^2/2, that of
    gradient descent on L + (rho^2/2) lam, and (4/(2 - eta lam)^2) times it in general.
 5. At a strict maximum, L = -lam x^2/2, x > 0: x' - rho = (1 + s)(x - rho) and x' + s rho = (1 + s) x, s = eta lam, and so
    for s <= 1 no start inside (-rho, rho) leaves it, whereas every start outside moves away (`trap`). At a saddle a
    coordinate with eigenvalue -mu is multiplied by 1 + eta mu (1 - rho mu/||H w||): it moves away from 0 only where ||H w||
    > rho mu, or where the factor is below -1 (`saddle`). Gradient descent multiplies it by 1 + eta mu everywhere.

Sources: Bartlett, Long and Bousquet (2023), Journal of Machine Learning Research 24, for the cycle of the top eigenvalue;
Wen, Ma and Li (2023), arXiv:2211.05729, for the drift as eta -> 0; Kim, Park, Choi and Lee (2023), arXiv:2301.06308, for
saddles. Multipliers, the drift at finite steps and the trap are derived here.
"""

import sympy as sp
from ratewitness.theory.bounds import eta, lam, mu, vanishes
from ratewitness.theory.identity import identity
from ratewitness.theory.sam import rho

_a, _x, _s = sp.symbols("a x s", positive=True)
_li, _lj, _d = sp.symbols("lam_i lam_j d", positive=True)


def amplitude(eta, lam, rho):
    """a of the cycle along an eigenvector of eigenvalue lam, 0 < eta lam < 2."""
    return eta * lam * rho / (2 - eta * lam)


def multiplier(eta, along, other):
    """m_ij: of a coordinate with eigenvalue `other`, a step near the cycle of the eigenvalue `along`."""
    return 1 - eta * other - (2 - eta * along) * (other / along) ** 2


def drift_factor(eta, lam, rho):
    """The step along a valley of curvature lam is minus this times the gradient of lam along it."""
    return 2 * eta * rho**2 / (2 - eta * lam) ** 2


def small_step_drift_factor(eta, rho):
    """The same as eta lam -> 0."""
    return eta * rho**2 / 2


def _step(w, H, rho=rho):
    """SAM's step at w, and the gradient norm there."""
    g = H * w
    return w - eta * H * (w + rho * g / sp.sqrt(g.dot(g)))


_AMPLITUDE, _SMALL_STEPS = amplitude(eta, lam, rho), eta * lam * rho / 2


@identity(wrong={"that of small steps": {"length": _SMALL_STEPS}, "twice that": {"length": 2 * _SMALL_STEPS}})
def cycle(length=_AMPLITUDE) -> bool:
    """a -> -a is the equation (1 - eta lam) a - eta lam rho = -a, with this one root.

    >>> cycle(), cycle(length=_SMALL_STEPS)
    (True, False)
    """
    after = (1 - eta * lam) * _a - eta * lam * rho
    (root,) = sp.solve(after + _a, _a)
    return vanishes(root - length)


@identity(wrong={"at a fixed direction": {"turning": 0}, "lam_j/lam_i once": {"power": 1}})
def multipliers(turning=1, power=2) -> bool:
    """The derivative of the step at (a_i, 0) in the coordinates (i, j)."""
    u, v = sp.symbols("u v", real=True)
    after = _step(sp.Matrix([u, v]), sp.diag(_li, _lj))
    a = amplitude(eta, _li, rho)
    J = after.jacobian([u, v]).subs(v, 0).subs(u, _a).applyfunc(sp.simplify)
    expected = 1 - eta * _lj - turning * (2 - eta * _li) * (_lj / _li) ** power
    off = vanishes(J[0, 1]) and vanishes(J[1, 0])
    return off and vanishes(J[0, 0] - (1 - eta * _li)) and vanishes(sp.simplify(J[1, 1].subs(_a, a) - expected))


@identity(wrong={"2 + s x": {"slope": _s}})
def only_the_top_is(slope=2 - _s) -> bool:
    """1 + m = (1 - x)(2 + (2 - s) x), whose sign is that of 1 - x, and 1 - m = s x + (2 - s) x^2 > 0, where 0 < s < 2."""
    m = multiplier(_s, 1, _x)
    gap = sp.Symbol("gap", positive=True)  # 2 - s
    signs = [(2 + (2 - _s) * _x).subs(_s, 2 - gap), _s * _x + gap * _x**2]
    split = vanishes(1 + m - (1 - _x) * (2 + slope * _x)) and vanishes(1 - m - _s * _x - (2 - _s) * _x**2)
    return split and all(bool(sp.expand(each).is_positive) for each in signs)


@identity(wrong={"lam_max": {"extreme": sp.Max}})
def kick(extreme=sp.Min) -> bool:
    """w' - (1 - eta lam) w = -eta rho lam^2 w/||H w|| in every coordinate, of norm eta rho ||H ghat|| >= eta rho lam_min:
    with shares c, 1 - c of ||ghat||^2, ||H ghat||^2 - lam_min^2 = (1 - c)(lam_max^2 - lam_min^2) >= 0."""
    u, v = sp.symbols("u v", real=True)
    w, H = sp.Matrix([u, v]), sp.diag(_li, _li + _d)
    moved = _step(w, H) - (sp.eye(2) - eta * H) * w
    same = (moved + eta * rho * H * H * w / sp.sqrt((H * w).dot(H * w))).applyfunc(sp.simplify) == sp.zeros(2, 1)
    c, share = sp.symbols("c share", nonnegative=True)  # c + share = 1
    bound = {sp.Min: _li, sp.Max: _li + _d}[extreme]
    excess = (c * _li**2 + share * (_li + _d) ** 2 - (c + share) * bound**2).expand()
    return same and bool(excess.is_nonnegative)


@identity(wrong={"rho/2": {"weight": rho / 2}, "the squared norm": {"power": 2}})
def objective(weight=rho, power=1) -> bool:
    """The gradient of L + rho ||grad L|| is H (w + rho H w/||H w||) for any symmetric H in two dimensions, and for an
    unspecified L it is grad L + rho H ghat, the derivative of SAM's gradient in rho at 0."""
    a, b, d, u, v = sp.symbols("a b d u v", real=True)
    H, w = sp.Matrix([[a, b], [b, d]]), sp.Matrix([u, v])
    g = H * w
    total = w.dot(g) / 2 + weight * g.dot(g) ** sp.Rational(power, 2)
    mine = sp.Matrix([sp.diff(total, z) for z in (u, v)])
    exact = (mine - H * (w + rho * g / sp.sqrt(g.dot(g)))).applyfunc(sp.simplify) == sp.zeros(2, 1)
    L = sp.Function("L")(u, v)
    grad, hessian = sp.Matrix([sp.diff(L, z) for z in (u, v)]), sp.hessian(L, (u, v))
    length = grad.dot(grad) ** sp.Rational(power, 2)
    slope = sp.Matrix([sp.diff(length, z) for z in (u, v)]) - hessian * grad / sp.sqrt(grad.dot(grad))
    return exact and slope.applyfunc(sp.simplify) == sp.zeros(2, 1)


@identity(wrong={"the factor of small steps": {"edge": 0}, "twice the factor": {"times": 2}})
def drift(edge=1, times=1) -> bool:
    """A step from n = a + D rho^2, for any D: it lands at -a + O(rho^2), and t moves by this in the order rho^2. From -n the
    same step is that of the mirrored valley, -c in the place of c."""
    r, D, l1, c0, c1, z = sp.symbols("r D l1 c0 c1 z", real=True)  # r = rho; z: the slope of ghat along the valley, over rho
    A = amplitude(eta, lam, 1)
    n = r * A + r**2 * D
    t, ahead = r**2 * z, n + r * (1 - r**2 * z**2 / 2)  # the perturbed point, from (0, n)
    along = l1 * ahead**2 / 2 + c1 * ahead**3 / 6
    across = (lam + l1 * t) * ahead + (c0 + c1 * t) * ahead**2 / 2
    moved, landed = sp.expand(-eta * along).coeff(r, 2), sp.expand(n - eta * across).coeff(r, 1)
    factor = times * (drift_factor(eta, lam, 1) if edge else small_step_drift_factor(eta, 1))
    return vanishes(landed + A) and vanishes(moved + factor * l1)


@identity(wrong={"radius rho/2": {"radius": rho / 2}, "descent": {"sign": -1}})
def trap(radius=rho, sign=1) -> bool:
    """x' = x + eta lam (x - rho sign x): for x > 0, x' - rho = (1 + s)(x - rho) and x' + s rho = (1 + s) x. In (0, rho)
    this is -s rho < x' < x < rho, and -rho <= -s rho if s <= 1; in (0, s rho] it is x' <= s^2 rho <= s rho. For x > rho x'
    > x.

    >>> trap(), trap(radius=rho / 2)
    (True, False)
    """
    s = eta * lam
    after = _x + sign * s * (_x - rho)
    fixed = vanishes(after - radius - (1 + s) * (_x - radius)) and vanishes(after + s * rho - (1 + s) * _x)
    return fixed and vanishes(after.subs(_x, s * rho) - s**2 * rho)


@identity(wrong={"|y| in the place of the gradient": {"gradient": False}, "plain descent": {"radius": 0}})
def saddle(gradient=True, radius=rho) -> bool:
    """The factor of the coordinate y of L = lam x^2/2 - mu y^2/2 is 1 + eta mu (1 - rho mu/||H w||)."""
    x, y = sp.symbols("x y", positive=True)
    after = _step(sp.Matrix([x, y]), sp.diag(lam, -mu))
    size = sp.sqrt(lam**2 * x**2 + mu**2 * y**2) if gradient else mu * y
    return vanishes(sp.simplify(after[1] / y - (1 + eta * mu * (1 - radius * mu / size))))
