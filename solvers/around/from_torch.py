r"""Any optimizer of torch as a solver.

    x_{k+1} = the parameters after one `step` on the gradient at x_k

torch's optimizers change parameters and their memory in place. A step here builds the optimizer anew around copies of x, of
the gradient and of the memory, and changes nothing in place. The memory is what an optimizer keeps in `state` and in
`param_groups`, as torch wants it. One that draws random numbers of its own does not repeat a step.

Batch: the optimizers of torch that move every entry on its own (ENTRYWISE) get the whole batch as one parameter. Any other
gets one parameter for each replicate, which is always right, and slower: the matrices that Muon orthogonalizes and the norms
that Adafactor takes are those of one point. `ndim` trailing axes of x form one point.

Sweeps: a setting, or an entry of a tuple such as betas, may be a tensor that broadcasts against x and is constant over a
point; its values become param groups.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field

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


@dataclass(frozen=True, eq=False)
class Memory:
    """What an optimizer remembers between two steps, group by group and in each group parameter by parameter."""

    grid: Size  # the leading axes of the settings that are tensors; one group for each entry
    places: list[list[int | slice | Tensor]]  # of the parameters, among the replicates (R, *shape)
    groups: list[dict]
    states: list[list[dict]]
    k: int


@dataclass(frozen=True, eq=False)
class FromTorch:
    """optimizer(parameters, lr=lr, **settings).

    Raises ValueError for anything but an optimizer class that steps on dense gradients without a closure, and remembers in
    `state` and `param_groups` alone; for a setting that it does not have; and where the optimizer does, for bad values.
    `init` raises it for points of a shape that the optimizer does not take, and for settings that do not broadcast.
    """

    optimizer: type[Optimizer]
    lr: Schedule
    settings: Mapping[str, object] = field(default_factory=dict)
    ndim: int = 1

    def __post_init__(self):
        positive_integer(ndim=self.ndim)
        given = self.optimizer
        if not (isinstance(given, type) and issubclass(given, Optimizer)) or given is Optimizer:
            raise ValueError(f"optimizer is {shown(given)}; accepted are classes derived from torch.optim.Optimizer")
        at_least_zero(lr=self.lr)
        if not isinstance(self.settings, Mapping) or "lr" in self.settings:
            raise ValueError(f"settings is {shown(self.settings)}; accepted are mappings of names to values, without lr")
        arguments = inspect.signature(self.optimizer).parameters
        if all(argument.kind is not argument.VAR_KEYWORD for argument in arguments.values()):
            accepted = list(arguments)[1:]  # the first are the parameters
            for name in ("lr", *self.settings):
                if name not in accepted:
                    raise ValueError(f"{name} is no setting of {self._name}; accepted are {', '.join(accepted)}")
        self._try_a_step()

    def init(self, x: Tensor) -> Memory:
        real_floating(x=x)
        if x.ndim < self.ndim:
            raise ValueError(f"ndim is {self.ndim}; accepted are 1 to {x.ndim} for x of shape {tuple(x.shape)}")
        batch, shape = x.shape[: x.ndim - self.ndim], x.shape[x.ndim - self.ndim :]
        grid = self._grid()
        if not _broadcasts(grid, batch):
            raise ValueError(f"settings vary over axes {tuple(grid)}; accepted are those that broadcast to {tuple(batch)}")
        places = _places(grid, batch, together=self.optimizer in ENTRYWISE)
        try:
            optimizer = self._around(x.reshape(-1, *shape), places, self._groups(grid))
        except ValueError as refusal:
            raise ValueError(
                f"{self._name} takes no points of shape {tuple(shape)}: {_line(refusal)}; accepted are points that it does "
                f"take, ndim = {self.ndim} trailing axes of x each"
            ) from refusal
        return _memory(optimizer, grid, places, 0)

    def step(self, x: Tensor, state: Memory, oracle) -> tuple[Tensor, Memory]:
        replicates = x.reshape(-1, *x.shape[x.ndim - self.ndim :])
        g = oracle.grad(x).reshape(replicates.shape)
        groups = deepcopy(state.groups)
        for group, lr in zip(groups, _values(step_size(self.lr, state.k), state.grid, self.ndim), strict=True):
            group["lr"] = lr  # a rule has another one at every step, and what replaced a number may hold here
        optimizer = self._around(replicates, state.places, groups)
        for parameter, place, kept in _aligned(optimizer, state.places, state.states):
            parameter.grad = g[place].clone()
            optimizer.state[parameter] = {name: _copied(value) for name, value in kept.items()}
        optimizer.step()
        new = torch.empty_like(replicates)
        for parameter, place in _aligned(optimizer, state.places):
            new[place] = parameter.detach()
        return new.reshape(x.shape), _memory(optimizer, state.grid, state.places, state.k + 1)

    @property
    def _name(self) -> str:
        return self.optimizer.__name__

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

    def _groups(self, grid: Size) -> list[dict]:
        """The settings of every group at the first step."""
        settings = {**self.settings, "lr": step_size(self.lr, 0)}
        columns = [_values(value, grid, self.ndim) for value in settings.values()]
        return [dict(zip(settings, row, strict=True)) for row in zip(*columns, strict=True)]

    def _around(self, replicates: Tensor, places: list[list], groups: list[dict]) -> Optimizer:
        """The optimizer around copies of the replicates (R, *shape)."""
        first = {name: groups[0][name] for name in ("lr", *self.settings)}
        parameters = [[torch.nn.Parameter(replicates[place].clone()) for place in own] for own in places]
        return self.optimizer([{**g, "params": p} for g, p in zip(groups, parameters, strict=True)], **first)

    def _try_a_step(self) -> None:
        """A step on a matrix, to refuse at once what takes none, or keeps something where it would be lost."""
        for group in reversed(self._groups(self._grid())):  # torch checks the values of the first group only
            try:
                optimizer = self._around(torch.zeros(1, 2, 2, dtype=torch.float64), [[0]], [group])
            except (TypeError, ValueError) as refusal:
                values = ", ".join(f"{name} = {shown(value)}" for name, value in group.items())
                raise ValueError(f"{self._name} does not take {values}: {_line(refusal)}") from refusal
        try:
            before = dict(vars(optimizer))
            (parameter,) = optimizer.param_groups[0]["params"]
            parameter.grad = torch.ones_like(parameter)
            optimizer.step()
        except ValueError:  # its own word on bad values
            raise
        except Exception as refusal:  # a missing argument or closure, a sparse gradient that is wanted, ...
            raise ValueError(
                f"{self._name} takes no step: {_line(refusal)}; accepted are optimizers that step on dense gradients "
                "without a closure"
            ) from refusal
        for name, value in vars(optimizer).items():
            if name not in ("state", "param_groups") and value is not before.get(name):
                raise ValueError(
                    f"{self._name} changes its attribute {name} in a step; accepted are optimizers that remember in `state` "
                    "and `param_groups` alone"
                )


def _tensors(value: object) -> list[Tensor]:
    """A setting that is a tensor, or those in a tuple."""
    if isinstance(value, tuple):
        return [tensor for part in value for tensor in _tensors(part)]
    return [value] if isinstance(value, Tensor) else []


def _values(value: object, grid: Size, ndim: int) -> list:
    """The value of a setting in each group, tensors as numbers."""
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


def _places(grid: Size, batch: Size, together: bool) -> list[list[int | slice | Tensor]]:
    """Where the parameters of each group are: the replicates with its settings, together or one by one."""
    if together and math.prod(grid) == 1:
        return [[slice(None)]]
    group = torch.arange(math.prod(grid)).reshape(grid).expand(batch).flatten()
    members = [(group == i).nonzero().flatten() for i in range(math.prod(grid))]
    return [[own] if together else own.tolist() for own in members]


def _aligned(optimizer: Optimizer, *nested: list[list]) -> list[tuple]:
    """Every parameter with what belongs to it."""
    groups = [group["params"] for group in optimizer.param_groups]
    return [row for own in zip(groups, *nested, strict=True) for row in zip(*own, strict=True)]


def _memory(optimizer: Optimizer, grid: Size, places: list[list], k: int) -> Memory:
    now, state = optimizer.param_groups, optimizer.state
    groups = [{name: value for name, value in group.items() if name != "params"} for group in now]
    states = [[dict(state.get(parameter, {})) for parameter in group["params"]] for group in now]
    return Memory(grid, places, groups, states, k)


def _copied(value: object) -> object:
    return value.clone() if isinstance(value, Tensor) else deepcopy(value)


def _line(error: Exception) -> str:
    return " ".join(str(error).split())
