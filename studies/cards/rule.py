"""The rule of an optimizer: the nearest known one, the one it is claimed to be, and how it differs from another."""

from ratewitness.studies.cards.claim import claimed, differences
from ratewitness.studies.cards.nearest import nearest

__all__ = ["claimed", "differences", "nearest"]
