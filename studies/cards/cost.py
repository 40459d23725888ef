"""D. Cost of a step: memory kept and moved, kernel calls and host reads, counted without a clock; and time beside SGD.

    state         numbers kept for each parameter, wherever the optimizer keeps them
    passes        bytes read and written by the calls, over those of the parameters: SGD reads g and x and writes x, 3
    calls         kernel calls a tensor
    host reads    times a step waits for a number from the device, those of its own step counters apart

They are what torch's dispatcher sees of a late step on float32 tensors: views are free, and a product of matrices counts its
memory alone. Only the last fact is timed, and it is one of the machine that it was measured on.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import torch
from ratewitness.studies.cards.fact import Fact
from ratewitness.studies.cards.subject import MATRIX, VECTOR, Subject, normal, said, subject
from ratewitness.studies.measuring.timing import race
from torch import Tensor
from torch.optim import Optimizer
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

TENSORS = 4
SIDE = 64
WARM = 12  # steps before the counted ones, in which state is made and warm-ups end
COUNTED = 10
HOST_READS = ("_local_scalar_dense", "nonzero", "masked_select", "equal", "_unique2", "unique_dim")
WRITE_ONLY = ("copy_", "fill_", "zero_")  # of what they change
SIDES = (1000, 250, SIDE)  # of the timed matrix: the largest of which a step takes
PATIENCE = 0.5  # seconds at most, if it grows like the cube of the side


@dataclass(eq=False)
class Count(TorchDispatchMode):
    """Calls, bytes and host reads of what runs inside; reads of `counters`, by address, are counted apart."""

    counters: frozenset[int] = frozenset()
    calls: int = 0
    moved: int = 0
    host_reads: int = 0
    counter_reads: int = 0

    def __post_init__(self):
        super().__init__()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        out = func(*args, **kwargs)
        namespace, _, name = func._schema.name.partition("::")
        if name in HOST_READS:
            own = any(tensor.data_ptr() in self.counters for tensor in _tensors(args))
            self.counter_reads += own
            self.host_reads += not own
        elif namespace != "profiler" and not _is_view(func._schema) and not name.startswith("empty"):
            self.calls += 1
            self.moved += _moved(func._schema, name, args, kwargs, out)
        return out


def _is_view(schema) -> bool:
    return any(given.alias_info is not None and not given.alias_info.is_write for given in schema.returns)


def _moved(schema, name: str, args: tuple, kwargs: dict, out: object) -> int:
    """Bytes that a call reads, and those that it writes."""
    read = written = 0
    for place, argument in enumerate(schema.arguments):
        given = args[place] if place < len(args) else kwargs.get(argument.name)
        size = sum(tensor.numel() * tensor.element_size() for tensor in _tensors(given))
        changed = argument.alias_info is not None and argument.alias_info.is_write
        written += size * changed
        read += size * (not (changed and (argument.is_out or name in WRITE_ONLY)) and not name.endswith("_like"))
    if not any(argument.alias_info is not None and argument.alias_info.is_write for argument in schema.arguments):
        written += sum(tensor.numel() * tensor.element_size() for tensor in _tensors(out))
    return read + written


def _tensors(tree: object) -> list[Tensor]:
    return [leaf for leaf in tree_leaves(tree) if isinstance(leaf, Tensor)]


def cost(examined: Subject) -> Iterator[Fact]:
    """The facts of part "cost", one after the other."""
    for measure in (counted, timed):
        begin = time.thread_time()
        try:
            facts = measure(examined)
        except Exception as error:  # whatever the class raises on float32
            facts = [Fact(measure.__name__, f"not decided: a step in float32 raises {said(error)}")]
        share = (time.thread_time() - begin) / len(facts)
        yield from (replace(fact, part="cost", seconds=share) for fact in facts)


def counted(examined: Subject, side: int = SIDE) -> list[Fact]:
    """State, passes over memory, calls a tensor and host reads of a step of four float32 tensors."""
    params, optimizer = _warm(examined, side)
    begun, count = _scalars(optimizer), Count()
    for k in range(1 + COUNTED):
        _show(params, k)
        if k == 1:  # the one before has told which scalars count steps
            count = Count(count.counters)
        with count:
            _step(examined, optimizer)
        now = _scalars(optimizer)
        count.counters = frozenset(place for place, value in now.items() if begun.get(place) == value - 1)
        begun = now
    numbers = sum(p.numel() for p in params)
    passes, calls = count.moved / COUNTED / (4 * numbers), count.calls / COUNTED / len(params)
    reads, own = count.host_reads / COUNTED, count.counter_reads / COUNTED
    return [
        _state(optimizer, params),
        Fact("passes", f"{passes:.1f} passes over the memory of the parameters a step (SGD 3)", passes),
        Fact("calls", f"{calls:.1f} kernel calls a tensor (SGD 1)", calls),
        Fact("host reads", f"{reads:.1f} a step{f', and {own:.1f} of its own step counters' * (own > 0)}", reads),
    ]


def _state(optimizer: Optimizer, params: list[Tensor]) -> Fact:
    kept = _kept(optimizer, params)
    numbers, memory = sum(p.numel() for p in params), sum(p.numel() * p.element_size() for p in params)
    large = [tensor for tensor in kept if tensor.numel() > 1]
    each, bytes_ = sum(t.numel() for t in large) / numbers, sum(t.numel() * t.element_size() for t in kept) / memory
    dtypes = sorted({str(tensor.dtype).removeprefix("torch.") for tensor in large})
    words = (
        f"{each:.2f} numbers a parameter ({', '.join(dtypes) or 'none'}), {bytes_:.2f} x the memory of float32 parameters"
    )
    return Fact("state", words, each)


def timed(examined: Subject) -> list[Fact]:
    """Nanoseconds an element of one float32 matrix or vector, in turns with SGD."""
    pace = _pace(examined)
    side = next((side for side in SIDES if pace * (side / SIDE) ** 3 <= PATIENCE), SIDE)
    sgd = subject(torch.optim.SGD)
    steps = {"SGD": _stepper(sgd, examined, side), "it": _stepper(examined, examined, side)}
    table = race({(side,): lambda _: steps}, ["side"], lambda _: 5)
    wide = table.pivot_table(index="round", columns="method", values="seconds")
    ratio, each = wide["it"] / wide["SGD"], 1e9 * wide["it"].median() / side**2
    words = (
        f"{each:.2g} ns an element, {ratio.median():.1f} x SGD ({ratio.min():.1f} to {ratio.max():.1f} in {len(ratio)} "
        f"rounds), {side} x {side} in float32, of this machine"
    )
    return [Fact("time", words, float(ratio.median()))]


def _pace(examined: Subject) -> float:
    """Seconds of a late step of one tensor."""
    params, optimizer = _warm(examined, SIDE, 1)
    seconds = []
    for k in range(5):
        _show(params, k)
        begin = time.thread_time()
        _step(examined, optimizer)
        seconds.append(time.thread_time() - begin)
    return sorted(seconds)[2]


def _stepper(moving: Subject, examined: Subject, side: int) -> Callable[[], None]:
    params, optimizer = _warm(moving, side, 1, _shape(examined, side))
    gradients = [p.grad for p in params]

    def step():
        for p, g in zip(params, gradients, strict=True):
            p.grad = g
        _step(moving, optimizer)

    return step


def _shape(examined: Subject, side: int) -> tuple[int, ...]:
    return (side, side) if examined.takes_shape(MATRIX) else (side**2,) if examined.takes_shape(VECTOR) else examined.shape


def _warm(examined: Subject, side: int, tensors: int = TENSORS, shape: tuple[int, ...] = ()) -> tuple[list, Optimizer]:
    """Parameters and their optimizer after some steps; the larger the tensors, the fewer of these."""
    shape = shape or _shape(examined, side)
    params = [torch.nn.Parameter(normal(*shape, seed=k).float()) for k in range(tensors)]
    optimizer = examined.build(params)
    for k in range(WARM if side <= SIDE else 2):
        _show(params, k)
        _step(examined, optimizer)
    return params, optimizer


def _show(params: list[Tensor], k: int) -> None:
    for i, p in enumerate(params):
        p.grad = normal(*p.shape, seed=100 * k + i).float()


def _step(examined: Subject, optimizer: Optimizer) -> None:
    optimizer.step(lambda: torch.zeros(())) if examined.closure else optimizer.step()


def _scalars(optimizer: Optimizer) -> dict[int, float]:
    """Values of what it keeps in one number, by address."""
    return {tensor.data_ptr(): float(tensor) for tensor in _kept(optimizer, []) if tensor.numel() == 1}


def _kept(optimizer: Optimizer, params: list[Tensor]) -> list[Tensor]:
    """Every tensor that the optimizer holds, in its state, groups or attributes, but for parameters and their gradients."""
    known = {id(optimizer)}
    seen = {t.untyped_storage().data_ptr() for p in params for t in (p, p.grad) if t is not None}
    found, waiting = [], [vars(optimizer)]
    while waiting:
        each = waiting.pop()
        if id(each) in known:
            continue
        known.add(id(each))
        if isinstance(each, Tensor):
            if each.untyped_storage().data_ptr() not in seen and not isinstance(each, torch.nn.Parameter):
                seen.add(each.untyped_storage().data_ptr())
                found.append(each)
        elif isinstance(each, dict):
            waiting += each.values()
        elif isinstance(each, list | tuple | set):
            waiting += each
        elif isinstance(each, Optimizer):
            waiting.append(vars(each))
    return found
