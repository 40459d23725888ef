r"""Any optimizer of torch as a solver.

    x_{k+1} = the parameters after one `step` on the gradient at x_k

torch's optimizers change parameters and their memory in place. A step here moves a copy of the whole optimizer (its state,
its param groups, its attributes and the optimizers inside it), and changes nothing in place. lr is written into it where its
value changes, so that an optimizer which sets its own keeps it. One that draws random numbers of its own does not repeat a
step.

Batch: the optimizers of torch that move every entry on its own (ENTRYWISE) get the whole batch as one parameter, and those
that move every parameter on its own (APART) get one parameter for each replicate. Any other may let its parameters see each
other, and is built anew for each replicate, which is always right, and slower. `ndim` trailing axes of x form one point.

Sweeps: a setting, or an entry of a tuple such as betas, may be a tensor that broadcasts against x and is constant over a
point; its values become param groups, or settings of the optimizers of their replicates.

Closures: an optimizer that takes no step without one gets one, which asks for the gradient at the parameters, on the sample
of this step. Its loss is the value that the oracle has of the whole function, and is asked for where it is used only.

Schedule-free optimizers, those with `train` and `eval`, take gradients at the parameters in train mode; x is what they hold
in eval mode.
"""

from __future__ import annotations

import functools
import inspect
import io
import math
import pickle
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field, replace
from types import SimpleNamespace

import torch
from ratewitness.solvers.ranges import at_least_zero, positive_integer, real_floating, shown
from ratewitness.solvers.schedules import Schedule, step_size
from torch import Size, Tensor
from torch.optim import Optimizer

# the classes themselves: one derived from them may do anything
ENTRYWISE = {
    torch.optim.SGD,
    torch.optim.Adagrad,
    torch.optim.Adadelta,
    torch.optim.RMSprop,
    torch.optim.Adam,
    torch.optim.AdamW,
    torch.optim.Adamax,
    torch.optim.NAdam,
    torch.optim.RAdam,
    torch.optim.Rprop,
    torch.optim.ASGD,
}
APART = {torch.optim.Muon, torch.optim.Adafactor}
KNOWN = ENTRYWISE | APART
PLAIN = {int, float, bool, str, complex, type(None), type}  # which cannot change
MOST = 1000  # gradients in a step; one that draws numbers where they are not repeated would ask without end
TRIED = 3  # steps before an optimizer is trusted with one more: the first ones create the memory that later ones use


@dataclass(frozen=True, eq=False)
class Memory:
    """Optimizers between two steps, in eval mode where they have one. What copies or pickles it keeps all of each."""

    grid: Size  # the leading axes of the settings that are tensors
    optimizers: list[Optimizer]
    places: list[list[int | slice | Tensor]]  # of the parameters of each, among the replicates (R, *shape)
    rows: list[list[int]]  # in the grid, of the settings of each of its param groups
    lr: list[float]  # that were given last, one for each entry of the grid
    k: int

    def to(self, like: Tensor) -> Memory:
        """A copy on the device and in the precision of a tensor."""
        return replace(self, optimizers=_copies(self.optimizers, like))

    def __deepcopy__(self, memo: dict) -> Memory:
        return replace(self, optimizers=_copies(self.optimizers))

    def __getstate__(self) -> dict:
        file = io.BytesIO()
        torch.save(self.optimizers, file, pickle_module=SimpleNamespace(__name__="pickle", Pickler=_Whole))
        return {**vars(self), "optimizers": file.getvalue()}

    def __setstate__(self, state: dict) -> None:
        vars(self).update({**state, "optimizers": torch.load(io.BytesIO(state["optimizers"]), weights_only=False)})


