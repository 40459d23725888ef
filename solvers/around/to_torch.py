r"""Any solver as an optimizer of torch, which trains a module.

    p_j <- the step of the solver from p_j,        for all parameters p_j with a gradient at once

Every parameter is a point of its own, without batch axes: a solver that has an `ndim` gets the number of axes of the
parameter. The parameters move together: where the solvers ask for gradients away from the parameters (Nesterov's method,
averaging) or for a second one (L-BFGS), the loss is evaluated at all of these points jointly, by the closure of
step(closure). Between two evaluations the closure should see the same data; what else it changes (running statistics) it
changes at each. A closure gives a loss and its gradient on one sample: solvers that ask for more (function values, a second
sample, full gradients, components) are refused.

group["lr"], which the schedulers of torch write, is the solver's lr; where that is a rule k -> a_k, it is a factor of the
rule, 1 at first. The lr of a solver around another (`inner`) is that of the inner one.

A state_dict holds numbers, strings and tensors only (around FromTorch: an object as well); the solver, other than its lr
and its name, is not in it. Where the parameters have names, here and there, it is read by name, whatever their order; hooks
before a load, and after a state_dict is made, see what is in the file.

Parameters of half precision move in float32: their points, which are kept, their gradients, and the memory. In bfloat16 an
average with beta2 = 0.999 stands still, 1 - beta2 being below half the spacing of numbers next to 1, and so does a parameter
whose steps are below half of its own; in float16 an eps of 1e-8 is 0. A parameter is its point rounded; one that is changed
by others is the point from there on.

Where a schedule wants to change a momentum too, tell it not to: OneCycleLR(..., cycle_momentum=False). A solver for matrices
reads a weight of more than two axes, such as one of a convolution, as a stack of matrices; vectors need a group of their
own, {"params": biases, "solver": Adam(0.01)}.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from copy import deepcopy
from dataclasses import replace

import torch
from ratewitness.solvers.around.from_torch import Memory
from ratewitness.solvers.around.inner import solvers
from ratewitness.solvers.ranges import real_floating, shown
from ratewitness.solvers.schedules import Schedule
from ratewitness.solvers.solver import Solver, State
from torch import Tensor
from torch.optim import Optimizer

KEYS = {"params", "param_names", "solver", "lr", "initial_lr", "max_lr", "min_lr", "swa_lr"}  # the last are of schedulers


class ToTorch(Optimizer):
    """Moves parameters by a solver; `lr` replaces the solver's own. A param group may have its own "solver" and "lr".

    Raises ValueError for anything but solvers, for an lr where the solver has none, and for other keys of a group: hyper-
    parameters belong to a solver of its own. A step raises it, and moves nothing,
    for gradients that are sparse or complex, and where a solver asks for what a closure cannot give, or for what one could.
    """

    def __init__(self, params: Iterable, solver: Solver, lr: Schedule | None = None):
        super().__init__(params, {"solver": solver, **({} if lr is None else {"lr": lr})})

    def add_param_group(self, param_group: dict) -> None:
        for key in set(param_group) - KEYS:
            raise ValueError(f"a param group has no {key}; accepted are params, lr and a solver of its own")
        group = {**self.defaults, **param_group}
        solver = group["solver"]
        solvers(solver=solver)
        if "lr" in group:
            group["solver"] = solver = _with_lr(solver, group["lr"])
        own = _lr(solver)
        if own is not None:  # a scheduler may write into a tensor
            group["lr"] = 1.0 if callable(own) else own.clone() if isinstance(own, Tensor) else own
        super().add_param_group(group)

    @torch.no_grad()
    def step(self, closure: Callable[[], Tensor | float] | None = None) -> Tensor | float | None:
        """Moves every parameter that has a gradient; returns the loss of the closure at the parameters before."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        parameters, solvers = [], []
        for group in self.param_groups:
            solver = _in_group(group)
            for parameter in group["params"]:
                if parameter.grad is not None:
                    real_floating(gradient=parameter.grad)
                    if parameter.grad.is_sparse:
                        raise ValueError(f"a gradient of shape {tuple(parameter.shape)} is sparse; accepted are dense ones")
                    parameters.append(parameter)
                    solvers.append(_for_point(solver, max(parameter.ndim, 1)))
        points = [_point(parameter, self.state.get(parameter, {}).get("point")) for parameter in parameters]
        states = [
            self.state[parameter]["memory"] if self.state.get(parameter) else solver.init(x)
            for parameter, solver, x in zip(parameters, solvers, points, strict=True)
        ]
        moved = _steps(solvers, points, states, _Gradients(parameters, points, closure))
        for parameter, (new, state) in zip(parameters, moved, strict=True):
            parameter.copy_(new.reshape(parameter.shape))
            self.state[parameter]["memory"] = state
            if new.dtype != parameter.dtype:
                self.state[parameter]["point"] = new.reshape(parameter.shape)
        return loss

    def state_dict(self) -> dict:
        own = self.register_state_dict_post_hook(lambda _, saved: _written(saved), prepend=True)  # others see what it makes
        try:
            return super().state_dict()
        finally:
            own.remove()

    def load_state_dict(self, state_dict: dict) -> None:
        """Raises ValueError for the state of other solvers, and for other groups, names or shapes of parameters."""
        states = {}

        def read(_, saved: dict) -> dict:
            groups = _matched(self.param_groups, saved["param_groups"])
            for group, other in zip(self.param_groups, groups, strict=False):  # torch compares their numbers and sizes
                for parameter, i in zip(group["params"], other["params"], strict=False):
                    if i in saved["state"]:
                        states[parameter] = _read(saved["state"][i], group["solver"], parameter)
            return {**saved, "state": {}, "param_groups": groups}

        def remember(_) -> None:
            self.state.update(states)

        hooks = [
            self.register_load_state_dict_pre_hook(read),
            self.register_load_state_dict_post_hook(remember, prepend=True),
        ]
        try:
            super().load_state_dict(state_dict)
        finally:
            for hook in hooks:
                hook.remove()


