"""Every bad argument of a solver is refused by one line that names it: what refuses, the call, parts of the message."""

import math
from functools import partial

import numpy as np
import pytorch_optimizer
import torch
from catalogue import ORTHOGONALIZERS
from ratewitness.problems.oracle import Oracle
from ratewitness.problems.perturbation import perturbed
from ratewitness.problems.quadratics import quadratic
from ratewitness.solvers.adadelta import AdaDelta
from ratewitness.solvers.adagrad import AdaGrad, AdaGradNorm, FullAdaGrad
from ratewitness.solvers.adam import Adam, AdamW, AdamWPaper
from ratewitness.solvers.adopt import ADOPT
from ratewitness.solvers.amsgrad import AMSGrad
from ratewitness.solvers.around.ascent import Ascent
from ratewitness.solvers.around.box import Box
from ratewitness.solvers.around.coupled_decay import CoupledDecay
from ratewitness.solvers.around.from_torch import FromTorch
from ratewitness.solvers.around.grokfast import Grokfast
from ratewitness.solvers.around.layerwise import Layerwise, Part
from ratewitness.solvers.around.orthograd import OrthoGrad
from ratewitness.solvers.around.to_torch import ToTorch
from ratewitness.solvers.distance_over_gradients import DoG
from ratewitness.solvers.gradient_descent import GradientDescent
from ratewitness.solvers.heavy_ball import HeavyBall
from ratewitness.solvers.lbfgs import LBFGS
from ratewitness.solvers.line_search import Armijo
from ratewitness.solvers.lion import Lion
from ratewitness.solvers.nesterov import Nesterov
from ratewitness.solvers.norms import lmo
from ratewitness.solvers.norms.inverse_root import inverse_root
from ratewitness.solvers.norms.lmo_descent import LMODescent
from ratewitness.solvers.norms.muon import Muon
from ratewitness.solvers.norms.odd_polynomials import greedy_composition, optimal_odd_polynomial, pade_polynomial
from ratewitness.solvers.norms.polar import ExactPolar, MuonQuintic, NewtonSchulz, PolarExpress
from ratewitness.solvers.norms.shampoo import Shampoo
from ratewitness.solvers.norms.steepest_descent import SteepestDescent
from ratewitness.solvers.norms.testing import assert_lmo, vectors
from ratewitness.solvers.rmsprop import RMSProp
from ratewitness.solvers.saga import SAGA
from ratewitness.solvers.sam import SAM
from ratewitness.solvers.schedule_free import ScheduleFree
from ratewitness.solvers.schedules import InversePower, Trapezoid
from ratewitness.solvers.sign_descent import SignSGD
from ratewitness.solvers.solver import hitting_times, run
from ratewitness.solvers.svrg import SVRG
from scripted import (
    assert_refused,
    every_row,
    from_spectrum,
    normal,
    path,
    seeded,
    settings_of,
    walk,
    words,
)
from torch import nn

LINE = quadratic(torch.tensor([1.0]), torch.ones(1))
NOISY = perturbed(quadratic(torch.tensor([1.0, 0.5]), torch.ones(2)), 1.0, n=4)


def box(inner):
    return Box(inner, -1.0, 1.0)


def negative(g):
    return -g


WRAPPERS = {"Box": box, "Ascent": Ascent, "OrthoGrad": OrthoGrad} | {
    cls.__name__: partial(lambda cls, inner: cls(inner, 0.1), cls) for cls in (CoupledDecay, SAM, Grokfast)
}


def in_parts(parts):
    return Layerwise([Part(where, shape, GradientDescent(0.1)) for where, shape in parts]).init(torch.ones(14))


def two_steps_in_one_part(solver):
    return walk(Layerwise([Part(slice(0, 2), (2,), solver)]), Oracle.minibatch(NOISY, 2, seeded()), NOISY.start, 2)


def two_steps_of_svrg(solver):
    return walk(solver, Oracle.minibatch(NOISY, 2, seeded()), NOISY.start, 2)


def descend(**settings):
    return run(GradientDescent(0.1), Oracle.full(LINE), LINE.start, 8, LINE.gap, **settings)


def saga(problem, oracle):
    x, solver = problem.starts(3), SAGA(0.1)
    return solver.step(x, solver.init(x), oracle)


class Twice(GradientDescent):
    """One that draws twice."""

    def step(self, x, k, oracle):
        return x - self.lr * (oracle.grad(x) + oracle.grad(x)) / 2, k + 1


def weight(size=3):
    return nn.Parameter(torch.ones(size, dtype=torch.float64))


def step_of(solver, closure=False, steps=2):
    """Some steps on ||w||^2, by a closure or on the gradient at w."""
    w = weight()
    optimizer = ToTorch([w], solver)

    def loss():
        optimizer.zero_grad()
        value = w.square().sum()
        value.backward()
        return value

    for _ in range(steps):
        if closure:
            optimizer.step(loss)
        else:
            loss()
            optimizer.step()


def stepped(size, solver):
    """The optimizer of a vector after a step."""
    w = weight(size)
    w.grad = torch.ones_like(w)
    optimizer = ToTorch([w], solver)
    optimizer.step()
    return optimizer


def sparse_step():
    embedding = nn.Embedding(3, 2, sparse=True)
    embedding(torch.tensor([1])).sum().backward()
    ToTorch(embedding.parameters(), Adam(0.1)).step()


