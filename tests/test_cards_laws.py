"""The laws of a card: broken by code with a slip and kept by the same code without it, and what well-known classes break."""

import itertools

import numpy as np
import pytest
import pytorch_optimizer
import torch
from faulty_optimizers import FAULTS, corrected, faulty
from ratewitness.studies.cards import examine
from ratewitness.studies.cards.card import card
from ratewitness.studies.cards.examine import Asked
from ratewitness.studies.cards.examined import Examined
from ratewitness.studies.cards.laws import LAWS
from ratewitness.studies.cards.rule import nearest
from ratewitness.studies.cards.subject import subject
from torch.optim import Optimizer

TOLD = {
    "amsgrad_max_not_kept": "memory is written",
    "adam_minus_one_twice": "descends",
    "signum_forgets": "settings",
    "sgd_foreach_is_another_rule": "implementations",
    "diffgrad_aliased": "keeps no gradient",
    "adam_multiplies": "settings",
    "adagrad_ascends": "keeps descending",
    "sgd_no_momentum_no_decay": "decay shrinks",
    "sgd_decay_grows_weights": "decay shrinks",
    "lars_never_leaves_zero": "leaves zero",
    "muon_orthogonalizes_the_gradient": "memory is used",
    "muon_decay_has_no_effect": "settings",
    "muon_normalizes_the_momentum": "single precision",
    "scion_asks_the_gradient": "memory is used",
    "soap_stale_basis": "signs of rows and columns",
    "svrg_last_parameter": "moves every tensor",
    "sam_memory_lost": "reload",
    "lookahead_slow_weights_lost": "reload",
    "adam_counter_cast": "counters",
    "sgd_sparse_rows_decay_unevenly": "sparse gradients",
    "adam_shared_counter": "silent neighbours",
    "adam_state_by_shape": "silent neighbours",
    "adam_state_by_position": "groups",
    "sgd_lr_frozen": "schedulers",
    "sgd_lr_of_the_first_group": "lr of a group",
    "adamw_decays_once_a_group": "groups",
    "adamw_zero_decay_is_the_default": "rests on zero gradients",
    "sgd_momentum_is_the_gradient": "keeps no gradient",
    "sgd_nesterov_of_the_old_momentum": "settings",
    "sgd_maximize_decays_upwards": "maximize",
    "sgd_foreach_ignores_maximize": "implementations",
    "amsgrad_max_not_saved": "reload",
    "adam_counter_not_saved": "reload",
    "sgd_clips_in_place": "leaves gradients alone",
    "sgd_zeroes_gradients": "leaves gradients alone",
    "sgd_none_ends_the_loop": "tensors without gradient",
    "sgd_first_group_only": "groups",
    "muon_reshaped_not_transposed": "descends",
    "sgd_sparse_duplicates_lost": "sparse gradients",
    "sgd_reshape_copies": "strides",
    "sgd_views_the_gradient": "strides",
    "sgd_no_scalars": "takes scalars",
    "sgd_closure_without_grad": "closures",
    "sgd_loss_not_returned": "closures",
    "normalized_nan_at_zero": "rests on zero gradients",
    "adamax_forgets_the_sign": "stays finite",
    "signum_moves_at_zero": "rests on zero gradients",
}
# By the laws alone none of these can be told: each is a rule of its own, and only not the one that it claims to be, ...
OTHER_RULES = {
    "amsgrad_corrected_max",
    "adam_eps_corrected",
    "adam_counts_twice",
    "adopt_present_v",
    "nadam_mu_twice",
    "adam_complement_twice",
    "adamw_decays_after_the_step",
    "adamw_decay_not_times_lr",
    "sgd_dampens_the_first_step",
    "adam_powers_in_float32",
    "adam_eps_in_the_square",
    "adam_betas_swapped",
    "adam_corrects_one_ahead",
    "adafactor_sums_columns",
    "adafactor_not_transposed",
    "muon_stacks_together",
    "muon_scale_inverted",
    "rmsprop_alpha_of_the_gradient",
}
# ... and of these a line of the card tells, which is no law: many well-known classes do the same.
FACTS = {
    "adabelief_eps_accumulates": "rule",
    "sgd_skips_nan": "a NaN spreads",
    "sgd_largest_of_nothing": "empty tensors",
    "adam_squares_overflow": "half precision",
}


def broken(cls, kwargs):
    return {fact.name for fact in card(cls, parts=("laws",), **kwargs).broken}


def holds(cls, law, kwargs):
    """Whether a class keeps one law, or None where that does not apply."""
    ask = Asked(lambda name, part: None, frozenset())
    (fact,) = ask(Examined(subject(cls, kwargs)), {law: LAWS[law]}, "laws")
    return fact.holds


class Plain(Optimizer):
    """Gradient descent, whose subclasses have one slip."""

    def __init__(self, params, lr=0.1):
        super().__init__(params, {"lr": lr})

    @torch.no_grad()
    def step(self, closure=None):
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    self.move(p, p.grad, group["lr"])
        return loss

    def move(self, p, g, lr):
        p.sub_(lr * g)


class Unrepeatable(Plain):
    rng = np.random.default_rng(0)

    def move(self, p, g, lr):
        p.sub_(lr * (1 + 0.1 * self.rng.random()) * g)


