"""Laws that any optimizer owes those who use it, whatever its rule. Each says what breaks it, or why it does not apply.

What a rule may well do and most do not (couple its tensors, treat rows and columns unlike) is a fact and no law.
"""

from __future__ import annotations

import copy
import inspect
import io
import math
from collections.abc import Callable

import torch
from ratewitness.studies.cards.examined import (
    ABOUT,
    EXACT,
    STEPS,
    Examined,
    broken,
    difference,
    excused,
    kept,
    same,
    zeros,
)
from ratewitness.studies.cards.fact import Fact
from ratewitness.studies.cards.subject import F64, LOSS, Subject, gap, normal, play, said, steps_of, swaps
from ratewitness.studies.cards.symmetries import signs_of_sides, tensors
from torch import Tensor

SIZES = (1e-6, 1e-3, 1.0, 10.0)  # of gradients, over which a first step must go down
SHORT = 12
RESTART = 13  # no multiple of a usual period
LONGER = 20
LATE = 400  # a setting that has no effect so long has none
SINGLE = 1e-2  # what float32 may do to a short path: roundings of 1e-7, as far as orthogonalizers and roots enlarge them
SUMMED = 1e-6  # sums over tensors in another order, enlarged by a recursion
SINGLE_FACTORS = 1e-6  # what may compute a part of a step in float32, in another order
CAST = 1e-5  # what is floating in a state is cast to the dtype of the parameters when it is loaded
ULP = 6e-8  # relative, of float32
EFFECT = 1e-12  # relative: a setting that changes less than this has no effect
SWITCHES = ("nesterov", "amsgrad", "centered")
NUMBERS = ("momentum", "betas", "alpha", "rho", "beta1", "beta2", "weight_decay", "eps", "dampening")
KINDS = ("foreach", "fused", "capturable", "differentiable")


def descends(it: Examined) -> Fact:
    """The first step that moves goes against the gradient, whatever its size."""
    for size in SIZES:
        g = [size * each for each in it.g[: it.first + 1]]
        step = it.subject.uphill * steps_of(it.play(g, zeros(it.shape)))[-1]
        if (step == 0).all():
            return broken("stays", f"from 0, gradients of size {size:g}: step {it.first + 1} is 0")
        down = float((step * g[-1]).sum() / (step.norm() * g[-1].norm()))
        if it.first == 0 and not down < 0:
            return broken("no", f"from 0, one gradient of size {size:g}: its cosine with the step is {down:+.3g}", down, 0.0)
    return kept("yes, at sizes 1e-6 to 10")


def keeps_descending(it: Examined) -> Fact:
    """On one repeated gradient it goes down, over every ten steps (a look ahead may go back in between)."""
    path = it.play([it.g[0]] * LONGER, output=True)
    along = it.subject.uphill * (steps_of(path) * it.g[0]).flatten(1).sum(1)
    for begin in range(it.first, LONGER, 10):
        down = float(along[begin : begin + 10].sum())
        if not down < 0:
            where = f"one repeated gradient: steps {begin + 1} to {begin + 10} together"
            return broken("no", f"{where} go up, <g, x - x0> = {down:.3g}" if down else f"{where} move nothing")
    return kept(f"yes, {LONGER} steps")


def stays_finite(it: Examined) -> Fact:
    """Gaussian gradients give finite steps."""
    bad = (~torch.isfinite(it.path)).flatten(1).any(1).nonzero()
    return broken("no", f"Gaussian gradients: not finite at step {int(bad[0])}") if len(bad) else kept("yes")


def takes_scalars(it: Examined) -> Fact:
    """What moves vectors moves a parameter that is one number, of shape ()."""
    if not it.subject.takes_shape((3,)):
        return excused("it takes no vectors")
    if not it.subject.takes_shape(()):
        return broken("raises", f"a parameter of shape (): {it.subject.takes[()]}")
    return kept("yes")


def leaves_zero(it: Examined) -> Fact:
    """Parameters that are zero move like any others."""
    path = it.play(x0=zeros(it.shape))
    moved = float((path[-1] - path[0]).abs().min())
    if moved > 0:
        return kept("yes")
    stuck = float(((path[-1] - path[0]) == 0).double().mean())
    return broken("no", f"from x = 0, {STEPS} Gaussian gradients leave {stuck:.0%} of the entries where they are")