class _Needed(Exception):
    """A solver asks for a gradient that is not known yet."""

    def __init__(self, point: Tensor):
        self.point = point


class _Replay:
    """An oracle that repeats the gradients of this step that are known, and then raises _Needed."""

    def __init__(self, gradients: list[Tensor]):
        self._known, self._asked = iter(gradients), False

    def grad(self, x: Tensor, redraw: bool = True) -> Tensor:
        if redraw and self._asked:
            raise ValueError("a solver asks for a second sample in one step; accepted are solvers that repeat theirs")
        self._asked = True
        for g in self._known:
            return g
        raise _Needed(x)

    def __getattr__(self, query: str):
        raise ValueError(f"a solver asks for {query}; accepted are solvers that ask for gradients alone, on one sample")


class _Gradients:
    """Gradients at the parameters, which they hold, and elsewhere, by the closure."""

    def __init__(self, parameters: list[Tensor], here: list[Tensor], closure: Callable | None):
        self._parameters, self._here, self._closure = parameters, here, closure

    def __call__(self, points: list[Tensor]) -> list[Tensor]:
        """The gradient in each parameter, at all points jointly."""
        if all(x is y or torch.equal(x, y) for x, y in zip(self._here, points, strict=True)):
            return [self._grad(*pair) for pair in zip(self._parameters, points, strict=True)]
        if self._closure is None:
            raise ValueError("a solver asks for gradients away from the parameters; accepted is step(closure)")
        held = [parameter.grad for parameter in self._parameters]
        try:
            for parameter, x in zip(self._parameters, points, strict=True):
                parameter.copy_(x.reshape(parameter.shape))
                parameter.grad = None  # so that a closure that sets gradients to zero leaves the held ones alone
            with torch.enable_grad():
                self._closure()
            return [self._grad(*pair) for pair in zip(self._parameters, points, strict=True)]
        finally:
            for parameter, x, g in zip(self._parameters, self._here, held, strict=True):
                parameter.copy_(x.reshape(parameter.shape))
                parameter.grad = g

    def _grad(self, parameter: Tensor, x: Tensor) -> Tensor:
        """The gradient that a parameter holds, in the precision of its point."""
        return torch.zeros_like(x) if parameter.grad is None else torch.atleast_1d(parameter.grad).to(x.dtype, copy=True)


def _steps(solvers: list[Solver], points: list[Tensor], states: list[State], gradients: _Gradients) -> list[tuple]:
    """The steps of all solvers in rounds, each with one more joint gradient: steps are pure, and may be begun again."""
    known, moved = [[] for _ in solvers], [None] * len(solvers)
    while True:
        asked = list(points)
        for i in (i for i, done in enumerate(moved) if done is None):
            try:
                moved[i] = solvers[i].step(points[i], states[i], _Replay(known[i]))
            except _Needed as query:
                asked[i] = query.point
        if None not in moved:
            return moved
        for seen, g in zip(known, gradients(asked), strict=True):
            seen.append(g)


def _point(parameter: Tensor, kept: Tensor | None = None) -> Tensor:
    """A copy of the parameter, as a vector where it is a number, in float32 where its own precision is lower.

    The point that was kept where the parameter is still what that is rounded to.
    """
    x = parameter.detach()
    if kept is not None and torch.equal(kept.to(x.dtype), x):
        x = kept
    return torch.atleast_1d(x).to(_precision(parameter), copy=True)


def _precision(parameter: Tensor) -> torch.dtype:
    return torch.promote_types(parameter.dtype, torch.float32)


