"""The rule of an optimizer: reference recursions against torch, broken methods that must be told, and claims."""

import math
import re

import numpy as np
import pytest
import pytorch_optimizer
import torch
from ratewitness.studies.cards.claim import parsed, parting
from ratewitness.studies.cards.methods import METHODS, path
from ratewitness.studies.cards.naming import called
from ratewitness.studies.cards.recursions import MAPS, NUMERATORS, SECONDS, Rule, Stream, polar, quintic
from ratewitness.studies.cards.rule import claimed, differences, nearest
from ratewitness.studies.cards.search import Named, Script, candidates, distances, numbers, scripts, taken
from ratewitness.studies.cards.subject import Refused, normal, subject

SHAPE = (5, 3)
ADAM = {"b1": 0.9, "b2": 0.999, "eps": 1e-8}


class Adam(torch.optim.Optimizer):
    """Adam with decoupled decay, written so that each of its parts can be broken."""

    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0):
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                s = self.state[p]
                if not s:
                    s.update(t=0, m=torch.zeros_like(p), v=torch.zeros_like(p))
                s["t"] += 1
                self.update(p, p.grad.clone(), s, group)

    def update(self, p, g, s, c):
        b1, b2 = c["betas"]
        p.mul_(1 - c["lr"] * c["weight_decay"])
        s["m"].lerp_(g, 1 - b1)
        s["v"].mul_(b2).add_((1 - b2) * g * g)
        p.sub_(c["lr"] * self.ratio(s["m"], s["v"], b1, b2, s["t"], c["eps"]))

    def ratio(self, m, v, b1, b2, t, eps):
        return m / (1 - b1**t) / ((v / (1 - b2**t)).sqrt() + eps)


class NoCorrectionOfV(Adam):
    def ratio(self, m, v, b1, b2, t, eps):
        return m / (1 - b1**t) / (v.sqrt() + eps)


class EpsilonInside(Adam):
    def ratio(self, m, v, b1, b2, t, eps):
        return m / (1 - b1**t) / (v / (1 - b2**t) + eps).sqrt()


class EpsilonBeforeCorrection(Adam):
    def ratio(self, m, v, b1, b2, t, eps):
        return m / (v.sqrt() + eps) * math.sqrt(1 - b2**t) / (1 - b1**t)


class Ahead(Adam):
    def ratio(self, m, v, b1, b2, t, eps):
        return super().ratio(m, v, b1, b2, t + 1, eps)


class Twice(Adam):
    def ratio(self, m, v, b1, b2, t, eps):
        return super().ratio(m, v, b1, b2, 2 * t, eps)


class Swapped(Adam):
    def update(self, p, g, s, c):
        super().update(p, g, s, {**c, "betas": c["betas"][::-1]})


class VOfMomentum(Adam):
    def update(self, p, g, s, c):
        b1, b2 = c["betas"]
        s["m"].lerp_(g, 1 - b1)
        m = s["m"] / (1 - b1 ** s["t"])
        s["v"].mul_(b2).add_((1 - b2) * m * m)
        p.sub_(c["lr"] * m / ((s["v"] / (1 - b2 ** s["t"])).sqrt() + c["eps"]))


class OneV(Adam):
    def ratio(self, m, v, b1, b2, t, eps):
        return super().ratio(m, v.mean(), b1, b2, t, eps)


class Multiplied(Adam):
    def ratio(self, m, v, b1, b2, t, eps):
        return m / (1 - b1**t) * (v / (1 - b2**t)).sqrt()


class Clipped(Adam):
    def update(self, p, g, s, c):
        super().update(p, g / max(1.0, float(g.norm())), s, c)


class Single(Adam):
    def update(self, p, g, s, c):
        s["m"], s["v"] = s["m"].float(), s["v"].float()
        super().update(p, g.float(), s, c)


class CorrectedMaximum(Adam):
    def ratio(self, m, v, b1, b2, t, eps):
        self.u = torch.maximum(getattr(self, "u", torch.zeros_like(v)), v / (1 - b2**t))
        return m / (1 - b1**t) / (self.u.sqrt() + eps)