@dataclass(frozen=True, eq=False)
class FromTorch:
    """optimizer(parameters, lr=lr, **settings), optimizer a class, or a function that puts one optimizer into another.

    Raises ValueError for anything but what builds an optimizer that steps on dense gradients; for a setting that it does not
    have; and where the optimizer does, for bad values. `init` raises it for points of a shape that the optimizer does not
    take, and for settings that do not broadcast.
    """

    optimizer: type[Optimizer] | Callable[..., Optimizer]
    lr: Schedule
    settings: Mapping[str, object] = field(default_factory=dict)
    ndim: int = 1

    def __post_init__(self):
        positive_integer(ndim=self.ndim)
        given = self.optimizer
        derived = isinstance(given, type) and issubclass(given, Optimizer) and given is not Optimizer
        if not (derived or inspect.isroutine(given) or isinstance(given, functools.partial)):
            raise ValueError(
                f"optimizer is {shown(given)}; accepted are classes derived from torch.optim.Optimizer, and functions that "
                "build one"
            )
        at_least_zero(lr=self.lr)
        if not isinstance(self.settings, Mapping) or "lr" in self.settings:
            raise ValueError(f"settings is {shown(self.settings)}; accepted are mappings of names to values, without lr")
        arguments = inspect.signature(self.optimizer).parameters
        if all(argument.kind is not argument.VAR_KEYWORD for argument in arguments.values()):
            accepted = list(arguments)[1:]  # the first are the parameters
            for name in ("lr", *self.settings):
                if name not in accepted:
                    raise ValueError(f"{name} is no setting of {self._name}; accepted are {', '.join(accepted)}")
        for settings in self._settings(self._grid()):
            try:
                self._fresh(torch.zeros(1, 2, 2, dtype=torch.float64), [settings], [0])
            except Exception as refusal:  # what someone else's code raises for bad values is anything
                values = ", ".join(f"{name} = {shown(value)}" for name, value in settings.items())
                raise ValueError(f"{self._name} does not take {values}: {_line(refusal)}") from refusal
        _ = self._by_closure  # which refuses what takes no step

    def init(self, x: Tensor) -> Memory:
        real_floating(x=x)
        if x.ndim < self.ndim:
            raise ValueError(f"ndim is {self.ndim}; accepted are 1 to {x.ndim} for x of shape {tuple(x.shape)}")
        batch, shape = x.shape[: x.ndim - self.ndim], x.shape[x.ndim - self.ndim :]
        grid = self._grid()
        if not _broadcasts(grid, batch):
            raise ValueError(f"settings vary over axes {tuple(grid)}; accepted are those that broadcast to {tuple(batch)}")
        replicates, settings = x.reshape(-1, *shape), self._settings(grid)
        owners = torch.arange(len(settings)).reshape(grid).expand(batch).flatten().tolist()
        try:
            optimizers, places, rows = self._fresh(replicates, settings, owners)
            if self.optimizer not in KNOWN and len(replicates):
                self._try_steps(replicates[:1], self._by_closure, 1)
        except Exception as refusal:  # whatever someone else's code says of a shape
            advice = "; try ndim=2" if self.ndim == 1 else ""  # it has taken steps on a matrix
            raise ValueError(
                f"{self._name} takes no points of shape {tuple(shape)}: {_line(refusal)}; accepted are points that it does "
                f"take, ndim = {self.ndim} trailing axes of x each{advice}"
            ) from refusal
        return Memory(grid, optimizers, places, rows, [own["lr"] for own in settings], 0)

    def step(self, x: Tensor, state: Memory, oracle) -> tuple[Tensor, Memory]:
        replicates = x.reshape(-1, *x.shape[x.ndim - self.ndim :])
        lr = _values(step_size(self.lr, state.k), state.grid, self.ndim)
        optimizers, points = _started(state.optimizers, state.places, replicates)
        if lr != state.lr:
            self._write(lr, state, optimizers)
        optimizers = _stepped(optimizers, state.places, _Asked(oracle, x.shape, points), self._by_closure)
        new = _ended(optimizers, state.places, replicates)
        return new.reshape(x.shape), replace(state, optimizers=optimizers, lr=lr, k=state.k + 1)

    @property
    def _name(self) -> str:
        return getattr(self.optimizer, "__name__", None) or shown(self.optimizer)

    @functools.cached_property
    def _by_closure(self) -> bool:
        """Whether it takes no steps without a closure, by a few on a matrix."""
        point = torch.zeros(1, 2, 2, dtype=torch.float64)
        try:
            self._try_steps(point, False, 1 if self.optimizer in KNOWN else TRIED)
        except Exception as refusal:  # a missing argument or closure, a sparse gradient that is wanted, bad values, ...
            try:
                self._try_steps(point, True, TRIED)
            except Exception:
                if isinstance(refusal, ValueError):  # its own word on bad values
                    raise refusal from None
                raise ValueError(
                    f"{self._name} takes no step: {_line(refusal)}; accepted are optimizers that step on dense gradients, "
                    "with or without a closure"
                ) from refusal
            return True
        return False

    def _try_steps(self, x: Tensor, by_closure: bool, steps: int) -> None:
        """Steps from one point (1, *shape) down a bowl, which leave the random numbers of torch as they were."""
        with torch.random.fork_rng(devices=[]):
            optimizers, places, _ = self._fresh(x, self._settings(self._grid())[:1], [0])
            for _ in range(steps):
                optimizers, points = _started(optimizers, places, x)
                optimizers = _stepped(optimizers, places, _Asked(_Bowl(), x.shape, points), by_closure)
                x = _ended(optimizers, places, x)

    def _grid(self) -> Size:
        """The shape of all settings together, without the axes of a point."""
        shapes = []
        for name, value in {**self.settings, "lr": step_size(self.lr, 0)}.items():
            for tensor in _tensors(value):
                if any(size != 1 for size in tensor.shape[-self.ndim :]):
                    raise ValueError(
                        f"{name} has shape {tuple(tensor.shape)}; accepted are tensors that are constant over a point, "
                        f"(*batch{', 1' * self.ndim})"
                    )
                shapes.append(tensor.shape[: -self.ndim])
        return torch.broadcast_shapes(*shapes)

    def _settings(self, grid: Size) -> list[dict]:
        """The settings of every entry of the grid at the first step."""
        settings = {**self.settings, "lr": step_size(self.lr, 0)}
        columns = [_values(value, grid, self.ndim) for value in settings.values()]
        return [dict(zip(settings, row, strict=True)) for row in zip(*columns, strict=True)]

    def _fresh(self, replicates: Tensor, settings: list[dict], owners: list[int]) -> tuple[list, list, list]:
        """The optimizers around copies of the replicates (R, *shape), whose settings are those of their owners."""
        if self.optimizer not in KNOWN:
            optimizers = [self._built(x, settings[row]) for x, row in zip(replicates, owners, strict=True)]
            rows = [[row] * len(each.param_groups) for each, row in zip(optimizers, owners, strict=True)]
            return optimizers, [[i] for i in range(len(owners))], rows
        members = [[i for i, owner in enumerate(owners) if owner == row] for row in range(len(settings))]
        if self.optimizer in ENTRYWISE:
            members = [[slice(None)]] if len(members) == 1 else [[torch.tensor(own)] for own in members]
        groups = [
            {**own, "params": [_parameter(replicates[place]) for place in places]}
            for own, places in zip(settings, members, strict=True)
        ]
        places = [place for own in members for place in own]
        return [self.optimizer(groups, **settings[0])], [places], [list(range(len(settings)))]

    def _built(self, x: Tensor, settings: dict) -> Optimizer:
        built = self.optimizer([_parameter(x)], **settings)
        if not isinstance(built, Optimizer):
            raise ValueError(f"it builds {shown(built)}; accepted are functions that build an optimizer")
        return built

    def _write(self, lr: list[float], state: Memory, optimizers: list[Optimizer]) -> None:
        """Put what is new of lr into the param groups, as an optimizer that is built with it would hold it."""
        settings, held = self._settings(state.grid), list(lr)
        point = torch.zeros(2, 2, dtype=torch.float64)
        for row in range(len(lr)):
            if lr[row] != state.lr[row] and self.optimizer not in KNOWN:
                (group, *_) = self._built(point, {**settings[row], "lr": lr[row]}).param_groups
                if "lr" not in group:
                    raise ValueError(f"lr changes to {lr[row]}, and {self._name} keeps none; accepted is one number")
                held[row] = group["lr"]
        for optimizer, rows in zip(optimizers, state.rows, strict=True):
            for group, row in zip(optimizer.param_groups, rows, strict=True):
                if lr[row] != state.lr[row]:
                    group["lr"] = held[row]