class Elsewhere(Plain):
    def move(self, p, g, lr):
        p.data = p.data - lr * g


class Vanishing(Plain):
    def move(self, p, g, lr):
        p.sub_(lr * g / g.square().mul(1e-300).sqrt().mul(1e150))


class ForgetsItsMode(Plain):
    def train(self):
        for p in itertools.chain.from_iterable(group["params"] for group in self.param_groups):
            p.data.add_(1e-3)

    def eval(self):
        pass


class OneDecayForAll(Plain):
    def __init__(self, params, lr=0.1, weight_decay=0.0):
        Optimizer.__init__(self, params, {"lr": lr, "weight_decay": weight_decay})
        self.weight_decay = weight_decay

    def move(self, p, g, lr):
        p.sub_(lr * (g + self.weight_decay * p))


class KnowsTheFirst(Plain):
    def __init__(self, params, lr=0.1):
        super().__init__(params, lr)
        self.known = {p for group in self.param_groups for p in group["params"]}

    def move(self, p, g, lr):
        if p in self.known:
            super().move(p, g, lr)


class NanAtZero(Plain):
    def move(self, p, g, lr):
        p.sub_(lr * g * g.abs() / g.abs())


PLANTED = {
    "settings of a group": OneDecayForAll,
    "added groups": KnowsTheFirst,
    "zero entries": NanAtZero,
    "repeats": Unrepeatable,
    "in place": Elsewhere,
    "tiny gradients": Vanishing,
    "train and eval": ForgetsItsMode,
}


def test_each_slip_has_what_tells_it():
    assert {*TOLD, *OTHER_RULES, *FACTS} == set(FAULTS)


@pytest.mark.parametrize("name", TOLD)
def test_a_slip_is_told(name):
    law, kwargs = TOLD[name], FAULTS[name].kwargs
    assert holds(faulty(name), law, kwargs) is False
    assert holds(corrected(name), law, kwargs) is True


@pytest.mark.parametrize("law", PLANTED)
def test_a_planted_slip_is_told(law):
    assert holds(PLANTED[law], law, {}) is False


def test_every_law_is_broken_by_something():
    assert {*TOLD.values(), *PLANTED} >= set(LAWS)


def test_the_code_without_a_slip_keeps_all():
    assert not broken(Plain, {})


@pytest.mark.parametrize("name", sorted(FACTS))
def test_a_line_of_the_card_tells_what_no_law_forbids(name):
    checks = {**examine.FACTS, "rule": lambda it: nearest(it.subject)}
    both = [Examined(subject(cls, FAULTS[name].kwargs)) for cls in (faulty(name), corrected(name))]
    lines = [checks[FACTS[name]](it).finding for it in both]
    assert lines[0] != lines[1]


OF_TORCH = [
    ("SGD", {}),
    ("SGD", {"momentum": 0.9}),
    ("SGD", {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
    ("SGD", {"maximize": True}),
    ("Adagrad", {}),
    ("Adadelta", {}),
    ("RMSprop", {"centered": True, "momentum": 0.9}),
    ("Rprop", {}),
    ("ASGD", {}),
    ("Adam", {}),
    ("Adam", {"amsgrad": True}),
    ("AdamW", {}),
    ("Adamax", {}),
    ("NAdam", {}),
    ("RAdam", {}),
    ("Adafactor", {}),
    ("Muon", {}),
]


@pytest.mark.parametrize(("name", "kwargs"), OF_TORCH)
def test_torch_keeps_them(name, kwargs):
    assert not broken(getattr(torch.optim, name), kwargs)


def test_what_lbfgs_of_torch_breaks():
    """It reads gradients as views, which a gradient that is stored by columns does not have."""
    assert broken(torch.optim.LBFGS, {}) == {"strides"}


KEPT = """
Lion Shampoo SOAP ADOPT Prodigy AdaBelief MARS Lamb AdEMAMix SignSGD Tiger LaProp StableAdamW AdaFactor NAdam RAdam
AdaMax CAME Grams DiffGrad MADGRAD AvaGrad AdaGC AggMo PID SCION Adam AdamW DAdaptAdam DAdaptSGD Fromage GaLore
Nero Kate Aida AccSGD ASGD AdaNorm AdaPNM AdaShift AdaTAM Amos FTRL SPAM TAM EmoNavi VSGD QHAdam
"""
BROKEN = {  # each was looked up in its source; what it means stands in studies/cards/findings.py
    "ScheduleFreeAdamW": {"leaves gradients alone"},
    "Adan": {"maximize"},
    "Yogi": {"rests on zero gradients"},
    "LARS": {"leaves gradients alone"},
    "AdamS": {"tensors without gradient", "decay shrinks"},
    "ScheduleFreeSGD": {"settings"},
    "Ranger": {"descends", "keeps descending", "leaves gradients alone"},
    "SRMM": {"rests on zero gradients"},
    "AdaBound": {"added groups"},
    "ApolloDQN": {"lr of a group", "schedulers"},
}


@pytest.mark.parametrize("name", KEPT.split())
def test_pytorch_optimizer_keeps_them(name):
    assert not broken(getattr(pytorch_optimizer, name), {})


@pytest.mark.parametrize("name", sorted(BROKEN))
def test_what_pytorch_optimizer_breaks(name):
    assert broken(getattr(pytorch_optimizer, name), {}) == BROKEN[name]