def complex_step():
    w = nn.Parameter(torch.ones(2, dtype=torch.complex64))
    w.grad = torch.ones_like(w)
    ToTorch([w], Adam(0.1)).step()


ADAPTIVE = [
    (Adam, {"lr": -1.0}, "lr is -1.0; accepted are numbers >= 0"),
    (Adam, {"eps": -1e-8}, "eps is -1e-08; accepted are numbers >= 0"),
    (Adam, {"beta1": 1.0}, "beta1 is 1.0; accepted are numbers in \\[0, 1\\)"),
    (Adam, {"beta2": -0.1}, "beta2 is -0.1"),
    (Adam, {"beta2": torch.tensor([0.9, 1.5])}, "beta2 is tensor"),
    (AdamW, {"lr": math.nan}, "lr is nan"),
    (AdamW, {"eps": -1e-8}, "eps is -1e-08"),
    (AdamW, {"beta1": 1.0}, "beta1 is 1.0"),
    (AdamW, {"beta2": 2.0}, "beta2 is 2.0"),
    (AdamW, {"weight_decay": -0.1}, "weight_decay is -0.1"),
    (ScheduleFree, {"lr": -1.0}, "lr is -1.0"),
    (ScheduleFree, {"interpolation": 1.1}, "interpolation is 1.1; accepted are numbers in"),
    (AdaGrad, {"lr": -1.0}, "lr is -1.0"),
    (AdaGrad, {"eps": -1.0}, "eps is -1.0"),
    (AdamWPaper, {"lr": InversePower(1.0)}, "lr is a rule k -> a_k; accepted are numbers, and the rule as `schedule`"),
    (AdamWPaper, {"schedule": -1.0}, "schedule is -1.0; accepted are numbers >= 0"),
    (AdamWPaper, {"weight_decay": -1.0}, "weight_decay is -1.0"),
    (AMSGrad, {"maximum": "largest"}, "maximum is 'largest'; accepted are 'raw' and 'corrected'"),
    (AMSGrad, {"maximum": "corrected", "bias_correction": False}, "without bias correction; accepted is 'raw'"),
    (AMSGrad, {"beta2": 1.0}, "beta2 is 1.0"),
    (ADOPT, {"beta2": 1.0}, "beta2 is 1.0"),
    (ADOPT, {"beta1": -0.1}, "beta1 is -0.1"),
    (ADOPT, {"eps": -1.0}, "eps is -1.0"),
    (ADOPT, {"lr": -0.1}, "lr is -0.1"),
    (AMSGrad, {"lr": -0.1}, "lr is -0.1"),
    (RMSProp, {"beta2": 1.0}, "beta2 is 1.0; accepted are numbers in \\[0, 1\\)"),
    (RMSProp, {"momentum": -0.5}, "momentum is -0.5"),
    (RMSProp, {"eps": -1.0}, "eps is -1.0"),
    (AdaDelta, {"rho": 1.5}, "rho is 1.5"),
    (AdaDelta, {"eps": 0.0}, "eps is 0.0; accepted are numbers > 0"),
    (AdaDelta, {"lr": -1.0}, "lr is -1.0"),
    (SignSGD, {"lr": -1.0}, "lr is -1.0"),
    (SignSGD, {"beta1": 1.0}, "beta1 is 1.0"),
    (Lion, {"weight_decay": -1.0}, "weight_decay is -1.0"),
    (Lion, {"beta2": 1.0}, "beta2 is 1.0"),
    (AdaGradNorm, {"eps": -1.0}, "eps is -1.0"),
    (AdaGradNorm, {"ndim": 0}, "ndim is 0; accepted are integers >= 1"),
    (FullAdaGrad, {"lr": -1.0}, "lr is -1.0"),
    (FullAdaGrad, {"eps": -1.0}, "eps is -1.0"),
    (FullAdaGrad, {"ndim": 0}, "ndim is 0; accepted are integers >= 1"),
    (FullAdaGrad, {"ndim": True}, "ndim is True"),
]