class _Bowl:
    """||x - 1||^2/2 of each replicate (R, *shape)."""

    def grad(self, x: Tensor, redraw: bool = True) -> Tensor:
        return x - 1

    def value(self, x: Tensor) -> Tensor:
        return (x - 1).square().flatten(1).sum(1) / 2


class _Needed(Exception):
    """A closure is asked at a point whose gradient is not known yet."""

    def __init__(self, point: Tensor):
        self.point = point


class _Asked:
    """What the oracle has said of all replicates (R, *shape) jointly, on one sample."""

    def __init__(self, oracle, shape: Size, points: Tensor):
        self._oracle, self._shape = oracle, shape
        self.points, self.gradients, self._values = [points], [self._as(points, oracle.grad(points.reshape(shape)))], {}

    def more(self, points: Tensor) -> None:
        self.points.append(points)
        self.gradients.append(self._as(points, self._oracle.grad(points.reshape(self._shape), redraw=False)))

    def known(self, i: int, point: Tensor) -> int:
        """Which answer has the gradient of a replicate at the point (*shape). Raises _Needed where none has."""
        for j, points in enumerate(self.points):
            if ((points[i] == point) | (points[i].isnan() & point.isnan())).all():
                return j
        raise _Needed(point.clone())

    def loss(self, j: int, i: int) -> Tensor:
        """The value of a replicate at the points of an answer."""
        if not hasattr(self._oracle, "value"):
            raise ValueError("an optimizer uses the loss of its closure; accepted are oracles with a value")
        if j not in self._values:
            self._values[j] = self._oracle.value(self.points[j].reshape(self._shape)).flatten()
        return self._values[j][i]

    def _as(self, points: Tensor, g: Tensor) -> Tensor:
        return g.to(points.dtype).broadcast_to(self._shape).reshape(points.shape)


