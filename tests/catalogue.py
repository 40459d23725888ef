"""Every kind of solver, in the variants that differ in code, and what each needs: the one list for laws over solvers.

A law takes the names of those that it is about (`names`) and builds them (`build`), with a step and an epsilon of its own
where it wants (`lr=0.1, eps=0.0` reach whatever has hyperparameters of these names, the solver inside another included).
The steps given here are for a quadratic with 0.1 <= curvature <= 1 from points of size 3: all move, none diverges.
"""

import dataclasses
import math
import pkgutil
from collections.abc import Callable
from importlib import import_module
from types import ModuleType

import torch
from ratewitness.solvers.adadelta import AdaDelta
from ratewitness.solvers.adagrad import AdaGrad, AdaGradNorm, FullAdaGrad
from ratewitness.solvers.adam import Adam, AdamW, AdamWPaper
from ratewitness.solvers.adopt import ADOPT
from ratewitness.solvers.amsgrad import AMSGrad
from ratewitness.solvers.around.ascent import Ascent
from ratewitness.solvers.around.averaging import PolyakRuppert, RandomIterate
from ratewitness.solvers.around.box import Box
from ratewitness.solvers.around.coupled_decay import CoupledDecay
from ratewitness.solvers.around.from_torch import FromTorch
from ratewitness.solvers.around.grokfast import Grokfast
from ratewitness.solvers.around.layerwise import Layerwise, Part
from ratewitness.solvers.around.orthograd import OrthoGrad
from ratewitness.solvers.catalogue import catalogue
from ratewitness.solvers.distance_over_gradients import DoG
from ratewitness.solvers.gradient_descent import GradientDescent
from ratewitness.solvers.heavy_ball import HeavyBall
from ratewitness.solvers.lbfgs import LBFGS
from ratewitness.solvers.line_search import Armijo
from ratewitness.solvers.lion import Lion
from ratewitness.solvers.nesterov import Nesterov
from ratewitness.solvers.norms.lmo import FROBENIUS, L2, LINF, MAX_ABS
from ratewitness.solvers.norms.lmo_descent import LMODescent
from ratewitness.solvers.norms.muon import Muon
from ratewitness.solvers.norms.polar import ExactPolar, MuonQuintic, NewtonSchulz, PolarExpress
from ratewitness.solvers.norms.shampoo import Shampoo
from ratewitness.solvers.norms.soap import SOAP
from ratewitness.solvers.norms.steepest_descent import SteepestDescent
from ratewitness.solvers.rmsprop import RMSProp
from ratewitness.solvers.saga import SAGA
from ratewitness.solvers.sam import SAM
from ratewitness.solvers.schedule_free import ScheduleFree
from ratewitness.solvers.schedules import InversePower
from ratewitness.solvers.sign_descent import SignSGD
from ratewitness.solvers.solver import Solver
from ratewitness.solvers.svrg import SVRG

N = 5  # components of the finite sums of the laws
GRADIENT = frozenset({"grad"})
TABLE = frozenset({"grad", "component_grads", "sample", "n"})


@dataclasses.dataclass(frozen=True)
class Entry:
    """A solver for points with `ndim` trailing axes, and what is known of it."""

    of: Callable[[int], Solver]
    ndims: tuple[int, ...] = (1, 2)  # of the points that it takes; where there are two, a matrix moves like its entries
    asks: frozenset[str] = GRADIENT  # the queries that it makes of an oracle
    elsewhere: bool = False  # it wants gradients away from the iterate
    sampled: bool = True  # it runs on samples,
    exact: bool = True  # and on exact gradients
    adaptive: bool = False  # its state is tensors, and a number k of steps
    diagonal: bool = False  # with eps = 0 and no decay its steps do not see a diagonal scaling of the gradients
    rotates: bool = False  # a rotation of the gradients rotates its steps
    pseudo_inverse: bool = False  # with eps = 0 it stays where all gradients are 0; others with an eps have no such step


def _vector_or_matrix(of_vectors, of_matrices):
    return lambda ndim: of_vectors if ndim == 1 else of_matrices


def _of_library(noisy: bool):
    """The library's own list, where steps come from L = 1 and mu = 0.1."""
    needs = {
        "gradient descent": {"rotates": True},
        "averaged gradient descent": {"elsewhere": True, "rotates": True},
        "armijo": {"asks": GRADIENT | {"value"}, "sampled": False},
        "heavy ball": {"rotates": True},
        "nesterov": {"elsewhere": True, "rotates": True},
        "nesterov, convex": {"elsewhere": True, "rotates": True},
        "lbfgs": {"elsewhere": True},
        "svrg": {"asks": GRADIENT | {"full_grad"}, "elsewhere": True},
        "saga": {"asks": TABLE, "exact": False},
    }
    for name in catalogue(1.0, 0.1, noisy, N):
        yield name, Entry(lambda ndim, name=name: catalogue(1.0, 0.1, noisy, N, ndim)[name], **needs.get(name, {}))