class Ascends(Adam):
    def ratio(self, *args):
        return -super().ratio(*args)


class UnitLength(Adam):
    def ratio(self, *args):
        u = super().ratio(*args)
        return u / u.norm()


class Noisy(Adam):
    def ratio(self, m, *args):
        return super().ratio(m, *args) * (1 + 1e-3 * torch.sin(1e4 * m))


class LeavesLater(Adam):
    def ratio(self, m, v, b1, b2, t, eps):
        return super().ratio(m, v, b1, b2, t, eps) * (0.5 if t > 500 else 1)


class OtherwiseOnLarge(Adam):
    def ratio(self, m, *args):
        return super().ratio(m, *args) * (0.5 if m.numel() > 10000 else 1)


BROKEN = {
    NoCorrectionOfV: "equals Adam, without correction of v(b1=0.9, b2=0.999, eps=1e-08)",
    EpsilonInside: "equals Adam, epsilon inside the root(b1=0.9",
    EpsilonBeforeCorrection: "equals Adam, epsilon before the correction(b1=0.9",
    Ahead: "equals Adam, whose counter is one ahead(b1=0.9",
    Twice: "equals Adam, whose counter runs twice as fast(b1=0.9",
    Swapped: "equals Adam, betas swapped(b1=0.999, b2=0.9",
    VOfMomentum: "equals Adam, v of the momentum(b1=0.9",
    OneV: "equals Adam, one v a tensor(b1=0.9",
    Multiplied: "equals Adam, multiplied by the root instead of divided(b1=0.9",
    Clipped: "equals Adam(b1=0.9, b2=0.999, eps=1e-08) of the gradient clipped to norm 1",
    Single: "in single precision",
    CorrectedMaximum: "equals AMSGrad, maximum of the corrected v(b1=0.9",
    Ascends: "equals -1 x Adam(b1=0.9",
    UnitLength: "the direction of Adam(b1=0.9",
    Noisy: "none; nearest Adam",
    LeavesLater: "for 40 steps, but it leaves that at step 501",
    OtherwiseOnLarge: "leaves that at step 1 of shape (128, 96)",
}


@pytest.mark.parametrize("broken", BROKEN, ids=lambda each: each.__name__)
def test_a_broken_adam_is_not_called_adam(broken):
    finding = nearest(subject(broken)).finding
    assert BROKEN[broken] in finding
    assert not re.fullmatch(r"equals Adam\(b1=0.9, b2=0.999, eps=1e-08\) to \S+", finding)


KNOWN = [
    (torch.optim.SGD, {"momentum": 0.9, "nesterov": True}, "equals Nesterov's momentum(b1=0.9)"),
    (torch.optim.Adam, {}, "equals Adam(b1=0.9, b2=0.999, eps=1e-08) to"),
    (torch.optim.RMSprop, {}, "equals RMSprop(b2=0.99"),
    (torch.optim.Adamax, {}, "equals Adamax(b1=0.9"),
    (torch.optim.NAdam, {}, "equals NAdam(b1=0.9"),
    (torch.optim.Adafactor, {}, "equals Adafactor("),
    (torch.optim.Muon, {}, "equals Muon, times max(1, rows/columns)^(1/2)(b1=0.95)"),
    (torch.optim.Muon, {"nesterov": False}, "equals Muon without Nesterov's look ahead, times max(1"),
    (pytorch_optimizer.Lion, {}, "equals Lion(b1=0.9, b2=0.99)"),
    (pytorch_optimizer.SOAP, {}, "equals SOAP("),
    (pytorch_optimizer.ADOPT, {}, "clip_from=2"),
]


@pytest.mark.parametrize(("cls", "kwargs", "words"), KNOWN, ids=lambda each: getattr(each, "__name__", None))
def test_a_known_rule_is_named(cls, kwargs, words):
    assert words in nearest(subject(cls, kwargs)).finding