def moves_every_tensor(it: Examined) -> Fact:
    """Every tensor that has a gradient moves."""
    paths = it.play([[a, b, -a] for a, b in zip(it.g, it.other, strict=True)], [it.x0, it.y0, -it.x0])
    still = [number for number, path in enumerate(paths) if torch.equal(path[0], path[-1])]
    if still:
        return broken("no", f"of three tensors with Gaussian gradients, number {still[0] + 1} stays in {STEPS} steps")
    return kept("yes")


def rests_on_zero(it: Examined) -> Fact:
    """Where all gradients are zero and there is no decay, nothing moves."""
    path = it.play([zeros(it.shape)] * SHORT, 4 * it.x0)
    moved = float((path[-1] - path[0]).abs().max())
    if moved == 0:
        return kept("yes")
    what = "NaN" if moved != moved else f"a move of {moved:.3g}"
    free = ", weight_decay 0" * ("weight_decay" in it.subject.accepts)
    return broken("no", f"{SHORT} zero gradients{free}: {what}", moved, 0.0)


def zero_entries(it: Examined) -> Fact:
    """An entry whose gradient is zero makes no NaN."""
    grads = [g.clone() for g in it.g]
    for g in grads:
        g.view(-1)[0] = 0
    path = it.play(grads)
    bad = (~torch.isfinite(path)).flatten(1).any(1).nonzero()
    return broken("NaN", f"first entry of every gradient 0: NaN at step {int(bad[0])}") if len(bad) else kept("stays finite")


def tiny_gradients(it: Examined) -> Fact:
    """Gradients of 1e-30 make no NaN."""
    path = it.play([1e-30 * g for g in it.g])
    bad = (~torch.isfinite(path)).flatten(1).any(1).nonzero()
    return broken("NaN", f"gradients of size 1e-30: NaN at step {int(bad[0])}") if len(bad) else kept("stays finite")


def without_gradient(it: Examined) -> Fact:
    """A tensor without a gradient (None) stays where it is; the others move."""
    begin = it.first + 5
    gone = range(begin, begin + 5)
    for which, other in ((0, "first"), (1, "second")):
        when = f"the {other} of two tensors has no gradient at steps {begin + 1} to {begin + 5}"
        grads = [[g, h] for g, h in zip(it.g, it.other, strict=True)]
        for t in gone:
            grads[t][which] = None
        try:
            paths = it.play(grads, [it.x0, it.y0])
        except Exception as error:
            return broken("raises", f"{when}: {said(error)}")
        pausing, moving = paths[which], paths[1 - which]
        if not torch.equal(pausing[begin], pausing[begin + 5]):
            moved = float((pausing[begin + 5] - pausing[begin]).abs().max())
            return broken("moves it", f"{when}, and moves by {moved:.3g}")
        if torch.equal(moving[begin], moving[begin + 5]):
            return broken("stops the others", f"{when}: the other stays as well")
    try:
        it.play([None] * 3)
    except Exception as error:
        return broken("raises", f"no tensor has a gradient: {said(error)}")
    return kept("stays")


def silent_neighbour(it: Examined) -> Fact:
    """A tensor whose gradients are all zero changes nothing for the others, nor does the order of tensors."""
    if it.draws:
        return excused("it draws random numbers")
    silent = zeros(it.y0.shape)
    with_it = it.play([[g, silent] for g in it.g], [it.x0, it.y0])[0]
    found = same(with_it, it.path, ("yes", "no"), "beside a tensor with zero gradients")
    if found.holds is False:
        return found
    ahead = it.play([[a, b] for a, b in zip(it.g, it.other, strict=True)], [it.x0, it.y0])[0]
    after = it.play([[b, a] for a, b in zip(it.g, it.other, strict=True)], [it.y0, it.x0])[1]
    return same(after, ahead, ("yes", "the order of tensors matters"), "as the second of two tensors, not the first", SUMMED)


