"""How a study states the identities of a file of theory/ as a claim: proved by name, and each with one constant wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ratewitness.studies.claims import Check, Verdict
from ratewitness.studies.judges import all_of, proved

Identities = Mapping[str, Callable[[], bool]]


def prove(proofs: Identities, *names: str) -> Verdict:
    """The identities of these names, or all of them."""
    names = names or tuple(proofs)
    return all_of({name: proved(proofs[name]) for name in names}).noting(identities=len(names))


def falsified(variants: Identities, *names: str) -> dict[str, Check]:
    """Planted variants: the same identities with one constant wrong in each."""
    names = names or tuple(variants)
    return {f"{name} with a wrong constant": lambda budget, n=name: proved(variants[n]) for name in names}
