r"""Property-test a linear minimization oracle: hard inputs, and an assertion that shows its counterexample.

    from hypothesis import given
    from solvers.testing import assert_lmo, matrices

    @given(matrices())
    def test_my_lmo(g):
        assert_lmo(my_lmo, "spectral", g)

`vectors` and `matrices` are hypothesis strategies whose examples have ties, zeros, zero rows and columns, low rank,
repeated singular values, one row or column, entries of very different size, and scales from denormals to 1e300 or what
the type allows. extreme=False leaves out the last two, for an LMO that squares its entries. dtype is a type of numpy, for
arrays, or of torch, for tensors: matrices(dtype=torch.float32).

`assert_lmo(lmo, norm, g)` checks that x = lmo(g) has the shape of g, lies in the ball ||x|| <= 1, attains the dual value
<g, x> = -||g||_* and beats every feasible point that is tried: points built from g (its signs, powers, single entries,
normalized rows and columns, singular vectors), random ones, and those of a local search from the best of them. Where the
ratio <-g, y>/||y|| is positive, each of its local maxima is global, so a local search from a wrong x finds a better point.

norm is a name, any function of one point, or an object with `value` and `dual`, two such functions.
`solvers/norms/reference_norms.py` says in numpy what the names mean, and shares nothing with `solvers/norms/lmo.py`; for a
norm of yours without a dual, optimality is what the points tried say. Nothing is random from one run to the next: the points
depend on g alone.

It also checks what a caller relies on: lmo leaves its argument as it is, keeps its dtype, and returns an array of its own,
which the next call does not change; with stack=True, that points with an axis before them are answered one by one. A g whose
entries are far from 1 is first asked for in moderate units, so that what is wrong at every size is shown at a readable one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Protocol

import numpy as np
import torch
from hypothesis import strategies as st
from numpy.typing import ArrayLike, DTypeLike, NDArray
from ratewitness.solvers.norms.reference_norms import Batched, named
from torch import Tensor

Array = NDArray[np.float64]
Point = Array | Tensor

SCALES = {  # from denormals to where squares overflow and entries do not
    "float64": (1.0, 1e-8, 1e8, 1e-160, 1e160, 1e-300, 1e300, 5e-324),
    "float32": (1.0, 1e-8, 1e8, 1e-20, 1e20, 1e-36, 1e36, 1.5e-45),
    "bfloat16": (1.0, 1e-8, 1e8, 1e-20, 1e20, 1e-36, 1e36, 1e-40),
    "float16": (1.0, 1e-2, 1e2, 1e-4, 1e3, 6e-8),
}
POWERS = (0.0, 0.25, 1 / 3, 0.5, 1.0, 2.0, 3.0, 4.0)
RANDOM, ROUNDS = 32, 12
MODERATE = (1e-3, 1e3)  # a largest entry between these is read at a glance


class ValueAndDual(Protocol):
    """A norm and its dual, such as those of `solvers/norms/lmo.py`."""

    def value(self, x: Point) -> float: ...

    def dual(self, g: Point) -> float: ...


def vectors(
    min_size: int = 1, max_size: int = 6, *, extreme: bool = True, dtype: DTypeLike | torch.dtype = np.float64
) -> st.SearchStrategy:
    """Vectors (d,) as numpy arrays or, for a dtype of torch, as tensors.

    extreme=False keeps to entries that are 0 or from 1e-3 to 10 in size. ValueError for a dtype not in `SCALES`.
    """
    entries = st.integers(min_size, max_size).flatmap(lambda d: st.lists(_entry(extreme), min_size=d, max_size=d))
    return _finished(entries.map(np.array), extreme, dtype)


def matrices(
    min_side: int = 1, max_side: int = 5, *, extreme: bool = True, dtype: DTypeLike | torch.dtype = np.float64
) -> st.SearchStrategy:
    """Matrices (m, n) as numpy arrays or, for a dtype of torch, as tensors.

    extreme=False keeps to entries that are 0 or from 1e-3 to 50 in size. ValueError for a dtype not in `SCALES`.
    """
    return _finished(_matrix(st.integers(min_side, max_side), _entry(extreme)), extreme, dtype)


def _entry(extreme: bool) -> st.SearchStrategy[float]:
    spread = st.floats(-10, 10) if extreme else st.integers(-640, 640).map(lambda i: i / 64)
    return st.one_of(st.integers(-3, 3).map(float), spread)


@st.composite
def _matrix(draw: st.DrawFn, sides: st.SearchStrategy[int], entry: st.SearchStrategy[float]) -> Array:
    m, n = draw(sides), draw(sides)
    rank = draw(st.integers(1, min(m, n)))

    def filled(rows: int, columns: int, entry: st.SearchStrategy[float]) -> Array:
        size = rows * columns
        return np.array(draw(st.lists(entry, min_size=size, max_size=size)), float).reshape(rows, columns)

    kind = draw(st.sampled_from(("entries", "signs", "zero row and column", "low rank", "repeated singular values")))
    if kind == "signs":  # every entry, row and column ties
        return filled(m, n, st.sampled_from((-1.0, 1.0)))
    if kind == "low rank":
        return filled(m, rank, st.integers(-2, 2)) @ filled(rank, n, st.integers(-2, 2))
    if kind == "repeated singular values":
        rng = np.random.default_rng(draw(st.integers(0, 1000)))
        u, v = (np.linalg.qr(rng.standard_normal((side, side)))[0] for side in (m, n))
        return u[:, :rank] * np.sort(rng.integers(1, 3, rank))[::-1] @ v[:rank]
    g = filled(m, n, entry)
    if kind == "zero row and column":
        g[draw(st.integers(0, m - 1))] = 0
        g[:, draw(st.integers(0, n - 1))] = 0
    return g


def _finished(arrays: st.SearchStrategy[Array], extreme: bool, dtype: DTypeLike | torch.dtype) -> st.SearchStrategy:
    as_tensor = isinstance(dtype, torch.dtype)
    name = str(dtype).removeprefix("torch.") if as_tensor else np.dtype(dtype).name
    if name not in SCALES:
        raise ValueError(f"dtype is {dtype}; accepted are {', '.join(SCALES)}")
    if extreme:
        arrays = st.tuples(arrays, st.sampled_from(SCALES[name])).map(lambda pair: pair[0] * pair[1])
    else:  # prescribed singular values may leave entries next to 0
        arrays = arrays.filter(lambda a: ((a == 0) | (np.abs(a) >= 1e-3)).all())
    return arrays.map(lambda a: torch.from_numpy(a).to(dtype) if as_tensor else a.astype(dtype))


def assert_lmo(
    lmo: Callable[[Point], ArrayLike | Tensor],
    norm: str | Callable[[Point], float] | ValueAndDual,
    g: Point,
    dual: Callable[[Point], float] | None = None,
    tolerance: float | None = None,
    stack: bool = False,
) -> None:
    """Raise AssertionError, showing g, lmo(g) and why, unless lmo(g) minimizes <g, x> over ||x|| <= 1.

    g: one vector (d,) or matrix (m, n), numpy or torch; lmo, norm and dual are called with points of that type, and dual
    (asked at g divided by its largest entry) is that of the norm unless given. tolerance is relative, for feasibility and
    value; by default 1e-9, or 16 times the spacing of the dtype of g where that is more. stack: lmo also takes points with
    an axis before them, and answers each as if it were alone.
    Raises ValueError for a g that is complex, not finite or fits no norm of that name, and a norm that is none.
    """
    if g.is_complex() if isinstance(g, Tensor) else np.iscomplexobj(g):
        raise ValueError("g has complex entries; accepted are real numbers")
    point = _array(g)
    if point.ndim not in (1, 2) or point.size == 0:
        raise ValueError(f"g has shape {point.shape}; accepted is one vector (d,) or matrix (m, n), not empty")
    if not np.isfinite(point).all():
        raise ValueError(f"g contains {point[~np.isfinite(point)][0]:g}; accepted are finite entries")
    if tolerance is None:
        tolerance = max(1e-9, 16 * _spacing(g))

    def batched(function: Callable[[Point], float]) -> Batched:
        return lambda points: np.array([float(function(_like(g, p))) for p in points])

    if isinstance(norm, str):
        size, named_dual = named(norm, point.shape)
        dual_size = named_dual if dual is None else batched(dual)
    else:
        value_of, dual = getattr(norm, "value", norm), dual or getattr(norm, "dual", None)
        if not callable(value_of):
            raise ValueError(f"norm is {norm!r}; accepted are names, functions of one point and objects with value and dual")
        size, dual_size = batched(value_of), None if dual is None else batched(dual)
    name = norm if isinstance(norm, str) else getattr(norm, "__name__", repr(norm))

    for tried in _moderate_first(point, g):
        show = _Report(name, tried)
        _assert_minimizer(_answer(lmo, g, tried, show), tried, size, dual_size, tolerance, show)
        if stack:
            points = np.stack([tried, -tried / 2, np.roll(tried, 1)])
            answers = _answer(lmo, g, points, _Report(name, points, "asked at a stack of 3 points, g: "))
            for i, (one, x) in enumerate(zip(points, answers, strict=True)):
                show = _Report(name, one, f"asked at a stack of 3 points, of which g is number {i}: ")
                _assert_minimizer(x, one, size, dual_size, tolerance, show)


def _moderate_first(point: Array, g: Point) -> list[Array]:
    """The point, and before it, where its largest entry is far from 1, the same in units of a power of 2 next to that.

    What is wrong at both is shown with numbers that can be read.
    """
    largest = np.abs(point).max()
    if largest == 0 or MODERATE[0] <= largest <= MODERATE[1]:
        return [point]
    return [_array(_like(g, np.ldexp(point, -np.frexp(largest)[1]))), point]


def _answer(lmo: Callable[[Point], ArrayLike | Tensor], g: Point, asked: Array, show: _Report) -> Array:
    """lmo at a point or a stack of them, in the type of g, checked for all but its values."""
    given = _like(g, asked)
    answer = _called(lmo, given, show)
    if not np.array_equal(_array(given), asked):
        raise AssertionError(show(f"lmo changed its argument, g, into {_repr(_array(given))}"))
    x = _array(answer)
    if x.shape != asked.shape:
        raise AssertionError(show(f"lmo(g) has shape {x.shape}, g has {asked.shape}"))
    if isinstance(answer, np.ndarray | Tensor) and answer.dtype != given.dtype:
        raise AssertionError(show(f"lmo(g) has dtype {answer.dtype}, g has {given.dtype}"))
    if not np.isfinite(x).all():
        raise AssertionError(show(f"lmo(g) is not finite: {_repr(x)}"))
    other = -asked if asked.any() else np.ones_like(asked)
    _called(lmo, _like(g, other), _Report(show.name, other, show.where))
    if not np.array_equal(_array(answer), x):
        raise AssertionError(show(f"lmo(g) was {_repr(x)} until lmo was called again, at -g: it is not the caller's own"))
    return x


def _called(lmo: Callable[[Point], ArrayLike | Tensor], given: Point, show: _Report) -> ArrayLike | Tensor:
    try:
        return lmo(given)
    except Exception as error:
        raise AssertionError(show(f"lmo raised {type(error).__name__}: {error}")) from error


def _assert_minimizer(
    x: Array, point: Array, size: Batched, dual_size: Batched | None, tolerance: float, show: _Report
) -> None:
    largest = np.abs(point).max()
    unit = point / largest if largest > 0 else point  # the minimizer ignores the scale, and unit cannot overflow
    with np.errstate(over="ignore", under="ignore"):
        value = float((unit * x).sum())
        (length,) = size(x[None])
        if not length <= 1 + tolerance:
            raise AssertionError(show(f"lmo(g) is outside the ball: ||lmo(g)|| = {length:.17g} > 1", x, value))
        y = _better_point(size, unit, x, tolerance)
        if y is not None:
            what = f"lmo(g) is not a minimizer: y is feasible, ||y|| = {size(y[None])[0]:.17g}, and <g, y> is smaller"
            raise AssertionError(show(what, x, value, y, float((unit * y).sum())))
        if dual_size is not None and largest > 0:
            (expected,) = dual_size(unit[None])
            if not abs(value + expected) <= tolerance * expected:
                what = f"lmo(g) does not attain the dual value: ||g||_* = {show.number(expected)}"
                raise AssertionError(show(what, x, value))


class _Report:
    """The message of a failure. Values come from g divided by its largest entry, and are shown as those of g."""

    def __init__(self, name: str, g: Array, where: str = ""):
        self.name, self.g, self.largest, self.where = name, g, np.abs(g).max(), where

    def number(self, value: float) -> str:
        plain = self.largest == 0 or 1e-100 < self.largest < 1e100
        return f"{value * (self.largest or 1):.17g}" if plain else f"{value:.17g} * {self.largest:.17g}"

    def __call__(
        self, what: str, x: Array | None = None, value: float = 0.0, y: Array | None = None, better: float = 0.0
    ) -> str:
        lines = [self.where + what, f"norm: {self.name}", f"g = {_repr(self.g)}"]
        if x is not None:
            lines += [f"lmo(g) = {_repr(x)}", f"<g, lmo(g)> = {self.number(value)}"]
        if y is not None:
            lines += [f"y = {_repr(y)}", f"<g, y> = {self.number(better)}"]
        return "\n".join(lines)


def _repr(a: Array) -> str:
    return np.array_repr(a + 0.0, precision=17)  # + 0.0 makes -0.0 a plain 0


def _array(a: ArrayLike | Tensor) -> Array:
    return a.detach().cpu().double().numpy() if isinstance(a, Tensor) else np.array(a, dtype=np.float64)


def _like(g: Point, point: Array) -> Point:
    """A copy of the point in the type, dtype and device of g, so that a function which changes it changes nothing else.

    In float64 where g holds integers, to which the points of a ball cannot be rounded.
    """
    if isinstance(g, Tensor):
        return torch.from_numpy(point).to(g.device, g.dtype if g.is_floating_point() else torch.float64, copy=True)
    return np.array(point, dtype if np.issubdtype(dtype := np.asarray(g).dtype, np.floating) else np.float64)


def _spacing(g: Point) -> float:
    floating = g.dtype if isinstance(g, Tensor) else np.asarray(g).dtype
    if isinstance(floating, torch.dtype):
        return torch.finfo(floating).eps if floating.is_floating_point else 0.0
    return float(np.finfo(floating).eps) if np.issubdtype(floating, np.floating) else 0.0


def _better_point(size: Batched, g: Array, x: Array, tolerance: float) -> Array | None:
    """A y with ||y|| = 1 and <g, y> below <g, x> by more than the tolerance, the simplest that is found, or None."""
    seed = hashlib.sha256(np.ascontiguousarray(g).tobytes() + str(g.shape).encode()).digest()
    rng = np.random.default_rng(int.from_bytes(seed[:8], "little"))
    best, reached = x, -(g * x).sum()

    def improved(directions: Array) -> bool:
        nonlocal best, reached
        lengths = size(directions)
        usable = np.isfinite(lengths) & (lengths > 0)
        if not usable.any():
            return False
        points = directions[usable] / lengths[usable].reshape(-1, *[1] * g.ndim)
        values = -(points * g).reshape(len(points), -1).sum(-1)
        if values.max() <= reached:
            return False
        best, reached = points[values.argmax()], values.max()
        return True

    start = reached

    def found() -> bool:
        return reached - start > tolerance * reached

    improved(_built_from(g))
    if found():
        return best
    improved(np.concatenate([x[None], rng.standard_normal((RANDOM, *g.shape))]))
    radius = 1.0
    for _ in range(ROUNDS):  # from the best point so far, around which the steps shrink while none of them helps
        if found():
            return best
        steps = rng.standard_normal((RANDOM, *g.shape)) * np.abs(best).max()
        steps[::2] *= rng.random((len(steps[::2]), *g.shape)) < 0.3  # few entries at a time
        steps[0] = -g
        radius *= 1.0 if improved(best + radius * steps) else 0.4
    return best if found() else None


def _built_from(g: Array) -> Array:
    """Directions (count, *shape) among which are the minimizers of the usual norms."""
    found = [-np.sign(g) * np.abs(g) ** r for r in POWERS]
    single = np.zeros((g.size, g.size))
    np.fill_diagonal(single, -np.sign(g.ravel()))
    found += list(single.reshape(-1, *g.shape))
    if g.ndim == 2:
        u, s, vh = np.linalg.svd(g, full_matrices=False)
        kept = s > 1e-12 * s[0]
        found += [-(u * np.where(kept, s, 0) ** r * kept) @ vh for r in POWERS] + [-np.outer(u[:, 0], vh[0])]
        for axis in (0, 1):
            lengths = np.linalg.norm(g, axis=axis, keepdims=True)
            found.append(-g / np.where(lengths > 0, lengths, 1))
    return np.stack(found)
