"""Every example in a docstring gives what it shows, in the module that everyone imports."""

import doctest
import pkgutil
from importlib import import_module

import pytest
from ratewitness import problems, solvers, theory

NAMES = [
    info.name
    for package in (theory, problems, solvers)
    for info in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
]


@pytest.mark.parametrize("name", NAMES)
def test_examples(name):
    assert doctest.testmod(import_module(name)).failed == 0