class Hidden(Adam):
    """Betas that its settings do not show."""

    def __init__(self, params, lr=1e-3):
        torch.optim.Optimizer.__init__(self, params, {"lr": lr, "betas": (), "eps": 1e-8, "weight_decay": 0.0})

    def update(self, p, g, s, c):
        super().update(p, g, s, {**c, "betas": (0.83, 0.97)})


def test_measured_betas_are_tried():
    assert "equals Adam(b1=0.83, b2=0.97" in nearest(subject(Hidden), measured=(0.83, 0.97)).finding


# One composition against torch on a thousand steps: 1e-9 is rounding of x over steps of lr.
LONG = [
    (torch.optim.Adam, {}, Rule("corrected average", "corrected average", "outside", **ADAM)),
    (torch.optim.Adam, {"amsgrad": True}, Rule("corrected average", "corrected maximum", "outside", **ADAM)),
    (torch.optim.Adamax, {"lr": 1e-3}, Rule("corrected average", "decayed maximum of |g| + eps", "clamp", **ADAM)),
    (torch.optim.RMSprop, {"lr": 1e-3}, Rule("gradient", "average", "outside", b2=0.99, eps=1e-8)),
    (torch.optim.Adagrad, {"lr": 1e-3, "eps": 1e-8}, Rule("gradient", "sum", "outside", eps=1e-8)),
    (torch.optim.SGD, {"momentum": 0.9}, Rule("heavy ball", b1=0.9)),
    (torch.optim.SGD, {"momentum": 0.9, "nesterov": True}, Rule("Nesterov", b1=0.9)),
    (torch.optim.SGD, {"momentum": 0.9, "dampening": 0.9}, Rule("average started at g_1", b1=0.9)),
]


@pytest.mark.parametrize(("cls", "kwargs", "rule"), LONG, ids=lambda each: getattr(each, "__name__", None))
def test_a_composition_is_torch_for_a_thousand_steps(cls, kwargs, rule):
    script = Script(normal(*SHAPE, seed=1).numpy(), normal(1000, *SHAPE, seed=2).numpy())
    done = np.diff(taken(subject(cls, kwargs), script), axis=0)
    u = -1e-3 * Stream(script.grads).directions(rule)
    assert np.abs(done - u).max() < 1e-9 * np.abs(done).max() + 1e-15


BELIEF = {"eps": 1e-8, "keep_eps": True}
PAIRS = [
    ("Adam", {}, Rule("corrected average", "corrected average", "outside", **ADAM)),
    ("AMSGrad", {}, Rule("corrected average", "corrected maximum", "outside", **ADAM)),
    ("NAdam", {}, Rule("NAdam's average", "corrected average", "outside", **ADAM)),
    ("RMSprop", {"centered": True}, Rule("gradient", "centred average", "outside", b2=0.99, eps=1e-8)),
    ("LaProp", {"eps": 1e-8}, Rule("corrected average", "corrected average", "outside", "divide", **ADAM)),
    ("Lion", {}, Rule("Lion's average", map="sign", b1=0.9, b2=0.99)),
    ("Signum", {}, Rule("average", map="sign", b1=0.9)),
    ("Muon", {}, Rule("Nesterov average", map="quintic of Muon", b1=0.95, scaling="max(1, rows/columns)^(1/2)")),
    ("Scion", {}, Rule("average", map="polar factor", b1=0.9)),
    (
        "AdaBelief",
        {"eps": 1e-8, "keep_eps": True},
        Rule("corrected average", "corrected belief with eps kept", "outside", **ADAM),
    ),
]


@pytest.mark.parametrize(("name", "settings", "rule"), PAIRS, ids=lambda each: each if isinstance(each, str) else "")
def test_methods_and_compositions_were_written_twice_and_agree(name, settings, rule):
    script = scripts(SHAPE)["over four decades"]
    method = METHODS[name]
    points = path(method, script.x0, script.grads, {**settings, "weight_decay": 0.0}, method.decay)
    found = distances(-np.diff(points, axis=0) / 1e-3, Stream(script.grads).directions(rule)[None])
    assert found[0, 0] < 1e-8  # the polar factor of matrices that span four decades, and rounding of x over lr


