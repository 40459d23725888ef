r"""Does every way of drawing a minibatch give each component its share?

    E (1/b) sum_{i in B} grad f_i(x) = grad f(x),    P(i in B) = b/n  for each component i

Hypotheses: the components are drawn independently of x; a minibatch is a uniform subset, independent uniform draws, or
a block of a uniformly random permutation. A block of a permutation is unbiased before the permutation is known; given
the blocks before it in the same pass it is not, and a planted variant says so.

Computed by enumeration of all draws, and measured on the samplers that the oracle uses; the proof for symbolic n and b
stands in `unbiased_and_cheap`.

Source: W. Cochran (1977) for sampling without replacement.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import combinations, permutations, product

import numpy as np
import torch
from ratewitness.problems.data.least_squares import random_least_squares
from ratewitness.problems.oracle import Oracle
from ratewitness.studies.claims import Budget, Verdict, claim, planted
from ratewitness.studies.judges import all_of, bound_holds, mean_is
from torch.nn.functional import one_hot

TOLERANCE = 1e-10  # of an average of gradients, relative to the full gradient
SMALL = 6  # components, where every draw can be written down
DRAWS = {  # every outcome of a draw of b from SMALL components, all equally likely; the last block of a pass
    "with replacement": lambda b: product(range(SMALL), repeat=b),
    "without replacement": lambda b: combinations(range(SMALL), b),
    "reshuffled": lambda b: (order[SMALL // b * b - b : SMALL // b * b] for order in permutations(range(SMALL))),
}
SAMPLERS = tuple(product(DRAWS, (1, 2, 3)))  # with the sizes of their batches


def enumerated(budget: Budget, draws: Callable[[int], Iterable]) -> Verdict:
    """Mean over all draws (M, b) of the minibatch gradient against the full one, for each b = 1, ..., SMALL."""
    generator = budget.shared("unbiased_and_cheap.every_sampling_by_enumeration").generator("enumerated")
    problem = random_least_squares(SMALL, 3, generator)
    x = torch.randn(3, generator=generator, dtype=torch.float64, device=generator.device)
    errors = []
    for b in range(1, SMALL + 1):
        index = torch.tensor(list(draws(b)), device=x.device)
        mean = problem.sample_grad(x.expand(len(index), 3), index).mean(0)
        errors.append(float((mean - problem.grad(x)).norm() / problem.grad(x).norm()))
    return bound_holds(errors, TOLERANCE, floor=-1.0)  # an error of exactly 0 is a record


def never_0_last(b: int) -> Iterable:
    return (draw for draw in permutations(range(SMALL), b) if draw[-1] != 0)


@claim("exact", "S1; enumeration")
@planted("subsets of the first half", partial(enumerated, draws=lambda b: combinations(range(3), min(b, 3))))
@planted("one component never drawn last", partial(enumerated, draws=never_0_last))
def every_sampling_by_enumeration(budget: Budget) -> Verdict:
    """S1: Averaged over every possible draw, the minibatch gradient is the full gradient.

    For draws of b = 1, ..., 6 from n = 6 components, with replacement (n^b draws), without (C(n, b) subsets) and as the last
    block of a reshuffled pass (n! orders), they are equal up to 1e-10."""
    return all_of({sampling: enumerated(budget, draws) for sampling, draws in DRAWS.items()})


def frequencies(budget: Budget, sampling: str, b: int, seen_first: bool) -> np.ndarray:
    """(n, groups): how often the second draw of the oracle holds each component, in units of b/n.

    seen_first: only in those replicates whose first draw held component 0.
    """
    problem = random_least_squares(SMALL, 1, budget.generator("tiny"))
    oracle = Oracle.minibatch(problem, b, budget.generator(sampling, b), sampling)
    x = problem.starts(20, budget.replicates)
    oracle.grad(x)
    kept = (oracle.sample == 0).any(-1) if seen_first else torch.ones_like(oracle.sample[..., 0], dtype=torch.bool)
    oracle.grad(x)
    counts = (one_hot(oracle.sample, SMALL).sum(-2) * kept.unsqueeze(-1)).sum(1)
    return (counts / kept.sum(1, keepdim=True) * SMALL / b).mT.cpu().numpy()


@claim("exact", "S1; problems/oracle.py")
@planted("a block given the blocks before it in the pass", samplers=(("reshuffled", 2),), seen_first=True)
@planted("the first component a quarter more likely", samplers=(("with replacement", 1),), expected=(1.25, *[0.95] * 5))
def samplers_of_the_oracle(
    budget: Budget, samplers: Sequence = SAMPLERS, seen_first: bool = False, expected: Sequence[float] = (1.0,) * SMALL
) -> Verdict:
    """S1: Each of the three samplers of the oracle draws each component with frequency b/n.

    For n = 6 components and batches b = 1, 2, 3 the 99 % intervals over 20 groups are within 10 % (quick) or 3 % (full)."""
    streams = budget.shared("unbiased_and_cheap.samplers_of_the_oracle")
    found = np.stack([frequencies(streams, *sampler, seen_first) for sampler in samplers])
    return mean_is(found, np.broadcast_to(expected, found.shape[:-1]), budget.pick(0.1, 0.03))


if __name__ == "__main__":
    from ratewitness.studies.__main__ import script

    script(__file__)
