"""Whether an optimizer is what it is claimed to be: the named method with its decay, on scripts that nothing else decides.

A claim is a name of METHODS with keyword arguments, as AdamW(betas=(0.9, 0.95)). What it names is fixed; what it leaves out
is taken from the optimizer's own settings, and where it has none from the method. Where the claim leaves weight decay and
momentum open, and the optimizer has them, they are also switched on and off.
"""

from __future__ import annotations

import ast
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy import ndarray as Array
from ratewitness.studies.cards.fact import Fact
from ratewitness.studies.cards.methods import DECAYS, EQUAL, METHODS, SAID, Method, path
from ratewitness.studies.cards.nearest import LARGE, LONG, SMALL, nearest
from ratewitness.studies.cards.search import Script, alike, distances, scripts, settings_of, taken
from ratewitness.studies.cards.subject import Refused, Subject, gap, normal, play, said
from ratewitness.studies.cards.updates_of_tensors import ADJUSTMENTS, NORMS, ORTHOGONALIZERS

DECAY = 0.1  # where it is switched on
ROUNDING = {torch.float64: 2.0**-50, torch.float32: 2.0**-21}  # of x in one step: a few units in the last place
SINGLE_STEPS = 1e-2  # float32 against float64, where only gross differences count
OTHER_NAMES = {"signsgd": "Signum", "tiger": "Signum"}
CHOICES = {"decay": DECAYS, "norm": NORMS, "orthogonalizer": ORTHOGONALIZERS, "adjust_lr_fn": ADJUSTMENTS}
EXTRA = {"decay": ""}  # accepted of every method


@dataclass(frozen=True)
class Claim:
    """The name of a method, and the settings that were named with it."""

    name: str
    given: Mapping[str, object]

    @property
    def method(self) -> Method:
        return METHODS[self.name]

    def __str__(self) -> str:
        return f"{self.name}({', '.join(f'{key}={value!r}' for key, value in self.given.items())})"