def test_orthogonalizers():
    m = normal(7, 5, 3, seed=3).numpy()
    u = polar(m)
    assert np.allclose(u.swapaxes(-1, -2) @ u, np.eye(3), atol=1e-12)
    values = np.linalg.svd(quintic(m), compute_uv=False)
    assert 0.5 < values.min() < values.max() < 1.3
    assert not polar(np.zeros((1, 3, 3))).any()
    assert np.allclose(np.linalg.norm(MAPS["unit rows"](m), axis=2), 1)


def test_every_piece_has_a_name_and_is_tried():
    rules = list(candidates((0.9, 0.999), (0.0, 1e-8), 2))
    assert len(rules) == len(set(rules)) > 10000
    assert {rule.numerator for rule in rules} == set(NUMERATORS)
    assert {rule.second for rule in rules} == {"", *SECONDS}
    names = [called(rule, (0.9, 0.999)) for rule in rules if rule.eps != 0]
    assert len(names) == len(set(names))  # a name says what is special


def test_distances():
    s = normal(6, *SHAPE, seed=4).numpy()
    lengths = np.arange(1.0, 7).reshape(-1, 1, 1)
    exact, scaled, c, direction = distances(s, np.stack([s, s / 3, s * lengths, -s])).T
    assert exact[0] < 1e-14 < exact[1]
    assert scaled[1] < 1e-14 < scaled[2]
    assert np.allclose(c[[0, 1, 3]], [1, 3, -1])
    assert direction[2] < 1e-14


TORCH = [
    ("SGD", {}),
    ("SGD", {"momentum": 0.9, "dampening": 0.3, "weight_decay": 0.01}),
    ("SGD", {"momentum": 0.9, "nesterov": True}),
    ("Adam", {}),
    ("Adam", {"amsgrad": True, "weight_decay": 0.1}),
    ("AdamW", {}),
    ("NAdam", {"weight_decay": 0.1, "decoupled_weight_decay": True}),
    ("RAdam", {}),
    ("Adamax", {}),
    ("Adagrad", {"lr_decay": 0.1, "initial_accumulator_value": 0.2}),
    ("RMSprop", {"centered": True, "momentum": 0.9}),
    ("Adadelta", {}),
    ("Rprop", {}),
    ("ASGD", {}),
    ("Adafactor", {}),
    ("Muon", {}),
]


@pytest.mark.parametrize(("name", "kwargs"), TORCH, ids=lambda each: each if isinstance(each, str) else "")
def test_torch_is_what_its_names_say(name, kwargs):
    fact = claimed(subject(getattr(torch.optim, name), kwargs), name)
    assert fact.holds, fact.finding
    assert fact.finding.startswith(f"yes: {name}(")


OTHERS = [
    *((name, name) for name in ("Lion", "SignSGD", "Shampoo", "SOAP", "LARS", "Yogi", "AdEMAMix", "AdaMax", "SGDW")),
    ("Tiger", "Signum"),
    ("ScheduleFreeSGD", "ScheduleFreeSGD"),
    ("ScheduleFreeAdamW", "ScheduleFreeAdamW(inside=1e-15)"),
    ("ADOPT", "ADOPT(clip_from=2)"),
    ("AdaBelief", "AdaBelief(keep_eps=True)"),
]


@pytest.mark.parametrize(("name", "claim"), OTHERS, ids=lambda each: each)
def test_well_known_code_is_what_it_says(name, claim):
    fact = claimed(subject(getattr(pytorch_optimizer, name)), claim)
    assert fact.holds, fact.finding


class DecayAfter(Adam):
    def update(self, p, g, s, c):
        super().update(p, g, s, {**c, "weight_decay": 0.0})
        p.mul_(1 - c["lr"] * c["weight_decay"])


class DecayTwice(Adam):
    def update(self, p, g, s, c):
        super().update(p, g, s, c)
        p.mul_(1 - c["lr"] * c["weight_decay"])