ROWS = [
    # the adaptive methods, and what goes around a solver
    *((build.__name__, partial(build, **{"lr": 0.1} | changed), message) for build, changed, message in ADAPTIVE),
    *(
        ("Box", partial(Box, Adam(0.1), low, high), "accepted are low <= high")
        for low, high in (
            (1.0, 0.0),
            (math.nan, 1.0),
            ("a", 1.0),
            (None, 1.0),
            (torch.zeros(2), torch.tensor([1.0, -1.0])),
        )
    ),
    *(
        (name, partial(wrap, inner), r"inner is .*; accepted are dataclasses of hyperparameters with init and step")
        for name, wrap in WRAPPERS.items()
        for inner in (None, Adam, "adam")
    ),
    ("CoupledDecay", lambda: CoupledDecay(GradientDescent(0.1), -1.0), "weight_decay is -1"),
    *settings_of(
        Grokfast,
        {"inner": GradientDescent(0.1)},
        ({"alpha": 1.0}, r"alpha is 1.0; accepted are numbers in \[0, 1\)"),
        ({"strength": -1.0}, "strength is -1.0; accepted are numbers >= 0"),
    ),
    *settings_of(
        DoG,
        {},
        ({"r_eps": 0.0}, "r_eps is 0.0; accepted are numbers > 0"),
        ({"eps": -1.0}, "eps is -1.0; accepted are numbers >= 0"),
        ({"ndim": 0}, "ndim is 0; accepted are integers >= 1"),
    ),
    ("OrthoGrad", lambda: OrthoGrad(GradientDescent(0.1), ndim=0), "ndim is 0; accepted are integers >= 1"),
    *settings_of(
        SAM,
        {"inner": GradientDescent(0.1), "rho": 0.1},
        ({"rho": -0.1}, "rho is -0.1; accepted are numbers >= 0"),
        ({"rho": torch.tensor([0.1, math.nan])}, "rho is tensor"),
        ({"p": 0.5}, "p is 0.5; accepted are numbers from 1 to inf"),
        ({"p": "2"}, "p is '2'; accepted are numbers from 1 to inf"),
        ({"p": 1.0, "normalized": False}, "p is 1.0 without normalization, which has no norm; accepted is 2"),
        ({"part": 0}, "part is 0; accepted are integers >= 1"),
        ({"part": 2.0}, "part is 2.0; accepted are integers >= 1"),
        ({"ndim": 0}, "ndim is 0; accepted are integers >= 1"),
    ),
    *(
        (
            "SAM around SVRG",
            lambda form=form: two_steps_of_svrg(SAM(SVRG(0.1, 5), 0.1, **form)),
            "asks for full_grad; accepted",
        )
        for form in ({"second_order": True}, {"part": 1})
    ),
    ("ToTorch", lambda: step_of(SAM(GradientDescent(0.1), 0.1)), "away from the parameters; accepted is step"),
    (
        "ToTorch",
        lambda: step_of(SAM(GradientDescent(0.1), 0.1, second_order=True), closure=True),
        "asks for hessian_vector; accepted are",
    ),
    (
        "FullAdaGrad",
        lambda: FullAdaGrad(0.1, ndim=2).init(torch.ones(3)),
        r"ndim is 2; accepted are 1 to 1 for x of shape \(3,\)",
    ),
    # roots, polar factors and their polynomials
    *settings_of(
        inverse_root,
        {"A": torch.eye(2), "power": 4},
        ({"A": np.eye(2)}, "A is a numpy.ndarray; accepted are torch tensors"),
        ({"A": [[1.0]]}, "A is a list; accepted are torch tensors"),
        ({"power": "4"}, "power is '4'; accepted are numbers > 0"),
        ({"A": torch.ones(3)}, "A has shape"),
        ({"A": torch.ones(3, 2)}, "A has shape"),
        ({"A": torch.ones(0, 0)}, "A has shape"),
        ({"A": torch.eye(2, dtype=torch.bfloat16)}, "A has dtype torch.bfloat16; accepted are float32 and float64"),
        ({"A": torch.eye(2, dtype=torch.int64)}, "A has dtype"),
        ({"A": torch.tensor([[1.0, 2.0], [0.0, 1.0]])}, "A is not symmetric"),
        ({"A": torch.diag(torch.tensor([1.0, -0.1]))}, "A has the eigenvalue -0.1"),
        ({"power": 0}, "power is 0; accepted are numbers > 0"),
        ({"power": math.nan}, "power is nan"),
        ({"power": 2.5, "method": "newton"}, "power is 2.5; accepted are integers >= 1"),
        ({"power": math.inf, "method": "newton"}, "power is inf"),
        ({"eps": -1.0}, "eps is -1.0; accepted are numbers >= 0"),
        ({"eps": math.nan}, "eps is nan"),
        ({"eps": torch.ones(2)}, "eps has shape"),
        ({"method": "svd"}, "method is 'svd'; accepted are 'eigh', 'newton'"),
    ),
    *(
        (
            "newton",
            partial(inverse_root, torch.stack([from_spectrum([1.0] * len(s)), from_spectrum(s)]), 4, method="newton"),
            r"A \+ eps I is singular, indefinite or has a condition number above",
        )
        for s in ([1.0, 0.0], [0.0, 0.0], [1.0, -0.5], [1.0, 1e-17], [1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0])
    ),
    (
        "optimal_odd_polynomial",
        lambda: optimal_odd_polynomial(0.5, 0.1, 5),
        *words("low", "0.5", "high", "0.1", "0 < low <= high"),
    ),
    ("optimal_odd_polynomial", lambda: optimal_odd_polynomial(0.0, 1.0, 5), *words("low is 0.0", "0 < low <= high")),
    ("optimal_odd_polynomial", lambda: optimal_odd_polynomial(-1.0, 1.0, 5), *words("low is -1.0")),
    ("optimal_odd_polynomial", lambda: optimal_odd_polynomial(float("nan"), 1.0, 5), *words("low is nan")),
    ("optimal_odd_polynomial", lambda: optimal_odd_polynomial(0.1, float("inf"), 5), *words("high is inf")),
    ("optimal_odd_polynomial", lambda: optimal_odd_polynomial(0.1, 1.0, 4), *words("degree", "odd integers >= 3", "4")),
    ("pade_polynomial", lambda: pade_polynomial(1), *words("degree", "odd integers >= 3", "1")),
    ("pade_polynomial", lambda: pade_polynomial(2.5), *words("degree", "2.5")),
    ("greedy_composition", lambda: greedy_composition(0, 5, 0.1), *words("steps", ">= 1", "0")),
    ("greedy_composition", lambda: greedy_composition(2, 6, 0.1), *words("degree", "6")),
    ("greedy_composition", lambda: greedy_composition(2, 5, 2.0), *words("low is 2.0", "high is 1.0")),
    ("greedy_composition", lambda: greedy_composition(2, 5, 0.1, cushion=1.0), *words("cushion", "[0, 1)", "1.0")),
    ("greedy_composition", lambda: greedy_composition(2, 5, 0.1, safety=0.9), *words("safety", ">= 1", "0.9")),
    ("NewtonSchulz", lambda: NewtonSchulz(0), *words("steps", ">= 1", "0")),
    ("NewtonSchulz", lambda: NewtonSchulz(3, degree=4), *words("degree", "odd", "4")),
    ("MuonQuintic", lambda: MuonQuintic(-1), *words("steps", "-1")),
    ("MuonQuintic", lambda: MuonQuintic(2.5), *words("steps", "2.5")),
    ("MuonQuintic", lambda: MuonQuintic("5"), *words("steps is '5'")),
    ("MuonQuintic", lambda: MuonQuintic(eps=-1e-7), *words("eps is -1e-07", ">= 0")),
    ("MuonQuintic", lambda: MuonQuintic(eps=float("nan")), *words("eps is nan")),
    ("MuonQuintic", lambda: MuonQuintic(dtype="bfloat16"), *words("dtype is 'bfloat16'", "floating-point dtypes of torch")),
    ("NewtonSchulz", lambda: NewtonSchulz(3, dtype=torch.int32), *words("dtype is torch.int32")),
    ("ExactPolar", lambda: ExactPolar(np.float64), *words("dtype is <class 'numpy.float64'>")),
    ("PolarExpress", lambda: PolarExpress(3, dtype=torch.complex64), *words("dtype is torch.complex64")),
    ("PolarExpress", lambda: PolarExpress(3, eps=float("nan")), *words("eps is nan")),
    ("PolarExpress", lambda: PolarExpress(3, safety=float("inf")), *words("safety is inf", "finite")),
    ("PolarExpress", lambda: PolarExpress(3, safety=0.5), *words("safety is 0.5", ">= 1")),
    ("PolarExpress", lambda: PolarExpress(0), *words("steps", "0")),
    ("PolarExpress", lambda: PolarExpress(3, low=2.0), *words("low is 2.0")),
    ("PolarExpress", lambda: PolarExpress(3, low=0.0), *words("low is 0.0")),
    ("PolarExpress", lambda: PolarExpress(3, degree=6), *words("degree", "6")),
    *(
        (name, partial(f, g), *words(*said))
        for name, f in ORTHOGONALIZERS.items()
        for g, said in (
            (torch.ones(3), ["g has shape (3,)", "matrices"]),
            (torch.ones(2, 0), ["g has shape (2, 0)", "not empty"]),
            (torch.ones(2, 2) * 1j, ["g has dtype torch.complex64", "real floating-point"]),
            (torch.ones(2, 2, dtype=torch.int64), ["g has dtype torch.int64", "real floating-point"]),
            (np.ones((2, 2)), ["g is a numpy.ndarray; accepted are torch tensors"]),
            ([[1.0]], ["g is a list; accepted are torch tensors"]),
            (torch.tensor([[1.0, float("nan")]]), ["g contains nan", "finite"]),
            (torch.tensor([[float("inf")], [float("-inf")]]), ["g contains inf", "finite"]),
        )
    ),
    # norms and the methods that descend in them
    (
        "norm",
        lambda: lmo.norm("manhattan"),
        r"norm is 'manhattan'; accepted are lp with p, .* and names such as l1, .*spectral",
    ),
    ("norm", lambda: lmo.norm("lp"), "norm is 'lp'; accepted"),
    ("norm", lambda: lmo.norm("lp", k=3), "norm is 'lp', k=3; accepted"),
    ("norm", lambda: lmo.norm("spectral", p=3), "norm is 'spectral', p=3; accepted"),
    ("norm", lambda: lmo.norm("l0.5"), "p is 0.5; accepted are numbers from 1 to inf"),
    ("norm", lambda: lmo.norm("ky_fan_0"), "k is 0; accepted are integers from 1 to d"),
    ("norm", lambda: lmo.norm("ky_fan_2.5"), "k is 2.5; accepted are integers from 1 to d"),
    ("norm", lambda: lmo.norm("l4", p=3), "norm is 'l4', p=3; accepted"),
    ("norm", lambda: lmo.norm("xl4"), "norm is 'xl4'; accepted"),
    ("lp", lambda: lmo.lp(0.5), "p is 0.5; accepted are numbers from 1 to inf"),
    ("lp", lambda: lmo.lp(math.nan), "p is nan; accepted"),
    ("lp", lambda: lmo.lp("2"), "p is '2'; accepted"),
    ("lp", lambda: lmo.lp(True), "p is True; accepted"),
    ("schatten", lambda: lmo.schatten(0.99), "p is 0.99; accepted"),
    ("ky_fan", lambda: lmo.ky_fan(0), "k is 0; accepted are integers from 1 to d"),
    ("ky_fan", lambda: lmo.ky_fan(1.0), "k is 1.0; accepted"),
    ("ky_fan_spectral", lambda: lmo.ky_fan_spectral(-1), "k is -1; accepted"),
    ("ky_fan", lambda: lmo.ky_fan(4).lmo(normal(2, 3)), "k is 4; accepted are integers from 1 to d = 3"),
    ("ky_fan", lambda: lmo.ky_fan(4).value(normal(2, 3)), "k is 4; accepted are integers from 1 to d = 3"),
    ("ky_fan", lambda: lmo.ky_fan(4).dual(normal(2, 3)), "k is 4; accepted are integers from 1 to d = 3"),
    ("ky_fan_spectral", lambda: lmo.ky_fan_spectral(3).lmo(normal(2, 9)), "k is 3; accepted are integers from 1 to d = 2"),
    (
        "SPECTRAL.lmo",
        lambda: lmo.SPECTRAL.lmo(normal(3)),
        r"g has shape \(3,\); the norm spectral accepts matrices \(\*batch, m, n\)",
    ),
    ("COLUMN.value", lambda: lmo.COLUMN.value(normal(3)), r"x has shape \(3,\); the norm column accepts matrices"),
    ("L1.lmo", lambda: lmo.L1.lmo(torch.tensor(1.0)), r"g has shape \(\); the norm l1 accepts vectors \(\*batch, d\)"),
    ("L2.dual", lambda: lmo.L2.dual(normal(4, 0)), r"g has shape \(4, 0\); the norm l2 accepts vectors .* not empty"),
    (
        "SPECTRAL.dual",
        lambda: lmo.SPECTRAL.dual(normal(0, 4)),
        r"g has shape \(0, 4\); the norm spectral accepts matrices .* not empty",
    ),
    ("L2.lmo", lambda: lmo.L2.lmo(torch.arange(3)), "g has dtype torch.int64; accepted are real floating-point tensors"),
    ("L2.lmo", lambda: lmo.L2.lmo(np.ones(3)), "g is a numpy.ndarray; accepted are torch tensors"),
    ("L2.value", lambda: lmo.L2.value([1.0]), "x is a list; accepted are torch tensors"),
    ("L2.dual", lambda: lmo.L2.dual(None), "g is a NoneType; accepted are torch tensors"),
    ("L2.lmo", lambda: lmo.L2.lmo(normal(3) * 1j), "g has dtype torch.complex128; accepted"),
    (
        "assert_lmo",
        lambda: assert_lmo(negative, "manhattan", np.ones(3)),
        "norm is 'manhattan'; accepted are functions and names such as l1, .*spectral",
    ),
    ("assert_lmo", lambda: assert_lmo(negative, "l0.5", np.ones(3)), "norm is 'l0.5'; accepted"),
    (
        "assert_lmo",
        lambda: assert_lmo(negative, "spectral", np.ones(3)),
        r"g has shape \(3,\); the norm 'spectral' takes matrices \(m, n\)",
    ),
    (
        "assert_lmo",
        lambda: assert_lmo(negative, "l2", np.ones((3, 2))),
        r"g has shape \(3, 2\); the norm 'l2' takes vectors \(d,\)",
    ),
    ("assert_lmo", lambda: assert_lmo(negative, "l2", np.array([1, np.nan])), "g contains nan; accepted are finite entries"),
    (
        "assert_lmo",
        lambda: assert_lmo(negative, "l2", np.ones((2, 2, 2))),
        r"g has shape \(2, 2, 2\); accepted is one vector",
    ),
    ("assert_lmo", lambda: assert_lmo(negative, "l2", np.ones(0)), r"g has shape \(0,\); accepted is one vector"),
    ("assert_lmo", lambda: assert_lmo(negative, "l2", np.ones(3) * 1j), "g has complex entries; accepted are real numbers"),
    (
        "assert_lmo",
        lambda: assert_lmo(negative, "l2", torch.ones(3) * 1j),
        "g has complex entries; accepted are real numbers",
    ),
    (
        "assert_lmo",
        lambda: assert_lmo(negative, "ky_fan_9", np.ones(3)),
        "norm is 'ky_fan_9'; accepted are integers k from 1 to d = 3",
    ),
    (
        "assert_lmo",
        lambda: assert_lmo(negative, "ky_fan_spectral_3", np.ones((2, 5))),
        "norm is 'ky_fan_spectral_3'; accepted are integers k from 1 to d = 2",
    ),
    (
        "assert_lmo",
        lambda: assert_lmo(negative, 2, np.ones(3)),
        "norm is 2; accepted are names, functions of one point and objects with value and dual",
    ),
    ("assert_lmo", lambda: assert_lmo(negative, None, np.ones(3)), "norm is None; accepted are names, functions"),
    *(
        ("vectors", partial(vectors, dtype=dtype), "dtype is .*int.*; accepted are float64, float32, bfloat16, float16")
        for dtype in (np.int64, torch.int32)
    ),
    *settings_of(
        LMODescent,
        {"lr": 0.1, "norm": lmo.L2},
        ({"momentum": 1.0}, "momentum is 1.0; accepted are numbers in"),
        ({"momentum": -0.1}, "momentum is -0.1; accepted"),
        ({"momentum": math.nan}, "momentum is nan; accepted"),
        ({"momentum": torch.tensor([0.5, 1.5])}, "momentum is tensor.*; accepted"),
        ({"momentum": "0.9"}, "momentum is '0.9'; accepted"),
        ({"momentum": None}, "momentum is None; accepted"),
        ({"lr": "0.1"}, "lr is '0.1'; accepted"),
        ({"norm": "l2"}, r"norm is 'l2'; accepted are norms such as solvers\.lmo\.norm\(\"l2\"\)"),
        ({"radius": "1"}, "radius is '1'; accepted"),
        ({"radius": 0.0}, "radius is 0.0; accepted are positive numbers"),
        ({"radius": math.nan}, "radius is nan; accepted"),
        ({"lr": 1.5, "radius": 1.0}, "lr is 1.5 at step 0; accepted are numbers from 0 to 1"),
        ({"lr": -0.5, "radius": 1.0}, "lr is -0.5; accepted"),
    ),
    *settings_of(
        SteepestDescent,
        {"lr": 0.1, "norm": lmo.L2},
        ({"lr": -0.1}, "lr is -0.1; accepted are numbers >= 0"),
        ({"lr": torch.tensor([[0.1], [math.nan]])}, "lr is tensor.*; accepted are numbers >= 0"),
        ({"lr": None}, "lr is None; accepted"),
        ({"norm": "l2"}, r"norm is 'l2'; accepted are norms such as solvers\.lmo\.norm\(\"l2\"\)"),
        ({"norm": lmo.lp}, "norm is <function lp .*; accepted are norms"),
    ),
    (
        "LMODescent",
        lambda: path(LMODescent(lambda k: 0.4 * k, lmo.L2, radius=1.0), normal(9, 3)),
        r"lr is 1\.2.* at step 3; accepted are numbers from 0 to 1",
    ),
    (
        "LMODescent",
        lambda: path(LMODescent(0.1, lmo.SPECTRAL), normal(1, 3)),
        r"g has shape \(3,\); the norm spectral accepts matrices",
    ),
    *settings_of(
        Muon,
        {},
        ({"lr": -0.1}, "lr is -0.1; accepted are"),
        ({"lr": math.nan}, "lr is nan"),
        ({"lr": "0.1"}, "lr is '0.1'; accepted are numbers >= 0"),
        ({"lr": None}, "lr is None"),
        ({"lr": 0.1, "momentum": "0.9"}, "momentum is '0.9'; accepted are numbers in"),
        ({"lr": 0.1, "momentum": 0.5j}, "momentum is 0.5j"),
        ({"lr": torch.tensor([0.1, -0.1])}, "lr is"),
        ({"lr": 0.1, "momentum": 1.0}, "momentum is 1.0; accepted are"),
        ({"lr": 0.1, "momentum": -0.1}, "momentum is -0.1"),
        ({"lr": 0.1, "weight_decay": -1.0}, "weight_decay is -1.0"),
        ({"lr": 0.1, "scale": "rms"}, "scale is 'rms'; accepted are 'original', 'match_rms_adamw', None"),
    ),
    *(
        ("Muon.init", partial(Muon(0.1).init, x), message)
        for x, message in (
            (torch.ones(5), r"x has shape \(5,\); accepted are matrices"),
            (torch.ones(5, 2, dtype=torch.int64), r"x has dtype torch\.int64; accepted are real floating-point tensors"),
            (np.ones((5, 2)), r"x is a numpy\.ndarray; accepted are torch tensors"),
        )
    ),
    *settings_of(
        Shampoo,
        {"lr": 0.1},
        ({"lr": -0.1}, "lr is -0.1; accepted are numbers >= 0"),
        ({"lr": torch.tensor([0.1, -0.1])}, "lr is tensor"),
        ({"eps": -1e-6}, "eps is -1e-06; accepted are numbers >= 0"),
        ({"eps": math.nan}, "eps is nan"),
        ({"ridge": -1.0}, "ridge is -1.0"),
        ({"beta": 1.0}, "beta is 1.0; accepted are numbers in \\[0, 1\\)"),
        ({"beta": -0.1}, "beta is -0.1"),
        ({"beta": "0.9"}, "beta is '0.9'; accepted are numbers in"),
        ({"lr": None}, "lr is None; accepted are numbers >= 0"),
        ({"interval": 0}, "interval is 0; accepted are integers >= 1"),
        ({"interval": 1.5}, "interval is 1.5"),
        ({"power": 0}, "power is 0; accepted are integers >= 1"),
        ({"power": -0.25}, "power is -0.25"),
        ({"root": "svd"}, "root is 'svd'; accepted are 'eigh', 'newton'"),
        ({"bias_correction": True}, "bias_correction is True; accepted with beta = None, the sum, is False"),
    ),
    *(
        ("Shampoo.init", partial(Shampoo(0.1).init, x), message)
        for x, message in (
            (torch.ones(3), r"x has shape \(3,\); accepted are matrices"),
            (torch.ones(3, 2, dtype=torch.int64), "x has dtype torch.int64; accepted are real floating-point tensors"),
            (torch.ones(3, 2, dtype=torch.complex64), "x has dtype torch.complex64; accepted are real"),
            (torch.ones(3, 2, dtype=torch.bfloat16), "x has dtype torch.bfloat16; accepted are float32 and float64"),
            (torch.ones(3, 2, dtype=torch.float16), "x has dtype torch.float16; accepted are float32 and float64"),
            (np.ones((3, 2)), "x is a numpy.ndarray; accepted are torch tensors"),
        )
    ),
    # parts, runs and finite sums
    *(
        ("Layerwise", partial(in_parts, parts), message)
        for parts, message in (
            ([(slice(12, 14), (2,))], "begins at 0"),
            ([(slice(0, 12), (2, 2, 3))], "end at 12"),
            ([(slice(0, 12), (12,)), (slice(11, 14), (3,))], "begins at 12"),
            ([(slice(0, 12), (12,)), (slice(13, 14), (1,))], "begins at 12"),
            ([(slice(0, 12), (12,)), (slice(11, 14), (2,))], "begins at 12"),
            ([(slice(0, 12), (2, 3)), (slice(12, 14), (2,))], "ends at 6"),
            ([(slice(0, 14, 1), (14,))], "begins at 0"),
        )
    ),
    *(
        ("Part", partial(Part, where, shape, GradientDescent(0.1)), message)
        for where, shape, message in (
            (slice(0, None), (5,), r"where is slice\(0, None, None\); accepted are slices with a start and a stop"),
            (slice(5), (5,), "where is slice"),
            (slice(0, 5.0), (5,), "where is slice"),
            (5, (5,), "where is 5; accepted"),
            (slice(0, 5), 5, r"shape is 5; accepted are tuples of integers, such as \(5,\)"),
            (slice(0, 5), (5.0,), r"shape is \(5\.0,\); accepted"),
        )
    ),
    *(
        (f"Layerwise of {type(solver).__name__}", partial(two_steps_in_one_part, solver), "asked for a second gradient")
        for solver in (Nesterov(0.1), LBFGS(1.0))
    ),
    *(
        ("Trapezoid", partial(Trapezoid, 1.0, 10, warm_up, decay), "warm_up is")
        for warm_up, decay in ((-1, 0), (0, -1), (6, 5))
    ),
    *(("run", partial(descend, at=at), "from 0 to steps = 8") for at in ([], [-1, 2], [3, 9])),
    ("run", lambda: descend(over="max"), "accepted are"),
    (
        "hitting_times",
        lambda: hitting_times(
            GradientDescent(0.1), Oracle.full(LINE), LINE.start, 2, LINE.gap, torch.tensor(0.0), over="max"
        ),
        "accepted are",
    ),
    *(
        ("SAGA", partial(saga, problem, oracle), "one component index")
        for problem, oracle in (
            (NOISY, Oracle.full(NOISY)),
            (NOISY, Oracle.minibatch(NOISY, 2, seeded())),
            (NOISY, Oracle.gaussian(NOISY, 1.0, seeded())),
            (LINE, Oracle.gaussian(LINE, 1.0, seeded())),  # where a noise vector has the shape of an index
        )
    ),
    # to and from torch
    (
        "FromTorch",
        lambda: FromTorch(pytorch_optimizer.AdaHessian, 0.1),  # which differentiates the gradient
        "AdaHessian takes no step: .*grad_fn; accepted are .* with or without a closure",
    ),
    (
        "FromTorch",
        lambda: FromTorch(torch.optim.SparseAdam, 0.1),
        "SparseAdam does not support dense gradients.*; accepted are",
    ),
    (
        "FromTorch",
        lambda: FromTorch(pytorch_optimizer.BSAM, 0.1),
        "BSAM does not take lr = 0.1: .*missing 1 required positional argument: 'num_data'",
    ),
    (
        "FromTorch",
        lambda: FromTorch(lambda params, lr: params, 0.1),
        "it builds .*; accepted are functions that build an optimizer",
    ),
    (
        "FromTorch",
        lambda: FromTorch("Adam", 0.1),
        "optimizer is 'Adam'; accepted are classes derived from torch.optim.Optimizer",
    ),
    (
        "FromTorch",
        lambda: FromTorch(Adam, 0.1),
        "optimizer is <class 'ratewitness.solvers.adam.Adam'>; accepted are classes",
    ),
    (
        "FromTorch",
        lambda: FromTorch(torch.optim.Optimizer, 0.1),
        "optimizer is <class 'torch.optim.optimizer.Optimizer'>; accepted",
    ),
    ("FromTorch", lambda: FromTorch(torch.optim.Adam([torch.ones(1)]), 0.1), "optimizer is Adam .*; accepted are classes"),
    (
        "FromTorch",
        lambda: FromTorch(torch.optim.Adam, 0.1, {"momentum": 0.5}),
        "momentum is no setting of Adam; accepted are lr, betas",
    ),
    ("FromTorch", lambda: FromTorch(torch.optim.Adam, -0.1), "lr is -0.1; accepted are numbers >= 0"),
    ("FromTorch", lambda: FromTorch(torch.optim.Adam, 0.1, {"betas": (0.9, 1.0)}), "Invalid beta parameter"),
    (
        "FromTorch",
        lambda: FromTorch(torch.optim.Adam, torch.ones(3)),
        "lr has shape \\(3,\\); accepted are .*\\(\\*batch, 1\\)",
    ),
    ("FromTorch", lambda: FromTorch(torch.optim.Adam, 0.1, ndim=0), "ndim is 0; accepted are integers >= 1"),
    (
        "FromTorch",
        lambda: FromTorch(torch.optim.Muon, 0.1).init(torch.ones(3, 4)),
        "Muon takes no points of shape \\(4,\\): Muon only supports 2D .*; accepted are .* ndim = 1 trailing axes",
    ),
    (
        "FromTorch",
        lambda: FromTorch(torch.optim.Muon, 0.1, ndim=2).init(torch.ones(3)),
        "ndim is 2; accepted are 1 to 1 for x of",
    ),
    (
        "FromTorch",
        lambda: FromTorch(torch.optim.Adam, 0.1).init(torch.ones(3, dtype=torch.int64)),
        "x has dtype torch.int64",
    ),
    (
        "FromTorch",
        lambda: FromTorch(torch.optim.Adam, torch.ones(2, 1)).init(torch.ones(3, 4)),
        "settings vary over axes \\(2,\\); accepted are those that broadcast to \\(3,\\)",
    ),
    *(
        ("FromTorch", partial(FromTorch, torch.optim.Adam, lr, settings), message)
        for lr, settings, message in (
            (0.1, {"betas": (0.9, torch.tensor([[0.9], [1.0]]))}, "Adam does not take betas = .*1.0.*"),
            (torch.tensor([[0.1], [-0.2]]), {}, "lr is tensor"),
            ("x", {}, "lr is 'x'; accepted are numbers >= 0"),
            (0.1, None, "settings is None; accepted are mappings"),
            (0.1, {"lr": 5.0}, "settings is .*; accepted are mappings of names to values, without lr"),
            (0.1, {"betas": None}, "Adam does not take betas = None"),
        )
    ),
    (
        "ToTorch",
        lambda: step_of(Nesterov(0.1), steps=3),
        "gradients away from the parameters; accepted is step\\(closure\\)",
    ),
    ("ToTorch", lambda: step_of(LBFGS(0.1)), "gradients away from the parameters; accepted is step\\(closure\\)"),
    (
        "ToTorch",
        lambda: step_of(Armijo(1.0), closure=True),
        "asks for value; accepted are solvers that ask for gradients alone",
    ),
    ("ToTorch", lambda: step_of(SVRG(0.1, 3), closure=True), "asks for full_grad; accepted are"),
    ("ToTorch", lambda: step_of(SAGA(0.1), closure=True), "asks for component_grads; accepted are"),
    ("ToTorch", sparse_step, "gradient of shape \\(3, 2\\) is sparse; accepted are dense ones"),
    ("ToTorch", complex_step, "gradient has dtype torch.complex64; accepted are real"),
    (
        "ToTorch",
        lambda: ToTorch([weight()], Adam),
        "solver is <class 'ratewitness.solvers.adam.Adam'>; accepted are dataclasses",
    ),
    ("ToTorch", lambda: ToTorch([weight()], "adam"), "solver is 'adam'; accepted are"),
    ("ToTorch", lambda: ToTorch([weight()], Adam(0.1), lr=-1.0), "lr is -1.0; accepted are numbers >= 0"),
    ("ToTorch", lambda: ToTorch([weight()], Armijo(1.0), lr=0.1), "lr is 0.1; accepted for Armijo is none"),
    ("ToTorch", lambda: ToTorch([], Adam(0.1)), "empty parameter list"),
    (
        "ToTorch",
        lambda: ToTorch([weight()], Adam(0.1)).load_state_dict(ToTorch([weight()], AdamW(0.1)).state_dict()),
        "state_dict is one of AdamW; accepted are those of Adam",
    ),
    (
        "ToTorch",
        lambda: ToTorch([weight()], Adam(0.1)).load_state_dict(torch.optim.Adam([weight()]).state_dict()),
        "state_dict is one of no solver; accepted are those of Adam",
    ),
    (
        "ToTorch",
        lambda: ToTorch([weight()], Adam(0.1)).load_state_dict(ToTorch([weight(), torch.ones(2)], Adam(0.1)).state_dict()),
        "doesn't match the size",
    ),
    (
        "ToTorch",
        lambda: ToTorch([weight()], Adam(0.1)).load_state_dict(
            ToTorch([{"params": [weight()]}, {"params": [torch.ones(2)]}], Adam(0.1)).state_dict()
        ),
        "different number of parameter groups",
    ),
    (
        "ToTorch",
        lambda: stepped(3, Box(HeavyBall(0.1), -1.0, 1.0)).load_state_dict(stepped(3, box(Adam(0.1))).state_dict()),
        r"state_dict is one of Box\(Adam\); accepted are those of Box\(HeavyBall\)",
    ),
    ("ToTorch", lambda: step_of(Twice(0.1), closure=True), "asks for a second sample in one step; accepted are"),
    (
        "ToTorch",
        lambda: ToTorch([{"params": [weight()], "weight_decay": 0.0}], Adam(0.1)),
        "a param group has no weight_decay; accepted are params, lr and a solver",
    ),
    (
        "ToTorch",
        lambda: stepped(3, Adam(0.1)).load_state_dict(stepped(3, Adam(InversePower(0.1))).state_dict()),
        r"state_dict is one of Adam\(a rule\); accepted are those of Adam",
    ),
    (
        "ToTorch",
        lambda: stepped(3, Adam(0.1)).load_state_dict(stepped(1, Adam(0.1)).state_dict()),
        r"a tensor of shape \(1,\) for a tensor of shape \(3,\)",
    ),
]


@every_row(ROWS)
def test_a_bad_argument_is_named_in_one_line(call, parts):
    assert_refused(call, parts)