def groups(it: Examined) -> Fact:
    """Two param groups with equal settings are one."""
    if it.draws:
        return excused("it draws random numbers")

    def run(examined: Subject, split: bool) -> Tensor:
        params = [torch.nn.Parameter(x.clone()) for x in (it.x0, it.y0)]
        optimizer = examined.build([{"params": [p]} for p in params] if split else params)
        points = [params[1].detach().clone()]
        for grads in zip(it.g, it.other, strict=True):
            stepped(it, optimizer, params, grads)
            points.append(params[1].detach().clone())
        return torch.stack(points)

    if tensors(it).finding == "together":
        return excused("its tensors see each other")
    decaying = [it.subject.having(weight_decay=0.1)] if "weight_decay" in it.subject.accepts else []
    for examined in (it.bare, *decaying):
        decays = "" if examined is it.bare else ", weight_decay=0.1"
        where = f"the second of two tensors, in a group of its own{decays}"
        found = same(run(examined, True), run(examined, False), ("are one", "differ from one"), where, SUMMED)
        if found.holds is False:
            return found
    return found


def stepped(it: Examined, optimizer, params: list[Tensor], grads) -> None:
    def closure():
        for p, g in zip(params, grads, strict=True):
            p.grad = g.clone()
        return LOSS + sum((g * p.detach()).sum() for p, g in zip(params, grads, strict=True))

    closure()
    optimizer.step(closure) if it.subject.closure else optimizer.step()


def lr_of_a_group(it: Examined) -> Fact:
    """A group's own lr is that of its tensors alone."""
    if it.subject.lr is None:
        return excused("it has no lr")
    lr = it.subject.lr

    def run(second: float) -> list[Tensor]:
        params = [torch.nn.Parameter(x.clone()) for x in (it.x0, it.y0)]
        optimizer = it.bare.build([{"params": [params[0]]}, {"params": [params[1]], "lr": second}])
        for grads in zip(it.g, it.other, strict=True):
            stepped(it, optimizer, params, grads)
        return [p.detach() - x for p, x in zip(params, (it.x0, it.y0), strict=True)]

    plain, quartered = run(lr), run(lr / 4)
    if gap(plain[1], quartered[1]) <= EFFECT:
        return broken("no", f"second group's lr {lr / 4:g} in place of {lr:g}: it ends at the same point")
    return kept("yes")


def settings_of_a_group(it: Examined) -> Fact:
    """A group's own weight_decay, momentum and betas act on its tensors as if all had them."""
    if it.draws or tensors(it).finding == "together":
        return excused("it draws random numbers" if it.draws else "its tensors see each other")
    seen = []
    for name in ("weight_decay", "momentum", "betas"):
        changes = _changes(it, name) if name in it.subject.accepts else []
        if not changes or changes[0][1].get("momentum"):
            continue
        other = changes[0][2]
        try:
            everywhere = it.groups_run({}, other)
            own = it.groups_run(other, {})
        except Exception:
            continue
        seen.append(name)
        found = same(
            own, everywhere, ("", f"{name} of a group is not its own"), f"the second of two groups, {other} in it", SUMMED
        )
        if found.holds is False:
            return found
    return kept(f"{', '.join(seen)} are") if seen else excused("it has none of these")


def added_groups(it: Examined) -> Fact:
    """Parameters that are added as a group later move like those that were there."""
    p, q = (torch.nn.Parameter(it.x0.clone()) for _ in range(2))
    optimizer = it.bare.build([p])
    optimizer.add_param_group({"params": [q]})
    for g in it.g[: it.first + 2]:
        stepped(it, optimizer, [p, q], [g, g])
    if torch.equal(q.detach(), it.x0):
        return broken("do not move", "add_param_group after construction: its tensor stays")
    return kept("move")


def scheduled(it: Examined) -> Fact:
    """An lr written into param_groups during the run, as schedulers do, is obeyed."""
    if it.subject.lr is None:
        return excused("it has no lr")
    from_step = 13

    def quarter(t, optimizer, params):
        if t == from_step:
            for group in optimizer.param_groups:
                group["lr"] = group["lr"] / 4

    plain, changed = steps_of(it.path), steps_of(it.play(hook=quarter))
    if it.draws:
        return excused("it draws random numbers")
    if gap(plain[from_step:], changed[from_step:]) <= EFFECT:
        return broken("no", f"lr divided by 4 before step {from_step + 1}: the steps stay as they were")
    return kept("yes")


def every_setting(it: Examined) -> Fact:
    """Every setting that has a well-known meaning changes something."""
    accepts, seen = it.subject.accepts, []
    for name in (*NUMBERS, *SWITCHES):
        if name not in accepts or accepts[name] is inspect.Parameter.empty:
            continue
        for part, base, other in _changes(it, name):
            effect = _effect(it, name, base, other)
            if effect is None:
                continue
            if effect <= EFFECT:  # some begin to matter late
                effect = _effect(it, name, base, other, LATE)
            seen.append(part)
            if effect <= EFFECT:
                now, then = (", ".join(f"{key}={value!r}" for key, value in each.items()) for each in (base, other))
                return broken(f"{part} has no effect", f"{then} in place of {now or 'the default'}: the path is the same")
    return kept(f"{', '.join(seen)} do" if seen else "it has none of these") if seen else excused("it has no such setting")


