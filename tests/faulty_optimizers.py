"""Optimizers as people write them, each with one slip, and the same code without it.

Each class is faulty; its attribute Corrected is a subclass that differs in `right` alone, where the slip is made.
`FAULTS` says of each what is wrong, where that was met, which rule the class claims to be, and the numbers that tell both
apart. No fault is exotic: 31 were reported in public for real optimizers, the others are relatives of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.optim import Optimizer

F64 = torch.float64


class _Base(Optimizer):
    """Every tensor on its own, moved by update(p, g, state, group)."""

    right = False

    def __init_subclass__(cls, **settings):
        super().__init_subclass__(**settings)
        if not cls.right:
            where = {"__module__": cls.__module__, "__qualname__": f"{cls.__qualname__}.Corrected", "__doc__": cls.__doc__}
            cls.Corrected = type("Corrected", (cls,), {"right": True, **where})

    @torch.no_grad()
    def step(self, closure=None):
        loss = _asked(closure)
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    self.update(p, p.grad, self.state[p], group)
        return loss


def _asked(closure):
    with torch.enable_grad():
        return None if closure is None else closure()


class _Adam(_Base):
    """Adam as torch has it: decay is added to the gradient."""

    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0):
        super().__init__(params, dict(lr=lr, betas=betas, eps=eps, weight_decay=weight_decay))

    def update(self, p, g, state, group):
        if group["weight_decay"] != 0:
            g = g + group["weight_decay"] * p
        p.sub_(group["lr"] * self.direction(p, g, state, group))

    def direction(self, p, g, state, group):
        if not state:
            state.update(k=0, m=torch.zeros_like(p), v=torch.zeros_like(p))
        k = self.count(p, state, group)
        self.average(g, state, *group["betas"])
        return self.ratio(state["m"], state["v"], k, state, group)

    def count(self, p, state, group):
        state["k"] += 1
        return state["k"]

    def average(self, g, state, beta1, beta2):
        state["m"].lerp_(g, 1 - beta1)
        state["v"].mul_(beta2).addcmul_(g, g, value=1 - beta2)

    def ratio(self, m, v, k, state, group):
        beta1, beta2 = group["betas"]
        return m / (1 - beta1**k) / ((v / (1 - beta2**k)).sqrt() + group["eps"])


class _AdamW(_Adam):
    """Decay multiplies the weights."""

    def update(self, p, g, state, group):
        p.mul_(1 - group["lr"] * group["weight_decay"])
        p.sub_(group["lr"] * self.direction(p, g, state, group))


class _SGD(_Base):
    """SGD as torch has it."""

    def __init__(self, params, lr=1e-3, momentum=0.0, dampening=0.0, weight_decay=0.0, nesterov=False, maximize=False):
        settings = dict(momentum=momentum, dampening=dampening, weight_decay=weight_decay, nesterov=nesterov)
        super().__init__(params, dict(lr=lr, maximize=maximize, **settings))

    def update(self, p, g, state, group):
        g = self.gradient(p, g, group)
        p.sub_(self.rate(group) * (self.velocity(g, state, group) if group["momentum"] else g))

    def rate(self, group):
        return group["lr"]

    def gradient(self, p, g, group):
        g = -g if group["maximize"] else g
        return g + group["weight_decay"] * p if group["weight_decay"] else g

    def velocity(self, g, state, group):
        if "momentum" not in state:
            state["momentum"] = g.clone()
        else:
            state["momentum"].mul_(group["momentum"]).add_(g, alpha=1 - group["dampening"])
        return g + group["momentum"] * state["momentum"] if group["nesterov"] else state["momentum"]


class _Muon(_Base):
    """The polar factor of the momentum, times sqrt(max(1, rows/columns)); axes after the second are flattened."""

    def __init__(self, params, lr=1e-3, weight_decay=0.0, momentum=0.95, nesterov=True):
        super().__init__(params, dict(lr=lr, weight_decay=weight_decay, momentum=momentum, nesterov=nesterov))

    def update(self, p, g, state, group):
        if p.ndim < 2:
            raise ValueError(f"a parameter has shape {tuple(p.shape)}; accepted are matrices and convolutions")
        if not state:
            state["momentum"] = torch.zeros_like(p)
        self.decay(p, group)
        m = state["momentum"].lerp_(g, 1 - group["momentum"])
        u = self.orthogonal(self.averaged(g, m, group))
        p.sub_(group["lr"] * self.scale(p) * u.reshape(p.shape))

    def decay(self, p, group):
        p.mul_(1 - group["lr"] * group["weight_decay"])

    def averaged(self, g, m, group):
        return torch.lerp(g, m, group["momentum"]) if group["nesterov"] else m

    def orthogonal(self, m):
        return polar(m.flatten(1))

    def scale(self, p):
        rows, columns = p.flatten(1).shape
        return max(1, rows / columns) ** 0.5


def polar(g: Tensor) -> Tensor:
    """U V^T of the singular value decomposition, of the singular values that are not 0: (*batch, m, n) -> the same."""
    U, s, Vh = torch.linalg.svd(g, full_matrices=False)
    return U * (s > 1e-6 * s[..., :1]).unsqueeze(-2) @ Vh


class AMSGradCorrectedMax(_Adam):
    def ratio(self, m, v, k, state, group):
        beta1, beta2 = group["betas"]
        correction = 1 - beta2**k
        largest = torch.maximum(state.get("largest", torch.zeros_like(v)), v if self.right else v / correction)
        state["largest"] = largest
        root = (largest / correction if self.right else largest).sqrt()
        return m / (1 - beta1**k) / (root + group["eps"])


class AMSGradMaxNotKept(_Adam):
    def ratio(self, m, v, k, state, group):
        largest = torch.maximum(state.setdefault("largest", torch.zeros_like(v)), v)
        if self.right:
            state["largest"] = largest
        return super().ratio(m, largest, k, state, group)


class AdamEpsCorrected(_Adam):
    def ratio(self, m, v, k, state, group):
        beta1, beta2 = group["betas"]
        if self.right:
            return super().ratio(m, v, k, state, group)
        return (1 - beta2**k) ** 0.5 / (1 - beta1**k) * m / (v.sqrt() + group["eps"])


class AdamCountsTwice(_Adam):
    def count(self, p, state, group):
        state["k"] += 1
        if not self.right:
            state["k"] += 1
        return state["k"]


class AdamMinusOneTwice(_Adam):
    def ratio(self, m, v, k, state, group):
        beta1, beta2 = group["betas"]
        correction = 1 - beta1**k - (0 if self.right else 1)
        return m / correction / ((v / (1 - beta2**k)).sqrt() + group["eps"])


class ADOPTPresentV(_Base):
    def __init__(self, params, lr=1e-3, betas=(0.9, 0.9999), eps=1e-6, weight_decay=0.0):
        super().__init__(params, dict(lr=lr, betas=betas, eps=eps, weight_decay=weight_decay))

    def update(self, p, g, state, group):
        beta1, beta2 = group["betas"]
        p.mul_(1 - group["lr"] * group["weight_decay"])
        if not state:
            state.update(m=torch.zeros_like(p), v=g * g)
            return
        before = state["v"].clone()
        state["v"].mul_(beta2).addcmul_(g, g, value=1 - beta2)
        v = before if self.right else state["v"]
        state["m"].lerp_(g / v.sqrt().clamp(min=group["eps"]), 1 - beta1)
        p.sub_(group["lr"] * state["m"])


class SignumForgets(_Base):
    def __init__(self, params, lr=1e-3, momentum=0.9):
        super().__init__(params, dict(lr=lr, momentum=momentum))

    def update(self, p, g, state, group):
        if not state or not self.right:
            state["momentum"] = torch.zeros_like(p)
        state["momentum"].lerp_(g, 1 - group["momentum"])
        p.sub_(group["lr"] * state["momentum"].sign())


class SGDForeachIsAnotherRule(_Base):
    def __init__(self, params, lr=1e-3, momentum=0.9, weight_decay=0.0, foreach=True):
        super().__init__(params, dict(lr=lr, momentum=momentum, weight_decay=weight_decay, foreach=foreach))

    @torch.no_grad()
    def step(self, closure=None):
        loss = _asked(closure)
        for group in self.param_groups:
            params = [p for p in group["params"] if p.grad is not None]
            grads = [p.grad + group["weight_decay"] * p for p in params]
            buffers = [self.state[p].setdefault("momentum", torch.zeros_like(p)) for p in params]
            if group["foreach"] and params:
                self.together(params, grads, buffers, group)
            else:
                for p, g, m in zip(params, grads, buffers, strict=True):
                    p.sub_(group["lr"] * m.mul_(group["momentum"]).add_(g))
        return loss

    def together(self, params, grads, buffers, group):
        if self.right:
            torch._foreach_mul_(buffers, group["momentum"])
            torch._foreach_add_(buffers, grads)
        else:
            torch._foreach_add_(buffers, grads)
            torch._foreach_mul_(buffers, group["momentum"])
        torch._foreach_add_(params, buffers, alpha=-group["lr"])


class NAdamMuTwice(_Base):
    def __init__(self, params, lr=2e-3, betas=(0.9, 0.999), eps=1e-8, momentum_decay=4e-3):
        super().__init__(params, dict(lr=lr, betas=betas, eps=eps, momentum_decay=momentum_decay))

    def update(self, p, g, state, group):
        beta1, beta2 = group["betas"]
        if not state:
            state.update(k=0, product=1.0, m=torch.zeros_like(p), v=torch.zeros_like(p))
        state["k"] += 1
        k = state["k"]
        mu, following = (beta1 * (1 - 0.5 * 0.96 ** (i * group["momentum_decay"])) for i in (k, k + 1))
        state["product"] *= mu
        product = state["product"] * following if self.right else state["product"] * mu * following
        state["m"].lerp_(g, 1 - beta1)
        state["v"].mul_(beta2).addcmul_(g, g, value=1 - beta2)
        root = (state["v"] / (1 - beta2**k)).sqrt() + group["eps"]
        p.sub_(group["lr"] * (1 - mu) / (1 - state["product"]) * g / root)
        p.sub_(group["lr"] * following / (1 - product) * state["m"] / root)


class AdamComplementTwice(_Adam):
    def ratio(self, m, v, k, state, group):
        beta1, beta2 = group["betas"]
        c1, c2 = 1 - beta1**k, 1 - beta2**k
        # eps in the place that makes the right one Adam
        return (c2 if self.right else 1 - c2) ** 0.5 / c1 * m / (v.sqrt() + group["eps"] * c2**0.5)


class DiffGradAliased(_Adam):
    def direction(self, p, g, state, group):
        friction = torch.sigmoid((self.before(state, g) - g).abs())
        moments = state.setdefault("moments", {})
        return friction * super().direction(p, g, moments, group)

    def before(self, state, g):
        before = state.get("before", torch.zeros_like(g))
        state["before"] = g.clone() if self.right else g
        return before


class AdaBeliefEpsAccumulates(_Adam):
    def average(self, g, state, beta1, beta2):
        state["m"].lerp_(g, 1 - beta1)
        difference = g - state["m"]
        state["v"].mul_(beta2).addcmul_(difference, difference, value=1 - beta2)

    def ratio(self, m, v, k, state, group):
        beta1, beta2 = group["betas"]
        v = v + group["eps"] if self.right else v.add_(group["eps"])
        return m / (1 - beta1**k) / ((v / (1 - beta2**k)).sqrt() + group["eps"])


class _Adafactor(_Base):
    """Adafactor as torch has it: a matrix of squares as rows times columns over their mean."""

    def __init__(self, params, lr=1e-2, beta2_decay=-0.8, eps=(None, 1e-3), d=1.0):
        super().__init__(params, dict(lr=lr, beta2_decay=beta2_decay, eps=eps, d=d))

    def update(self, p, g, state, group):
        if not state:
            state.update(k=0, **{name: torch.zeros_like(part) for name, part in self.statistics(g).items()})
        state["k"] += 1
        for name, part in self.statistics(g).items():
            state[name].lerp_(part, state["k"] ** group["beta2_decay"])
        tiny, least = group["eps"]
        tiny = torch.finfo(p.dtype).eps if tiny is None else tiny
        u = g / self.squares(state, tiny).clamp(min=tiny**2).sqrt()
        size = max(least, float(p.square().mean().sqrt())) * min(group["lr"], state["k"] ** -0.5)
        p.sub_(size / max(1.0, float(u.square().mean().sqrt()) / group["d"]) * u)

    def statistics(self, g):
        squares = g * g
        if g.ndim < 2:
            return {"squares": squares}
        return {"rows": squares.mean(-1, keepdim=True), "columns": squares.mean(-2, keepdim=True)}

    def squares(self, state, tiny):
        if "squares" in state:
            return state["squares"]
        return state["rows"] * state["columns"] / self.mean(state["rows"], state["columns"]).clamp(min=tiny)

    def mean(self, rows, columns):
        return rows.mean(-2, keepdim=True)


class AdafactorNotTransposed(_Adafactor):
    def mean(self, rows, columns):
        tall = rows.shape[-2] > columns.shape[-1]
        return rows if tall and not self.right else rows.mean(-2, keepdim=True)


class AdamWDecaysAfterTheStep(_AdamW):
    def update(self, p, g, state, group):
        if self.right:
            super().update(p, g, state, group)
        else:
            p.sub_(group["lr"] * self.direction(p, g, state, group))
            p.mul_(1 - group["lr"] * group["weight_decay"])


class AdamMultiplies(_Adam):
    def ratio(self, m, v, k, state, group):
        beta1, beta2 = group["betas"]
        root = (v / (1 - beta2**k)).sqrt()
        return m / (1 - beta1**k) / (root + group["eps"]) if self.right else m / (1 - beta1**k) * root


class AdagradAscends(_Base):
    def __init__(self, params, lr=1e-2, eps=1e-10):
        super().__init__(params, dict(lr=lr, eps=eps))

    def update(self, p, g, state, group):
        if not state:
            state["sum"] = torch.zeros_like(p)
        state["sum"].addcmul_(g, g)
        p.add_(g / (state["sum"].sqrt() + group["eps"]), alpha=-group["lr"] if self.right else group["lr"])


class SGDNoMomentumNoDecay(_SGD):
    def gradient(self, p, g, group):
        return super().gradient(p, g, group) if self.right or group["momentum"] else g


class SGDDampensTheFirstStep(_SGD):
    def velocity(self, g, state, group):
        if not self.right and "momentum" not in state:
            state["momentum"] = torch.zeros_like(g)
        return super().velocity(g, state, group)


class SGDDecayGrowsWeights(_SGD):
    def gradient(self, p, g, group):
        g = -g if group["maximize"] else g
        return g + group["weight_decay"] * p if self.right else g - group["weight_decay"] * p


class LARSNeverLeavesZero(_Base):
    def __init__(self, params, lr=1e-3, momentum=0.9, weight_decay=0.0, trust_coefficient=0.001):
        settings = dict(momentum=momentum, weight_decay=weight_decay, trust_coefficient=trust_coefficient)
        super().__init__(params, dict(lr=lr, **settings))

    def update(self, p, g, state, group):
        if not state:
            state["momentum"] = torch.zeros_like(p)
        weight, length = p.norm(), g.norm() + group["weight_decay"] * p.norm()
        g = g + group["weight_decay"] * p
        usable = (weight > 0) & (length > 0) if self.right else (weight >= 0) & (length > 0)
        ratio = torch.where(usable, group["trust_coefficient"] * weight / length, 1.0)
        state["momentum"].mul_(group["momentum"]).add_(group["lr"] * ratio * g)
        p.sub_(state["momentum"])


class MuonOrthogonalizesTheGradient(_Muon):
    def averaged(self, g, m, group):
        return super().averaged(g, m, group) if self.right else g


class MuonDecayHasNoEffect(_Muon):
    def decay(self, p, group):
        if self.right:
            p.mul_(1 - group["lr"] * group["weight_decay"])
        else:
            p = p * (1 - group["lr"] * group["weight_decay"])


class MuonStacksTogether(_Muon):
    """Tensors of four axes are stacks of convolutions (layers, out, in, width), each of which is a matrix of its own."""

    def orthogonal(self, m):
        return polar(m.flatten(2) if m.ndim == 4 and self.right else m.flatten(1))


class MuonNormalizesTheMomentum(_Muon):
    def orthogonal(self, m):
        X = m.flatten(1).to(torch.float32, copy=self.right)
        X.div_(X.norm().clamp(min=1e-7))
        return polar(X).to(m.dtype)


class SOAPStaleBasis(_Base):
    """Adam in the eigenbases of averages of G G^T and G^T G, renewed at every step; a vector is one column."""

    def __init__(self, params, lr=3e-3, betas=(0.95, 0.95), eps=1e-8):
        super().__init__(params, dict(lr=lr, betas=betas, eps=eps))

    def update(self, p, g, state, group):
        beta1, beta2 = group["betas"]
        G = g.flatten(1) if g.ndim > 1 else g.reshape(-1, 1)
        if not state:
            state.update(
                m=torch.zeros_like(G), v=torch.zeros_like(G), L=torch.zeros_like(G @ G.mT), R=torch.zeros_like(G.mT @ G)
            )
        state["L"].lerp_(G @ G.mT, 1 - beta2)
        state["R"].lerp_(G.mT @ G, 1 - beta2)
        left, right = (torch.linalg.eigh(state[side]).eigenvectors for side in "LR")
        turns = [(new.mT @ state.get(name, new)).square() for name, new in (("left", left), ("right", right))]
        state.update(v=turns[0] @ state["v"] @ turns[1].mT, left=left, right=right)
        turned = left.mT @ G @ right
        state["m"].lerp_(G if self.right else turned, 1 - beta1)
        state["v"].lerp_(turned * turned, 1 - beta2)
        m = left.mT @ state["m"] @ right if self.right else state["m"]
        u = left @ (m / (state["v"].sqrt() + group["eps"])) @ right.mT
        p.sub_(group["lr"] * u.reshape(p.shape))


class ScionAsksTheGradient(_Base):
    """Unconstrained, with the linear minimization oracle of the largest entry."""

    def __init__(self, params, lr=1e-3, momentum=0.1):
        super().__init__(params, dict(lr=lr, momentum=momentum))

    def update(self, p, g, state, group):
        if not state:
            state["d"] = torch.zeros_like(p)
        state["d"].lerp_(g, group["momentum"])
        p.sub_(group["lr"] * (state["d"] if self.right else g).sign())


class SVRGLastParameter(_Base):
    """Every `period` steps the gradient of the closure at the present point is kept; closures draw their own samples."""

    def __init__(self, params, lr=1e-3, period=10):
        super().__init__(params, dict(lr=lr, period=period))

    @torch.no_grad()
    def step(self, closure):
        params = [p for group in self.param_groups for p in group["params"]]
        if self.state[params[0]].get("k", 0) % self.param_groups[0]["period"] == 0:
            for p in params:
                state = self.state[p]
                state.update(k=0, anchor=p.clone(), average=torch.zeros_like(p))
            _asked(closure)
            for p in params:
                if p.grad is not None:
                    (self.state[p] if self.right else state)["average"] += p.grad
        present = [p.clone() for p in params]
        for p in params:
            p.copy_(self.state[p]["anchor"])
        _asked(closure)
        anchored = [None if p.grad is None else p.grad.clone() for p in params]
        for p, x in zip(params, present, strict=True):
            p.copy_(x)
        loss = _asked(closure)
        for group in self.param_groups:
            for p in group["params"]:
                self.state[p]["k"] += 1
        rates = [group["lr"] for group in self.param_groups for _ in group["params"]]
        for p, old, lr in zip(params, anchored, rates, strict=True):
            if p.grad is not None:
                p.sub_(lr * (p.grad - old + self.state[p]["average"]))
        return loss


class SAMMemoryLost(_Base):
    """The gradient at x + rho g/||g||, g that at x, given to SGD with momentum."""

    def __init__(self, params, lr=1e-3, rho=0.05, momentum=0.9):
        super().__init__(params, dict(lr=lr, rho=rho, momentum=momentum))
        self.base = torch.optim.SGD(self.param_groups, lr=lr, momentum=momentum)
        self.param_groups = self.base.param_groups

    @torch.no_grad()
    def step(self, closure):
        loss = _asked(closure)
        held = [(group, p, p.clone()) for group in self.param_groups for p in group["params"] if p.grad is not None]
        length = sum(p.grad.square().sum() for _, p, _ in held) ** 0.5
        for group, p, _ in held:
            p.add_(p.grad * group["rho"] / (length + 1e-12))
        _asked(closure)
        for _, p, x in held:
            p.copy_(x)
        self.base.step()
        return loss

    def state_dict(self):
        return super().state_dict() | ({"base": self.base.state_dict()} if self.right else {})

    def load_state_dict(self, state_dict):
        super().load_state_dict({name: state_dict[name] for name in ("state", "param_groups")})
        if self.right:
            self.base.load_state_dict(state_dict["base"])
        self.base.param_groups = self.param_groups


class LookaheadSlowWeightsLost(_Base):
    """SGD, whose weights are drawn to slow ones after every k steps."""

    def __init__(self, params, lr=1e-3, k=5, alpha=0.5):
        super().__init__(params, dict(lr=lr, k=k, alpha=alpha))
        self.slow = {}

    def update(self, p, g, state, group):
        kept = state if self.right else self.slow.setdefault(p, {})
        if "slow" not in kept:
            kept["slow"] = p.clone()
        state["steps"] = state.get("steps", 0) + 1
        p.sub_(group["lr"] * g)
        if state["steps"] % group["k"] == 0:
            p.copy_(kept["slow"].lerp_(p, group["alpha"]))


class AdamCounterCast(_Adam):
    """Keeps its counter as a tensor, which loading casts to the dtype of the parameter unless its name is "step"."""

    def count(self, p, state, group):
        name = "step" if self.right else "steps"
        state[name] = state.get(name, torch.tensor(0.0)) + 1
        return state[name].item()


class SGDSparseRowsDecayUnevenly(_Base):
    """Momentum for sparse gradients too, as embeddings have them."""

    def __init__(self, params, lr=1e-3, momentum=0.9):
        super().__init__(params, dict(lr=lr, momentum=momentum))

    def update(self, p, g, state, group):
        if not state:
            state["momentum"] = torch.zeros_like(p)
        m = state["momentum"]
        if g.is_sparse and not self.right:
            g = g.coalesce()
            rows = g.indices()[0]
            m[rows] = group["momentum"] * m[rows] + g.values()
            p[rows] -= group["lr"] * m[rows]
        else:
            p.sub_(group["lr"] * m.mul_(group["momentum"]).add_(g))


class AdamSharedCounter(_Adam):
    def count(self, p, state, group):
        counter = state if self.right else group
        counter["k"] = counter.get("k", 0) + 1
        return counter["k"]


class AdamStateByShape(_Adam):
    def update(self, p, g, state, group):
        super().update(p, g, state if self.right else self.state[tuple(p.shape)], group)


class AdamStateByPosition(_Adam):
    @torch.no_grad()
    def step(self, closure=None):
        loss = _asked(closure)
        for group in self.param_groups:
            for i, p in enumerate(p for p in group["params"] if p.grad is not None):
                self.update(p, p.grad, self.state[p if self.right else i], group)
        return loss


class SGDLrFrozen(_SGD):
    def __init__(self, params, lr=1e-3, momentum=0.0, weight_decay=0.0):
        super().__init__(params, lr, momentum, weight_decay=weight_decay)
        self.lr = lr

    def rate(self, group):
        return group["lr"] if self.right else self.lr


class SGDLrOfTheFirstGroup(_SGD):
    def rate(self, group):
        return (group if self.right else self.param_groups[0])["lr"]


class AdamWDecayNotTimesLr(_AdamW):
    def update(self, p, g, state, group):
        p.mul_(1 - (group["lr"] if self.right else 1) * group["weight_decay"])
        p.sub_(group["lr"] * self.direction(p, g, state, group))


class AdamWDecaysOnceAGroup(_AdamW):
    @torch.no_grad()
    def step(self, closure=None):
        loss = _asked(closure)
        for group in self.param_groups:
            for other in [group] if self.right else self.param_groups:
                for p in other["params"]:
                    p.mul_(1 - group["lr"] * group["weight_decay"])
            for p in group["params"]:
                if p.grad is not None:
                    p.sub_(group["lr"] * self.direction(p, p.grad, self.state[p], group))
        return loss


class AdamWZeroDecayIsTheDefault(_AdamW):
    def update(self, p, g, state, group):
        decay = group["weight_decay"] if self.right else group["weight_decay"] or 0.01
        p.mul_(1 - group["lr"] * decay)
        p.sub_(group["lr"] * self.direction(p, g, state, group))


class SGDMomentumIsTheGradient(_SGD):
    def velocity(self, g, state, group):
        if "momentum" not in state and not self.right:
            state["momentum"] = g
            return g
        return super().velocity(g, state, group)


class SGDNesterovOfTheOldMomentum(_SGD):
    def velocity(self, g, state, group):
        before = state.get("momentum", torch.zeros_like(g)).clone()
        ahead = super().velocity(g, state, group)
        return g + group["momentum"] * before if group["nesterov"] and not self.right else ahead


class SGDSkipsNaN(_SGD):
    def update(self, p, g, state, group):
        if self.right or not g.isnan().any():
            super().update(p, g, state, group)


class SGDMaximizeDecaysUpwards(_SGD):
    def gradient(self, p, g, group):
        if self.right:
            return super().gradient(p, g, group)
        g = g + group["weight_decay"] * p
        return -g if group["maximize"] else g


class SGDForeachIgnoresMaximize(_Base):
    def __init__(self, params, lr=1e-3, maximize=False, foreach=False):
        super().__init__(params, dict(lr=lr, maximize=maximize, foreach=foreach))

    @torch.no_grad()
    def step(self, closure=None):
        loss = _asked(closure)
        for group in self.param_groups:
            params = [p for p in group["params"] if p.grad is not None]
            signed = group["lr"] if group["maximize"] else -group["lr"]
            if group["foreach"] and params:
                torch._foreach_add_(params, [p.grad for p in params], alpha=signed if self.right else -group["lr"])
            else:
                for p in params:
                    p.add_(p.grad, alpha=signed)
        return loss


class AMSGradMaxNotSaved(_Adam):
    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0):
        super().__init__(params, lr, betas, eps, weight_decay)
        self.largest = {}

    def direction(self, p, g, state, group):
        if not state:
            state.update(k=0, m=torch.zeros_like(p), v=torch.zeros_like(p))
        k = self.count(p, state, group)
        self.average(g, state, *group["betas"])
        kept, key = (state, "largest") if self.right else (self.largest, p)
        kept[key] = torch.maximum(kept.get(key, torch.zeros_like(p)), state["v"])
        return self.ratio(state["m"], kept[key], k, state, group)


class AdamCounterNotSaved(_Adam):
    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0):
        super().__init__(params, lr, betas, eps, weight_decay)
        self.counts = {}

    def count(self, p, state, group):
        if self.right:
            return super().count(p, state, group)
        self.counts[p] = self.counts.get(p, 0) + 1
        return self.counts[p]


class AdamPowersInFloat32(_Adam):
    def ratio(self, m, v, k, state, group):
        dtype = F64 if self.right else torch.float32
        powers = state.setdefault("powers", torch.ones(2, dtype=F64)) * torch.tensor(group["betas"], dtype=F64)
        state["powers"] = powers.to(dtype)
        first, second = (1 - state["powers"]).tolist()
        return m / first / ((v / second).sqrt() + group["eps"])


class AdamEpsInTheSquare(_Adam):
    def direction(self, p, g, state, group):
        if not state:
            state.update(k=0, m=torch.zeros_like(p), v=torch.zeros_like(p))
        k = self.count(p, state, group)
        beta1, beta2 = group["betas"]
        state["m"].lerp_(g, 1 - beta1)
        state["v"].lerp_(g * g + (0 if self.right else group["eps"]), 1 - beta2)
        return self.ratio(state["m"], state["v"], k, state, group)


class AdamBetasSwapped(_Adam):
    def average(self, g, state, beta1, beta2):
        super().average(g, state, *((beta1, beta2) if self.right else (beta2, beta1)))


class AdamCorrectsOneAhead(_Adam):
    def ratio(self, m, v, k, state, group):
        return super().ratio(m, v, k if self.right else k + 1, state, group)


class SGDClipsInPlace(_SGD):
    """Gradients of a tensor are clipped to length max_norm."""

    def __init__(self, params, lr=1e-3, momentum=0.0, weight_decay=0.0, max_norm=1.0):
        super().__init__(params, lr, momentum, weight_decay=weight_decay)
        self.max_norm = max_norm

    def gradient(self, p, g, group):
        factor = (self.max_norm / (g.norm() + 1e-12)).clamp(max=1.0)
        return super().gradient(p, g * factor if self.right else g.mul_(factor), group)


class SGDZeroesGradients(_SGD):
    def update(self, p, g, state, group):
        super().update(p, g.clone(), state, group)
        if not self.right:
            g.zero_()


class SGDNoneEndsTheLoop(_SGD):
    @torch.no_grad()
    def step(self, closure=None):
        loss = _asked(closure)
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None and not self.right:
                    break
                if p.grad is not None:
                    self.update(p, p.grad, self.state[p], group)
        return loss


class SGDFirstGroupOnly(_SGD):
    @torch.no_grad()
    def step(self, closure=None):
        loss = _asked(closure)
        for group in self.param_groups if self.right else self.param_groups[:1]:
            for p in group["params"]:
                if p.grad is not None:
                    self.update(p, p.grad, self.state[p], group)
        return loss


class AdafactorSumsColumns(_Adafactor):
    def statistics(self, g):
        found = super().statistics(g)
        if "columns" in found and not self.right:
            found["columns"] = (g * g).sum(-2, keepdim=True)
        return found


class MuonReshapedNotTransposed(_Muon):
    def orthogonal(self, m):
        m = m.flatten(1)
        if m.shape[0] <= m.shape[1]:
            return polar(m)
        u = polar(m.mT)
        return u.mT if self.right else u.reshape(m.shape)


class MuonScaleInverted(_Muon):
    def scale(self, p):
        rows, columns = p.flatten(1).shape
        return max(1, rows / columns if self.right else columns / rows) ** 0.5


class SGDSparseDuplicatesLost(_Base):
    """Plain steps, for sparse gradients too, whose indices may repeat."""

    def __init__(self, params, lr=1e-3):
        super().__init__(params, dict(lr=lr))

    def update(self, p, g, state, group):
        if g.is_sparse and not self.right:
            p[g._indices()[0]] -= group["lr"] * g._values()
        else:
            p.add_(g, alpha=-group["lr"])


class SGDLargestOfNothing(_SGD):
    """Gradients of a tensor are clipped by their largest entry, to 1."""

    def update(self, p, g, state, group):
        if p.numel() > 0 or not self.right:
            super().update(p, g / g.abs().max().clamp(min=1.0), state, group)


class SGDReshapeCopies(_SGD):
    def update(self, p, g, state, group):
        g = self.gradient(p, g, group)
        u = self.velocity(g, state, group) if group["momentum"] else g
        if self.right:
            p.sub_(group["lr"] * u)
        else:
            p.reshape(-1).sub_(group["lr"] * u.reshape(-1))


class SGDViewsTheGradient(_SGD):
    def gradient(self, p, g, group):
        flat = g.reshape(-1) if self.right else g.view(-1)
        return super().gradient(p, flat.reshape(p.shape), group)


class SGDNoScalars(_SGD):
    """Steps over the root of the number of columns."""

    def update(self, p, g, state, group):
        columns = 1 if self.right and p.ndim == 0 else p.shape[-1]
        super().update(p, g / columns**0.5, state, group)


class AdamSquaresOverflow(_Adam):
    def direction(self, p, g, state, group):
        dtype = torch.promote_types(p.dtype, torch.float32) if self.right else p.dtype
        if not state:
            state.update(k=0, m=torch.zeros_like(p, dtype=dtype), v=torch.zeros_like(p, dtype=dtype))
        return super().direction(p, g.to(dtype), state, group).to(p.dtype)


class SGDClosureWithoutGrad(_SGD):
    @torch.no_grad()
    def step(self, closure=None):
        loss = None if closure is None else _asked(closure) if self.right else closure()
        super().step()
        return loss


class SGDLossNotReturned(_SGD):
    def step(self, closure=None):
        loss = super().step(closure)
        return loss if self.right else None


class NormalizedNaNAtZero(_Base):
    def __init__(self, params, lr=1e-3):
        super().__init__(params, dict(lr=lr))

    def update(self, p, g, state, group):
        length = g.norm()
        if length > 0 or not self.right:
            p.sub_(group["lr"] * g / length)


class AdamaxForgetsTheSign(_Base):
    def __init__(self, params, lr=2e-3, betas=(0.9, 0.999), eps=1e-8):
        super().__init__(params, dict(lr=lr, betas=betas, eps=eps))

    def update(self, p, g, state, group):
        beta1, beta2 = group["betas"]
        if not state:
            state.update(k=0, m=torch.zeros_like(p), u=torch.zeros_like(p))
        state["k"] += 1
        state["m"].lerp_(g, 1 - beta1)
        state["u"] = torch.maximum(beta2 * state["u"], (g.abs() if self.right else g) + group["eps"])
        p.sub_(group["lr"] / (1 - beta1 ** state["k"]) * state["m"] / state["u"])


class RMSpropAlphaOfTheGradient(_Base):
    def __init__(self, params, lr=1e-2, alpha=0.99, eps=1e-8):
        super().__init__(params, dict(lr=lr, alpha=alpha, eps=eps))

    def update(self, p, g, state, group):
        if not state:
            state["v"] = torch.zeros_like(p)
        state["v"].lerp_(g * g, 1 - group["alpha"] if self.right else group["alpha"])
        p.sub_(group["lr"] * g / (state["v"].sqrt() + group["eps"]))


class SignumMovesAtZero(_Base):
    def __init__(self, params, lr=1e-3, momentum=0.9):
        super().__init__(params, dict(lr=lr, momentum=momentum))

    def update(self, p, g, state, group):
        if not state:
            state["momentum"] = torch.zeros_like(p)
        m = state["momentum"].lerp_(g, 1 - group["momentum"])
        p.sub_(group["lr"] * (m.sign() if self.right else torch.where(m >= 0, 1.0, -1.0).to(m.dtype)))


Outcome = Callable[[type[Optimizer], dict], list[float]]


@dataclass(frozen=True)
class Fault:
    """A faulty class, and numbers of a small run: wrong of it (or the exception it raises), right of cls.Corrected."""

    cls: type[Optimizer]
    source: str  # owner/repository#issue; empty for an invented one
    what: str
    claim: str  # the rule that it is said to be, as a call with its arguments; empty where it has no common name
    outcome: Outcome
    wrong: list[float] | type[Exception]
    right: list[float]
    kwargs: dict = field(default_factory=dict)  # of the class, for the run and the claim
    invented: bool = False


def played(points, grads, hook=None, groups=None, **dtype) -> Outcome:
    """The entries of all parameters after steps with the gradients grads[t][i] of parameter i (None: without one).

    hook(t, optimizer, parameters) is called before step t, and may return another optimizer to go on with. groups says
    which settings the group of each parameter has, if each is to be in its own.
    """

    def tensor(entries):
        return entries if isinstance(entries, Tensor) else torch.tensor(entries, **{"dtype": F64, **dtype})

    def outcome(cls, kwargs):
        params = [torch.nn.Parameter(tensor(x).clone()) for x in points]
        own = params if groups is None else [{"params": [p], **g} for p, g in zip(params, groups, strict=True)]
        optimizer = cls(own, **kwargs)
        for t, given in enumerate(grads):

            def closure(given=given):
                for p, g in zip(params, given, strict=True):
                    p.grad = None if g is None else tensor(g).clone()
                return 0.5

            closure()
            optimizer = (hook and hook(t, optimizer, params)) or optimizer
            optimizer.step(closure)
        return [entry for p in params for entry in p.detach().double().flatten().tolist()]

    return outcome


def after(*grads, x0=0.0, **dtype) -> Outcome:
    """One parameter from x0, a number for all entries or the entries, along the gradients."""
    first = grads[0] if isinstance(grads[0], Tensor) else torch.tensor(grads[0])
    start = torch.full(first.shape, x0).tolist() if isinstance(x0, float) else x0
    return played([start], [[g] for g in grads], **dtype)


def reloaded(at: int, **built) -> Callable:
    """A hook that goes on before step `at` with a new optimizer, into which the old one was loaded."""

    def hook(t, optimizer, params):
        if t != at:
            return None
        again = type(optimizer)(params, **built)
        again.load_state_dict(deepcopy(optimizer.state_dict()))
        return again

    return hook


def lr_of_the_second_step(t, optimizer, params):
    if t == 1:
        optimizer.param_groups[0]["lr"] = 0.01


def overwritten(cls, kwargs):
    """Gradients 1, then 3 in the same memory, as backward leaves them after zero_grad(set_to_none=False)."""
    x = torch.nn.Parameter(torch.zeros(1, dtype=F64))
    optimizer = cls([x], **kwargs)
    for slope in (1.0, 3.0):
        optimizer.zero_grad(set_to_none=False)
        (slope * x).sum().backward()
        optimizer.step()
    return x.tolist()


def variance_kept(cls, kwargs):
    x = torch.nn.Parameter(torch.zeros(1, dtype=F64))
    optimizer = cls([x], **kwargs)
    x.grad = torch.zeros(1, dtype=F64)
    for _ in range(200):
        optimizer.step()
    return optimizer.state[x]["v"].tolist()


def against_transposed(cls, kwargs):
    """The first entry of the first step of W^T over that of W, 3 x 2."""
    G = torch.tensor(TALL, dtype=F64)
    there, here = (after(g, x0=1.0)(cls, kwargs)[0] - 1 for g in (G.mT, G))
    return [there / here]


def length_of_the_first_layer(cls, kwargs):
    layer = torch.arange(12, dtype=F64).reshape(1, 3, 2, 2) ** 2 % 7 + 1.0
    x = torch.tensor(after(torch.cat([layer, layer]))(cls, kwargs))
    return [float(x[:12].norm()) / kwargs["lr"]]


def counter_after_loading(cls, kwargs):
    """Of a float16 parameter: the counter after step 2048, saving, loading and one more step."""
    x = torch.nn.Parameter(torch.zeros(1, dtype=torch.float16))
    x.grad = torch.ones_like(x)
    optimizer = cls([x], **kwargs)
    optimizer.step()
    state = optimizer.state[x]
    name = "step" if "step" in state else "steps"
    state[name] += 2047
    again = reloaded(0, **kwargs)(0, optimizer, [x])
    again.step()
    return [float(again.state[x][name])]


def row(g: float, touched: bool) -> Tensor:
    """A sparse gradient of two rows, with g in row 0 if it is touched, else with 1 in row 1."""
    return torch.sparse_coo_tensor(
        [[0 if touched else 1]], [[g if touched else 1.0]], (2, 1), dtype=F64, check_invariants=True
    )


def repeated_row() -> Tensor:
    return torch.sparse_coo_tensor([[0, 0]], [[1.0], [2.0]], (2, 1), dtype=F64, check_invariants=True)


def gradients_after_a_step(cls, kwargs):
    x = torch.nn.Parameter(torch.zeros(2, dtype=F64))
    x.grad = torch.tensor([3.0, 4.0], dtype=F64)
    cls([x], **kwargs).step()
    return x.grad.tolist()


def with_backward(cls, kwargs):
    x = torch.nn.Parameter(torch.ones(1, dtype=F64))
    optimizer = cls([x], **kwargs)

    def closure():
        optimizer.zero_grad()
        loss = x.square().sum() / 2
        loss.backward()
        return loss

    loss = optimizer.step(closure)
    return [loss.item(), x.item()]


NOT_CONTIGUOUS = torch.ones(3, 2, dtype=F64).mT
T1, T2 = [[1.0, 1.0], [0.0, 1.0]], [[1.0, 0.0], [0.0, -3.0]]
TALL = [[1.0, 2.0], [3.0, 4.0], [5.0, 9.0]]
TENTH = {"lr": 0.1}
EPS_4 = {"lr": 0.1, "eps": 1e-4}
DECAY = {"lr": 0.1, "weight_decay": 0.1}

_REPORTED = {
    "amsgrad_corrected_max": Fault(
        AMSGradCorrectedMax, "google-deepmind/optax#1389", "the running maximum is taken of the corrected second moment",
        "AMSGrad(lr=0.1)", after([10.0], [0.1]), [-0.147895], [-0.167716], TENTH,
    ),
    "amsgrad_max_not_kept": Fault(
        AMSGradMaxNotKept, "pytorch/pytorch#78807", "the maximum is a local variable and never kept, so that it is Adam",
        "AMSGrad(lr=0.1)", after([10.0], [0.1]), [-0.167747], [-0.167716], TENTH,
    ),
    "adam_eps_corrected": Fault(
        AdamEpsCorrected, "aiqm/torchani#261", "eps is added before the bias correction, and divided by its root",
        "Adam(lr=0.1, eps=1e-4)", after([1e-6]), [-0.000032], [-0.000990], EPS_4,
    ),
    "adam_counts_twice": Fault(
        AdamCountsTwice, "geoopt/geoopt#164", "the step counter is raised twice in a step",
        "Adam(lr=0.1)", after([1.0]), [-0.074414], [-0.1], TENTH,
    ),
    "adam_minus_one_twice": Fault(
        AdamMinusOneTwice, "kozistr/pytorch_optimizer#308", "the bias correction is 1 - b^k - 1, which has the wrong sign",
        "Adam(lr=0.1)", after([1.0]), [0.011111], [-0.1], TENTH,
    ),
    "adopt_present_v": Fault(
        ADOPTPresentV, "kozistr/pytorch_optimizer#346", "the gradient is divided by v_k, which holds it, and not by v_{k-1}",
        "ADOPT(lr=0.1, betas=(0.0, 0.5), clip=None, decay='decoupled')", after([3.0], [1.0]), [-0.044721], [-0.033333],
        {"lr": 0.1, "betas": (0.0, 0.5)},
    ),
    "signum_forgets": Fault(
        SignumForgets, "kozistr/pytorch_optimizer#516", "the momentum is set to zero at every step",
        "Signum(lr=0.1, momentum=0.9)", after([3.0], [-1.0]), [0.0], [-0.2], TENTH,
    ),
    "sgd_foreach_is_another_rule": Fault(
        SGDForeachIsAnotherRule, "kozistr/pytorch_optimizer#519", "foreach adds the gradient before the buffer is decayed",
        "SGD(lr=0.1, momentum=0.5)", after([1.0], [1.0]), [-0.125], [-0.25], {"lr": 0.1, "momentum": 0.5},
    ),
    "nadam_mu_twice": Fault(
        NAdamMuTwice, "pytorch/pytorch#92699", "mu_k is once more a factor of the product for the next step",
        "NAdam(lr=0.1)", after([1.0]), [-0.104953], [-0.105645], TENTH,
    ),
    "adam_complement_twice": Fault(
        AdamComplementTwice, "kozistr/AdaBound-tensorflow#3", "the step has sqrt(1 - c) with c = 1 - b2^k already",
        "Adam(lr=0.1)", after([1.0]), [-3.160696], [-0.1], TENTH,
    ),
    "diffgrad_aliased": Fault(
        DiffGradAliased, "jettify/pytorch-optimizer#57", "the gradient that is kept is no copy, and is overwritten",
        "DiffGrad(lr=0.1)", overwritten, [-0.118994], [-0.153943], TENTH,
    ),  # sigmoid(0), sigmoid(2) are the factors at step 2
    "adabelief_eps_accumulates": Fault(
        AdaBeliefEpsAccumulates, "juntang-zhuang/Adabelief-Optimizer#18", "eps is added to the kept variance at every step",
        "AdaBelief(lr=1e-6, eps=1e-3, decay='coupled')", variance_kept,
        [1e-3 * (1 - 0.999**200) / 0.001], [0.0], {"lr": 1e-6, "eps": 1e-3},
    ),
    "adafactor_not_transposed": Fault(
        AdafactorNotTransposed, "huggingface/pytorch-image-models#2749",
        "of a matrix with more rows than columns the row factor is divided by itself",
        "Adafactor(lr=0.1)", against_transposed, [2.996046], [1.0], TENTH,
    ),
    "adamw_decays_after_the_step": Fault(
        AdamWDecaysAfterTheStep, "bitsandbytes-foundation/bitsandbytes#2010", "decay shrinks the step as well",
        "AdamW(lr=0.5, weight_decay=0.5)", after([1.0], x0=1.0), [0.375], [0.25], {"lr": 0.5, "weight_decay": 0.5},
    ),
    "adam_multiplies": Fault(
        AdamMultiplies, "oracle/tribuo#401", "multiplies by the root of the squares",
        "Adam(lr=0.1)", after([10.0]), [-10.0], [-0.1], TENTH,
    ),
    "adagrad_ascends": Fault(
        AdagradAscends, "PaddlePaddle/Paddle#4184", "adds the step", "Adagrad(lr=0.1)", after([2.0]), [0.1], [-0.1], TENTH,
    ),
    "sgd_no_momentum_no_decay": Fault(
        SGDNoMomentumNoDecay, "ml-explore/mlx#440", "without momentum there is no decay",
        "SGD(lr=0.1, weight_decay=0.1)", after([0.0], x0=1.0), [1.0], [0.99], DECAY,
    ),
    "sgd_dampens_the_first_step": Fault(
        SGDDampensTheFirstStep, "ml-explore/mlx#473", "the first velocity is dampened too",
        "SGD(lr=0.1, momentum=0.9, dampening=0.5)", after([1.0]), [-0.05], [-0.1],
        {"lr": 0.1, "momentum": 0.9, "dampening": 0.5},
    ),
    "sgd_decay_grows_weights": Fault(
        SGDDecayGrowsWeights, "chainer/chainer#261", "decay is subtracted from the gradient",
        "SGD(lr=0.1, weight_decay=0.1)", after([0.0], x0=1.0), [1.01], [0.99], DECAY,
    ),
    "lars_never_leaves_zero": Fault(
        LARSNeverLeavesZero, "Spijkervet/SimCLR#27", "weights that are zero have trust ratio 0, and never move",
        "LARS(lr=0.1, momentum=0.9, trust_coefficient=0.001)", after([1.0]), [0.0], [-0.1], TENTH,
    ),
    "muon_orthogonalizes_the_gradient": Fault(
        MuonOrthogonalizesTheGradient, "google-deepmind/optax#1170", "the polar factor is that of the gradient",
        "Muon(lr=0.1, weight_decay=0.0, orthogonalizer='svd')", after(T1, T2),
        [-0.189443, -0.044721, 0.044721, 0.010557], [-0.188780, -0.056215, 0.033228, 0.009895], TENTH,
    ),
    "muon_decay_has_no_effect": Fault(
        MuonDecayHasNoEffect, "tinygrad/tinygrad#17708", "the decayed weight is assigned to a variable that is not used",
        "Muon(lr=0.1, weight_decay=0.1, orthogonalizer='svd')", after([[0.0, 0.0], [0.0, 0.0]], x0=[[1.0, 0.0], [0.0, 1.0]]),
        [1.0, 0.0, 0.0, 1.0], [0.99, 0.0, 0.0, 0.99], DECAY,
    ),
    "muon_stacks_together": Fault(
        MuonStacksTogether, "microsoft/dion#121", "a stack of convolutions is orthogonalized across its layers",
        "Muon(lr=0.1, weight_decay=0.0, orthogonalizer='svd')", length_of_the_first_layer, [0.5**0.5], [3**0.5], TENTH,
    ),
    "muon_normalizes_the_momentum": Fault(
        MuonNormalizesTheMomentum, "pytorch/pytorch#190597", "in float32 the momentum itself is divided by its length",
        "Muon(lr=0.1, momentum=0.5, nesterov=False, orthogonalizer='svd')", after([[4.0]], [[-1.2]], dtype=torch.float32),
        [0.0], [-0.2], {"lr": 0.1, "momentum": 0.5, "nesterov": False},
    ),  # after 4 the momentum is 2, or 1; then 0.4, or -0.1
    "soap_stale_basis": Fault(
        SOAPStaleBasis, "HomebrewML/HeavyBall#42", "the first moment is kept in the eigenbasis, and not turned with it",
        "", after([[1.0], [0.0]], [[0.0], [3.0]]), [-0.070711, -0.082496], [-0.120711, -0.070711],
        {"lr": 0.1, "betas": (0.5, 0.5)},
    ),
    "scion_asks_the_gradient": Fault(
        ScionAsksTheGradient, "kozistr/pytorch_optimizer#385", "the oracle is asked at the gradient, not at its average",
        "Scion(lr=0.1, memory=0.9, norm='sign')", after([3.0, -1.0], [-1.0, -1.0]), [0.0, 0.2], [-0.2, 0.2], TENTH,
    ),
    "svrg_last_parameter": Fault(
        SVRGLastParameter, "pytorch/pytorch#8010", "all average gradients go to the parameter that a loop ended with",
        "", played([[0.0], [0.0]], [[[1.0], [5.0]]]), [0.0, -0.6], [-0.1, -0.5], TENTH,
    ),
    "sam_memory_lost": Fault(
        SAMMemoryLost, "davda54/sam#39", "state_dict holds nothing of the optimizer inside, whose momentum starts anew",
        "", played([[1.0]], [[[1.0]], [[1.0]]], reloaded(1, lr=0.1)),
        [0.8], [0.71], TENTH,
    ),
    "lookahead_slow_weights_lost": Fault(
        LookaheadSlowWeightsLost, "kozistr/pytorch_optimizer#310", "state_dict holds no slow weights",
        "Lookahead(SGD, lr=1.0, k=2, alpha=0.5)", played([[0.0]], [[[-1.0]]] * 4, reloaded(3, lr=1.0, k=2)), [2.5], [2.0],
        {"lr": 1.0, "k": 2},
    ),
    "adam_counter_cast": Fault(
        AdamCounterCast, "pytorch/pytorch#75214", "loading casts the counter to the dtype of the parameter",
        "Adam(lr=0.1)", counter_after_loading, [2048.0], [2049.0], TENTH,
    ),
    "sgd_sparse_rows_decay_unevenly": Fault(
        SGDSparseRowsDecayUnevenly, "clab/dynet#70", "the momentum of a row decays only when a sparse gradient touches it",
        "SGD(lr=0.1, momentum=0.5)", after(row(1.0, True), row(1.0, False), row(1.0, False), row(1.0, True)),
        [-0.1 * (1 + 1.5), -0.1 * (1 + 1.5)], [-0.1 * (1 + 0.5 + 0.25 + 1.125), -0.1 * (1 + 1.5 + 0.75)],
        {"lr": 0.1, "momentum": 0.5},
    ),
}  # fmt: skip

_INVENTED = {
    "adam_shared_counter": (
        AdamSharedCounter, "one counter of the group is raised for every tensor",
        "Adam(lr=0.1)", played([[0.0], [0.0]], [[[1.0], [1.0]]]), [-0.1, -0.074414], [-0.1, -0.1], TENTH,
    ),
    "adam_state_by_shape": (
        AdamStateByShape, "tensors of the same shape share their moments",
        "Adam(lr=0.1)", played([[0.0], [0.0]], [[[1.0], [-1.0]]]), [-0.1, 0.005263], [-0.1, 0.1], TENTH,
    ),
    "adam_state_by_position": (
        AdamStateByPosition, "a tensor without a gradient hands its state to the next",
        "Adam(lr=0.1)", played([[0.0], [0.0]], [[[1.0], [1.0]], [None, [1.0]], [[1.0], [-1.0]]]),
        [-0.2, -0.194737], [-0.2, -0.226199], TENTH,
    ),
    "sgd_lr_frozen": (
        SGDLrFrozen, "the lr is that of construction, whatever a schedule writes into the group",
        "SGD(lr=0.1)", played([[0.0]], [[[1.0]], [[1.0]]], lr_of_the_second_step), [-0.2], [-0.11], TENTH,
    ),
    "sgd_lr_of_the_first_group": (
        SGDLrOfTheFirstGroup, "all groups take the lr of the first",
        "SGD(lr=0.1)", played([[0.0], [0.0]], [[[1.0], [1.0]]], groups=[{}, {"lr": 0.01}]),
        [-0.1, -0.1], [-0.1, -0.01], TENTH,
    ),
    "adamw_decay_not_times_lr": (
        AdamWDecayNotTimesLr, "decay is not times lr",
        "AdamW(lr=0.1, weight_decay=0.1)", after([0.0], x0=1.0), [0.9], [0.99], DECAY,
    ),
    "adamw_decays_once_a_group": (
        AdamWDecaysOnceAGroup, "every group decays the tensors of all",
        "AdamW(lr=0.1, weight_decay=0.1)", played([[1.0], [1.0]], [[[0.0], [0.0]]], groups=[{}, {}]),
        [0.9801, 0.9801], [0.99, 0.99], DECAY,
    ),
    "adamw_zero_decay_is_the_default": (
        AdamWZeroDecayIsTheDefault, "weight_decay=0 is read as no answer, and 0.01 taken",
        "AdamW(lr=0.1, weight_decay=0.0)", after([0.0], x0=1.0), [0.999], [1.0], TENTH,
    ),
    "sgd_momentum_is_the_gradient": (
        SGDMomentumIsTheGradient, "the buffer begins as the gradient itself, and both change one another",
        "SGD(lr=0.1, momentum=0.9)", overwritten, [-0.64], [-0.49], {"lr": 0.1, "momentum": 0.9},
    ),
    "sgd_nesterov_of_the_old_momentum": (
        SGDNesterovOfTheOldMomentum, "looks ahead with the momentum before this step, which is no look ahead",
        "SGD(lr=0.1, momentum=0.9, nesterov=True)", after([1.0]), [-0.1], [-0.19],
        {"lr": 0.1, "momentum": 0.9, "nesterov": True},
    ),
    "sgd_skips_nan": (
        SGDSkipsNaN, "a gradient with a NaN is skipped without a word",
        "SGD(lr=0.1)", after([math.nan]), [0.0], [math.nan], TENTH,
    ),
    "sgd_maximize_decays_upwards": (
        SGDMaximizeDecaysUpwards, "maximize turns the sign of the decay as well",
        "SGD(lr=0.1, weight_decay=0.1, maximize=True)", after([0.0], x0=1.0), [1.01], [0.99], {**DECAY, "maximize": True},
    ),
    "sgd_foreach_ignores_maximize": (
        SGDForeachIgnoresMaximize, "maximize is forgotten where foreach is",
        "SGD(lr=0.1, maximize=True)", after([1.0]), [-0.1], [0.1], {"lr": 0.1, "maximize": True, "foreach": True},
    ),
    "amsgrad_max_not_saved": (
        AMSGradMaxNotSaved, "state_dict does not hold the running maximum",
        "AMSGrad(lr=0.1)", played([[0.0]], [[[10.0]], [[0.1]]], reloaded(1, lr=0.1)), [-0.167747], [-0.167716], TENTH,
    ),
    "adam_counter_not_saved": (
        AdamCounterNotSaved, "state_dict does not hold the counter, and bias correction begins anew",
        "Adam(lr=0.1)", played([[0.0]], [[[1.0]], [[1.0]]], reloaded(1, lr=0.1)), [-0.234384], [-0.2], TENTH,
    ),
    "adam_powers_in_float32": (
        AdamPowersInFloat32, "powers of the betas are kept in float32, of which 1 - beta2 has four digits",
        "Adam(lr=1.0)", after([1.0]), [-0.999993], [-1.0], {"lr": 1.0},
    ),
    "adam_eps_in_the_square": (
        AdamEpsInTheSquare, "eps is added to the squared gradient",
        "Adam(lr=0.1)", after([1e-6]), [-0.001], [-0.09901], TENTH,
    ),
    "adam_betas_swapped": (
        AdamBetasSwapped, "beta1 averages the squares and beta2 the gradients",
        "Adam(lr=0.1)", after([1.0]), [-0.0001], [-0.1], TENTH,
    ),
    "adam_corrects_one_ahead": (
        AdamCorrectsOneAhead, "the bias correction is that of the next step",
        "Adam(lr=0.1)", after([1.0]), [-0.074414], [-0.1], TENTH,
    ),
    "sgd_clips_in_place": (
        SGDClipsInPlace, "clipping changes p.grad, which others read", "",
        gradients_after_a_step, [0.6, 0.8], [3.0, 4.0], TENTH,
    ),
    "sgd_zeroes_gradients": (
        SGDZeroesGradients, "step zeroes the gradients, which others read",
        "SGD(lr=0.1)", gradients_after_a_step, [0.0, 0.0], [3.0, 4.0], TENTH,
    ),
    "sgd_none_ends_the_loop": (
        SGDNoneEndsTheLoop, "tensors after one without a gradient stay where they are",
        "SGD(lr=0.1)", played([[0.0], [0.0]], [[None, [1.0]]]), [0.0, 0.0], [0.0, -0.1], TENTH,
    ),
    "sgd_first_group_only": (
        SGDFirstGroupOnly, "only the first group is moved",
        "SGD(lr=0.1)", played([[0.0], [0.0]], [[[1.0], [1.0]]], groups=[{}, {}]), [-0.1, 0.0], [-0.1, -0.1], TENTH,
    ),
    "adafactor_sums_columns": (
        AdafactorSumsColumns, "rows have means of squares and columns sums",
        "Adafactor(lr=0.1)", against_transposed, [1.5**0.5], [1.0], TENTH,
    ),
    "muon_reshaped_not_transposed": (
        MuonReshapedNotTransposed, "a tall matrix is transposed before and reshaped after its orthogonalization",
        "Muon(lr=0.1, weight_decay=0.0, orthogonalizer='svd')", after(TALL),
        [0.013104, -0.120895, -0.014585, -0.034888, 0.010327, -0.116945],
        [0.013104, -0.034888, -0.120895, 0.010327, -0.014585, -0.116945], TENTH,
    ),
    "muon_scale_inverted": (
        MuonScaleInverted, "the scale is that of columns over rows",
        "Muon(lr=0.1, weight_decay=0.0, orthogonalizer='svd')", after([[1.0], [0.0], [0.0], [0.0]]),
        [-0.1, 0.0, 0.0, 0.0], [-0.2, 0.0, 0.0, 0.0], TENTH,
    ),
    "sgd_sparse_duplicates_lost": (
        SGDSparseDuplicatesLost, "of entries of a sparse gradient with the same index one counts",
        "SGD(lr=0.1)", after(repeated_row()), [-0.2, 0.0], [-0.3, 0.0], TENTH,
    ),
    "sgd_largest_of_nothing": (
        SGDLargestOfNothing, "a tensor without entries has no largest one",
        "", played([[], [0.0]], [[[], [1.0]]]), RuntimeError, [-0.1], TENTH,
    ),
    "sgd_reshape_copies": (
        SGDReshapeCopies, "a parameter that is not contiguous is copied by reshape, and does not move",
        "SGD(lr=0.1)", played([NOT_CONTIGUOUS], [[NOT_CONTIGUOUS]]), [1.0] * 6, [0.9] * 6, TENTH,
    ),
    "sgd_views_the_gradient": (
        SGDViewsTheGradient, "a gradient that is not contiguous has no view",
        "SGD(lr=0.1)", played([NOT_CONTIGUOUS], [[NOT_CONTIGUOUS]]), RuntimeError, [0.9] * 6, TENTH,
    ),
    "sgd_no_scalars": (
        SGDNoScalars, "a parameter without axes has no last one", "", after(1.0), IndexError, [-0.1], TENTH,
    ),
    "adam_squares_overflow": (
        AdamSquaresOverflow, "the square of 300 is infinite in float16, and the step 0",
        "Adam(lr=0.1)", after([300.0], dtype=torch.float16), [0.0], [-0.09997559], TENTH,
    ),
    "sgd_closure_without_grad": (
        SGDClosureWithoutGrad, "the closure is called where gradients are off",
        "SGD(lr=0.1)", with_backward, RuntimeError, [0.5, 0.9], TENTH,
    ),
    "sgd_loss_not_returned": (
        SGDLossNotReturned, "step(closure) returns nothing", "SGD(lr=0.1)", with_backward, AttributeError, [0.5, 0.9], TENTH,
    ),
    "normalized_nan_at_zero": (
        NormalizedNaNAtZero, "a gradient of zeros is divided by its length", "", after([0.0, 0.0]), [math.nan] * 2,
        [0.0, 0.0], TENTH,
    ),
    "adamax_forgets_the_sign": (
        AdamaxForgetsTheSign, "the largest is that of gradients and not of their sizes",
        "Adamax(lr=0.1)", after([-1.0]), [math.inf], [0.1], TENTH,
    ),
    "rmsprop_alpha_of_the_gradient": (
        RMSpropAlphaOfTheGradient, "alpha weighs the new square and 1 - alpha the old ones",
        "RMSprop(lr=0.1, alpha=0.99)", after([1.0]), [-0.1 / 0.99**0.5], [-1.0], TENTH,
    ),
    "signum_moves_at_zero": (
        SignumMovesAtZero, "the sign of 0 is 1", "Signum(lr=0.1, momentum=0.9)", after([0.0]), [-0.1], [0.0], TENTH,
    ),
}  # fmt: skip

FAULTS: dict[str, Fault] = _REPORTED | {
    name: Fault(cls, "", *rest, invented=True) for name, (cls, *rest) in _INVENTED.items()
}


def faulty(name: str) -> type[Optimizer]:
    return FAULTS[name].cls


def corrected(name: str) -> type[Optimizer]:
    return FAULTS[name].cls.Corrected