ADAPTIVE = {"adaptive": True, "diagonal": True}
CATALOGUE = {
    **dict(_of_library(noisy=False)),
    **{f"noisy {name}": entry for name, entry in _of_library(noisy=True)},
    "suffix average": Entry(lambda ndim: PolyakRuppert(HeavyBall(0.5), skip_start=5), elsewhere=True),
    "average from the start": Entry(lambda ndim: PolyakRuppert(Nesterov(0.5), include_start=True), elsewhere=True),
    "random iterate": Entry(lambda ndim: RandomIterate(GradientDescent(0.5), torch.tensor(7)), elsewhere=True),
    "schedule-free": Entry(lambda ndim: ScheduleFree(0.5), elsewhere=True, rotates=True),
    "armijo restarted": Entry(
        lambda ndim: Armijo(8.0, c=0.3, shrink=0.7, ndim=ndim), asks=GRADIENT | {"value"}, sampled=False
    ),
    "short memory": Entry(lambda ndim: LBFGS(0.5, memory=2, damping=0.1, ndim=ndim), elsewhere=True),
    "short period": Entry(lambda ndim: SVRG(0.3, period=3), asks=GRADIENT | {"full_grad"}, elsewhere=True),
    "saga in pairs": Entry(lambda ndim: SAGA(0.2, batch=2, ndim=ndim), asks=TABLE, exact=False),
    "adam": Entry(lambda ndim: Adam(0.3), **ADAPTIVE),
    "adam, uncorrected": Entry(lambda ndim: Adam(0.3, bias_correction=False), **ADAPTIVE),
    "adamw": Entry(lambda ndim: AdamW(0.3), **ADAPTIVE),
    "adamw of the paper": Entry(lambda ndim: AdamWPaper(0.3, schedule=InversePower(1.0)), **ADAPTIVE),
    "amsgrad": Entry(lambda ndim: AMSGrad(0.3), **ADAPTIVE),
    "amsgrad of the paper": Entry(lambda ndim: AMSGrad(0.3, bias_correction=False), **ADAPTIVE),
    "amsgrad, corrected maximum": Entry(lambda ndim: AMSGrad(0.3, maximum="corrected"), **ADAPTIVE),
    "adopt": Entry(lambda ndim: ADOPT(0.3), **ADAPTIVE),
    "adagrad": Entry(lambda ndim: AdaGrad(0.5), **ADAPTIVE),
    "adagrad, eps outside": Entry(lambda ndim: AdaGrad(0.5, eps_inside=False), **ADAPTIVE),
    "adagrad by norm": Entry(lambda ndim: AdaGradNorm(0.5, ndim=ndim), adaptive=True, rotates=True),
    # the inverse root rounds by u kappa, and eps keeps kappa, the condition number of eps I + sum g g^T, below 1e4:
    # the first steps leave a null space, and with the default eps of 1e-10 two roundings of one run end 1e-8 apart
    "full adagrad": Entry(
        lambda ndim: FullAdaGrad(0.5, eps=1e-1, ndim=ndim), adaptive=True, rotates=True, pseudo_inverse=True
    ),
    "dog": Entry(lambda ndim: DoG(0.5, ndim=ndim), rotates=True),
    "adadelta": Entry(lambda ndim: AdaDelta(eps=1e-2), adaptive=True),  # whose eps must be positive, and sets the scale
    "rmsprop": Entry(lambda ndim: RMSProp(0.3), **ADAPTIVE),
    "rmsprop, centered, with momentum": Entry(
        lambda ndim: RMSProp(0.1, eps=1e-2, eps_inside=False, centered=True, momentum=0.5), **ADAPTIVE
    ),
    "sign descent": Entry(lambda ndim: SignSGD(0.1), **ADAPTIVE),
    "signum": Entry(lambda ndim: SignSGD(0.1, 0.5), **ADAPTIVE),
    "lion": Entry(lambda ndim: Lion(0.1, weight_decay=0.1), **ADAPTIVE),
    "torch's adam": Entry(lambda ndim: FromTorch(torch.optim.Adam, 0.3, ndim=ndim)),
    "in a box": Entry(lambda ndim: Box(Nesterov(0.5), -3.0, 3.0), elsewhere=True),
    "coupled decay": Entry(lambda ndim: CoupledDecay(Adam(0.3), 0.1), adaptive=True),
    "grokfast": Entry(lambda ndim: Grokfast(GradientDescent(0.2), 0.8), rotates=True),
    "grokfast, adamw": Entry(lambda ndim: Grokfast(AdamW(0.3), 0.8)),
    "orthograd": Entry(lambda ndim: OrthoGrad(GradientDescent(0.3), ndim=ndim), rotates=True),
    "orthograd, adamw": Entry(lambda ndim: OrthoGrad(AdamW(0.3), ndim=ndim), adaptive=True),
    "ascent": Entry(lambda ndim: Ascent(GradientDescent(0.1)), rotates=True),
    "wrapped": Entry(lambda ndim: Box(Ascent(CoupledDecay(AdaGrad(0.1), 0.1)), -9.0, 9.0), adaptive=True),
    "sam": Entry(lambda ndim: SAM(GradientDescent(0.3), 0.1, ndim=ndim), elsewhere=True, rotates=True),
    "sam of another norm": Entry(lambda ndim: SAM(Adam(0.3), 0.1, p=1.5, ndim=ndim), elsewhere=True),
    "sam of signs": Entry(lambda ndim: SAM(HeavyBall(0.3), 0.1, p=math.inf, ndim=ndim), elsewhere=True),
    "adaptive sam": Entry(lambda ndim: SAM(Nesterov(0.3), 0.1, adaptive=True, ndim=ndim), elsewhere=True),
    "sam, unnormalized": Entry(
        lambda ndim: SAM(GradientDescent(0.3), 0.1, normalized=False, ndim=ndim), elsewhere=True, rotates=True
    ),
    "sam of second order": Entry(
        lambda ndim: SAM(GradientDescent(0.3), 0.1, p=3.0, second_order=True, ndim=ndim),
        asks=GRADIENT | {"hessian_vector"},
        elsewhere=True,
    ),
    "sam in parts": Entry(
        lambda ndim: SAM(GradientDescent(0.3), 0.1, second_order=True, part=1, ndim=ndim),
        asks=frozenset({"part_grads", "hessian_vector"}),
    ),
    "steepest descent": Entry(_vector_or_matrix(*(SteepestDescent(0.2, norm) for norm in (LINF, MAX_ABS)))),
    "lmo descent": Entry(
        _vector_or_matrix(*(LMODescent(0.1, norm, momentum=0.5, nesterov=True) for norm in (L2, FROBENIUS))), rotates=True
    ),
    "lmo descent in a ball": Entry(_vector_or_matrix(*(LMODescent(0.1, norm, radius=5.0) for norm in (LINF, MAX_ABS)))),
    "muon": Entry(lambda ndim: Muon(0.1), ndims=(2,)),
    "shampoo": Entry(lambda ndim: Shampoo(0.5, eps=1e-1), ndims=(2,), adaptive=True, pseudo_inverse=True),
    "soap": Entry(lambda ndim: SOAP(0.3, eps=1e-2, interval=2), ndims=(2,), adaptive=True),
    "layerwise": Entry(
        lambda ndim: Layerwise([Part(slice(2, 4), (2,), HeavyBall(0.5)), Part(slice(0, 2), (1, 2), AdamW(0.3))]), ndims=(1,)
    ),
}
ORTHOGONALIZERS = {
    "exact": ExactPolar(),
    "cubic": NewtonSchulz(3),
    "degree 7": NewtonSchulz(2, degree=7),
    "muon": MuonQuintic(),
    "published": PolarExpress(5),
    "pure": PolarExpress(8, low=1e-3, cushion=0.0, safety=1.0, eps=0.0),
}
EXCEPTIONS: dict[str, str] = {}  # a solver class that the laws cannot be about, and why; so far there is none