class Raises(Adam):
    def update(self, p, g, s, c):
        if not g.any():
            raise ArithmeticError("singular")
        super().update(p, g, s, c)


class NoDecay(Adam):
    def update(self, p, g, s, c):
        super().update(p, g, s, {**c, "weight_decay": 0.0})


class NotTimesLr(Adam):
    def update(self, p, g, s, c):
        super().update(p, g, s, {**c, "weight_decay": c["weight_decay"] / c["lr"]})


class Coupled(Adam):
    def update(self, p, g, s, c):
        super().update(p, g + c["weight_decay"] * p, s, {**c, "weight_decay": 0.0})


class Buffer(torch.optim.Optimizer):
    """Methods with one buffer, by the name of what is wrong with them."""

    wrong = ""

    def __init__(self, params, lr=0.1, momentum=0.9, dampening=0.0, weight_decay=0.0):
        defaults = {"lr": lr, "momentum": momentum, "dampening": dampening, "weight_decay": weight_decay}
        super().__init__(params, defaults)

    @torch.no_grad()
    def step(self):
        for c in self.param_groups:
            for p in c["params"]:
                self.move(p, p.grad.clone(), self.state[p], c)

    def move(self, p, g, s, c):
        if self.wrong == "no decay without momentum" and not c["momentum"]:
            p.sub_(c["lr"] * g)
            return
        g = g + (-1 if self.wrong == "sign" else 1) * c["weight_decay"] * p
        first = (1 - c["dampening"]) * g if self.wrong == "dampened" else g
        s["m"] = c["momentum"] * s["m"] + (1 - c["dampening"]) * g if "m" in s else first
        p.sub_(c["lr"] * s["m"])


def buffer(wrong, base=Buffer):
    return type("Buggy", (base,), {"wrong": wrong})


class Lars(Buffer):
    def move(self, p, g, s, c):
        g = g + c["weight_decay"] * p
        size, slope = p.norm(), g.norm()
        inside = (size >= 0) & (slope >= 0) if self.wrong else (size > 0) & (slope > 0)
        ratio = torch.where(inside, 1e-3 * size / slope, torch.ones(()))
        p.sub_(c["lr"] * ratio * g)


class Balls(Buffer):
    def move(self, p, g, s, c):
        s.setdefault("m", torch.zeros_like(p)).lerp_(g, 1 - c["momentum"])
        m = {"gradient": g, "": s["m"], "in place": s["m"]}[self.wrong]
        m = m.to(torch.float32, copy=self.wrong != "in place")
        u, _, v = torch.linalg.svd(m.div_(m.norm()), full_matrices=False)
        p.sub_(c["lr"] * (u @ v).to(p.dtype))


class Basis(Adam):
    wrong = ""

    def update(self, p, g, s, c):
        b1, b2 = c["betas"]
        s["l"] = 0.9 * s.get("l", 0) + 0.1 * g @ g.mT
        q = torch.linalg.eigh(s["l"])[1]
        s["m"].lerp_(q.mT @ g if self.wrong else g, 1 - b1)
        s["v"].lerp_((q.mT @ g) ** 2, 1 - b2)
        p.sub_(c["lr"] * q @ ((s["m"] if self.wrong else q.mT @ s["m"]) / (s["v"].sqrt() + c["eps"])))