class _Loss(Tensor):
    """A loss that is asked for where it is used, and only there."""

    ask: Callable[[], Tensor]

    @classmethod
    def of(cls, ask: Callable[[], Tensor]) -> _Loss:
        loss = torch.zeros(()).as_subclass(cls)
        loss.ask = ask
        return loss

    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        arguments = [each.ask() if isinstance(each, cls) else each for each in args]
        return function(*arguments, **(kwargs or {}))


def _started(optimizers: list[Optimizer], places: list[list], replicates: Tensor) -> tuple[list[Optimizer], Tensor]:
    """Copies around the replicates (R, *shape), and where these want their gradients."""
    memo = {}
    for parameter, place in _parameters(optimizers, places):
        memo[id(parameter)] = new = _parameter(replicates[place])
        memo[_memory_of(parameter)] = new.untyped_storage()
    copies = [_copied(each, memo) for each in optimizers]
    swapping = [each for each in copies if _swaps(each)]
    for optimizer in swapping:
        optimizer.train()
    return copies, _gathered(copies, places, replicates) if swapping else replicates


def _stepped(optimizers: list[Optimizer], places: list[list], asked: _Asked, by_closure: bool) -> list[Optimizer]:
    """The optimizers, which are changed, or copies of them, after a step."""
    if by_closure:
        return _steps_by_closure(optimizers, asked)
    for parameter, place in _parameters(optimizers, places):
        parameter.grad = asked.gradients[0][place].clone()
    for optimizer in optimizers:
        optimizer.step()
    return optimizers


def _ended(optimizers: list[Optimizer], places: list[list], replicates: Tensor) -> Tensor:
    """What the parameters hold where they are evaluated."""
    for optimizer in optimizers:
        if _swaps(optimizer):
            optimizer.eval()
    for parameter, _ in _parameters(optimizers, places):
        parameter.grad = None
    return _gathered(optimizers, places, replicates)


def _steps_by_closure(optimizers: list[Optimizer], asked: _Asked) -> list[Optimizer]:
    """Steps in rounds, each with one more gradient of all replicates: steps of copies may be begun again.

    Each replicate has random numbers of its own, so that it draws the same ones again.
    """
    moved, seeds = [None] * len(optimizers), torch.randint(2**62, (len(optimizers),)).tolist()
    while True:
        points = asked.points[0].clone()
        for i in (i for i, done in enumerate(moved) if done is None):
            (copied,) = _copies([optimizers[i]])
            try:
                with torch.random.fork_rng(devices=[]):
                    torch.default_generator.manual_seed(seeds[i])
                    _step_by_closure(copied, i, asked)
                moved[i] = copied
            except _Needed as query:
                points[i] = query.point
        if None not in moved:
            return moved
        if len(asked.points) == MOST:
            raise ValueError(
                f"a step asks at more than {MOST} points; accepted are closures that are asked again at the same"
            )
        asked.more(points)


def _step_by_closure(optimizer: Optimizer, i: int, asked: _Asked) -> None:
    ((parameter, _),) = _parameters([optimizer], [[i]])

    def closure() -> Tensor:
        j = asked.known(i, parameter.detach())
        parameter.grad = asked.gradients[j][i].clone()
        return _Loss.of(lambda: asked.loss(j, i))

    parameter.grad = asked.gradients[0][i].clone()  # some are asked to step at a gradient, and call for the next one
    optimizer.step(closure)


def _parameter(x: Tensor) -> torch.nn.Parameter:
    return torch.nn.Parameter(x.detach().clone())


def _parameters(optimizers: list[Optimizer], places: list[list]) -> Iterator[tuple[Tensor, int | slice | Tensor]]:
    """Every parameter with its place among the replicates."""
    for optimizer, own in zip(optimizers, places, strict=True):
        yield from zip((p for group in optimizer.param_groups for p in group["params"]), own, strict=True)