def names(**needs) -> list[str]:
    """The entries with all these properties; with `ndim`, those that take points of so many axes."""
    ndim = needs.pop("ndim", None)
    return [
        name
        for name, entry in CATALOGUE.items()
        if ndim in (None, *entry.ndims) and all(getattr(entry, need) == value for need, value in needs.items())
    ]


def build(name: str, ndim: int = 1, **hyperparameters) -> Solver:
    """The solver, with other hyperparameters wherever it, or the solver inside, has some of these names."""
    return altered(CATALOGUE[name].of(ndim), **hyperparameters)


def of_lr(name: str, ndim: int = 1, **hyperparameters) -> Callable[..., Solver]:
    """lr -> the solver of that step."""
    return lambda lr: build(name, ndim, lr=lr, **hyperparameters)


def altered(solver: Solver, **hyperparameters) -> Solver:
    own = {field.name for field in dataclasses.fields(solver)}
    if "inner" in own:
        hyperparameters["inner"] = altered(solver.inner, **hyperparameters)
    return dataclasses.replace(solver, **{name: value for name, value in hyperparameters.items() if name in own})


def classes(package: ModuleType) -> dict[str, type]:
    """The public solver classes defined in a package, by module and name: frozen dataclasses with init and step."""
    modules = (import_module(info.name) for info in pkgutil.walk_packages(package.__path__, f"{package.__name__}."))
    return {
        f"{module.__name__}.{name}": value
        for module in modules
        for name, value in vars(module).items()
        if isinstance(value, type) and value.__module__ == module.__name__ and not name.startswith("_")
        if dataclasses.is_dataclass(value) and value.__dataclass_params__.frozen
        if callable(getattr(value, "init", None)) and callable(getattr(value, "step", None))
    }


def missing(package: ModuleType) -> set[str]:
    """The solver classes of a package that are neither in the catalogue nor an exception."""
    present = {type(entry.of(ndim)) for entry in CATALOGUE.values() for ndim in entry.ndims}
    return {name for name, value in classes(package).items() if value not in present and name not in EXCEPTIONS}