SOAP = "SOAP(exact=True, one_sided=True, correct_bias=False, shampoo_beta=0.9, weight_decay=0)"
SCION = "Scion(memory=0.9, norm='spectral', weight_decay=0)"
FALSE = [
    (DecayAfter, "AdamW", "no: decay is applied after the step; first difference at step 1, "),
    (NoDecay, "AdamW", "no: decay has no effect"),
    (NotTimesLr, "AdamW", "no: decay is not multiplied by lr"),
    (Coupled, "AdamW", "no: decay is added to the gradient"),
    (Adam, "Adam", "no: decay is decoupled"),
    (Adam, "AdamW(betas=(0.9, 0.95))", "no: it equals Adam(b1=0.9, b2=0.999"),
    (Adam, "AdamW(lr=0.1)", "no: it equals Adam("),
    (Twice, "AdamW", "no: it equals Adam, whose counter runs twice as fast"),
    (CorrectedMaximum, "AMSGrad(decay='decoupled')", "no: it equals AMSGrad, maximum of the corrected v"),
    (LeavesLater, "AdamW", "no: it is another rule in a long run; first difference at step 501"),
    (buffer("sign"), "SGD", "no: decay is subtracted from the gradient"),
    (buffer("no decay without momentum"), "SGD(momentum=0.9)", "yes: "),
    (buffer("no decay without momentum"), "SGD(momentum=0)", "no: it equals heavy ball"),
    (buffer("no decay without momentum"), "SGD", "no: decay has no effect"),
    (DecayTwice, "AdamW", "no: decay is applied before the step and after it"),
    (Raises, "AdamW", "no: on gradients with zeros it raises ArithmeticError: singular"),
    (buffer("on", Lars), "LARS(momentum=0, weight_decay=0)", "no: it "),
    (buffer("gradient", Balls), SCION, "no: it "),
    (buffer("in place", Balls), SCION, "no: in float32 it takes other steps"),
    (buffer("on", Basis), SOAP, "no: it is no known rule"),
]


@pytest.mark.parametrize(("cls", "claim", "words"), FALSE)
def test_a_false_claim_is_told_with_its_reason(cls, claim, words):
    fact = claimed(subject(cls), claim)
    assert fact.finding.startswith(words)
    assert fact.holds == words.startswith("yes")
    assert bool(fact.reason) != fact.holds


def test_where_the_fault_needs_a_setting():
    without = {"momentum": 0.0}
    assert claimed(subject(buffer("no decay without momentum"), without), "SGD").finding.startswith(
        "no: decay has no effect"
    )
    dampened = {"dampening": 0.5}
    assert claimed(subject(buffer("dampened"), dampened), "SGD").holds is False
    assert claimed(subject(buffer(""), dampened), "SGD(momentum=0.9)").holds


TRUE = [
    (Adam, "AdamW"),
    (Adam, "Adam(decay='decoupled')"),
    (EpsilonBeforeCorrection, "AdamW(eps_hat=True)"),
    (Coupled, "Adam"),
    (buffer(""), "SGD"),
    (buffer("", Lars), "LARS(momentum=0, weight_decay=0)"),
    (buffer("", Balls), SCION),
    (buffer("", Basis), SOAP),
]


@pytest.mark.parametrize(("cls", "claim"), TRUE)
def test_a_true_claim_holds(cls, claim):
    fact = claimed(subject(cls), claim)
    assert fact.holds, fact.finding
    assert fact.number <= fact.threshold


def test_the_first_differing_step_is_given_with_numbers():
    fact = claimed(subject(DecayAfter), "AdamW")
    assert "gradients with weight_decay=0.1, step 1, entry " in fact.reason
    assert ": x changes by " in fact.reason


REFUSED = [
    ("Adamm", "there is no rule Adamm; accepted are SGD, "),
    ("Adam(foo=1)", "Adam has no argument foo; accepted are lr, "),
    ("Adam(lr=x)", "lr=x is no value"),
    ("Adam(lr=__import__('os').getpid())", "is no value"),
    ("Adam(betas=0.9)", "accepted is something like betas=(0.9, 0.999)"),
    ("Adam(betas=(0.9, 0.95, 0.99))", "accepted is something like betas=(0.9, 0.999)"),
    ("Adam(amsgrad=1)", "accepted is something like amsgrad=False"),
    ("Adam(0.1)", "accepted is NAME(key=value, ...)"),
    ("Adam(", "accepted is NAME(key=value, ...)"),
    ("import os", "accepted is NAME(key=value, ...)"),
    ("Adam(SGD)", "Adam takes no SGD"),
    ("Adam(decay='often')", "decay='often'; accepted are 'coupled', "),
    ("Adam(lr={[]: 1})", "is no value"),
    ("Muon(orthogonalizer=[1])", "accepted are 'quintic', 'svd'"),
]


