r"""Muon and AdamW on the hidden matrices of a character transformer, a thousandth of GPT-2 124M.

    hidden matrices     W <- (1 - a lambda) W - a 0.2 sqrt(max(m, n)) NS_5(momentum of the gradients)     (Muon)
                        or AdamW with step a
    everything else     AdamW with step 0.008, in both methods

A decoder-only transformer of 111104 weights (`problems/networks/character_model.py`) reads 2048 characters of the King James
Bible a step: betas 0.9 and 0.95, decay 0.1, warm-up over 4 % of the steps, linear decay over the last half. The methods
differ in the 98304 weights of the hidden matrices only. Each has one step a, chosen by runs of half the length from one
start, with batches that no other run sees; at the full length another step may be the best. Both grids follow one rule,
stated before the run: factors of 2 (quick: 4) from 1/8 to 8 times a reference, 7 (quick: 4) steps; the reference is 1e-3 for
AdamW, the default of torch, and 0.02 for Muon, the step in circulation. The runs that are judged have fresh starts and
batches, the same for both methods.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from ratewitness.problems.data.text import king_james
from ratewitness.problems.networks.character_model import Transformer, character_model, windows
from ratewitness.problems.oracle import Oracle
from ratewitness.problems.problem import FiniteSum
from ratewitness.solvers.adam import AdamW
from ratewitness.solvers.around.layerwise import Layerwise, Part
from ratewitness.solvers.heavy_ball import HeavyBall
from ratewitness.solvers.norms.muon import Muon
from ratewitness.solvers.norms.polar import MuonQuintic
from ratewitness.solvers.schedules import Trapezoid
from ratewitness.solvers.solver import run
from ratewitness.studies.claims import Budget, measured
from ratewitness.studies.measuring.tuning import Tuned, refined
from torch.utils.flop_counter import FlopCounterMode

NETWORK = Transformer(vocabulary=68)
HIDDEN = ("attention", "expand", "contract")
ELSEWHERE = 0.008  # the step of AdamW for embedding, position and head
ITERATIONS = 5  # of Muon's quintic
RECORDS = 25
FRESH, AGAIN = "fresh", "fresh again"  # starts and batches
REFERENCE = {"AdamW": 1e-3, "Muon": 0.02}  # steps: the default of torch, and the one in circulation


def scheduled(lr: float, steps: int) -> Trapezoid:
    return Trapezoid(lr, steps, warm_up=steps // 25, decay=steps // 2)


def adamw(lr: float, steps: int) -> AdamW:
    return AdamW(scheduled(lr, steps), beta1=0.9, beta2=0.95, weight_decay=0.1)


def muon(lr: float, steps: int, scale="match_rms_adamw") -> Muon:
    return Muon(scheduled(lr, steps), weight_decay=0.1, orthogonalize=MuonQuintic(ITERATIONS), scale=scale)


RULES = {  # of the hidden matrices: (step, number of steps) -> solver
    "AdamW": adamw,
    "Muon": muon,
    "Muon, original scaling": lambda lr, steps: muon(lr, steps, "original"),
    "SGD": lambda lr, steps: HeavyBall(scheduled(lr, steps), 0.95),
}


def method(rule: str, lr: float, steps: int, elsewhere: float = ELSEWHERE) -> Layerwise:
    """The rule for the stacks of hidden matrices, AdamW for embedding, position and head, which come first."""
    where, shapes = NETWORK.layout.slices, NETWORK.layout.shapes
    first, matrices = where[HIDDEN[0]].start, RULES[rule](lr, steps)
    return Layerwise(
        [Part(slice(0, first), (first,), adamw(elsewhere, steps))]
        + [Part(where[name], shapes[name], matrices) for name in HIDDEN]
    )


@measured("muon_transformer")
def reading(budget: Budget, shuffled: bool = False) -> tuple[FiniteSum, torch.Tensor]:
    """The problem, and evenly spaced windows of the last tenth of the text to judge by.

    shuffled: characters in random order, which leaves nothing to learn but their frequencies.
    """
    generator, text = budget.generator("text"), king_james()
    parts = [part.to(budget.device) for part in (text.train, text.validation)]
    if shuffled:
        parts = [part[torch.randperm(len(part), generator=generator, device=part.device)] for part in parts]
    kept = windows(parts[1], NETWORK.context)
    return character_model(NETWORK, parts[0], generator), kept[:: len(kept) // budget.pick(8, 128)]


def length(budget: Budget) -> int:
    return budget.pick(50, 500)


def batch(budget: Budget) -> int:
    return budget.pick(4, 32)


def recorded(steps: int) -> range:
    return range(0, steps + 1, steps // RECORDS)


@measured("muon_transformer")
def losses(
    budget: Budget, rule: str, lr: float, steps: int, seeds: int, stream: str, elsewhere=ELSEWHERE, shuffled=False
) -> np.ndarray:
    """Validation loss (records, seeds) in nats a character; the stream alone decides on starts and batches."""
    problem, held_out = reading(budget, shuffled)
    x0 = NETWORK.initial(budget.generator(stream, "start"), seeds)
    oracle = Oracle.minibatch(problem, batch(budget), budget.generator(stream, "batches"))
    at = recorded(steps) if stream in (FRESH, AGAIN) else [steps]
    solver = method(rule, lr, steps, elsewhere)
    return run(solver, oracle, x0, steps, lambda x: NETWORK.cross_entropy(x, held_out), at).values.double().cpu().numpy()


@measured("muon_transformer")
def tuned(budget: Budget, rule: str) -> Tuned:
    """By steps a factor 2 (quick: 4) apart from 1/8 to 8 times the reference, as many for either method."""

    def final(grid):
        return np.array([losses(budget, rule, float(lr), length(budget) // 2, 1, "tuning")[-1, 0] for lr in grid])

    grid = REFERENCE[rule] / 8 * budget.pick(4.0, 2.0) ** np.arange(budget.pick(4, 7))
    return refined(final, grid, 0)


def fresh(budget: Budget, rule: str, stream: str = FRESH) -> np.ndarray:
    """Losses (records, seeds) of the runs that are judged, with the tuned step; or of as many and as long ones from other
    starts on other batches."""
    return losses(budget, rule, tuned(budget, rule).lr, length(budget), budget.pick(3, 5), stream)


@cache
def counted(batch: int) -> dict[str, float]:
    """Floating-point operations in products of matrices of one gradient and of one orthogonalization, and their ratio."""
    x = NETWORK.initial(torch.Generator().manual_seed(0))
    with FlopCounterMode(display=False) as gradient:
        g = NETWORK.gradient(x, torch.zeros(batch, NETWORK.context + 1, dtype=torch.int64, device=x.device))
    with FlopCounterMode(display=False) as orthogonalization:
        for name in HIDDEN:
            MuonQuintic(ITERATIONS)(NETWORK.layout.split(g)[name])
    counts = gradient.get_total_flops(), orthogonalization.get_total_flops()
    return {"gradient": counts[0], "orthogonalization": counts[1], "share": counts[1] / counts[0]}