def _lr(solver: Solver) -> Schedule | None:
    """The lr of a solver or of the one inside, None where there is none."""
    if hasattr(solver, "lr"):
        return solver.lr
    return _lr(solver.inner) if hasattr(solver, "inner") else None


def _name(solver: Solver) -> str:
    """The classes of a solver and of what is inside, and whether its lr is a rule."""
    inside = getattr(solver, "inner", None) or getattr(solver, "optimizer", None)
    within = "" if inside is None else getattr(inside, "__name__", None) or _name(inside)
    rule = "a rule" if callable(getattr(solver, "lr", None)) else ""
    return type(solver).__name__ + f"({', '.join(filter(None, (within, rule)))})" * bool(within or rule)


def _with_lr(solver: Solver, lr: Schedule) -> Solver:
    if hasattr(solver, "lr"):
        return replace(solver, lr=lr)
    if hasattr(solver, "inner"):
        return replace(solver, inner=_with_lr(solver.inner, lr))
    raise ValueError(f"lr is {shown(lr)}; accepted for {type(solver).__name__} is none, because it has no lr")


def _in_group(group: dict) -> Solver:
    """The solver of a group with its present lr."""
    solver, own = group["solver"], _lr(group["solver"])
    if own is None or group["lr"] is own or (callable(own) and group["lr"] == 1):
        return solver
    factor = group["lr"]
    return _with_lr(solver, (lambda k: factor * own(k)) if callable(own) else factor)


def _for_point(solver: Solver, ndim: int) -> Solver:
    """The solver with the `ndim` of a point, also inside."""
    if hasattr(solver, "inner"):
        solver = replace(solver, inner=_for_point(solver.inner, ndim))
    return replace(solver, ndim=ndim) if getattr(solver, "ndim", ndim) != ndim else solver


def _kind(part: object) -> str:
    return f"a tensor of shape {tuple(part.shape)}" if isinstance(part, Tensor) else shown(part)


def _plain(state: State) -> State:
    """Tuples as lists."""
    return [_plain(part) for part in state] if isinstance(state, tuple) else state


def _written(saved: dict) -> dict:
    """A state_dict of torch with the names of solvers in their place, and plain memories."""
    groups = [{**group, "solver": _name(group["solver"])} for group in saved["param_groups"]]
    states = {i: {**state, "memory": _plain(state["memory"])} for i, state in saved["state"].items()}
    return {**saved, "state": states, "param_groups": groups}


def _matched(ours: list[dict], saved: list[dict]) -> list[dict]:
    """The saved groups with our solvers, and with their parameters in our order where both have names."""
    matched = []
    for group, other in zip(ours, saved, strict=False):
        if (name := _name(group["solver"])) != other.get("solver"):
            raise ValueError(f"state_dict is one of {other.get('solver', 'no solver')}; accepted are those of {name}")
        matched.append({**other, "solver": group["solver"]})
        names, others = group.get("param_names"), other.get("param_names")
        if names and others:
            if sorted(names) != sorted(others):
                raise ValueError(f"state_dict has parameters {', '.join(others)}; accepted are {', '.join(names)}")
            places = dict(zip(others, other["params"], strict=True))
            matched[-1] |= {"param_names": names, "params": [places[each] for each in names]}
    return matched + saved[len(matched) :]


def _read(saved: dict, solver: Solver, parameter: Tensor) -> dict:
    """The state of a parameter from that in a state_dict."""
    fresh = _for_point(solver, max(parameter.ndim, 1)).init(_point(parameter))
    state = {"memory": _restored(fresh, saved["memory"], parameter)}
    if "point" in saved and _precision(parameter) != parameter.dtype:
        state["point"] = _restored(parameter, saved["point"], parameter)
    return state


def _restored(fresh: State, saved: State, parameter: Tensor) -> State:
    """What was saved, a copy, in the classes of a fresh state, where the parameter is and in the precision of its point."""
    if isinstance(fresh, tuple):
        if not isinstance(saved, list) or len(saved) != len(fresh):
            raise ValueError(f"state_dict does not fit {type(fresh).__name__}; accepted are states of the same solver")
        parts = [_restored(*pair, parameter) for pair in zip(fresh, saved, strict=True)]
        return type(fresh)(*parts) if hasattr(fresh, "_fields") else tuple(parts)
    if isinstance(fresh, Tensor) != isinstance(saved, Tensor) or (isinstance(fresh, Tensor) and fresh.shape != saved.shape):
        raise ValueError(f"state_dict holds {_kind(saved)} for {_kind(fresh)}; accepted are states of the same parameters")
    if isinstance(saved, Tensor):
        return saved.to(parameter.device, _precision(parameter) if saved.is_floating_point() else saved.dtype, copy=True)
    if isinstance(fresh, Memory) and isinstance(saved, Memory):
        return saved.to(_point(parameter))
    return deepcopy(saved)
