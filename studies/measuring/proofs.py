"""How a study states identities of theory/ as a claim: proved, and refuted with each of the slips that they name."""

from __future__ import annotations

from collections.abc import Callable

from ratewitness.studies.claims import Check, Verdict, planted
from ratewitness.studies.judges import all_of, proved
from ratewitness.theory.identity import Identity


def prove(*identities: Identity) -> Verdict:
    """All of these identities, as they are stated."""
    return all_of({f"{each.__module__}.{each.name}": proved(each) for each in identities}).noting(identities=len(identities))


def falsified(*identities: Identity, named: str = "{name} with {slip}") -> Callable[[Check], Check]:
    """Stands under @claim, as `planted` does: each identity with each of its slips.

    named: the row, of the {name} of the identity and the {slip}. ValueError where two rows would have one name.
    """
    rows = [
        (named.format(name=identity.name, slip=slip), lambda budget, variant=variant: proved(variant))
        for identity in identities
        for slip, variant in identity.variants.items()
    ]
    if len(names := dict(rows)) < len(rows):
        raise ValueError(f"{named!r} names {len(rows)} rows {', '.join(names)}; accepted is one name a row")

    def note(stated: Check) -> Check:
        for name, variant in reversed(rows):  # decorators run from below upwards
            stated = planted(name, variant)(stated)
        return stated

    return note
