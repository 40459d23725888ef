r"""How many operations does a gradient of GPT-2 124M take, and how many do Muon and SOAP add?

    operations a token = 6 N + 12 layers d T,        N = 12 layers d^2 + vocabulary d
    Muon, each step    = 5 (4 n m^2 + 2 m^3) for each hidden matrix of m <= n
    SOAP, each step    = 8 m n (m + n) + 4 (m^3 + n^3) / 10, and the QR decompositions

In products of matrices, and nothing else. N are the weights that multiply: the embedding is looked up, and counts where it
is the head as well; attention is counted without its mask. Model-flops utilization is made of this number and a measured
peak (`language_model_speed`). torch counts what the code asks for, on tensors of device "meta", which have no memory.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import torch
from ratewitness.problems.networks.character_model import Transformer
from ratewitness.problems.networks.language_model import GPT2_124M, operations
from ratewitness.solvers.norms.soap import SOAP
from ratewitness.studies.claims import Budget, Verdict, claim, planted
from ratewitness.studies.judges import equals_exactly
from ratewitness.studies.landscapes.language_model_runs import INTERVAL, small
from ratewitness.studies.landscapes.language_model_speed import hidden, of_the_method
from ratewitness.studies.norms.transformer_runs import HIDDEN, ITERATIONS, counted
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode


@cache
def counts(network: Transformer, windows: int) -> int:
    """Operations of one gradient as torch counts them, on tensors that are not there."""
    x = torch.empty(network.layout.size, device="meta")
    tokens = torch.zeros(windows, network.context + 1, dtype=torch.int64, device="meta")
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):  # others are not counted everywhere
        network.gradient(x, tokens)
    return counter.get_total_flops()


@claim("exact", "S37; Kaplan et al. (2020), arXiv:2001.08361; Chowdhery et al. (2022), arXiv:2204.02311, appendix B")
@planted("attention left out", attention=0)
@planted("attention counted as causal", attention=6)
@planted("positions counted as weights that multiply", positions=1)
def gradient_costs_6n_and_attention(budget: Budget, attention: int = 12, positions: int = 0) -> Verdict:
    """S37: A gradient of GPT-2 124M takes 6 N + 12 layers width context operations in products of matrices a token.

    For the transformers of this package, N being the weights that multiply, hidden matrices and head, and attention counted
    in full, without its mask: what torch counts for 1 and 3 windows equals it, as integers, for GPT-2 124M (tied, on tensors
    without memory) and for 4 smaller shapes."""
    shapes = [GPT2_124M, *(Transformer(68, 16, 32, 4, layers, tied=tied) for layers in (1, 3) for tied in (False, True))]
    shapes = [(network, windows) for network in shapes for windows in (1, 3)]
    found = pd.DataFrame({"context": network.context, "windows": windows} for network, windows in shapes)
    found["weights"] = [network.layout.size for network, _ in shapes]
    found["measured"] = [counts(*each) for each in shapes]
    found["theory"] = [
        windows
        * network.context
        * (operations(network) + (attention - 12) * network.layers * network.width * network.context)
        + positions * 6 * windows * network.context**2 * network.width
        for network, windows in shapes
    ]
    return equals_exactly(found["measured"], found["theory"]).showing(found)


@cache
def of_soap(network: Transformer) -> int:
    """What torch counts, but for decompositions, in 10 steps of SOAP on all hidden matrices, the last with new bases."""
    solver, total = SOAP(1e-3, interval=INTERVAL), 0
    generator = torch.Generator("cpu").manual_seed(0)
    for name in HIDDEN:
        x = torch.randn(network.layout.shapes[name], generator=generator, device="cpu")
        oracle = Drawn(generator)
        x, state = solver.step(x, solver.init(x), oracle)  # the first gives the bases alone
        with FlopCounterMode(display=False) as counter:
            for _ in range(INTERVAL):
                x, state = solver.step(x, state, oracle)
        total += counter.get_total_flops()
    return total


class Drawn:
    """Gradients that are drawn, whatever the point."""

    def __init__(self, generator: torch.Generator):
        self._generator = generator

    def grad(self, x: torch.Tensor, redraw: bool = True) -> torch.Tensor:
        return torch.randn(x.shape, generator=self._generator, device=x.device)


@claim("exact", "S37; Jordan et al. (2024); Vyas et al. (2024), arXiv:2409.11321")
@planted("Muon's quintic with 3 n m^2", quintic=3)
@planted("SOAP's average not turned", turned=6)
@planted("SOAP's new bases left out", bases=0)
def methods_cost_what_is_charged(budget: Budget, quintic: int = 4, turned: int = 8, bases: int = 4) -> Verdict:
    """S37: Muon adds 5 (4 n m^2 + 2 m^3) operations for a hidden matrix of m <= n; SOAP adds 8 m n (m + n) and new bases.

    In products of matrices, for the hidden matrices of the character model of 111104 weights: what torch counts in one step
    of Muon's quintic, 5 iterations, and in 10 steps of SOAP with new bases in the last, 4 (m^3 + n^3), equals it, as
    integers. torch does not count the QR decompositions, which `muon_language_model` charges with 8/3 (m^3 + n^3); the first
    step of SOAP, not counted here, takes fewer."""
    network = small(budget).network
    charged = of_the_method(network, "Muon"), round(INTERVAL * of_the_method(network, "SOAP", qr=0))
    m, n, many = (np.array(each) for each in zip(*hidden(network), strict=True))
    muon = (quintic - 4) * ITERATIONS * (many * n * m**2).sum()
    soap = (many * ((turned - 8) * INTERVAL * m * n * (m + n) + (bases - 4) * (m**3 + n**3))).sum()
    found = pd.DataFrame({"method": ["Muon", "SOAP"], "measured": [counted(4)["orthogonalization"], of_soap(network)]})
    found["theory"] = [charged[0] + muon, charged[1] + soap]
    return equals_exactly(found["measured"], found["theory"]).showing(found)


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