def _gathered(optimizers: list[Optimizer], places: list[list], replicates: Tensor) -> Tensor:
    """The parameters as replicates (R, *shape); the one that holds them all needs no copy, being replaced in a step."""
    parameters = list(_parameters(optimizers, places))
    if len(parameters) == 1 and isinstance(parameters[0][1], slice):
        return parameters[0][0].detach()
    new = torch.empty_like(replicates)
    for parameter, place in parameters:
        new[place] = parameter.detach()
    return new


def _swaps(optimizer: Optimizer) -> bool:
    """Whether it has a train and an eval mode, between which the parameters change places."""
    return callable(getattr(optimizer, "train", None)) and callable(getattr(optimizer, "eval", None))


def _copies(optimizers: list[Optimizer], like: Tensor | None = None) -> list[Optimizer]:
    """Deep copies. like: floating-point tensors get its precision, and all tensors its device."""
    memo = {}
    copies = [_copied(each, memo) for each in optimizers]
    if like is not None:
        for tensor in [each for each in memo.values() if isinstance(each, Tensor)]:
            tensor.data = tensor.data.to(like.device, like.dtype if tensor.is_floating_point() else tensor.dtype)
    return copies


def _copied(value: object, memo: dict) -> object:
    """A deep copy, of an optimizer with all attributes, of which its own copy keeps the state and the param groups only.

    What is most frequent here comes first, because a step costs little more than this copy.
    """
    kind = type(value)
    if kind in PLAIN:
        return value
    if id(value) in memo:
        return memo[id(value)]
    if kind is list:
        memo[id(value)] = new = []
        new += [_copied(each, memo) for each in value]
    elif kind is tuple:
        memo[id(value)] = new = tuple([_copied(each, memo) for each in value])
    elif kind in (dict, OrderedDict, defaultdict):
        memo[id(value)] = new = defaultdict(value.default_factory) if kind is defaultdict else kind()
        for key, each in value.items():
            new[_copied(key, memo)] = _copied(each, memo)
    elif kind in (Tensor, torch.nn.Parameter) and value.layout is torch.strided:
        memo[id(value)] = new = _copied_tensor(value, memo)
    elif isinstance(value, Optimizer):
        memo[id(value)] = new = object.__new__(kind)
        vars(new).update(_copied(vars(value), memo))
    else:
        new = deepcopy(value, memo)
    return new


def _copied_tensor(value: Tensor, memo: dict) -> Tensor:
    """A copy of a tensor that shares memory with copies of those with which the tensor does."""
    storage, detached, key = value.untyped_storage(), value.detach(), _memory_of(value)
    if key not in memo and value.is_contiguous() and value.nbytes == storage.nbytes():
        new = detached.clone()
        memo[key] = new.untyped_storage()
    else:
        if key not in memo:
            memo[key] = storage.clone()
        new = detached.new_empty(0).set_(memo[key], value.storage_offset(), value.size(), value.stride())
    return torch.nn.Parameter(new, value.requires_grad) if isinstance(value, torch.nn.Parameter) else new


def _memory_of(tensor: Tensor) -> tuple[str, int]:
    return "memory", tensor.untyped_storage().data_ptr()


class _Whole(pickle.Pickler):
    """Keeps all attributes of optimizers, of which torch itself keeps the state and the param groups only."""

    def reducer_override(self, value: object):
        if isinstance(value, Optimizer):
            return object.__new__, (type(value),), vars(value), None, None, _update
        return NotImplemented


def _update(optimizer: Optimizer, attributes: dict) -> None:
    vars(optimizer).update(attributes)


def _tensors(value: object) -> list[Tensor]:
    """A setting that is a tensor, or those in a tuple."""
    if isinstance(value, tuple):
        return [tensor for part in value for tensor in _tensors(part)]
    return [value] if isinstance(value, Tensor) else []


def _values(value: object, grid: Size, ndim: int) -> list:
    """The value of a setting in each entry of the grid, tensors as numbers."""
    if isinstance(value, tuple) and _tensors(value):
        return list(zip(*(_values(part, grid, ndim) for part in value), strict=True))
    if isinstance(value, Tensor):
        return value.reshape(value.shape[:-ndim]).expand(grid).flatten().tolist()
    return [value] * math.prod(grid)


def _broadcasts(grid: Size, batch: Size) -> bool:
    try:
        return torch.broadcast_shapes(grid, batch) == batch
    except RuntimeError:
        return False


def _line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