def parsed(claim: str) -> Claim:
    """A claim in words, read without running it. Raises Refused with what is accepted."""
    try:
        node = ast.parse(claim.strip(), mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        raise Refused(f"the claim {claim!r} cannot be read; accepted is NAME(key=value, ...), as AdamW(lr=1e-3)") from None
    call = node if isinstance(node, ast.Call) else ast.Call(node, [], [])
    around = [each.id for each in call.args if isinstance(each, ast.Name)]
    if not isinstance(call.func, ast.Name) or len(around) != len(call.args):
        raise Refused(f"the claim {claim!r} cannot be read; accepted is NAME(key=value, ...), as AdamW(lr=1e-3)")
    folded = {name.casefold(): name for name in METHODS} | OTHER_NAMES
    name = folded.get(call.func.id.casefold())
    if name is None:
        raise Refused(f"there is no rule {call.func.id}; accepted are {', '.join(METHODS)}")
    if around not in ([], ["SGD"] if name == "Lookahead" else []):
        raise Refused(f"{name} takes no {', '.join(around)}; accepted are keyword arguments, and SGD in Lookahead(SGD)")
    names = [word.arg for word in call.keywords]
    if repeated := {each for each in names if names.count(each) > 1}:
        raise Refused(f"the claim {claim!r} names {', '.join(sorted(map(str, repeated)))} twice; accepted is once")
    return Claim(name, {word.arg: _value(name, word) for word in call.keywords})


def _value(name: str, word: ast.keyword) -> object:
    accepted = {**METHODS[name].defaults, **EXTRA}
    if word.arg not in accepted:
        raise Refused(f"{name} has no argument {word.arg}; accepted are {', '.join(accepted)}")
    try:
        value = ast.literal_eval(word.value)
    except (ValueError, TypeError, MemoryError, RecursionError):
        said_so = ast.unparse(word.value)
        raise Refused(f"{word.arg}={said_so} is no value; accepted are numbers, names in quotes, tuples") from None
    if word.arg in CHOICES:
        if not isinstance(value, str | None) or value not in CHOICES[word.arg]:
            raise Refused(f"{word.arg}={value!r}; accepted are {', '.join(map(repr, CHOICES[word.arg]))}")
    elif not alike(value, accepted[word.arg]):
        raise Refused(f"{name}({word.arg}={value!r}); accepted is something like {word.arg}={accepted[word.arg]!r}")
    elif word.arg in ("betas", "momentum") and not all(0 <= beta < 1 for beta in np.ravel(value)):
        raise Refused(f"{name}({word.arg}={value!r}); accepted are numbers from 0 to below 1")
    return value


@dataclass(frozen=True)
class Trial:
    """One script, played to the optimizer and to the method, each with these of its settings changed."""

    name: str
    script: Script
    own: Mapping[str, object]
    rule: Mapping[str, object]
    dtype: torch.dtype = torch.float64
    bare: bool = True  # without decay in both
    plain: bool = False  # nothing but the script


def _trials(examined: Subject, claim: Claim, settings: Mapping[str, object]) -> Iterator[Trial]:
    """What is tried, in the order in which a difference is looked for."""
    free = {key for key in ("weight_decay", "maximize", "momentum") if key in examined.accepts and key not in claim.given}
    free &= set(claim.method.defaults)
    off = {"weight_decay": 0.0} if "weight_decay" in free else {}
    yield from _scripted(examined, claim.method, off, bare=bool(off) or not settings["weight_decay"])
    yield from _switched(examined, claim.method, off, free, settings)


def _scripted(examined: Subject, method: Method, off: Mapping[str, object], bare: bool) -> Iterator[Trial]:
    """Without decay where that can be: every script, from zero, in float32, on other shapes, and for long."""
    shape = method.shape or examined.shape
    every = scripts(shape, entrywise=method.entrywise)
    for name, script in every.items():
        yield Trial(name, script, off, off, bare=bare, plain=True)
    x0 = every["with zeros"].x0
    others = {
        "from x = 0": Script(np.zeros(shape), every["over four decades"].grads[:8]),
        "in a long run": Script(x0, normal(LONG, *shape, seed=21).numpy()),
    }
    if method.entrywise:
        others["of size 1e6"] = Script(x0, 1e6 * every["with zeros"].grads[:8])
    for other in (*SMALL, LARGE) if method.entrywise else ():
        if other != shape and (len(shape) == 2 if other == LARGE else examined.takes_shape(other)):
            others[f"of shape {other}"] = scripts(other, 8)["over four decades"]
    for name, script in others.items():
        yield Trial(name, script, off, off, bare=bare)
    single = Script(x0, normal(20, *shape, seed=20).numpy())
    yield Trial("in single precision", single, off, off, torch.float32, bare)


def _switched(
    examined: Subject, method: Method, off: Mapping[str, object], free: set[str], settings: Mapping[str, object]
) -> Iterator[Trial]:
    """With what the claim leaves open switched on or off: maximize, decay and momentum."""
    every = scripts(method.shape or examined.shape, entrywise=method.entrywise)
    zeros, on = every["with zeros"], dict.fromkeys(off, DECAY)
    if "maximize" in free:
        up = {**off, "maximize": True}
        yield Trial("with maximize=True", zeros, up, up)
    if on:
        yield Trial("with its weight decay", zeros, {}, {}, bare=not settings["weight_decay"])
        yield Trial(f"with weight_decay={DECAY}", zeros, on, on, bare=False)
        for other in SMALL if method.entrywise else ():
            if examined.takes_shape(other):
                script = scripts(other, 8)["with zeros"]
                yield Trial(f"of shape {other} with weight_decay={DECAY}", script, on, on, bare=False)
    if "momentum" in free and settings["momentum"]:
        still = {**on, "momentum": 0.0, "nesterov": False, "dampening": 0.0}
        own = {key: value for key, value in still.items() if key in examined.accepts}
        if _builds(examined, own):
            rule = {key: value for key, value in still.items() if key in settings}
            name = f"with momentum=0 and weight_decay={DECAY}" if on else "with momentum=0"
            yield Trial(name, every["over four decades"], own, rule, bare=not on)


def _builds(examined: Subject, settings: Mapping[str, object]) -> bool:
    """Whether the optimizer accepts these settings."""
    try:
        return bool(examined.having(**settings).settings)
    except Exception:
        return False


@dataclass(frozen=True)
class Parting:
    """The first step at which two paths part; gap: over the size of the steps of the entry."""

    step: int
    entry: tuple[int, ...]
    done: float
    should: float
    gap: float

    def __str__(self) -> str:
        where = f", entry {self.entry}" if self.entry else ""
        return f"step {self.step}{where}: x changes by {self.done:.6g}, should by {self.should:.6g}"


def parting(done: Array, should: Array, entrywise: bool, tolerance: float, rounding: float) -> tuple[float, Parting | None]:
    """The largest gap of the steps of two paths (steps + 1, *shape), and where it first exceeds the tolerance.

    Relative to the largest step of the entry (of all entries where they see each other), or to what rounding of x allows.
    """
    ends = ~np.isfinite(should.reshape(len(should), -1)).all(1)
    last = int(np.argmax(ends)) if ends.any() else len(should)  # where the method itself ends, nothing is claimed
    with np.errstate(invalid="ignore"):  # of those that leave the finite numbers
        a, b = np.diff(done[:last], axis=0), np.diff(should[:last], axis=0)
        off = np.abs(a - b)
    size = np.abs(b).max(0 if entrywise else None, keepdims=True)
    size = np.maximum(size, rounding / tolerance * np.abs(should[:last]).max(0))
    off = off / np.where(size > 0, size, 1)
    wrong = ~(off <= tolerance)
    if not wrong.any():
        return float(off.max()), None
    step = int(np.argmax(wrong.reshape(len(wrong), -1).any(1)))
    entry = np.unravel_index(np.argmax(np.where(wrong[step], np.nan_to_num(off[step], nan=np.inf), -1)), wrong.shape[1:])
    entry = tuple(int(k) for k in entry)
    return float(off.max()), Parting(step + 1, entry, float(a[step][entry]), float(b[step][entry]), float(off[step][entry]))


def _decay(claim: Claim, examined: Subject) -> str:
    """How the weights decay: as claimed, as the flags of the optimizer say, or as is usual for the method."""
    usual = claim.method.decay
    flag = examined.setting("decoupled_weight_decay", "weight_decouple")
    if "decay" in claim.given or usual == "own" or not claim.method.flags or not isinstance(flag, bool):
        return str(claim.given.get("decay", usual))
    if not flag:
        return usual if usual == "proximal" else "coupled"
    if examined.setting("fixed_decay") is True:
        return "fixed after" if "after" in usual else "fixed"
    return "after" if "after" in usual else "decoupled"


@dataclass(frozen=True)
class Case:
    """An optimizer, what it is claimed to be, and with which settings."""

    examined: Subject
    claim: Claim
    settings: Mapping[str, object]
    decay: str

    def tolerance(self, trial: Trial) -> float:
        """Of the method, or of float32 where that is coarser."""
        own = self.claim.method.tolerance
        return own if trial.dtype == torch.float64 else max(SINGLE_STEPS, own)

    def against(self, trial: Trial, done: Array, decay: str) -> tuple[float, Parting | None]:
        """How far the optimizer is from the method if weights decay so."""
        method, settings = self.claim.method, {**self.settings, **trial.rule}
        try:
            should = path(method, trial.script.x0, trial.script.grads, settings, decay)
        except ArithmeticError as error:
            raise Refused(f"{self.says()} cannot be computed: {said(error)}; accepted are values it allows") from None
        return parting(done, should, method.entrywise, self.tolerance(trial), ROUNDING[trial.dtype])

    def why(self, trial: Trial, done: Array) -> str:
        """What explains a difference: another way to decay, or the rule that it is instead."""
        others = () if trial.bare else (mode for mode in SAID if mode != self.decay)
        for mode in others:
            if self.against(trial, done, mode)[1] is None:
                return SAID[mode]
        if trial.dtype != torch.float64:
            return "in float32 it takes other steps than in float64"
        if not trial.plain:
            return f"it is another rule {trial.name}"
        found = nearest(self.examined, _numbers(self.claim.given)).finding
        opening = next(words for start, words in INSTEAD.items() if found.startswith(start))
        return opening + found.removeprefix("none")

    def says(self) -> str:
        """The method with its settings, as far as they say something."""
        kept = {k: v for k, v in self.settings.items() if v is not None and v is not False and (k != "weight_decay" or v)}
        return f"{self.claim.name}({', '.join(f'{k}={v!r}' for k, v in kept.items())})"

    def says_decay(self) -> str:
        """How the weights decay, where that was tried."""
        open_ = "weight_decay" in self.examined.accepts and "weight_decay" not in self.claim.given
        return f"; {SAID[self.decay]}" if (self.settings["weight_decay"] or open_) and self.decay in SAID else ""


INSTEAD = {"equals": "it ", "the direction": "it has ", "none": "it is no known rule"}


def claimed(examined: Subject, claim: str) -> Fact:
    """Whether the optimizer is what it is claimed to be; of a false claim, the first differing step. Raises Refused."""
    start, read = time.perf_counter(), parsed(claim)
    if read.method.matrices and len(examined.shape) != 2:
        raise Refused(f"{read.name} is a rule of matrices, which {examined.spec} does not take; claim a rule of vectors")
    given = {key: value for key, value in read.given.items() if key != "decay"}
    case = Case(examined, read, {**settings_of(read.method, examined), **given}, _decay(read, examined))
    number, finding, reason = _judged(case)
    threshold, seconds = read.method.tolerance, time.perf_counter() - start
    return Fact("claimed", finding, number, threshold, not reason, reason, "rule", seconds)


def _judged(case: Case) -> tuple[float | None, str, str]:
    """The largest gap, the sentence, and of a false claim the reason."""
    worst = 0.0
    for trial in _trials(case.examined, case.claim, case.settings):
        try:
            done = taken(case.examined.having(**trial.own), trial.script, trial.dtype)
        except Exception as error:
            return None, f"no: on gradients {trial.name} it raises {said(error)}", f"gradients {trial.name}"
        gap, first = case.against(trial, done, case.decay)
        if first is not None:
            apart = f"first difference at step {first.step}, {abs(first.done - first.should):.1g}"
            return gap, f"no: {case.why(trial, done)}; {apart}", f"gradients {trial.name}, {first}"
        worst = max(worst, gap if trial.dtype == torch.float64 else 0.0)
    if (apart := _beside(case.examined)) > case.claim.method.tolerance:
        return (
            apart,
            f"no: beside another tensor it is another rule, off by {apart:.1g}",
            "two tensors, gradients with zeros",
        )
    return worst, f"yes: {case.says()} to {worst:.0e}{case.says_decay()}", ""


def _beside(examined: Subject) -> float:
    """By how much a tensor moves otherwise beside another one; no method here sees other tensors."""
    script = scripts(examined.shape)["with zeros"]
    x0, grads = torch.tensor(script.x0), list(torch.tensor(script.grads))
    alone = play(examined, x0, grads)
    beside = play(examined, [x0, -x0], [[g, -2 * g] for g in grads])[0]
    return gap(beside[1:] - beside[:-1], alone[1:] - alone[:-1])


def _numbers(given: Mapping[str, object]) -> list[float]:
    """The betas and epsilons of a claim, which are worth trying where it fails."""
    values = [value for key, value in given.items() if key in ("betas", "eps", "momentum", "alpha", "rho", "memory")]
    flat = [v for value in values for v in (value if isinstance(value, tuple | list) else [value])]
    return [float(v) for v in flat if isinstance(v, float)]


def differences(examined: Subject, other: Subject) -> list[Fact]:
    """How another optimizer differs: on each script the first differing step with its numbers, or that there is none."""
    shape = examined.shape if other.takes_shape(examined.shape) else other.shape
    if not examined.takes_shape(shape):
        raise Refused(f"{examined.spec} and {other.spec} take no common shape; accepted are optimizers that share one")
    both = all("weight_decay" in each.accepts for each in (examined, other))
    cases = [(name, script, {}) for name, script in scripts(shape).items()]
    long = Script(normal(*shape, seed=11).numpy(), normal(LONG, *shape, seed=21).numpy())
    cases += [("in a long run", long, {})]
    cases += [(f"with weight_decay={DECAY}", scripts(shape)["with zeros"], {"weight_decay": DECAY})] if both else []
    return [_difference(name, examined.having(**own), other.having(**own), script) for name, script, own in cases]


def _difference(name: str, examined: Subject, other: Subject, script: Script) -> Fact:
    start = time.perf_counter()
    done, should = taken(examined, script), taken(other, script)
    gap, first = parting(done, should, True, EQUAL, ROUNDING[torch.float64])
    if first is None:
        finding = f"on gradients {name} the steps of {other.spec}, to {gap:.0e}"
    else:
        apart = f"first at step {first.step}: x changes by {first.done:.6g} against {first.should:.6g}"
        finding = f"on gradients {name} not {other.spec}{_times(done, should)}, {apart}"
    return Fact(f"against, {name}", finding, gap, EQUAL, part="rule", seconds=time.perf_counter() - start)


def _times(done: Array, should: Array) -> str:
    """The constant that the steps of one are of the other's, where there is one."""
    _, scaled, c, _ = distances(np.diff(done, axis=0), np.diff(should, axis=0)[None])[0]
    return f" but {c:.6g} x its steps" if scaled <= 1e-6 else ""
