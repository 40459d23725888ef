r"""How many operations does a gradient of GPT-2 124M take, and how many does Muon add?

    operations a token = 6 N + 12 layers d T,        N = 12 layers d^2 + vocabulary d
    Muon, each step    = 5 (4 n m^2 + 2 m^3) for each hidden matrix of m <= n

In products of matrices, and nothing else. N are the weights that multiply: the embedding is looked up, and counts where it
is the head as well; attention is counted without its mask. Model-flops utilization is made of this number and a measured
peak (`language_model_speed`). torch counts what the code asks for, on tensors of device "meta", which have no memory.
"""

from __future__ import annotations

from functools import cache

import pandas as pd
import torch
from ratewitness.problems.networks.character_model import Transformer
from ratewitness.problems.networks.language_model import GPT2_124M, operations
from ratewitness.studies.claims import Budget, Verdict, claim, planted
from ratewitness.studies.judges import equals_exactly
from ratewitness.studies.landscapes.language_model_runs import small
from ratewitness.studies.landscapes.language_model_speed import orthogonalization
from ratewitness.studies.norms.transformer_runs import counted
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
    without memory) and for 4 smaller shapes; and 5 iterations of Muon's quintic take 5 (4 n m^2 + 2 m^3) for each hidden
    matrix of the character model, m <= n."""
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
    muon = counted(4)["orthogonalization"], orthogonalization(small(budget).network)
    return equals_exactly([*found["measured"], muon[0]], [*found["theory"], muon[1]]).showing(found)


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