def _changes(it: Examined, name: str) -> list[tuple[str, dict, dict]]:
    """(setting, the settings before, the settings after) for everything in a setting that can be changed."""
    value = it.subject.setting(name)
    base = {"momentum": 0.9} if name in ("nesterov", "dampening") and "momentum" in it.subject.accepts else {}
    if name in SWITCHES:
        return [(name, {**base, name: False}, {**base, name: True})] if isinstance(value, bool) else []
    if name == "betas":
        if not (isinstance(value, tuple | list) and all(isinstance(b, float) for b in value)):
            return []
        pairs = enumerate(value)
        return [(f"betas[{i}]", {}, {name: (*value[:i], 0.5 if b != 0.5 else 0.6, *value[i + 1 :])}) for i, b in pairs]
    if isinstance(value, bool) or not isinstance(value, int | float):
        return []
    if name == "weight_decay":
        return [(name, {**base, name: 0.0}, {**base, name: 0.1})]
    if name == "eps":
        return [(name, {}, {name: 1.0})] if 0 < value < 1e-2 else []
    return [(name, {**base, name: value}, {**base, name: 0.5 if value != 0.5 else 0.6})]


def _effect(it: Examined, name: str, base: dict, other: dict, steps: int = STEPS) -> float | None:
    """The gap between the paths; None where the subject refuses one of the settings."""
    point = 4 * it.x0 if name == "weight_decay" else it.x0
    stream = [zeros(it.shape)] * 3 * (name == "weight_decay") + it.g * (steps // STEPS)
    if it.subject.closure and name != "eps":  # a second gradient of the same step is another one
        stream = [lambda points, g=g: [x + g for x in points] for g in stream]
    found = []
    for size in (1.0, 1e-3) if name == "eps" else (1.0,):  # an epsilon may be one of the parameters' size
        scaled = [size * g for g in stream] if size != 1 else stream
        try:
            torch.manual_seed(0)
            plain = play(it.subject, size * point, scaled, **base)
            torch.manual_seed(0)
            found.append(gap(plain, play(it.subject, size * point, scaled, **other)))
        except Exception:
            return None
    return max(found)


def decay_shrinks(it: Examined) -> Fact:
    """With zero gradients, weight decay takes the parameters towards zero; with momentum 0 as well."""
    if "weight_decay" not in it.subject.accepts:
        return excused("it has no weight_decay")
    for settings in ({}, {"momentum": 0.0}):
        if any(name not in it.subject.accepts for name in settings):
            continue
        try:
            path = play(it.subject, 4 * it.x0, [zeros(it.shape)] * SHORT, weight_decay=0.1, **settings)
        except Exception:
            continue
        before, after = float(path[0].norm()), float(path[-1].norm())
        if not after <= before:
            said_ = ", ".join(["weight_decay=0.1", *(f"{k}={v:g}" for k, v in settings.items())])
            return broken("it makes them grow", f"{said_}, {SHORT} zero gradients: ||x|| from {before:.4g} to {after:.4g}")
        if not settings and after == before:
            return _decay_elsewhere(it)
        if settings and after == before:
            return broken("not without momentum", f"weight_decay=0.1, momentum=0, {SHORT} zero gradients: nothing moves")
    return kept("yes")


def _decay_elsewhere(it: Examined) -> Fact:
    """Zero gradients do not show a decay: do others?"""
    plain, with_it = (play(it.subject, 4 * it.x0, it.g, weight_decay=wd) for wd in (0.0, 0.1))
    if gap(plain, with_it) <= EFFECT:
        return broken("it has no effect", "weight_decay=0.1: neither zero nor Gaussian gradients show it")
    return excused("its decay acts only where gradients are not zero")


def leaves_the_gradient(it: Examined) -> Fact:
    """p.grad is after a step what it was before."""
    if it.subject.closure:
        return excused("its step asks for gradients by a closure")
    p = torch.nn.Parameter(it.x0.clone())
    optimizer = it.subject.build([p])
    for t, g in enumerate(it.g[:SHORT]):
        p.grad = g.clone()
        optimizer.step()
        if p.grad is None or not torch.equal(p.grad, g):
            by = "it is None" if p.grad is None else f"it is changed by {gap(p.grad, g):.3g}"
            return broken("no", f"after step {t + 1}: {by}")
    return kept("yes")


def forgets_the_buffer(it: Examined) -> Fact:
    """It keeps no reference to p.grad: gradients accumulated in place, and zeroed in place, move it like fresh ones."""
    if it.subject.closure:
        return excused("its step asks for gradients by a closure")
    p = torch.nn.Parameter(it.x0.clone())
    p.grad = torch.zeros_like(p)
    optimizer = it.bare.build([p])
    points = [p.detach().clone()]
    torch.manual_seed(0)
    for g in it.g:
        p.grad.zero_()
        p.grad.add_(g)
        optimizer.step()
        p.grad.zero_()
        points.append(p.detach().clone())
    fresh = it.path
    return same(torch.stack(points), fresh, ("yes", "it reads a gradient of the past"), "zero_grad(set_to_none=False)")


def strides(it: Examined) -> Fact:
    """Parameters and gradients that are not contiguous move like others."""
    if len(it.shape) < 2:
        return excused("it takes no matrices")
    p = torch.nn.Parameter(it.x0.mT.contiguous().mT)
    points = [p.detach().clone()]
    torch.manual_seed(0)
    try:
        optimizer = it.bare.build([p])
        for g in it.g:
            stepped(it, optimizer, [p], [g.mT.contiguous().mT])
            points.append(p.detach().clone().contiguous())
    except Exception as error:
        return broken("raises", f"a parameter stored by columns: {said(error)}")
    return same(torch.stack(points), it.path, ("yes", "no"), "a parameter stored by columns", SINGLE_FACTORS)


def signs(it: Examined) -> Fact:
    """Where rows and columns of a matrix change sign, its steps change theirs."""
    if len(it.shape) != 2:
        return excused("it takes no matrices")
    found = signs_of_sides(it)
    if found.finding != "no":
        return kept(found.finding, found.number, ABOUT)
    shifts = [normal(it.shape[0], 1, seed=t) for t in range(STEPS)]
    if gap(steps_of(it.play([g + c for g, c in zip(it.g, shifts, strict=True)])), steps_of(it.path)) <= EXACT:
        return excused("it subtracts the mean of each row from the gradient")
    return broken("no", "some rows and columns of x and of all gradients with the other sign", found.number, ABOUT)


def in_place(it: Examined) -> Fact:
    """It changes the parameters where they are stored, so that views and tied weights move with them."""
    p = torch.nn.Parameter(it.x0.clone())
    view, optimizer = p.data.view(-1), it.bare.build([p])
    for g in it.g[: it.first + 1]:
        stepped(it, optimizer, [p], [g])
    if torch.equal(view, p.detach().reshape(-1)):
        return kept("yes")
    return broken("no", f"a view taken before step {it.first + 1} still shows the old values")


def step_returns(it: Examined) -> Fact:
    """step(closure) runs the closure with gradients enabled and returns its loss."""
    p = torch.nn.Parameter(it.x0.clone())
    optimizer, calls = it.subject.build([p]), []

    def closure():
        optimizer.zero_grad()
        loss = (p * it.g[0]).sum()
        loss.backward()
        calls.append(float(loss.detach()))
        return loss

    try:
        loss = optimizer.step(closure)
    except TypeError as error:
        if "argument" in str(error):
            return excused("its step takes no closure")
        return broken("raises", f"a closure that calls backward: {said(error)}")
    except Exception as error:
        return broken("raises", f"a closure that calls backward: {said(error)}")
    if not calls:
        return broken("the closure is not called", "step(closure) with a loss <g, x>")
    if loss is None or not math.isclose(float(torch.as_tensor(loss).detach()), calls[0], rel_tol=1e-6):
        shown = None if loss is None else f"{float(torch.as_tensor(loss).detach()):.6g}"
        return broken("the loss is lost", f"step(closure) returns {shown}, the closure returned {calls[0]:.6g}")
    return kept(f"yes, {len(calls)} call{'s' * (len(calls) > 1)} a step")


def reload(it: Examined) -> Fact:
    """Saved and loaded in the middle of a run, it goes on as if it had not been."""
    for dtype in (F64, torch.float32):
        restarts = _restarted(it, dtype)
        if isinstance(restarts, str):
            return broken("raises", restarts)
        plain, loaded = restarts
        when = f"{_name(dtype)}, saved and loaded after step {RESTART}"
        found = same(loaded, plain, ("yes", "it goes on differently"), when, CAST)
        if found.holds is False:
            return found
    return kept("yes")


def _restarted(it: Examined, dtype: torch.dtype) -> tuple[Tensor, Tensor] | str:
    def quarter(t, optimizer, params):
        for group in optimizer.param_groups if t == 6 else ():
            if isinstance(group.get("lr"), float):
                group["lr"] = group["lr"] / 4  # as a scheduler does; a load brings it back

    def restart(t, optimizer, params):
        quarter(t, optimizer, params)
        if t != RESTART:
            return None
        buffer = io.BytesIO()
        torch.save(optimizer.state_dict(), buffer)
        buffer.seek(0)
        fresh = it.subject.build(params)
        fresh.load_state_dict(torch.load(buffer, weights_only=False))
        return fresh

    loud = 30.0  # at first, so that a maximum that is lost is missed
    grads, x0 = [(g * (loud if t < 6 else 1.0)).to(dtype) for t, g in enumerate(it.g)], it.x0.to(dtype)
    try:
        torch.manual_seed(0)
        plain = play(it.subject, x0, grads, hook=quarter).double()
    except Exception as error:
        return said(error) if dtype == F64 else (zeros((2, 1)), zeros((2, 1)))
    try:
        torch.manual_seed(0)
        return plain, play(it.subject, x0, grads, hook=restart).double()
    except Exception as error:
        return f"{_name(dtype)}, loading a state_dict saved after step {RESTART}: {said(error)}"


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def counters(it: Examined) -> Fact:
    """Loading a state leaves numbers that count steps alone, in half precision too."""
    p = torch.nn.Parameter(torch.ones(it.shape, dtype=torch.float16))
    try:
        optimizer = it.subject.build([p])
        for _ in range(3):
            stepped(it, optimizer, [p], [torch.full_like(p, 1e-2)])
        saved = copy.deepcopy(optimizer.state_dict())
        changed = _counting(saved, 2049)
        if not changed:
            return excused("it keeps no counter in its state")
        fresh = it.subject.build([p])
        fresh.load_state_dict(saved)
    except Exception:
        return excused("it takes no float16")
    for key, value in fresh.state_dict()["state"].get(changed[0], {}).items():
        if key == changed[1] and float(value) != 2049:
            return broken("no", f"float16, state[{key!r}] saved as 2049 is {float(value):g} after loading")
    return kept("yes")


def _counting(saved: dict, count: int) -> tuple | None:
    """Sets the counter of a state (a number, or a tensor with one entry, that is 3 after 3 steps) to `count`."""
    for number, state in saved["state"].items():
        for key, value in state.items() if isinstance(state, dict) else ():
            single = isinstance(value, int | float) or (isinstance(value, Tensor) and value.numel() == 1 and value.ndim == 0)
            if single and float(value) == 3 and not isinstance(value, bool):
                state[key] = torch.full_like(value, count) if isinstance(value, Tensor) else type(value)(count)
                return number, key
    return None


def implementations(it: Examined) -> Fact:
    """foreach, fused and capturable steps are those of the loop."""
    flags = [flag for flag in KINDS if flag in it.subject.accepts]
    loop = {"foreach": False} if "foreach" in flags else {}
    if not flags:
        return excused("it has one implementation")
    agreed = []
    variants = [{}, *({"amsgrad": True} if "amsgrad" in it.subject.accepts else {},)]
    if "maximize" in it.subject.accepts:
        variants.append({"maximize": True})
    for settings in [each for number, each in enumerate(variants) if each or number == 0]:
        plain = play(it.subject, [it.x0, it.y0], list(zip(it.g, it.other, strict=True)), **loop, **settings)
        for flag in flags:
            try:
                other = play(it.subject, [it.x0, it.y0], list(zip(it.g, it.other, strict=True)), **{flag: True}, **settings)
            except Exception:
                continue  # refused here: a fused step may want another device
            for number in range(2):
                said_ = ", ".join([f"{flag}=True", *(f"{k}={v}" for k, v in settings.items())])
                found = same(other[number], plain[number], ("", f"{flag} differs"), said_, SINGLE_FACTORS)
                if found.holds is False:
                    return found
            agreed.append(flag)
    return (
        kept(f"{', '.join(dict.fromkeys(agreed))} agree with the loop")
        if agreed
        else excused("all but the loop are refused")
    )


def maximizes(it: Examined) -> Fact:
    """maximize=True is descent on the negative gradients."""
    if "maximize" not in it.subject.accepts:
        return excused("it has no maximize")
    found = same(
        play(it.subject, it.x0, [-g for g in it.g], maximize=True),
        play(it.subject, it.x0, it.g, maximize=False),
        ("yes", "no"),
        "maximize=True with the gradients negated",
    )  # fmt: skip
    return found


def repeats(it: Examined) -> Fact:
    """The same seed gives the same run."""
    a, b = it.play(), it.play()
    words = ("yes, drawing random numbers of torch" if it.draws else "yes"), "no"
    return same(b, a, words, "the same run twice, with torch.manual_seed(0)")


def single_precision(it: Examined) -> Fact:
    """In float32 it does what it does in float64."""
    if it.draws:
        return excused("it draws random numbers")
    grads, origin = [g.float() for g in it.g], zeros(it.shape)  # near 0, where float32 sees small steps
    exact = it.play([g.double() for g in grads], origin)
    try:
        rounded = it.play(grads, origin.float()).double()
    except Exception as error:
        return broken("raises", f"float32 parameters: {said(error)}")
    apart = gap(rounded[-1] - rounded[0], exact[-1] - exact[0])
    if apart <= SINGLE:
        return kept(f"to {apart:.1g}", apart, SINGLE)
    shaken = [g.double() * (1 + ULP * normal(*it.shape, seed=90 + t)) for t, g in enumerate(grads)]
    single = it.play([g.float() for g in shaken], origin.float()).double()
    moved = max(gap(it.play(shaken, origin)[-1], exact[-1]), gap(single[-1], rounded[-1]))
    if moved > SINGLE:
        return excused(f"rounding decides: a change of gradients by {ULP:g} changes its path by {moved:.1g}")
    return broken("no", f"float32, Gaussian gradients: {difference(rounded, exact, SINGLE)}", apart, SINGLE)


def no_dead_memory(it: Examined) -> Fact:
    """What it gathers from gradients it uses: a buffer that depends on its own past changes later steps."""
    if it.draws or it.subject.closure:
        return excused("it draws random numbers" if it.draws else "its step asks for gradients by a closure")
    names = _buffers(it)
    for key in names:
        runs = [_disturbed(it, key, factor) for factor in (1.0, 1.5, -1.0, 0.0)]
        if any(run is None for run in runs):
            continue
        gathers = any(gap(run[1], runs[0][1]) > EFFECT for run in runs[1:])  # else each step writes it anew
        if (
            gathers
            and not _follows(it, key, runs[0][1])
            and all(gap(steps_of(run[0]), steps_of(runs[0][0])) <= EFFECT for run in runs[1:])
        ):
            what = f"state[{key!r}] times 1.5, -1 or 0 after step {SHORT}: all steps are the same"
            return broken(f"state {key!r} is gathered and not used", what)
    return kept("yes" if names else "it has none")


def _follows(it: Examined, key: str, kept_: Tensor) -> bool:
    """Whether a buffer is one of the parameters (their average, say), and not of gradients: it moves with them."""
    moved = _disturbed(it, key, 1.0, it.x0 + 1.0)
    return moved is None or gap(moved[1], kept_) > EFFECT


def no_idle_memory(it: Examined) -> Fact:
    """A buffer that is kept for gradients is written to."""
    p = torch.nn.Parameter(it.x0.clone())
    optimizer = it.bare.build([p])
    stepped(it, optimizer, [p], [it.g[0]])
    for g in it.g[1:]:
        stepped(it, optimizer, [p], [2 * g])
    without = it.subject.setting("momentum") == 0
    for key, value in _own(optimizer, p).items():
        if without and "momentum" in key:
            continue
        if isinstance(value, Tensor) and value.shape == p.shape and value.is_floating_point() and (value == 0).all():
            return broken(f"state {key!r} stays 0", f"{STEPS} Gaussian gradients leave state[{key!r}] at 0")
    return kept("yes")


def _own(optimizer, p: Tensor) -> dict:
    found = optimizer.state.get(p, {})
    return found if isinstance(found, dict) else {}


def _buffers(it: Examined) -> list[str]:
    """Names of the floating tensors, of more than one entry, in the state of a parameter."""
    p = torch.nn.Parameter(it.x0.clone())
    optimizer = it.bare.build([p])
    for g in it.g[:SHORT]:
        stepped(it, optimizer, [p], [g])
    return [k for k, v in _own(optimizer, p).items() if isinstance(v, Tensor) and v.is_floating_point() and v.numel() > 1]


def _disturbed(it: Examined, key: str, factor: float, x0: Tensor | None = None) -> tuple[Tensor, Tensor] | None:
    """The path where a buffer is multiplied after step SHORT, and the buffer one step later."""
    later = []

    def disturb(t, optimizer, params):
        buffer = _own(optimizer, params[0]).get(key)
        if t == SHORT and isinstance(buffer, Tensor):
            buffer.mul_(factor)
        if t == SHORT + 1 and isinstance(buffer, Tensor):
            later.append(buffer.clone())

    try:
        path = it.play(x0=x0, hook=disturb)
    except Exception:
        return None
    return (path, later[0]) if later else None


def sparse_is_dense(it: Examined) -> Fact:
    """Where it accepts sparse gradients, they move it like the same gradients in full."""
    if len(it.shape) != 2 or it.subject.closure:
        return excused("it takes no sparse gradients")
    grads = [g * (torch.arange(it.shape[0]) % 3 == t % 3).double()[:, None] for t, g in enumerate(it.g)]

    def run(as_sparse: bool) -> Tensor:
        p = torch.nn.Parameter(it.x0.clone())
        optimizer, points = it.bare.build([p]), [it.x0]
        for g in grads:
            p.grad = _doubled(g) if as_sparse else g.clone()
            optimizer.step()
            points.append(p.detach().clone())
        return torch.stack(points)

    try:
        sparse = run(True)
    except Exception:
        return excused("it takes no sparse gradients")
    return same(sparse, run(False), ("yes", "no"), "every row touched at every third step, in two halves (not coalesced)")


def _doubled(g: Tensor) -> Tensor:
    """A sparse tensor with the same sum, that holds every row twice, as autograd gives them."""
    once = g.to_sparse(1)
    indices, values = once.indices(), once.values()
    halves = torch.cat([values, values]) / 2
    return torch.sparse_coo_tensor(torch.cat([indices, indices], 1), halves, g.shape, check_invariants=False)


def train_and_eval(it: Examined) -> Fact:
    """A pair of eval() and train() between steps changes nothing."""
    optimizer = it.bare.build([torch.nn.Parameter(it.x0.clone())])
    if not swaps(optimizer):
        return excused("it has no train and eval modes")

    def swap(t, optimizer, params):
        if t:
            optimizer.eval()
            optimizer.train()

    # the parameters go to x and back, which rounds twice a step
    return same(it.play(hook=swap), it.path, ("yes", "no"), "eval() and train() before every step", 1e-6)


LAWS: dict[str, Callable[[Examined], Fact]] = {
    "descends": descends,
    "keeps descending": keeps_descending,
    "stays finite": stays_finite,
    "takes scalars": takes_scalars,
    "leaves zero": leaves_zero,
    "moves every tensor": moves_every_tensor,
    "rests on zero gradients": rests_on_zero,
    "zero entries": zero_entries,
    "tiny gradients": tiny_gradients,
    "tensors without gradient": without_gradient,
    "silent neighbours": silent_neighbour,
    "groups": groups,
    "lr of a group": lr_of_a_group,
    "settings of a group": settings_of_a_group,
    "added groups": added_groups,
    "schedulers": scheduled,
    "settings": every_setting,
    "decay shrinks": decay_shrinks,
    "leaves gradients alone": leaves_the_gradient,
    "keeps no gradient": forgets_the_buffer,
    "strides": strides,
    "signs of rows and columns": signs,
    "in place": in_place,
    "closures": step_returns,
    "reload": reload,
    "counters": counters,
    "implementations": implementations,
    "maximize": maximizes,
    "repeats": repeats,
    "single precision": single_precision,
    "memory is used": no_dead_memory,
    "memory is written": no_idle_memory,
    "sparse gradients": sparse_is_dense,
    "train and eval": train_and_eval,
}
