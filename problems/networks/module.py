r"""Any module of torch as a problem: its parameters by name are the point.

    f(x) = (1/n) sum_i loss(module(a_i; x), y_i),        x = {name: tensor (*batch, *shape)}

Every leading axis of the tensors is a batch of networks of its own, and all of them are evaluated and differentiated in one
call (torch.func: functional_call, grad, vmap). `Layerwise({name: solver, ...})` moves every parameter by a solver of its
own; `flattened(problem)` is the same problem over one vector, which every solver takes.

The module is used as it stands, in the mode that it is in, and is never changed. One with buffers (the running statistics of
a batch normalization) or that draws random numbers (dropout in training mode) is no function of its parameters: buffers are
refused, random numbers raise an error of torch. Nothing is certified but what the loss says: the gap is f itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from ratewitness.problems.networks.mlp import cross_entropy
from ratewitness.problems.problem import FiniteSum, uncertified
from torch import Tensor
from torch.func import functional_call, grad, vmap


def module_problem(
    module: torch.nn.Module,
    inputs: Tensor,
    y: Tensor,
    loss: Callable[[Tensor, Tensor], Tensor] = cross_entropy,
    name: str = "module",
) -> FiniteSum:
    """The mean loss of a module on inputs (n, ...) and y (n, ...), started at its own parameters.

    loss: outputs and y of a minibatch -> a number, its mean. Raises ValueError for a module with buffers or without
    parameters, and where inputs and y differ in length.
    """
    start = {key: parameter.detach().clone() for key, parameter in module.named_parameters()}
    if not start or (buffers := [key for key, _ in module.named_buffers()]):
        what = f"the buffers {', '.join(buffers)}" if start else "no parameters"
        raise ValueError(f"the module has {what}; accepted are modules with parameters and without buffers")
    if len(inputs) != len(y):
        raise ValueError(f"inputs and y have {len(inputs)} and {len(y)} rows; accepted are as many of both")
    n, shapes = len(inputs), {key: tuple(part.shape) for key, part in start.items()}

    def value(x, a, b):
        return loss(functional_call(module, x, (a,)), b)

    def batched(function, x, index=None):
        """The function for every network of a batch, on all rows or each on its own (*batch, b)."""
        key = next(iter(shapes))
        batch = x[key].shape[: x[key].ndim - len(shapes[key])]
        given = (x,) if index is None else (x, index.expand(*batch, index.shape[-1]))

        def one(x, index=slice(None)):
            return function(x, inputs[index], y[index])

        for _ in batch:
            one = vmap(one)
        return one(*given)

    return FiniteSum(
        name=name,
        n=n,
        shape=shapes,
        gap=lambda x: batched(value, x),
        grad=lambda x: batched(grad(value), x),
        sample_grad=lambda x, index: batched(grad(value), x, index),
        start=start,
        minimizer=None,
        constants=uncertified(math.inf, "not known, so that the gap shown is f itself"),
        floor=max(torch.finfo(part.dtype).eps for part in start.values()),
    )
