"""What happens at the edges of floating point: NaN gradients, half precision, empty tensors, and time without gradients."""

from __future__ import annotations

import torch
from ratewitness.studies.cards.examined import EXACT, Examined, fact, zeros
from ratewitness.studies.cards.fact import Fact
from ratewitness.studies.cards.subject import F64, gap, play, said
from torch import Tensor

HALVES = {"bfloat16": torch.bfloat16, "float16": torch.float16}
SMALL = 1e-4  # size of gradients whose squares float16 does not hold
LONG = 100


def not_a_number(it: Examined) -> Fact:
    """How far one NaN in one gradient spreads in 20 steps."""
    grads = [[g.clone(), h] for g, h in zip(it.g[:20], it.other, strict=False)]
    grads[3][0].view(-1)[0] = float("nan")
    try:
        hit, other = it.play(grads, [it.x0, it.y0])
    except Exception as error:
        return fact(f"refused: {said(error)}")
    entries = (~torch.isfinite(hit[-1])).double().mean()
    first = hit.flatten(1)[:, 0]
    if not torch.isfinite(other[-1]).all():
        return fact("to all tensors", float(entries))
    if entries == 1 and hit[0].numel() > 1:
        return fact("to its tensor", float(entries))
    if entries > 1.5 / hit[0].numel():
        return fact("to a part of its tensor", float(entries))
    if entries > 0:
        return fact("to its entry", float(entries))
    frozen = float((first[8:] - first[8]).abs().max()) == 0
    return fact("nowhere, but its entry is frozen" if frozen else "nowhere", float(entries))


def half_precision(it: Examined) -> Fact:
    """The path beside that in float64: from 0, what 100 equal steps from 1 keep, with small and with zero gradients."""
    return fact("; ".join(f"{name}: {_half(it, dtype)}" for name, dtype in HALVES.items()))


def _half(it: Examined, dtype: torch.dtype) -> str:
    grads = [g.to(dtype) for g in it.g] * 4
    try:
        apart = _apart(it, grads, zeros(it.shape), dtype)
        ones, same = torch.ones(it.shape, dtype=F64), [grads[0]] * LONG
        kept = float(_moved(it, same, ones, dtype).norm() / _moved(it, same, ones, F64).norm())
        small = _apart(it, [SMALL * g for g in grads], zeros(it.shape), dtype)
        holes = [g.clone() for g in grads]
        for g in holes:
            g.view(-1)[0] = 0
        hole = bool(torch.isfinite(_moved(it, holes, zeros(it.shape), dtype)).all())
    except Exception as error:
        return f"refused, {said(error)}"
    words = [f"off by {apart:.1g}", f"keeps {kept:.2g} of steps at 1", f"off by {small:.1g} at gradients of {SMALL:g}"]
    return ", ".join([*words, *(() if hole else ("NaN at zero gradients",))])


def _moved(it: Examined, grads: list[Tensor], x0: Tensor, dtype: torch.dtype) -> Tensor:
    path = play(it.bare, x0.to(dtype), [g.to(dtype) for g in grads]).double()
    return path[-1] - path[0]


def _apart(it: Examined, grads: list[Tensor], x0: Tensor, dtype: torch.dtype) -> float:
    return gap(_moved(it, grads, x0, dtype), _moved(it, grads, x0, F64))


def clock(it: Examined) -> Fact:
    """Whether time passes for a tensor while it has no gradient."""
    gone = range(it.first + 5, it.first + 10)
    grads = [[g, None if t in gone else h] for t, (g, h) in enumerate(zip(it.g, it.other, strict=True))]
    pausing = it.play(grads, [it.x0, it.y0])[1]
    alone = it.play([h for t, h in enumerate(it.other) if t not in gone], it.y0)
    number = gap(alone[-1] - alone[0], pausing[-1] - pausing[0])
    return fact("stands still" if number <= EXACT else "passes: its counter is shared, or it decays", number, EXACT)


def empty_tensors(it: Examined) -> Fact:
    empty = torch.zeros((0, *it.shape[1:]), dtype=F64)
    try:
        paths = it.play([[g, empty] for g in it.g[:3]], [it.x0, empty])
    except Exception as error:
        return fact(f"refused: {said(error)}")
    return fact("do no harm" if torch.isfinite(paths[0]).all() else "make NaN of the others")


def complex_numbers(it: Examined) -> Fact:
    """Whether complex parameters move like pairs of real numbers, or by their modulus, or are refused."""
    x0 = torch.view_as_complex(torch.stack([it.x0, it.y0], -1))
    grads = [torch.view_as_complex(torch.stack([g, h], -1)) for g, h in zip(it.g, it.other, strict=True)]
    try:
        path = torch.view_as_real(it.play(grads, x0))
        pairs = it.play([torch.view_as_real(g) for g in grads], torch.view_as_real(x0))
    except Exception as error:
        return fact(f"refused: {said(error)}")
    number = gap(path, pairs)
    return fact(f"move {'like' if number <= EXACT else 'otherwise than'} pairs of real numbers", number, EXACT)


def no_epsilon(it: Examined) -> Fact:
    """What eps = 0 does to entries whose gradients are zero."""
    if "eps" not in it.subject.accepts:
        return fact("it has no eps")
    try:
        path = play(it.bare.having(eps=0.0), it.x0, [zeros(it.shape)] * 3)
    except Exception:
        return fact("refused")
    return fact("NaN" if not torch.isfinite(path[-1]).all() else "still" if torch.equal(path[0], path[-1]) else "moves")


def float32(it: Examined) -> Fact:
    grads = [g.float() for g in it.g]
    path, exact = it.play(grads, it.x0.float()).double(), it.play([g.double() for g in grads], it.x0.float().double())
    number = gap(path[-1] - path[0], exact[-1] - exact[0])
    return fact(f"off by {number:.1g} after {len(grads)} steps", number)


def weights_only(it: Examined) -> Fact:
    """Whether its state_dict is read by torch.load(weights_only=True), the default."""
    import io

    p = torch.nn.Parameter(it.x0.clone())
    optimizer = it.subject.build([p])
    p.grad = it.g[0].clone()
    optimizer.step((lambda: torch.zeros(())) if it.subject.closure else None) if it.subject.closure else optimizer.step()
    buffer = io.BytesIO()
    torch.save(optimizer.state_dict(), buffer)
    buffer.seek(0)
    try:
        torch.load(buffer, weights_only=True)
    except Exception:
        return fact("no: it holds more than tensors and numbers")
    return fact("yes")


NUMERICS = {
    "a NaN spreads": not_a_number,
    "half precision": half_precision,
    "float32": float32,
    "time without gradient": clock,
    "empty tensors": empty_tensors,
    "complex numbers": complex_numbers,
    "eps 0 at zero gradients": no_epsilon,
    "weights_only": weights_only,
}