@pytest.mark.parametrize(("claim", "words"), REFUSED)
def test_an_unreadable_claim_is_refused_in_one_line(claim, words):
    with pytest.raises(Refused) as error:
        parsed(claim)
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_a_claim_is_read():
    assert parsed("adamw(betas=(.9,.95))").given == {"betas": (0.9, 0.95)}
    assert str(parsed("Lookahead(SGD, k=2)")) == "Lookahead(k=2)"


def test_a_rule_of_matrices_is_refused_for_vectors():
    class OnlyVectors(Adam):
        def __init__(self, params, **kwargs):
            params = list(params)
            if any(p.ndim != 1 for p in params):
                raise ValueError("vectors only")
            super().__init__(params, **kwargs)

    with pytest.raises(Refused, match="rule of matrices"):
        claimed(subject(OnlyVectors), "Muon")
    assert claimed(subject(OnlyVectors), "AdamW").holds
    assert nearest(subject(OnlyVectors)).finding.startswith("equals Adam(")


def test_lookahead():
    class Ahead2(Buffer):
        def move(self, p, g, s, c):
            s["t"] = s.get("t", 0) + 1
            s.setdefault("slow", p.clone())
            p.sub_(c["lr"] * g)
            if s["t"] % 2 == 0:
                p.copy_(s["slow"].lerp_(p, 0.5))

    assert claimed(subject(Ahead2), "Lookahead(SGD, k=2, momentum=0, weight_decay=0)").holds
    with pytest.raises(Refused, match="cannot be computed"):
        claimed(subject(Ahead2), "Lookahead(SGD, k=0, momentum=0, weight_decay=0)")


def test_one_that_raises_on_zeros_is_still_named():
    finding = nearest(subject(Raises)).finding
    assert finding.startswith("equals Adam(")
    assert finding.endswith("; raises ArithmeticError: singular on the gradients with zeros")


def test_one_that_rests():
    class Rests(Adam):
        def update(self, p, g, s, c):
            pass

    assert nearest(subject(Rests)).finding == "none; it does not move"


def test_one_that_is_not_finite_on_zeros_is_still_named():
    class Unsafe(Adam):
        def ratio(self, m, v, b1, b2, t, eps):
            return super().ratio(m, v, b1, b2, t, eps) / (1 if m.abs().sum() > 0 and t != 7 else 0)

    finding = nearest(subject(Unsafe)).finding
    assert "not finite at step 7 of the gradients" in finding


def test_differences_name_the_first_step():
    facts = differences(subject(Adam), subject(DecayAfter))
    assert [fact.number < 1e-9 for fact in facts] == [True, True, True, True, True, False]
    assert "first at step 1: x changes by" in facts[-1].finding
    later = differences(subject(LeavesLater), subject(Adam))[4]
    assert "in a long run not" in later.finding
    assert "first at step 501" in later.finding
    ten = differences(subject(torch.optim.SGD, {"lr": 0.1}), subject(torch.optim.SGD, {"lr": 0.01}))
    assert all("but 10 x its steps" in fact.finding for fact in ten[:5])


def test_where_a_method_ends_nothing_is_claimed():
    should = np.array([[0.0], [1.0], [np.nan], [np.nan]])
    assert parting(np.array([[0.0], [1.0], [2.0], [np.nan]]), should, True, 1e-9, 0.0)[1] is None
    gap, first = parting(np.array([[0.0], [np.nan], [2.0], [3.0]]), should, True, 1e-9, 0.0)
    assert first.step == 1
    assert np.isnan(gap)


def test_numbers_of_the_settings():
    betas, epsilons = numbers(subject(torch.optim.Adam, {"lr": 0.5, "eps": 1e-6}), (0.97, 1e-3))
    assert betas == [0.9, 0.999, 0.97]
    assert epsilons == [0.0, 1e-6, 1e-3]


def test_a_named_method_shows_its_settings():
    assert called(Named("Rprop", (("etas", (0.5, 1.2)), ("x", None)))) == "Rprop(etas=(0.5, 1.2))"
