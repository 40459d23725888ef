"""C. Rates: how fast an optimizer is on the witnesses of this package, beside what theory says of their classes.

Each is one measurement, with lr tuned for it and without weight decay. It says "not decided: ..." with the reason, and has
no number, where a run was censored, an interval is wide, the best lr lies at the edge of its grid, or the time of a rate
did not suffice. Equal rates do not make equal methods: several broken Adams have those of Adam to every digit.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from ratewitness.studies.cards import exact_rates, noisy_rates
from ratewitness.studies.cards.bench import Bench, Undecided
from ratewitness.studies.cards.fact import Fact
from ratewitness.studies.cards.fleet import Broke

RATES: dict[str, Callable[[Bench], Fact]] = {
    "accuracy": exact_rates.accuracy,
    "conditioning": exact_rates.conditioning,
    "convex": exact_rates.convex,
    "range of lr": exact_rates.good_range,
    "stability": exact_rates.stability,
    "zero-chain": exact_rates.links,
    "matrix": exact_rates.matrices,
    "frequencies": exact_rates.frequencies,
    "drift": exact_rates.drift,
    "noise, strongly convex": noisy_rates.strongly_convex,
    "noise, convex": noisy_rates.convex,
    "noise, nonconvex": noisy_rates.nonconvex,
    "noise floor": noisy_rates.floor,
}
SECONDS = (20.0, 200.0)  # of processor time for each rate, quick and full
LONGEST = {"conditioning": 2.0}  # times that


def rate(name: str, place: Bench) -> Fact:
    """One of RATES on this bench. Raises AboveBayes for a gap that no method can have."""
    begin = time.thread_time()
    try:
        fact = RATES[name](place.within(place.budget.pick(*SECONDS) * LONGEST.get(name, 1.0)))
    except (Undecided, Broke) as reason:
        fact = Fact(name, f"not decided: {reason}")
    asks = f"; a step asks for {place.asks} gradients" * (place.asks > 1 and fact.number is not None)
    return replace(fact, name=name, finding=fact.finding + asks, part="rates", seconds=time.thread_time() - begin)
